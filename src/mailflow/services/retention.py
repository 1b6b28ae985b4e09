"""Purge and erase, a few threads a transaction. The rules: core/retention.py.

    purge   old threads -> bytes of old copies -> sentences of no thread -> small things
            -> what was deleted is overwritten -> one event that tells of it
    erase   his names from the headers of his mails -> threads in which he took part -> mails about him elsewhere
            -> mails of his in quarantine -> mutes, notes, trail -> what was deleted is overwritten -> a receipt

Rule: a dry run does the same, transaction by transaction, and takes each back; so it counts what would be counted.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from email.parser import BytesHeaderParser
from typing import Protocol

from mailflow.core.message import Address
from mailflow.core.octets import Octets
from mailflow.core.ports import Clock
from mailflow.core.retention import NOTHING, Counts, Person, Receipt, address_hmac
from mailflow.errors import StoreError
from mailflow.reading.headers import CappedPolicy, addresses, by_name, raw_fields

THREADS_AT_ONCE = 50
_MAILS_FOR_NAMES = 200
"""His newest mails, whose headers tell under which names he wrote."""
_HEADER = 64 << 10
"""Octets of a mail in which its header is looked for."""
KEY = "erasure"
"""The name of the store's key under which addresses are hashed in receipts."""
Place = tuple[datetime, int]


class RetentionUnit(Protocol):
    """One transaction."""

    def serialize(self) -> None: ...
    def old_threads(self, cutoff: datetime, after: Place | None, limit: int) -> list[Place]: ...
    def open_old_threads(self, cutoff: datetime) -> int: ...
    def purge_threads(self, thread_ids: list[int], cutoff: datetime, now: datetime) -> Counts: ...
    def purge_ledger(self, cutoff: datetime, after: int, now: datetime) -> tuple[int | None, Counts]: ...
    def purge_trail(self, cutoff: datetime, after: int) -> tuple[int | None, Counts]: ...
    def purge_rest(self, cutoff: datetime) -> Counts: ...
    def tell_of_purge(self, cutoff: datetime, counts: Counts, now: datetime, actor: str) -> None: ...
    def threads_of(self, address: str) -> list[int]: ...
    def mails_of(self, address: str, limit: int) -> list[int]: ...
    def undecided_mails(self) -> list[tuple[int, bool]]: ...
    def mails_about(self, person: Person, except_threads: list[int]) -> list[int]: ...
    def erase_from_thread(self, thread_id: int, person: Person, now: datetime) -> Counts: ...
    def erase_from_mail(self, message_id: int, person: Person, now: datetime) -> Counts: ...
    def erase_undecided(self, inbound_id: int, now: datetime) -> Counts: ...
    def erase_elsewhere(self, person: Person, except_threads: list[int]) -> Counts: ...
    def erase_from_trail(self, person: Person, except_threads: list[int], after: int) -> tuple[int | None, Counts]: ...
    def keep_receipt(self, address_hmac: str, counts: Counts, now: datetime, actor: str, version: str) -> Receipt: ...
    def receipts(self, address_hmac: str) -> list[Receipt]: ...
    def merge_index(self, *, begins: bool) -> bool: ...


class RetentionStore(Protocol):
    def unit(self) -> AbstractContextManager[RetentionUnit]: ...
    def view(self) -> AbstractContextManager[RetentionUnit]: ...
    def opened(self, inbound_id: int) -> AbstractContextManager[Octets]: ...
    def key(self, name: str) -> bytes: ...
    def overwrite(self) -> bool:
        """Let nothing of what was deleted be left in the files of the database, as far as that is in our hands.

        False: somebody reads there all the time, and it is left for now.
        """
        ...


class _TakenBack(Exception):
    """Ends a transaction of a dry run."""


