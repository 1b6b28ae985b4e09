"""Bytes of a mail to an InboundMessage (RFC 5322). Total: whatever the bytes are, there is a value, and `defects` say what was wrong.

Rule: size, depth, number of parts and fields are capped while the parser runs, so that no mail takes long.
Rule: the parser is the standard library's compat32. Why: `policy.default` takes seconds to minutes on mail that exists,
and raises on headers that exist. mail-parser reads addresses and dates, see `headers`.
"""

import hashlib
import re
from email.errors import MessageDefect
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Policy
from typing import Any

from mailflow.core.message import Address, Defect, InboundMessage
from mailflow.reading import headers, language, new_text
from mailflow.reading.body import read_body

MAX_SIZE = 40 * 2**20
"""Octets that are read; servers commonly refuse more than 25 to 35 MiB."""
MAX_HEADER = 1_000_000
"""Octets of the header that are looked at before parsing."""
MAX_DEPTH = 40
MAX_PARTS = 1_000

_MBOX_LINE = re.compile(rb"(?:[ \t]*\r?\n|>?From [^\n]*\n)+")
_FORWARD_PREFIX = re.compile(r"^\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|wg|tr|rv|enc|i|doorst|vs|vb|pd|fs|ynt|转发|轉寄|転送|전달)\s*:", re.IGNORECASE)


class _TooManyParts(Exception):
    """Ends the parse; what was read so far stays."""


