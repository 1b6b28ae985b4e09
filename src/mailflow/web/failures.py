"""What cannot be done, as a page that says what to do instead; of the REST interface, as JSON (problems.py).

Rule: nothing of an unforeseen error is shown but a number, under which the log has all of it.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mailflow.core.review import Account
from mailflow.errors import MailflowError
from mailflow.web.access import SignInNeeded, signed_in
from mailflow.web.actions import line
from mailflow.web.desk import WebDesk
from mailflow.web.problems import problem, problem_of, status_of
from mailflow.web.rendering import HEADERS, PARTIAL, Page, Renderer

_log = logging.getLogger(__name__)
API = "/api/"

_TITLES: dict[int, str] = {
    400: "This could not be read",
    403: "This is not open to you",
    404: "There is nothing here",
    405: "This cannot be done here",
    409: "It has changed meanwhile",
    413: "This is too much at once",
    422: "This needs another look",
    500: "Something went wrong here",
    503: "The database is busy",
}
_WHAT_TO_DO: dict[int, str] = {
    400: "Go back and try again; if the address was typed, compare it.",
    403: "Ask a lead or an admin of the desk to do it, or to give your account the role.",
    404: "It may have been merged, moved or erased. Search for a word of the mail, or go to the queue.",
    405: "Go back to the queue and begin there.",
    409: "Look at the thread again, then decide. Nothing was sent or changed.",
    413: "Send less at once.",
    422: "Go back, change it, and try again. Nothing was changed.",
    500: "Nothing was changed. Try again; if it fails again, tell whoever runs the desk the number above.",
    503: "Nothing was changed. Wait a moment and try again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePage(Page):
    template: ClassVar[str] = "failure.html.j2"
    status: int
    sentence: str
    what_to_do: str


_OURS = 500


def _whose(request: Request) -> Account | None:
    """Who is signed in, for the way back; None where nobody can say."""
    try:
        signed = signed_in(request)
    except MailflowError:
        return None  # the database that knows him may be what failed
    return signed.account if signed else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def add_failures(app: FastAPI, desk: WebDesk, renderer: Renderer) -> None:
    def told(request: Request, status: int, sentence: str) -> Response:
        page = FailurePage(
            title=_TITLES.get(status, "This did not work"),
            desk=desk.name,
            account=_whose(request) if status < _OURS else None,
            status=status,
            sentence=_sentence(sentence),
            what_to_do=_WHAT_TO_DO.get(status, "Go back to the queue and begin there."),
        )
        return renderer.page(page, status, request)

    def ours(request: Request, error: Exception) -> Response:
        return told(request, status_of(error) if isinstance(error, MailflowError) else 500, str(error))

    def sign_in(request: Request, error: Exception) -> Response:
        is_page = not request.headers.get(PARTIAL) and "text/event-stream" not in request.headers.get("accept", "")
        if isinstance(error, SignInNeeded) and is_page:
            return RedirectResponse(error.location, 303)
        return Response("sign in first", 401, HEADERS)

    def http(request: Request, error: Exception) -> Response:
        status, said = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
        return told(request, status, said if status not in (404, 405) else "")

    def unread(request: Request, error: Exception) -> Response:
        problems = error.errors() if isinstance(error, RequestValidationError) else ()
        if any(one["loc"][0] == "path" for one in problems):
            return told(request, 404, "")
        field = next((str(one["loc"][-1]) for one in problems), "")
        return told(request, 400, f"The field `{line(field, 40)}` says something else than it may" if field else "")

    def unforeseen(request: Request, error: Exception) -> Response:
        number = secrets.token_hex(4)
        _log.error("request failed", exc_info=error, extra={"number": number, "path": request.url.path})
        if request.url.path.startswith(API):
            return problem(500, f"error number {number}: whoever runs the desk finds it in the log")
        return told(request, 500, f"Error number {number}")

    def for_whom(page: Callable[[Request, Exception], Response]) -> Callable[[Request, Exception], Response]:
        return lambda request, error: problem_of(error) if request.url.path.startswith(API) else page(request, error)

    handlers: tuple[tuple[type[Exception], Callable[[Request, Exception], Response]], ...] = (
        (SignInNeeded, for_whom(sign_in)),
        (MailflowError, for_whom(ours)),
        (HTTPException, for_whom(http)),
        (RequestValidationError, for_whom(unread)),
        (Exception, unforeseen),
    )
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
