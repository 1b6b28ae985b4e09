"""What is done with a mail: answer, hold for a person, or stay silent. The default is to hold.

    1. GUARDS, in order, first match wins. They are Python because they are about safety, not about business.
    2. The playbook's rows (YAML): every intent of the mail must have a `send` row for this audience,
       enough confidence and no fact that holds it (D7); otherwise a person looks.
    3. Nothing matched: a person looks.

Every decision carries its reasons, the decision to hold and the one to stay silent too.
Why guards see facts before any row does: a row can be edited by anybody; a mail loop cannot be taken back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from mailflow.core.branches import branch
from mailflow.core.classification import Action, Classification, IntentScore
from mailflow.core.message import Address, InboundMessage, Origin, OriginKind, Role, Sender, Trust
from mailflow.core.playbook import FACTS, Audience, AudienceRow, Intent, Playbook, PolicyAction, Rollout
from mailflow.core.ports import AnswerPart
from mailflow.core.reply import is_sendable


@dataclass(frozen=True, slots=True)
class SentRecord:
    """An automatic answer that went out or is on its way."""

    at: datetime
    intents: frozenset[str]


@dataclass(frozen=True, slots=True)
class History:
    """What the store knew before the decision; read in the transaction that will hold it."""

    is_known_thread: bool = False
    is_held_thread: bool = False
    """An earlier mail of the thread waits for a person."""
    answers_in_thread: int = 0
    sent_to_sender: tuple[SentRecord, ...] = ()
    """The last 24 hours, newest first."""
    sent_to_domain_hour: int = 0
    sent_by_desk_hour: int = 0
    sent_by_intent_hour: Mapping[str, int] = field(default_factory=dict)
    """Answers of the last hour that had a section for the intent."""
    is_message_id_reused: bool = False
    """The Message-ID was seen before with other content."""
    muted: str = ""
    """Why the address gets nothing automatic for now; '' if it does."""
    restored: str = ""
    """Why this mail may have been answered already, by the store that was lost; '' if it cannot."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a decision may look at."""

    message: InboundMessage
    origin: Origin
    sender: Sender
    classification: Classification
    facts: frozenset[str]
    history: History
    now: datetime
    desk_addresses: frozenset[str]

    @property
    def audience(self) -> Audience:
        """INTERNAL for a proven colleague (D2) with whom no stranger reads along (A15)."""
        is_proven = self.sender.role is Role.INTERNAL and self.sender.trust is Trust.KNOWN
        return Audience.INTERNAL if is_proven and "mixed_recipients" not in self.facts else Audience.EXTERNAL

    @property
    def lot(self) -> float:
        """In [0, 1), the same whenever the same mail is decided: which mails a canary answers."""
        message = self.message
        name = f"{message.message_id}\0{message.from_.addr_spec if message.from_ else ''}\0{message.subject}"
        return int.from_bytes(sha256(name.encode("utf-8", "surrogatepass")).digest()[:6]) / 2**48


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. `code` is the guard, fact or row; `sentence` is for the specialist."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    reasons: tuple[Reason, ...]
    answers: tuple[AnswerPart, ...]
    """What is sent; empty unless the action is reply."""
    draft: tuple[AnswerPart, ...]
    """What a specialist may send for a held mail: the parts that have a path."""
    queue: str
    priority: str
    policy_version: str
    model_version: str


UNSURE_ACTION = "unsure_action"
"""The code of the one doubt that is about P(right answer) alone."""


class Outcome(StrEnum):
    IGNORE = "ignore"
    HOLD = "hold"
    HOLD_UNLESS_SILENT = "hold unless silent"
    """Silence where the classifier is sure that nothing is asked, otherwise a person."""


@dataclass(frozen=True, slots=True)
class Guard:
    name: str
    outcome: Outcome
    why: str
    holds: Callable[[Case, Playbook], str] = field(repr=False)
    """The sentence if the guard applies to this mail, '' if not."""


def reply_address(message: InboundMessage) -> Address | None:
    """Where an answer goes: the only Reply-To, else From (RFC 5322, 3.6.2). None where that is not one address."""
    if len(message.reply_to) > 1:
        return None
    return message.reply_to[0] if message.reply_to else message.from_


def _origin_is(kind: OriginKind) -> Callable[[Case, Playbook], str]:
    return lambda case, _: case.origin.evidence if case.origin.kind is kind else ""


