"""Whom a report did not reach, where it says so in words alone: the last resort of bounces.

Rule: only what stands before the returned mail is read, and of that only addresses that the words or their place at
the beginning of a line mark as recipients; the sender's own address and the server's are never recipients that failed.
Rule: the recipient of the returned mail is taken if the words name none and it has but one.
Rule: a failure is for good unless the report says that the server goes on trying, or gives temporary codes alone.
"""

import re
from collections.abc import Iterable
from email.message import Message

from mailflow.core.message import FailedRecipient, InboundMessage
from mailflow.reading import bounce_words
from mailflow.reading.delivery_report import LONGEST_DIAGNOSTIC
from mailflow.reading.mime_tree import own_parts
from mailflow.reading.returned_mail import before_copy, carried, has_copy
from mailflow.reading.wording import any_of, one_line

_MAX_TEXT = 32 * 1024
_MAX_LINE = 998
"""RFC 5322, 2.1.1."""
_MAX_RECIPIENTS = 50
_AFTER = 600
"""Characters behind an address in which the reason is looked for."""

_ADDRESS = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}"
_LEADING = re.compile(rf"[\s>*•.-]*(?:\d+\.\s*)?[<\"'(\[]*({_ADDRESS})(?!\S*@)", re.IGNORECASE)
_MARKED = re.compile(
    any_of(
        r"rcpt to",
        r"(?:failed |original |final )?recipients?(?: e-?mail)?(?: address)?(?:es)?(?: returned permanent errors)?",
        r"addressed to",
        r"(?:deliver(?:ed|ing|y|able)?|send|sent|sending)(?: (?:your|the|a|this))?(?: (?:mail|message|e-?mail))?"
        r"(?: (?:mail|message))? to(?: (?:the following|recipient))?",
        r"(?:mail|message)(?: \S+){0,2} to",
        r"(?:unknown|invalid|no such) (?:user|recipient|address|mailbox)",
        r"empfänger|destinataire|destinatario|destinatário|収件人|收件人|받는 ?사람|宛先|получател\w+",
    )
    + rf"\s*[:：]?\s*[<\"'(（]*({_ADDRESS})",
    re.IGNORECASE,
)
_ANY = re.compile(_ADDRESS, re.IGNORECASE)
_NO_RECIPIENT = re.compile(
    r"^\s*(?:from|sender|original sender|reply-to|mail from|message-?(?:id|name)|return-path|von|de|発信"
    r"|差出)\b\s*[:：]?",
    re.IGNORECASE,
)
_REPLY_CODE = re.compile(r"\b[45][0-5]\d[ -]{1,3}(?=[\w<#*\"'])")
_PERMANENT_CODE = re.compile(r"\b5\d\d[ -]|\b5\.\d{1,3}\.\d{1,3}\b")
_TEMPORARY_CODE = re.compile(r"\b4\d\d[ -]|\b4\.\d{1,3}\.\d{1,3}\b")
_HEADING = re.compile(r"(?:for )?(?:the )?(?:following )?(?:reasons?|because)(?: (?:being|given))?", re.IGNORECASE)
_NO_REASON = re.compile(r"(?:subject|from|sent|date|to|size|betreff|an|message)\s*:", re.IGNORECASE)
_TO = re.compile(rf"^[> \t]*To[ \t]*:[^\n]{{0,200}}?({_ADDRESS})[^\n@]{{0,100}}$", re.IGNORECASE | re.MULTILINE)


def own_addresses(message: InboundMessage) -> frozenset[str]:
    """Addresses of the report itself, lower case: its sender, and whom it was sent to."""
    fields = (*message.header_values("Delivered-To"), *message.header_values("Envelope-To"))
    stated = {one.addr_spec for one in (*message.to, *message.cc, *message.reply_to, message.from_) if one}
    return frozenset(one.lower() for one in stated | {found for field in fields for found in _ANY.findall(field)})


