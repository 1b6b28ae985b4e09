"""The REST interface: everything that the pages do, under /api/v1, with its description at /api/v1/openapi.json.

Rule: every call is the function that the page's button calls (actions.py); values in and out stand in api_values.py.
Rule: what was looked at is said (`version`, `seen_at`); a thread that changed since is left as it is, with a 409.
Rule: errors are application/problem+json (RFC 9457, problems.py). A 409 of a thread says its `version` and what is new.
Rule: what cannot be read is refused, never left out: a client that misspells a filter must not act on the whole queue.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from pydantic import AwareDatetime
from starlette.responses import JSONResponse, Response, StreamingResponse

from mailflow.core.accounts import LastAdmin, Signed, can_change
from mailflow.core.delivery import OutboxState
from mailflow.core.review import Account, Box, Filter, Permission, Sort, ThreadChanged, may
from mailflow.services.numbers import numbers_of
from mailflow.services.review import AnswerChanged
from mailflow.web import actions
from mailflow.web import api_values as v
from mailflow.web.access import needs
from mailflow.web.actions import Done, NoSuchThread, Seen
from mailflow.web.desk import WebDesk
from mailflow.web.filters import AGES, MOST_ID, filter_of_query, place_of, place_text, query_of
from mailflow.web.letter import raw_mail
from mailflow.web.problems import ChangedSince
from mailflow.web.rendering import HEADERS

PREFIX = "/api/v1"
MOST = 200
Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Worker = Annotated[Signed, Depends(needs(Permission.WORK))]
Lead = Annotated[Signed, Depends(needs(Permission.LEAD))]
Admin = Annotated[Signed, Depends(needs(Permission.ADMIN))]
Id = Annotated[int, Path(ge=1, le=MOST_ID)]
Word = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": v.Problem, "content": {"application/problem+json": {}}, "description": what}
    for status, what in {
        401: "sign in first",
        403: "the role may not do this",
        404: "there is no such thing",
        409: "it changed since it was looked at",
        422: "it cannot be done as it was asked for",
        503: "the database is busy; try again",
    }.items()
}


def _desk(request: Request) -> WebDesk:
    desk: WebDesk = request.app.state.desk
    return desk


Desk = Annotated[WebDesk, Depends(_desk)]


def api_router() -> APIRouter:
    router = APIRouter(prefix=PREFIX, responses=ERRORS)
    _add_reading(router)
    _add_deciding(router)
    _add_writing(router)
    _add_outbox(router)
    _add_accounts(router)
    _add_own(router)

    @router.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request, signed: Reader) -> Response:
        return JSONResponse(described(request.app), headers=HEADERS)

    return router


def described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of what is under PREFIX."""
    said = get_openapi(title="mailflow", version="1", routes=app.routes, description=__doc__)
    return said | {"paths": {path: one for path, one in said["paths"].items() if path.startswith(PREFIX)}}


# ---------------------------------------------------------------------- reading


