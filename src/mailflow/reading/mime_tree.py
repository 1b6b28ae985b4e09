"""The MIME structure of a mail, built from its octets and bounded while it is built (RFC 2045, 2046; RFC 5322, 4).

Rule: depth, number of parts and length of header and fields are capped inside the parser, so that no mail takes long.
Rule: a part is a range of the mail's octets as they were sent, however many: nothing is copied but what is looked at.
A message inside a mail is opened when somebody asks for it.
Rule: what is plainly not the mail is mended before parsing (`mending`).
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
from mailflow.core.octets import Octets
from mailflow.reading import boundaries, headers, mending
from mailflow.reading.transfer import decoded_slices, encoding_name, first_octets, is_plain

MAX_UNPACKED = 8 * 2**20
"""Octets of one part that are in memory to be read; described are all of them."""
MAX_HEADERS = 4 * mending.MAX_HEADER
"""Octets of the headers of all parts together."""
MAX_DEPTH = 40
MAX_PARTS = 1_000


@dataclass(slots=True)
class _Budget:
    """What all parts of a mail have used together."""

    parts: int = 1
    header_octets: int = 0
    unpacked_left: int = MAX_UNPACKED
    """Octets of messages that were not sent as they are."""
    is_too_deep: bool = False
    is_too_many: bool = False


_TYPE = re.compile(r"[\s\"']*([A-Za-z0-9!#$&^_.+*{}|~-]+/[A-Za-z0-9!#$&^_.+*{}|~-]+)")
_POLICY = headers.CappedPolicy()


class Part(Message):
    """A part of a mail, whose body is `source` from `start` to `end`. Beyond MAX_DEPTH nothing is a container."""

    _payload: Any

    def __init__(
        self,
        source: Octets,
        start: int,
        end: int,
        budget: _Budget | None = None,
        depth: int = 0,
        default_type: str = "text/plain",
    ) -> None:
        super().__init__(_POLICY)
        self.source, self.start, self.end = source, start, end
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
    def octets(self) -> bytes:
        """The first MAX_UNPACKED of its octets, as they were sent."""
        return self.source[self.start : min(self.end, self.start + MAX_UNPACKED)]

    def content(self) -> Iterator[bytes]:
        """All of its octets in slices, the transfer encoding undone as far as it goes."""
        return decoded_slices(self.source, self.start, self.end, self.encoding)

    def unpacked(self, length: int = MAX_UNPACKED) -> bytes:
        """The first `length` octets of its content."""
        return first_octets(self.content(), length)

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
        return self.unpacked() if decode else self.octets.decode("ascii", "replace")


def _opened(part: Part) -> list[Part]:
    """What a message/* part carries: one message, or the groups of fields of a delivery report (RFC 3464, 2.1)."""
    if part.get_content_type() == "message/delivery-status":
        groups = re.split(rb"\r?\n\r?\n", _unpacked(part).strip(b"\r\n"), maxsplit=MAX_PARTS)
        return [_part(group + b"\n", 0, len(group) + 1, part.budget, part.depth + 1) for group in groups]
    return [_part(*_inside(part), part.budget, part.depth + 1)]


def _inside(part: Part) -> tuple[Octets, int, int]:
    """Where what it carries lies: in the mail itself, or in what is unpacked now."""
    if is_plain(part.encoding):
        return part.source, part.start, part.end
    octets = _unpacked(part)
    return octets, 0, len(octets)


def _unpacked(part: Part) -> bytes:
    """The content of `part`, which stays in memory, as far as MAX_UNPACKED octets for all of them allow."""
    octets = part.unpacked(part.budget.unpacked_left)
    part.budget.unpacked_left -= len(octets)
    return octets


def reread(part: Part, boundary: str) -> Part:
    """`part` as a multipart that `boundary` delimits, whatever its header says."""
    again = Part(*_inside(part))
    again.mime["content-type"] = f'multipart/mixed; boundary="{boundary}"'
    _split(again, boundary)
    return again


def mime_tree(content: Octets) -> tuple[Part, list[Defect]]:
    """The root of `content` and which caps it ran into. Total."""
    source, start = mending.mended(content)
    root = _part(source, start, len(source), _Budget(), 0)
    budget = root.budget
    is_so = ((budget.is_too_many, _TOO_MANY), (budget.is_too_deep, _TOO_DEEP))
    return root, [defect for is_there, defect in is_so if is_there]


_TOO_MANY = Defect("too_many_parts", f"The mail has over {MAX_PARTS} parts or too long headers; the rest was not read.")
_TOO_DEEP = Defect("too_deep", f"Parts nest deeper than {MAX_DEPTH}; what lies deeper was not opened.")


# ---- header and body ----------------------------------------------------------------------------------------

_STRAY_CR = re.compile(rb"[ \t]*\r(?!\n)[ \t]*")
_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)


def own_parts(tree: Message) -> Iterator[Message]:
    """Every part of this mail itself, not those of messages that it carries."""
    yield tree
    if tree.get_content_maintype() != "message" and tree.is_multipart():
        for part in tree.get_payload():
            if isinstance(part, Message):
                yield from own_parts(part)


def _part(source: Octets, start: int, end: int, budget: _Budget, depth: int, default_type: str = "text/plain") -> Part:
    head, body = mending.header(source, start, end)
    line = source[body : min(body + 2, end)]
    separator = 2 if line == b"\r\n" else 1 if line[:1] == b"\n" else 0
    part = Part(source, body + separator, end, budget, depth, default_type)
    if head:
        budget.header_octets += len(head)
        _read_fields(part, head)
    if not separator and body < end:
        part.defects.append(errors.MissingHeaderBodySeparatorDefect())
    if part.get_content_maintype() == "multipart":
        _split(part, part.parameters.get("boundary", "").rstrip())
    return part


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
_MAX_PIECES = 4 * MAX_PARTS
"""Closing lines of a boundary that two levels share count too."""


def _split(part: Part, boundary: str) -> None:
    if not boundary:
        part.defects.append(errors.NoBoundaryInMultipartDefect())
        return
    if part.encoding not in _PLAIN_ENCODINGS:
        part.defects.append(errors.InvalidMultipartContentTransferEncodingDefect())
    delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
    found = _pieces(part, delimiter, anywhere=False) or _pieces(part, delimiter, anywhere=True)
    if not found:
        part.defects.append(errors.StartBoundaryNotFoundDefect())
        return
    if None not in found and len(found) < _MAX_PIECES:
        part.defects.append(errors.CloseBoundaryNotFoundDefect())
    _fill(part, iter(found), is_inner=False)


def _pieces(part: Part, delimiter: bytes, *, anywhere: bool) -> list[range | None]:
    """As `boundaries.pieces`; [] where nothing but empty ones and closing lines were found."""
    found = boundaries.pieces(part.source, part.start, part.end, delimiter, anywhere=anywhere)
    kept = [*islice(found, _MAX_PIECES)]
    return kept if any(kept) else []


def _fill(part: Part, pieces: Iterator[range | None], is_inner: bool) -> None:
    """`part` gets its pieces, also those behind a closing line: some clients reuse one boundary on two levels, and
    then the parts behind the inner multipart would be lost."""
    part.set_payload([])
    default_type = "message/rfc822" if part.get_content_type() == "multipart/digest" else "text/plain"
    for piece in pieces:
        if piece is None and is_inner:
            return
        if piece is None:
            continue
        if part.budget.parts >= MAX_PARTS or part.budget.header_octets > MAX_HEADERS:
            part.budget.is_too_many = True
            return
        part.budget.parts += 1
        child = _part(part.source, piece.start, piece.stop, part.budget, part.depth + 1, default_type)
        part.attach(child)
        if _is_cut_open(child, part):
            child.defects.clear()
            _fill(child, pieces, is_inner=True)


def _is_cut_open(child: Part, parent: Part) -> bool:
    """Whether `child` is a multipart whose parts were taken for its parent's, for the boundary is the same."""
    is_empty = child.get_content_maintype() == "multipart" and not child.is_multipart()
    return is_empty and child.parameters.get("boundary") == parent.parameters.get("boundary")
