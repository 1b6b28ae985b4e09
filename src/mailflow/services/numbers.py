"""The numbers of the last days, read in one view of the store. What they mean: core/numbers.py."""

from datetime import UTC, datetime, time, timedelta

from mailflow.core.numbers import Numbers, numbers
from mailflow.core.review_store import ReviewStore

MOST_CORRECTIONS = 20_000


def numbers_of(store: ReviewStore, days: int, now: datetime) -> Numbers:
    """Of the last `days` days, today included."""
    first = (now - timedelta(days=days - 1)).date()
    since = datetime.combine(first, time(), tzinfo=UTC)
    with store.view() as unit:
        corrections = unit.corrections(MOST_CORRECTIONS, since)
        return numbers(
            unit.past_mails(since),
            unit.persons_answers(since),
            corrections,
            unit.first_confidences([one.correction.message_id for one in corrections]),
            unit.held_since(),
            since=first,
            now=now,
        )
