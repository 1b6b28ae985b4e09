"""Who made a mail: a person, an automaton that answers, one that tells, a list, a mail server, or we ourselves.

Order (the first that applies wins): own, bounce, auto_replied, auto_generated, list, human.
Rule: only what is human may be answered by itself (D5; RFC 3834, 2). The evidence is the field or rule that matched.
Rule: `Auto-Submitted: no` is a person; it also silences the weak signs (words of the subject and the text, the name of
the address), which people produce by accident.
Why: RFC 3834, 5 defines the word for exactly this, and desks that read it as a sign of automation lose such mail.
Rule: every sign of the header is a row of a table (`origin_headers`), every word of one, too (`origin_words`).
Rule: an answer to an invitation (RFC 5546) is its calendar's, not a person's mail, unless words of a question stand in
it; a cancellation tells. Why an invitation is a person's: somebody chose the time, wrote the line and wants an answer,
and no calendar answers a mail, so nothing can loop.
Why the desk's own list is no list: a shared mailbox is often a group, and then all of its mail carries List-Id. Where
the group wrote itself into From, a list it is: whom an answer would reach is then a matter for a person.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from mailflow.core.message import InboundMessage, Origin, OriginKind
from mailflow.core.octets import Octets
from mailflow.core.reply import LOOP_HEADER
from mailflow.reading import bounce, origin_words
from mailflow.reading.charset import clean
from mailflow.reading.origin_headers import CAMPAIGN_FIELDS, LIST_FIELDS, auto_submitted, header_signs
from mailflow.reading.sender import Desk
from mailflow.reading.wording import one_line

_LONGEST_EVIDENCE = 200
_HEAD_OCTETS = 256 * 1024

_Found = tuple[OriginKind, str]


def detect(message: InboundMessage, content: Octets, desk: Desk) -> Origin:
    """The origin of `message`. `content` is the raw mail; it is parsed again only if the header suggests a bounce."""
    own = _own(message, desk)
    if own:
        return _origin(OriginKind.OWN, own)
    failure = bounce.read(message, content)
    if failure:
        return _origin(OriginKind.BOUNCE, failure.evidence, failure)
    found = min(_signs(message, content, desk), key=lambda sign: _RANK[sign[0]], default=None)
    return _origin(*found) if found else _origin(OriginKind.HUMAN, "no sign of an automaton")


_RANK = {OriginKind.AUTO_REPLIED: 0, OriginKind.AUTO_GENERATED: 1, OriginKind.LIST: 2}


def _origin(kind: OriginKind, evidence: str, failure: bounce.Bounce | None = None) -> Origin:
    shown = one_line(evidence, _LONGEST_EVIDENCE)
    if failure is None:
        return Origin(kind, shown)
    failed = tuple(replace(one, addr_spec=clean(one.addr_spec)) for one in failure.failed)
    return Origin(kind, shown, failed, tuple(map(clean, failure.returned_message_ids)))


def _signs(message: InboundMessage, content: Octets, desk: Desk) -> Iterator[_Found]:
    is_own_list = _is_own_list(message, desk)
    on_list = () if is_own_list else tuple(_list_signs(message))
    yield from on_list
    yield from _rewritten_signs(message, desk)
    yield from header_signs(message, is_list=is_own_list or bool(on_list))
    yield from _report_signs(message)
    yield from _calendar_signs(message, content)
    yield from _campaign_signs(message)
    if auto_submitted(message) != "no":
        yield from origin_words.signs(message)


# ---- our own mail -------------------------------------------------------------------------------------------

_OWN_ID = re.compile(r"mf\.\d{1,19}\.[a-z2-7]{16}\.[^@\s]+@(\S+)")


def _own(message: InboundMessage, desk: Desk) -> str:
    """The evidence that we sent it, '' if we did not."""
    if message.header_values(LOOP_HEADER):
        return f"{LOOP_HEADER}: {message.header(LOOP_HEADER)}"
    if message.from_ and _is_from_desk(message, desk) and not _is_rewritten(message, desk):
        return f"From: {message.from_.addr_spec}"
    submitter = message.header("Sender").lower()
    if not message.header("List-Id") and any(_names(submitter, address) for address in desk.addresses):
        return f"Sender: {message.header('Sender')}"
    own_id = _OWN_ID.fullmatch(message.message_id)
    our_domains = desk.own_domains | {address.rpartition("@")[2] for address in desk.addresses}
    return f"Message-ID: <{message.message_id}>" if own_id and own_id[1].lower() in our_domains else ""


_REWRITTEN = "X-Original-From"


def _is_from_desk(message: InboundMessage, desk: Desk) -> bool:
    return message.from_ is not None and message.from_.addr_spec.lower() in desk.addresses


def _is_rewritten(message: InboundMessage, desk: Desk) -> bool:
    """Whether the desk's own group took in a mail of somebody else, whom it names."""
    written_by = message.header(_REWRITTEN).lower()
    return "@" in written_by and not any(_names(written_by, address) for address in desk.addresses)


