"""From a stored mail to a decided one: read, classify, decide, compose, and everything committed at once.

    claim (commit) -> read each -> look up the language of short ones' threads -> classify the batch
    -> one transaction: thread, message, classification, decision, audit events, outbox entry, final state

Rule: nothing slow happens inside a transaction: reading and classifying come before it.
Rule: one bad mail never stops the others. It has its own savepoint; what fails is undone, counted and tried again
later, and after five tries it is in quarantine with its reason.
Rule: the history that guards a decision is read in the transaction that stores it, so two mails of one batch see
each other.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from mailflow.core.classification import Classification
from mailflow.core.conversation import Clues, Placement, place
from mailflow.core.delivery import OWN_COPY, next_attempt
from mailflow.core.message import Address, InboundMessage, OriginKind, OutboundMessage
from mailflow.core.partner import NO_PARTNERS
from mailflow.core.playbook import Playbook
from mailflow.core.policy import Case, Decision, decide, reply_address
from mailflow.core.ports import Classifier, Clock, Letter, Renderer
from mailflow.core.reply import ReplyHeaders, compose
from mailflow.core.storage import ClaimedMail, Read, Store, Understood, Unit
from mailflow.core.storage import Outcome as StoredOutcome
from mailflow.core.telemetry import NO_METER, Event, Meter, Stage
from mailflow.errors import StoreError
from mailflow.reading import thread
from mailflow.reading.understand import classifier_input
from mailflow.services.measuring import timed

BATCH = 50
Failures = list[tuple[ClaimedMail, Exception]]


@dataclass(frozen=True, slots=True)
class DeskIdentity:
    """Who answers."""

    name: str
    address: str
    addresses: frozenset[str]
    """All addresses of the desk, lower case."""
    reverse_path: str
    message_id_domain: str
    reply_key: bytes
    """Signs the thread tokens in our Message-IDs."""
    reopen_within: timedelta = timedelta(days=60)
    """Mail for a thread that rested longer begins a new one."""
    has_subaddress: bool = False
    """Whether answers carry a Reply-To with the thread's token."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one turn did."""

    decided: int = 0
    copies: int = 0
    failed: int = 0
    is_full: bool = False
    """Whether more may be due: all that were asked for came, or one that is tried alone."""

    @property
    def mails(self) -> int:
        return self.decided + self.copies + self.failed


