"""What people do with threads: one small function each, for the pages and for the REST interface alike.

Rule: each is one transaction, names who did it, and stops with ThreadChanged where the thread is not the one that was
looked at. Rule: text from outside is cleaned here (`line`, `passage`), before the store sees it: no NUL, no lone
surrogate, no more than fits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailflow.core.review import MARKED_AS_SPAM, Account, Correction, SavedDraft, ThreadChanged, ThreadView
from mailflow.core.review_store import ReviewUnit
from mailflow.errors import MailflowError
from mailflow.services.review import EMPTY, BegunByAPerson, answered_mail
from mailflow.web.desk import WebDesk

MOST_TEXT = 100_000
MOST_LINE = 300
SPAM = "spam"
ACTIONS = ("reply", "review", "none")
ROLES = ("partner", "internal", "customer", "prospect", "unknown")


class NoSuchThread(MailflowError):
    temporary = False


class Unclear(MailflowError):
    """It cannot be done as it was asked for; the sentence says what to change."""

    temporary = False


class DraftOfAnother(MailflowError):
    """A draft was kept since the page was shown, by somebody else or in another tab; nothing was overwritten."""

    temporary = False

    def __init__(self, draft: SavedDraft, account: Account) -> None:
        who = "you, in another tab," if draft.author == account.name else draft.author
        super().__init__(f"{who} kept a draft of this thread meanwhile: read it, then keep yours or that one")
        self.draft = draft


@dataclass(frozen=True, slots=True)
class Done:
    thread_id: int
    sentence: str
    entry_id: int | None = None
    """The answer that is on its way and may be cancelled."""
    version: int | None = None
    """Of the thread then: what was done can be taken back until somebody goes on with it."""
    asleep_until: datetime | None = None
    """Until when it slept before."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of a thread that somebody decided on: its version, and when it was shown to him."""

    version: int
    at: datetime | None = None


# ---------------------------------------------------------------------- text from outside


def line(text: str, most: int = MOST_LINE) -> str:
    """On one line, printable."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]


def passage(text: str) -> str:
    """Any text, its line ends as \\n. Raises Unclear for more than MOST_TEXT characters."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    plain = plain.encode("utf-8", "replace").decode("utf-8")
    if len(plain) > MOST_TEXT:
        raise Unclear(f"the text has more than {MOST_TEXT} characters: shorten it")
    return plain


# ---------------------------------------------------------------------- looking


def view_of(desk: WebDesk, thread_id: int) -> ThreadView:
    """Raises NoSuchThread."""
    with desk.store.view() as unit:
        found = unit.thread_view(thread_id, desk.clock.now())
    if found is None:
        raise NoSuchThread(f"there is no thread {thread_id}")
    return found


def settled(view: ThreadView, seen: Seen, account: Account) -> int:
    """The version to act on: the one that was seen, or today's where only the same person changed it since.

    Why: who corrects a mail and then sends his answer has seen everything. His own answer is no such change: it would
    go out twice.
    """
    if view.row.version == seen.version or seen.at is None:
        return seen.version
    since = [one for one in view.trail if one.at > seen.at]
    is_own = all(one.actor == account.name and one.kind != "queued" for one in since)
    # each own change is one version: where the sums differ, another one is before or between, whatever the clocks say
    changes = sum(one.kind in _CHANGES for one in since)
    return view.row.version if is_own and view.row.version == seen.version + changes else seen.version


_CHANGES = frozenset(
    {
        *("held", "ignored", "closed", "assigned", "snoozed", "escalated"),
        *("corrected", "split", "moved", "merged", "cancelled"),
    }
)
"""Events of a person that make one version of a thread each."""


def is_sent_already(view: ThreadView, seen: Seen, account: Account) -> bool:
    """Whether this very answer is on its way: the button was pressed twice."""
    last = view.trail[-1] if view.trail else None
    return (
        last is not None
        and view.row.version == seen.version + 1
        and (last.kind, last.actor) == ("queued", account.name)
        and bool(view.mails)
        and view.mails[-1].author == account.name
    )


# ---------------------------------------------------------------------- answers


