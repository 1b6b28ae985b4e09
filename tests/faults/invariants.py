"""What must hold on the bench, as pure functions of facts that were gathered from five witnesses:

the store, the partner's mailbox, the desk's folders, the log of the mail server, and the relay before it.

Rule: SAFE holds at every moment, whatever is going on; AT_REST holds as well once nothing is due any more.
Each function says what is wrong, in sentences; none where all is well.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.faults.wires import Handover

from mailflow.core.delivery import FINAL_INBOUND, MAX_ATTEMPTS, InboundState, OutboxState


class Wish(StrEnum):
    """What a mail of the bench is to bring about."""

    ANSWER = "an answer"
    SILENCE = "nothing"
    PERSON = "a person's attention"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A mail that was put into the desk's mailbox, perhaps several times over."""

    message_id: str
    sha256: str
    wish: Wish
    places: tuple[tuple[int, int], ...]
    """(UIDVALIDITY, UID) of each copy, as the server told it."""
    may_be_missed: bool = False
    """Somebody deleted it from the mailbox, perhaps before any worker saw it."""


@dataclass(frozen=True, slots=True)
class InboundFact:
    uid_validity: int
    uid: int
    sha256: str
    state: InboundState
    attempts: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class AnswerFact:
    message_id: str
    answers: str
    """The Message-ID of the mail that it answers."""
    state: OutboxState
    attempts: int
    claimed_by: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer in the partner's mailbox."""

    message_id: str
    in_reply_to: str
    server_id: str
    """What the mail server called it when it took it."""


@dataclass(frozen=True, slots=True)
class Facts:
    delivered: tuple[Delivered, ...] = ()
    inbound: tuple[InboundFact, ...] = ()
    messages: Counter[str] = field(default_factory=Counter)
    """Message-ID -> how many rows of mail that came in."""
    answers: tuple[AnswerFact, ...] = ()
    cursor: tuple[int, int] = (0, 0)
    accepted: Counter[str] = field(default_factory=Counter)
    """Message-ID -> how often the mail server took an answer, by its own log."""
    received: tuple[Receipt, ...] = ()
    handovers: tuple[Handover, ...] = ()
    excused: Mapping[int, str] = field(default_factory=dict)
    """pid -> why its answers may be in doubt: it was killed, or declared dead."""
    in_mailbox: frozenset[int] = frozenset()
    """UIDs that lie in the desk's mailbox."""
    put_away: Counter[str] = field(default_factory=Counter)
    """Message-ID -> how often it lies where dealt-with mail goes."""
    due_jobs: int = 0
    stale_jobs: int = 0
    """Jobs that a worker which is gone has not finished."""
    roll: tuple[int, ...] = ()
    """pids of the workers that the store knows."""
    alive: frozenset[int] = frozenset()


def no_uid_is_passed_over(facts: Facts) -> Iterator[str]:
    """The ledger has no gap: each UID up to the cursor has its row."""
    rows = {(row.uid_validity, row.uid) for row in facts.inbound}
    validity, last_uid = facts.cursor
    for mail in facts.delivered:
        for place in mail.places:
            if place[0] == validity and place[1] <= last_uid and place not in rows and not mail.may_be_missed:
                yield f"UID {place[1]} ({mail.message_id}) is below the cursor {last_uid} and has no row"


def no_mail_has_two_rows(facts: Facts) -> Iterator[str]:
    for message_id, rows in facts.messages.items():
        if rows > 1:
            yield f"{message_id} became {rows} messages"
    decided = Counter(row.sha256 for row in facts.inbound if row.state is InboundState.DONE)
    yield from (f"{sha256} was decided {times} times" for sha256, times in decided.items() if times > 1)


def nobody_gets_two_answers(facts: Facts) -> Iterator[str]:
    """Neither two of ours nor one twice. What a mail server itself delivers twice has one name of its own."""
    for message_id, times in facts.accepted.items():
        if times > 1:
            yield f"the answer {message_id} was accepted {times} times"
    copies: dict[str, set[str]] = {}
    for one in facts.received:
        copies.setdefault(one.in_reply_to, set()).add(one.server_id)
    yield from (f"{mail} was answered {len(ids)} times" for mail, ids in copies.items() if len(ids) > 1)
    rows = Counter(answer.answers for answer in facts.answers)
    yield from (f"{mail} has {number} answers in the outbox" for mail, number in rows.items() if number > 1)


def sent_means_accepted(facts: Facts) -> Iterator[str]:
    for answer in facts.answers:
        if answer.state is OutboxState.SENT and not facts.accepted[answer.message_id]:
            yield f"{answer.message_id} is `sent`, and the mail server knows nothing of it"
        if answer.state in (OutboxState.FAILED, OutboxState.CANCELLED) and facts.accepted[answer.message_id]:
            yield f"{answer.message_id} is `{answer.state}`, and the mail server has taken it"


def doubt_has_a_reason(facts: Facts) -> Iterator[str]:
    """`uncertain` only where the worker died or was declared dead, or the reply to DATA was lost."""
    lost = {one.message_id for one in facts.handovers if one.began and not one.told}
    nameless = {one.pid for one in facts.handovers if one.began and not one.message_id}
    for answer in facts.answers:
        if answer.state is OutboxState.UNCERTAIN:
            pid = pid_of(answer.claimed_by)
            if pid not in facts.excused and answer.message_id not in lost and pid not in nameless:
                yield f"{answer.message_id} is `uncertain` for no reason: {answer.error} (worker {answer.claimed_by})"