def _add_reading(router: APIRouter) -> None:
    @router.get("/me")
    def me(signed: Reader) -> v.MeOut:
        allowed = tuple(one.value for one in Permission if may(signed.account.role, one))
        return v.MeOut(account=v.AccountOut.model_validate(signed.account), signed_in_by=signed.kind.value, may=allowed)

    @router.get("/threads")
    def threads(
        desk: Desk,
        signed: Reader,
        box: Box = Box.HELD,
        sort: Sort = Sort.DUE,
        q: Word = "",
        intent: Word = "",
        reason: Word = "",
        role: Word = "",
        trust: Word = "",
        language: Word = "",
        assignee: Word = "",
        priority: Word = "",
        partner: Word = "",
        older: Annotated[Literal["", "1h", "4h", "1d", "3d", "7d"], Query()] = "",
        after: Word = "",
        limit: Limit = 50,
    ) -> v.ThreadsOut:
        """`after`: `next` of the page before. `assignee`: `-` for nobody."""
        place = place_of(after)
        if after and place is None:
            raise actions.Unclear("`after` is `next` of the page before, as it was said there")
        words = {
            name: actions.line(said, 200)
            for name, said in {
                "query": q,
                "intent": intent,
                "reason": reason,
                "role": role,
                "trust": trust,
                "language": language,
                "assignee": assignee,
                "priority": priority,
                "partner": partner,
            }.items()
        }
        wanted = Filter(box=box, sort=sort, older_than=AGES.get(older), **words)
        with desk.store.view() as unit:
            page = unit.queue(wanted, signed.account.name, desk.clock.now(), place, limit)
        following = place_text(page.next) if page.next else None
        return v.ThreadsOut(threads=tuple(map(v.row_out, page.rows)), next=following)

    @router.get("/threads/{thread_id}")
    def thread(desk: Desk, signed: Reader, thread_id: Id) -> v.ThreadOut:
        return v.ThreadOut.of(actions.view_of(desk, thread_id), desk.clock.now())

    @router.post("/threads/{thread_id}/look")
    def look(desk: Desk, signed: Reader, thread_id: Id) -> v.PresentOut:
        """Tell the others that you look at it. Good for 45 seconds."""
        with desk.store.unit() as unit:
            present = unit.look(thread_id, signed.account.name, desk.clock.now())
        if not present:
            raise NoSuchThread(f"there is no thread {thread_id}")
        return v.PresentOut(present=present)

    @router.get("/counts")
    def counts(desk: Desk, signed: Reader) -> v.CountsOut:
        with desk.store.view() as unit:
            boxes = unit.box_counts(signed.account.name, desk.clock.now())
            outbox, quarantine = unit.waiting_counts()
        return v.CountsOut(boxes=boxes, outbox=outbox, quarantine=quarantine, most=desk.most_counted)

    @router.get("/news")
    def news(
        desk: Desk, signed: Reader, after: Annotated[int | None, Query(ge=0, le=MOST_ID)] = None, limit: Limit = MOST
    ) -> v.NewsOut:
        """What happened after `newest` of the call before; without `after` only where to begin."""
        with desk.store.view() as unit:
            newest, threads = (unit.newest_event(), []) if after is None else unit.news(after, limit)
        return v.NewsOut(newest=newest, threads=tuple(threads))

    @router.get(
        "/mails/{mail_id}/raw",
        response_class=StreamingResponse,
        responses={200: {"content": {"message/rfc822": {}}, "description": "the mail as it came"}},
    )
    def raw(desk: Desk, signed: Reader, mail_id: Id) -> Response:
        with desk.store.view() as unit:
            mail = unit.mail(mail_id)
        if mail is None or mail.inbound_id is None:
            raise NoSuchThread(f"there is no mail {mail_id} that came in and is kept")
        return raw_mail(desk, mail.inbound_id, f"mail-{mail_id}.eml", save=True)

    @router.get("/corrections")
    def corrections(desk: Desk, signed: Reader, limit: Limit = 50) -> v.CorrectionsOut:
        with desk.store.view() as unit:
            found = unit.corrections(limit)
        return v.CorrectionsOut(corrections=tuple(map(v.CorrectionOut.of, found)))

    @router.get("/numbers")
    def numbers(desk: Desk, signed: Reader, days: Annotated[int, Query(ge=1, le=366)] = 30) -> v.NumbersOut:
        return v.NumbersOut.of(numbers_of(desk.store, days, desk.clock.now()))


# ---------------------------------------------------------------------- deciding


def _out(done: Done) -> v.DoneOut:
    return v.DoneOut(thread_id=done.thread_id, sentence=done.sentence, entry_id=done.entry_id)


@contextmanager
def _news_of(desk: WebDesk, thread_id: int, seen: Seen) -> Iterator[None]:
    """A thread that changed is told with what is new in it."""
    try:
        yield
    except AnswerChanged:
        raise
    except ThreadChanged as error:
        raise ChangedSince(str(error), actions.view_of(desk, thread_id), seen.at) from error


Decide = Callable[[WebDesk, Account, int, Seen, str], Done]
WITH_REASON: dict[str, Decide] = {
    "no-answer": actions.no_answer,
    "close": actions.close,
    "reopen": actions.reopen,
    "spam": lambda desk, account, thread_id, seen, _: actions.spam(desk, account, thread_id, seen),
}
"""What needs the version and perhaps a reason: one route each."""