def _no_reply_address(case: Case, _: Playbook) -> str:
    address = reply_address(case.message)
    if address is None or not is_sendable(address.addr_spec):
        return "there is no single address to answer to"
    if address.mailbox in case.desk_addresses:
        return f"the answer would go to ourselves ({address.addr_spec})"
    return ""


def _not_addressed(case: Case, _: Playbook) -> str:
    """A blind copy, a list without marks, a mail that another address passed on."""
    named = {one.mailbox for one in (*case.message.to, *case.message.cc)}
    return "" if named & case.desk_addresses else "none of our addresses is among its recipients"


def _null_return_path(case: Case, _: Playbook) -> str:
    return "Return-Path is <>" if case.message.return_path == "" else ""


def _reply_to_elsewhere(case: Case, _: Playbook) -> str:
    return "Reply-To points to another domain than From" if "reply_to_differs" in case.sender.flags else ""


def _lookalike(case: Case, _: Playbook) -> str:
    return "the sender's domain looks like another one" if "lookalike_domain" in case.sender.flags else ""


def _misleading_name(case: Case, _: Playbook) -> str:
    return "the sender's name shows another address than his" if "name_shows_other_address" in case.sender.flags else ""


def _unreadable(case: Case, _: Playbook) -> str:
    return next((d.sentence for d in case.message.defects if d.code in UNREADABLE_DEFECTS), "")


UNREADABLE_DEFECTS = frozenset({"truncated", "encrypted", "too_large", "too_many_parts", "no_from"})


def _too_old(case: Case, playbook: Playbook) -> str:
    limit = playbook.defaults.max_age_days
    date = case.message.date
    if date is not None and case.now - date > timedelta(days=limit):
        return f"the mail is older than {limit} days"
    return ""


def _reused_message_id(case: Case, _: Playbook) -> str:
    return "its Message-ID was used before for another mail" if case.history.is_message_id_reused else ""


def _language(case: Case, playbook: Playbook) -> str:
    language = case.message.language
    if not language or language in playbook.defaults.read_languages:
        return ""
    return f"it is written in a language that the model has not learned ({language})"


def _is_follow_up(case: Case, _: Playbook) -> str:
    return "the thread already has our answer (D8)" if case.history.answers_in_thread else ""


def _is_held_thread(case: Case, _: Playbook) -> str:
    return "an earlier mail of this thread waits for a person" if case.history.is_held_thread else ""


def _muted(case: Case, _: Playbook) -> str:
    return case.history.muted


def _restored(case: Case, _: Playbook) -> str:
    return case.history.restored


def _kill_switch(case: Case, playbook: Playbook) -> str:
    return "the kill switch is on: nothing is answered automatically" if playbook.defaults.kill_switch else ""


def _send_budget(case: Case, playbook: Playbook) -> str:
    budget, history = playbook.defaults.send_budget, case.history
    wanted = {score.intent for score in case.classification.intents}
    recent = [sent for sent in history.sent_to_sender if case.now - sent.at < timedelta(hours=3)]
    counts = (
        ("answers in this thread", history.answers_in_thread, budget.per_thread),
        (
            "answers to this sender on this subject in 3 hours",
            sum(bool(sent.intents & wanted) for sent in recent),
            budget.per_sender_and_intent_3_hours,
        ),
        ("answers to this sender in a day", len(history.sent_to_sender), budget.per_sender_day),
        ("answers to this domain in an hour", history.sent_to_domain_hour, budget.per_domain_hour),
        (
            "answers of one template in an hour",
            max((history.sent_by_intent_hour.get(intent, 0) for intent in wanted), default=0),
            budget.per_template_hour,
        ),
        ("answers of the whole desk in an hour", history.sent_by_desk_hour, budget.desk_hour),
    )
    return next(
        (f"send budget: {count} {what}, at most {limit}" for what, count, limit in counts if count >= limit), ""
    )


def _quiet_hours(case: Case, playbook: Playbook) -> str:
    wanted = [playbook.intents[score.intent].quiet_hours for score in case.classification.intents]
    quiet = next((hours for hours in (playbook.defaults.quiet_hours, *wanted) if hours and hours.hold(case.now)), None)
    return f"quiet hours: {quiet.start:%H:%M} to {quiet.end:%H:%M} {quiet.time_zone}" if quiet else ""


def _rollout(case: Case, playbook: Playbook) -> str:
    intent, stage = _least_trusted(case, playbook)
    if stage is Rollout.LIVE:
        return ""
    if stage is Rollout.CANARY:
        share = playbook.canary_share(intent)
        return "" if case.lot < share else f"{intent} is answered in {share:.0%} of its mails, and this is another one"
    return f"{intent} {_STAGES[stage]}"


