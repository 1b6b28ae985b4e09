"""One thread on one screen: what came, what was understood, what decided, what would be answered; and what to do.

    GET  /threads/7                     the page
    GET  /threads/7/answer              the answer as it will arrive, for the frame
    POST /threads/7/approve, send, ...  an action, then the page again, or the next thread of the list one came from

Rule: each form says which version of the thread was seen, and when; where another one is there now, nothing is done
and the page says what is new (`changed`). Rule: what somebody has written is kept before anything else is tried.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from mailflow.core.accounts import Signed
from mailflow.core.canned import Canned
from mailflow.core.delivery import OutboxState
from mailflow.core.partner import Partner
from mailflow.core.playbook import FACTS, Intent
from mailflow.core.receipt import Receipt
from mailflow.core.review import (
    Account,
    CorrectionView,
    Filter,
    MailView,
    Permission,
    Place,
    QueueRow,
    SavedDraft,
    Sort,
    ThreadChanged,
    ThreadView,
    TrailLine,
    may,
)
from mailflow.core.review_store import ReviewUnit
from mailflow.core.storage import OutboxView
from mailflow.errors import MailflowError
from mailflow.services.review import AnswerChanged, Prepared, is_answered
from mailflow.web import actions
from mailflow.web.access import needs
from mailflow.web.actions import Done, Seen
from mailflow.web.boxes import Flash, flash_of
from mailflow.web.desk import WebDesk
from mailflow.web.filters import MOST_ID, filter_of_query, query_of
from mailflow.web.letter import frame_headers
from mailflow.web.marks import Block, blocks
from mailflow.web.queue import people
from mailflow.web.rendering import HEADERS, LivePage, Page, Renderer
from mailflow.web.told import told
from mailflow.web.words import name as word
from mailflow.web.words import visible

Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Worker = Annotated[Signed, Depends(needs(Permission.WORK))]
Id = Annotated[int, Path(ge=1, le=MOST_ID)]
Number = Annotated[int, Form(ge=0, le=MOST_ID)]
Text = Annotated[str, Form()]
In = Annotated[str, Form(alias="in")]

LEAVES_QUEUE = frozenset({"approve", "send", "no-answer", "spam", "close", "snooze"})
"""After these the next thread of the list is shown."""
MOST_SUBJECT = 200
"""Characters that stand in the head, which is always in sight; the rest is folded."""
_CHARACTERS, _LINE, _LEAST, _MOST = 78, 24, 150, 620
"""Of the frame with the answer: characters a line; pixels a line, at least, at most."""


@dataclass(frozen=True, slots=True)
class ShownMail:
    mail: MailView
    blocks: Sequence[Block]
    is_open: bool
    is_first: bool
    """Of its thread: there is nothing to split it from."""


@dataclass(frozen=True, slots=True)
class Where:
    """The list that one came from."""

    query: str
    """'' where one came from elsewhere."""
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    prepared: Prepared | None
    problem: str
    """Why there is none."""
    height: int
    """Of its frame, in pixels."""
    is_answered: bool
    draft: SavedDraft | None
    """What somebody has begun, if it has any words."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What was understood of the mail that is looked at, and what follows from it."""

    mail: MailView
    partner: Partner | None
    steps: Sequence[tuple[str, Intent]]
    """(title, intent) of each intent that the playbook knows."""
    facts: Sequence[tuple[str, str]]
    correction: CorrectionView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPage(LivePage):
    template: ClassVar[str] = "thread.html.j2"
    view: ThreadView
    row: QueueRow
    mails: Sequence[ShownMail]
    """The newest first."""
    where: Where
    answer: Answer
    understood: Understood | None
    outgoing: Sequence[OutboxView]
    flash: Flash | None
    present: Sequence[str]
    """Others who look at it now."""
    people: Sequence[str]
    snoozes: Mapping[str, str]
    intents: Mapping[str, Intent]
    roles: Sequence[str] = actions.ROLES
    may_work: bool
    edits: bool
    """Whether the editor is open."""
    most_subject: int = MOST_SUBJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPage(Page):
    """An action was stopped, because the thread is not the one that was looked at."""

    template: ClassVar[str] = "changed.html.j2"
    now: datetime
    view: ThreadView
    mails: Sequence[ShownMail]
    """Those that came or went since, the newest first."""
    trail: Sequence[TrailLine]
    wanted: str
    """What was to be done."""
    markdown: str
    """What was written, if it was a letter."""
    other: SavedDraft | None
    """What somebody has written meanwhile, in the same place."""
    prepared: Prepared | None
    """The answer as it is now, where it is not the one that was approved."""
    value: str
    """What was said beside the action: a reason."""
    action: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CannedPage(Page):
    template: ClassVar[str] = "canned.html.j2"
    view: ThreadView
    replies: Sequence[tuple[str, Canned, bool]]
    """(name, reply, whether it is for one of the thread's intents)."""
    texts: Mapping[str, str]
    """What each says, its fields named where they will stand."""
    query: str
    asked: str
    draft_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPage(Page):
    template: ClassVar[str] = "receipt.html.j2"
    view: ThreadView
    mail: MailView
    receipt: Receipt | None
    problem: str
    query: str


