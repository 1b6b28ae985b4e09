"""States and retries: the tables are the truth, so they are walked whole."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.delivery import (
    FINAL_INBOUND,
    INBOUND_TRANSITIONS,
    MAX_ATTEMPTS,
    MUTE_PERMANENT,
    MUTE_TEMPORARY,
    OUTBOX_TRANSITIONS,
    InboundState,
    OutboxState,
    mute_until,
    next_attempt,
)
from mailflow.errors import ConnectionFailed, OutcomeUnknown, PermanentRefusal, PoisonMail, TemporaryRefusal
from mailflow.testing import NOON


def test_every_state_has_a_row() -> None:
    assert set(INBOUND_TRANSITIONS) == set(InboundState)
    assert set(OUTBOX_TRANSITIONS) == set(OutboxState)


def test_a_sent_or_cancelled_answer_never_goes_out_again() -> None:
    assert OUTBOX_TRANSITIONS[OutboxState.SENT] == {OutboxState.BOUNCED}
    assert not OUTBOX_TRANSITIONS[OutboxState.BOUNCED]
    assert not OUTBOX_TRANSITIONS[OutboxState.CANCELLED]


def test_an_address_that_refuses_for_good_is_muted_longer_than_one_that_is_only_slow() -> None:
    assert mute_until(True, NOON) - NOON == MUTE_PERMANENT
    assert mute_until(False, NOON) - NOON == MUTE_TEMPORARY < MUTE_PERMANENT


def test_only_sending_leads_to_sent_by_itself() -> None:
    """`uncertain` may be settled as sent by a person; nothing else may skip `sending`."""
    before = {state for state, after in OUTBOX_TRANSITIONS.items() if OutboxState.SENT in after}
    assert before == {OutboxState.SENDING, OutboxState.UNCERTAIN}


def test_what_is_in_doubt_goes_out_again_only_through_the_queue() -> None:
    """`sending` comes from `queued` alone; that a person, or its own wait, put it there is the only way back."""
    assert [state for state, after in OUTBOX_TRANSITIONS.items() if OutboxState.SENDING in after] == [
        OutboxState.QUEUED
    ]
    back = {state for state, after in OUTBOX_TRANSITIONS.items() if OutboxState.QUEUED in after}
    assert back == {OutboxState.SENDING, OutboxState.FAILED, OutboxState.UNCERTAIN}


def test_a_person_may_cancel_whatever_is_neither_on_its_way_nor_gone() -> None:
    cancellable = {state for state, after in OUTBOX_TRANSITIONS.items() if OutboxState.CANCELLED in after}
    assert cancellable == {OutboxState.QUEUED, OutboxState.FAILED, OutboxState.UNCERTAIN}


def test_an_answer_in_doubt_may_be_shown_to_have_gone_out_but_not_to_have_failed() -> None:
    """That no copy of it is found proves nothing."""
    assert OutboxState.SENT in OUTBOX_TRANSITIONS[OutboxState.UNCERTAIN]
    assert OutboxState.BOUNCED in OUTBOX_TRANSITIONS[OutboxState.UNCERTAIN]
    assert OutboxState.FAILED not in OUTBOX_TRANSITIONS[OutboxState.UNCERTAIN]


def test_every_mail_can_come_to_a_final_state() -> None:
    reached, open_ = {InboundState.RECEIVED}, [InboundState.RECEIVED]
    while open_:
        for after in INBOUND_TRANSITIONS[open_.pop()] - reached:
            reached.add(after)
            open_.append(after)
    assert reached == set(InboundState)
    assert reached >= FINAL_INBOUND


@pytest.mark.parametrize("error", [PermanentRefusal("550"), OutcomeUnknown("lost"), PoisonMail("slow")])
def test_permanent_errors_are_never_tried_again(error: Exception) -> None:
    assert next_attempt(error, 1, NOON, 0.5).due_at is None


@pytest.mark.parametrize("error", [TemporaryRefusal("451"), ConnectionFailed("refused"), RuntimeError("unknown")])
def test_temporary_and_unknown_errors_are_tried_again_until_the_last_attempt(error: Exception) -> None:
    assert next_attempt(error, 1, NOON, 0.5).due_at == NOON + timedelta(seconds=20)
    assert next_attempt(error, MAX_ATTEMPTS, NOON, 0.5).due_at is None


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_positive_and_capped(attempts: int, jitter: float) -> None:
    due = next_attempt(TemporaryRefusal("451"), attempts, NOON, jitter).due_at
    assert due is not None
    assert timedelta(seconds=16) <= due - NOON <= timedelta(hours=1) * 1.2
