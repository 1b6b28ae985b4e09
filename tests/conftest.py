"""What every test may ask for."""

import os
import signal
from collections.abc import Iterator

import pytest
from tests.databases import PostgresServer, postgres_programs, running_postgres
from tests.servers import MailServers, missing_binaries, running_mail_servers

_SERVER_FIXTURES = {"mail_servers", "postgres"}


def pytest_configure() -> None:
    """A shell starts what it puts in the background deaf to Ctrl+C, and so its children; tests send it to both."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for the servers is marked `e2e`."""
    for item in items:
        if _SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def mail_servers() -> Iterator[MailServers]:
    """Dovecot and Exim. Where they are not installed the test is skipped, but never in CI: there it fails."""
    missing = missing_binaries()
    if missing:
        sentence = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with running_mail_servers() as servers:
        yield servers


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL. Skipped where it is not installed, but never in CI."""
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("not installed: postgresql")
        pytest.skip("not installed: postgresql")
    with running_postgres(programs) as server:
        yield server
