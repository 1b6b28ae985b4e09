"""The MIME structure of a mail, built from its octets and bounded while it is built (RFC 2045, 2046; RFC 5322, 4).

Rule: size, depth, number of parts and length of fields are capped inside the parser, so that no mail takes long.
Rule: every part keeps its octets as they were sent; a message inside a mail is opened when somebody asks for it.
Rule: what is plainly not the mail is mended before parsing: mbox lines, CR line ends, junk between fields.
Why an own splitter: a search for boundaries costs a third of email.parser's walk over lines, and sizes and hashes of
what hangs on a mail stay exact. What comes out is an email.message.Message, whose compat32 questions work as ever.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import errors
from email.message import Message
from itertools import islice
from typing import Any

from mailflow.core.message import Defect
from mailflow.reading import headers
from mailflow.reading.transfer import decoded, encoding_name

MAX_SIZE = 40 * 2**20
"""Octets that are read; servers commonly refuse more than 25 to 35 MiB."""
MAX_HEADER = 1_000_000
"""Octets of the header that are looked at before parsing."""
MAX_DEPTH = 40
MAX_PARTS = 1_000


@dataclass(slots=True)
class _Budget:
    """What all parts of a mail have used together."""

    parts: int = 1
    is_too_deep: bool = False
    is_too_many: bool = False


_TYPE = re.compile(r"[\s\"']*([A-Za-z0-9!#$&^_.+*{}|~-]+/[A-Za-z0-9!#$&^_.+*{}|~-]+)")
_POLICY = headers.CappedPolicy()


class Part(Message):
    """A part of a mail and the octets of its body as they were sent. Beyond MAX_DEPTH nothing is a container."""

    _payload: Any

    def __init__(
        self, octets: bytes = b"", budget: _Budget | None = None, depth: int = 0, default_type: str = "text/plain"
    ) -> None:
        super().__init__(_POLICY)
        self.octets = octets
        self.budget = budget or _Budget()
        self.depth = depth
        self.set_default_type(default_type)
        self.mime: dict[str, str] = {}
        """The topmost value of each Content-* field, by its name in lower case."""
        self._known_type = ""
        self._known_encoding: str | None = None
        self._known_parameters: dict[str, str] | None = None
        self._is_opened = False

    def get_content_type(self) -> str:
        if not self._known_type:
            self._known_type = self._content_type()
        return self._known_type

    def get_content_maintype(self) -> str:
        return self.get_content_type().partition("/")[0]

    def _content_type(self) -> str:
        value = self.mime.get("content-type")
        found = _TYPE.match(value) if value is not None else None
        content_type = found[1].lower() if found else self.get_default_type() if value is None else "text/plain"
        if self.depth >= MAX_DEPTH and content_type.startswith(("multipart/", "message/")):
            self.budget.is_too_deep = True
            return "application/octet-stream"
        return content_type

    @property
    def parameters(self) -> dict[str, str]:
        """Of Content-Type; a missing `;` before the first one is forgiven."""
        if self._known_parameters is None:
            value = self.mime.get("content-type", "")
            found = _TYPE.match(value) if "=" in value and ";" not in value else None
            known = headers.parameters(f";{value[found.end() :]}" if found else value) if "=" in value else {}
            self._known_parameters = known
        return self._known_parameters

    @property
    def encoding(self) -> str:
        """Its transfer encoding, careless spellings set right."""
        if self._known_encoding is None:
            self._known_encoding = encoding_name(self.mime.get("content-transfer-encoding", ""))
        return self._known_encoding

    def get_params(self, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Total, as `get_param`; the value before the first `;` comes first, with an empty value, as inherited."""
        value = self.get(header)
        if value is None:
            return failobj
        return [(str(value).partition(";")[0].strip().lower(), ""), *headers.parameters(str(value)).items()]

    def get_param(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Total, where the inherited one raises on mixed RFC 2231 continuations and is quadratic."""
        return headers.parameters(f"{self.get(header, '')}").get(param.lower(), failobj)

    def is_multipart(self) -> bool:
        """Whether parts lie in it; a message inside is opened now."""
        if not self._is_opened:
            self._is_opened = True
            if self._payload is None and self.get_content_maintype() == "message":
                self._payload = _opened(self)
        return isinstance(self._payload, list)

    def get_payload(self, i: Any = None, decode: bool = False) -> Any:
        """As inherited, but the decoding is ours and total; a leaf's octets outside ASCII are U+FFFD in its str."""
        if self.is_multipart():
            return None if decode else self._payload if i is None else self._payload[i]
        if i is not None:
            raise TypeError("a leaf has no part to give")
        return decoded(self.octets, self.encoding) if decode else self.octets.decode("ascii", "replace")


def _opened(part: Part) -> list[Part]:
    """What a message/* part carries: one message, or the groups of fields of a delivery report (RFC 3464, 2.1)."""
    octets = decoded(part.octets, part.encoding)
    if part.get_content_type() != "message/delivery-status":
        return [_part(octets, part.budget, part.depth + 1)]
    groups = re.split(rb"\r?\n\r?\n", octets.strip(b"\r\n"), maxsplit=MAX_PARTS)
    return [_part(group + b"\n", part.budget, part.depth + 1) for group in groups]


def mime_tree(content: bytes) -> tuple[Part, list[Defect]]:
    """The root of `content` and which caps it ran into. Total."""
    root = _part(_mended(content[:MAX_SIZE]), _Budget(), 0)
    budget = root.budget
    is_so = ((budget.is_too_many, _TOO_MANY), (budget.is_too_deep, _TOO_DEEP))
    return root, [defect for is_there, defect in is_so if is_there]


_TOO_MANY = Defect("too_many_parts", f"The mail has more than {MAX_PARTS} parts; the rest was not read.")
_TOO_DEEP = Defect("too_deep", f"Parts nest deeper than {MAX_DEPTH}; what lies deeper was not opened.")


# ---- header and body ----------------------------------------------------------------------------------------

_HEAD = re.compile(rb"(?:(?:[!-9;-~]+:|[ \t])[^\n]*(?:\n|\Z))*")
_BLANK_LINE = (b"\n", b"\r\n")
_STRAY_CR = re.compile(rb"[ \t]*\r(?!\n)[ \t]*")
_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)


