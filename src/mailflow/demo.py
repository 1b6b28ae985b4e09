"""`mailflow demo`: an embedded mail server, sample mails over SMTP, the real worker, and proof that the answers came.

    sample mail --SMTP--> partnersupport@ --IMAP IDLE--> worker --SMTP--> the partner's own mailbox --IMAP--> proof

Nothing is simulated but the partners: the worker and everything in it is that of `mailflow run`.

With `--serve` the desk is one that goes live: most answers wait as drafts for a person, and the review desk is open for
him until Ctrl+C.
"""

import smtplib
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime, parseaddr
from pathlib import Path

from imapclient import IMAPClient
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mailflow import bootstrap, console
from mailflow.adapters.embedded import EmbeddedMail
from mailflow.adapters.store import SqlStore
from mailflow.core.playbook import Rollout
from mailflow.core.review import Account, AccountRole
from mailflow.core.storage import Counts, DecidedMail
from mailflow.errors import AssetError, MailflowError
from mailflow.services.worker import Worker
from mailflow.settings import DeskSettings, ImapSettings, Settings, SmtpSettings, StoreSettings

_PASSWORD = "demo"  # noqa: S105 - of an account that lives for a minute on loopback
_PATIENCE = timedelta(minutes=3)
_REFRESH = 0.2


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail that a partner will send."""

    name: str
    sender: str
    reverse_path: str
    """'' for bounces."""
    message_id: str
    content: bytes


@dataclass(slots=True)
class _Deliveries:
    """When each sample was accepted by the server, by Message-ID; filled by the sending thread."""

    at: dict[str, datetime] = field(default_factory=dict)
    error: Exception | None = None


def read_samples(folder: Path, now: datetime) -> list[Sample]:
    """The samples of `folder`, dated `now` so that they are new mail. Raises AssetError if there are none."""
    samples = [_sample(path, now) for path in sorted(folder.glob("*.eml"))]
    if not samples:
        raise AssetError(f"{folder}: no sample mails are here")
    return samples


def _sample(path: Path, now: datetime) -> Sample:
    message = message_from_bytes(path.read_bytes())
    del message["Date"]
    message["Date"] = format_datetime(now)
    sender = parseaddr(message["From"] or "")[1].lower()
    reverse_path = "" if sender.startswith("mailer-daemon@") else sender
    message_id = (message["Message-ID"] or "").strip().strip("<>")
    return Sample(path.name, sender, reverse_path, message_id, _as_smtp(message))


def _as_smtp(message: Message) -> bytes:
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


Serve = Callable[[Settings, SqlStore], AbstractContextManager[str]]
"""Opens the review desk and gives its address."""
LOGINS: dict[str, AccountRole] = {"sam": AccountRole.LEAD, "kim": AccountRole.SPECIALIST}
SAMPLE_PASSWORD = "try this desk now"  # noqa: S105 - of accounts that live on loopback as long as the demo
_UNDO = 20
"""Seconds, where somebody is there to cancel."""


def run_demo(store_path: Path, out: Console, serve: Serve | None = None) -> int:
    """The whole demo. Returns the exit code: 0 if every mail was dealt with and every answer arrived.

    `serve`: the review desk is opened too, before the first mail comes, and stays until Ctrl+C.
    """
    store_path.parent.mkdir(parents=True, exist_ok=True)
    for old in store_path.parent.glob(store_path.name + "*"):
        old.unlink()
    found = bootstrap.find_assets(Settings())
    samples = read_samples(found.demo / "mails", datetime.now(UTC))
    desk = Settings().desk
    users = dict.fromkeys([*desk.addresses, *_senders(samples)], _PASSWORD)
    own_domains = frozenset(desk.own_domains)
    with EmbeddedMail(users, authenticated_domains=own_domains, authserv_id=desk.trusted_authserv_ids[0]) as mail:
        settings = _settings(mail, store_path, is_served=serve is not None)
        with out.status("starting the worker"):
            store = bootstrap.build_store(settings)
            worker = bootstrap.build_worker(settings, store=store)
        if serve is None:
            return _watch(samples, mail, store, worker, out, store_path)
        return _serve(samples, mail, store, worker, out, settings, serve)


def _settings(mail: EmbeddedMail, store_path: Path, *, is_served: bool) -> Settings:
    desk = Settings().desk
    account = {"host": mail.host, "security": "none", "username": desk.addresses[0], "password": _PASSWORD}
    return Settings(
        # its partners are invented; where nobody looks on, nobody cancels
        desk=DeskSettings(rollout=Rollout.CANARY, undo_seconds=_UNDO)
        if is_served
        else DeskSettings(rollout=Rollout.LIVE, undo_seconds=0),
        imap=ImapSettings.model_validate(account | {"port": mail.imap_port}),
        smtp=SmtpSettings.model_validate(account | {"port": mail.smtp_port}),
        store=StoreSettings(url=f"sqlite:///{store_path}"),
    )


def _watch(
    samples: Sequence[Sample], mail: EmbeddedMail, store: SqlStore, worker: Worker, out: Console, store_path: Path
) -> int:
    deliveries = _Deliveries()
    threads = [
        threading.Thread(target=worker.run, name="worker", daemon=True),
        threading.Thread(target=_send, args=(samples, mail, deliveries), name="partners", daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        mails, counts, is_done = _show_until_done(samples, store, deliveries, out, threads[0].is_alive)
    finally:
        worker.stop()
        for thread in threads:
            thread.join()
    if deliveries.error is not None:
        raise MailflowError(f"the sample mails could not be sent: {deliveries.error}") from deliveries.error
    arrived = _arrived(mail, [one for one in mails if one.answer_state == "sent"], _senders(samples))
    return _report(samples, mails, counts, arrived, deliveries, out, is_done, store_path)


def _serve(
    samples: Sequence[Sample],
    mail: EmbeddedMail,
    store: SqlStore,
    worker: Worker,
    out: Console,
    settings: Settings,
    serve: Serve,
) -> int:
    """The samples come in while the review desk is open. Returns 0 when somebody ends it."""
    access = bootstrap.build_access(settings, store=store)
    for name, role in LOGINS.items():
        access.add(Account(name, name.capitalize(), role), SAMPLE_PASSWORD, "demo")
    deliveries = _Deliveries()
    worked = threading.Thread(target=worker.run, name="worker", daemon=True)
    with out.status("opening the review desk"), ExitStack() as open_:
        address = open_.enter_context(serve(settings, store))
        kept_open = open_.pop_all()
    with kept_open:
        worked.start()
        _tell_how_to_open(address, out)
        try:
            _send(samples, mail, deliveries)
            if deliveries.error is not None:
                raise MailflowError(f"the sample mails could not be sent: {deliveries.error}") from deliveries.error
            out.print(f"{len(samples)} sample mails were sent in; Ctrl+C ends the demo", highlight=False)
            while worked.is_alive():
                worked.join(1)
        except KeyboardInterrupt:
            out.print("the demo ends", highlight=False)
        finally:
            worker.stop()
            worked.join()
    return 0


def _tell_how_to_open(address: str, out: Console) -> None:
    out.print(f"the review desk is open at {address}", highlight=False)
    for name, role in LOGINS.items():
        out.print(f"  sign in as {name} ({role}), password: {SAMPLE_PASSWORD}", highlight=False)


def _senders(samples: Sequence[Sample]) -> list[str]:
    return sorted({sample.sender for sample in samples})


def _send(samples: Sequence[Sample], mail: EmbeddedMail, deliveries: _Deliveries) -> None:
    """Each partner hands in one mail after the other, as fast as the server takes them."""
    desk = Settings().desk.addresses[0]
    try:
        with smtplib.SMTP(mail.host, mail.smtp_port, timeout=30) as smtp:
            for sample in samples:
                smtp.sendmail(sample.reverse_path or "<>", [desk], sample.content)
                deliveries.at[sample.message_id] = datetime.now(UTC)
    except (OSError, smtplib.SMTPException) as error:
        deliveries.error = error


def _show_until_done(
    samples: Sequence[Sample], store: SqlStore, deliveries: _Deliveries, out: Console, is_working: Callable[[], bool]
) -> tuple[list[DecidedMail], Counts, bool]:
    """What was decided, and whether that is all; no longer than _PATIENCE, nor than the worker lives."""
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns)
    task = bar.add_task("mails dealt with", total=len(samples))
    with Live(console=out, refresh_per_second=5) as live:
        while True:
            with store.view() as unit:
                mails, counts = unit.decided(0, len(samples)), unit.counts()
            bar.update(task, completed=counts.received - counts.pending)
            live.update(Group(console.day_table(mails, waits(mails, deliveries.at)), bar))
            is_done = _is_done(mails, counts, len(samples))
            if is_done or deliveries.error is not None or not is_working() or time.monotonic() > deadline:
                return mails, counts, is_done
            time.sleep(_REFRESH)


def _is_done(mails: Sequence[DecidedMail], counts: Counts, expected: int) -> bool:
    on_their_way = any(one.answer_state in ("queued", "sending") for one in mails)
    return counts.received >= expected and not counts.pending and not on_their_way


def waits(mails: Sequence[DecidedMail], delivered_at: Mapping[str, datetime]) -> dict[str, float]:
    """Seconds from delivery to the server's yes to the answer, by Message-ID of the mail."""
    return {
        one.message_id: (one.answered_at - delivered_at[one.message_id]).total_seconds()
        for one in mails
        if one.answered_at is not None and one.message_id in delivered_at
    }