def thread_router(renderer: Renderer) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    _add_pages(router, renderer)
    _add_drafts(router, renderer)
    _add_actions(router, renderer)
    return router


# ---------------------------------------------------------------------- looking


def _add_pages(router: APIRouter, renderer: Renderer) -> None:
    @router.get("/threads/{thread_id:int}")
    def thread(request: Request, signed: Reader, thread_id: Id) -> Response:
        desk: WebDesk = request.app.state.desk
        view, asked = actions.view_of(desk, thread_id), dict(request.query_params)
        if view.row.id != thread_id:
            return RedirectResponse(f"/threads/{view.row.id}" + (f"?{urlencode(asked)}" if asked else ""), 303)
        with desk.store.unit() as unit:
            unit.look(thread_id, signed.account.name, desk.clock.now())
        return renderer.page(_page(desk, view, signed.account, asked), request=request)

    @router.post("/threads/{thread_id:int}/look")
    def look(request: Request, signed: Reader, thread_id: Id) -> Response:
        """A page that is open says so from time to time, and hears who else looks."""
        desk: WebDesk = request.app.state.desk
        with desk.store.unit() as unit:
            present = unit.look(thread_id, signed.account.name, desk.clock.now())
        return JSONResponse({"present": [one for one in present if one != signed.account.name]}, headers=HEADERS)

    @router.get("/threads/{thread_id:int}/answer")
    def answer(request: Request, signed: Reader, thread_id: Id) -> Response:
        """What would be sent now, as it will arrive."""
        desk: WebDesk = request.app.state.desk
        try:
            prepared = desk.review.prepare(actions.view_of(desk, thread_id))
            rendered = desk.review.preview(prepared.markdown, prepared.subject, prepared.language).html
        except MailflowError as error:
            raise actions.NoSuchThread(str(error)) from error
        return HTMLResponse(rendered, headers=frame_headers())

    @router.get("/threads/{thread_id:int}/canned")
    def canned(request: Request, signed: Worker, thread_id: Id) -> Response:
        desk: WebDesk = request.app.state.desk
        view, asked = actions.view_of(desk, thread_id), request.query_params.get("q", "")
        wanted = {one.intent for mail in view.mails for one in mail.intents}
        found = [
            (name, one, bool(wanted & set(one.intents)))
            for name, one in desk.review.canned_for(view)
            if _fits(asked, name, one)
        ]
        page = CannedPage(
            title="Canned replies",
            desk=desk.name,
            account=signed.account,
            view=view,
            replies=found,
            texts={name: _words_of(desk, view, name, one) for name, one, _ in found},
            query=_in(request.query_params.get("in", "")),
            asked=asked,
            draft_at=view.draft.at.isoformat() if view.draft else "",
        )
        return renderer.page(page, request=request)

    @router.get("/threads/{thread_id:int}/mails/{mail_id:int}/receipt")
    def receipt(request: Request, signed: Reader, thread_id: Id, mail_id: Id) -> Response:
        desk: WebDesk = request.app.state.desk
        view = actions.view_of(desk, thread_id)
        mail = next((one for one in view.mails if one.id == mail_id and one.direction == "in"), None)
        if mail is None:
            raise actions.NoSuchThread(f"thread {thread_id} has no mail {mail_id} that came in")
        asked, problem = None, ""
        try:
            asked = desk.review.receipt(mail)
        except MailflowError as error:
            problem = str(error)
        page = ReceiptPage(
            title=f"Receipt of #{view.row.id}",
            desk=desk.name,
            account=signed.account,
            view=view,
            mail=mail,
            receipt=asked,
            problem=problem,
            query=_in(request.query_params.get("in", "")),
        )
        return renderer.page(page, request=request)


