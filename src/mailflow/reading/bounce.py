"""Reports that a mail of somebody could not be delivered, or not yet: who was not reached, and which mail it was.

Order: cheap signals of the header gate all; then the report of RFC 3464, X-Failed-Recipients, flufl.bounce, and where
the signals alone are enough, the words of the text.
Rule: a body is parsed again only for suspects.
Rule: flufl.bounce sees the header and the first 64 KB, and if it raises, the others decide alone.
Why: flufl.bounce reads every line of an attachment (seconds a megabyte), it raises on some trees, and one of its
detectors takes Japanese and Korean text for addresses; so it is asked only where two points already speak for a bounce,
and what it finds is believed only of addresses that are neither the report's own nor a Message-ID.
Rule: a report that says only `delivered` is no bounce, nor is one of a mail that a person forwards.
Rule: what lies inside a forwarded message says nothing about the mail that carries it.
"""

import re
from dataclasses import dataclass
from email.message import Message

from flufl.bounce import all_failures

from mailflow.core.message import FailedRecipient, InboundMessage
from mailflow.core.octets import Octets
from mailflow.reading import bounce_words, delivery_report, failed_text, machine_senders, returned_mail
from mailflow.reading.delivery_report import Fate, Reported
from mailflow.reading.parse import message_tree

FLUFL_OCTETS = 64 * 1024
TREE_OCTETS = 1024 * 1024
"""How much of a suspect is parsed again; reports stand before the returned mail."""
ASK_FLUFL = 2
ENOUGH = 3
"""Points from which on signals alone make a bounce."""
_LONGEST_LINE = 998
"""RFC 5322, 2.1.1."""
_BODY_HEAD = 4_000
_OPENING, _OPENING_LINES = 600, 3
"""Characters and lines of a text in which reports say what they are."""
_NOBODY = "MAILER-DAEMON@localhost.invalid"