def _arrived(mail: EmbeddedMail, answered: Sequence[DecidedMail], mailboxes: Sequence[str]) -> set[str]:
    """Message-IDs of our answers that really lie in the partners' mailboxes, in the thread of their question."""
    questions = {one.answer_message_id: one.message_id for one in answered}
    found: list[str] = []
    for address in mailboxes:
        with IMAPClient(mail.host, port=mail.imap_port, ssl=False, timeout=30) as client:
            client.login(address, _PASSWORD)
            client.select_folder("INBOX", readonly=True)
            uids = client.search(["ALL"])
            for item in client.fetch(uids, ["BODY.PEEK[HEADER]"]).values() if uids else ():
                header = message_from_bytes(item[b"BODY[HEADER]"])
                answer_id = (header["Message-ID"] or "").strip("<> ")
                if (header["In-Reply-To"] or "").strip("<> ") == questions.get(answer_id):
                    found.append(answer_id)
    if len(found) != len(set(found)):
        raise MailflowError("an answer arrived twice")
    return set(found)


def _report(
    samples: Sequence[Sample],
    mails: Sequence[DecidedMail],
    counts: Counts,
    arrived: set[str],
    deliveries: _Deliveries,
    out: Console,
    is_done: bool,
    store_path: Path,
) -> int:
    sent = {one.answer_message_id for one in mails if one.answer_state == "sent"}
    lost = len(samples) - counts.answered - counts.held - counts.ignored - counts.duplicates
    waited = sorted(waits(mails, deliveries.at).values())
    p50 = f"{statistics.median(waited):.1f} s" if waited else "-"
    out.print(f"{len(arrived)} of {len(sent)} answers fetched from the partners' mailboxes, each in its thread")
    out.print(f"the store lies in {store_path}; to look at it:", highlight=False)
    out.print(f"  export MAILFLOW_STORE__URL=sqlite:///{store_path}", highlight=False, soft_wrap=True)
    out.print("  .venv/bin/mailflow threads list, threads show 1, outbox list, policy show", highlight=False)
    out.print("to work on such mail yourself, in a browser: .venv/bin/mailflow demo --serve", highlight=False)
    out.print(
        f"demo: {len(samples)} mails, {counts.answered} answered, {counts.held} held, {counts.ignored} ignored, "
        f"{lost} lost, p50 {p50}",
        highlight=False,
    )
    return 0 if is_done and lost == 0 and arrived == sent and len(sent) == counts.answered else 1
