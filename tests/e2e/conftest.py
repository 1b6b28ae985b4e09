"""A partner and a desk for each test, on the servers of the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.browser_desk import Desk, opened
from tests.e2e.mailboxes import PARTNER, DeskOffice, MailProgram
from tests.servers import MailServers


@pytest.fixture
def partner(mail_servers: MailServers) -> Iterator[MailProgram]:
    program = MailProgram(mail_servers, PARTNER)
    yield program
    program.imap.logout()


@pytest.fixture
def desk(mail_servers: MailServers, tmp_path: Path) -> Iterator[DeskOffice]:
    desk = DeskOffice(mail_servers, tmp_path)
    desk.clear()
    yield desk
    desk.program.imap.logout()


@pytest.fixture
def open_desk(desk: DeskOffice) -> Iterator[Desk]:
    with opened(desk) as found:
        yield found
