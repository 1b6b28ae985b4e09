"""The loops of a running desk: one thread reads and decides, one sends. Either may stop and start without loss.

    intake:  fetch -> store -> decide everything due -> move on the server -> wait (IDLE, at most `poll`)
    sender:  deliver everything due -> wait until the next is due or something was queued

Rule: a lost connection is normal: wait, longer each time (capped, with jitter), and connect again.
Rule: a stop request ends each loop at the next safe point; nothing is left half done that the ledger does not know.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from mailflow.core.ports import Clock, Source
from mailflow.core.storage import Store
from mailflow.errors import LoginRefused, MailflowError
from mailflow.services.ingest import acknowledge, ingest
from mailflow.services.outbox import LEASE, Outbox
from mailflow.services.processing import Processing

log = logging.getLogger(__name__)
_FIRST_DELAY, _LONGEST_DELAY = timedelta(seconds=1), timedelta(minutes=5)


def reconnect_delay(failures: int, jitter: float) -> timedelta:
    """How long to wait after the `failures`-th failure in a row: 1 s doubling up to 5 minutes, times 0.8 to 1.2."""
    doubled: int = 1 << min(failures - 1, 16)
    return min(_FIRST_DELAY * doubled, _LONGEST_DELAY) * (0.8 + 0.4 * jitter)


@dataclass(slots=True)
class Signals:
    """How the loops hear of each other and of the end."""

    stop: threading.Event = field(default_factory=threading.Event)
    queued: threading.Event = field(default_factory=threading.Event)


class Worker:
    """One mailbox and one outbox, one process."""

    def __init__(
        self,
        *,
        source: Source,
        store: Store,
        processing: Processing,
        outbox: Outbox,
        clock: Clock,
        jitter: Callable[[], float],
        poll: timedelta,
    ) -> None:
        self._source, self._store, self._processing, self._outbox = source, store, processing, outbox
        self._clock, self._jitter, self._poll = clock, jitter, poll
        self.signals = Signals()
        self._broken: Exception | None = None

    def run(self) -> None:
        """Work until `stop` is called. Raises what ended the sender, if it was not a stop."""
        self.recover()
        sender = threading.Thread(target=self._send_until_stopped, name="sender", daemon=True)
        sender.start()
        try:
            self._take_in_until_stopped()
        finally:
            self.stop()
            sender.join()
            self._source.close()
        if self._broken is not None:
            raise self._broken

    def run_once(self) -> None:
        """Deal with all that is there now, then return. Raises ConnectionFailed, LoginRefused, StoreError."""
        self.recover()
        self._take_in()
        while self._outbox.deliver_one() is not None:
            pass
        self._outbox.close()
        self._source.close()

    def recover(self) -> None:
        """What a stopped worker left in the middle. Safe only while no other worker uses the store."""
        reclaimed = self._reclaim()
        doubtful = self._outbox.recover()
        if reclaimed or doubtful:
            log.warning("found after a stop: %d mails to read again, %d answers uncertain", reclaimed, doubtful)

    def stop(self) -> None:
        """End both loops soon. May be called from any thread and from a signal handler."""
        self.signals.stop.set()
        self.signals.queued.set()
        self._source.interrupt()

    # ------------------------------------------------------------------ intake

    def _reclaim(self) -> int:
        """Give back mails that a turn claimed and did not settle. Safe here: the intake alone claims, between turns."""
        with self._store.unit() as unit:
            return unit.reclaim_abandoned(self._clock.now())

    def _take_in(self) -> None:
        recorded = ingest(self._source, self._store, self._clock)
        if recorded.new or recorded.copies:
            log.info("stored %d mails, %d copies", recorded.new, recorded.copies)
        self._decide_all()
        acknowledge(self._source, self._store, self._clock)

    def _decide_all(self) -> None:
        while not self.signals.stop.is_set():
            report = self._processing.turn()
            if report.decided or report.copies or report.failed:
                log.info("decided %d, copies %d, failed %d", report.decided, report.copies, report.failed)
                self.signals.queued.set()
            else:
                return

    def _take_in_until_stopped(self) -> None:
        failures = 0
        while not self.signals.stop.is_set():
            try:
                if failures:
                    self._reclaim()
                self._take_in()
                failures = 0
                if not self.signals.stop.is_set():
                    self._source.wait(self._time_to_next_due())
            except MailflowError as error:
                failures += 1
                self._source.close()
                self._pause(failures, error)

    def _time_to_next_due(self) -> timedelta:
        """At most `poll`: IDLE is only a hint, and a postponed mail wants its turn."""
        with self._store.unit() as unit:
            due = unit.next_due()
        return self._poll if due is None else min(self._poll, max(due - self._clock.now(), timedelta(seconds=1)))

    def _pause(self, failures: int, error: MailflowError) -> None:
        delay = reconnect_delay(failures, self._jitter())
        level = logging.ERROR if isinstance(error, LoginRefused) or failures > 3 else logging.WARNING
        log.log(level, "%s: %s; next try in %.0f s", type(error).__name__, error, delay.total_seconds())
        self.signals.stop.wait(delay.total_seconds())

    # ------------------------------------------------------------------ sending

    def _send_until_stopped(self) -> None:
        failures = 0
        while not self.signals.stop.is_set():
            try:
                while not self.signals.stop.is_set() and (state := self._outbox.deliver_one()) is not None:
                    log.info("answer %s", state)
                failures = 0
                self._outbox.recover(LEASE)
                self.signals.queued.wait(self._time_to_next_due().total_seconds())
                self.signals.queued.clear()  # after the wait: a stop or an answer in between is looked for above
            except MailflowError as error:
                failures += 1
                self._pause(failures, error)
            except Exception as error:  # noqa: BLE001 - the edge of the loop: a desk that cannot send must not go on
                self._broken = error
                self.stop()
        self._outbox.close()