_STAGES = {
    Rollout.OFF: "is switched off",
    Rollout.SHADOW: "is in shadow: this mail would have been answered",
    Rollout.DRAFT: "is rolled out as draft: a person approves the answer",
}


def _least_trusted(case: Case, playbook: Playbook) -> tuple[str, Rollout]:
    """The intent whose rollout allows least, and that. A mail is answered as a whole or not at all (D7)."""
    stages = [(score.intent, playbook.rollout(score.intent)) for score in case.classification.intents]
    return min(stages, key=lambda one: list(Rollout).index(one[1]), default=("", Rollout.OFF))


def _held_by_fact(case: Case, playbook: Playbook) -> str:
    """Words count for nothing in what is surely spam, which is full of them; a document always does (D6)."""
    facts = case.facts & {DOCUMENT} if _is_surely_silent(case, playbook) else case.facts
    found = [fact for fact in playbook.defaults.hold_if if fact in facts]
    return "; ".join(f"{fact}: {FACTS[fact]}" for fact in found)


DOCUMENT = "has_deliverable"


def _is_surely_silent(case: Case, playbook: Playbook) -> bool:
    primary, sure = case.classification.primary, playbook.defaults.sure_ignore_probability
    return (
        primary is not None
        and primary.intent in playbook.defaults.silent_intents
        and min(primary.confidence, case.classification.actions.none) >= sure
    )


def _abstained(case: Case, _: Playbook) -> str:
    if case.classification.abstained:
        return case.classification.abstained
    return "" if case.classification.intents else "no intent is likely enough"


GUARDS: tuple[Guard, ...] = (
    Guard("own_mail", Outcome.IGNORE, "we never answer ourselves", _origin_is(OriginKind.OWN)),
    Guard("bounce", Outcome.IGNORE, "a bounce is answered by nobody (RFC 3834)", _origin_is(OriginKind.BOUNCE)),
    Guard("auto_replied", Outcome.IGNORE, "machines must not talk to machines", _origin_is(OriginKind.AUTO_REPLIED)),
    Guard("auto_generated", Outcome.IGNORE, "nobody waits for an answer (D5)", _origin_is(OriginKind.AUTO_GENERATED)),
    Guard("null_return_path", Outcome.HOLD_UNLESS_SILENT, "<> wants no answer (RFC 3834, 2)", _null_return_path),
    Guard("list", Outcome.HOLD_UNLESS_SILENT, "a list must not get our answer (D5)", _origin_is(OriginKind.LIST)),
    Guard("not_addressed", Outcome.HOLD_UNLESS_SILENT, "it asks somebody else (RFC 3834, 2)", _not_addressed),
    Guard("no_reply_address", Outcome.HOLD_UNLESS_SILENT, "an answer needs one place to go", _no_reply_address),
    Guard("unreadable", Outcome.HOLD, "what was not read is not answered", _unreadable),
    Guard("lookalike", Outcome.HOLD_UNLESS_SILENT, "an impostor may be writing (D2)", _lookalike),
    Guard("misleading_name", Outcome.HOLD_UNLESS_SILENT, "readers would take him for another (D2)", _misleading_name),
    Guard("reply_to_differs", Outcome.HOLD_UNLESS_SILENT, "the answer would go elsewhere", _reply_to_elsewhere),
    Guard("reused_message_id", Outcome.HOLD, "a replay or a broken client", _reused_message_id),
    Guard("too_old", Outcome.HOLD_UNLESS_SILENT, "nobody waits for it any more", _too_old),
    Guard("language", Outcome.HOLD_UNLESS_SILENT, "what is not understood is not answered (A30)", _language),
    Guard("fact", Outcome.HOLD, "a person must see this whatever is asked (D6, D8, A30)", _held_by_fact),
    Guard("follow_up", Outcome.HOLD_UNLESS_SILENT, "the same text twice helps nobody (D8)", _is_follow_up),
    Guard("held_thread", Outcome.HOLD_UNLESS_SILENT, "two must not answer one thread (D8)", _is_held_thread),
    Guard("abstained", Outcome.HOLD, "the classifier does not know", _abstained),
)
"""Asked of every mail, in this order."""

