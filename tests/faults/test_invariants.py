"""Each invariant of the bench sees what it is there to see."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.faults.invariants import (
    AT_REST,
    AnswerFact,
    Delivered,
    Facts,
    InboundFact,
    Receipt,
    Wish,
    broken,
    pid_of,
    tally,
)
from tests.faults.wires import Handover

from mailflow.core.delivery import InboundState, OutboxState

QUESTION = Delivered("q1@partner.example", "sha1", Wish.ANSWER, ((7, 1),))
ROW = InboundFact(7, 1, "sha1", InboundState.DONE, 1)
ANSWER = AnswerFact("a1@helpdesk.example", "q1@partner.example", OutboxState.SENT, 1, "host:42:abcd")
RECEIPT = Receipt("a1@helpdesk.example", "q1@partner.example", "1tXyz-0001-A")
WELL = Facts(
    delivered=(QUESTION,),
    inbound=(ROW,),
    messages=Counter({"q1@partner.example": 1}),
    answers=(ANSWER,),
    cursor=(7, 1),
    accepted=Counter({"a1@helpdesk.example": 1}),
    received=(RECEIPT,),
    handovers=(Handover("a1@helpdesk.example", 42, began=True, handed_over=True, code=250, told=True),),
    put_away=Counter({"q1@partner.example": 1}),
    roll=(42,),
    alive=frozenset({42}),
)
UNCERTAIN = replace(ANSWER, state=OutboxState.UNCERTAIN)
ILL: dict[str, tuple[str, Facts]] = {
    "a UID without a row": ("no_uid_is_passed_over", replace(WELL, inbound=())),
    "a mail that became two": ("no_mail_has_two_rows", replace(WELL, messages=Counter({QUESTION.message_id: 2}))),
    "a mail decided twice": ("no_mail_has_two_rows", replace(WELL, inbound=(ROW, replace(ROW, uid=2)))),
    "one answer, twice": ("nobody_gets_two_answers", replace(WELL, accepted=Counter({ANSWER.message_id: 2}))),
    "two answers arrived": (
        "nobody_gets_two_answers",
        replace(WELL, received=(RECEIPT, replace(RECEIPT, server_id="1tXyz-0002-B"))),
    ),
    "two answers in the outbox": (
        "nobody_gets_two_answers",
        replace(WELL, answers=(ANSWER, replace(ANSWER, message_id="a2@helpdesk.example"))),
    ),
    "sent and not accepted": ("sent_means_accepted", replace(WELL, accepted=Counter())),
    "failed and accepted": (
        "sent_means_accepted",
        replace(WELL, answers=(replace(ANSWER, state=OutboxState.FAILED, attempts=5),)),
    ),
    "doubt for no reason": ("doubt_has_a_reason", replace(WELL, answers=(UNCERTAIN,))),
    "a mail half done": (
        "every_uid_is_settled",
        replace(WELL, inbound=(replace(ROW, state=InboundState.PROCESSING),)),
    ),
    "a mail that is lost": ("every_mail_is_settled_once", replace(WELL, inbound=(), cursor=(0, 0))),
    "quarantined too early": (
        "every_mail_is_settled_once",
        replace(WELL, inbound=(replace(ROW, state=InboundState.QUARANTINED),), messages=Counter()),
    ),
    "no answer": ("every_wish_is_heard", replace(WELL, answers=())),
    "an answer nobody wants": (
        "every_wish_is_heard",
        replace(WELL, delivered=(replace(QUESTION, wish=Wish.SILENCE),)),
    ),
    "an answer that waits": (
        "every_answer_is_settled",
        replace(WELL, answers=(replace(ANSWER, state=OutboxState.QUEUED),)),
    ),
    "failed too early": (
        "every_answer_is_settled",
        replace(WELL, answers=(replace(ANSWER, state=OutboxState.FAILED, attempts=2),)),
    ),
    "accepted and never seen": ("what_was_sent_was_received", replace(WELL, received=())),
    "a mail left in the mailbox": ("the_mailbox_is_empty", replace(WELL, in_mailbox=frozenset({1}))),
    "a mail in no folder": ("the_mailbox_is_empty", replace(WELL, put_away=Counter())),
    "a job that nobody runs": ("nothing_is_left_behind", replace(WELL, due_jobs=1)),
    "a job of the dead": ("nothing_is_left_behind", replace(WELL, stale_jobs=1)),
    "a dead worker on the roll": ("nothing_is_left_behind", replace(WELL, alive=frozenset())),
}


def test_nothing_is_said_of_a_desk_that_is_well() -> None:
    assert broken(WELL) == []


@pytest.mark.parametrize("ill", ILL)
def test_what_is_wrong_is_seen(ill: str) -> None:
    name, facts = ILL[ill]
    assert name in {sentence.partition(":")[0] for sentence in broken(facts)}


def test_each_invariant_has_been_seen_broken() -> None:
    assert {name for name, _ in ILL.values()} == {one.__name__ for one in AT_REST}


@pytest.mark.parametrize(
    "reason",
    [
        replace(WELL, answers=(UNCERTAIN,), excused={42: "killed"}),
        replace(WELL, answers=(UNCERTAIN,), handovers=(Handover(ANSWER.message_id, 42, began=True),)),
        replace(WELL, answers=(UNCERTAIN,), handovers=(Handover("", 42, began=True),)),
    ],
    ids=["its worker was killed", "the reply was lost", "lost before the content could be read"],
)
def test_doubt_with_a_reason_is_no_fault(reason: Facts) -> None:
    assert broken(reason) == []


def test_a_mail_that_somebody_deleted_may_be_missing() -> None:
    gone = replace(QUESTION, may_be_missed=True)
    assert broken(Facts(delivered=(gone,), cursor=(7, 9))) == []


def test_the_server_may_deliver_one_answer_twice() -> None:
    assert broken(replace(WELL, received=(RECEIPT, RECEIPT))) == []


def test_the_tally_counts_what_arrived_of_the_doubtful() -> None:
    counted = tally(replace(WELL, answers=(UNCERTAIN,), excused={42: "killed"}))
    assert (counted.mails, counted.received, counted.uncertain, counted.uncertain_that_arrived) == (1, 1, 1, 1)
    assert (counted.lost, counted.duplicates) == (0, 0)


@pytest.mark.parametrize(("holder", "pid"), [("host:42:abcd", 42), ("fe80::1:42:abcd", 42), ("", 0)])
def test_a_worker_tells_its_pid(holder: str, pid: int) -> None:
    assert pid_of(holder) == pid
