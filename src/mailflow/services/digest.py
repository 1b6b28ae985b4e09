"""Once a day, to whoever runs the desk: what did not go out for sure. Rules: core/digest.py."""

from datetime import datetime

from mailflow.core.delivery import OutboxState
from mailflow.core.digest import MOST_SHOWN, DigestHeaders, Troubles, compose_digest
from mailflow.core.storage import Store


class Digest:
    """A chore of the worker."""

    def __init__(self, *, store: Store, headers: DigestHeaders, hour: int) -> None:
        """`hour`: not before it, UTC."""
        self._store, self._headers, self._hour = store, headers, hour
        self._sent_on: datetime | None = None

    def __call__(self, now: datetime) -> None:
        is_done = self._sent_on is not None and self._sent_on.date() == now.date()
        if now.hour < self._hour or is_done:
            return
        with self._store.view() as unit:
            troubles = Troubles(
                failed=unit.outbox(MOST_SHOWN + 1, OutboxState.FAILED),
                uncertain=unit.outbox(MOST_SHOWN + 1, OutboxState.UNCERTAIN),
                quarantined=unit.quarantined(MOST_SHOWN + 1),
            )
        if not troubles.is_empty:
            with self._store.unit() as unit:
                unit.enqueue_digest(compose_digest(troubles, self._headers, now), now)
        self._sent_on = now