def _part(content: bytes, budget: _Budget, depth: int, default_type: str = "text/plain") -> Part:
    end = _head_end(content)
    if end < len(content) and not content.startswith(_BLANK_LINE, end):
        content = _with_mended_header(content)
        end = _head_end(content)
    separator = 2 if content.startswith(b"\r\n", end) else 1 if content.startswith(b"\n", end) else 0
    part = Part(content[end + separator :], budget, depth, default_type)
    if end:
        _read_fields(part, content[:end])
    if not separator and end < len(content):
        part.defects.append(errors.MissingHeaderBodySeparatorDefect())
    if part.get_content_maintype() == "multipart":
        _split(part)
    return part


def _head_end(content: bytes) -> int:
    """Where the lines end that are fields or go on from one."""
    head = _HEAD.match(content)
    return head.end() if head else 0


def _read_fields(part: Part, head: bytes) -> None:
    """The fields of `head`; one CR alone is no line end there (RFC 5322, 2.2) but a space."""
    if b"\r" in head:
        head = _STRAY_CR.sub(b" ", head.replace(b"\r\n", b"\n"))
    text = head.decode("ascii", "surrogateescape")
    if text[0] in " \t":
        part.defects.append(errors.FirstHeaderLineIsContinuationDefect(text.partition("\n")[0]))
    for field in islice(_FIELD.finditer(text), headers.MAX_FIELDS):
        name, value = field[1], field[2]
        if name[:8].lower() == "content-":
            name, value = _POLICY.header_source_parse([field[0]])
            part.mime.setdefault(name.lower(), headers.octets_as_text(value))
        part.set_raw(name, value[: headers.MAX_FIELD])


# ---- parts --------------------------------------------------------------------------------------------------

_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


def _split(part: Part) -> None:
    boundary = part.parameters.get("boundary", "").rstrip()
    if not boundary:
        part.defects.append(errors.NoBoundaryInMultipartDefect())
        return
    if part.encoding not in _PLAIN_ENCODINGS:
        part.defects.append(errors.InvalidMultipartContentTransferEncodingDefect())
    delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
    pieces = [*_pieces(part.octets, delimiter)]
    if not any(pieces):
        pieces = [*_pieces(part.octets, delimiter, anywhere=True)]
    if not any(pieces):
        part.defects.append(errors.StartBoundaryNotFoundDefect())
        return
    if None not in pieces:
        part.defects.append(errors.CloseBoundaryNotFoundDefect())
    _fill(part, iter(pieces), is_inner=False)


def _fill(part: Part, pieces: Iterator[bytes | None], is_inner: bool) -> None:
    """`part` gets its pieces, also those behind a closing line: some clients reuse one boundary on two levels, and
    then the parts behind the inner multipart would be lost."""
    part.set_payload([])
    default_type = "message/rfc822" if part.get_content_type() == "multipart/digest" else "text/plain"
    for piece in pieces:
        if piece is None and is_inner:
            return
        if piece is None:
            continue
        if part.budget.parts >= MAX_PARTS:
            part.budget.is_too_many = True
            return
        part.budget.parts += 1
        child = _part(piece, part.budget, part.depth + 1, default_type)
        part.attach(child)
        if _is_cut_open(child, part):
            child.defects.clear()
            _fill(child, pieces, is_inner=True)