def _add_deciding(router: APIRouter) -> None:
    for name, decide in WITH_REASON.items():
        _add_decision(router, name, decide)

    @router.post("/threads/{thread_id}/escalate")
    def escalate(desk: Desk, signed: Worker, thread_id: Id, body: v.ReasonBody) -> v.DoneOut:
        with _news_of(desk, thread_id, body.seen):
            return _out(actions.escalate(desk, signed.account, thread_id, body.seen, body.why))

    @router.post("/threads/{thread_id}/assign")
    def assign(desk: Desk, signed: Worker, thread_id: Id, body: v.AssignBody) -> v.DoneOut:
        with _news_of(desk, thread_id, body.seen):
            return _out(actions.assign(desk, signed.account, thread_id, body.seen, body.assignee))

    @router.post("/threads/{thread_id}/snooze")
    def snooze(desk: Desk, signed: Worker, thread_id: Id, body: v.SnoozeBody) -> v.DoneOut:
        with _news_of(desk, thread_id, body.seen):
            return _out(actions.snooze(desk, signed.account, thread_id, body.seen, body.until))

    @router.post("/threads/{thread_id}/undo")
    def undo(desk: Desk, signed: Worker, thread_id: Id, body: v.UndoBody) -> v.DoneOut:
        """Of what closed it, marked it as spam or put it to sleep: it is due as it was, and no model learns from it."""
        with _news_of(desk, thread_id, Seen(body.version)):
            return _out(actions.undo(desk, signed.account, thread_id, body.version, body.asleep_until))

    @router.post("/threads/{thread_id}/merge")
    def merge(desk: Desk, signed: Worker, thread_id: Id, body: v.MergeBody) -> v.DoneOut:
        return _out(actions.merge(desk, signed.account, thread_id, body.into))

    @router.post("/threads/{thread_id}/note")
    def note(desk: Desk, signed: Worker, thread_id: Id, body: v.NoteBody) -> v.DoneOut:
        return _out(actions.note(desk, signed.account, thread_id, body.text))

    @router.post("/mails/{mail_id}/correct")
    def correct(desk: Desk, signed: Worker, mail_id: Id, body: v.CorrectBody) -> v.DoneOut:
        return _out(actions.correct(desk, signed.account, mail_id, body.intents, body.action, body.role, body.why))

    @router.post("/mails/{mail_id}/split")
    def split(desk: Desk, signed: Worker, mail_id: Id) -> v.DoneOut:
        return _out(actions.split(desk, signed.account, mail_id))

    @router.post("/mails/{mail_id}/move")
    def move(desk: Desk, signed: Worker, mail_id: Id, body: v.MoveBody) -> v.DoneOut:
        return _out(actions.move(desk, signed.account, mail_id, body.to))

    @router.post("/bulk")
    def bulk(desk: Desk, signed: Lead, body: v.BulkBody) -> v.BulkOut:
        chosen = [(one.thread_id, one.version) for one in body.threads]
        done = actions.bulk(desk, signed.account, body.action, chosen, body.value)
        left = tuple(v.LeftOut(thread_id=thread_id, why=why) for thread_id, why in done.left)
        return v.BulkOut(done=done.done, left=left)


def _add_decision(router: APIRouter, name: str, decide: Decide) -> None:
    def decision(desk: Desk, signed: Worker, thread_id: Id, body: v.WhyBody) -> v.DoneOut:
        with _news_of(desk, thread_id, body.seen):
            return _out(decide(desk, signed.account, thread_id, body.seen, body.why))

    router.add_api_route(f"/threads/{{thread_id}}/{name}", decision, methods=["POST"], name=name.replace("-", "_"))


# ---------------------------------------------------------------------- writing


