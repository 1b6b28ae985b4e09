"""Pages: a frozen context class each, a template in pages/ each, and the headers that every page carries.

Rule: whatever came with a mail is text; Jinja escapes it, always. HTML of strangers is shown by web/letter.py alone, in
a frame that may do nothing.
Rule: a page loads nothing that this server does not serve (Content-Security-Policy), and runs no inline script.
Rule: a request with `X-Partial: 1` gets the inside of <main> alone, from which the page takes the parts that changed.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from mailflow.core.review import Account, AccountRole, Permission, may
from mailflow.web import words
from mailflow.web.filenames import may_run

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
PARTIAL = "X-Partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Base of all contexts. `template` is a file in pages/."""

    template: ClassVar[str]
    title: str
    desk: str
    """Name of the desk."""
    account: Account | None
    """Who is signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage(Page):
    """A page that shows anew what changes while it is open."""

    now: datetime
    newest: int
    """The last event that it knows of."""
    thread_id: int = 0
    """The thread that it is about; 0: whatever changes concerns it."""


class Renderer:
    """Compiles each template once."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        said: dict[str, Callable[..., object]] = {
            "acted": words.acted,
            "ago": words.ago,
            "due": words.due,
            "exact": words.exact,
            "counted": words.counted,
            "local": words.local,
            "may_run": may_run,
            "named": words.name,
            "percent": words.percent,
            "reason": words.reason,
            "size": words.size,
            "theirs": words.theirs,
            "visible": words.visible,
        }
        self._environment.filters.update(said)
        self._environment.globals.update(may=_may, asset=_assets())

    def page(self, page: Page, status: int = 200, request: Request | None = None) -> HTMLResponse:
        """`request`: where the inside of <main> may be enough."""
        values = {one.name: getattr(page, one.name) for one in fields(page)}
        template = self._environment.get_template(page.template)
        if request is not None and request.headers.get(PARTIAL):
            inside = "".join(template.blocks["main"](template.new_context(values)))
            return HTMLResponse(inside, status, HEADERS)
        return HTMLResponse(template.render(values), status, HEADERS)

    def part(self, name: str, values: Mapping[str, Any]) -> HTMLResponse:
        """A template that is no whole page."""
        return HTMLResponse(self._environment.get_template(name).render(values), headers=HEADERS)


def _may(role: AccountRole, permission: str) -> bool:
    return may(role, Permission(permission))


def _assets() -> Callable[[str], str]:
    """The address of a file in static/, which changes when the file does."""
    versions = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in STATIC.iterdir() if path.is_file()
    }
    return lambda name: f"/static/{name}?v={versions[name]}"


class Static(StaticFiles):
    """Files of ours, kept by the browser as long as their address stays."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"})
        return response