def _is_cut_open(child: Part, parent: Part) -> bool:
    """Whether `child` is a multipart whose parts were taken for its parent's, for the boundary is the same."""
    is_empty = child.get_content_maintype() == "multipart" and not child.is_multipart()
    return is_empty and child.parameters.get("boundary") == parent.parameters.get("boundary")


def _pieces(octets: bytes, delimiter: bytes, *, anywhere: bool = False) -> Iterator[bytes | None]:
    """What stands between the delimiter lines (RFC 2046, 5.1.1); None for each closing line.

    `anywhere`: a delimiter need not begin its line, as where a line end was lost.
    """
    start = -1
    position = octets.find(delimiter)
    while position >= 0:
        end = position + len(delimiter)
        closes = octets.startswith(b"--", end)
        after = _line_end(octets, end + 2, closes) if closes else _line_end(octets, end)
        if after is not None and (anywhere or position == 0 or octets[position - 1] in b"\r\n"):
            if start >= 0 and position > start:
                yield octets[start : _before_line_end(octets, start, position)]
            if closes:
                yield None
            start = -1 if closes else after
            end = after
        position = octets.find(delimiter, end)
    if start >= 0 and octets[start:].rstrip().endswith(delimiter + b"--"):
        yield octets[start : octets.rindex(delimiter)]
        yield None
    elif 0 <= start < len(octets):
        yield octets[start:]


_BOUNDARY_CHARACTER = re.compile(rb"[A-Za-z0-9'()+_,./:=?-]")


def _line_end(octets: bytes, position: int, is_closing: bool = False) -> int | None:
    """Where the next line begins, if from `position` on this one has nothing but blanks; behind a closing delimiter
    also anything that no longer boundary could have."""
    while position < len(octets) and octets[position] in b" \t":
        position += 1
    if octets.startswith(b"\r\n", position):
        return position + 2
    if octets[position : position + 1] in (b"\n", b"\r", b""):
        return min(position + 1, len(octets))
    return position if is_closing and not _BOUNDARY_CHARACTER.match(octets, position) else None


def _before_line_end(octets: bytes, start: int, position: int) -> int:
    """`position` less the line end before it, which belongs to the delimiter."""
    if octets[position - 2 : position] == b"\r\n":
        return max(start, position - 2)
    return max(start, position - 1) if octets[position - 1] in b"\r\n" else position


# ---- mending ------------------------------------------------------------------------------------------------

_MBOX_LINE = re.compile(rb"(?:[ \t]*\r?\n|>?From (?![ \t]*:)[^\n]*\n)+")


def _mended(content: bytes) -> bytes:
    """`content` without what is not the mail (blank lines and mbox `From ` lines before it), line ends made regular."""
    if content[:1] in b"\r\n \t>F" and (lead := _MBOX_LINE.match(content)):
        content = content[lead.end() :]
    if content[:1] in b" \t" and _FIRST_FIELD.match(content.lstrip(b" \t")):
        content = content.lstrip(b" \t")
    if b"\r\r\n" in content:
        content = re.sub(rb"\r+\n", b"\r\n", content)
    if b"\r" in content and b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return content


_HEADER_END = re.compile(rb"\r?\n(?=\r?\n)")
_FIELD_LINE = re.compile(rb"[!-9;-~]+:|[ \t]")
_FIRST_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_SPACED_NAME = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)
_UNFOLDED = re.compile(rb"(;[ \t]*\r?\n)(?=[A-Za-z0-9*-]{1,40}=)")
_KNOWN_FIELD = re.compile(
    rb"^(?:from|to|cc|subject|date|message-id|mime-version|received|return-path|delivered-to|reply-to"
    rb"|content-(?:type|transfer-encoding|disposition|id|description))[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)


def _with_mended_header(content: bytes) -> bytes:
    """Header lines that are no fields are dropped if known fields follow, parameters that lost their indentation get it
    back, `Date :` loses its space (RFC 5322, 4.5). A mailbox file's `From ` line in between goes too."""
    end = _HEADER_END.search(content, 0, MAX_HEADER)
    length = end.end() if end else len(content)
    head = content[:length]
    if length > MAX_HEADER or not _FIRST_FIELD.match(head):
        return content
    mended = _UNFOLDED.sub(rb"\1 ", _SPACED_NAME.sub(rb"\1:", head)).splitlines(keepends=True)
    last = max((number for number, line in enumerate(mended) if _KNOWN_FIELD.match(line)), default=-1)
    kept = [line for number, line in enumerate(mended) if number > last or _FIELD_LINE.match(line)]
    return b"".join(kept) + content[length:]
