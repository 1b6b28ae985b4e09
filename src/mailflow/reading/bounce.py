"""Reports that a mail of somebody could not be delivered, or not yet: who was not reached, and which mail it was.

Order: cheap signals of the header gate all; then the RFC 3464 reader, then flufl.bounce, then the sum of the signals.
Rule: a body is parsed again only for suspects.
Rule: flufl.bounce sees the header and the first 64 KB, and if it raises, the signals decide alone.
Why: flufl.bounce reads every line of an attachment (seconds a megabyte), it raises on some trees, and one of its
detectors takes Japanese and Korean text for addresses; so it is asked only where two points already speak for a bounce.
Rule: `failed` is permanent, `delayed` is not (RFC 3464, 2.3.3); a report that says only `delivered` is no bounce.
Rule: what lies inside a forwarded message says nothing about the mail that carries it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

from flufl.bounce import all_failures

from mailflow.core.message import FailedRecipient, InboundMessage
from mailflow.reading.parse import message_tree

FLUFL_OCTETS = 64 * 1024
TREE_OCTETS = 1024 * 1024
"""How much of a suspect is parsed again; reports stand before the returned mail."""
ASK_FLUFL = 2
ENOUGH = 3
"""Points from which on signals alone make a bounce."""
_MAX_RETURNED_IDS = 20
_LONGEST_LINE = 998
"""RFC 5322, 2.1.1."""
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


def read(message: InboundMessage, content: bytes) -> Bounce | None:
    """The bounce that this mail is, or None. `content` is the raw mail."""
    signals = header_signals(message)
    if _points(signals) < 1 or not _may_bounce(message):
        return None
    tree = message_tree(content[:TREE_OCTETS])
    reported = tuple(reported_recipients(tree))
    if reported and not any(action in _FAILED | _DELAYED for _, action in reported):
        return None
    signals += body_signals(message.new_text)
    failed, evidence = _failed(reported, signals, content)
    if not evidence:
        return None
    return Bounce(evidence, failed, returned_message_ids(tree, message.message_id))


def _failed(
    reported: tuple[tuple[str, str], ...], signals: tuple[Signal, ...], content: bytes
) -> tuple[tuple[FailedRecipient, ...], str]:
    """The recipients that were not reached and what proves it; the proof is '' where there is none."""
    failed = _from_report(reported)
    if failed:
        return failed, "delivery report (RFC 3464)"
    failed = _from_flufl(content) if _points(signals) >= ASK_FLUFL else ()
    if failed:
        return failed, "flufl.bounce found a failed recipient"
    strongest = max(signals, key=lambda signal: signal.points)
    return (), strongest.evidence if _points(signals) >= ENOUGH else ""


def _points(signals: tuple[Signal, ...]) -> int:
    return sum(signal.points for signal in signals)


def _may_bounce(message: InboundMessage) -> bool:
    """Reports of other types (feedback, TLS) are none; but a filter may refuse by a receipt (RFC 5429, 2.2)."""
    kind = report_type(message)
    return kind in ("", "delivery-status") or (kind == "disposition-notification" and _is_daemon(message))


# Signals


def any_of(*alternatives: str) -> str:
    """A regular expression for one of them."""
    return "(?:" + "|".join(alternatives) + ")"


_DAEMONS = re.compile(
    r"(?:mailer|mail|mailr|smtp|mta|mx)[-_.]?daemon|postmaster|mdaemon|mail-?system|mailadm(?:in)?"
    r"|(?:ms|microsoft)?exchange[0-9a-f-]{6,}|bounces?(?:[-+=].*)?|uucp|mmdf|listserv|amavis",
    re.IGNORECASE,
)
_DAEMON_NAMES = re.compile(
    r"mail delivery (?:sub)?system|mail(?:er)?[-_ ]daemon|postmaster|mail administrator|internet mail delivery"
    r"|mail delivery service|system administrator|systemadministrator|microsoft outlook$",
    re.IGNORECASE,
)
_NOT_DELIVERED = any_of(
    # English
    r"undeliver(?:able|ed)\b",
    r"non[- ]?delivery",
    r"(?:message |mail )?deliver(?:y|ing)[- ]+(?:status|fail|problem|report|error|delay|notification|has failed)",
    r"(?:automatically )?(?:returned|returning|bounced?|rejected) (?:mail|message|posting)\b",
    r"return(?:ed)? mail\b",
    r"failure notice",
    r"mail (?:delivery )?(?:fail|error|system error|could not|not delivered|non-delivery|warning|returned)",
    r"(?:mail|message) (?:delivery )?(?:system|failure|undeliverable|status report|not delivered|delayed)",
    r"message you sent.*(?:blocked|returned)",
    r"message could not be delivered",
    r"could not (?:deliver|send) (?:mail|message)",
    r"error sending (?:mail|message)",
    r"delayed mail",
    r"permanent (?:delivery )?(?:failure|error)",
    r"user unknown",
    r"invalid (?:address|recipient)",
    # German, Dutch, Scandinavian, Finnish
    r"unzustellbar",
    r"(?:mail )?nicht zugestellt",
    r"zustell(?:ung (?:fehlgeschlagen|nicht)|benachrichtigung|fehler)",
    r"onbestelbaar",
    r"niet (?:bezorgd|afgeleverd)",
    r"olevererbar",
    r"ej levererbar",
    r"kan inte leverera",
    r"k(?:unne|an) ikke leveres?",
    r"ikke lever[et]+t",
    r"toimitus epäonnistui",
    # French, Spanish, Portuguese, Italian, Romanian
    r"(?:message |courrier )?non (?:remis|distribué)",
    r"échec de (?:la )?(?:remise|distribution)",
    r"notification d.(?:état|échec)",
    r"(?:correo |mensaje )?no (?:se puede entregar|entregado)",
    r"(?:correo|mensaje) devuelto",
    r"error (?:de|en la) entrega",
    r"não (?:é|foi) possível entregar",
    r"falha (?:na|de) entrega",
    r"mensagem (?:não entregue|devolvida)",
    r"mancat[oa] (?:recapito|consegna)",
    r"impossibile (?:recapitare|consegnare)",
    r"messaggio non (?:consegnato|recapitato)",
    r"nelivrat",
    # Slavonic, Hungarian, Turkish, Greek
    r"niedostarczon",
    r"nie (?:można|udało się) dostarczyć",
    r"zwrot wiadomości",
    r"nedoručen|nedoručiteln",
    r"недоставлен",
    r"не (?:удается|удалось) доставить",
    r"kézbesíthetetlen",
    r"teslim edilemedi|iletilemedi",
    r"μη παραδοτέο|αδυναμία παράδοσης",
    # Chinese, Japanese, Korean
    "配信不能|配信できません|配送エラー|送信エラー",
    "未送达|未达|无法投递|无法送达|退信|傳遞失敗",
    r"배달되지 ?않음|배달 ?실패|전송 ?실패",
)
_SUBJECT = re.compile(rf"\W*(?:\[[^\]]{{1,40}}\] *)?(?:warning: *|\*+ *)?{_NOT_DELIVERED}", re.IGNORECASE)
_SUBJECT_END = re.compile(rf"(?!\W*\w{{2,3}} *: *{_NOT_DELIVERED}).*[(:–] *{_NOT_DELIVERED}\w*\W*$", re.IGNORECASE)
_BODY = re.compile(
    any_of(
        r"(?:could|can|was|were|has|have) ?(?:not|n't) (?:yet )?(?:be(?:en)? )?(?:delivered|sent to)\b",
        r"(?:message|mail|delivery).{0,60}(?:undeliverable|returned to sender)",
        r"delivery (?:to|of).{0,80}(?:failed|has been delayed|was unsuccessful)",
        r"unable to deliver",
        r"permanent (?:fatal )?error",
        r"the following address(?:es|\(es\))?.{0,40}(?:failed|errors)",
        r"did not reach the following",
        r"failed recipients?\b",
        r"message .{0,60}was automatically rejected",
        r"konnte (?:leider )?nicht.{0,60}zugestellt",
        r"n'a pas pu [eê]tre (?:remis|distribu|d[eé]livr)",
        r"no (?:se )?(?:ha podido|pudo) (?:ser )?entreg",
        r"não pôde ser entregue",
        r"impossibile recapitare",
        r"kon niet worden (?:bezorgd|afgeleverd)",
        r"nie (?:została|mogła) .{0,20}dostarczona",
        "配信できませんでした|配送できませんでした|无法投递",
    ),
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b5\d\d[ -]#?5\.\d{1,3}\.\d{1,3}\b"
    r"|\b5[0-5]\d (?:<|\S+@|user|mailbox|no such|unknown|invalid|relay|host|recipient|requested|sorry)"
    r"|\b(?:user unknown|unknown user|over quota|quota exceeded|host unknown|unrouteable)\b"
    r"|\bno such (?:user|mailbox|recipient|address)\b|\bmailbox (?:is )?(?:full|unavailable|not found)\b",
    re.IGNORECASE,
)
_BODY_HEAD = 4000


def header_signals(message: InboundMessage) -> tuple[Signal, ...]:
    """What the header says for (points above zero) and against a bounce."""
    subject = " ".join(message.subject[:_LONGEST_LINE].split())
    says_failed = _SUBJECT.match(subject) is not None
    recipients = message.header("X-Failed-Recipients")
    is_reply = message.header("Auto-Submitted").lower().startswith("auto-replied") and not _is_daemon(message)
    table = (
        (report_type(message) == "delivery-status", 3, "Content-Type: multipart/report; report-type=delivery-status"),
        (bool(recipients), 3, f"X-Failed-Recipients: {recipients}"),
        (_is_daemon(message), 2, f"From: {message.header('From')}"),
        (says_failed, 2, f"Subject: {subject}"),
        (not says_failed and _SUBJECT_END.match(subject) is not None, 1, f"Subject: {subject}"),
        (has_null_path(message), 1, "Return-Path: <>"),
        (is_reply, -2, "Auto-Submitted: auto-replied"),
    )
    return tuple(Signal(points, evidence) for is_there, points, evidence in table if is_there)


def body_signals(text: str) -> tuple[Signal, ...]:
    head = " ".join(text[:_BODY_HEAD].split())
    table = (
        (_BODY.search(head), "the text says that a mail was not delivered"),
        (_REFUSAL.search(head), "the text quotes the refusal of a mail server"),
    )
    return tuple(Signal(1, evidence) for found, evidence in table if found)


def _is_daemon(message: InboundMessage) -> bool:
    """Whether a mail server wrote it; `From: <>` is one's, a mail without any From is not."""
    sender = message.from_
    if sender is None:
        return message.header("From").strip() == "<>"
    local = sender.addr_spec.rpartition("@")[0] or sender.addr_spec
    return bool(_DAEMONS.fullmatch(local) or _DAEMON_NAMES.match(sender.display_name))