class Retention:
    def __init__(self, store: RetentionStore, clock: Clock, actor: str, *, dry_run: bool = False) -> None:
        """`actor`: who asked for it, for the audit trail and the receipt."""
        self._store, self._clock, self._actor, self._dry_run = store, clock, actor, dry_run

    # ------------------------------------------------------------------ purge

    def purge(self, older_than: timedelta) -> Counts:
        """Take away what is older. `left`: threads that are, and wait for something. Raises StoreError."""
        cutoff = self._clock.now() - older_than
        counts, place = Counts(), None
        while True:
            with self._unit() as unit:
                found = unit.old_threads(cutoff, place, THREADS_AT_ONCE)
                if found:
                    counts = counts.plus(unit.purge_threads([one for _, one in found], cutoff, self._now))
                    place = found[-1]
            if len(found) < THREADS_AT_ONCE:
                break
        counts = counts.plus(self._step_by_step(lambda unit, after: unit.purge_ledger(cutoff, after, self._now)))
        counts = counts.plus(self._step_by_step(lambda unit, after: unit.purge_trail(cutoff, after)))
        with self._unit() as unit:
            counts = counts.plus(unit.purge_rest(cutoff)).plus(Counts(left=unit.open_old_threads(cutoff)))
        counts = counts.plus(self._overwritten())
        with self._unit() as unit:
            unit.tell_of_purge(cutoff, counts, self._now, self._actor)
        return counts

    # ------------------------------------------------------------------ erase

    def erase(self, address: str, version: str) -> Receipt:
        """Take one requester away. `version`: of mailflow, for the receipt. Raises StoreError."""
        address = address.strip().lower()
        with self._store.view() as view:
            threads, mails = view.threads_of(address), view.mails_of(address, _MAILS_FOR_NAMES)
        person = Person(address, tuple(sorted({name for one in mails for name in self._names_in(one, address)})))
        counts = Counts()
        for thread_id in threads:
            with self._unit() as unit:
                counts = counts.plus(unit.erase_from_thread(thread_id, person, self._now))
        counts = counts.plus(self._erase_about(person, threads)).plus(self._erase_undecided(address))
        only_address = Person(address)
        with self._unit() as unit:
            counts = counts.plus(unit.erase_elsewhere(only_address, threads))
        trail = self._step_by_step(lambda unit, after: unit.erase_from_trail(only_address, threads, after))
        counts = counts.plus(trail).plus(self._overwritten())
        hashed = address_hmac(self._store.key(KEY), address)
        with self._unit() as unit:
            return unit.keep_receipt(hashed, counts, self._now, self._actor, version)

    def receipts(self, address: str) -> list[Receipt]:
        """Those of one address, oldest first."""
        hashed = address_hmac(self._store.key(KEY), address)
        with self._store.view() as view:
            return view.receipts(hashed)

    def _erase_about(self, person: Person, except_threads: list[int]) -> Counts:
        counts = Counts()
        with self._store.view() as view:
            mails = view.mails_about(Person(person.address), except_threads)
        for message_id in mails:
            with self._unit() as unit:
                counts = counts.plus(unit.erase_from_mail(message_id, person, self._now))
        return counts

    def _erase_undecided(self, address: str) -> Counts:
        counts = Counts()
        with self._store.view() as view:
            undecided = view.undecided_mails()
        for inbound_id, is_quarantined in undecided:
            if not any(one.addr_spec.lower() == address for one in self._authors(inbound_id)):
                continue
            if not is_quarantined:
                counts = counts.plus(Counts(left=1))
                continue
            with self._unit() as unit:
                counts = counts.plus(unit.erase_undecided(inbound_id, self._now))
        return counts

    def _names_in(self, inbound_id: int, address: str) -> Iterator[str]:
        for one in self._authors(inbound_id):
            if one.addr_spec.lower() == address and one.display_name:
                yield one.display_name

    def _authors(self, inbound_id: int) -> tuple[Address, ...]:
        """From of a mail as it came; () where its bytes cannot be had any more."""
        with suppress(StoreError), self._store.opened(inbound_id) as content:
            header = BytesHeaderParser(policy=CappedPolicy()).parsebytes(content[:_HEADER])
            return addresses(by_name(raw_fields(header)).get("from", []))
        return ()

    # ------------------------------------------------------------------ both

    @property
    def _now(self) -> datetime:
        return self._clock.now()

    @contextmanager
    def _unit(self) -> Iterator[RetentionUnit]:
        """A transaction in which no mail is decided; taken back in a dry run."""
        with suppress(_TakenBack), self._store.unit() as unit:
            unit.serialize()
            yield unit
            if self._dry_run:
                raise _TakenBack

    def _step_by_step(self, step: Callable[[RetentionUnit, int], tuple[int | None, Counts]]) -> Counts:
        counts, after = Counts(), 0
        while True:
            with self._unit() as unit:
                last, done = step(unit, after)
            counts = counts.plus(done)
            if last is None:
                return counts
            after = last

    def _overwritten(self) -> Counts:
        if self._dry_run:
            return NOTHING
        begins, has_more = True, True
        while has_more:
            with self._unit() as unit:
                has_more = unit.merge_index(begins=begins)
            begins = False
        return NOTHING if self._store.overwrite() else Counts(not_overwritten=1)
