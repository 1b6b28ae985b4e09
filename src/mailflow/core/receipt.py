"""A decision as a receipt: everything that was asked about a mail, what decided, and what would have changed it.

Rule: nothing is explained by words of its own. The guards are asked again, and "what if" is the same `decide` with one
thing changed, so a receipt cannot say what the policy does not do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mailflow.core.classification import ActionScores, IntentScore
from mailflow.core.message import Role, Sender, Trust
from mailflow.core.playbook import FACTS, Audience, Playbook
from mailflow.core.policy import GUARDS, SEND_GUARDS, Case, Decision, History, audience_row, decide


@dataclass(frozen=True, slots=True)
class Asked:
    """One guard, asked of this mail."""

    guard: str
    outcome: str
    """What it does where it applies."""
    answer: str
    """Why it applies; '' where it does not."""


@dataclass(frozen=True, slots=True)
class RowAsked:
    """One claimed intent, held against the playbook."""

    intent: str
    confidence: float
    needed: float
    action: str
    """Of the row for this reader: send, draft or never."""
    rollout: str
    template: str
    branch: str
    rules: tuple[str, ...]
    """Where it is specified."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    change: str
    """`without has_deliverable`."""
    then: str
    """What would be done."""


@dataclass(frozen=True, slots=True)
class Receipt:
    audience: Audience
    guards: tuple[Asked, ...]
    facts: tuple[tuple[str, str], ...]
    """(fact, what it says)."""
    rows: tuple[RowAsked, ...]
    reply_probability: float
    reply_needed: float
    reply_asked_by: str
    """The playbook or the certificate."""
    decision: Decision
    what_ifs: tuple[WhatIf, ...]
    """Only those that would change what is done."""


def receipt(case: Case, playbook: Playbook) -> Receipt:
    """Pure, as `decide` is."""
    decision = decide(case, playbook)
    needed, asked_by = playbook.min_reply_probability([score.intent for score in case.classification.intents])
    return Receipt(
        audience=case.audience,
        guards=tuple(
            Asked(guard.name, guard.outcome.value, guard.holds(case, playbook)) for guard in GUARDS + SEND_GUARDS
        ),
        facts=tuple((fact, FACTS[fact]) for fact in sorted(case.facts)),
        rows=tuple(_rows(case, playbook, decision)),
        reply_probability=case.classification.actions.reply,
        reply_needed=needed,
        reply_asked_by=asked_by,
        decision=decision,
        what_ifs=tuple(_what_ifs(case, playbook, decision)),
    )


def _rows(case: Case, playbook: Playbook, decision: Decision) -> Iterator[RowAsked]:
    branches = {part.intent: part.branch for part in decision.answers + decision.draft}
    for score in case.classification.intents:
        row = audience_row(playbook, score.intent, case.audience)
        if row is None:
            continue
        yield RowAsked(
            intent=score.intent,
            confidence=score.confidence,
            needed=playbook.min_confidence(score.intent, is_first=score == case.classification.primary),
            action=row.action.value,
            rollout=playbook.rollout(score.intent).value,
            template=row.template,
            branch=branches.get(score.intent, ""),
            rules=row.rules,
        )


# --- what if ----------------------------------------------------------------------------------------------------------

COLLEAGUE = Sender(Role.INTERNAL, Trust.KNOWN, "what if")
STRANGER = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "what if")


def _surer(case: Case) -> Case:
    sure = tuple(IntentScore(score.intent, 1.0) for score in case.classification.intents)
    understood = replace(
        case.classification, intents=sure, runner_up=None, actions=ActionScores(1.0, 0.0, 0.0), abstained=""
    )
    return replace(case, classification=understood)


def _first(case: Case) -> Case:
    return replace(case, history=History(), facts=case.facts - {"is_follow_up"})


def _second(case: Case) -> Case:
    return replace(case, history=replace(case.history, is_known_thread=True, answers_in_thread=1))


def _from(sender: Sender) -> Callable[[Case], Case]:
    return lambda case: replace(case, sender=sender)


def _turned(fact: str) -> Callable[[Case], Case]:
    return lambda case: replace(case, facts=case.facts ^ {fact})


_CHANGES: tuple[tuple[str, Callable[[Case], Case]], ...] = (
    ("if the model were sure of what it says", _surer),
    ("if it were the first mail of its thread, from a sender without a past", _first),
    ("if the thread already had our answer", _second),
    ("from a proven colleague", _from(COLLEAGUE)),
    ("from a stranger", _from(STRANGER)),
)


def _changes(case: Case) -> Iterator[tuple[str, Callable[[Case], Case]]]:
    yield from _CHANGES
    for fact in sorted(FACTS):
        yield f"{'without' if fact in case.facts else 'with'} the fact {fact}", _turned(fact)


def _what_ifs(case: Case, playbook: Playbook, decision: Decision) -> Iterator[WhatIf]:
    """First what a live desk would do, if this one is not; then what would change that."""
    live = playbook.as_if_live()
    is_done = _done(decide(case, live))
    if is_done != _done(decision):
        yield WhatIf("if the desk were live", is_done)
    for change, changed in _changes(case):
        then = _done(decide(changed(case), live))
        if then != is_done:
            yield WhatIf(change, then)


def _done(decision: Decision) -> str:
    """What a partner or a specialist would notice."""
    parts = [part.template + (f" ({part.branch})" if part.branch else "") for part in decision.answers]
    return " ".join((decision.action.value, *([f"with {', '.join(parts)}"] if parts else [])))
