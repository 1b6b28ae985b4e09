"""The stored mails through two desks: the one that works, and the one that might. Rules: core/replay.py."""

from collections.abc import Callable, Iterator
from datetime import datetime

from mailflow.core.classification import Action
from mailflow.core.message import OriginKind
from mailflow.core.octets import Octets
from mailflow.core.replay import Done, Replayed, ReplayReport, done, report
from mailflow.core.review_store import ReviewStore, StoredMail
from mailflow.errors import MailflowError
from mailflow.services.triage import Triage, Triaged

MOST_ROWS = 500


def replay(
    store: ReviewStore,
    before: Triage,
    after: Triage,
    *,
    since: datetime | None,
    limit: int,
    progress: Callable[[float, float], None] = lambda done, of: None,
) -> ReplayReport:
    """The newest `limit` mails since `since`, whose octets are kept. Raises StoreError."""
    with store.view() as unit:
        mails = unit.stored_mails(since, limit)
    return report(before.version, after.version, _replayed(store, before, after, mails, progress), MOST_ROWS)


def _replayed(
    store: ReviewStore,
    before: Triage,
    after: Triage,
    mails: list[StoredMail],
    progress: Callable[[float, float], None],
) -> Iterator[Replayed]:
    for n, mail in enumerate(mails):
        progress(n, len(mails))
        with store.opened(mail.inbound_id) as content:
            origin, was = _done(before, content)
            _, would_be = _done(after, content)
        yield Replayed(
            mail.message_id,
            mail.thread_id,
            mail.subject,
            mail.from_addr,
            mail.received_at,
            origin,
            was,
            would_be,
            mail.corrected,
        )


def _done(triage: Triage, content: Octets) -> tuple[OriginKind, Done]:
    try:
        triaged: Triaged = triage.triage(content)
    except MailflowError as error:  # a mail that cannot be read is one for a person, on either side
        return OriginKind.HUMAN, Done(Action.REVIEW, (), (), str(error))
    intents = [score.intent for score in triaged.classification.intents]
    return triaged.understood.origin.kind, done(triaged.decision, intents)