def every_uid_is_settled(facts: Facts) -> Iterator[str]:
    for row in facts.inbound:
        if row.state not in FINAL_INBOUND:
            yield f"UID {row.uid} of {row.uid_validity} is {row.state}: {row.error}"


def every_mail_is_settled_once(facts: Facts) -> Iterator[str]:
    """Nothing is lost: one copy of each mail was decided or quarantined; the others are `duplicate`."""
    settled = Counter(row.sha256 for row in facts.inbound if row.state is not InboundState.DUPLICATE)
    quarantined = {row.sha256: row for row in facts.inbound if row.state is InboundState.QUARANTINED}
    for mail in facts.delivered:
        times = settled[mail.sha256]
        if times > 1 or (not times and not mail.may_be_missed):
            yield f"{mail.message_id} came to {times} final states"
        messages = facts.messages[mail.message_id]
        wanted = 0 if mail.sha256 in quarantined or not times else 1
        if times and messages != wanted:
            yield f"{mail.message_id} has {messages} messages"
    for row in quarantined.values():
        if row.attempts < MAX_ATTEMPTS:
            yield f"UID {row.uid} is quarantined after {row.attempts} attempts: {row.error}"


def every_wish_is_heard(facts: Facts) -> Iterator[str]:
    answered = {answer.answers: answer for answer in facts.answers}
    for mail in facts.delivered:
        was_decided = facts.messages[mail.message_id] > 0
        has_answer = mail.message_id in answered
        if was_decided and has_answer != (mail.wish is Wish.ANSWER):
            yield f"{mail.message_id} wants {mail.wish.value} and has {'an' if has_answer else 'no'} answer"


def every_answer_is_settled(facts: Facts) -> Iterator[str]:
    for answer in facts.answers:
        if answer.state in (OutboxState.QUEUED, OutboxState.SENDING):
            yield f"{answer.message_id} is still {answer.state}"
        if answer.state is OutboxState.FAILED and answer.attempts < MAX_ATTEMPTS:
            yield f"{answer.message_id} failed after {answer.attempts} attempts: {answer.error}"


def what_was_sent_was_received(facts: Facts) -> Iterator[str]:
    received = {one.message_id for one in facts.received}
    for answer in facts.answers:
        if facts.accepted[answer.message_id] and answer.message_id not in received:
            yield f"{answer.message_id} was accepted and never came"
        if answer.message_id in received and not facts.accepted[answer.message_id]:
            yield f"{answer.message_id} came and the mail server's log has nothing of it"
        is_known = answer.state in (OutboxState.SENT, OutboxState.UNCERTAIN)
        if answer.message_id in received and not is_known:
            yield f"{answer.message_id} came and is `{answer.state}`"


def the_mailbox_is_empty(facts: Facts) -> Iterator[str]:
    for uid in sorted(facts.in_mailbox):
        yield f"UID {uid} still lies in the mailbox"
    for mail in facts.delivered:
        if not facts.put_away[mail.message_id] and not mail.may_be_missed:
            yield f"{mail.message_id} lies in no folder of the desk"


def nothing_is_left_behind(facts: Facts) -> Iterator[str]:
    if facts.due_jobs:
        yield f"{facts.due_jobs} jobs are due and nobody runs them"
    if facts.stale_jobs:
        yield f"{facts.stale_jobs} jobs of workers that are gone are still `doing`"
    for pid in facts.roll:
        if pid not in facts.alive:
            yield f"worker {pid} is dead and still on the roll"


Invariant = Callable[[Facts], Iterator[str]]
SAFE: tuple[Invariant, ...] = (
    no_uid_is_passed_over,
    no_mail_has_two_rows,
    nobody_gets_two_answers,
    sent_means_accepted,
    doubt_has_a_reason,
)
AT_REST: tuple[Invariant, ...] = (
    *SAFE,
    every_uid_is_settled,
    every_mail_is_settled_once,
    every_wish_is_heard,
    every_answer_is_settled,
    what_was_sent_was_received,
    the_mailbox_is_empty,
    nothing_is_left_behind,
)


def broken(facts: Facts, invariants: tuple[Invariant, ...] = AT_REST) -> list[str]:
    """What is wrong, each with the name of what it breaks."""
    return [f"{one.__name__}: {sentence}" for one in invariants for sentence in one(facts)]


def pid_of(holder: str) -> int:
    """The pid in a worker's id (host:pid:random); 0 where there is none."""
    found = re.search(r":(\d+):[^:]*$", holder)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run came to, in numbers."""

    mails: int
    answers: int
    received: int
    uncertain: int
    uncertain_that_arrived: int
    failed: int
    quarantined: int
    lost: int
    duplicates: int


def tally(facts: Facts) -> Tally:
    received = {one.message_id for one in facts.received}
    uncertain = [one.message_id for one in facts.answers if one.state is OutboxState.UNCERTAIN]
    return Tally(
        mails=len(facts.delivered),
        answers=len(facts.answers),
        received=len(received),
        uncertain=len(uncertain),
        uncertain_that_arrived=sum(one in received for one in uncertain),
        failed=sum(one.state is OutboxState.FAILED for one in facts.answers),
        quarantined=sum(row.state is InboundState.QUARANTINED for row in facts.inbound),
        lost=sum(1 for _ in every_mail_is_settled_once(facts)) + sum(1 for _ in no_uid_is_passed_over(facts)),
        duplicates=sum(1 for _ in nobody_gets_two_answers(facts)),
    )