class Processing:
    def __init__(
        self,
        *,
        store: Store,
        read: Read,
        classifier: Classifier,
        renderer: Renderer,
        playbook: Playbook,
        desk: DeskIdentity,
        clock: Clock,
        jitter: Callable[[], float],
        undo: timedelta = timedelta(0),
        meter: Meter = NO_METER,
    ) -> None:
        """`read` may raise PoisonMail for a mail that cannot be read in time; it is total otherwise.

        `undo`: how long an answer waits, so that a person can cancel it.
        """
        self.undo = undo
        self._store, self._read, self._classifier, self._renderer = store, read, classifier, renderer
        self._playbook, self._desk, self._clock, self._jitter = playbook, desk, clock, jitter
        self._partners, self._partners_version = NO_PARTNERS, ""
        self._meter = meter
        self._decided: list[tuple[str, str]] = []
        """(action, first reason) of the turn that is going on."""
        self._has_claimed = False

    def turn(self, limit: int = BATCH) -> Report:
        """Deal with up to `limit` due mails. Returns an empty report where nothing is due. Raises StoreError.

        What a turn that broke off had claimed, the next one gives back first.
        """
        now, was_broken_off, self._has_claimed = self._clock.now(), self._has_claimed, True
        with self._store.unit() as unit:
            if was_broken_off:
                unit.give_back(now)
            claimed = unit.claim_inbound(now, limit)
            if claimed and (version := unit.partners_version()) != self._partners_version:
                self._partners, self._partners_version = unit.partners(), version
        if not claimed:
            self._has_claimed = False
            return Report()
        failures: Failures = []
        understood = self._with_thread_language(self._understand(claimed, failures))
        with timed(self._meter, Stage.CLASSIFY):
            classified = self._classify(claimed, understood, failures)
        copies = 0
        self._decided.clear()
        with timed(self._meter, Stage.COMMIT), self._store.unit() as unit:
            unit.serialize()
            for mail in claimed:
                if mail.inbound_id not in classified:
                    continue
                try:
                    with unit.savepoint():
                        copies += self._settle(unit, mail, understood[mail.inbound_id], classified[mail.inbound_id])
                except StoreError:
                    raise  # no fault of this mail: all of them are given back and tried again
                except Exception as error:  # noqa: BLE001 - the edge of one mail: recorded below, the others go on
                    failures.append((mail, error))
            for mail, failure in failures:
                self._fail(unit, mail, failure)
        self._has_claimed = False
        for action, reason in self._decided:
            self._meter.count(Event.MAILS_DECIDED, action=action, reason=reason)
        is_full = len(claimed) == limit or claimed[0].attempts > 1
        return Report(len(claimed) - len(failures) - copies, copies, len(failures), is_full)

    def _understand(self, claimed: Sequence[ClaimedMail], failures: Failures) -> dict[int, Understood]:
        understood: dict[int, Understood] = {}
        for mail in claimed:
            try:
                with timed(self._meter, Stage.READ):
                    understood[mail.inbound_id] = self._read_one(mail)
            except Exception as error:  # noqa: BLE001 - the edge of one mail: recorded by the caller, the others go on
                failures.append((mail, error))
        return understood

    def _read_one(self, mail: ClaimedMail) -> Understood:
        if mail.content is not None:
            return self._read(mail.content, mail.size, self._partners)
        with self._store.opened(mail.inbound_id) as content:
            return self._read(content, mail.size, self._partners)

    def _with_thread_language(self, understood: dict[int, Understood]) -> dict[int, Understood]:
        """A mail too short to tell its language is taken to be in that of its thread."""
        untold = {key: read for key, read in understood.items() if not read.message.language}
        if not untold:
            return understood
        with self._store.view() as unit:
            for key, read in untold.items():
                joined = self._place(unit, read, self._clues(read)).joined
                if joined is not None:
                    message = replace(read.message, language=joined.language)
                    understood[key] = replace(read, message=message)
        return understood

    def _classify(
        self, claimed: Sequence[ClaimedMail], understood: Mapping[int, Understood], failures: Failures
    ) -> dict[int, Classification]:
        """All at once; one by one where the batch fails, so that the one that breaks it is found."""
        mails = [mail for mail in claimed if mail.inbound_id in understood]
        inputs = [classifier_input(understood[mail.inbound_id]) for mail in mails]
        try:
            return {mail.inbound_id: one for mail, one in zip(mails, self._classifier.classify(inputs), strict=True)}
        except Exception:  # noqa: BLE001 - whose fault it was is found out below, and recorded there
            classified = {}
        for mail, one in zip(mails, inputs, strict=True):
            try:
                classified[mail.inbound_id] = self._classifier.classify([one])[0]
            except Exception as error:  # noqa: BLE001 - the edge of one mail: recorded by the caller
                failures.append((mail, error))
        return classified

    def _settle(self, unit: Unit, mail: ClaimedMail, read: Understood, classification: Classification) -> bool:
        """Decide one mail and store all of it. True if it was a copy of a known one."""
        now, message = self._clock.now(), read.message
        key = dedup_key(message)
        known = unit.known(message.message_id, key)
        if known.copy_of is not None:
            unit.mark_copy(mail.inbound_id, known.copy_of, now)
            return True
        clues = self._clues(read)
        placement = self._place(unit, read, clues)
        recipient = reply_address(message)
        history = unit.history(recipient, placement.joined.thread_id if placement.joined else None, now)
        restored = unit.restored(mail.inbound_id, message.date)
        history = replace(history, is_message_id_reused=known.is_message_id_reused, restored=restored)
        facts = read.facts | ({"is_follow_up"} if history.answers_in_thread else set())
        case = Case(message, read.origin, read.sender, classification, facts, history, now, self._desk.addresses)
        decision = decide(case, self._playbook)
        self._decided.append((decision.action.value, decision.reasons[0].code if decision.reasons else ""))
        joined = placement.joined
        thread_id = joined.thread_id if joined else unit.open_thread(message.subject, clues, now)
        answer = self._answer(decision, message, recipient, thread_id, key) if decision.answers else None
        unit.save(
            StoredOutcome(
                mail.inbound_id,
                mail.sha256,
                key,
                thread_id,
                placement,
                read,
                classification,
                decision,
                answer,
                now + self.undo,
            ),
            now,
        )
        unit.prove_sent(*_proof_of_sending(read), now)
        if read.origin.kind is OriginKind.BOUNCE:
            self._meter.count(Event.BOUNCES, unit.record_bounce(read.origin, now))
        return False

    def _clues(self, read: Understood) -> Clues:
        return thread.clues(read.message, read.origin.returned_message_ids, self._desk.reply_key)

    def _place(self, unit: Unit, read: Understood, clues: Clues) -> Placement:
        return place(
            read.message,
            read.origin,
            read.sender,
            unit.candidates(clues),
            now=self._clock.now(),
            reopen_within=self._desk.reopen_within,
        )

    def _answer(
        self, decision: Decision, message: InboundMessage, recipient: Address | None, thread_id: int, key: str
    ) -> OutboundMessage:
        if recipient is None:
            raise AssertionError("the guards let a mail through that nobody can be answered at")
        token = thread.reply_token(self._desk.reply_key, thread_id)
        name = message.from_.display_name if message.from_ else ""
        return compose(
            ReplyHeaders(
                message_id=f"mf.{thread_id}.{token}.{key[:16]}@{self._desk.message_id_domain}",
                desk_name=self._desk.name,
                desk_address=self._desk.address,
                reverse_path=self._desk.reverse_path,
                recipient=recipient.addr_spec,
                subject=message.subject,
                in_reply_to=message.message_id,
                references=thread.references_for_reply(message),
                date=self._clock.now(),
                reply_to=thread.reply_address(self._desk.reply_key, thread_id, self._desk.address)
                if self._desk.has_subaddress
                else "",
            ),
            self._renderer.render(Letter(decision.answers, name, message.subject, message.language)),
        )

    def _fail(self, unit: Unit, mail: ClaimedMail, error: Exception) -> None:
        now = self._clock.now()
        retry = next_attempt(error, mail.attempts, now, self._jitter())
        self._meter.count(Event.MAILS_FAILED, outcome="quarantined" if retry.due_at is None else "later")
        if retry.due_at is None:
            unit.quarantine(mail.inbound_id, retry.reason, now)
        else:
            unit.postpone(mail.inbound_id, retry.due_at, retry.reason, now)


def _proof_of_sending(read: Understood) -> tuple[tuple[str, ...], str]:
    """Message-IDs that only a mail which went out can have brought here: nobody else knows the token in ours."""
    if read.origin.kind is OriginKind.OWN:
        return (read.message.message_id,), OWN_COPY
    return (*read.message.in_reply_to, *read.message.references), "a mail came in that refers to it"


def dedup_key(message: InboundMessage) -> str:
    """What makes a mail itself: two mails with the same key are one mail, however often and wherever it is delivered.

    Why not the whole text: a list adds a footer and a tag to the subject, so one mail to two of our addresses differs.
    """
    author = message.from_.addr_spec.lower() if message.from_ else ""
    date = message.date.isoformat() if message.date else ""
    words = " ".join(message.content_text.split())
    files = ",".join(one.sha256 for one in message.attachments if not one.is_inline)
    parts = (message.message_id, author, date, thread.subject_key(message.subject), words, files)
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()
