"""One search on two databases: the same hits, and nothing of a query is an operator."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    found = SqlStore(engine)
    with found.unit() as unit:
        unit.index_mail(1, "Réclamation", "Ann Example", "le prix de la licence")
        unit.index_mail(2, "Quote", "Bob", "A quote for 12 seats")
        unit.index_mail(3, "Quote", "Ann", "Another quote, for the lab")
    yield found
    engine.dispose()


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("reclam", [1]),
        ("RÉCLAMATION", [1]),
        ("quote", [3, 2]),
        ("quote seats", [2]),
        ("ann quo", [3]),
        ("eclam", []),
        ("", []),
        ("quote OR licence", []),
        ('"quote" NOT -seats', []),
    ],
)
def test_all_words_are_found_the_last_one_by_its_beginning(store: SqlStore, query: str, hits: list[int]) -> None:
    with store.view() as unit:
        assert unit.search(query) == hits


def test_a_forgotten_mail_is_not_found(store: SqlStore) -> None:
    with store.unit() as unit:
        unit.forget_mails([2])
        assert unit.search("quote") == [3]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(query=st.text(max_size=60))
def test_no_query_is_an_error(store: SqlStore, query: str) -> None:
    with store.view() as unit:
        unit.search(query)
