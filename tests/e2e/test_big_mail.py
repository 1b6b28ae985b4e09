"""A mail of 50 MiB on the whole way, on a real server: exact, whole or not at all, and in little memory."""

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text
from tests.e2e.mailboxes import PATIENCE, DeskOffice, says_nfr
from tests.large_mail import MIB, QUESTION, File, with_file
from tests.memory import peak_memory

from mailflow import bootstrap
from mailflow.adapters.store import SqlStore
from mailflow.core.octets import SLICE, Octets, slices
from mailflow.core.ports import Batch, Cursor, Source
from mailflow.reading import language
from mailflow.services.ingest import ingest
from mailflow.settings import read_settings

DIES_AFTER = 20
"""Slices of about fifty."""


@contextmanager
def store_of(desk: DeskOffice) -> Iterator[SqlStore]:
    store = bootstrap.build_store(desk.settings)
    try:
        yield store
    finally:
        store.close()


def deliver(desk: DeskOffice, file: File) -> str:
    """Puts a large mail into the mailbox; returns the hash of its octets as the server holds them."""
    content = b"".join(with_file(file))
    assert len(content) > 48 * MIB
    desk.program.imap.append(desk.mailbox, content)
    return hashlib.sha256(content).hexdigest()


def stored_hash(store: SqlStore) -> str:
    digest = hashlib.sha256()
    with store.opened(1) as content:
        for one in slices(content):
            digest.update(one)
    return digest.hexdigest()


def rows(store: SqlStore, table: str) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608 - of the tests


def test_a_large_mail_is_read_exactly_in_little_memory(desk: DeskOffice) -> None:
    """Fetch, record, claim and read in one process, and everything else that the worker does."""
    file = File()
    sent = deliver(desk, file)
    language.warm()
    with peak_memory() as peak:
        desk.run_once(says_nfr())
    with store_of(desk) as store, store.engine.connect() as connection:
        assert stored_hash(store) == sent
        (message,) = connection.execute(text("SELECT text, parsed FROM message")).all()
    (attachment,) = json.loads(message.parsed)["attachments"]
    assert (attachment["filename"], attachment["size"]) == ("scan.zip", file.size)
    assert attachment["sha256"] == file.digest.hexdigest()
    assert message.text == QUESTION.decode()
    assert peak.octets < 24 * MIB


def test_the_reading_process_gets_it_as_a_file(desk: DeskOffice) -> None:
    """What is handed over between the two processes is a descriptor; the parent's share is measured here."""
    file = File()
    deliver(desk, file)
    settings = desk.settings
    read = bootstrap.build_reader(settings)
    worker = bootstrap.build_worker(settings, classifier=says_nfr(), read=read)
    try:
        with peak_memory() as peak:
            worker.run_once()
    finally:
        read.close()
    (decided,) = desk.ledger().decided
    assert decided.message_id == "large@partner.example"
    assert peak.octets < 24 * MIB


class Deadly:
    """Octets that kill the process, kill -9, when they are looked at beyond `after` for the second time.

    The first time they are hashed, the second time stored.
    """

    def __init__(self, octets: Octets, after: int) -> None:
        self._octets, self._after, self._was_hashed = octets, after, False

    def __len__(self) -> int:
        return len(self._octets)

    def __getitem__(self, where: slice, /) -> bytes:
        start, stop, _ = where.indices(len(self))
        if self._was_hashed and start > self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        self._was_hashed |= stop == len(self)
        return self._octets[where]

    def find(self, octets: bytes, start: int, end: int, /) -> int:
        return self._octets.find(octets, start, end)


def die_while_storing(config: Path) -> None:
    settings = read_settings(config)
    source, store = bootstrap.build_source(settings), bootstrap.build_store(settings)

    class DeadlySource:
        account, mailbox = source.account, source.mailbox
        acknowledge, wait, interrupt, close = source.acknowledge, source.wait, source.interrupt, source.close
        survey, fetch_only, find_sent = source.survey, source.fetch_only, source.find_sent

        def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
            for batch in source.fetch(cursor):
                mails = (replace(mail, content=Deadly(mail.content, DIES_AFTER * SLICE)) for mail in batch.messages)
                yield replace(batch, messages=tuple(mails))

    deadly: Source = DeadlySource()
    ingest(deadly, store, bootstrap.SystemClock())


def test_a_worker_that_is_killed_half_way_stored_nothing_and_the_next_one_all(desk: DeskOffice) -> None:
    sent = deliver(desk, File())
    process = multiprocessing.get_context("spawn").Process(target=die_while_storing, args=(desk.config,))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    with store_of(desk) as store:
        assert [rows(store, table) for table in ("raw", "raw_slice", "inbound", "mailbox_cursor")] == [0, 0, 0, 0]
    desk.run_once(says_nfr())
    with store_of(desk) as store:
        assert stored_hash(store) == sent
        assert [rows(store, table) for table in ("raw", "inbound", "decision")] == [1, 1, 1]
