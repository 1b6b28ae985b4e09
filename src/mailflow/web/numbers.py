"""The desk's numbers as a page with plots, as JSON and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from mailflow.core.accounts import Signed
from mailflow.core.numbers import Numbers
from mailflow.core.review import Permission
from mailflow.services.numbers import numbers_of
from mailflow.web.access import needs
from mailflow.web.desk import WebDesk
from mailflow.web.plots import Plot, Rows, columns, rows
from mailflow.web.rendering import HEADERS, Page, Renderer
from mailflow.web.words import name, reason

KINDS = ("reply", "review", "none")
NAMES = {"reply": "answered", "review": "held", "none": "ignored", "agreed": "agreed", "other": "said otherwise"}
MOST_DAYS = 366
Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersPage(Page):
    template: ClassVar[str] = "numbers.html.j2"
    days: int
    numbers: Numbers
    by_day: Plot
    by_intent: Rows
    by_reason: Rows
    queue_age: Rows
    reliability: Plot
    reliability_rows: Sequence[tuple[str, Mapping[str, int]]]
    kinds: tuple[str, ...] = KINDS
    names: dict[str, str]


def numbers_router(renderer: Renderer) -> APIRouter:
    router = APIRouter()

    @router.get("/numbers")
    def page(request: Request, signed: Reader, days: Days = 30) -> Response:
        desk: WebDesk = request.app.state.desk
        found = numbers_of(desk.store, days, desk.clock.now())
        held = found.held_by_reason
        bins = [
            (f"{one.low:.1f}", {"agreed": one.agreed, "other": one.mails - one.agreed}) for one in found.reliability
        ]
        return renderer.page(
            NumbersPage(
                title="Numbers",
                desk=desk.name,
                account=signed.account,
                days=days,
                numbers=found,
                by_day=columns("Mails a day", [(f"{day:%m-%d}", of) for day, of in found.by_day], KINDS, NAMES),
                by_intent=rows("Mails by intent", [(name(code), of) for code, of in found.by_intent], KINDS),
                by_reason=rows("Held by reason", [(reason(code), {"review": n}) for code, n in held], KINDS),
                queue_age=rows(
                    "How long held threads have waited", [(age, {"review": n}) for age, n in found.queue_age], KINDS
                ),
                reliability=columns("Confidence and what people said", bins, ("agreed", "other"), NAMES),
                reliability_rows=bins,
                names=NAMES,
            )
        )

    @router.get("/numbers.json")
    def as_json(request: Request, signed: Reader, days: Days = 30) -> Response:
        desk: WebDesk = request.app.state.desk
        found = asdict(numbers_of(desk.store, days, desk.clock.now()))
        return JSONResponse(_plain(found), headers=HEADERS)

    @router.get("/numbers.csv")
    def as_csv(request: Request, signed: Reader, days: Days = 30) -> Response:
        desk: WebDesk = request.app.state.desk
        found = numbers_of(desk.store, days, desk.clock.now())
        disposition = f'attachment; filename="mailflow-{found.since}-{found.until}.csv"'
        headers = HEADERS | {"Content-Disposition": disposition}
        return Response(_csv(found), media_type="text/csv; charset=utf-8", headers=headers)

    return router


def _csv(found: Numbers) -> str:
    """A row a day and action. No cell of it came from outside, so none can be a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["day", *(NAMES[kind] for kind in KINDS)])
    for day, of in found.by_day:
        writer.writerow([day.isoformat(), *(of.get(kind, 0) for kind in KINDS)])
    return out.getvalue()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
