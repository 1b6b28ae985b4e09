"""How times, sizes and shares are said; how a list is said in an address, and read from it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.review import Box, Filter, Place, Sort
from mailflow.testing import NOON
from mailflow.web import words
from mailflow.web.actions import Unclear, line, passage, wake_at
from mailflow.web.filters import AGES, filter_of, filter_of_query, is_plain, place_of, place_text, query_of


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "due now"), (59, "due now"), (60, "due in 1 min"), (-3600, "overdue 1 h"), (200_000, "due in 2 d")],
)
def test_what_is_due(seconds: int, said: str) -> None:
    assert words.due(NOON + timedelta(seconds=seconds), NOON) == said


def test_times_are_those_of_the_reader() -> None:
    assert words.local(NOON, "Asia/Tokyo", NOON) == "21:00"
    assert words.local(NOON - timedelta(days=3), "UTC", NOON) == "27 Feb 12:00"
    assert words.local(datetime(2024, 1, 1, tzinfo=UTC), "UTC", NOON) == "2024-01-01 00:00"
    assert words.exact(NOON, "Europe/Berlin") == "2026-03-02 13:00:00 CET"


@pytest.mark.parametrize(
    ("octets", "said"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (999_499, "999 kB"), (999_500, "1.0 MB")]
)
def test_sizes(octets: int, said: str) -> None:
    assert words.size(octets) == said


@given(st.integers(0, 10**12))
def test_a_size_is_short(octets: int) -> None:
    assert len(words.size(octets)) <= 7


def test_nothing_is_certain() -> None:
    assert [words.percent(share) for share in (0, 0.004, 0.5, 0.93, 0.994, 1)] == [
        "< 1 %",
        "< 1 %",
        "50 %",
        "93 %",
        "99 %",
        "> 99 %",
    ]


FILTERS = st.builds(
    Filter,
    box=st.sampled_from(Box),
    query=st.text("aé &=#", max_size=8).map(str.strip),
    intent=st.sampled_from(["", "quoting"]),
    partner=st.text("A& ", max_size=5).map(str.strip),
    older_than=st.sampled_from([None, *AGES.values()]),
    sort=st.sampled_from(Sort),
)


@given(FILTERS)
def test_a_list_is_found_again_by_its_address(filter_: Filter) -> None:
    assert filter_of_query(query_of(filter_)) == filter_


@given(st.dictionaries(st.sampled_from(["box", "q", "sort", "older", "intent", "x"]), st.text(max_size=9)))
def test_any_address_is_some_list(asked: dict[str, str]) -> None:
    found = filter_of(asked)
    assert found.box in Box and "\0" not in found.query


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)), st.integers(1, 10**15 - 1))
def test_a_place_is_found_again(at: datetime, thread_id: int) -> None:
    place = Place(at.replace(tzinfo=UTC), thread_id)
    assert place_of(place_text(place)) == place


@given(st.text(max_size=40))
def test_any_text_is_some_place_or_none(text: str) -> None:
    place_of(text)


def test_a_whole_box_is_plain_however_it_is_sorted() -> None:
    assert is_plain(Filter(Box.DRAFTS, sort=Sort.OLDEST))
    assert not is_plain(Filter(intent="quoting"))


@given(st.text())
def test_text_from_outside_can_be_stored(text: str) -> None:
    for clean in (line(text), passage(text)):
        assert "\0" not in clean
        clean.encode("utf-8")
    assert "\n" not in line(text)


@pytest.mark.parametrize(
    ("until", "at"),
    [
        ("1h", datetime(2026, 3, 2, 13, 0, tzinfo=UTC)),
        ("tomorrow", datetime(2026, 3, 3, 8, 0, tzinfo=UTC)),
        ("monday", datetime(2026, 3, 9, 8, 0, tzinfo=UTC)),
        ("2026-03-02T14:30", datetime(2026, 3, 2, 13, 30, tzinfo=UTC)),
    ],
)
def test_a_thread_wakes_at_an_hour_of_who_put_it_to_sleep(until: str, at: datetime) -> None:
    """NOON is a Monday, 13:00 in Berlin."""
    assert wake_at(until, NOON, "Europe/Berlin") == at


@given(st.text(max_size=20))
def test_a_time_that_is_none_is_said_to_be(text: str) -> None:
    try:
        assert wake_at(text, NOON, "UTC") > NOON
    except Unclear as error:
        assert str(error)