@dataclass(frozen=True, slots=True)
class Bounce:
    evidence: str
    failed: tuple[FailedRecipient, ...] = ()
    returned_message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    points: int
    evidence: str


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A mail that may be a bounce, in the forms in which its readers want it."""

    message: InboundMessage
    content: bytes
    tree: Message
    returned_message_ids: tuple[str, ...]


def read(message: InboundMessage, content: Octets) -> Bounce | None:
    """The bounce that this mail is, or None. `content` is the raw mail."""
    signals = header_signals(message)
    if _points(signals) < 1 or not _may_bounce(message):
        return None
    start = content[:TREE_OCTETS]
    tree = message_tree(start)
    reported = _reported(message, tree)
    if reported and all(one.fate is Fate.ARRIVED for one in reported):
        return None
    suspect = _Suspect(message, start, tree, returned_mail.message_ids(tree, message))
    failed, evidence = _failed(suspect, reported, signals + body_signals(message.new_text))
    return Bounce(evidence, failed, suspect.returned_message_ids) if evidence else None


def _reported(message: InboundMessage, tree: Message) -> tuple[Reported, ...]:
    """The recipients that the report names, else those of a report that it gives back."""
    inner = returned_mail.carried_report(tree) if is_daemon(message) else None
    found = delivery_report.reported(tree, in_words=is_daemon(message) or has_null_path(message))
    return found or (delivery_report.reported(inner, in_words=False) if inner is not None else ())


def _failed(
    suspect: _Suspect, reported: tuple[Reported, ...], signals: tuple[Signal, ...]
) -> tuple[tuple[FailedRecipient, ...], str]:
    """The recipients that were not reached and what proves it; the proof is '' where there is none."""
    failed = tuple(
        FailedRecipient(one.addr_spec, one.fate is Fate.FAILED, one.diagnostic)
        for one in reported
        if one.fate is not Fate.ARRIVED
    )
    if failed:
        return failed, "delivery report (RFC 3464)"
    points = _points(signals)
    strongest = max(signals, key=lambda signal: signal.points).evidence
    stated = failed_text.in_header(suspect.message) if points >= ENOUGH else ()
    if stated:
        return _in_words(stated, suspect.message), strongest
    failed = _from_flufl(suspect) if points >= ASK_FLUFL else ()
    if failed:
        return failed, "flufl.bounce found a failed recipient"
    if points < ENOUGH:
        return (), ""
    return _in_words(failed_text.in_words(suspect.message, suspect.tree), suspect.message), strongest


def _in_words(addresses: tuple[str, ...], message: InboundMessage) -> tuple[FailedRecipient, ...]:
    is_permanent = failed_text.is_permanent(message)
    return tuple(failed_text.failed(one, message, is_permanent=is_permanent) for one in addresses)


def _points(signals: tuple[Signal, ...]) -> int:
    return sum(signal.points for signal in signals)


def _is_by_server(message: InboundMessage) -> bool:
    """Whether something else than words speaks for a report; people quote reports, under the subjects of reports."""
    return (
        is_daemon(message)
        or has_null_path(message)
        or bool(report_type(message))
        or any(message.header_values(name) for name in _SERVER_FIELDS)
        or _has_status_part(message)
        or machine_senders.is_machine(message)
    )


def _opens_as_server(message: InboundMessage) -> bool:
    """Whether one of the first lines speaks as reports do, and nothing is asked; people say first what they want."""
    head = message.text[:_OPENING]
    lines = [line.strip() for line in head.splitlines() if re.search(r"\w", line)][:_OPENING_LINES]
    flat = " ".join(head.split())
    starts = (flat.find(line[:20]) for line in lines)
    return "?" not in flat and any(bounce_words.OPENING.match(flat, max(start, 0)) for start in starts)


def _has_status_part(message: InboundMessage) -> bool:
    return any(delivery_report.is_status_type(one.content_type) for one in message.attachments)


_NDR = "X-MS-Exchange-Message-Is-Ndr"
_SERVER_FIELDS = ("X-Failed-Recipients", _NDR, "X-DSNContext")


def _may_bounce(message: InboundMessage) -> bool:
    """Reports of other types (feedback, TLS) are none; but a filter may refuse by a receipt (RFC 5429, 2.2)."""
    kind = report_type(message)
    is_kind = kind in ("", "delivery-status") or (kind == "disposition-notification" and is_daemon(message))
    return is_kind and not _is_forward(message) and (_is_by_server(message) or _opens_as_server(message))


# ---- signals ------------------------------------------------------------------------------------------------

_FORWARD = re.compile(r"\s*(?:fwd?|wg|tr|rv|i|enc|vl|vb|pd|doorst|转发|轉寄|転送|전달)\s*[:：]", re.IGNORECASE)


def header_signals(message: InboundMessage) -> tuple[Signal, ...]:
    """What the header says for (points above zero) and against a bounce."""
    subject = " ".join(message.subject[:_LONGEST_LINE].split())
    says_failed = bounce_words.SUBJECT.match(subject) is not None
    recipients = message.header("X-Failed-Recipients")
    by_daemon = is_daemon(message)
    is_reply = message.header("Auto-Submitted").lower().startswith("auto-replied") and not by_daemon
    table = (
        (report_type(message) == "delivery-status", 2, "Content-Type: multipart/report; report-type=delivery-status"),
        (bool(recipients), 3, f"X-Failed-Recipients: {recipients}"),
        (bool(message.header_values(_NDR)), 3, _NDR),
        (_has_status_part(message), 1, "a part of the type message/delivery-status"),
        (by_daemon, 2, f"From: {message.header('From')}"),
        (says_failed, 2, f"Subject: {subject}"),
        (not says_failed and bounce_words.SUBJECT_END.match(subject) is not None, 1, f"Subject: {subject}"),
        (has_null_path(message), 1, "Return-Path: <>"),
        (is_reply, -2, "Auto-Submitted: auto-replied"),
    )
    return tuple(Signal(points, evidence) for is_there, points, evidence in table if is_there)


def body_signals(text: str) -> tuple[Signal, ...]:
    head = " ".join(text[:_BODY_HEAD].split())
    table = (
        (bounce_words.TEXT.search(head), "the text says that a mail was not delivered"),
        (bounce_words.REFUSAL.search(head), "the text quotes the refusal of a mail server"),
    )
    return tuple(Signal(1, evidence) for is_there, evidence in table if is_there)


def _is_forward(message: InboundMessage) -> bool:
    return _FORWARD.match(message.subject) is not None and not is_daemon(message) and not report_type(message)


def is_daemon(message: InboundMessage) -> bool:
    """Whether a mail server wrote it; `From: <>` is one's, a mail without any From is not."""
    sender = message.from_
    stated = message.header("From").strip()
    if sender is None:
        bare = re.sub(r"[<>\"]", " ", stated).strip()
        return bool(stated) and (
            "<>" in stated or not bare or bool(bounce_words.DAEMON_LOCALS.fullmatch(bare) or _daemon_name(bare))
        )
    local = sender.addr_spec.rpartition("@")[0] or sender.addr_spec
    return bool(bounce_words.DAEMON_LOCALS.fullmatch(local) or _daemon_name(sender.display_name))


