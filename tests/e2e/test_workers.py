"""Several `mailflow run` on one store, on real servers: the work is shared, and a death among them goes unnoticed."""

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.databases import PostgresServer
from tests.e2e.mailboxes import CLI, DESK, PATIENCE, DeskOffice, Ledger, MailProgram, write_mail
from tests.e2e.worker_process import Death, Processes, processes
from tests.servers import MailServers

from mailflow import bootstrap
from mailflow.adapters.store import open_engine
from mailflow.core.delivery import OutboxState
from mailflow.core.fleet import ALL_ROLES, Role

MAILS = 20


@pytest.fixture
def desk(mail_servers: MailServers, postgres: PostgresServer, tmp_path: Path) -> Iterator[DeskOffice]:
    """On PostgreSQL; a blind copy of each answer comes back into its own mailbox."""
    desk = DeskOffice(mail_servers, tmp_path, url=postgres.new_database(), bcc=DESK)
    bootstrap.upgrade_store(desk.settings)
    desk.clear()
    yield desk
    desk.program.imap.logout()


@pytest.fixture
def started(desk: DeskOffice) -> Iterator[Processes]:
    with processes(desk.config) as found:
        yield found


def ask(partner: MailProgram, number: int) -> str:
    """One of MAILS partners of two firms, who asks for the first time. Returns the Message-ID."""
    domain = ("partner.example", "elsewhere.example")[number % 2]
    return str(partner.send(write_mail(sender=f"pat{number}@{domain}", subject=f"NFR {number}"))["Message-ID"])


def all_sent(ledger: Ledger) -> bool:
    return [entry.state for entry in ledger.outbox] == [OutboxState.SENT] * MAILS


def copies(desk: DeskOffice) -> Counter[str]:
    """How often each question was answered, by the blind copies that the mail server has delivered."""
    found: Counter[str] = Counter()
    for folder in ("INBOX", "Processed"):
        answers = desk.program.read(["HEADER", "Auto-Submitted", "auto-replied"], folder)
        found.update(str(answer["In-Reply-To"]) for answer in answers)
    return found


def assert_each_answered_once(desk: DeskOffice, questions: list[str]) -> None:
    desk.await_ledger(lambda ledger: ledger.counts.received == 2 * MAILS and not ledger.counts.pending)
    assert {question: count for question, count in copies(desk).items() if question in questions} == dict.fromkeys(
        questions, 1
    )
    ledger = desk.ledger()
    assert (ledger.counts.answered, ledger.counts.quarantined) == (MAILS, 0)
    assert {entry.message_id for entry in ledger.outbox} >= {one.answer_message_id for one in ledger.decided} - {""}


def on_the_roll(desk: DeskOffice) -> int:
    engine = open_engine(desk.settings.store.url)
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM worker")) or 0
    engine.dispose()
    return int(count)


@contextmanager
def command(desk: DeskOffice, role: Role) -> Iterator["subprocess.Popen[bytes]"]:
    """`mailflow run --role`, as an operator starts it."""
    with (desk.config.parent / f"{role}.log").open("wb") as log:
        running = subprocess.Popen(
            [*CLI, "run", "--role", role, "--config", desk.config], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def test_three_processes_with_a_part_each_answer_every_mail_once(
    desk: DeskOffice, started: Processes, partner: MailProgram
) -> None:
    """Deciding has a model that is sure of itself; what it says is not the matter here."""
    with command(desk, Role.FETCH) as fetches, command(desk, Role.SEND) as sends:
        decides = started.start(Role.PROCESS)
        questions = [ask(partner, number) for number in range(MAILS)]
        desk.await_ledger(all_sent)
        assert_each_answered_once(desk, questions)
        assert on_the_roll(desk) == 3
        for running in (fetches, sends):
            running.send_signal(signal.SIGTERM)
        assert (fetches.wait(PATIENCE), sends.wait(PATIENCE), decides.end()) == (0, 0, 0)
    assert on_the_roll(desk) == 0, "who ends in order takes his name off the roll"


@pytest.mark.parametrize("death", ["while it reads", "once its answer is accepted"])
def test_a_worker_that_is_killed_in_the_middle_is_replaced_by_another(
    desk: DeskOffice, started: Processes, partner: MailProgram, death: Death
) -> None:
    """Its mails are decided by another. Its answer is in doubt, until the blind copy shows that it went out."""
    role = Role.PROCESS if death == "while it reads" else Role.SEND
    victim, others = started.start(role, dies=death), [started.start(*(ALL_ROLES - {role}))]
    questions = [ask(partner, number) for number in range(MAILS)]
    assert victim.await_end() == -signal.SIGKILL
    others.append(started.start(*ALL_ROLES))
    ledger = desk.await_ledger(all_sent)
    assert_each_answered_once(desk, questions)
    doubted = [entry for entry in ledger.outbox if "our own copy" in story_of(desk, entry.thread_id)]
    assert len(doubted) == (role is Role.SEND)
    assert [other.end() for other in others] == [0, 0]


def story_of(desk: DeskOffice, thread_id: int | None) -> str:
    assert thread_id is not None
    return "\n".join(line.sentence for line in desk.story(thread_id).lines)


def test_a_worker_that_is_asked_to_end_finishes_the_answer_in_its_hands(
    desk: DeskOffice, started: Processes, partner: MailProgram
) -> None:
    sends = started.start(Role.SEND, waits=True)
    first = started.start(Role.FETCH, Role.PROCESS)
    ask(partner, 0)
    assert sends.moments.began.wait(PATIENCE)
    assert [entry.state for entry in desk.ledger().outbox] == [OutboxState.SENDING]
    assert sends.process.pid is not None
    sends.process.terminate()
    sends.moments.may_go_on.set()
    assert sends.await_end() == 0
    assert [entry.state for entry in desk.ledger().outbox] == [OutboxState.SENT]
    assert first.end() == 0