def _add_writing(router: APIRouter) -> None:
    @router.post("/threads/{thread_id}/approve")
    def approve(desk: Desk, signed: Worker, thread_id: Id, body: v.ApproveBody) -> v.DoneOut:
        """Send what is prepared, as it is. Where it is not what was shown: 409, with `answer`."""
        with _news_of(desk, thread_id, body.seen):
            return _out(actions.approve(desk, signed.account, thread_id, body.seen, body.shown))

    @router.post("/threads/{thread_id}/send")
    def send(desk: Desk, signed: Worker, thread_id: Id, body: v.SendBody) -> v.DoneOut:
        with _news_of(desk, thread_id, body.seen):
            return _out(actions.send(desk, signed.account, thread_id, body.seen, body.markdown, body.known_at))

    @router.get("/threads/{thread_id}/draft")
    def draft(desk: Desk, signed: Reader, thread_id: Id) -> v.PreparedOut:
        """What an editor begins with: somebody's draft, else what mailflow prepared."""
        view = actions.view_of(desk, thread_id)
        said = desk.review.prepare(view)
        return v.PreparedOut(
            markdown=said.markdown,
            recipient=said.recipient,
            subject=said.subject,
            language=said.language,
            canned=said.canned,
            by=said.by,
            at=view.draft.at if view.draft else None,
            shown=said.shown,
        )

    @router.put("/threads/{thread_id}/draft")
    def keep(desk: Desk, signed: Worker, thread_id: Id, body: v.DraftBody) -> v.SavedDraftOut:
        kept = actions.keep(desk, signed.account, thread_id, body.markdown, body.known_at)
        return v.SavedDraftOut.model_validate(kept)

    @router.delete("/threads/{thread_id}/draft")
    def discard(desk: Desk, signed: Worker, thread_id: Id, known_at: AwareDatetime | None = None) -> v.DoneOut:
        """`known_at`: `at` of the draft that was read. Its words stay in the trail."""
        return _out(actions.discard(desk, signed.account, thread_id, known_at))

    @router.post("/threads/{thread_id}/preview")
    def preview(desk: Desk, signed: Reader, thread_id: Id, body: v.PreviewBody) -> v.PreviewOut:
        """As it will arrive. Nothing is kept."""
        row = actions.view_of(desk, thread_id).row
        answer = desk.review.preview(actions.passage(body.markdown), row.subject, row.language or "en")
        return v.PreviewOut(text=answer.text, html=answer.html)

    @router.get("/canned")
    def canned(desk: Desk, signed: Reader) -> tuple[v.CannedOut, ...]:
        return tuple(v.CannedOut.of(name, one) for name, one in desk.review.canned.replies.items())

    @router.post("/threads/{thread_id}/canned")
    def fill_in(desk: Desk, signed: Worker, thread_id: Id, body: v.CannedBody) -> v.SavedDraftOut:
        """A canned reply, filled in, becomes the draft."""
        markdown = actions.filled_in(desk, thread_id, body.name, body.fields)
        kept = actions.keep(desk, signed.account, thread_id, markdown, body.known_at, body.name, replaces=True)
        return v.SavedDraftOut.model_validate(kept)


# ---------------------------------------------------------------------- the outbox and quarantine


def _add_outbox(router: APIRouter) -> None:
    @router.get("/outbox")
    def outbox(desk: Desk, signed: Reader, state: OutboxState | None = None, limit: Limit = 50) -> v.OutboxOut:
        """Answers, newest first."""
        with desk.store.view() as unit:
            found = unit.outbox(limit, state)
        return v.OutboxOut(answers=tuple(map(v.AnswerOut.of, found)))

    @router.post("/outbox/{entry_id}/cancel")
    def cancel(desk: Desk, signed: Worker, entry_id: Id) -> v.DoneOut:
        return _out(actions.cancel(desk, signed.account, entry_id))

    @router.post("/outbox/{entry_id}/confirm")
    def confirm(desk: Desk, signed: Worker, entry_id: Id) -> v.DoneOut:
        return _out(actions.confirm(desk, signed.account, entry_id))

    @router.post("/outbox/{entry_id}/retry")
    def retry(desk: Desk, signed: Worker, entry_id: Id) -> v.DoneOut:
        return _out(actions.retry(desk, signed.account, entry_id))

    @router.get("/quarantine")
    def quarantine(desk: Desk, signed: Reader, limit: Limit = 50) -> v.QuarantineOut:
        with desk.store.view() as unit:
            found = unit.quarantined(limit)
        return v.QuarantineOut(mails=tuple(map(v.QuarantinedOut.of, found)))

    @router.post("/quarantine/{inbound_id}/retry", status_code=204)
    def retry_quarantined(desk: Desk, signed: Lead, inbound_id: Id) -> None:
        actions.retry_quarantined(desk, signed.account, inbound_id)


# ---------------------------------------------------------------------- accounts