def in_header(message: InboundMessage) -> tuple[str, ...]:
    """The addresses of X-Failed-Recipients, which Exim and Gmail write."""
    return tuple(
        dict.fromkeys(one for value in message.header_values("X-Failed-Recipients") for one in _ANY.findall(value))
    )


def in_words(message: InboundMessage, tree: Message) -> tuple[str, ...]:
    """The addresses that the text marks as not reached, else the only recipient of the returned mail."""
    own = own_addresses(message)
    lines = before_copy(message.text[:_MAX_TEXT]).splitlines()
    found = dict.fromkeys(one for line in lines for one in _of_line(line[:_MAX_LINE]) if _is_foreign(one, own))
    return tuple(found)[:_MAX_RECIPIENTS] or _returned_to(message, tree, own)


def _of_line(line: str) -> Iterable[str]:
    if "@" not in line or _NO_RECIPIENT.match(line):
        return ()
    leading = _LEADING.match(line)
    if leading:
        return (leading[1],)
    marked = _MARKED.findall(line)
    if marked:
        return marked
    return _ANY.findall(line) if bounce_words.REFUSAL.search(line) or bounce_words.TEXT.search(line) else ()


def _is_foreign(address: str, own: frozenset[str]) -> bool:
    return address.lower() not in own and not bounce_words.DAEMON_LOCALS.fullmatch(address.partition("@")[0])


def _returned_to(message: InboundMessage, tree: Message, own: frozenset[str]) -> tuple[str, ...]:
    inner = (carried(part) for part in own_parts(tree))
    fields = [f"To: {one.get('To', '')}" for one in inner if one is not None] or [message.text[:_MAX_TEXT]]
    found = {one.lower(): one for field in fields for one in _TO.findall(field) if _is_foreign(one, own)}
    return tuple(found.values()) if len(found) == 1 else ()


def failed(address: str, message: InboundMessage, *, is_permanent: bool) -> FailedRecipient:
    return FailedRecipient(address, is_permanent, _reason(address, message))


def is_permanent(message: InboundMessage) -> bool:
    """Whether the words, or the reply codes alone (RFC 5321, 4.2.1), say that the server has given up."""
    flat = _said(message)
    is_temporary = _TEMPORARY_CODE.search(flat) and not _PERMANENT_CODE.search(flat) and not has_copy(message.text)
    return not is_still_tried(message) and (not is_temporary or bounce_words.GIVEN_UP.search(flat) is not None)


def is_still_tried(message: InboundMessage) -> bool:
    """Whether the words say that the server goes on trying."""
    flat = _said(message)
    return bounce_words.STILL_TRYING.search(flat) is not None and not bounce_words.GIVEN_UP.search(flat)


def _said(message: InboundMessage) -> str:
    return " ".join((f"{message.subject}\n{before_copy(message.text[:_MAX_TEXT])}").split())


def _reason(address: str, message: InboundMessage) -> str:
    """What the text says of the address: the server's reply behind it, else the words there, else any refusal."""
    said = before_copy(message.text[:_MAX_TEXT])
    behind = [said[found.end() :][:_AFTER] for found in re.finditer(re.escape(address), said, re.IGNORECASE)]
    for words in behind:
        code = _REPLY_CODE.search(words)
        if code:
            return one_line(words[code.start() :].partition("\n\n")[0], LONGEST_DIAGNOSTIC)
    own_words = _paragraph(behind[-1]) if behind else ""
    if own_words:
        return own_words
    refusal = next((line for line in said.splitlines() if bounce_words.REFUSAL.search(line)), "")
    return one_line(refusal, LONGEST_DIAGNOSTIC)


def _paragraph(words: str) -> str:
    """The first paragraph that says something; a heading (`because:`) is no reason, a header field neither."""
    paragraphs = [one.lstrip(" >\"'):;.,-=*\t\r\n") for one in words.split("\n\n")]
    reason = next(
        (one for one in paragraphs if re.search(r"\w{2}", one) and not _HEADING.fullmatch(one.rstrip(" :.\n"))), ""
    )
    return "" if _NO_REASON.match(reason) else one_line(reason, LONGEST_DIAGNOSTIC)
