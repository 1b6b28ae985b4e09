"""The mail that a report gives back: where it begins, and its Message-ID (RFC 3462, 3464, 6533).

Rule: it comes as a message, as its header alone, as a file, as lines below a heading, or only as a reference in the
report's own header; all are read, in this order, since the nearer to the returned mail the surer.
Rule: a report inside a report is gone into: some relays wrap what they got.
Why the Message-ID and not the address: it names one answer of ours; an address may have had many.
"""

import html
import re
from collections.abc import Iterator
from email.message import Message

from mailflow.core.message import InboundMessage
from mailflow.reading.mime_tree import own_parts
from mailflow.reading.wording import any_of

MAX_IDS = 20
_MAX_TEXT = 64 * 1024
_MAX_DEPTH = 3
"""Reports within reports."""
_HEADER_TYPES = frozenset(
    {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "message/partial"}
)
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global"})

_COPY = re.compile(
    r"^[ \t>]{0,20}[-*=_ ]{0,80}"
    + any_of(
        r"(?:this|below|included|following|here) (?:this line )?is a copy of (?:the|your) (?:original )?(?:message"
        r"|mail)\b.*",
        r"(?:a |the )?(?:copy|header|headers|text|body) of (?:the|your) (?:original )?(?:message|mail)\b.*",
        r"(?:the )?(?:original|returned|unsent|undelivered|rejected|bounced) (?:message|mail)"
        r"(?: headers?| text| body)?(?: (?:is )?(?:as )?(?:follows?|below|attached))?",
        r"(?:message|mail) headers? follows?",
        r"(?:kopie der|ursprüngliche|original-?) ?nachricht(?:enkopfzeilen)?",
        r"(?:message|courrier|en-têtes du message) (?:d['’]origine|original)",
        r"(?:mensaje|messaggio|mensagem) originale?(?: adjunto)?|encabezados de mensajes originales",
        r"元のメール.*|原始邮件.*|원본 메시지.*|исходное сообщение.*",
    )
    + r"[ \t]{0,9}[:.]?[ \t]{0,9}[-*=_ ]{0,80}$",
    re.IGNORECASE | re.MULTILINE,
)
_FIRST_FIELD = re.compile(
    r"^[> \t]*(?:Received|Return-Path|X-Received|DKIM-Signature)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_NAMED = re.compile(
    r"^[> \t]{0,20}(?:X-)?(?:Original-)?Message-ID[ \t]*:\s{0,9}<?([^<>\s]+)", re.IGNORECASE | re.MULTILINE
)
_TAG = re.compile(r"</?[a-z][^<>@]{0,200}>", re.IGNORECASE)
_BRACKETED = re.compile(r"<([^<>\s]+)>")


def carried(part: Message) -> Message | None:
    """The message that `part` carries."""
    inner = part.get_payload(0) if part.is_multipart() and part.get_content_type() in _MESSAGE_TYPES else None
    return inner if isinstance(inner, Message) else None


def carried_report(tree: Message) -> Message | None:
    """A report that this report gives back."""
    for part in own_parts(tree):
        inner = carried(part)
        if inner is not None and inner.get_content_type() == "multipart/report":
            return inner
    return None


def part_text(part: Message) -> str:
    """The text of a leaf, or of a part that the parser took for a message or for groups of fields."""
    if part.is_multipart():
        return "\n\n".join(_block(inner) for inner in part.get_payload() if isinstance(inner, Message))
    payload = part.get_payload(decode=True)
    return payload[:_MAX_TEXT].decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _block(part: Message) -> str:
    return "\n".join(f"{name}: {value}" for name, value in part.items()) + "\n\n" + part_text(part)


def before_copy(text: str) -> str:
    """What the server itself says: `text` without the mail that it gives back."""
    starts = [found.start() for found in (_COPY.search(text), _FIRST_FIELD.search(text)) if found]
    return text[: min(starts)] if starts else text


def has_copy(text: str) -> bool:
    return len(before_copy(text)) < len(text)


def message_ids(tree: Message, message: InboundMessage) -> tuple[str, ...]:
    """Message-IDs of the mails that the report `message` gives back, the surest first; `tree` is its MIME structure."""
    found = dict.fromkeys(_ids(tree, 0))
    found |= dict.fromkeys(_NAMED.findall(message.text[:_MAX_TEXT]))
    found |= dict.fromkeys((*message.in_reply_to, *message.references[-1:]))
    return tuple(one for one in found if "@" in one and one != message.message_id)[:MAX_IDS]


def _ids(tree: Message, depth: int) -> Iterator[str]:
    parts = list(own_parts(tree))
    for part in parts:
        inner = carried(part)
        if inner is None:
            continue
        if inner.get_content_type() == "multipart/report" and depth < _MAX_DEPTH:
            yield from _ids(inner, depth + 1)
        yield from _BRACKETED.findall(f"{inner.get('Message-ID', '')}")
    for part in sorted(parts[1:], key=lambda part: part.get_content_type() not in _HEADER_TYPES):
        yield from _BRACKETED.findall(f"{part.get('Message-ID', '')}")
    for part in sorted(parts, key=lambda part: part.get_content_type() not in _HEADER_TYPES):
        if carried(part) is None and part.get_content_maintype() != "multipart":
            yield from _NAMED.findall(_readable(part))


def _readable(part: Message) -> str:
    text = part_text(part)
    return _TAG.sub("", html.unescape(_TAG.sub("", text))) if part.get_content_type() == "text/html" else text