def _words_of(desk: WebDesk, view: ThreadView, name: str, canned: Canned) -> str:
    """'' where it cannot be written for this thread; choosing it says why."""
    try:
        return desk.review.canned_markdown(name, {one: f"[{word(one)}]" for one in canned.fields}, view)
    except MailflowError:
        return ""


def _fits(asked: str, name: str, canned: Canned) -> bool:
    said = f"{name.replace('_', ' ')} {canned.title}".casefold()
    return all(word in said for word in asked.casefold().split())


def _page(desk: WebDesk, view: ThreadView, account: Account, asked: Mapping[str, str]) -> ThreadPage:
    now, query = desk.clock.now(), _in(asked.get("in", ""))
    with desk.store.view() as unit:
        newest = unit.newest_event()
        outgoing = unit.outbox_of_thread(view.row.id)
        flash = flash_of(unit, desk, asked, account)
        where = _where(unit, view.row, query, account, now)
        looked_at = _looked_at(view, asked.get("mail", ""))
        understood = _understood(unit, desk, view, looked_at) if looked_at else None
    return ThreadPage(
        title=f"#{view.row.id} {visible(view.row.subject)[:MOST_SUBJECT] or '(no subject)'}",
        desk=desk.name,
        account=account,
        now=now,
        newest=newest,
        thread_id=view.row.id,
        view=view,
        row=view.row,
        mails=_shown(view, view.mails),
        where=where,
        answer=_answer(desk, view),
        understood=understood,
        outgoing=outgoing,
        flash=flash,
        present=[one for one in view.present if one != account.name],
        people=people(desk),
        snoozes=actions.SNOOZES,
        intents=desk.review.playbook.intents,
        may_work=may(account.role, Permission.WORK),
        edits="edit" in asked,
    )


def _in(query: str) -> str:
    """The list that one came from, as the queue writes it; '' for none."""
    return query_of(filter_of_query(query)) if query else ""


def _where(unit: ReviewUnit, row: QueueRow, query: str, account: Account, now: datetime) -> Where:
    filter_ = filter_of_query(query)
    place = _place(filter_, row)
    if not query or place is None:
        return Where(query)
    before, after = unit.beside(filter_, account.name, now, place)
    return Where(query, before, after)


def _place(filter_: Filter, row: QueueRow) -> Place | None:
    """Where `row` stands in the order of `filter_`."""
    by_time = filter_.sort is not Sort.DUE or filter_.box.value in ("all", "answered")
    at = row.updated_at if by_time else row.due_at
    return Place(at, row.id) if at is not None else None


def _looked_at(view: ThreadView, asked: str) -> MailView | None:
    """The mail that is asked for, else the newest that came in."""
    incoming = [mail for mail in view.mails if mail.direction == "in"]
    return next((mail for mail in incoming if str(mail.id) == asked), incoming[-1] if incoming else None)


def _shown(view: ThreadView, mails: Sequence[MailView]) -> list[ShownMail]:
    """The newest first. Open are the newest, and the newest that came in."""
    first = view.mails[0].id if view.mails else 0
    came_in = max((mail.id for mail in mails if mail.direction == "in"), default=0)
    newest = mails[-1].id if mails else 0
    return [
        ShownMail(
            mail,
            blocks(mail.text, mail.new_spans, [one.evidence for one in mail.intents]),
            mail.id in (came_in, newest) and mail.answer_state != OutboxState.CANCELLED,
            mail.id == first,
        )
        for mail in reversed(mails)
    ]


