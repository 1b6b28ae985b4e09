"""From a stored mail to a decided one: read, classify, decide, compose, and everything committed at once.

    claim (commit) -> read each -> classify the batch -> one transaction: thread, message, classification,
    decision, audit events, outbox entry, final state

Rule: nothing slow happens inside a transaction: reading and classifying come before it.
Rule: one bad mail never stops the others. It has its own savepoint; what fails is undone, counted and tried again
later, and after five tries it is in quarantine with its reason.
Rule: the history that guards a decision is read in the transaction that stores it, so two mails of one batch see
each other.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mailflow.core.classification import Classification
from mailflow.core.delivery import next_attempt
from mailflow.core.message import Address, InboundMessage, OutboundMessage
from mailflow.core.playbook import Playbook
from mailflow.core.policy import Case, Decision, decide, reply_address
from mailflow.core.ports import Classifier, Clock, Renderer
from mailflow.core.reply import ReplyHeaders, compose
from mailflow.core.storage import ClaimedMail, Store, ThreadMatch, Understood, Unit
from mailflow.core.storage import Outcome as StoredOutcome
from mailflow.reading import thread
from mailflow.reading.understand import classifier_input

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


@dataclass(frozen=True, slots=True)
class Report:
    """What one turn did."""

    decided: int = 0
    copies: int = 0
    failed: int = 0


class Processing:
    def __init__(
        self,
        *,
        store: Store,
        read: Callable[[bytes, int | None], Understood],
        classifier: Classifier,
        renderer: Renderer,
        playbook: Playbook,
        desk: DeskIdentity,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """`read` may raise PoisonMail for a mail that cannot be read in time; it is total otherwise."""
        self._store, self._read, self._classifier, self._renderer = store, read, classifier, renderer
        self._playbook, self._desk, self._clock, self._jitter = playbook, desk, clock, jitter

    def turn(self, limit: int = BATCH) -> Report:
        """Deal with up to `limit` due mails. Returns an empty report where nothing is due."""
        with self._store.unit() as unit:
            claimed = unit.claim_inbound(self._clock.now(), limit)
        if not claimed:
            return Report()
        failures: Failures = []
        understood = self._understand(claimed, failures)
        classified = self._classify(claimed, understood, failures)
        copies = 0
        with self._store.unit() as unit:
            for mail in claimed:
                if mail.inbound_id not in classified:
                    continue
                try:
                    with unit.savepoint():
                        copies += self._settle(unit, mail, understood[mail.inbound_id], classified[mail.inbound_id])
                except Exception as error:  # noqa: BLE001 - the edge of one mail: recorded below, the others go on
                    failures.append((mail, error))
            for mail, failure in failures:
                self._fail(unit, mail, failure)
        return Report(len(claimed) - len(failures) - copies, copies, len(failures))

    def _understand(self, claimed: Sequence[ClaimedMail], failures: Failures) -> dict[int, Understood]:
        understood: dict[int, Understood] = {}
        for mail in claimed:
            try:
                understood[mail.inbound_id] = self._read(mail.raw.content, mail.raw.size)
            except Exception as error:  # noqa: BLE001 - the edge of one mail: recorded by the caller, the others go on
                failures.append((mail, error))
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
        match = self._thread_of(unit, message)
        recipient = reply_address(message)
        history = unit.history(recipient, match.thread_id if match else None, now)
        history = replace(history, is_message_id_reused=known.is_message_id_reused)
        facts = read.facts | ({"is_follow_up"} if history.answers_in_thread else set())
        case = Case(message, read.origin, read.sender, classification, facts, history, now, self._desk.addresses)
        decision = decide(case, self._playbook)
        thread_id = match.thread_id if match else unit.open_thread(message.subject, _requester(message), now)
        answer = self._answer(decision, message, recipient, thread_id, key) if decision.answers else None
        unit.save(
            StoredOutcome(mail.inbound_id, mail.sha256, key, thread_id, read, classification, decision, answer), now
        )
        return False

    def _thread_of(self, unit: Unit, message: InboundMessage) -> ThreadMatch | None:
        """The thread this mail belongs to; only its requester may join it (a stranger's mail opens its own)."""
        candidates = thread.candidates(message)
        tokens = (thread.read_token(self._desk.reply_key, one) for one in candidates)
        match = next(
            (found for token in tokens if token is not None and (found := unit.thread_match(token))), None
        ) or unit.find_thread(candidates)
        return match if match is not None and match.requester == _requester(message) else None

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
            ),
            self._renderer.render(decision.answers, greeting_name=name, subject=message.subject),
        )

    def _fail(self, unit: Unit, mail: ClaimedMail, error: Exception) -> None:
        now = self._clock.now()
        retry = next_attempt(error, mail.attempts, now, self._jitter())
        if retry.due_at is None:
            unit.quarantine(mail.inbound_id, retry.reason, now)
        else:
            unit.postpone(mail.inbound_id, retry.due_at, retry.reason, now)


def _requester(message: InboundMessage) -> str:
    return message.from_.addr_spec.lower() if message.from_ else ""


def dedup_key(message: InboundMessage) -> str:
    """What makes a mail itself: two mails with the same key are one mail, however often it is delivered."""
    parts = (message.message_id, _requester(message), message.subject, message.text)
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()
