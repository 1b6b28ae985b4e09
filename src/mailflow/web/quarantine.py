"""Mails that could not be processed: what failed, the mail as it came, and another try."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from mailflow.core.accounts import Signed
from mailflow.core.review import Permission, may
from mailflow.core.storage import QuarantineView
from mailflow.web import actions
from mailflow.web.access import needs
from mailflow.web.boxes import Flash, Side, flash_of, side
from mailflow.web.desk import WebDesk
from mailflow.web.filters import MOST_ID
from mailflow.web.letter import raw_mail
from mailflow.web.rendering import LivePage, Renderer
from mailflow.web.told import told

MOST = 100
Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Lead = Annotated[Signed, Depends(needs(Permission.LEAD))]
Id = Annotated[int, Path(ge=1, le=MOST_ID)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinePage(LivePage):
    template: ClassVar[str] = "quarantine.html.j2"
    side: Side
    flash: Flash | None
    mails: Sequence[QuarantineView]
    may_lead: bool
    most: int = MOST


def quarantine_router(renderer: Renderer) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/quarantine")
    def quarantine(request: Request, signed: Reader) -> Response:
        desk: WebDesk = request.app.state.desk
        now = desk.clock.now()
        with desk.store.view() as unit:
            page = QuarantinePage(
                title="Quarantine",
                desk=desk.name,
                account=signed.account,
                now=now,
                newest=unit.newest_event(),
                side=side(unit, desk, signed.account, now, "/quarantine"),
                flash=flash_of(unit, desk, dict(request.query_params), signed.account),
                mails=unit.quarantined(MOST),
                may_lead=may(signed.account.role, Permission.LEAD),
            )
        return renderer.page(page, request=request)

    @router.get("/quarantine/{inbound_id:int}/source")
    def source(request: Request, signed: Reader, inbound_id: Id, save: Annotated[bool, Query()] = False) -> Response:
        return raw_mail(request.app.state.desk, inbound_id, f"quarantined-{inbound_id}.eml", save=save)

    @router.post("/quarantine/{inbound_id:int}/retry")
    def retry(request: Request, signed: Lead, inbound_id: Id) -> Response:
        desk: WebDesk = request.app.state.desk
        actions.retry_quarantined(desk, signed.account, inbound_id)
        return RedirectResponse(f"/quarantine?{told(desk, signed.account, did='quarantine')}", 303)

    return router
