"""Signed and encrypted mail is recognised, and an opaque signature gives its text (RFC 5652, 8551, 9580)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.body import read_body
from mailflow.reading.mime_tree import mime_tree
from mailflow.reading.sealed import signed_content, without_armour

ENTITY = b"Content-Type: text/plain; charset=utf-8\r\n\r\nPlease renew.\r\n"
SIGNED = bytes.fromhex("06092a864886f70d010702")
ENVELOPED = bytes.fromhex("06092a864886f70d010703")
DATA = bytes.fromhex("06092a864886f70d010701")


def der(tag: int, *contents: bytes) -> bytes:
    """One element of definite length (X.690, 8.1.3)."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def ber(tag: int, *contents: bytes) -> bytes:
    """The same of indefinite length, as software writes it that streams."""
    return bytes((tag, 0x80)) + b"".join(contents) + b"\0\0"


def opaque(content: bytes, kind: bytes = SIGNED) -> bytes:
    """A SignedData without signers: version, no digest algorithms, the content."""
    inner = der(0x30, der(0x02, b"\x01"), der(0x31), der(0x30, DATA, der(0xA0, der(0x04, content))))
    return der(0x30, kind, der(0xA0, inner))


def test_the_content_of_an_opaque_signature_is_found() -> None:
    assert signed_content(opaque(ENTITY)) == ENTITY


def test_streamed_content_comes_in_pieces() -> None:
    pieces = [der(0x04, ENTITY[at : at + 10]) for at in range(0, len(ENTITY), 10)]
    encapsulated = ber(0x30, DATA, ber(0xA0, ber(0x24, *pieces)))
    assert (
        signed_content(ber(0x30, SIGNED, ber(0xA0, ber(0x30, der(0x02, b"\x01"), der(0x31), encapsulated)))) == ENTITY
    )


@pytest.mark.parametrize(
    "octets",
    [
        opaque(ENTITY, ENVELOPED),
        opaque(ENTITY)[:-4],
        der(0x30, SIGNED, der(0xA0, der(0x30, der(0x02, b"\x01"), der(0x31), der(0x30, DATA)))),
        b"\x30\x80" * 1_000,
        b"",
        b"\x30",
    ],
)
def test_what_carries_no_readable_content_gives_none(octets: bytes) -> None:
    """Enveloped, cut short, detached, nested without end, empty."""
    assert signed_content(octets) is None


@given(st.binary(max_size=60), st.integers(0, 40), st.integers(0, 255))
def test_looking_inside_is_total(content: bytes, place: int, octet: int) -> None:
    damaged = bytearray(opaque(content))
    damaged[place % len(damaged)] = octet
    assert isinstance(signed_content(bytes(damaged)), bytes | None)


def mail(content_type: str, body: bytes) -> bytes:
    return b"Content-Type: " + content_type.encode() + b"\r\nContent-Transfer-Encoding: binary\r\n\r\n" + body


def multipart(content_type: str, *types: str) -> bytes:
    parts = b"".join(b"--b\r\nContent-Type: " + kind.encode() + b"\r\n\r\nwords\r\n" for kind in types)
    return mail(f"{content_type}; boundary=b", parts + b"--b--\r\n")


ARMOURED = b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n"
CLEARSIGNED = (
    b"before\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nPlease renew.\n- -- \nAnn\n"
    b"-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\nafter"
)
CASES = [
    (
        mail("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", opaque(ENTITY)),
        "Please renew.",
        ["signed"],
    ),
    (mail("application/pkcs7-mime; name=smime.p7m", opaque(ENTITY, ENVELOPED)), "", ["encrypted"]),
    (mail("application/x-pkcs7-mime", b"damaged"), "", ["encrypted"]),
    (multipart("multipart/signed", "text/plain", "application/pkcs7-signature"), "words", ["signed"]),
    (multipart("multipart/signed", "text/plain", "application/pgp-signature"), "words", ["signed"]),
    (multipart("multipart/encrypted", "application/pgp-encrypted", "application/octet-stream"), "", ["encrypted"]),
    (mail("text/plain", ARMOURED), ARMOURED.decode().strip(), ["encrypted"]),
    (mail("text/plain", CLEARSIGNED), "before\nPlease renew.\n-- \nAnn\nafter", ["signed"]),
    (mail("text/plain", b"no seal at all"), "no seal at all", []),
]


@pytest.mark.parametrize(("content", "text", "defects"), CASES)
def test_a_sealed_mail_says_so(content: bytes, text: str, defects: list[str]) -> None:
    body = read_body(mime_tree(content)[0])
    assert (body.text, [defect.code for defect in body.defects]) == (text, defects)


def test_the_sealed_part_stays_an_attachment() -> None:
    """What was sent can be checked later, by somebody who has the certificates."""
    octets = opaque(ENTITY)
    body = read_body(mime_tree(mail("application/pkcs7-mime; name=smime.p7m", octets))[0])
    assert [(item.filename, item.size) for item in body.attachments] == [("smime.p7m", len(octets))]


def test_an_armour_without_end_loses_no_word() -> None:
    text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nPlease renew.\n"
    assert "Please renew." in without_armour(text)[0]