SEND_GUARDS: tuple[Guard, ...] = (
    Guard("kill_switch", Outcome.HOLD, "the operator said stop", _kill_switch),
    Guard("muted", Outcome.HOLD, "mail to this address came back", _muted),
    Guard("restored", Outcome.HOLD, "what went out after the backup is not known", _restored),
    Guard("send_budget", Outcome.HOLD, "too many answers mean a loop or a mistake", _send_budget),
    Guard("quiet_hours", Outcome.HOLD, "the operator wants no answers at this hour", _quiet_hours),
    Guard("rollout", Outcome.HOLD, "an intent goes live step by step", _rollout),
)
"""Asked last, only where an answer would go out."""


def decide(case: Case, playbook: Playbook) -> Decision:
    """The decision for one mail. Pure; the same case and playbook give the same decision."""
    for guard in GUARDS:
        if sentence := guard.holds(case, playbook):
            return _guarded(guard, sentence, case, playbook)
    if silence := _silence(case, playbook):
        return _decision(case, playbook, Action.NONE, (silence,))
    if doubts := _doubts(case, playbook):
        return _decision(case, playbook, Action.REVIEW, doubts)
    for guard in SEND_GUARDS:
        if sentence := guard.holds(case, playbook):
            return _guarded(guard, sentence, case, playbook)
    return _decision(case, playbook, Action.REPLY, _paths(case, playbook))


def _guarded(guard: Guard, sentence: str, case: Case, playbook: Playbook) -> Decision:
    reason = Reason(f"guard:{guard.name}", f"{sentence}; {guard.why}")
    if guard.outcome is Outcome.IGNORE:
        return _decision(case, playbook, Action.NONE, (reason,))
    if guard.outcome is Outcome.HOLD_UNLESS_SILENT and (silence := _silence(case, playbook)):
        return _decision(case, playbook, Action.NONE, (silence, reason))
    return _decision(case, playbook, Action.REVIEW, (reason,))


def _silence(case: Case, playbook: Playbook) -> Reason | None:
    """Why nobody need answer: the primary intent is a silent one, no other is as sure, and the action head agrees."""
    primary, sure = case.classification.primary, playbook.defaults.min_ignore_probability
    silent = playbook.defaults.silent_intents
    if primary is None or primary.intent not in silent:
        return None
    if not _is_surely_silent(case, playbook) and any(
        score.intent not in silent and score.confidence >= playbook.min_confidence(score.intent, is_first=False)
        for score in case.classification.intents
    ):
        return None
    if case.classification.actions.none < sure:
        return None
    return Reason(f"silent:{primary.intent}", f"{primary.intent} at {primary.confidence:.2f}; nothing is asked")


def _doubts(case: Case, playbook: Playbook) -> tuple[Reason, ...]:
    """Everything that speaks against answering, row by row; empty if every part has a sure path (D7)."""
    doubts = [doubt for score in case.classification.intents for doubt in _row_doubts(score, case, playbook)]
    runner_up = case.classification.runner_up
    if runner_up and runner_up.confidence > playbook.defaults.max_pathless_doubt:
        row = audience_row(playbook, runner_up.intent, case.audience)
        if row is None or row.action is not PolicyAction.SEND:
            sentence = f"{runner_up.intent} may be asked too ({runner_up.confidence:.2f}) and has no path"
            doubts.append(Reason(f"pathless:{runner_up.intent}", sentence))
    if unsure := _unsure_action(case, playbook):
        doubts.append(Reason(UNSURE_ACTION, unsure))
    return tuple(doubts)


def _unsure_action(case: Case, playbook: Playbook) -> str:
    reply = case.classification.actions.reply
    needed, asks = playbook.min_reply_probability([score.intent for score in case.classification.intents])
    if reply >= needed:
        return ""
    wanted = f"needs {needed:.2f}" if needed <= 1 else "was refused, so that no answer may go out"
    return f"an answer is right with probability {reply:.2f}, {asks} {wanted}"


def _row_doubts(score: IntentScore, case: Case, playbook: Playbook) -> list[Reason]:
    row = audience_row(playbook, score.intent, case.audience)
    if row is None or row.action is PolicyAction.NEVER:
        return [
            Reason(f"row:{score.intent}", f"{score.intent} has no path for an {case.audience} reader: a person acts")
        ]
    doubts = []
    if row.action is PolicyAction.DRAFT:
        doubts.append(Reason(f"row:{score.intent}", f"{score.intent} is only drafted, a person sends it"))
    is_first = score == case.classification.primary
    if score.confidence < (needed := playbook.min_confidence(score.intent, is_first=is_first)):
        sentence = f"{score.intent} is likely at {score.confidence:.2f}, needed is {needed:.2f}"
        doubts.append(Reason(f"unsure:{score.intent}", sentence))
    branching = playbook.intents[score.intent].branches
    if branching and _branch(score.intent, case, playbook) is None:
        doubts.append(Reason(f"branch:{score.intent}", f"{score.intent} turns on {branching.by}: not known"))
    doubts += [
        Reason(f"fact:{fact}", f"{score.intent} is held: {FACTS[fact]}")
        for fact in playbook.intents[score.intent].hold_if
        if fact in case.facts
    ]
    return doubts


