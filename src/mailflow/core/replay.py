"""What a change would have done: the stored mails decided again, before and after, and every decision that differs.

Rule: both sides are asked under the same conditions: as if the desk were live, and the mail the first of its thread.
What was really done is told beside it, because it also depended on the day's budget and on what people did.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailflow.core.classification import Action
from mailflow.core.message import OriginKind
from mailflow.core.policy import Decision
from mailflow.core.review import Correction


class Change(StrEnum):
    """In the order of how much they matter."""

    GAINS = "gains an answer"
    OTHER = "another answer"
    LOSES = "loses its answer"
    HELD = "held, was ignored"
    IGNORED = "ignored, was held"
    SAME = "the same"


@dataclass(frozen=True, slots=True)
class Done:
    """What is done with a mail, as far as a partner or a specialist notices."""

    action: Action
    templates: tuple[str, ...]
    intents: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Replayed:
    message_id: int
    thread_id: int
    subject: str
    from_addr: str
    received_at: datetime
    origin: OriginKind
    before: Done
    after: Done
    corrected: Correction | None
    """What a person said that it is."""

    @property
    def change(self) -> Change:
        return change(self.before, self.after)

    @property
    def may_loop(self) -> bool:
        """A machine would be answered that was not."""
        return self.change is Change.GAINS and self.origin is not OriginKind.HUMAN


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Of all mails that were replayed; `rows` are those that differ, what matters most first."""

    before: str
    """Version of model and playbook."""
    after: str
    mails: int
    counts: dict[Change, int]
    rows: tuple[Replayed, ...]
    loops: int
    most_to_one_sender: int
    """Answers a day to one address, after."""
    corrected: int
    """Mails of which a person said what they are."""
    agreed_before: int
    agreed_after: int


def done(decision: Decision, intents: Sequence[str]) -> Done:
    parts = tuple(f"{part.template} {part.branch}".strip() for part in decision.answers)
    return Done(decision.action, parts, tuple(intents), decision.reasons[0].sentence if decision.reasons else "")


def change(before: Done, after: Done) -> Change:
    if before.action is after.action:
        return Change.SAME if before.templates == after.templates else Change.OTHER
    if after.action is Action.REPLY:
        return Change.GAINS
    if before.action is Action.REPLY:
        return Change.LOSES
    return Change.HELD if after.action is Action.REVIEW else Change.IGNORED


def agrees(done: Done, corrected: Correction) -> bool:
    """Whether a person would have done the same: the action, and for an answer the same matters."""
    if done.action.value != corrected.action:
        return False
    return done.action is not Action.REPLY or set(done.intents) == set(corrected.intents)


def report(before: str, after: str, replayed: Iterable[Replayed], most_rows: int) -> ReplayReport:
    counts: Counter[Change] = Counter()
    to_sender: Counter[tuple[str, str]] = Counter()
    rows: list[Replayed] = []
    loops = corrected = agreed_before = agreed_after = 0
    for one in replayed:
        counts[one.change] += 1
        loops += one.may_loop
        if one.change is not Change.SAME:
            rows.append(one)
        if one.after.action is Action.REPLY:
            to_sender[one.from_addr.lower(), f"{one.received_at:%Y-%m-%d}"] += 1
        if one.corrected is not None:
            corrected += 1
            agreed_before += agrees(one.before, one.corrected)
            agreed_after += agrees(one.after, one.corrected)
    order = list(Change)
    rows.sort(key=lambda one: (not one.may_loop, order.index(one.change), one.message_id))
    return ReplayReport(
        before=before,
        after=after,
        mails=counts.total(),
        counts={one: counts[one] for one in Change},
        rows=tuple(rows[:most_rows]),
        loops=loops,
        most_to_one_sender=max(to_sender.values(), default=0),
        corrected=corrected,
        agreed_before=agreed_before,
        agreed_after=agreed_after,
    )
