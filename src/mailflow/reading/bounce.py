"""Reports that a mail of somebody could not be delivered, or not yet: who was not reached, and which mail it was.

Order: cheap signals of the header gate everything; then the RFC 3464 reader, then flufl.bounce, then the sum of the signals.
Rule: a body is parsed again only for suspects. Rule: flufl.bounce sees the header and the first 64 KB, and whatever it raises
or logs becomes "found nothing".
Why: flufl.bounce reads every line of an attachment (seconds a megabyte), it raises on some trees, and one of its detectors
takes Japanese or Korean text for an address; with a gate before it none of this has been seen to matter.
Rule: `failed` is permanent, `delayed` is not (RFC 3464, 2.3.3); a report that says only `delivered` is no bounce.
Rule: what lies inside a forwarded message says nothing about the mail that carries it.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from flufl.bounce import all_failures

from mailflow.core.message import FailedRecipient, InboundMessage
from mailflow.reading.parse import message_tree

FLUFL_OCTETS = 64 * 1024
TREE_OCTETS = 1024 * 1024
"""How much of a suspect is parsed again; reports stand before the returned mail."""
ENOUGH = 3
"""Points from which on signals alone make a bounce."""
_MAX_RETURNED_IDS = 20

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)


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
    if sum(signal.points for signal in signals) < 1 or report_type(message) not in ("", "delivery-status"):
        return None
    tree = message_tree(content[:TREE_OCTETS])
    reported = tuple(reported_recipients(tree))
    if reported and not any(action in _FAILED | _DELAYED for _, action in reported):
        return None
    failed = _from_report(reported)
    evidence = "delivery report (RFC 3464)" if failed else ""
    signals += body_signals(message.text)
    if sum(signal.points for signal in signals) < 2 and not failed:
        return None
    if not failed:
        failed = _from_flufl(content)
        evidence = "flufl.bounce found a failed recipient" if failed else ""
    if not evidence and sum(signal.points for signal in signals) < ENOUGH:
        return None
    strongest = max(signals, key=lambda signal: signal.points)
    return Bounce(evidence or strongest.evidence, failed, returned_message_ids(tree, message.message_id))


# Signals

_DAEMONS = re.compile(
    r"(?:mailer|mail|maile?r?|smtp|mta|mx)[-_.]?daemon|postmaster|mdaemon|mail-?system|mailadm(?:in)?|"
    r"(?:ms)?exchange[0-9a-f-]{6,}|microsoftexchange[0-9a-f]+|bounces?(?:[-+=].*)?|uucp|mmdf|listserv|amavis",
    re.IGNORECASE,
)
_DAEMON_NAMES = re.compile(
    r"mail delivery (?:sub)?system|mail(?:er)?[-_ ]daemon|postmaster|mail administrator|internet mail delivery|"
    r"mail delivery service|system administrator|microsoft outlook$|systemadministrator",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"""^\W*(?:\[[^\]]{1,40}\]\s*)?(?:warning:\s*|\*+\s*)?(?:
      undeliver(?:able|ed)\b | non[-\s]?delivery | (?:message\s|mail\s)?(?:delivery|deliver)[-\s]+(?:status|fail|problem|report|error|delay|notification|has\sfailed)
    | (?:automatically\s)?(?:returned|returning|bounced?)\s(?:mail|message)\b | return(?:ed)?\smail\b | failure\snotice | mail\s(?:delivery\s)?(?:fail|error|system\serror|could\snot|not\sdelivered|non-delivery|warning|returned)
    | (?:mail|message)\s(?:delivery\s)?(?:system|failure|undeliverable|status\sreport|not\sdelivered|you\ssent.*(?:blocked|returned)|delayed)
    | delayed\smail | message\scould\snot\sbe\sdelivered | could\snot\s(?:deliver|send)\smessage | permanent\s(?:delivery\s)?(?:failure|error)|user\sunknown
    | could\snot\ssend\smessage | error\ssending\s(?:mail|message) | invalid\s(?:address|recipient) | rejected\s(?:mail|posting) | notification\sd.é(?:tat|chec)\sde
    | unzustellbar | nicht\szugestellt | unzustellbare\snachricht | zustellung\s(?:fehlgeschlagen|nicht\sm) | zustellbenachrichtigung | zurückgewiesen | mail\snicht\szugestellt
    | non\sremis | échec\sde\s(?:la\s)?(?:remise|distribution) | message\snon\s(?:remis|distribué) | courrier\snon\sremis | non[-\s]distribu
    | no\sse\spuede\sentregar | no\sentregado | correo\s(?:no\sentregado|devuelto) | error\s(?:de|en\sla)\sentrega | mensaje\s(?:no\sentregado|devuelto) | devuelto
    | não\s(?:é\spossível\sentregar|entregue) | não\sfoi\spossível\sentregar | falha\s(?:na|de)\sentrega | mensagem\s(?:não\sentregue|devolvida)
    | mancato\srecapito | impossibile\s(?:recapitare|consegnare) | mancata\sconsegna | messaggio\snon\sconsegnato | non\srecapitabile
    | onbestelbaar | niet\s(?:bezorgd|afgeleverd) | kan\sniet\sworden\s(?:bezorgd|afgeleverd)
    | niedostarczon | nie\s(?:można|udało\ssię)\sdostarczyć | nie\sdostarczono | zwrot\swiadomości | nedoručiteln | nedoručen
    | olevererbar | kan\sinte\sleverera | ej\slevererbart | kunne\sikke\sleveres | kan\sikke\sleveres | ikke\sleveret | ikke\slevert | toimitus\sepäonnistui | ei\svoi\stoimittaa
    | kézbesíthetetlen | teslim\sedilemedi | iletilemedi | nelivrat | μη\sπαραδοτέο | αδυναμία\sπαράδοσης | недоставлен | не\s(?:удается|удалось|может\sбыть)\sдоставить | не\sдоставлено
    | 配信不能 | 配信できません | 配送エラー | 送信エラー | メール送信.*エラー | 未达 | 未送达 | 无法投递 | 退信 | 系统退信 | 傳遞失敗 | 无法送达 | 배달되지\s?않음 | 배달\s?실패 | 메일\s?전송\s?실패
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_BODY_PHRASES = re.compile(
    r"""(?:could|can|was|were|has|have)\s?(?:not|n't)\s(?:yet\s)?(?:be(?:en)?\s)?(?:delivered|sent\sto)\b | (?:message|mail|delivery).{0,60}(?:undeliverable|returned\sto\ssender)
    | delivery\s(?:to|of).{0,80}(?:failed|has\sbeen\sdelayed|was\sunsuccessful) | unable\sto\sdeliver | permanent\s(?:fatal\s)?error | the\sfollowing\saddress(?:es|\(es\))?.{0,40}(?:failed|errors)
    | did\snot\sreach\sthe\sfollowing | failed\srecipients? | message\s(?:you\ssent\s)?.{0,60}has\snot\s(?:yet\s)?been\sdelivered | i\swasn't\sable\sto\sdeliver
    | konnte\s(?:nicht|leider\snicht).{0,60}zugestellt | n'a\spas\spu\sêtre\s(?:remis|distribué) | no\s(?:se\s)?(?:ha\spodido|pudo)\s(?:ser\s)?entreg | não\spôde\sser\sentregue
    | impossibile\srecapitare | kon\sniet\sworden\s(?:bezorgd|afgeleverd) | nie\s(?:została|mogła)\s.{0,20}dostarczona | 配信できませんでした | 配送できませんでした | 无法投递""",
    re.IGNORECASE | re.VERBOSE,
)
_REPLY_CODES = re.compile(
    r"\b5\d\d[ -]#?5\.\d{1,3}\.\d{1,3}\b|\b5[0-5]\d\s(?:<|\S+@|user|mailbox|no such|unknown|invalid|relay|host|recipient|requested|sorry)"
    r"|\buser unknown\b|\bunknown user\b|\bno such (?:user|mailbox|recipient|address)\b|\bmailbox (?:is )?(?:full|unavailable|not found)\b"
    r"|\bover quota\b|\bquota exceeded\b|\bhost unknown\b|\bunrouteable\b",
    re.IGNORECASE,
)


def header_signals(message: InboundMessage) -> tuple[Signal, ...]:
    """What the header says for (points above zero) and against a bounce."""
    sender = message.from_
    local = sender.addr_spec.rpartition("@")[0] or sender.addr_spec if sender else ""
    is_daemon = sender is None or bool(_DAEMONS.fullmatch(local) or _DAEMON_NAMES.match(sender.display_name))
    is_auto_replied = message.header("Auto-Submitted").lower().startswith("auto-replied")
    table = (
        (report_type(message) == "delivery-status", 3, "Content-Type: multipart/report; report-type=delivery-status"),
        (
            bool(message.header_values("X-Failed-Recipients")),
            3,
            f"X-Failed-Recipients: {message.header('X-Failed-Recipients')}",
        ),
        (is_daemon, 2, f"From: {sender.addr_spec if sender else ''}"),
        (bool(_SUBJECTS.match(message.subject)), 2, f"Subject: {message.subject}"),
        (has_null_path(message), 1, "Return-Path: <>"),
        (is_auto_replied and not is_daemon, -2, "Auto-Submitted: auto-replied"),
    )
    return tuple(Signal(points, evidence) for is_there, points, evidence in table if is_there)


def body_signals(text: str) -> tuple[Signal, ...]:
    head = text[:4000]
    table = (
        (_BODY_PHRASES.search(head), 1, "the text says that a mail was not delivered"),
        (_REPLY_CODES.search(head), 1, "the text quotes the refusal of a mail server"),
    )
    return tuple(Signal(points, evidence) for found, points, evidence in table if found)


def has_null_path(message: InboundMessage) -> bool:
    """Whether the envelope sender is the null path of reports (RFC 5321, 4.5.5)."""
    return message.return_path == ""


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
        if part.get_content_type() != "message/delivery-status" or not part.is_multipart():
            continue
        for fields in part.get_payload():
            action = (
                re.match(r"\s*([a-z-]*)", str(fields.get("Action", "")).lower())
                if isinstance(fields, Message)
                else None
            )
            addr_spec = _recipient(fields) if isinstance(fields, Message) else ""
            if action and action[1] and addr_spec:
                yield addr_spec, action[1]


def _recipient(fields: Message) -> str:
    """`rfc822; jane@a.example` -> `jane@a.example`; the original recipient rather than the final one."""
    for name in _RECIPIENT_FIELDS:
        value = str(fields.get(name, ""))
        found = re.search(r"[^\s<>;,\"()]+@[^\s<>;,\"()]+", value.partition(";")[2] or value)
        if found:
            return found[0]
    return ""


def _from_report(reported: tuple[tuple[str, str], ...]) -> tuple[FailedRecipient, ...]:
    failed = {addr_spec: action in _FAILED for addr_spec, action in reported if action in _FAILED | _DELAYED}
    return tuple(FailedRecipient(addr_spec, is_permanent) for addr_spec, is_permanent in failed.items())


def _from_flufl(content: bytes) -> tuple[FailedRecipient, ...]:
    try:
        temporary, permanent = all_failures(message_tree(_head(content)))
    except Exception:  # noqa: BLE001  a heuristic over hostile input: "nothing found" is the recorded failure
        return ()
    failed = {_addr_spec(address): False for address in temporary} | {
        _addr_spec(address): True for address in permanent
    }
    return tuple(
        FailedRecipient(addr_spec, is_permanent) for addr_spec, is_permanent in sorted(failed.items()) if addr_spec
    )


def _head(content: bytes) -> bytes:
    blank = re.search(rb"\r?\n\r?\n", content)
    return content[: (blank.end() if blank else 0) + FLUFL_OCTETS]


def _addr_spec(address: bytes) -> str:
    return address.decode("ascii", "replace").strip().strip("<>'\"")


# The mail that came back

_RETURNED_ID = re.compile(r"^[>\s]*message-id\s*:\s*<([^<>\s]+)>", re.IGNORECASE | re.MULTILINE)


def returned_message_ids(tree: Message, own_id: str) -> tuple[str, ...]:
    """Message-IDs of the mails that the report returns, as a part of their own or as text."""
    ids: dict[str, None] = {}
    for part in own_parts(tree):
        if part.get_content_type() == "message/rfc822" and part.is_multipart():
            returned = part.get_payload(0)
            ids |= dict.fromkeys(re.findall(r"<([^<>\s]+)>", str(returned.get("Message-ID", ""))))
        elif not part.is_multipart():
            payload = part.get_payload(decode=True)
            text = payload[:FLUFL_OCTETS].decode("latin-1") if isinstance(payload, bytes) else ""
            ids |= dict.fromkeys(_RETURNED_ID.findall(text))
    ids.pop(own_id, None)
    return tuple(ids)[:_MAX_RETURNED_IDS]