def _branch(intent: str, case: Case, playbook: Playbook) -> str | None:
    """Which branch of the answer this mail takes: '' for all of them, None where a person must find out."""
    branching = playbook.intents[intent].branches
    if branching is None or case.audience is Audience.INTERNAL:  # a colleague needs all of them for the partner
        return ""
    return branch(branching.by, case.sender, case.facts) or {"all": "", "ask": "ask", "hold": None}[branching.unknown]


def audience_row(playbook: Playbook, intent: str, audience: Audience) -> AudienceRow | None:
    """The row of `intent` for `audience`. A colleague may read what a partner reads where nothing else is written."""
    known = playbook.intents.get(intent)
    if known is None:
        return None
    return known.audiences.get(audience) or known.audiences.get(Audience.EXTERNAL)


def _paths(case: Case, playbook: Playbook) -> tuple[Reason, ...]:
    return tuple(
        Reason(
            f"row:{score.intent}", f"{score.intent} at {score.confidence:.2f} has a published path for {case.audience}"
        )
        for score in case.classification.intents
    )


def _parts(case: Case, playbook: Playbook) -> tuple[AnswerPart, ...]:
    """The answers that exist for this mail, in the order of its intents."""
    parts = []
    for score in case.classification.intents:
        row = audience_row(playbook, score.intent, case.audience)
        if row is not None and row.template:
            chosen, missing = _branch(score.intent, case, playbook) or "", _missing(score.intent, case, playbook)
            parts.append(AnswerPart(score.intent, case.audience, row.template, chosen, missing))
    return tuple(parts)


def _missing(intent: str, case: Case, playbook: Playbook) -> tuple[str, ...]:
    """What a partner's mail does not name and the answer asks for."""
    if case.audience is Audience.INTERNAL:
        return ()
    named = {slot.name for slot in case.classification.slots}
    return tuple(slot for slot in playbook.intents[intent].needed if slot not in named)


def _decision(case: Case, playbook: Playbook, action: Action, reasons: tuple[Reason, ...]) -> Decision:
    primary = case.classification.primary
    intent = playbook.intents.get(primary.intent) if primary else None
    parts = () if _is_hidden(case, playbook) else _parts(case, playbook)
    return Decision(
        action=action,
        reasons=reasons,
        answers=parts if action is Action.REPLY else (),
        draft=parts if action is Action.REVIEW else (),
        queue=intent.queue if intent else "review",
        priority=intent.priority if intent else "normal",
        policy_version=playbook.version,
        model_version=case.classification.model_version,
    )


def _is_hidden(case: Case, playbook: Playbook) -> bool:
    """Whether nobody may see a prepared answer yet: in shadow, specialists must answer as they would without us."""
    return _least_trusted(case, playbook)[1] in (Rollout.OFF, Rollout.SHADOW)


def policy_table(playbook: Playbook) -> list[tuple[str, str, str, str, str, str]]:
    """Every row on one screen: intent, audience, action, rollout, template, what holds it. Sorted."""
    return [
        (
            name,
            audience.value,
            row.action.value,
            _stage(playbook, name) if row.action is PolicyAction.SEND else "-",
            _template(intent, audience, row),
            _holds(playbook, intent, audience),
        )
        for name, intent in sorted(playbook.intents.items())
        for audience, row in sorted(intent.audiences.items())
    ]


def _template(intent: Intent, audience: Audience, row: AudienceRow) -> str:
    branching = intent.branches if audience is Audience.EXTERNAL and row.template else None
    return f"{row.template} by {branching.by}" if branching else row.template or "-"


def _holds(playbook: Playbook, intent: Intent, audience: Audience) -> str:
    unknown = intent.branches if audience is Audience.EXTERNAL else None
    parts = [f"confidence < {playbook.min_confidence(intent.intent):.2f}", *intent.hold_if]
    return ", ".join([*parts, f"{unknown.by} unknown"] if unknown and unknown.unknown == "hold" else parts)


def _stage(playbook: Playbook, intent: str) -> str:
    stage = playbook.rollout(intent)
    return f"{stage} {playbook.canary_share(intent):.0%}" if stage is Rollout.CANARY else stage.value
