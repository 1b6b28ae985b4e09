"""What a filter and a search find together, and what a filter offers, however many threads there are."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.databases import database_url
from tests.services.office import Office, question
from tests.web.desk_pages import DRAFTED, HELD

from mailflow.adapters import schema
from mailflow.adapters.sql import search
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.review import Box, Filter


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield Office(SqlStore(engine))
    engine.dispose()


@pytest.fixture
def few_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_HITS", 2)


def found(office: Office, query: str, **wanted: str) -> list[int]:
    filter_ = Filter(Box(wanted.pop("box", "all")), query=query, **wanted)  # type: ignore[arg-type]
    with office.store.view() as unit:
        rows = unit.queue(filter_, "sam", office.clock.now(), None, 50).rows
    return sorted(row.id for row in rows)


@pytest.mark.usefixtures("few_hits")
def test_the_oldest_hit_is_found_by_who_filters_for_it(office: Office) -> None:
    office.work(question(1, body=HELD, subject="wombat"))
    office.clock.advance(timedelta(hours=1))
    office.work(*(question(n, body=DRAFTED, subject="wombat") for n in range(2, 8)), question(9, subject="koala"))
    assert found(office, "wombat") == [1, 2, 3, 4, 5, 6, 7]
    assert found(office, "wombat riddle") == [1]
    assert found(office, "wombat", box="held", partner="") == found(office, "womb", box="held")
    held = found(office, "wombat", box="held", reason=_reason(office, 1))
    assert 1 in held
    assert found(office, "no such words") == found(office, "?") == []


@pytest.mark.usefixtures("few_hits")
def test_of_very_many_mails_with_the_words_the_newest_are_found(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the archive; among what waits, all."""
    monkeypatch.setattr(search, "MOST_IN_ARCHIVE", 3)
    office.work(*(question(n, body=HELD, subject="wombat") for n in range(1, 8)))
    assert found(office, "wombat") == [5, 6, 7]
    assert found(office, "wombat", box="held") == [1, 2, 3, 4, 5, 6, 7]


def _reason(office: Office, thread_id: int) -> str:
    with office.store.view() as unit:
        view = unit.thread_view(thread_id, office.clock.now())
    assert view is not None
    return view.row.reason


def test_a_filter_offers_what_the_last_of_many_held_threads_has(office: Office) -> None:
    office.work(*(question(n, body=HELD) for n in range(1, 300)), question(300, body=DRAFTED))
    with office.store.unit() as unit:
        unit.assign(300, None, "kim", "sam", office.clock.now())
        values = unit.values_in_queue()
    assert values["assignee"] == ["kim"]
    assert "quoting" in values["intent"]
