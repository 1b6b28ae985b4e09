"""Answers on their way: those that may be cancelled yet, those whose fate is unknown, those that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from mailflow.core.accounts import Signed
from mailflow.core.delivery import OutboxState
from mailflow.core.review import Permission, may
from mailflow.core.storage import OutboxView
from mailflow.web import actions
from mailflow.web.access import needs
from mailflow.web.boxes import Flash, Side, flash_of, side
from mailflow.web.desk import WebDesk
from mailflow.web.filters import MOST_ID
from mailflow.web.rendering import LivePage, Renderer
from mailflow.web.thread import back_to
from mailflow.web.told import told

MOST = 100
Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Worker = Annotated[Signed, Depends(needs(Permission.WORK))]
Id = Annotated[int, Path(ge=1, le=MOST_ID)]
ACTIONS = {"cancel": actions.cancel, "retry": actions.retry, "confirm": actions.confirm}
_SHOWN: tuple[tuple[OutboxState, str, str], ...] = (
    (OutboxState.QUEUED, "Leaving soon", "They can still be cancelled."),
    (OutboxState.SENDING, "Being sent", "The mail server has them now."),
    (
        OutboxState.UNCERTAIN,
        "Uncertain",
        "Nobody knows whether they arrived. Look into the sent mail or ask the reader: then say that it arrived, or "
        "send it again. Sending again may mean that it comes twice.",
    ),
    (OutboxState.FAILED, "Failed", "They did not leave. Mend what the error says, then send again, or cancel."),
)


@dataclass(frozen=True, slots=True)
class Section:
    state: OutboxState
    title: str
    says: str
    entries: Sequence[OutboxView]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxPage(LivePage):
    template: ClassVar[str] = "outbox.html.j2"
    side: Side
    flash: Flash | None
    sections: Sequence[Section]
    """Without those that are empty."""
    sent: Sequence[OutboxView]
    """The last that left."""
    may_work: bool
    most: int = MOST


def outbox_router(renderer: Renderer) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/outbox")
    def outbox(request: Request, signed: Reader) -> Response:
        desk: WebDesk = request.app.state.desk
        now = desk.clock.now()
        with desk.store.view() as unit:
            newest = unit.newest_event()
            sections = [
                Section(state, title, says, found)
                for state, title, says in _SHOWN
                if (found := unit.outbox(MOST, state))
            ]
            page = OutboxPage(
                title="Undo window",
                desk=desk.name,
                account=signed.account,
                now=now,
                newest=newest,
                side=side(unit, desk, signed.account, now, "/outbox"),
                flash=flash_of(unit, desk, dict(request.query_params), signed.account),
                sections=sections,
                sent=unit.outbox(10, OutboxState.SENT),
                may_work=may(signed.account.role, Permission.WORK),
            )
        return renderer.page(page, request=request)

    @router.post("/outbox/{entry_id:int}/{action}")
    def act(
        request: Request,
        signed: Worker,
        entry_id: Id,
        action: str,
        in_: Annotated[str, Form(alias="in")] = "",
        back: Annotated[str, Form()] = "",
    ) -> Response:
        """`back`: the thread that the button stood on, '' for the list of answers."""
        if action not in ACTIONS:
            raise actions.NoSuchThread(f"an answer is cancelled, retried or confirmed, not {actions.line(action, 40)}")
        desk: WebDesk = request.app.state.desk
        done = ACTIONS[action](desk, signed.account, entry_id)
        if back and done.thread_id:
            return back_to(desk, signed.account, done, in_, action)
        return RedirectResponse(f"/outbox?{told(desk, signed.account, did=action, of=done.thread_id)}", 303)

    return router