def approve(desk: WebDesk, account: Account, thread_id: int, seen: Seen, shown: str) -> Done:
    """Send what is prepared, if it is what was `shown`. Raises NoSuchThread, NothingToAnswer, ThreadChanged."""
    view = view_of(desk, thread_id)
    return _sent(desk, view, seen, account, lambda version: desk.review.approve(view, version, account.name, shown))


def approve_unseen(desk: WebDesk, account: Account, thread_id: int, seen: Seen) -> Done:
    """Send what mailflow prepared. Raises NoSuchThread, NothingToAnswer (where a person has begun one), ThreadChanged.

    Why not what a person has begun: a list shows no texts.
    """
    view = view_of(desk, thread_id)
    return _sent(desk, view, seen, account, lambda version: desk.review.approve_unseen(view, version, account.name))


def send(
    desk: WebDesk, account: Account, thread_id: int, seen: Seen, markdown: str, known_at: datetime | None = None
) -> Done:
    """Send what was written; it is kept first, so that nothing is lost. `known_at` as in `keep`.

    Raises NoSuchThread, NothingToAnswer, Unclear, DraftOfAnother, ThreadChanged, AssetError.
    """
    written = passage(markdown)
    if not written.strip():
        raise Unclear(EMPTY)
    keep(desk, account, thread_id, written, known_at)
    view = view_of(desk, thread_id)
    words = desk.review.preview(written, view.row.subject, view.row.language or "en").text
    done = _sent(
        desk, view, seen, account, lambda version: desk.review.send(view, version, written, account.name), words
    )
    if done.entry_id is None:  # it is on its way since a moment ago: it is no draft beside itself
        with desk.store.unit() as unit:
            unit.drop_draft(view.row.id, account.name, desk.clock.now(), sent=written)
    return done


def _sent(
    desk: WebDesk, view: ThreadView, seen: Seen, account: Account, send_: Callable[[int], int], words: str = ""
) -> Done:
    """`words`: of the answer; an answer in other words is not the one that is on its way."""
    try:
        entry_id = send_(settled(view, seen, account))
    except ThreadChanged:
        now = view_of(desk, view.row.id)
        if not is_sent_already(now, seen, account) or (words and now.mails[-1].text != words):
            raise
        return Done(view.row.id, "the answer is on its way already")
    return Done(view.row.id, "the answer is on its way", entry_id)


def keep(
    desk: WebDesk,
    account: Account,
    thread_id: int,
    markdown: str,
    known_at: datetime | None,
    canned: str = "",
    *,
    replaces: bool = False,
) -> SavedDraft:
    """Keep what somebody has begun to write. Raises NoSuchThread, DraftOfAnother.

    `known_at`: when the draft was kept that he began with; None where there was none. `replaces`: it does not go on
    from that one. An empty text is none: what mailflow prepared is there again.
    """
    draft = SavedDraft(account.name, desk.clock.now(), passage(markdown), line(canned))
    with desk.store.unit() as unit:
        view = _whole(unit, thread_id, draft.at)
        _known(unit.draft(view.row.id, to_change=True), known_at, account, draft.markdown)
        if draft.markdown.strip():
            unit.save_draft(view.row.id, draft, replaces=replaces)
        else:
            unit.drop_draft(view.row.id, account.name, draft.at)
    return draft


def _whole(unit: ReviewUnit, thread_id: int, now: datetime) -> ThreadView:
    """Of a merged thread, the one that took it over. Raises NoSuchThread."""
    view = unit.thread_view(thread_id, now)
    if view is None:
        raise NoSuchThread(f"there is no thread {thread_id}")
    return view


def _known(kept: SavedDraft | None, known_at: datetime | None, account: Account, written: str = "") -> None:
    """Raises DraftOfAnother where `kept` is not the draft that was shown, nor what was `written`."""
    if kept is not None and kept.at != known_at and kept.markdown != written:
        raise DraftOfAnother(kept, account)


