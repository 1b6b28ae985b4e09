"""What people do with a thread: one table, for the pages and the REST interface alike.

Rule: an action names the version of the thread that was looked at; if it changed since, ThreadChanged stops it.
Rule: every action leaves an audit event with who and why (adapters/sql/desk.py writes both in one transaction).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from mailflow.core.accounts import Signed
from mailflow.core.review import Correction, Permission, SavedDraft, ThreadChanged, ThreadView
from mailflow.errors import MailflowError
from mailflow.services.review import NothingToAnswer, answered_mail
from mailflow.web.desk import WebDesk

LONGEST = 100_000
SNOOZES: dict[str, timedelta] = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
}


class NoSuchThread(MailflowError):
    temporary = False


class WrongRequest(MailflowError):
    """Something is missing or makes no sense; the sentence says what to give."""

    temporary = False


class Asked(BaseModel):
    """What an action is given; most need little of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int | None = Field(default=None, description="of the thread, as it was looked at")
    markdown: str = Field(default="", max_length=LONGEST)
    canned: str = Field(default="", max_length=200)
    why: str = Field(default="", max_length=2_000)
    note: str = Field(default="", max_length=LONGEST)
    assignee: str = Field(default="", max_length=64)
    snooze: str = Field(default="", max_length=40, description="1h, 4h, 1d, 3d, 7d, or an instant (ISO 8601)")
    message_id: int | None = Field(default=None, description="the mail's row")
    into: int | None = Field(default=None, description="another thread")
    intents: tuple[str, ...] = Field(default=(), max_length=10)
    action: str = Field(default="", max_length=20)
    role: str = Field(default="", max_length=20)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it, for the banner."""

    says: str
    thread_id: int
    entry_id: int | None = None
    """The answer in the outbox that may still be cancelled."""
    is_dealt_with: bool = False
    """Whether the next thread should be shown."""


Run = Callable[[WebDesk, Signed, ThreadView, Asked], Outcome]


@dataclass(frozen=True, slots=True)
class Action:
    title: str
    key: str
    """On the keyboard; '' for none."""
    run: Run
    permission: Permission = Permission.WORK


def thread(desk: WebDesk, thread_id: int) -> ThreadView:
    """Raises NoSuchThread."""
    with desk.store.view() as unit:
        view = unit.thread_view(thread_id, desk.clock.now())
    if view is None:
        raise NoSuchThread(f"there is no thread {thread_id}")
    return view


def act(desk: WebDesk, signed: Signed, thread_id: int, name: str, asked: Asked) -> Outcome:
    """Raises NoSuchThread, ThreadChanged, WrongRequest, NothingToAnswer, AssetError."""
    if name not in ACTIONS:
        raise WrongRequest(f"there is no action {name}; there are: {', '.join(ACTIONS)}")
    return ACTIONS[name].run(desk, signed, thread(desk, thread_id), asked)


def _version(view: ThreadView, asked: Asked) -> int:
    """The one that was looked at. Raises WrongRequest without one, ThreadChanged for an old one."""
    if asked.version is None:
        raise WrongRequest("give the version of the thread that you looked at")
    if asked.version != view.row.version:
        raise ThreadChanged(f"thread {view.row.id} has changed since you looked at it: look again, then decide")
    return asked.version


# ---------------------------------------------------------------------- answers


def _approve(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    entry_id = desk.review.approve(view, _version(view, asked), signed.account.name)
    return Outcome("The answer is on its way", view.row.id, entry_id, is_dealt_with=True)


def _send(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    entry_id = desk.review.send(view, _version(view, asked), asked.markdown, signed.account.name)
    return Outcome("The answer is on its way", view.row.id, entry_id, is_dealt_with=True)


def _keep(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    draft = SavedDraft(signed.account.name, desk.clock.now(), asked.markdown, asked.canned)
    with desk.store.unit() as unit:
        unit.save_draft(view.row.id, draft)
    return Outcome("The draft is kept", view.row.id)


def _discard(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    with desk.store.unit() as unit:
        unit.drop_draft(view.row.id)
    return Outcome("The draft is gone; what mailflow prepared is back", view.row.id)


# ---------------------------------------------------------------------- states


def _to(status: str, says: str, *, deals: bool = True) -> Run:
    def run(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
        with desk.store.unit() as unit:
            version = _version(view, asked)
            unit.set_status(view.row.id, version, status, signed.account.name, desk.clock.now(), asked.why)
        return Outcome(says, view.row.id, is_dealt_with=deals)

    return run


def _spam(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    now, who, mail = desk.clock.now(), signed.account.name, answered_mail(view)
    with desk.store.unit() as unit:
        unit.set_status(view.row.id, _version(view, asked), "ignored", who, now, asked.why or "spam")
        if mail.action:
            unit.correct(Correction(mail.id, ("spam",), "none", mail.sender[0], asked.why or "spam"), who, now)
    return Outcome("Marked as spam", view.row.id, is_dealt_with=True)


def _assign(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    with desk.store.unit() as unit:
        unit.assign(view.row.id, _version(view, asked), asked.assignee, signed.account.name, desk.clock.now())
    return Outcome(f"Assigned to {asked.assignee or 'nobody'}", view.row.id)


def _snooze(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    until = snoozed_until(asked.snooze, desk.clock.now())
    with desk.store.unit() as unit:
        unit.snooze(view.row.id, _version(view, asked), until, signed.account.name, desk.clock.now())
    return Outcome(f"Back on {until:%Y-%m-%d %H:%M} UTC", view.row.id, is_dealt_with=True)


def snoozed_until(said: str, now: datetime) -> datetime:
    """Raises WrongRequest."""
    if said in SNOOZES:
        return now + SNOOZES[said]
    try:
        until = datetime.fromisoformat(said)
    except ValueError:
        raise WrongRequest(f"say until when: {', '.join(SNOOZES)} or an instant as 2026-03-02T09:00") from None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
    if not now < until < now + timedelta(days=366):
        raise WrongRequest("snooze until a time to come, within a year")
    return until


def _escalate(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    with desk.store.unit() as unit:
        unit.escalate(view.row.id, _version(view, asked), asked.why, signed.account.name, desk.clock.now())
    return Outcome("Escalated: it is urgent and due now", view.row.id)


# ---------------------------------------------------------------------- what it is


def _correct(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    known = desk.review.playbook.intents
    if unknown := [one for one in asked.intents if one not in known]:
        raise WrongRequest(f"there is no intent {', '.join(unknown)}; there are: {', '.join(known)}")
    if asked.action not in ("reply", "review", "none"):
        raise WrongRequest("say what would have been right: reply, review or none")
    mail_id = asked.message_id or answered_mail(view).id
    if mail_id not in {mail.id for mail in view.mails}:
        raise WrongRequest(f"mail {mail_id} is not of this thread")
    said = Correction(mail_id, asked.intents, asked.action, asked.role, asked.why)
    with desk.store.unit() as unit:
        unit.correct(said, signed.account.name, desk.clock.now())
    return Outcome("Thank you: the next model learns from it", view.row.id)


def _note(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    if not asked.note.strip():
        raise WrongRequest("the note is empty")
    with desk.store.unit() as unit:
        unit.add_note(view.row.id, signed.account.name, asked.note.strip(), desk.clock.now())
    return Outcome("The note is kept; only colleagues see it", view.row.id)


# ---------------------------------------------------------------------- which thread


def _split(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    if asked.message_id not in {mail.id for mail in view.mails}:
        raise WrongRequest("say which mail of this thread begins the new one")
    with desk.store.unit() as unit:
        new = unit.split(asked.message_id or 0, signed.account.name, desk.clock.now())
    if new is None:
        raise WrongRequest("the first mail of a thread cannot be split off: it is the thread")
    return Outcome(f"Split off as #{new}", new)


def _merge(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    with desk.store.unit() as unit:
        _version(view, asked)
        if asked.into is None or not unit.merge_threads(view.row.id, asked.into, desk.clock.now(), signed.account.name):
            raise WrongRequest("say into which other thread")
    return Outcome(f"#{view.row.id} went into this thread", asked.into)


def _move(desk: WebDesk, signed: Signed, view: ThreadView, asked: Asked) -> Outcome:
    if asked.message_id not in {mail.id for mail in view.mails} or asked.into is None:
        raise WrongRequest("say which mail of this thread goes into which other thread")
    with desk.store.unit() as unit:
        if not unit.move_mail(asked.message_id or 0, asked.into, signed.account.name, desk.clock.now()):
            raise WrongRequest(f"there is no other thread {asked.into}")
    return Outcome(f"The mail of #{view.row.id} is here now", asked.into)


ACTIONS: dict[str, Action] = {
    "approve": Action("Approve and send", "a", _approve),
    "send": Action("Send", "", _send),
    "keep": Action("Keep the draft", "", _keep),
    "discard": Action("Discard the draft", "", _discard),
    "ignore": Action("No answer", "d", _to("ignored", "Dealt with, without an answer")),
    "close": Action("Close", "", _to("closed", "Closed")),
    "reopen": Action("Reopen", "o", _to("held", "Open again", deals=False)),
    "spam": Action("Spam", "x", _spam),
    "assign": Action("Assign", "i", _assign),
    "snooze": Action("Snooze", "s", _snooze),
    "escalate": Action("Escalate", "!", _escalate),
    "correct": Action("Correct", "c", _correct),
    "note": Action("Note", "n", _note),
    "split": Action("Split", "", _split),
    "merge": Action("Merge", "m", _merge),
    "move": Action("Move the mail", "", _move),
}

BULK = ("ignore", "close", "spam", "assign", "snooze", "escalate", "reopen")
"""What may be done with many threads at once."""


def act_on_many(desk: WebDesk, signed: Signed, thread_ids: list[int], name: str, asked: Asked) -> tuple[int, list[str]]:
    """(how many were done, why the others were not)."""
    if name not in BULK:
        raise WrongRequest(f"{name} is for one thread; for many there are: {', '.join(BULK)}")
    done, refused = 0, []
    for thread_id in thread_ids:
        try:
            view = thread(desk, thread_id)
            ACTIONS[name].run(desk, signed, view, asked.model_copy(update={"version": view.row.version}))
            done += 1
        except (NoSuchThread, ThreadChanged, WrongRequest, NothingToAnswer) as error:
            refused.append(f"#{thread_id}: {error}")
    return done, refused
