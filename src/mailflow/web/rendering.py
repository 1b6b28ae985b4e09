"""Pages: a frozen context class each, a template in pages/ each, and the headers that every page carries.

Rule: whatever came with a mail is text; Jinja escapes it, always. HTML of strangers is shown by web/letter.py alone, in
a frame that may do nothing.
Rule: a page loads nothing that this server does not serve (Content-Security-Policy), and runs no inline script.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from mailflow.core.review import Account

FOLDER = Path(__file__).parent
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Base of all contexts. `template` is a file in pages/."""

    template: ClassVar[str]
    title: str
    desk: str
    """Name of the desk."""
    account: Account | None
    """Who is signed in."""


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

    def page(self, page: Page, status: int = 200) -> HTMLResponse:
        values = {one.name: getattr(page, one.name) for one in fields(page)}
        return HTMLResponse(self._environment.get_template(page.template).render(values), status, HEADERS)
