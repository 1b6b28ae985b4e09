"""Rich Text as the words in it, and the packing in which Outlook sends it (MS-OXRTFCP, MS-OXRTFEX; RTF 1.9.1). Total.

Why own code: the packages for it are GPL or recurse; a desk needs the words and line ends, not fonts and tables.
"""

import re
from collections.abc import Iterator

from mailflow.reading.charset import clean, decode

MAX_RTF = 1_000_000
"""Octets of unpacked RTF that are looked at."""
_MAX_TOKENS = 200_000
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\"
)
_DESTINATIONS = frozenset(
    "fonttbl colortbl stylesheet info pict object header headerl headerr headerf footer footerl footerr footerf "
    "footnote themedata colorschememapping datastore latentstyles listtable listoverridetable generator xmlnstbl "
    "fldinst mmathPr rsidtbl filetbl".split()
)
"""Groups whose text is no text of the document."""
_WORDS: dict[str, str] = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "cell": " ", "tab": "\t",
    "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}


def rtf_text(data: bytes) -> str:
    """The text of an RTF document; of HTML packed in RTF (`\\fromhtml`) what lies between its tags."""
    pieces: list[str] = []
    octets = bytearray()
    codepage = "cp1252"
    for piece in _pieces(data[:MAX_RTF]):
        if isinstance(piece, bytes):
            octets += piece
            continue
        if octets:
            pieces.append(decode(bytes(octets), codepage))
            octets.clear()
        if piece.startswith("\x00cp"):
            codepage = piece[1:]
        else:
            pieces.append(piece)
    pieces.append(decode(bytes(octets), codepage))
    text = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    lines = (line.rstrip() for line in clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _pieces(data: bytes) -> Iterator[str | bytes]:
    """Text as str, or as octets of the code page, whose name comes as a str that begins with NUL."""
    ignored: list[bool] = []
    is_ignored = is_html_only = False
    skip, unicode_skip = 0, 1
    for _, token in zip(range(_MAX_TOKENS), _TOKEN.finditer(data), strict=False):
        word, number, octet, symbol, brace, text = token.groups()
        if brace == b"{":
            ignored.append(is_ignored)
        elif brace == b"}":
            is_ignored = ignored.pop() if ignored else False
        elif word == b"htmlrtf":
            is_html_only = number != b"0"
        elif symbol == b"*" or (word and word.decode() in _DESTINATIONS):
            is_ignored = True
        elif is_ignored or is_html_only:
            continue
        elif octet or text:
            characters = bytes.fromhex(octet.decode()) if octet else text
            taken = min(skip, len(characters))
            skip -= taken
            yield characters[taken:]
        elif word == b"u":
            skip = unicode_skip
            yield chr(int(number or 0) % 0x10000)
        elif word == b"uc":
            unicode_skip = min(int(number or 1), 8)
        elif word == b"ansicpg":
            yield f"\x00cp{(number or b'1252').decode()}"
        elif word or symbol:
            yield _WORDS.get(word.decode(), "") if word else _SYMBOLS.get(symbol, "")


# ---- LZFu ---------------------------------------------------------------------------------------------------

_KNOWN_RTF = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n"
    b"\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""With what the dictionary begins (MS-OXRTFCP, 2.1.2.1)."""
_WINDOW = 4096


def unpacked(data: bytes) -> bytes:
    """The RTF inside a PidTagRtfCompressed value (MS-OXRTFCP, 2.2); b'' if it is none. At most MAX_RTF octets."""
    kind = data[8:12]
    if kind == b"MELA":
        return data[16 : 16 + min(int.from_bytes(data[4:8], "little"), MAX_RTF)]
    if kind != b"LZFu":
        return b""
    written = bytearray(_KNOWN_RTF)
    at, known = 16, len(_KNOWN_RTF)
    while at < len(data) and len(written) < known + MAX_RTF:
        flags = data[at]
        at += 1
        for bit in range(8):
            if not flags >> bit & 1:
                written += data[at : at + 1]
                at += 1
                continue
            reference = int.from_bytes(data[at : at + 2], "big")
            at += 2
            distance = (len(written) - (reference >> 4)) % _WINDOW
            if distance == 0 or distance > len(written):
                return bytes(written[known:])
            for _ in range((reference & 0xF) + 2):
                written.append(written[-distance])
    return bytes(written[known:])
