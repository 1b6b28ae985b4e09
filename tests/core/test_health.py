"""Health: who has not come round in its time is stale, by name; who ended on purpose is not."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.health import Health, as_document, lacking
from mailflow.testing import NOON

SECOND = timedelta(seconds=1)


def stale(health: Health, later: timedelta) -> list[str]:
    return [pulse.name for pulse in health.stale(NOON + later)]


def test_a_loop_is_fresh_until_its_time_is_over_and_again_after_its_next_turn() -> None:
    health = Health()
    health.expect("fetch", 10 * SECOND, NOON)
    assert stale(health, 10 * SECOND) == []
    assert stale(health, 11 * SECOND) == ["fetch"]
    health.turned("fetch", NOON + 11 * SECOND)
    assert stale(health, 21 * SECOND) == []


def test_a_loop_that_never_came_round_is_stale_counted_from_its_beginning() -> None:
    health = Health()
    health.expect("send", SECOND, NOON)
    assert stale(health, 2 * SECOND) == ["send"]


def test_a_loop_that_ended_on_purpose_or_is_not_expected_is_not_missed() -> None:
    health = Health()
    health.expect("send", SECOND, NOON)
    health.turned("guest", NOON)
    health.ended("send")
    health.ended("nobody")
    assert health.pulses(NOON + timedelta(days=1)) == ()


def test_a_clock_that_was_set_back_makes_nobody_stale() -> None:
    health = Health()
    health.expect("send", SECOND, NOON)
    assert stale(health, timedelta(days=-1)) == []


@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 50), st.integers(0, 100))), st.integers(0, 200)
)
def test_stale_are_those_and_only_those_whose_silence_is_longer_than_allowed(
    loops: dict[str, tuple[int, int]], later: int
) -> None:
    health = Health()
    for name, (allowed, last) in loops.items():
        health.expect(name, allowed * SECOND, NOON)
        health.turned(name, NOON + last * SECOND)
    expected = sorted(name for name, (allowed, last) in loops.items() if later - last > allowed)
    assert stale(health, later * SECOND) == expected


def test_the_document_says_of_each_loop_when_it_came_round() -> None:
    health = Health()
    health.expect("fetch", 60 * SECOND, NOON)
    assert as_document(health.pulses(NOON + 61 * SECOND)) == {
        "fetch": {
            "is_fresh": False,
            "last_turn": "2026-03-02T12:00:00+00:00",
            "seconds": 61.0,
            "allowed_seconds": 60.0,
        }
    }


def test_what_did_not_succeed_in_time_is_lacking_and_nothing_else_is() -> None:
    contacts = Health()
    contacts.expect("INBOX", 60 * SECOND, NOON)
    contacts.expect("Second", 600 * SECOND, NOON)
    assert lacking(contacts.pulses(NOON + 60 * SECOND)) == ""
    assert lacking(contacts.pulses(NOON + 61 * SECOND)) == "INBOX: nothing for 61 s"
