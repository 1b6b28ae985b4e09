"""What the desk did, in numbers: for the dashboard and its exports. Pure: rows of the past in, sums out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median, quantiles

from mailflow.core.review import CorrectionView

AGES: tuple[tuple[str, timedelta], ...] = (
    ("under 1 hour", timedelta(hours=1)),
    ("1 to 4 hours", timedelta(hours=4)),
    ("4 to 24 hours", timedelta(hours=24)),
    ("1 to 3 days", timedelta(days=3)),
    ("3 to 7 days", timedelta(days=7)),
    ("over 7 days", timedelta.max),
)
BINS = 10
"""Of the confidence, each a tenth wide."""


@dataclass(frozen=True, slots=True)
class PastMail:
    """One decided mail, as far as the numbers go."""

    thread_id: int
    received_at: datetime
    action: str
    intent: str
    confidence: float
    """Of the first intent; 0 where none was claimed."""
    reason: str
    """Code of the first reason."""
    answered_at: datetime | None
    """When the automatic answer went out."""


@dataclass(frozen=True, slots=True)
class PersonsAnswer:
    thread_id: int
    queued_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Of times to an answer, in seconds; None where there is none."""

    count: int
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Of corrected mails whose first intent had a confidence from `low` on: how often a person said the same."""

    low: float
    mails: int
    agreed: int


@dataclass(frozen=True, slots=True)
class Numbers:
    since: date
    until: date
    mails: int
    by_day: tuple[tuple[date, dict[str, int]], ...]
    """Action -> mails, each day of the time."""
    by_intent: tuple[tuple[str, dict[str, int]], ...]
    """Action -> mails, the most frequent intent first."""
    held_by_reason: tuple[tuple[str, int], ...]
    automation: float | None
    """Share of the mails that ask for something which were answered by themselves."""
    time_to_answer: Spread
    time_to_person: Spread
    """From the first mail of a thread to a person's answer."""
    corrected: int
    """Mails of which people said something; each counts once, with the last word about it."""
    agreed: int
    """Corrected mails of which people say what the model said: the same intents."""
    right_actions: int
    """Corrected mails with which was done what people say; where all answers are drafts, every mail is held."""
    agreement_by_intent: tuple[tuple[str, int, int], ...]
    """(intent, corrected, agreed)."""
    wrong_answers: int
    """Mails that were answered by themselves and of which a person says otherwise."""
    reopened: int
    """Threads that were answered by themselves and in which somebody wrote again and was held."""
    answered_threads: int
    reliability: tuple[ReliabilityBin, ...]
    queue_age: tuple[tuple[str, int], ...]


def numbers(
    mails: Sequence[PastMail],
    answers: Sequence[PersonsAnswer],
    corrections: Sequence[CorrectionView],
    confidences: dict[int, float],
    held_since: Iterable[datetime],
    *,
    since: date,
    now: datetime,
) -> Numbers:
    """`confidences`: of the first intent, by message row of the corrected mails."""
    said = last_of_each(corrections)
    actions: dict[date, Counter[str]] = {}
    intents: dict[str, Counter[str]] = {}
    for one in mails:
        actions.setdefault(one.received_at.date(), Counter())[one.action] += 1
        intents.setdefault(one.intent or "none claimed", Counter())[one.action] += 1
    asked = [one for one in mails if one.action != "none"]
    answered = [one for one in mails if one.action == "reply"]
    days = [since + timedelta(days=n) for n in range((now.date() - since).days + 1)]
    return Numbers(
        since=since,
        until=now.date(),
        mails=len(mails),
        by_day=tuple((day, dict(actions.get(day, Counter()))) for day in days),
        by_intent=tuple(sorted(((name, dict(of)) for name, of in intents.items()), key=_by_total)),
        held_by_reason=tuple(Counter(one.reason for one in mails if one.action == "review").most_common()),
        automation=len(answered) / len(asked) if asked else None,
        time_to_answer=spread(
            (one.answered_at - one.received_at).total_seconds() for one in mails if one.answered_at is not None
        ),
        time_to_person=spread(_waits_for_person(mails, answers)),
        corrected=len(said),
        agreed=sum(map(is_agreed, said)),
        right_actions=sum(map(is_right_action, said)),
        agreement_by_intent=_agreement(said),
        wrong_answers=sum(_is_wrong_answer(one) for one in said),
        reopened=len(_reopened(mails)),
        answered_threads=len({one.thread_id for one in answered}),
        reliability=_reliability(said, confidences),
        queue_age=queue_age(held_since, now),
    )


