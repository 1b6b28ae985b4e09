"""The queue: a box of threads, filtered, searched, sorted, page by page; views to come back to; many at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from mailflow.core.accounts import Signed
from mailflow.core.message import Role, Trust
from mailflow.core.review import BOX_TITLES, DUE_WITHIN, Box, Filter, Permission, QueueRow, Sort, may
from mailflow.web import actions, words
from mailflow.web.access import needs
from mailflow.web.boxes import Flash, Side, flash_of, side
from mailflow.web.desk import WebDesk
from mailflow.web.filters import AGES, MOST_ID, filter_of, filter_of_query, is_plain, place_of, place_text, query_of
from mailflow.web.rendering import LivePage, Renderer
from mailflow.web.told import told

ROWS = 50
Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Lead = Annotated[Signed, Depends(needs(Permission.LEAD))]
Text = Annotated[str, Form()]

EMPTY: dict[Box, tuple[str, str]] = {
    Box.HELD: (
        "Nothing waits for a person.",
        "Mail that may not be answered by itself, or that the model is unsure of, appears here as it comes.",
    ),
    Box.DRAFTS: (
        "No prepared answer waits.",
        "Where an answer is known but not sent by itself, it lies here ready: open it, read it, press a to send it.",
    ),
    Box.TROUBLE: (
        "No answer is in doubt.",
        "An answer whose fate nobody knows, that failed or came back, is shown here until somebody decides about it.",
    ),
    Box.MINE: (
        "Nothing is assigned to you.",
        "Open a thread and take it; it stays here until it is answered or closed.",
    ),
    Box.SNOOZED: ("Nothing sleeps.", "Press s on a thread to have it back at a better time; it waits here until then."),
    Box.ANSWERED: ("No thread is answered yet.", "What mailflow or a person has answered is kept here."),
    Box.ALL: ("There is no mail yet.", "Start the worker with mailflow run, and mails appear here as they come."),
}
BULK_TITLES: dict[str, str] = {
    "no-answer": "No answer needed",
    "approve": "Approve the drafts",
    "assign": "Assign to",
    "snooze": "Snooze",
    "spam": "Spam",
    "close": "Close",
    "reopen": "Reopen",
    "escalate": "Escalate",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One field of the filter."""

    name: str
    label: str
    chosen: str
    options: Sequence[tuple[str, str]]
    """(value, text)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage(LivePage):
    template: ClassVar[str] = "queue.html.j2"
    heading: str
    filter: Filter
    query: str
    """Of this list, for links that come back to it."""
    rows: Sequence[QueueRow]
    excerpts: Mapping[int, str]
    next: str
    """The address of the next page, '' on the last one."""
    is_first: bool
    is_plain: bool
    side: Side
    flash: Flash | None
    choices: Sequence[Choice]
    most_options: int = 200
    """Of more a list is no help, and the page would be large: the name is typed."""
    sorts: Sequence[tuple[str, str]]
    empty: tuple[str, str]
    may_bulk: bool
    bulk: Mapping[str, str]
    people: Sequence[str]
    snoozes: Mapping[str, str]


_THREAD = re.compile(r"#([0-9]{1,15})")
"""What is typed into the search to go to a thread."""


def queue_router(renderer: Renderer) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/queue")
    def queue(request: Request, signed: Reader) -> Response:
        desk: WebDesk = request.app.state.desk
        asked, now, account = dict(request.query_params), desk.clock.now(), signed.account
        filter_, after = filter_of(asked), place_of(asked.get("after", ""))
        if number := _THREAD.fullmatch(filter_.query.strip()):
            return RedirectResponse(f"/threads/{number[1]}", 303)
        query = query_of(filter_)
        with desk.store.view() as unit:
            newest = unit.newest_event()
            found = unit.queue(filter_, account.name, now, after, ROWS)
            excerpts = unit.excerpts([row.id for row in found.rows]) if found.rows else {}
            values = unit.values_in_queue()
            here = filter_.box.value if is_plain(filter_) else query
            beside = side(unit, desk, account, now, here)
            flash = flash_of(unit, desk, asked, account)
        may_bulk = may(account.role, Permission.LEAD)
        return renderer.page(
            QueuePage(
                title=_heading(filter_),
                heading=_heading(filter_),
                desk=desk.name,
                account=account,
                now=now,
                newest=newest,
                filter=filter_,
                query=query,
                rows=found.rows,
                excerpts=excerpts,
                next=f"/queue?{query_of(filter_, after=place_text(found.next))}" if found.next else "",
                is_first=after is None,
                is_plain=is_plain(filter_),
                side=beside,
                flash=flash,
                choices=_choices(filter_, values, desk),
                sorts=_sorts(filter_.box),
                empty=_empty(filter_),
                may_bulk=may_bulk,
                bulk=BULK_TITLES,
                people=people(desk) if may_bulk else (),
                snoozes=actions.SNOOZES,
            ),
            request=request,
        )

    @router.post("/queue/bulk")
    async def bulk(request: Request, signed: Lead) -> Response:
        form = await request.form(max_fields=1_000)
        chosen = [pair for one in form.getlist("chosen") if (pair := _pair(str(one)))]
        action, query = str(form.get("action", "")), query_of(filter_of_query(str(form.get("in", ""))))
        value = str(form.get(action, ""))
        desk: WebDesk = request.app.state.desk
        done = await run_in_threadpool(actions.bulk, desk, signed.account, action, chosen, value)
        left = ",".join(str(thread_id) for thread_id, _ in done.left)
        said = told(desk, signed.account, did="bulk", done=done.done, left=left, begun=done.begun)
        return RedirectResponse(f"/queue?{query}&{said}", 303)

    @router.post("/queue/views")
    def save_view(request: Request, signed: Reader, name: Text, in_: Annotated[str, Form(alias="in")] = "") -> Response:
        desk: WebDesk = request.app.state.desk
        shown, query = actions.line(name, 60), query_of(filter_of_query(in_))
        if not shown:
            raise actions.Unclear("the view needs a name")
        with desk.store.unit() as unit:
            unit.save_view(signed.account.name, shown, query)
        return RedirectResponse(f"/queue?{query}&{told(desk, signed.account, did='view')}", 303)

    @router.post("/queue/views/{view_id:int}/drop")
    def drop_view(request: Request, signed: Reader, view_id: Annotated[int, Path(ge=1, le=MOST_ID)]) -> Response:
        desk: WebDesk = request.app.state.desk
        with desk.store.unit() as unit:
            unit.drop_view(signed.account.name, view_id)
        return RedirectResponse("/queue", 303)

    return router


def people(desk: WebDesk) -> list[str]:
    """The names of the accounts that are open."""
    with desk.guard.access.store.view() as unit:
        return [one.name for one in unit.accounts() if one.is_active]


def _pair(text: str) -> tuple[int, int] | None:
    """`7.3`: thread 7 in its version 3."""
    thread_id, _, version = text.partition(".")
    is_pair = all(one.isascii() and one.isdecimal() and len(one) < 16 for one in (thread_id, version))
    return (int(thread_id), int(version)) if is_pair else None


def _heading(filter_: Filter) -> str:
    if filter_.query:
        return f"Search: {filter_.query}"
    return BOX_TITLES[filter_.box]


def _empty(filter_: Filter) -> tuple[str, str]:
    if filter_.query:
        return (
            "No mail has all of these words.",
            "Take a word away, or write its beginning: the last word may be the start of one. Accents do not matter.",
        )
    if not is_plain(filter_):
        return "No thread fits this filter.", "Take a condition away to see more."
    return EMPTY[filter_.box]


def _sorts(box: Box) -> list[tuple[str, str]]:
    by_time = [(Sort.NEWEST.value, "newest first"), (Sort.OLDEST.value, "oldest first")]
    return by_time if box in (Box.ALL, Box.ANSWERED) else [("", "due first"), *by_time]


def _choices(filter_: Filter, values: Mapping[str, Sequence[str]], desk: WebDesk) -> list[Choice]:
    known: dict[str, Sequence[str]] = {
        "intent": tuple(desk.review.playbook.intents),
        "reason": values["reason"],
        "role": [role.value for role in Role],
        "trust": [trust.value for trust in Trust],
        "language": values["language"],
        "priority": tuple(DUE_WITHIN),
        "partner": values["partner"],
        "assignee": values["assignee"],
    }
    labels = {"assignee": "Assigned to"}
    choices = []
    for name, options in known.items():
        chosen = getattr(filter_, name)
        shown = [(one, one if name in ("partner", "assignee", "language") else words.reason(one)) for one in options]
        shown += [("-", "nobody")] if name == "assignee" else []
        shown += [(chosen, words.reason(chosen))] if chosen and chosen not in dict(shown) else []
        choices.append(Choice(name, labels.get(name, name.capitalize()), chosen, shown))
    age = next((name for name, age in AGES.items() if age == filter_.older_than), "")
    ages = {"1h": "1 hour", "4h": "4 hours", "1d": "1 day", "3d": "3 days", "7d": "7 days"}
    return [*choices, Choice("older", "Older than", age, tuple(ages.items()))]
