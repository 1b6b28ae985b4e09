"""The column beside the lists: boxes with their counts, saved views; and what was just done, with the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailflow.core.delivery import OutboxState
from mailflow.core.review import BOX_TITLES, Account, Permission, may
from mailflow.core.review_store import ReviewUnit
from mailflow.core.storage import OutboxView
from mailflow.web.desk import WebDesk
from mailflow.web.filters import MOST_ID
from mailflow.web.told import believed


@dataclass(frozen=True, slots=True)
class BoxLink:
    title: str
    href: str
    count: str
    """'' where it is not counted."""
    is_here: bool


@dataclass(frozen=True, slots=True)
class SavedView:
    id: int
    name: str
    href: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Side:
    boxes: Sequence[BoxLink]
    views: Sequence[SavedView]


def side(unit: ReviewUnit, desk: WebDesk, account: Account, now: datetime, here: str) -> Side:
    """`here`: the name of the box, the query of a saved view, or the path of the page."""
    counts = unit.box_counts(account.name, now)
    outgoing, quarantined = unit.waiting_counts()
    boxes = [
        BoxLink(title, f"/queue?box={box}", _count(counts.get(box), desk.most_counted), here == box)
        for box, title in BOX_TITLES.items()
    ]
    answers = BoxLink("Undo window", "/outbox", _count(outgoing, desk.most_counted), here == "/outbox")
    kept = BoxLink("Quarantine", "/quarantine", _count(quarantined, desk.most_counted), here == "/quarantine")
    views = [
        SavedView(view_id, name, f"/queue?{query}", here == query)
        for view_id, name, query in unit.saved_views(account.name)
    ]
    # in the order of the work: what waits for a person, what is on its way, what is done
    return Side((*boxes[:3], answers, kept, *boxes[3:]), views)


def _count(number: int | None, most: int) -> str:
    if number is None:
        return ""
    return f"{most}+" if number >= most else str(number)


# ---------------------------------------------------------------------- what was just done

_DONE: dict[str, str] = {
    "approve": "The answer to #{of} is on its way",
    "send": "The answer to #{of} is on its way",
    "no-answer": "#{of} needs no answer",
    "spam": "#{of} counts as spam, and the next model learns it",
    "close": "#{of} is closed",
    "snooze": "#{of} sleeps",
    "reopen": "#{of} waits for a person again",
    "undo": "#{of} waits for a person as it did before",
    "assign": "#{of} is handed over",
    "escalate": "#{of} is urgent now",
    "correct": "The correction of #{of} is kept; the next model learns from it",
    "note": "The note is kept",
    "keep": "The draft is kept",
    "canned": "The canned reply is filled in: read it, then send it",
    "discard": "The draft is gone; what was prepared is shown again",
    "split": "#{of} is a thread of its own now",
    "move": "The mail is in #{of} now",
    "merge": "The threads are one now",
    "cancel": "It was not sent; its words are a draft again",
    "retry": "It is queued again",
    "confirm": "It counts as sent",
    "quarantine": "It will be tried again",
    "view": "The view is kept",
}
_TAKEN_BACK = frozenset({"no-answer", "spam", "close", "snooze"})


@dataclass(frozen=True, slots=True)
class Flash:
    sentence: str
    of: int
    leaves: OutboxView | None
    """An answer that can be cancelled yet."""
    version: int
    """Of the thread `of` after what was done, where it can be taken back; else 0."""
    slept: str = ""
    """Until when it was asleep before."""
    said: datetime | None = None
    problems: Sequence[str] = ()


def flash_of(unit: ReviewUnit, desk: WebDesk, address: Mapping[str, str], account: Account) -> Flash | None:
    """From the address that an action led to: did=approve&of=7&entry=12, with our mark (told.py)."""
    asked = believed(desk, account, address)
    did, of, entry = asked.get("did", ""), _number(asked.get("of", "")), _number(asked.get("entry", ""))
    if did == "bulk":
        return _bulk_flash(asked)
    if did not in _DONE:
        return None
    found = unit.outbox_entry(entry) if entry else None
    leaves = found if found is not None and found.state is OutboxState.QUEUED else None
    works = may(account.role, Permission.WORK)
    version = _number(asked.get("version", "")) if works and did in _TAKEN_BACK else 0
    said = datetime.fromtimestamp(int(asked["said"]), UTC)
    return Flash(_DONE[did].format(of=of), of, leaves if works else None, version, asked.get("slept", ""), said)


def _bulk_flash(asked: Mapping[str, str]) -> Flash:
    done, left = _number(asked.get("done", "")), [one for one in asked.get("left", "").split(",") if one.isdecimal()]
    problems = [f"left as they were, because they changed or do not allow it: {', '.join(f'#{one}' for one in left)}"]
    if begun := _number(asked.get("begun", "")):
        problems.append(f"a person has begun the answer of {begun} of them: read it there, then approve it")
    return Flash(
        f"{done} {'thread is' if done == 1 else 'threads are'} done", 0, None, 0, problems=problems if left else ()
    )


def _number(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_ID))
    return min(int(text), MOST_ID) if is_number else 0
