"""Purge and erase on both databases: what goes is nowhere any more, what guards stays, what is others' stays."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Integer, event, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel
from tests.databases import database_url
from tests.services.office import Office, question

from mailflow.adapters import schema
from mailflow.adapters.keyring import Keyring
from mailflow.adapters.sql.session import HOOK, SAVED_VIEW
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.adapters.store_copy import snapshot, sums_of
from mailflow.adapters.tables import Instant
from mailflow.core.conversation import Clues
from mailflow.core.message import Envelope, MailRef, OutboundMessage, RawMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Batch
from mailflow.core.retention import Counts, Person
from mailflow.core.review import SavedDraft, ThreadChanged
from mailflow.core.storage import Understood
from mailflow.errors import StoreError, TemporaryRefusal
from mailflow.services.ingest import ingest
from mailflow.services.retention import Retention
from mailflow.testing import DESK, NOON, MemorySource, raw_mail

ANN, BOB = "ann@partner1.example", "bob@partner1.example"
LATER = timedelta(days=400)
YEAR = timedelta(days=365)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    store = SqlStore(engine, keys=Keyring([b"k" * 32]))
    yield store
    store.close()


@pytest.fixture
def office(store: SqlStore) -> Office:
    return Office(store)


def everything(store: SqlStore) -> str:
    """Every value of every table in one text; raw mail as it is read."""
    parts: list[str] = []
    names = [*SQLModel.metadata.tables, "message_search"]
    with store.engine.connect() as connection:
        for name in names:
            for row in connection.execute(text(f'SELECT * FROM "{name}"')):  # noqa: S608 - a table's name  # noqa: S608 - our own names
                parts.append(" ".join(_shown(value) for value in row))
        ids = connection.execute(text("SELECT id FROM inbound")).scalars().all()
    for inbound_id in ids:
        try:
            with store.opened(inbound_id) as content:
                parts.append(content[:].decode("utf-8", "replace"))
        except StoreError:
            continue
    return "\n".join(parts).lower()


def _shown(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def retention(office: Office, *, dry_run: bool = False) -> Retention:
    return Retention(office.store, office.clock, "sam", dry_run=dry_run)


def purge(office: Office, *, dry_run: bool = False) -> Counts:
    return retention(office, dry_run=dry_run).purge(YEAR)


def erase(office: Office, address: str = ANN, *, dry_run: bool = False) -> Counts:
    return retention(office, dry_run=dry_run).erase(address, "0.1.0").counts


def row_counts(store: SqlStore) -> dict[str, int]:
    with snapshot(store.engine) as connection:
        return {name: one.rows for name, one in sums_of(connection).items() if one.rows}


def our_id(office: Office) -> str:
    return office.submission.sent[-1].message_id


def execute(store: SqlStore, statement: str, **values: Any) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(statement), values)


@contextmanager
def reading_breaks(office: Office) -> Iterator[None]:
    """Every mail goes to quarantine meanwhile."""

    def breaks(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        raise RuntimeError("the parser fell over")

    office.read = breaks
    yield
    office.read = None


# ---------------------------------------------------------------------- purge


def old_desk(office: Office) -> None:
    """An answered mail, an ignored one, a note, and a year goes by; then a new one."""
    office.work(question(1, body="How do we get a licence? wombat"), question(2, body="thanks, wombat"))
    with office.store.unit() as unit:
        unit.add_note(1, "sam", "asked about the wombat before", NOON)
        unit.save_draft(1, SavedDraft("sam", NOON, "Dear wombat", ""))
    execute(office.store, "UPDATE thread SET updated_at = :at", at=NOON)
    office.clock.advance(LATER)
    office.work(question(3, date="Tue, 06 Apr 2027 11:59:00 +0000"))


def test_old_threads_go_with_everything_of_them(office: Office) -> None:
    old_desk(office)
    counts = purge(office)
    assert counts == Counts(threads=2, mails=2, answers=1, raw_mails=2, notes=2, audit_sentences=7)
    left = everything(office.store)
    for trace in ("wombat", "partner1", "partner2", "question 1", "question 2"):
        assert trace not in left, trace
    assert "ann@partner3.example" in left
    assert office.actions() == {"q3@partner.example": "reply"}
    with office.store.view() as unit:
        assert (unit.search("wombat"), len(unit.search("question"))) == ([], 2), "the new mail and its answer"


def test_a_mailbox_that_is_read_again_is_not_answered_again(office: Office) -> None:
    """Neither the same bytes under a new UIDVALIDITY nor the same mail with another header."""
    old_desk(office)
    purge(office)
    before = len(office.submission.sent)
    mails = [question(1, body="How do we get a licence? wombat"), question(2, body="thanks, wombat")]
    again = MemorySource(uid_validity=2)
    for mail in mails:
        again.deliver(mail)
        again.deliver(b"Received: by a second server\r\n" + mail)
    young = office.playbook.defaults.model_copy(update={"max_age_days": 9999})
    playbook = office.playbook.model_copy(update={"defaults": young})
    replace_office = replace(office, source=again, playbook=playbook)
    replace_office.work()
    assert len(office.submission.sent) == before
    assert office.counts().duplicates == 4
    replace_office.source.deliver(question(1, body="Other words, a licence"))
    replace_office.work()
    assert [one.action for one in office.decided()][-1] == "review"
    assert "Message-ID was used before" in office.decided()[-1].reason


def test_a_thread_that_a_person_answers_this_moment_stays(office: Office) -> None:
    """On PostgreSQL he need not wait for the purge; SQLite has one writer at a time."""
    old_desk(office)
    now = office.clock.now()
    draft = OutboundMessage(Envelope(DESK, ANN), "p1@desk.example", "Re: x", b"Subject: x\r\n\r\nx\r\n", "x")
    with office.store.unit() as unit:
        places = unit.old_threads(now - YEAR, None, 50)
    assert {one for _, one in places} == {1, 2}
    with office.store.unit() as unit:
        seen = unit.thread_view(1, now)
        assert seen is not None
        unit.send(1, seen.row.version, draft, "sam", now, now)
    with office.store.unit() as unit:
        counts = unit.purge_threads([one for _, one in places], now - YEAR, now)
    assert (counts.threads, counts.answers) == (1, 0)
    office.worker().run_once()
    assert our_id(office) == "p1@desk.example"


def test_what_he_queues_while_a_purge_goes_on_is_not_lost(office: Office) -> None:
    """He is told, or the thread stays; whoever comes second waits for the other."""
    old_desk(office)
    now = office.clock.now()
    draft = OutboundMessage(Envelope(DESK, ANN), "p1@desk.example", "Re: x", b"Subject: x\r\n\r\nx\r\n", "x")
    told: list[str] = []
    with office.store.view() as unit:
        seen = unit.thread_view(1, now)
    assert seen is not None

    def send() -> None:
        try:
            with office.beside().store.unit() as unit:
                unit.send(1, seen.row.version, draft, "sam", now, now)
        except ThreadChanged as error:
            told.append(str(error))

    person = threading.Thread(target=send)

    def begins(*arguments: Any) -> None:
        """Once the purge has asked which are still old, before it deletes any."""
        if "FROM message" in arguments[2] and "FROM thread" not in arguments[2] and person.ident is None:
            person.start()
            person.join(0.5)

    event.listen(office.store.engine, "before_cursor_execute", begins)
    with office.store.unit() as unit:
        assert unit.purge_threads([1, 2], now - YEAR, now).threads == 2
    person.join()
    event.remove(office.store.engine, "before_cursor_execute", begins)
    assert len(told) == 1
    assert not any(one.recipient == ANN for one in office.answers())


def test_the_bytes_of_copies_go_too(office: Office) -> None:
    old_desk(office)
    purge(office)
    again = MemorySource(uid_validity=2)
    again.deliver(b"Received: by a second server\r\n" + question(1, body="How do we get a licence? wombat"))
    replace(office, source=again).work()
    assert "wombat" in everything(office.store)
    assert purge(office).raw_mails == 0, "they came just now"
    office.clock.advance(LATER)
    execute(office.store, "UPDATE thread SET status = 'held'")
    assert purge(office).raw_mails == 1
    assert "wombat" not in everything(office.store)


def test_bytes_that_a_kept_mail_needs_stay(office: Office) -> None:
    """A copy belongs to no thread; its bytes are those of one that is kept."""
    office.work(question(1))
    again = MemorySource(uid_validity=2)
    again.deliver(question(1))
    replace(office, source=again).work()
    execute(office.store, "UPDATE thread SET status = 'held'")
    office.clock.advance(LATER)
    assert purge(office) == Counts(left=1)
    with office.store.opened(1) as content:
        assert content[:] == question(1)


def test_what_waits_for_something_stays_and_is_counted(office: Office) -> None:
    office.work(question(1, body="A riddle"))
    office.submission.errors = [TemporaryRefusal("451")] * 9
    office.work(question(2))
    with reading_breaks(office):
        office.work(question(3, body="broken"))
    execute(office.store, "UPDATE thread SET updated_at = :at", at=NOON)
    office.clock.advance(LATER)
    before = everything(office.store)
    assert purge(office) == Counts(left=2)
    after = everything(office.store)
    assert all(f"ann@partner{n}.example" in after for n in (1, 2, 3))
    assert len(after) >= len(before)


def test_a_thread_with_one_young_mail_stays_whole(office: Office) -> None:
    office.work(question(1))
    execute(office.store, "UPDATE thread SET updated_at = :at", at=NOON - LATER)
    execute(office.store, "UPDATE message SET stored_at = :at WHERE direction = 'in'", at=NOON - LATER)
    assert purge(office) == Counts()
    execute(office.store, "UPDATE message SET stored_at = :at", at=NOON - LATER)
    assert purge(office).threads == 1


def test_no_number_is_given_to_a_second_thread(office: Office) -> None:
    """Partners hold signed answers of the first."""
    office.work(question(1), question(2))
    signed = our_id(office)
    execute(office.store, "UPDATE thread SET updated_at = :at", at=NOON - LATER)
    execute(office.store, "UPDATE message SET stored_at = :at", at=NOON - LATER)
    assert purge(office).threads == 2
    assert purge(office).threads == 0, "the empty row that keeps the number is not counted again"
    office.work(question(3, sender="ann@partner2.example", body="And a licence for the lab?", in_reply_to=signed))
    with office.store.view() as unit:
        assert [one.id for one in unit.threads(10)] == [3, 2]
        assert office.decided()[-1].thread_id == 3
    execute(office.store, "UPDATE thread SET updated_at = :at WHERE id = 2", at=NOON - LATER)
    assert purge(office).threads == 1, "now there is a higher one"
    with office.store.view() as unit:
        assert [one.id for one in unit.threads(10)] == [3]


def test_a_merged_thread_goes_after_the_one_that_took_it_over(office: Office) -> None:
    office.work(question(1), question(2), question(3))
    with office.store.unit() as unit:
        assert unit.merge_threads(1, 2, NOON, "sam")
    execute(office.store, "UPDATE thread SET updated_at = :at WHERE id < 3", at=NOON - LATER)
    assert purge(office).threads == 0, "the mails are young"
    execute(office.store, "UPDATE message SET stored_at = :at WHERE thread_id < 3", at=NOON - LATER)
    assert purge(office).threads + purge(office).threads == 2
    with office.store.view() as unit:
        assert [one.id for one in unit.threads(10)] == [3]


def test_a_dry_run_counts_the_same_and_changes_nothing(office: Office) -> None:
    old_desk(office)
    with snapshot(office.store.engine) as connection:
        before = sums_of(connection)
    dry = purge(office, dry_run=True)
    with snapshot(office.store.engine) as connection:
        assert sums_of(connection) == before
    assert dry == purge(office)
    assert purge(office) == Counts(), "and the second time there is nothing left"


def test_many_threads_go_a_few_a_transaction(office: Office) -> None:
    with office.store.unit() as unit:
        for number in range(120):
            unit.open_thread(f"thread {number}", Clues(requester=f"a{number}@x.example"), NOON)
    execute(office.store, "UPDATE thread SET status = 'ignored'")
    office.clock.advance(LATER)
    sizes: list[int] = []

    class Watched(SqlStore):
        @contextmanager
        def unit(self) -> Iterator[Any]:
            with super().unit() as unit:
                before = unit._db.scalar(text("SELECT count(*) FROM thread"))
                yield unit
                sizes.append(before - unit._db.scalar(text("SELECT count(*) FROM thread")))

    watched = Watched(office.store.engine)
    assert Retention(watched, office.clock, "sam").purge(YEAR).threads == 120
    assert [size for size in sizes if size] == [50, 50, 19]


def test_small_things_that_grew_old_go_too(office: Office) -> None:
    hook = {"receiver": "crm", "event": "held", "thread_id": 1, "body": {"from": ANN}, "attempts": 0, "claimed_by": ""}
    with office.store.unit() as unit:
        for state in ("sent", "queued"):
            unit._db.execute(HOOK.insert(), {**hook, "at": NOON, "due_at": NOON, "error": "", "state": state})
        unit._mute(ANN, NOON, NOON + timedelta(days=9), f"mail to {ANN} came back")
        unit._mute(BOB, NOON, NOON + 2 * LATER, f"mail to {BOB} came back")
        unit.unmute("eve@partner1.example", NOON, "sam")
        unit._tell(NOON, "sam", "unmuted", "mail to eve@partner1.example is sent again", None, None)
    office.clock.advance(LATER)
    assert purge(office) == Counts(notes=1, mutes=1, audit_sentences=1)
    left = everything(office.store)
    assert "eve@" not in left
    assert BOB in left
    assert left.count(ANN) == 1, "the call that waits"


def test_a_purge_tells_of_itself_without_naming_anybody(office: Office) -> None:
    old_desk(office)
    purge(office)
    with office.store.engine.connect() as connection:
        (line,) = connection.execute(text("SELECT actor, sentence FROM audit_event WHERE kind = 'purged'"))
    assert line == ("sam", "what was older than 2026-04-06: 2 threads, 2 mails, 1 answers, 2 raw mails, 2 notes, "
                    "7 audit sentences")  # fmt: skip


# ---------------------------------------------------------------------- the audit trail


def with_events(store: SqlStore) -> None:
    with store.unit() as unit:
        unit._tell(NOON, "worker", "received", f"mail from {ANN}", 1, 1)
        unit._tell(NOON, "worker", "queued", f"answer to {ANN}", 1, None)


PERMIT = "INSERT INTO retention_permit (id, ends_with) VALUES (1, 0)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET sentence = '(erased)'",
        "UPDATE audit_event SET sentence = 'another story'",
        "DELETE FROM audit_event",
    ],
)
def test_without_a_permit_nothing_of_the_trail_changes(store: SqlStore, statement: str) -> None:
    with_events(store)
    with pytest.raises(DatabaseError, match="append-only"):
        execute(store, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET sentence = 'another story'",
        "UPDATE audit_event SET sentence = '(erased)', actor = 'eve'",
        "UPDATE audit_event SET sentence = '(erased)', kind = 'sent'",
        "UPDATE audit_event SET sentence = '(erased)', at = '2020-01-01'",
        "UPDATE audit_event SET sentence = '(erased)', thread_id = NULL WHERE id = 1",
        "UPDATE audit_event SET sentence = '(erased)', inbound_id = 7 WHERE id = 2",
        "UPDATE audit_event SET sentence = '(erased)', id = id + 100",
        "DELETE FROM audit_event",
    ],
)
def test_a_permit_lets_nothing_but_a_sentence_be_blanked(store: SqlStore, statement: str) -> None:
    with_events(store)
    with pytest.raises(DatabaseError, match="append-only"), store.engine.begin() as connection:
        connection.execute(text(PERMIT))
        connection.execute(text(statement))
    with store.engine.begin() as connection:
        connection.execute(text(PERMIT))
        connection.execute(text("UPDATE audit_event SET sentence = '(erased)' WHERE id = 1"))
        connection.execute(text("DELETE FROM retention_permit"))
        rows = connection.execute(text("SELECT sentence FROM audit_event ORDER BY id")).scalars().all()
    assert rows == ["(erased)", f"answer to {ANN}"]


@pytest.mark.parametrize("values", ["(1, 0)", "(2, 0)", "(0, 0)", "(1, 1)"])
def test_no_permit_outlives_its_transaction(store: SqlStore, values: str) -> None:
    with pytest.raises(DatabaseError), store.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO retention_permit (id, ends_with) VALUES {values}"))  # noqa: S608 - our own names
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM retention_permit")).scalar_one() == 0


def test_the_trail_cannot_be_replaced_by_the_back_door(store: SqlStore) -> None:
    with_events(store)
    columns = "(id, at, actor, kind, thread_id, inbound_id, sentence)"
    backdoor = (
        f"INSERT OR REPLACE INTO audit_event {columns} VALUES (1, '2026-01-01', 'eve', 'sent', 1, 1, 'another story')"  # noqa: S608 - our own names
        if store.engine.dialect.name == "sqlite"
        else "TRUNCATE audit_event"
    )
    for permit in ("SELECT 1", PERMIT):
        with pytest.raises(DatabaseError, match="append-only"), store.engine.begin() as connection:
            connection.execute(text(permit))
            connection.execute(text(backdoor))


# ---------------------------------------------------------------------- erase


def talk(office: Office) -> None:
    """Ann asks and is answered; Bob, who reads along, joins in and quotes her; another firm asks too."""
    office.work(question(1, sender=ANN, cc=BOB, body="How do we get a licence? Call me, wombat +49 555 0199."))
    office.work(
        raw_mail(
            "Please hurry, Ann Example is on holiday. koala\r\n\r\n"
            "On Monday Ann Example <ann@partner1.example> wrote:\r\n"
            "> How do we get a licence? Call me, wombat +49 555 0199.\r\n",
            From=f"Bob Builder <{BOB}>",
            To=f"{DESK}, Ann Example <{ANN}>",
            message_id="b1@partner1.example",
            subject="Re: Question 1",
            in_reply_to=our_id(office),
        )
    )
    office.work(question(2, body="A licence for the zebra lab"))


def test_one_requester_is_nowhere_any_more(office: Office) -> None:
    office.work(question(1, sender=ANN, body="How do we get a licence? wombat"), question(2))
    office.work(question(3, sender=ANN, body="A riddle: wombat"))
    with office.store.unit() as unit:
        unit._mute(ANN, NOON, NOON + LATER, f"mail to {ANN} came back: 550 wombat")
        unit.add_note(2, "sam", f"the same as {ANN} asked", NOON)
        unit.save_view("sam", "hers", "requester=ann%40partner1.example")
        unit._tell(NOON, "sam", "unmuted", f"mail to {ANN} is sent again", None, None)
    receipt = retention(office).erase("Ann@Partner1.example ", "0.1.0")
    left = everything(office.store)
    for trace in (ANN, "ann%40partner1", "wombat", "question 1", "question 3", "q1@partner.example"):
        assert trace not in left, trace
    assert receipt.counts.threads == 2
    assert receipt.counts.mails == 2
    assert receipt.counts.answers == 1
    assert receipt.counts.mutes == 1
    assert office.actions() == {"q2@partner.example": "reply"}
    with office.store.opened(2) as content:
        assert content[:] == question(2)
    with office.store.view() as unit:
        (note,) = unit.thread_view(2, NOON).notes  # type: ignore[union-attr]  # it is there
        assert note.text == "the same as [erased] asked"
        assert unit._db.execute(SAVED_VIEW.select()).all() == []


def test_the_same_name_at_another_firm_is_somebody_else(office: Office) -> None:
    office.work(question(1, sender=ANN), question(2, body="A licence for Ann Example, please"))
    erase(office)
    with office.store.opened(2) as content:
        assert content[:] == question(2, body="A licence for Ann Example, please")
    assert "ann example" in everything(office.store)


def test_of_others_in_the_thread_their_own_words_stay_without_him(office: Office) -> None:
    talk(office)
    counts = erase(office)
    assert (counts.threads, counts.mails, counts.answers, counts.mails_of_others) == (0, 1, 1, 1)
    left = everything(office.store)
    for trace in (ANN, "wombat", "555 0199", "ann example <ann@partner1"):
        assert trace not in left, trace
    with office.store.view() as unit:
        view = unit.thread_view(1, NOON)
        assert view is not None
        assert [(mail.from_addr, mail.text) for mail in view.mails] == [
            (BOB, "Please hurry, [erased] is on holiday. koala")
        ]
        assert view.mails[0].new_spans == ((0, len(view.mails[0].text)),)
        assert view.mails[0].to == (DESK, "[erased]")
        assert (view.row.requester, view.row.subject) == (BOB, "(erased)")
        assert {one.sentence for one in view.trail} == {"(erased)"}
        assert unit.search("koala") == [view.mails[0].id]
        assert unit.search("wombat") == []
    with pytest.raises(StoreError, match="were taken away on 2026-03-02"), office.store.opened(2):
        raise AssertionError("it was opened")


OZGUR, NAME = "özgür@partner1.example", "=?utf-8?q?=C3=96zg=C3=BCr_Kaya?="


def test_he_is_found_in_capitals_too_that_a_database_does_not_know(office: Office) -> None:
    office.work(question(1, sender=BOB, body="A riddle", From=f"{NAME} <{BOB}>", Cc="carl@partner1.example"))
    office.work(question(2, body=f"A licence like {OZGUR.upper()}?"))
    with office.store.unit() as unit:
        unit.move_mail(2, 1, "sam", NOON)
        unit.add_note(1, "sam", "ÖZGÜR KAYA rang", NOON)
        unit.save_view("sam", "his", "query=%C3%96zg%C3%BCr%40partner1.example&box=all")
    assert erase(office, BOB).notes == 1
    with office.store.view() as unit:
        view = unit.thread_view(1, NOON)
    assert view is not None
    assert [note.text for note in view.notes] == ["[erased] rang"]
    assert erase(office, OZGUR).mails_of_others == 1
    assert OZGUR not in everything(office.store)
    with office.store.view() as unit:
        assert unit.saved_views("sam") == []


def test_what_he_wrote_under_another_spelling_of_his_address_is_his(office: Office) -> None:
    office.work(question(1, sender="bob@partner1.example"))
    execute(office.store, "UPDATE message SET from_addr = :written WHERE direction = 'in'", written=OZGUR.upper())
    execute(office.store, "UPDATE thread SET requester = ''")
    assert erase(office, OZGUR).mails == 1


def test_a_mail_about_him_elsewhere_stays_without_him(office: Office) -> None:
    office.work(question(1, sender=ANN))
    office.work(question(2, body=f"A licence, as {ANN} (Ann Example) got one? zebra"))
    assert erase(office).mails_of_others == 1
    assert ANN not in everything(office.store)
    with office.store.view() as unit:
        view = unit.thread_view(2, NOON)
    assert view is not None
    assert view.mails[0].text == "A licence, as [erased] ([erased]) got one? zebra"
    assert view.row.requester == "ann@partner2.example"
    assert view.mails[0].action == "reply", "what was decided stays"


def test_an_answer_to_him_that_waits_is_not_sent(office: Office) -> None:
    office.submission.errors = [TemporaryRefusal("451")] * 9
    office.work(question(1, sender=ANN))
    assert erase(office).answers == 1
    office.submission.errors = []
    office.clock.advance(timedelta(hours=2))
    office.work()
    assert office.submission.sent == []


def test_what_is_going_on_this_moment_is_left_and_counted(office: Office) -> None:
    """An answer on its way, and a mail that waits to be decided: the second run takes them."""
    office.work(question(1, sender=ANN))
    execute(office.store, "UPDATE outbox SET state = 'sending', claimed_by = 'w'")
    mail = RawMessage(MailRef("desk", "INBOX", 9, 9), question(9, sender=ANN), NOON)
    with office.store.unit() as unit:
        unit.record("desk", "INBOX", Batch((mail,), None), NOON)
    counts = erase(office)
    assert (counts.left, counts.mails, counts.answers) == (2, 0, 0)
    assert ANN in everything(office.store)
    execute(office.store, "UPDATE outbox SET state = 'sent'")
    office.work()
    counts = erase(office)
    assert (counts.left, counts.mails, counts.answers) == (0, 2, 2)
    assert ANN not in everything(office.store)


def test_an_answer_to_him_that_is_claimed_meanwhile_is_no_more_claimed(office: Office) -> None:
    """PostgreSQL: a worker beside it takes nothing that is being erased."""
    office.undo = timedelta(seconds=5)
    office.source.deliver(question(1, sender=ANN))
    ingest(office.source, office.store, office.clock)
    office.processing().turn()
    office.clock.advance(timedelta(seconds=6))
    claimed: list[object] = []

    def claims(*arguments: Any) -> None:
        if arguments[2].startswith("DELETE FROM outbox") and office.store.engine.dialect.name == "postgresql":
            with office.beside().store.unit() as unit:
                claimed.append(unit.claim_outbox(office.clock.now()))

    event.listen(office.store.engine, "before_cursor_execute", claims)
    counts = erase(office)
    event.remove(office.store.engine, "before_cursor_execute", claims)
    assert (counts.left, counts.answers) == (0, 1)
    assert not any(claimed)
    office.work()
    assert office.submission.sent == []


def test_one_that_a_person_queues_meanwhile_is_left_and_counted(office: Office) -> None:
    office.work(question(1, sender=ANN))
    person = Person(ANN)
    draft = OutboundMessage(Envelope(DESK, ANN), "p1@desk.example", "Re: x", b"x", "x")
    done: list[int] = []

    def sends(*arguments: Any) -> None:
        """Just after the answers were held, before the thread is."""
        if "FOR UPDATE" in arguments[2] and "FROM thread" in arguments[2] and not done:
            done.append(1)
            with office.beside().store.unit() as unit:
                seen = unit.thread_view(1, NOON)
                assert seen is not None
                unit.send(1, seen.row.version, draft, "sam", NOON, NOON)

    event.listen(office.store.engine, "before_cursor_execute", sends)
    with office.store.unit() as unit:
        counts = unit.erase_from_thread(1, person, NOON)
    event.remove(office.store.engine, "before_cursor_execute", sends)
    assert (counts.left, counts.answers) == ((1, 0) if done else (0, 1))
    assert bool(done) == (office.store.engine.dialect.name == "postgresql")


def test_his_mail_in_quarantine_goes_and_nobody_need_look_at_it(office: Office) -> None:
    with reading_breaks(office):
        office.work(question(1, sender=ANN, body="broken wombat"), question(2, body="broken too"))
        for _ in range(5):
            office.clock.advance(timedelta(hours=2))
            office.work()
    with office.store.view() as unit:
        assert len(unit.quarantined(10)) == 2
    assert erase(office).mails == 1
    with office.store.view() as unit:
        (other,) = unit.quarantined(10)
    with office.store.opened(other.inbound_id) as content:
        assert content[:] == question(2, body="broken too")
    assert "wombat" not in everything(office.store)


def test_a_mail_that_was_erased_is_not_answered_when_it_comes_again(office: Office) -> None:
    office.work(question(1, sender=ANN))
    erase(office)
    again = MemorySource(uid_validity=2)
    again.deliver(question(1, sender=ANN))
    again.deliver(b"Received: by a second server\r\n" + question(1, sender=ANN))
    replace(office, source=again).work()
    assert len(office.submission.sent) == 1
    assert office.counts().duplicates == 2
    assert erase(office).raw_mails == 0


def test_a_new_mail_of_his_is_a_new_matter(office: Office) -> None:
    office.work(question(1, sender=ANN))
    signed = our_id(office)
    erase(office)
    office.work(question(2, sender=ANN, body="A licence once more", in_reply_to=signed))
    assert office.decided()[-1].action == "reply"
    assert office.decided()[-1].thread_id == 2


def test_somebody_with_more_threads_than_a_statement_has_parameters(office: Office) -> None:
    """A system that reports by mail has tens of thousands."""
    talk(office)
    many = list(range(1_000, 71_000))
    with office.store.unit() as unit:
        mails = unit.mails_about(Person(ANN), many)
        assert mails
        assert unit.mails_about(Person(ANN), [*many, 1]) == []
        unit.erase_elsewhere(Person(ANN), many)
        unit.erase_from_trail(Person(ANN), many, 0)


def test_a_receipt_names_counts_and_nobody(office: Office) -> None:
    talk(office)
    receipt = retention(office).erase(ANN, "0.1.0")
    assert (receipt.at, receipt.actor, receipt.version, receipt.id) == (NOON, "sam", "0.1.0", 1)
    again = retention(office)
    assert again.receipts("ANN@partner1.example") == [receipt]
    assert again.receipts(BOB) == []
    assert len(receipt.address_hmac) == 64
    with office.store.engine.connect() as connection:
        told = connection.execute(text("SELECT sentence FROM audit_event WHERE kind = 'erased'")).scalar_one()
    assert told.startswith("a requester, receipt 1: 1 mails, 1 answers, 1 mails of others, 2 raw mails")


def test_a_dry_run_of_an_erasure_counts_the_same_and_changes_nothing(office: Office) -> None:
    talk(office)
    office.work(question(5, body=f"A licence like {ANN}?"))
    office.store.key("erasure")
    with snapshot(office.store.engine) as connection:
        before = sums_of(connection)
    dry = erase(office, dry_run=True)
    with snapshot(office.store.engine) as connection:
        assert sums_of(connection) == before
    assert dry == erase(office)
    assert erase(office) == Counts(), "and the second time there is nothing left"


def test_somebody_of_whom_nothing_is_here_gets_a_receipt_that_says_so(office: Office) -> None:
    talk(office)
    before = row_counts(office.store)
    assert erase(office, "nobody@nowhere.example") == Counts()
    grown = {"receipt": 1, "audit_event": before["audit_event"] + 1, "secret": before["secret"] + 1}
    assert row_counts(office.store) == before | grown


@pytest.mark.parametrize("how", ["erased", "purged"])
def test_nothing_of_him_is_left_in_the_files_of_sqlite(how: str, tmp_path: Path) -> None:
    """Neither in free pages nor in the log, and no word in the index."""
    engine = open_engine(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    schema.upgrade(engine)
    office = Office(SqlStore(engine))
    office.work(*(question(n, body="A licence for the zebra") for n in range(2, 30)))
    office.work(question(1, sender=ANN, body="A licence? wombatology wombatography"))
    assert any(b"wombato" in one.read_bytes() for one in tmp_path.iterdir())
    if how == "erased":
        erase(office)
    else:
        execute(
            office.store,
            "UPDATE thread SET updated_at = :at, status = 'ignored' WHERE requester = :ann",
            at=NOON - LATER,
            ann=ANN,
        )
        execute(office.store, "UPDATE message SET stored_at = :at", at=NOON - LATER)
        assert purge(office).threads == 1
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        for trace in (b"wombato", b"wombatog", b"partner1.example", b"ology"):
            assert trace not in content, (file.name, trace)
    engine.dispose()


def test_a_receipt_says_so_where_the_log_of_sqlite_could_not_be_overwritten(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1"))
    schema.upgrade(engine)
    office = Office(SqlStore(engine))
    office.work(question(1, sender=ANN, body="A licence? wombatology"), question(2))
    with office.store.view() as reader:
        assert reader.decided(0, 9)
        receipt = retention(office).erase(ANN, "0.1.0")
        assert receipt.counts.not_overwritten == 1
        assert purge(office).not_overwritten == 1
    assert retention(office).receipts(ANN) == [receipt]
    assert any(b"wombato" in one.read_bytes() for one in tmp_path.iterdir())
    assert erase(office).not_overwritten == 0
    assert not any(b"wombato" in one.read_bytes() for one in tmp_path.iterdir())
    engine.dispose()


def test_an_answer_to_somebody_else_that_waits_is_left_and_counted(office: Office) -> None:
    """Its words must not change under the hands of whoever sends it again."""
    talk(office)
    draft = OutboundMessage(Envelope(DESK, "carl@x.example"), "p1@desk.example", "Re: x", b"x", f"As {ANN} asked")
    with office.store.unit() as unit:
        unit.send(2, unit.thread_view(2, NOON).row.version, draft, "sam", NOON, NOON)  # type: ignore[union-attr]
    assert erase(office).left == 1
    assert everything(office.store).count(ANN) == 1
    office.work()
    assert erase(office) == Counts(mails_of_others=1)
    assert ANN not in everything(office.store)


NAMES_REQUESTERS = {
    "audit_event": {"sentence"},
    "classification": {"intents", "explanation", "abstained", "runner_up", "actions"},
    "correction": {"why"},
    "decision": {"reasons", "answers", "draft"},
    "draft": {"markdown"},
    "hook": {"body", "error"},
    "inbound": {"error"},
    "message": {"message_id", "from_addr", "subject", "text", "parsed"},
    "mute": {"address", "reason"},
    "note": {"text"},
    "outbox": {"message_id", "recipient", "recipient_domain", "subject", "content", "error", "intents"},
    "raw": {"content"},
    "raw_slice": {"content"},
    "saved_view": {"query"},
    "thread": {"subject", "subject_key", "requester", "partner"},
}
"""What retention goes through."""
NAMES_NOBODY = {
    "account": {"name", "display_name", "role", "password_hash", "time_zone"},
    "audit_event": {"actor", "kind"},
    "chore": {"name"},
    "classification": {"model_version", "primary_intent", "role"},
    "correction": {"author", "intents", "action", "role", "predicted", "predicted_action"},
    "decision": {"action", "queue", "priority", "policy_version", "model_version"},
    "draft": {"author", "canned"},
    "hook": {"receiver", "event", "state", "claimed_by"},
    "inbound": {"account", "mailbox", "sha256", "state", "claimed_by"},
    "lease": {"name", "holder"},
    "mailbox_cursor": {"account", "mailbox"},
    "message": {"direction", "author", "dedup_key", "sha256"},
    "note": {"author"},
    "outbox": {"kind", "reverse_path", "state", "claimed_by"},
    "partner": {"domain", "company", "tier", "kind", "region", "route", "distributor"},
    "partner_import": {"actor", "version"},
    "presence": {"account"},
    "raw": {"sha256", "key_id"},
    "raw_slice": {"sha256", "key_id"},
    "receipt": {"actor", "address_hmac", "counts", "version"},
    "saved_view": {"account", "name"},
    "secret": {"name", "value"},
    "sign_in": {"token_sha256", "kind", "account", "name"},
    "sign_in_attempt": {"key"},
    "thread": {"language", "status", "queue", "priority", "intent", "reason", "role", "trust", "trouble", "assignee"},
    "tombstone": {"dedup_key", "message_id_sha256"},
    "worker": {"id", "machine", "roles"},
}
"""Hashes, states, our own people and firms."""


def test_of_every_column_it_is_said_whether_it_may_name_a_requester() -> None:
    """Whoever adds one says so here, and lets core/retention.py's rules reach it."""
    silent = (Integer, Boolean, Instant)
    for name, table in SQLModel.metadata.tables.items():
        columns = {column.name for column in table.columns if not isinstance(column.type, silent)}
        named, nobody = NAMES_REQUESTERS.get(name, set()), NAMES_NOBODY.get(name, set())
        assert columns == named | nobody, name
        assert not named & nobody
