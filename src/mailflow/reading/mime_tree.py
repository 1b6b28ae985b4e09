"""The MIME structure of a mail, bounded while it is built (RFC 2045, 2046; RFC 5322, 4 for obsolete syntax).

Rule: size, depth, number of parts and length of fields are capped inside the parser, so that no mail takes long.
Rule: the parser is the standard library's compat32. Why: `policy.default` takes seconds to minutes on mail that exists
(24 KB of `; ; ;`), and raises on headers that exist.
Rule: what is plainly not the mail is mended before parsing: mbox lines, CR line ends, junk between fields.
"""

import codecs
import re
from dataclasses import dataclass
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Policy
from typing import Any

from mailflow.core.message import Defect
from mailflow.reading import headers

MAX_SIZE = 40 * 2**20
"""Octets that are read; servers commonly refuse more than 25 to 35 MiB."""
MAX_HEADER = 1_000_000
"""Octets of the header that are looked at before parsing."""
MAX_DEPTH = 40
MAX_PARTS = 1_000

_MBOX_LINE = re.compile(rb"(?:[ \t]*\r?\n|>?From (?![ \t]*:)[^\n]*\n)+")


class _TooManyParts(Exception):
    """Ends the parse; what was read so far stays."""


@dataclass(slots=True)
class _Budget:
    """What all parts of a mail have used together."""

    parts: int = 1
    is_too_deep: bool = False


class _CappedMessage(Message):
    """A part that knows how deep it lies. Beyond MAX_DEPTH nothing is a container, beyond MAX_PARTS reading ends."""

    depth: int = 0

    def __init__(self, policy: "Policy[Any]") -> None:
        super().__init__(policy)
        self.budget = _Budget()

    def attach(self, payload: Any) -> None:
        payload.depth = self.depth + 1
        payload.budget = self.budget
        self.budget.parts += 1
        if self.budget.parts > MAX_PARTS:
            raise _TooManyParts
        super().attach(payload)

    def get_content_type(self) -> str:
        content_type = super().get_content_type()
        if self.depth >= MAX_DEPTH and content_type.startswith(("multipart/", "message/")):
            self.budget.is_too_deep = True
            return "application/octet-stream"
        return content_type

    def get_content_maintype(self) -> str:
        return self.get_content_type().partition("/")[0]

    def get_params(self, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Total, as `get_param`; the value before the first `;` comes first, with an empty value, as inherited."""
        value = self.get(header)
        if value is None:
            return failobj
        return [(str(value).partition(";")[0].strip().lower(), ""), *headers.parameters(str(value)).items()]

    def get_param(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Total, where the inherited one raises on mixed RFC 2231 continuations and is quadratic."""
        value = headers.parameters(f"{self.get(header, '')}").get(param.lower(), failobj)
        return failobj if param == "charset" and not _is_charset(value) else value


def _is_charset(name: object) -> bool:
    """Whether the standard library can decode with it and `replace`; it raises on the others."""
    try:
        return isinstance(name, str) and b"\x80".decode(name, "replace") is not None and codecs.lookup(name) is not None
    except (LookupError, ValueError):
        return False


def mime_tree(content: bytes) -> tuple[Message, list[Defect]]:
    """The root of `content` and which caps it ran into. Total."""
    made: list[_CappedMessage] = []

    def part(policy: "Policy[Any]") -> _CappedMessage:
        message = _CappedMessage(policy)
        if not made:
            made.append(message)
        return message

    parser = BytesFeedParser(policy=headers.CappedPolicy(message_factory=part))
    try:
        parser.feed(_mended(content[:MAX_SIZE]))
        root: Message = parser.close()
        too_many = False
    except _TooManyParts:
        root = made[0]
        too_many = True
    too_deep = made[0].budget.is_too_deep
    return root, [defect for is_so, defect in ((too_many, _TOO_MANY), (too_deep, _TOO_DEEP)) if is_so]


_TOO_MANY = Defect("too_many_parts", f"The mail has more than {MAX_PARTS} parts; the rest was not read.")
_TOO_DEEP = Defect("too_deep", f"Parts nest deeper than {MAX_DEPTH}; what lies deeper was not opened.")


def _mended(content: bytes) -> bytes:
    """`content` without what is not the mail (blank lines and mbox `From ` lines before it), line ends made regular."""
    if content[:1] in b"\r\n \t>F" and (lead := _MBOX_LINE.match(content)):
        content = content[lead.end() :]
    if b"\r\r\n" in content:
        content = re.sub(rb"\r+\n", b"\r\n", content)
    if b"\r" in content and b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return _with_mended_header(content)


_HEADER_END = re.compile(rb"\r?\n\r?\n")
_STRAY_CR = re.compile(rb"\r(?!\n)")
_FIELD_LINE = re.compile(rb"[!-9;-~]+:|[ \t]")
_FIRST_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_REGULAR_HEADER = re.compile(rb"(?:(?:[!-9;-~]+:|[ \t])[^\n]*\n)+")
_SPACED_NAME = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)
_KNOWN_FIELD = re.compile(
    rb"^(?:from|to|cc|subject|date|message-id|mime-version|content-type|received|return-path|delivered-to|reply-to)"
    rb"[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)


def _with_mended_header(content: bytes) -> bytes:
    """Header lines that are no fields are dropped if known fields follow; `Date :` loses its space (RFC 5322, 4.5)."""
    end = _HEADER_END.search(content)
    head = content[: end.start() + (2 if end[0][:1] == b"\r" else 1)] if end else content
    length = len(head)
    if length > MAX_HEADER or not _FIRST_FIELD.match(head):
        return content
    if b"\r" in head and b"\n" in head:
        head = _STRAY_CR.sub(b" ", head)
    if _REGULAR_HEADER.fullmatch(head):
        return head + content[length:]
    # A mailbox file's `From ` line inside the header goes too: it is no field.
    mended = _SPACED_NAME.sub(rb"\1:", head).splitlines(keepends=True)
    last = max((number for number, line in enumerate(mended) if _KNOWN_FIELD.match(line)), default=-1)
    kept = [line for number, line in enumerate(mended) if number > last or _FIELD_LINE.match(line)]
    return b"".join(kept) + content[length:]