def _names(field: str, addr_spec: str) -> bool:
    return re.search(rf"(?<![^\s<,;]){re.escape(addr_spec)}(?![^\s>,;])", field) is not None


# ---- lists and campaigns ------------------------------------------------------------------------------------


def _is_own_list(message: InboundMessage, desk: Desk) -> bool:
    list_id = message.header("List-Id").lower()
    return any(f"<{address.replace('@', '.')}>" in list_id for address in desk.addresses)


def _list_signs(message: InboundMessage) -> Iterator[_Found]:
    for name, value in message.headers:
        if LIST_FIELDS.fullmatch(name) and value.strip():
            yield OriginKind.LIST, f"{name}: {value}"


def _rewritten_signs(message: InboundMessage, desk: Desk) -> Iterator[_Found]:
    """A group put its own address in place of the sender's, whose domain lets nobody else send (RFC 7960, 4.1.3)."""
    if _is_from_desk(message, desk):
        yield OriginKind.LIST, f"{_REWRITTEN}: {message.header(_REWRITTEN)}"


def _campaign_signs(message: InboundMessage) -> Iterator[_Found]:
    """Newsletters: a one-to-many service sent it (RFC 2369 and the service's own field)."""
    if message.header_values("List-Unsubscribe"):
        for name, value in message.headers:
            if CAMPAIGN_FIELDS.fullmatch(name):
                yield OriginKind.AUTO_GENERATED, f"{name}: {value}"


# ---- reports and calendars ----------------------------------------------------------------------------------

_REPORT_PARTS = {
    "message/disposition-notification": OriginKind.AUTO_REPLIED,
    "message/global-disposition-notification": OriginKind.AUTO_REPLIED,
    "message/feedback-report": OriginKind.AUTO_GENERATED,
}
"""RFC 8098, 6533, 5965."""


def _report_signs(message: InboundMessage) -> Iterator[_Found]:
    kind = bounce.report_type(message)
    if kind:
        replied = kind == "disposition-notification"
        evidence = f"Content-Type: multipart/report; report-type={kind}"
        yield (OriginKind.AUTO_REPLIED if replied else OriginKind.AUTO_GENERATED), evidence
    for attachment in message.attachments:
        if attachment.content_type in _REPORT_PARTS and not origin_words.is_forward(message):
            yield _REPORT_PARTS[attachment.content_type], f"a part of the type {attachment.content_type}"


_CALENDAR = re.compile(
    rb"^content-type:[ \t]*text/calendar(?:[^\n]|\n[ \t])*?method=\"?(reply|counter|declinecounter|refresh|cancel)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _calendar_signs(message: InboundMessage, content: Octets) -> Iterator[_Found]:
    found = _CALENDAR.search(content[:_HEAD_OCTETS])
    if found is None or any(attachment.content_type == "message/rfc822" for attachment in message.attachments):
        return
    method = found[1].decode("ascii").upper()
    evidence = f"Content-Type: text/calendar; method={method}"
    if method == "CANCEL":
        yield OriginKind.AUTO_GENERATED, evidence
    elif not origin_words.has_question(message):
        yield OriginKind.AUTO_REPLIED, evidence
