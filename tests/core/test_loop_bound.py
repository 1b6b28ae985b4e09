"""What a send budget is worth over a time: bounds that hold whatever is written, and that are reached."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.assets import load_playbook
from mailflow.core.classification import Action
from mailflow.core.loop_bound import DAY, HOUR, ONE_ADDRESS, ONE_DOMAIN, ONE_THREAD, Reach, most_sends
from mailflow.core.message import Origin, OriginKind, Role, Sender, Trust
from mailflow.core.playbook import SendBudget
from mailflow.core.policy import Case, History, SentRecord, decide
from mailflow.testing import DESK, NOON, classification, inbound

PLAYBOOK = load_playbook(Path(__file__).parents[2] / "classifiers").as_if_live()
INTENT = "nfr_request"
CASE = Case(
    inbound(),
    Origin(OriginKind.HUMAN, "nothing says otherwise"),
    Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "no proof"),
    classification((INTENT, 1.0), reply=1.0, review=0.0, none=0.0),
    frozenset(),
    History(),
    NOON,
    frozenset({DESK}),
)
BUDGET = SendBudget(
    per_thread=1,
    per_sender_and_intent_3_hours=2,
    per_sender_day=5,
    per_domain_hour=20,
    per_template_hour=60,
    desk_hour=200,
)
MOMENT = timedelta.resolution


@pytest.mark.parametrize(
    ("over", "reach", "most"),
    [
        (timedelta(0), Reach(), 0),
        (MOMENT, Reach(), 200),
        (HOUR, Reach(), 200),
        (HOUR + MOMENT, Reach(), 400),
        (HOUR, Reach(intents=1), 60),
        (HOUR, Reach(intents=4), 200),
        (2 * HOUR, ONE_DOMAIN, 40),
        (HOUR, Reach(domains=3), 60),
        (DAY, ONE_ADDRESS, 5),
        (DAY + MOMENT, ONE_ADDRESS, 10),
        (3 * HOUR, Reach(addresses=1, intents=1), 2),
        (4 * HOUR, Reach(addresses=1, intents=1), 4),
        (DAY, Reach(addresses=1, intents=1), 5),
        (DAY, Reach(addresses=3), 15),
        (365 * DAY, ONE_ADDRESS, 1825),
        (365 * DAY, ONE_THREAD, 1),
        (365 * DAY, Reach(threads=7), 7),
    ],
)
def test_the_least_of_the_limits_that_apply_is_the_bound(over: timedelta, reach: Reach, most: int) -> None:
    assert most_sends(BUDGET, over, reach) == most


def test_a_thread_never_has_two_answers_whatever_its_budget_says() -> None:
    """The guard follow_up comes before the budget."""
    assert most_sends(BUDGET.model_copy(update={"per_thread": 9}), DAY, ONE_THREAD) == 1
    assert most_sends(BUDGET.model_copy(update={"per_thread": 0}), DAY, ONE_THREAD) == 0


# ---- the policy itself, asked at any times ------------------------------------------------------------------


def history(sent: Sequence[datetime], now: datetime) -> History:
    """As the store would have it, of a robot with one address and a new thread for each mail."""
    within_hour = sum(now - at < HOUR for at in sent)
    return History(
        sent_to_sender=tuple(SentRecord(at, frozenset({INTENT})) for at in sent if now - at < DAY),
        sent_to_domain_hour=within_hour,
        sent_by_desk_hour=within_hour,
        sent_by_intent_hour={INTENT: within_hour},
    )


def answered(budget: SendBudget, times: Sequence[datetime]) -> list[datetime]:
    """At which of these times a mail that comes then is answered."""
    playbook = PLAYBOOK.model_copy(
        update={"defaults": PLAYBOOK.defaults.model_copy(update={"send_budget": budget, "max_age_days": 10_000})}
    )
    sent: list[datetime] = []
    for now in times:
        case = replace(CASE, history=history(sent, now), now=now)
        if decide(case, playbook).action is Action.REPLY:
            sent.append(now)
    return sent


SMALL = st.integers(min_value=0, max_value=6)
BUDGETS = st.builds(
    SendBudget,
    per_thread=st.just(1),
    per_sender_and_intent_3_hours=SMALL,
    per_sender_day=SMALL,
    per_domain_hour=SMALL,
    per_template_hour=SMALL,
    desk_hour=SMALL,
)
PAUSES = st.lists(
    st.one_of(
        st.integers(0, 7_200).map(lambda seconds: timedelta(seconds=seconds)),
        st.sampled_from([HOUR, 3 * HOUR, DAY, HOUR - MOMENT, 3 * HOUR - MOMENT, DAY - MOMENT]),
    ),
    max_size=40,
)


@given(budget=BUDGETS, pauses=PAUSES)
def test_whenever_a_robot_writes_no_stretch_of_time_has_more_answers(
    budget: SendBudget, pauses: list[timedelta]
) -> None:
    sent = answered(budget, [NOON + sum(pauses[:n], timedelta()) for n in range(len(pauses) + 1)])
    for start, first in enumerate(sent):
        for end, last in enumerate(sent[start:], start):
            most = most_sends(budget, last - first + MOMENT, Reach(addresses=1, domains=1, intents=1))
            assert end - start + 1 <= most


@pytest.mark.parametrize("days", [1, 2, 7])
def test_a_robot_that_never_pauses_draws_just_the_bound(days: int) -> None:
    times = [NOON + n * timedelta(minutes=10) for n in range(days * 24 * 6)]
    assert len(answered(BUDGET, times)) == most_sends(BUDGET, days * DAY, ONE_ADDRESS) == 5 * days