def discard(desk: WebDesk, account: Account, thread_id: int, known_at: datetime | None) -> Done:
    """Forget what was begun; what mailflow prepared is there again. Raises NoSuchThread, DraftOfAnother."""
    now = desk.clock.now()
    with desk.store.unit() as unit:
        view = _whole(unit, thread_id, now)
        _known(unit.draft(view.row.id, to_change=True), known_at, account)
        unit.drop_draft(view.row.id, account.name, now)
    return Done(view.row.id, "the draft is gone; what was prepared is shown again")


def filled_in(desk: WebDesk, thread_id: int, name: str, fields: Mapping[str, str]) -> str:
    """A canned reply, to become the draft. Raises NoSuchThread, AssetError that names the field."""
    clean = {key: line(value, MOST_TEXT) for key, value in fields.items()}
    return desk.review.canned_markdown(name, clean, view_of(desk, thread_id))


def cancel(desk: WebDesk, account: Account, entry_id: int) -> Done:
    """Stop an answer before it leaves. Raises Unclear where it has left."""
    with desk.store.unit() as unit:
        is_done = unit.cancel_outbox(entry_id, desk.clock.now(), account.name)
        return _of_entry(unit, entry_id, is_done, "it will not be sent; what was written is a draft again")


def retry(desk: WebDesk, account: Account, entry_id: int) -> Done:
    with desk.store.unit() as unit:
        is_done = unit.retry_outbox(entry_id, desk.clock.now(), account.name)
        return _of_entry(unit, entry_id, is_done, "it is queued again")


def confirm(desk: WebDesk, account: Account, entry_id: int) -> Done:
    with desk.store.unit() as unit:
        is_done = unit.confirm_outbox(entry_id, desk.clock.now(), account.name)
        return _of_entry(unit, entry_id, is_done, "it counts as sent")


def _of_entry(unit: ReviewUnit, entry_id: int, is_done: bool, sentence: str) -> Done:
    entry = unit.outbox_entry(entry_id)
    if entry is None:
        raise NoSuchThread(f"there is no answer {entry_id}")
    if not is_done:
        raise Unclear(f"answer {entry_id} is {entry.state.value} by now: that cannot be done any more")
    return Done(entry.thread_id or 0, sentence)


# ---------------------------------------------------------------------- decisions


def no_answer(desk: WebDesk, account: Account, thread_id: int, seen: Seen, why: str = "") -> Done:
    """Nobody waits for an answer."""
    sentence = line(why) or "needs no answer"
    return _changed(
        desk,
        account,
        thread_id,
        seen,
        "no answer is needed",
        lambda unit, version: unit.set_status(thread_id, version, "ignored", account.name, desk.clock.now(), sentence),
    )


def close(desk: WebDesk, account: Account, thread_id: int, seen: Seen, why: str = "") -> Done:
    return _changed(
        desk,
        account,
        thread_id,
        seen,
        "it is closed",
        lambda unit, version: unit.set_status(thread_id, version, "closed", account.name, desk.clock.now(), line(why)),
    )


def reopen(desk: WebDesk, account: Account, thread_id: int, seen: Seen | None = None, why: str = "") -> Done:
    """`seen` None: whatever it is by now, for who undoes what he did a moment ago."""
    sentence = line(why) or "opened again"
    return _changed(
        desk,
        account,
        thread_id,
        seen,
        "it waits for a person again",
        lambda unit, version: unit.set_status(thread_id, version, "held", account.name, desk.clock.now(), sentence),
    )


def undo(desk: WebDesk, account: Account, thread_id: int, version: int, asleep_until: datetime | None = None) -> Done:
    """Take back what closed a thread or put it to sleep, if nobody went on with it since. Raises ThreadChanged.

    It is due, and asleep, as it was before.
    """
    now = desk.clock.now()
    asleep = asleep_until if asleep_until is not None and now < asleep_until < now + LONGEST_SLEEP else None
    with desk.store.unit() as unit:
        unit.take_back(thread_id, version, asleep, account.name, now)
    return Done(thread_id, "it waits for a person as it did before")


def spam(desk: WebDesk, account: Account, thread_id: int, seen: Seen) -> Done:
    """It is closed, and the model learns that it is spam."""
    view, now = view_of(desk, thread_id), desk.clock.now()
    mail = answered_mail(view)

    def do(unit: ReviewUnit, version: int | None) -> None:
        unit.set_status(thread_id, version, "ignored", account.name, now, "spam")
        if mail.action:
            unit.correct(Correction(mail.id, (SPAM,), "none", mail.sender[0], MARKED_AS_SPAM), account.name, now)

    return _changed(desk, account, thread_id, seen, "it counts as spam", do)