class _CappedMessage(Message):
    """A part that knows how deep it lies. Beyond MAX_DEPTH nothing counts as a container, beyond MAX_PARTS reading ends."""

    depth: int = 0
    parts: list[int]

    def __init__(self, policy: "Policy[Any]") -> None:
        super().__init__(policy)
        self.parts = [1]

    def attach(self, payload: Any) -> None:
        payload.depth = self.depth + 1
        payload.parts = self.parts
        self.parts[0] += 1
        if self.parts[0] > MAX_PARTS:
            raise _TooManyParts
        super().attach(payload)

    def get_content_type(self) -> str:
        content_type = super().get_content_type()
        if self.depth >= MAX_DEPTH and content_type.startswith(("multipart/", "message/")):
            return "application/octet-stream"
        return content_type

    def get_content_maintype(self) -> str:
        return self.get_content_type().partition("/")[0]

    def get_param(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Total, where the inherited one raises on mixed RFC 2231 continuations and is quadratic."""
        return headers.parameters(f"{self.get(header, '')}").get(param.lower(), failobj)


def message_tree(content: bytes) -> Message:
    """The MIME structure that `parse` reads: compat32, capped, raw 8-bit fields as text. Total."""
    return _tree(content)[0]


def _tree(content: bytes) -> tuple[Message, list[Defect]]:
    made: list[_CappedMessage] = []

    def part(policy: "Policy[Any]") -> _CappedMessage:
        message = _CappedMessage(policy)
        if not made:
            made.append(message)
        return message

    parser = BytesFeedParser(policy=headers.CappedPolicy(message_factory=part))
    try:
        parser.feed(_mended(content[:MAX_SIZE]))
        return parser.close(), []
    except _TooManyParts:
        return made[0], [Defect("too_many_parts", f"The mail has more than {MAX_PARTS} parts; the rest was not read.")]


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
_FIELD_LINE = re.compile(rb"[!-9;-~]+:|[ \t]|From ")
_SPACED_NAME = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)
_KNOWN_FIELD = re.compile(
    rb"^(?:from|to|cc|subject|date|message-id|mime-version|content-type|received|return-path|delivered-to|reply-to)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)


def _with_mended_header(content: bytes) -> bytes:
    """Lines of the header that are no fields are dropped if known fields follow them; `Date :` loses its space (RFC 5322, 4.5)."""
    end = _HEADER_END.search(content)
    head = content[: end.start() + 1] if end else content
    if len(head) > MAX_HEADER:
        return content
    lines = head.splitlines(keepends=True)
    if all(_FIELD_LINE.match(line) for line in lines):
        return content
    mended = _SPACED_NAME.sub(rb"\1:", head).splitlines(keepends=True)
    last = max((number for number, line in enumerate(mended) if _KNOWN_FIELD.match(line)), default=-1)
    kept = [line for number, line in enumerate(mended) if number > last or _FIELD_LINE.match(line)]
    return b"".join(kept) + content[len(head) :]


def parse(content: bytes, *, size: int | None = None) -> InboundMessage:
    """What `content` says. `size`: octets on the server, where `content` is only the start of it."""
    tree, defects = _tree(content)
    fields = headers.fields(tree)
    raw = _raw_fields(tree)
    body = read_body(tree)
    subject = next((value for name, value in fields if name.lower() == "subject"), "")
    parts = new_text.split(body.text, body.quoted, is_forward=_FORWARD_PREFIX.match(subject) is not None)
    content_text = "\n".join(body.text[span.start : span.end] for span in parts.content)
    from_, sender_defects = _sender(raw)
    date, date_defects = _date(raw)
    ids = headers.message_ids(raw.get("message-id", ()))
    if not ids:
        defects.append(Defect("no_message_id", "The mail has no Message-ID; one was made from its bytes."))
    return InboundMessage(
        message_id=ids[0] if ids else f"gen-{hashlib.sha256(content).hexdigest()}@mailflow.invalid",
        from_=from_,
        reply_to=headers.addresses(raw.get("reply-to", ())),
        return_path=headers.return_path(raw.get("return-path", ())),
        to=headers.addresses(raw.get("to", ())),
        cc=headers.addresses(raw.get("cc", ())),
        subject=subject,
        date=date,
        in_reply_to=headers.message_ids(raw.get("in-reply-to", ())),
        references=headers.message_ids(raw.get("references", ())),
        text=body.text,
        new_spans=parts.new,
        content_spans=parts.content,
        attachments=body.attachments,
        language=language.detect(content_text),
        headers=fields,
        defects=_all_defects(content, size, tree, [*defects, *sender_defects, *date_defects, *body.defects]),
    )


def _raw_fields(tree: Message) -> dict[str, list[str]]:
    """Undecoded values by name in lower case, topmost first."""
    raw: dict[str, list[str]] = {}
    for name, value in tree.items()[: headers.MAX_FIELDS]:
        raw.setdefault(name.lower(), []).append(str(value))
    return raw


def _sender(raw: dict[str, list[str]]) -> tuple[Address | None, list[Defect]]:
    senders = headers.addresses(raw.get("from", ()))
    if senders:
        extra = [Defect("many_senders", "From names more than one address; the first was taken.")] if len(senders) > 1 else []
        return senders[0], extra
    stand_in = headers.addresses(raw.get("sender", ()))
    return (stand_in[0] if stand_in else None), [Defect("no_from", "From names no address that can be read.")]


def _date(raw: dict[str, list[str]]) -> tuple[Any, list[Defect]]:
    for value in raw.get("date", ()):
        moment = headers.date_time(value)
        if moment is not None:
            return moment, []
    return None, [Defect("no_date", "Date is missing or names no moment.")]


_SENTENCES: dict[str, tuple[str, str]] = {
    "NoBoundaryInMultipartDefect": ("no_boundary", "A multipart names no boundary."),
    "StartBoundaryNotFoundDefect": ("no_start_boundary", "The first boundary of a multipart is missing."),
    "CloseBoundaryNotFoundDefect": ("no_close_boundary", "The last boundary of a multipart is missing: the mail may be cut off."),
    "MissingHeaderBodySeparatorDefect": ("no_separator", "The header ends without a blank line."),
    "FirstHeaderLineIsContinuationDefect": ("first_line_folded", "The first header line is a continuation of nothing."),
    "MisplacedEnvelopeHeaderDefect": ("misplaced_from_line", "An mbox `From ` line stands inside the header."),
    "MultipartInvariantViolationDefect": ("broken_multipart", "A multipart has no parts."),
    "InvalidMultipartContentTransferEncodingDefect": ("encoded_multipart", "A multipart claims to be base64 or quoted-printable."),
}


def _all_defects(content: bytes, size: int | None, tree: Message, known: list[Defect]) -> tuple[Defect, ...]:
    found = {defect.code: defect for defect in known}
    if size is not None and size > len(content):
        found["truncated"] = Defect("truncated", f"Only {len(content)} of {size} octets were fetched.")
    if len(content) > MAX_SIZE:
        found["too_large"] = Defect("too_large", f"Only {MAX_SIZE} of {len(content)} octets were read.")
    for part in tree.walk():
        for defect in part.defects:
            code, sentence = _sentence(defect)
            found.setdefault(code, Defect(code, sentence))
    return tuple(found.values())


def _sentence(defect: MessageDefect) -> tuple[str, str]:
    name = type(defect).__name__
    return _SENTENCES.get(name, (re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Defect")).lower(), f"{name}."))