def _answer(desk: WebDesk, view: ThreadView) -> Answer:
    draft = view.draft if view.draft is not None and view.draft.markdown.strip() else None
    try:
        prepared = desk.review.prepare(view)
    except MailflowError as error:
        return Answer(None, str(error), 0, is_answered(view), draft)
    lines = sum(len(line) // _CHARACTERS + 1 for line in prepared.markdown.splitlines())
    height = min(max(_LEAST, 56 + lines * _LINE), _MOST)
    return Answer(prepared, "", height, is_answered(view), draft)


def _understood(unit: ReviewUnit, desk: WebDesk, view: ThreadView, mail: MailView) -> Understood:
    intents = desk.review.playbook.intents
    corrections = unit.corrections_of(view.row.id)
    return Understood(
        mail=mail,
        partner=unit.partner(mail.partner) if mail.partner else None,
        steps=[(one.intent, intents[one.intent]) for one in mail.intents if one.intent in intents],
        facts=[(fact, FACTS.get(fact, "")) for fact in mail.facts],
        correction=next((one for one in corrections if one.correction.message_id == mail.id), None),
    )


# ---------------------------------------------------------------------- what is written


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None and 1970 <= at.year < 9999 else None


def _seen(version: int, at: str) -> Seen:
    return Seen(version, _moment(at))


def _add_drafts(router: APIRouter, renderer: Renderer) -> None:
    @router.post("/threads/{thread_id:int}/draft")
    def keep(
        request: Request,
        signed: Worker,
        thread_id: Id,
        markdown: Text = "",
        draft_at: Text = "",
        in_: In = "",
        does: Text = "keep",
    ) -> Response:
        """Kept as it is written, by the page itself; or by the button, which shows the page again.

        `does`: keep, discard, or mine, for what is kept in place of another draft that was shown.
        """
        desk: WebDesk = request.app.state.desk
        known, is_page = _moment(draft_at), request.headers.get("X-Partial") is None
        try:
            if does == "discard":
                done = actions.discard(desk, signed.account, thread_id, known)
                return back_to(desk, signed.account, done, in_, "discard")
            draft = actions.keep(desk, signed.account, thread_id, markdown, known, replaces=does == "mine")
        except actions.DraftOfAnother as error:
            if not is_page:
                return JSONResponse({"problem": str(error)}, 409, HEADERS)
            wanted = _Wanted("discard" if does == "discard" else "keep", Seen(0), in_, actions.passage(markdown))
            return _changed(renderer, desk, signed.account, thread_id, wanted)
        if not is_page:
            answer = _answer(desk, actions.view_of(desk, thread_id)).prepared
            told = {"at": draft.at.isoformat(), "shown": answer.shown if answer else ""}
            return JSONResponse(told, headers=HEADERS)
        return back_to(desk, signed.account, Done(thread_id, ""), in_, "keep", edit=True)

    @router.post("/threads/{thread_id:int}/canned")
    async def canned(request: Request, signed: Worker, thread_id: Id) -> Response:
        desk: WebDesk = request.app.state.desk
        form = await request.form(max_fields=100)
        name, in_, known = (str(form.get(one, "")) for one in ("name", "in", "draft_at"))
        start = f"field-{name}-"
        given = {key.removeprefix(start): str(value) for key, value in form.items() if key.startswith(start)}

        def fill_in() -> Response:
            markdown = actions.filled_in(desk, thread_id, name, given)
            try:
                actions.keep(desk, signed.account, thread_id, markdown, _moment(known), name, replaces=True)
            except actions.DraftOfAnother:
                wanted = _Wanted("canned", Seen(0), in_, markdown)
                return _changed(renderer, desk, signed.account, thread_id, wanted)
            return back_to(desk, signed.account, Done(thread_id, ""), in_, "canned", edit=True)

        return await run_in_threadpool(fill_in)


def back_to(
    desk: WebDesk, account: Account, done: Done, in_: str, did: str, *, at: int | None = None, edit: bool = False
) -> Response:
    """To the thread that it was done with, or to another, `at`."""
    start = f"{urlencode({'in': _in(in_)})}&" if _in(in_) else ""
    said = told(desk, account, did=did, **_said(done))
    return RedirectResponse(f"/threads/{at or done.thread_id}?{start}{said}{'&edit=1' if edit else ''}", 303)


def _said(done: Done) -> dict[str, object]:
    slept = done.asleep_until.isoformat() if done.asleep_until else ""
    return {"of": done.thread_id, "entry": done.entry_id, "version": done.version, "slept": slept}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was to be done when the thread was found changed."""

    action: str
    seen: Seen
    in_: str
    markdown: str = ""
    value: str = ""


def _changed(
    renderer: Renderer,
    desk: WebDesk,
    account: Account,
    thread_id: int,
    wanted: _Wanted,
    prepared: Prepared | None = None,
) -> Response:
    """What is new, with what was written or said: nothing of it is lost.

    All of it is of one look at the thread, so that who goes on from here knows what he goes over.
    """
    view, since = actions.view_of(desk, thread_id), wanted.seen.at
    draft = view.draft if wanted.action in _WRITES else None
    mails = [mail for mail in view.mails if since is not None and mail.stored_at > since]
    page = ChangedPage(
        title=f"#{view.row.id} has changed",
        desk=desk.name,
        account=account,
        now=desk.clock.now(),
        view=view,
        mails=_shown(view, mails),
        trail=[one for one in view.trail if since is not None and one.at > since],
        wanted=WANTED.get(wanted.action, wanted.action),
        markdown=wanted.markdown,
        other=draft if draft is not None and draft.markdown != wanted.markdown else None,
        prepared=prepared,
        value=actions.line(wanted.value),
        action=wanted.action,
        query=_in(wanted.in_),
    )
    return renderer.page(page, 409)


# ---------------------------------------------------------------------- what is done

WANTED: dict[str, str] = {
    "approve": "send the answer",
    "send": "send your answer",
    "keep": "keep your draft",
    "canned": "use a canned reply",
    "discard": "discard the draft",
    "no-answer": "let it rest without an answer",
    "spam": "mark it as spam",
    "close": "close it",
    "reopen": "open it again",
    "undo": "take back what you did",
    "assign": "hand it over",
    "snooze": "put it to sleep",
    "escalate": "make it urgent",
}
_WRITES = frozenset({"send", "keep", "canned", "discard"})
"""Actions that a draft which nobody was shown stands in the way of."""
Act = Callable[[WebDesk, Account, int, Seen, str], Done]
SIMPLE: dict[str, Act] = {
    "no-answer": actions.no_answer,
    "spam": lambda desk, account, thread_id, seen, _: actions.spam(desk, account, thread_id, seen),
    "close": actions.close,
    "assign": actions.assign,
    "snooze": actions.snooze,
    "escalate": actions.escalate,
}
"""Actions on a thread with at most one value beside it."""


def _add_actions(router: APIRouter, renderer: Renderer) -> None:
    def add(name: str, act: Act) -> None:
        @router.post(f"/threads/{{thread_id:int}}/{name}", name=f"{name} a thread")
        def simple(
            request: Request,
            signed: Worker,
            thread_id: Id,
            version: Number,
            at: Text = "",
            value: Text = "",
            in_: In = "",
        ) -> Response:
            desk: WebDesk = request.app.state.desk
            seen, place = _seen(version, at), _place_before(desk, thread_id, in_)
            try:
                done = act(desk, signed.account, thread_id, seen, value)
            except ThreadChanged:
                wanted = _Wanted(name, seen, in_, value=value)
                return _changed(renderer, desk, signed.account, thread_id, wanted)
            return _on(desk, signed.account, name, done, in_, place)

    for name, act in SIMPLE.items():
        add(name, act)

    @router.post("/threads/{thread_id:int}/approve")
    def approve(
        request: Request, signed: Worker, thread_id: Id, version: Number, at: Text = "", shown: Text = "", in_: In = ""
    ) -> Response:
        """`shown`: says which text the page showed."""
        desk: WebDesk = request.app.state.desk
        seen, place = _seen(version, at), _place_before(desk, thread_id, in_)
        try:
            done = actions.approve(desk, signed.account, thread_id, seen, shown)
        except ThreadChanged as error:
            prepared = error.prepared if isinstance(error, AnswerChanged) else None
            return _changed(renderer, desk, signed.account, thread_id, _Wanted("approve", seen, in_), prepared)
        return _on(desk, signed.account, "approve", done, in_, place)

    @router.post("/threads/{thread_id:int}/reopen")
    def reopen(request: Request, signed: Worker, thread_id: Id, in_: In = "") -> Response:
        desk: WebDesk = request.app.state.desk
        done = actions.reopen(desk, signed.account, thread_id)
        return back_to(desk, signed.account, done, in_, "reopen")

    @router.post("/threads/{thread_id:int}/undo")
    def undo(
        request: Request, signed: Worker, thread_id: Id, version: Number, at: Text = "", slept: Text = "", in_: In = ""
    ) -> Response:
        """Of what closed it or put it to sleep; `slept`: until when it was asleep before."""
        desk: WebDesk = request.app.state.desk
        try:
            done = actions.undo(desk, signed.account, thread_id, version, _moment(slept))
        except ThreadChanged:
            wanted = _Wanted("undo", _seen(version, at), in_)
            return _changed(renderer, desk, signed.account, thread_id, wanted)
        return back_to(desk, signed.account, done, in_, "undo")

    @router.post("/threads/{thread_id:int}/send")
    def send(
        request: Request,
        signed: Worker,
        thread_id: Id,
        version: Number,
        at: Text = "",
        markdown: Text = "",
        draft_at: Text = "",
        in_: In = "",
    ) -> Response:
        desk: WebDesk = request.app.state.desk
        seen, place = _seen(version, at), _place_before(desk, thread_id, in_)
        try:
            done = actions.send(desk, signed.account, thread_id, seen, markdown, _moment(draft_at))
        except (ThreadChanged, actions.DraftOfAnother):
            wanted = _Wanted("send", seen, in_, actions.passage(markdown))
            return _changed(renderer, desk, signed.account, thread_id, wanted)
        return _on(desk, signed.account, "send", done, in_, place)

    @router.post("/threads/{thread_id:int}/note")
    def note(request: Request, signed: Worker, thread_id: Id, text: Text = "", in_: In = "") -> Response:
        desk: WebDesk = request.app.state.desk
        return back_to(desk, signed.account, actions.note(desk, signed.account, thread_id, text), in_, "note")

    @router.post("/threads/{thread_id:int}/merge")
    def merge(request: Request, signed: Worker, thread_id: Id, into: Number, in_: In = "") -> Response:
        desk: WebDesk = request.app.state.desk
        done = actions.merge(desk, signed.account, thread_id, into)
        return back_to(desk, signed.account, done, in_, "merge")

    @router.post("/mails/{mail_id:int}/split")
    def split(request: Request, signed: Worker, mail_id: Id, in_: In = "") -> Response:
        desk: WebDesk = request.app.state.desk
        done = actions.split(desk, signed.account, mail_id)
        return back_to(desk, signed.account, done, in_, "split")

    @router.post("/mails/{mail_id:int}/move")
    def move(request: Request, signed: Worker, mail_id: Id, to: Number, in_: In = "") -> Response:
        desk: WebDesk = request.app.state.desk
        done = actions.move(desk, signed.account, mail_id, to)
        return back_to(desk, signed.account, done, in_, "move")

    @router.post("/mails/{mail_id:int}/correct")
    def correct(
        request: Request,
        signed: Worker,
        mail_id: Id,
        first: Text = "",
        further: Annotated[Sequence[str], Form()] = (),
        action: Text = "",
        role: Text = "unknown",
        why: Text = "",
        in_: In = "",
    ) -> Response:
        intents = [one for one in (first, *further) if one]
        desk: WebDesk = request.app.state.desk
        done = actions.correct(desk, signed.account, mail_id, intents, action, role, why)
        return back_to(desk, signed.account, done, in_, "correct")


def _place_before(desk: WebDesk, thread_id: int, in_: str) -> Place | None:
    """Where the thread stands in the list before it is changed, so that the next one is found after."""
    query = _in(in_)
    return _place(filter_of_query(query), actions.view_of(desk, thread_id).row) if query else None


def _on(desk: WebDesk, account: Account, did: str, done: Done, in_: str, place: Place | None) -> Response:
    """To the next thread of the list that one came from, else back to this one."""
    query = _in(in_)
    if did not in LEAVES_QUEUE or not query:
        return back_to(desk, account, done, in_, did)
    filter_, now = filter_of_query(query), desk.clock.now()
    with desk.store.view() as unit:
        following = (
            unit.queue(filter_, account.name, now, place, 2).rows
            or unit.queue(filter_, account.name, now, None, 2).rows
        )
    next_ = next((row.id for row in following if row.id != done.thread_id), None)
    if next_ is not None:
        return back_to(desk, account, done, in_, did, at=next_)
    return RedirectResponse(f"/queue?{query}&{told(desk, account, did=did, **_said(done))}", 303)