def has_null_path(message: InboundMessage) -> bool:
    """Whether the envelope sender is the null path of reports (RFC 5321, 4.5.5), as some servers write it."""
    return message.return_path is not None and message.return_path.lower() in ("", "mailer-daemon")


_REPORT = re.compile(r"\s*multipart/report\b", re.IGNORECASE)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w-]+)", re.IGNORECASE)


def report_type(message: InboundMessage) -> str:
    """The report-type of a multipart/report (RFC 6522), lower-cased, '' for everything else."""
    content_type = message.header("Content-Type")
    found = _REPORT_TYPE.search(content_type) if _REPORT.match(content_type) else None
    return found[1].lower() if found else ""


# RFC 3464

_FAILED = frozenset({"failed", "fail", "failure", "error"})
_DELAYED = frozenset({"delayed", "delay"})
_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECIPIENT_FIELDS = ("Original-Recipient", "X-Actual-Recipient", "Final-Recipient")


def own_parts(tree: Message) -> Iterator[Message]:
    """Every part of this mail itself, not those of messages that it carries."""
    yield tree
    if tree.is_multipart() and tree.get_content_maintype() != "message":
        for part in tree.get_payload():
            if isinstance(part, Message):
                yield from own_parts(part)


def reported_recipients(tree: Message) -> Iterator[tuple[str, str]]:
    """(addr_spec, action) of each recipient of a delivery report."""
    for part in own_parts(tree):
        if part.get_content_type() not in _STATUS_TYPES:
            continue
        for fields in _status_groups(part):
            action = re.match(r"\s*([a-z-]+)", f"{fields.get('Action', '')}".lower())
            addr_spec = _recipient(fields)
            if action and addr_spec:
                yield addr_spec, action[1]


