"""Calls to other systems leave here, one at a time; a receiver that does not answer holds up nothing else.

    claim: queued -> sending, committed
    2xx                                -> sent
    408, 425, 429, 5xx, no answer      -> queued again, later and later; after five tries failed
    everything else                    -> failed, told in the thread's trail
    its worker is gone                 -> queued: a receiver may hear twice, and knows it by `Mailflow-Delivery`

Rule: a call never changes what becomes of a mail.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import structlog

from mailflow.core.delivery import next_attempt
from mailflow.core.hooks import HookCall
from mailflow.core.ports import Clock
from mailflow.errors import MailflowError

log = structlog.get_logger(__name__)


class UnknownReceiver(MailflowError):
    """It was taken out of the settings after the call was queued."""

    temporary = False


class Receiver(Protocol):
    def call(self, call: HookCall, now: datetime) -> None:
        """Raises ConnectionFailed where it may be tried again, CallRefused where not."""
        ...

    def close(self) -> None: ...


class HooksUnit(Protocol):
    def claim_hook(self, now: datetime) -> HookCall | None: ...
    def finish_hook(self, call: HookCall, due_at: datetime | None, error: str, now: datetime) -> bool: ...
    def free_hooks(self) -> int: ...


class HooksStore(Protocol):
    def unit(self) -> AbstractContextManager[HooksUnit]: ...


class Hooks:
    def __init__(
        self,
        *,
        store: HooksStore,
        receivers: Mapping[str, Receiver],
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._store, self._receivers, self._clock, self._jitter = store, receivers, clock, jitter

    def deliver_all(self, is_stopped: Callable[[], bool] = lambda: False) -> int:
        """All that is due. Returns how many arrived. Raises StoreError. Call it in one thread at a time."""
        with self._store.unit() as unit:
            unit.free_hooks()
        arrived = 0
        while not is_stopped():
            now = self._clock.now()
            with self._store.unit() as unit:
                call = unit.claim_hook(now)
            if call is None:
                break
            arrived += self._deliver(call)
        return arrived

    def _deliver(self, call: HookCall) -> bool:
        due_at, error = self._try(call)
        with self._store.unit() as unit:
            unit.finish_hook(call, due_at, error, self._clock.now())
        tell = log.warning if error else log.info
        tell("call", receiver=call.receiver, hook_event=call.event.value, thread=call.thread_id, error=error)
        return not error

    def _try(self, call: HookCall) -> tuple[datetime | None, str]:
        """(when it is due again, what went wrong)."""
        try:
            receiver = self._receivers.get(call.receiver)
            if receiver is None:
                raise UnknownReceiver(f"[hooks.{call.receiver}] is not in the settings any more")
            receiver.call(call, self._clock.now())
        except Exception as error:  # noqa: BLE001 - the edge of one call: recorded in its row
            retry = next_attempt(error, call.attempts, self._clock.now(), self._jitter())
            return retry.due_at, retry.reason
        return None, ""

    def close(self) -> None:
        for receiver in self._receivers.values():
            receiver.close()
