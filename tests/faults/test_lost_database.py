"""A database that is lost in the midst of a unit is a store that refuses, whatever the unit goes on to do.

Found by the bench: a turn took it for the trouble of one mail, went on with the others, and that ended the process.
"""

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.databases import PostgresServer

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.errors import StoreError

HANG_UP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_a_unit_that_goes_on_after_the_database_hung_up_ends_as_a_store_that_refuses(postgres: PostgresServer) -> None:
    store = SqlStore(open_engine(postgres.new_database()))
    schema.upgrade(store.engine)
    with pytest.raises(StoreError), store.unit() as unit, store.engine.connect() as administrator:
        unit.counts()
        administrator.execute(text(HANG_UP))
        with suppress(OperationalError):
            unit.counts()
        unit.counts()
    store.close()
