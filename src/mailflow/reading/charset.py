"""Bytes to text, as mail clients do it: total, and never with a surrogate or a NUL in what comes out.

Rule: bytes that are valid UTF-8 are UTF-8, whatever the label says; then the *wider twin* of the declared charset
(WHATWG Encoding, "names and labels"), then the declared one with replacement characters, then windows-1252.
Why UTF-8 first: a wrong label is common (UTF-8 sent as `us-ascii`, `Big5`, `iso-8859-1`), text of another charset that
is valid UTF-8 by accident is not. The one exception is a short text under a CJK label, see `_is_accidental_utf8`.
Why the twin: software writes GBK under `gb2312` and windows-1252 under `iso-8859-1`, and every browser reads them so.
"""

import binascii
import re
from collections.abc import Callable

_WIDER: dict[str, str] = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "windows-936": "gb18030",
    "big5": "big5hkscs",
    "big-5": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2",
    "cp50220": "iso2022_jp_ext",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
}
_CJK = frozenset({"gb18030", "big5hkscs", "cp932", "cp949", "euc-jp", "euc_jp", "gb2312", "big5"})
_STATEFUL_ASCII = frozenset({"utf-7", "hz", "hz-gb-2312"})
"""Charsets whose text looks like ASCII until it is decoded."""
_WIDE_UNITS = re.compile(r"utf-?(?:16|32)|ucs-?[24]")
_REFUSED = frozenset(
    {"idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "undefined", "charmap"}
)
"""Python codecs that are not charsets: some are slow, all would rewrite honest text."""
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
_ISO_2022_ESCAPE = re.compile(rb"\x1b(\$[B@]|\$\([A-Z]|\([BJI]|\$\)[A-Z])")


def clean(text: str) -> str:
    """`text` without C0 controls (tab and line ends stay); a lone surrogate becomes U+FFFD."""
    if text.isprintable() or not _UNSTORABLE.search(text):
        return text
    return _UNSTORABLE.sub(lambda found: "\ufffd" if found[0] >= "\ud800" else "", text)


def decode(data: bytes, declared: str = "") -> str:
    """`data` as text under the rule above. `declared` is a charset label as found in a mail, or ''."""
    label = declared.strip().strip("\"'").lower()
    codec = _WIDER.get(label, label)
    return clean(_decode(data, codec).removeprefix("\ufeff"))


def _decode(data: bytes, codec: str) -> str:
    if _WIDE_UNITS.match(codec) or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        wide = _strict(data, codec if _WIDE_UNITS.match(codec) else "utf-16")
        if wide is not None:
            return wide
    if data.isascii():
        return _decode_ascii(data, codec)
    unicode = _strict(data, "utf-8")
    labelled = _strict(data, codec or "cp1252") if unicode is None or codec in _CJK else None
    if unicode is not None and (labelled is None or not _is_accidental_utf8(unicode)):
        return unicode
    return _with_replacements(data, codec) if labelled is None else labelled


def _decode_ascii(data: bytes, codec: str) -> str:
    if b"\x1b" in data and _ISO_2022_ESCAPE.search(data):
        kind = "iso2022_kr" if b"\x1b$)C" in data else "iso2022_jp_2" if codec == "iso2022_jp_2" else "iso2022_jp_ext"
        return _strict(data, kind) or _iso_2022_jp_as_windows(data)
    if codec in _STATEFUL_ASCII:
        return _strict(data, "hz" if codec.startswith("hz") else codec) or data.decode("ascii")
    return data.decode("ascii")


def _is_accidental_utf8(text: str) -> bool:
    """Double bytes of GBK, Big5 or Shift JIS may be valid UTF-8, but then all as two-byte sequences (Latin, Greek)."""
    return all(char < "\u0800" for char in text)


def _strict(data: bytes, codec: str) -> str | None:
    if codec in _REFUSED:
        return None
    try:
        return data.decode(codec)
    except (LookupError, UnicodeError, ValueError):
        return None


def _with_replacements(data: bytes, codec: str) -> str:
    """The declared charset where it says something about most of `data`; else windows-1252, which is never wrong."""
    if codec and codec not in _REFUSED and codec not in ("cp1252", "us-ascii"):
        try:
            text = data.decode(codec, "replace")
        except (LookupError, UnicodeError, ValueError):
            text = ""
        if text and text.count("\ufffd") * 8 <= len(text):
            return text
    damaged = data.decode("utf-8", "replace")
    if damaged.count("\ufffd") * 4 <= sum(char >= "\u0080" for char in damaged):
        return damaged
    return _strict(data, "cp1252") or data.decode("latin-1")


def _iso_2022_jp_as_windows(data: bytes) -> str:
    """ISO-2022-JP with the vendor rows (NEC row 13: circled digits, company signs) that only windows-31j knows."""
    pieces: list[str] = []
    is_double = False
    position = 0
    for escape in [*_ISO_2022_ESCAPE.finditer(data), None]:
        chunk = data[position : escape.start() if escape else len(data)]
        pieces.append(_jis_rows(chunk) if is_double else chunk.decode("ascii", "replace"))
        if escape:
            is_double = escape[1].startswith(b"$")
            position = escape.end()
    return "".join(pieces)


def _jis_rows(chunk: bytes) -> str:
    """JIS X 0208 double bytes (7 bit) through their Shift JIS form (RFC 1468; JIS X 0208 annex 1)."""
    shifted = bytearray()
    pairs = chunk.replace(b"\r", b"").replace(b"\n", b"")
    for row, cell in zip(pairs[::2], pairs[1::2], strict=False):
        lead = ((row + 1) >> 1) + (0x70 if row < 0x5F else 0xB0)
        trail = cell + (0x1F + (cell > 0x5F) if row & 1 else 0x7E)
        shifted += bytes((lead & 0xFF, trail & 0xFF))
    return bytes(shifted).decode("cp932", "replace")


# ---- RFC 2047 -----------------------------------------------------------------------------------------------

_ENCODED_WORD = re.compile(
    r"=\?([A-Za-z0-9_.:+()-]{1,60})(?:\*[A-Za-z0-9-]*)?\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*){0,8})\?=",
)
_QUOTED_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})")