def _add_accounts(router: APIRouter) -> None:
    @router.get("/accounts")
    def accounts(desk: Desk, signed: Admin) -> v.AccountsOut:
        with desk.guard.access.store.view() as unit:
            found = unit.accounts()
        return v.AccountsOut(accounts=tuple(map(v.AccountOut.model_validate, found)))

    @router.post("/accounts", status_code=201)
    def add_account(desk: Desk, signed: Admin, body: v.NewAccount) -> v.AccountOut:
        shown = actions.line(body.display_name, 80) or body.name
        account = Account(body.name, shown, body.role, time_zone=_zone(body.time_zone))
        desk.guard.access.add(account, body.password, signed.account.name)
        return v.AccountOut.model_validate(account)

    @router.patch("/accounts/{name}")
    def change_account(
        desk: Desk, signed: Admin, name: Annotated[str, Path(max_length=64)], body: v.ChangedAccount
    ) -> v.AccountOut:
        with desk.guard.access.store.view() as unit:
            account, everybody = unit.account(actions.line(name, 64)), unit.accounts()
        if account is None:
            raise NoSuchThread(f"there is no account {actions.line(name, 64)}")
        changed = Account(
            account.name,
            account.display_name if body.display_name is None else actions.line(body.display_name, 80),
            account.role if body.role is None else body.role,
            account.is_active if body.is_active is None else body.is_active,
            account.time_zone if body.time_zone is None else _zone(body.time_zone),
        )
        if not can_change(everybody, changed):
            raise LastAdmin("one account must stay that may change accounts")
        desk.guard.access.change(changed, signed.account.name)
        return v.AccountOut.model_validate(changed)


# ---------------------------------------------------------------------- one's own


def _add_own(router: APIRouter) -> None:
    @router.patch("/me")
    def change_me(desk: Desk, signed: Reader, body: v.ChangedMe) -> v.AccountOut:
        changed = replace(signed.account, time_zone=_zone(body.time_zone))
        desk.guard.access.change(changed, signed.account.name)
        return v.AccountOut.model_validate(changed)

    @router.get("/views")
    def views(desk: Desk, signed: Reader) -> v.SavedViewsOut:
        with desk.store.view() as unit:
            found = unit.saved_views(signed.account.name)
        shown = (v.SavedViewOut(id=id_, name=name, query=query) for id_, name, query in found)
        return v.SavedViewsOut(views=tuple(shown))

    @router.put("/views/{name}", status_code=204)
    def save_view(desk: Desk, signed: Reader, name: Annotated[str, Path(max_length=80)], body: v.ViewBody) -> None:
        """A view of that name is replaced."""
        called = actions.line(name, 80)
        if not called:
            raise actions.Unclear("the view needs a name")
        with desk.store.unit() as unit:
            unit.save_view(signed.account.name, called, query_of(filter_of_query(body.query)))

    @router.delete("/views/{view_id}", status_code=204)
    def drop_view(desk: Desk, signed: Reader, view_id: Id) -> None:
        with desk.store.unit() as unit:
            unit.drop_view(signed.account.name, view_id)

    @router.get("/tokens")
    def tokens(desk: Desk, signed: Reader) -> v.TokensOut:
        return v.TokensOut(tokens=tuple(map(v.TokenOut.of, desk.guard.access.tokens(signed.account.name))))

    @router.post("/tokens", status_code=201)
    def add_token(desk: Desk, signed: Reader, body: v.NewToken) -> v.NewTokenOut:
        what_for = actions.line(body.what_for)
        if not what_for:
            raise actions.Unclear("say what the token is for")
        return v.NewTokenOut(
            token=desk.guard.access.add_token(signed.account.name, what_for, timedelta(days=body.days))
        )

    @router.delete("/tokens/{token_id}", status_code=204)
    def revoke_token(desk: Desk, signed: Reader, token_id: Annotated[str, Path(max_length=64)]) -> None:
        if not desk.guard.access.revoke_token(signed.account.name, token_id):
            raise NoSuchThread("you have no such token any more")


ZONES = frozenset(available_timezones())


def _zone(name: str) -> str:
    """Raises Unclear for what is no time zone."""
    if name not in ZONES:
        raise actions.Unclear("that is no time zone; write it as Europe/Berlin")
    return name