def _status_groups(part: Message) -> Iterator[Message]:
    """The groups of fields of a delivery report. The parser splits them up only for the type of RFC 3464."""
    for group in part.get_payload() if part.is_multipart() else ():
        if not isinstance(group, Message):
            continue
        yield group
        rest = group.get_payload(decode=True)
        if isinstance(rest, bytes):
            yield from map(message_tree, re.split(rb"\r?\n\r?\n", rest))


def _recipient(fields: Message) -> str:
    """`rfc822; jane@a.example` -> `jane@a.example`; the original recipient rather than the final one."""
    for name in _RECIPIENT_FIELDS:
        value = f"{fields.get(name, '')}"[:_LONGEST_LINE]
        found = re.search(r"[^\s<>;,\"()]+@[^\s<>;,\"()]+", value.partition(";")[2] or value)
        if found:
            return found[0]
    return ""


def _from_report(reported: tuple[tuple[str, str], ...]) -> tuple[FailedRecipient, ...]:
    failed = {addr_spec: action in _FAILED for addr_spec, action in reported if action in _FAILED | _DELAYED}
    return tuple(FailedRecipient(addr_spec, is_permanent) for addr_spec, is_permanent in failed.items())


def _from_flufl(content: bytes) -> tuple[FailedRecipient, ...]:
    """What flufl.bounce finds; its detectors are heuristics over hostile input and may raise anything.

    Why the broad except: a detector that stumbles says as little as one that finds nothing, and flufl.bounce logs it.
    """
    tree = message_tree(_head(content))
    if not any(addr_spec for _, addr_spec in getaddresses([f"{tree.get('From', '')}"])):
        del tree["From"]
        tree["From"] = _NOBODY  # one detector stumbles over an empty From and takes the later ones with it
    try:
        temporary, permanent = all_failures(tree)
    except Exception:  # noqa: BLE001
        return ()
    failed = {_addr_spec(each): False for each in temporary} | {_addr_spec(each): True for each in permanent}
    return tuple(FailedRecipient(each, is_permanent) for each, is_permanent in sorted(failed.items()) if each)