def assign(desk: WebDesk, account: Account, thread_id: int, seen: Seen, assignee: str) -> Done:
    """'' for nobody. Raises Unclear for a name that is no open account."""
    name = line(assignee)
    with desk.guard.access.store.view() as accounts:
        if name and not any(one.name == name and one.is_active for one in accounts.accounts()):
            raise Unclear(f"there is no account {name} that is open")
    return _changed(
        desk,
        account,
        thread_id,
        seen,
        f"it is {name}'s" if name else "it is nobody's",
        lambda unit, version: unit.assign(thread_id, version, name, account.name, desk.clock.now()),
    )


def snooze(desk: WebDesk, account: Account, thread_id: int, seen: Seen, until: str) -> Done:
    """`until`: one of SNOOZES, or `2026-03-02T09:00` in the account's time zone. Raises Unclear."""
    at = wake_at(until, desk.clock.now(), account.time_zone)
    shown = at.astimezone(ZoneInfo(account.time_zone))
    return _changed(
        desk,
        account,
        thread_id,
        seen,
        f"it comes back {shown:%Y-%m-%d %H:%M}",
        lambda unit, version: unit.snooze(thread_id, version, at, account.name, desk.clock.now()),
    )


def escalate(desk: WebDesk, account: Account, thread_id: int, seen: Seen, why: str) -> Done:
    """Raises Unclear without a reason."""
    sentence = line(why)
    if not sentence:
        raise Unclear("say why it is urgent: whoever takes it over reads it")
    return _changed(
        desk,
        account,
        thread_id,
        seen,
        "it is urgent now",
        lambda unit, version: unit.escalate(thread_id, version, sentence, account.name, desk.clock.now()),
    )


def _changed(
    desk: WebDesk,
    account: Account,
    thread_id: int,
    seen: Seen | None,
    sentence: str,
    change: Callable[[ReviewUnit, int | None], None],
) -> Done:
    with desk.store.unit() as unit:
        view = unit.thread_view(thread_id, desk.clock.now())
        if view is None:
            raise NoSuchThread(f"there is no thread {thread_id}")
        change(unit, None if seen is None else settled(view, seen, account))
        version = unit.thread_version(view.row.id)
    return Done(view.row.id, sentence, version=version, asleep_until=view.row.snoozed_until)


SNOOZES: dict[str, str] = {"1h": "1 hour", "4h": "4 hours", "tomorrow": "tomorrow, 9:00", "monday": "Monday, 9:00"}
_MORNING = time(9)
LONGEST_SLEEP = timedelta(days=731)


def wake_at(until: str, now: datetime, zone: str) -> datetime:
    """Raises Unclear for what is no time, or is past."""
    here = now.astimezone(ZoneInfo(zone))
    if until in ("1h", "4h"):
        return now + timedelta(hours=int(until[0]))
    if until in ("tomorrow", "monday"):
        days = 1 if until == "tomorrow" else 7 - here.weekday()
        return datetime.combine(here.date() + timedelta(days=days), _MORNING, here.tzinfo)
    try:
        at = datetime.fromisoformat(until)
    except ValueError:
        raise Unclear(f"{line(until)!r} is no time: choose one, or write 2026-03-02T09:00") from None
    at = at if at.tzinfo else at.replace(tzinfo=here.tzinfo)
    if at.year > now.year + 1 or at <= now:
        raise Unclear("choose a time after now, within a year")
    return at


# ---------------------------------------------------------------------- words about a thread


def note(desk: WebDesk, account: Account, thread_id: int, text: str) -> Done:
    """Raises NoSuchThread; Unclear for an empty one."""
    written = passage(text).strip()
    if not written:
        raise Unclear("the note is empty: write something")
    now = desk.clock.now()
    with desk.store.unit() as unit:
        row = _whole(unit, thread_id, now).row
        unit.add_note(row.id, account.name, written, now)
    return Done(row.id, "the note is kept")


