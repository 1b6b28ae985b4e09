"""What is signed or encrypted: S/MIME (RFC 8551, 5652) and PGP (RFC 3156, 9580). Recognised, never verified here.

Rule: what cannot be read is the defect `encrypted`, which holds the mail; a signature over readable text is `signed`.
Rule: the text inside an opaque signature is read, for it is not secret. Why: some clients sign no other way.
"""

import re

from mailflow.core.message import Defect

_SMIME = Defect("encrypted", "The mail is sealed with S/MIME and cannot be read here.")
_PGP = Defect("encrypted", "The mail is encrypted with PGP and cannot be read here.")
SMIME_SIGNED = Defect("signed", "The mail carries an S/MIME signature, which is not verified here.")
_PGP_SIGNED = Defect("signed", "The mail carries a PGP signature, which is not verified here.")
OPAQUE_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_DEFECTS: dict[str, Defect] = {
    "application/pkcs7-mime": _SMIME,
    "application/x-pkcs7-mime": _SMIME,
    "application/pkcs7-signature": SMIME_SIGNED,
    "application/x-pkcs7-signature": SMIME_SIGNED,
    "multipart/encrypted": _PGP,
    "application/pgp-encrypted": _PGP,
    "application/pgp-signature": _PGP_SIGNED,
}


def defect_of(content_type: str) -> Defect | None:
    """What a part of this type says of the mail."""
    return _DEFECTS.get(content_type)


# ---- PGP inside a text --------------------------------------------------------------------------------------

_ARMOURED = "-----BEGIN PGP MESSAGE-----"
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----\n"
_SIGNATURE = "\n-----BEGIN PGP SIGNATURE-----\n"
_SIGNATURE_END = "\n-----END PGP SIGNATURE-----"
_ARMOUR_HEADERS = re.compile(r"(?:[A-Za-z-]+: [^\n]*\n)*\n?")
_DASH_ESCAPE = re.compile(r"^- ", re.MULTILINE)


def without_armour(text: str) -> tuple[str, Defect | None]:
    """`text` less the armour of its cleartext signature (RFC 9580, 7), and what is to be said of it."""
    if _ARMOURED in text:
        return text, _PGP
    before, begin, rest = text.partition(_SIGNED)
    signed, signature, rest = rest.partition(_SIGNATURE)
    if not begin or not signature or before[-1:] not in ("", "\n"):
        return text, _PGP_SIGNED if begin else None
    behind = rest.partition(_SIGNATURE_END)[2]
    return f"{before}{_DASH_ESCAPE.sub('', _ARMOUR_HEADERS.sub('', signed, count=1))}{behind}".strip("\n"), _PGP_SIGNED


# ---- opaque signatures --------------------------------------------------------------------------------------

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_OCTETS, _OCTET_PIECES = 0x04, 0x24
_MAX_DEPTH = 20


def signed_content(octets: bytes) -> bytes | None:
    """The MIME entity inside a CMS SignedData (RFC 5652, 5): not encrypted, only packed. None for everything else."""
    try:
        start = _path(octets, 0, len(octets), 0)
        if not octets.startswith(_SIGNED_DATA, start):
            return None
        signed = _path(octets, start, len(octets), 1, 0)
        # version, digestAlgorithms, encapContentInfo { type, [0] { content } }
        content = _path(octets, signed, len(octets), 2, 1)
        tag, first, end, _ = _element(octets, content, 0)
        return _joined(octets, tag, first, end, 0)
    except (IndexError, ValueError):
        return None


def _path(octets: bytes, at: int, end: int, *steps: int) -> int:
    """Where the element stands that `steps` lead to: over so many elements, then into the next, and so on."""
    for step in steps:
        for _ in range(step):
            at = _element(octets, at, 0)[3]
        at = _element(octets, at, 0)[1]
        if at >= end:
            raise ValueError("an element ends before the path does")
    return at


def _element(octets: bytes, at: int, depth: int) -> tuple[int, int, int, int]:
    """Tag, start and end of the content, start of the next element (X.690, 8.1), also of indefinite length."""
    tag, length = octets[at], octets[at + 1]
    at += 2
    if length == 0x80:
        if depth > _MAX_DEPTH:
            raise ValueError("elements nest too deep")
        end = at
        while octets[end : end + 2] != b"\0\0":
            end = _element(octets, end, depth + 1)[3]
        return tag, at, end, end + 2
    if length > 0x80:
        size = length & 0x7F
        length = int.from_bytes(octets[at : at + size], "big")
        at += size
    if at + length > len(octets):
        raise ValueError("an element is longer than the octets")
    return tag, at, at + length, at + length


def _joined(octets: bytes, tag: int, start: int, end: int, depth: int) -> bytes:
    if tag == _OCTETS:
        return octets[start:end]
    if tag != _OCTET_PIECES or depth > _MAX_DEPTH:
        raise ValueError("no octet string")
    pieces = []
    while start < end:
        tag, first, last, start = _element(octets, start, 0)
        pieces.append(_joined(octets, tag, first, last, depth + 1))
    return b"".join(pieces)
