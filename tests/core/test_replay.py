"""What a change would have done, and whether people would agree with it."""

from dataclasses import replace

import pytest

from mailflow.core.classification import Action
from mailflow.core.message import OriginKind
from mailflow.core.replay import Change, Done, Replayed, agrees, change, report
from mailflow.core.review import Correction
from mailflow.testing import NOON

REPLY = Done(Action.REPLY, ("nfr_request.external",), ("nfr_request",), "")
OTHER = Done(Action.REPLY, ("quoting.external",), ("quoting",), "")
HOLD = Done(Action.REVIEW, (), ("nfr_request",), "unsure")
NONE = Done(Action.NONE, (), ("no_request",), "")
MAIL = Replayed(1, 1, "NFR", "ann@partner.example", NOON, OriginKind.HUMAN, REPLY, REPLY, None)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (HOLD, REPLY, Change.GAINS),
        (NONE, REPLY, Change.GAINS),
        (REPLY, OTHER, Change.OTHER),
        (REPLY, HOLD, Change.LOSES),
        (REPLY, NONE, Change.LOSES),
        (NONE, HOLD, Change.HELD),
        (HOLD, NONE, Change.IGNORED),
        (HOLD, HOLD, Change.SAME),
        (REPLY, REPLY, Change.SAME),
    ],
)
def test_each_pair_of_decisions_has_its_name(before: Done, after: Done, expected: Change) -> None:
    assert change(before, after) is expected


def test_the_report_adds_up_and_shows_machines_first() -> None:
    machine = replace(MAIL, message_id=2, before=NONE, after=REPLY, origin=OriginKind.AUTO_REPLIED)
    person = replace(MAIL, message_id=3, before=HOLD, after=REPLY)
    found = report("old", "new", [MAIL, person, machine], most_rows=10)
    assert found.mails == sum(found.counts.values()) == 3
    assert [row.message_id for row in found.rows] == [2, 3]
    assert (found.loops, found.most_to_one_sender) == (1, 3)


def test_no_more_rows_are_shown_than_asked_for_but_all_are_counted() -> None:
    mails = [replace(MAIL, message_id=n, before=HOLD) for n in range(9)]
    found = report("old", "new", mails, most_rows=4)
    assert (len(found.rows), found.counts[Change.GAINS]) == (4, 9)


def test_agreement_is_counted_on_corrected_mails_alone() -> None:
    said = Correction(1, ("nfr_request",), "reply", "partner", "")
    mails = [replace(MAIL, before=HOLD, corrected=said), replace(MAIL, before=HOLD)]
    found = report("old", "new", mails, most_rows=4)
    assert (found.corrected, found.agreed_before, found.agreed_after) == (1, 0, 1)


def test_an_answer_agrees_only_with_the_same_matters() -> None:
    assert agrees(HOLD, Correction(1, ("quoting",), "review", "", ""))
    assert not agrees(REPLY, Correction(1, ("quoting",), "reply", "", ""))