def decode_words(value: str) -> str:
    """`value` of an unstructured field or a phrase, its encoded words decoded (RFC 2047), broken ones left as they are.

    White space between neighbouring encoded words is dropped, and their octets are joined before decoding where the
    charset is the same: many senders cut a character in two.
    """
    if "\x1b" in value and value.isascii():
        return decode(value.encode("ascii"), "iso-2022-jp")
    if "=?" not in value:
        return clean(value)
    pieces: list[str] = []
    octets, charset, position = b"", "", 0
    for word in _ENCODED_WORD.finditer(value):
        payload = _WORD_DECODERS[word[2].lower()](word[3])
        gap = value[position : word.start()]
        if charset and payload is not None and not gap.strip():
            if word[1].lower() != charset:
                pieces.append(decode(octets, charset))
                octets = b""
        else:
            pieces += [decode(octets, charset), gap]
            octets = b""
        if payload is None:
            pieces.append(word[0])
            charset = ""
        else:
            octets, charset = octets + payload, word[1].lower()
        position = word.end()
    pieces += [decode(octets, charset), value[position:]]
    return clean("".join(pieces))


def _b_octets(text: str) -> bytes | None:
    packed = re.sub(r"[^A-Za-z0-9+/]", "", text)
    packed = packed[: len(packed) - 1] if len(packed) % 4 == 1 else packed
    try:
        return binascii.a2b_base64(packed + "=" * (-len(packed) % 4))
    except (binascii.Error, ValueError):
        return None


def _q_octets(text: str) -> bytes | None:
    raw = text.replace("_", " ").encode("utf-8", "replace")
    return _QUOTED_OCTET.sub(lambda found: bytes((int(found[1], 16),)), raw)


_WORD_DECODERS: dict[str, Callable[[str], bytes | None]] = {"b": _b_octets, "q": _q_octets}
