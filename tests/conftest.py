"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
from tests.servers import MailServers, missing_binaries, running_mail_servers


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