def spread(seconds: Iterable[float]) -> Spread:
    values = sorted(seconds)
    if len(values) < 2:
        return Spread(len(values), values[0] if values else None, values[0] if values else None)
    return Spread(len(values), median(values), quantiles(values, n=20, method="inclusive")[-1])


def last_of_each(corrections: Sequence[CorrectionView]) -> list[CorrectionView]:
    """The last word about each mail, newest first."""
    newest = sorted(corrections, key=lambda one: (one.at, one.id))
    return sorted({one.correction.message_id: one for one in newest}.values(), key=lambda one: (one.at, one.id))[::-1]


def is_agreed(one: CorrectionView) -> bool:
    """Whether the model was right. Why intents alone: what is done with a mail, the policy says, and its rollout."""
    return set(one.correction.intents) == set(one.predicted)


def is_right_action(one: CorrectionView) -> bool:
    return one.correction.action == one.predicted_action


def _is_wrong_answer(one: CorrectionView) -> bool:
    return one.predicted_action == "reply" and not (is_agreed(one) and is_right_action(one))


def queue_age(held_since: Iterable[datetime], now: datetime) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for at in held_since:
        counts[next(name for name, upper in AGES if now - at < upper or upper is timedelta.max)] += 1
    return tuple((name, counts[name]) for name, _ in AGES)


def _by_total(item: tuple[str, dict[str, int]]) -> tuple[int, str]:
    return -sum(item[1].values()), item[0]


def _waits_for_person(mails: Sequence[PastMail], answers: Sequence[PersonsAnswer]) -> Iterable[float]:
    first: dict[int, datetime] = {}
    for one in mails:
        first.setdefault(one.thread_id, one.received_at)
    seen: set[int] = set()
    for answer in sorted(answers, key=lambda one: one.queued_at):
        if answer.thread_id in first and answer.thread_id not in seen:
            seen.add(answer.thread_id)
            yield (answer.queued_at - first[answer.thread_id]).total_seconds()


def _agreement(corrections: Sequence[CorrectionView]) -> tuple[tuple[str, int, int], ...]:
    corrected: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for one in corrections:
        name = one.correction.intents[0] if one.correction.intents else "none of ours"
        corrected[name] += 1
        agreed[name] += is_agreed(one)
    return tuple((name, count, agreed[name]) for name, count in corrected.most_common())


def _reopened(mails: Sequence[PastMail]) -> set[int]:
    """Did the path work? Threads where the answer was followed by a mail that had to be held."""
    answered: set[int] = set()
    reopened: set[int] = set()
    for one in sorted(mails, key=lambda mail: mail.received_at):
        if one.action == "review" and one.thread_id in answered:
            reopened.add(one.thread_id)
        if one.action == "reply":
            answered.add(one.thread_id)
    return reopened


def _reliability(corrections: Sequence[CorrectionView], confidences: dict[int, float]) -> tuple[ReliabilityBin, ...]:
    mails, agreed = [0] * BINS, [0] * BINS
    for one in corrections:
        if one.correction.message_id not in confidences or not one.predicted:
            continue
        n = min(int(confidences[one.correction.message_id] * BINS), BINS - 1)
        mails[n] += 1
        agreed[n] += one.predicted[:1] == one.correction.intents[:1]
    return tuple(ReliabilityBin(n / BINS, mails[n], agreed[n]) for n in range(BINS))