def correct(
    desk: WebDesk, account: Account, message_id: int, intents: Sequence[str], action: str, role: str, why: str
) -> Done:
    """Say what a mail is; the first of `intents` is the primary. Raises NoSuchThread, Unclear."""
    known = desk.review.playbook.intents
    said = tuple(dict.fromkeys(intents))
    if wrong := [one for one in said if one not in known]:
        raise Unclear(f"there is no intent {line(wrong[0])}")
    if action not in ACTIONS:
        raise Unclear("say what would have been right: reply, review or none")
    if role not in ROLES:
        raise Unclear(f"a role is one of {', '.join(ROLES)}")
    now = desk.clock.now()
    with desk.store.unit() as unit:
        thread_id = unit.thread_of_mail(message_id)
        if thread_id is None:
            raise NoSuchThread(f"there is no mail {message_id}")
        unit.correct(Correction(message_id, said, action, role, line(why, 1_000)), account.name, now)
    return Done(thread_id, "the correction is kept, and the next model learns from it")


# ---------------------------------------------------------------------- mails between threads


def split(desk: WebDesk, account: Account, message_id: int) -> Done:
    """Raises Unclear where the mail is the first of its thread."""
    with desk.store.unit() as unit:
        new = unit.split(message_id, account.name, desk.clock.now())
    if new is None:
        raise Unclear("this mail is the first of its thread: there is nothing to split it from")
    return Done(new, "it is a thread of its own now")


def move(desk: WebDesk, account: Account, message_id: int, to: int) -> Done:
    with desk.store.unit() as unit:
        if not unit.move_mail(message_id, to, account.name, desk.clock.now()):
            raise Unclear(f"the mail cannot go into thread {to}: there is no such thread, or it is there already")
    return Done(to, "the mail is in this thread now")


def merge(desk: WebDesk, account: Account, thread_id: int, into: int) -> Done:
    with desk.store.unit() as unit:
        if not unit.merge_threads(thread_id, into, desk.clock.now(), account.name):
            raise Unclear(f"threads {thread_id} and {into} are not two threads: look up the number")
    return Done(into, f"thread {thread_id} is part of this one now")


def retry_quarantined(desk: WebDesk, account: Account, inbound_id: int) -> None:
    with desk.store.unit() as unit:
        if not unit.retry_quarantined(inbound_id, desk.clock.now(), account.name):
            raise Unclear(f"mail {inbound_id} is not in quarantine any more")


# ---------------------------------------------------------------------- many at once

MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class BulkDone:
    done: int
    left: tuple[tuple[int, str], ...]
    """(thread, why it was left as it was)."""
    begun: int = 0
    """Of those left: where a person has begun an answer, which is not approved unread."""


def bulk(desk: WebDesk, account: Account, action: str, chosen: Sequence[tuple[int, int]], value: str = "") -> BulkDone:
    """`action` of BULK on each (thread, version); one that fails leaves the others done. Raises Unclear."""
    if action not in BULK:
        raise Unclear(f"there is no action {line(action)}")
    if not chosen:
        raise Unclear("no thread is chosen: tick those that are meant")
    if len(chosen) > MOST_AT_ONCE:
        raise Unclear(f"more than {MOST_AT_ONCE} threads at once: choose fewer")
    left: list[tuple[int, str]] = []
    begun = 0
    for thread_id, version in chosen:
        try:
            BULK[action](desk, account, thread_id, Seen(version), value)
        except MailflowError as error:
            left.append((thread_id, str(error)))
            begun += isinstance(error, BegunByAPerson)
    return BulkDone(len(chosen) - len(left), tuple(left), begun)


BULK: dict[str, Callable[[WebDesk, Account, int, Seen, str], Done]] = {
    "approve": lambda desk, account, thread_id, seen, _: approve_unseen(desk, account, thread_id, seen),
    "no-answer": no_answer,
    "spam": lambda desk, account, thread_id, seen, _: spam(desk, account, thread_id, seen),
    "close": close,
    "reopen": reopen,
    "assign": assign,
    "snooze": snooze,
    "escalate": escalate,
}
