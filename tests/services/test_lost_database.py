"""The database hangs up in the midst of a decision: no fault of any mail, and none is charged with it."""

import pytest
from sqlalchemy import text
from tests.databases import PostgresServer
from tests.services.office import Office, question

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.ports import Letter, RenderedAnswer
from mailflow.errors import StoreError
from mailflow.services.ingest import ingest
from mailflow.testing import PlainRenderer


def test_a_database_that_hangs_up_gives_the_mails_back(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    engine, other = open_engine(url), open_engine(url)
    schema.upgrade(engine)
    office = Office(SqlStore(engine))

    class Cutting(PlainRenderer):
        is_done = False

        def render(self, letter: Letter) -> RenderedAnswer:
            if not self.is_done:
                self.is_done = True
                with other.begin() as connection:
                    connection.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                        )
                    )
            return super().render(letter)

    office.renderer = Cutting()
    for number in (1, 2):
        office.source.deliver(question(number))
    ingest(office.source, office.store, office.clock)
    processing = office.processing()
    with pytest.raises(StoreError, match="hung up"):
        processing.turn()
    with office.store.unit() as unit:
        assert unit.give_back(office.clock.now()) == 2
    while processing.turn().mails:
        pass
    assert office.counts().answered == 2
    engine.dispose()
    other.dispose()