def _daemon_name(name: str) -> bool:
    return bounce_words.DAEMON_NAMES.match(name) is not None


_NULL_PATHS = re.compile(r"<?(?:mailer-daemon(?:@.*)?)?>?", re.IGNORECASE)


def has_null_path(message: InboundMessage) -> bool:
    """Whether the envelope sender is the null path of reports (RFC 5321, 4.5.5), as some servers write it."""
    return message.return_path is not None and _NULL_PATHS.fullmatch(message.return_path.strip()) is not None


_REPORT = re.compile(r"\s*multipart/report\b", re.IGNORECASE)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w-]+)", re.IGNORECASE)


def report_type(message: InboundMessage) -> str:
    """The report-type of a multipart/report (RFC 6522), lower-cased, '' for everything else."""
    content_type = message.header("Content-Type")
    found = _REPORT_TYPE.search(content_type) if _REPORT.match(content_type) else None
    return found[1].lower() if found else ""


# ---- flufl.bounce -------------------------------------------------------------------------------------------


def _from_flufl(suspect: _Suspect) -> tuple[FailedRecipient, ...]:
    """What flufl.bounce finds; its detectors are heuristics over hostile input and may raise anything.

    Why the broad except: a detector that stumbles says as little as one that finds nothing, and flufl.bounce logs it.
    Why From as we have read it: one detector stumbles over an empty one and takes the later ones with it, and the
    standard library's reading of addresses recurses into comments as deep as they nest.
    """
    tree = message_tree(_head(suspect.content))
    del tree["From"]
    tree["From"] = suspect.message.from_.addr_spec if suspect.message.from_ else _NOBODY
    try:
        temporary, permanent = all_failures(tree)
    except Exception:  # noqa: BLE001
        return ()
    found = {_addr_spec(each): False for each in temporary} | {_addr_spec(each): True for each in permanent}
    message = suspect.message
    own = failed_text.own_addresses(message) | {one.lower() for one in suspect.returned_message_ids}
    is_still_tried = failed_text.is_still_tried(message)
    return tuple(
        failed_text.failed(each, message, is_permanent=is_permanent and not is_still_tried)
        for each, is_permanent in sorted(found.items())
        if _ADDRESS.fullmatch(each) and each.lower() not in own
    )


def _head(content: bytes) -> bytes:
    """Header and first octets of the body, each line as long as it may be: a detector is quadratic in a line."""
    blank = re.search(rb"\r?\n\r?\n", content)
    head = content[: (blank.end() if blank else 0) + FLUFL_OCTETS]
    return b"\n".join(line[:_LONGEST_LINE] for line in head.split(b"\n"))


_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


def _addr_spec(address: bytes) -> str:
    return address.decode("ascii", "replace").strip().strip("<>'\"")