def _head(content: bytes) -> bytes:
    """Header and first octets of the body, each line as long as it may be: a detector is quadratic in a line."""
    blank = re.search(rb"\r?\n\r?\n", content)
    head = content[: (blank.end() if blank else 0) + FLUFL_OCTETS]
    return b"\n".join(line[:_LONGEST_LINE] for line in head.split(b"\n"))


def _addr_spec(address: bytes) -> str:
    return address.decode("ascii", "replace").strip().strip("<>'\"")


# The mail that came back

_RETURNED_ID = re.compile(r"^[> \t]{0,20}message-id[ \t]*:\s{0,9}<([^<>\s]+)>", re.IGNORECASE | re.MULTILINE)


def returned_message_ids(tree: Message, own_id: str) -> tuple[str, ...]:
    """Message-IDs of the mails that the report returns, as a part of their own or as text."""
    ids: dict[str, None] = {}
    for part in own_parts(tree):
        if part.get_content_type() in ("message/rfc822", "message/global") and part.is_multipart():
            returned = part.get_payload(0)
            if isinstance(returned, Message):
                ids |= dict.fromkeys(re.findall(r"<([^<>\s]+)>", f"{returned.get('Message-ID', '')}"))
        elif not part.is_multipart():
            payload = part.get_payload(decode=True)
            text = payload[:FLUFL_OCTETS].decode("latin-1") if isinstance(payload, bytes) else ""
            ids |= dict.fromkeys(_RETURNED_ID.findall(text))
    ids.pop(own_id, None)
    return tuple(ids)[:_MAX_RETURNED_IDS]
