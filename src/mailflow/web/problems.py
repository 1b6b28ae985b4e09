"""What went wrong, as RFC 9457 says it: `application/problem+json` with a status, a sentence, and what else helps.

Rule: an error says what to do, and never gives back what was sent: it may be a password, or what no JSON can hold.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from mailflow.core.accounts import AccountProblem, LastAdmin
from mailflow.core.review import ThreadChanged, ThreadView
from mailflow.errors import AssetError, MailflowError, ModelError, StoreError
from mailflow.services.review import AnswerChanged, NothingToAnswer
from mailflow.web.access import NotAllowed, SignInNeeded
from mailflow.web.actions import DraftOfAnother, NoSuchThread, Unclear
from mailflow.web.rendering import HEADERS

MEDIA_TYPE = "application/problem+json"
MOST_NEWS = 10
STATUS: Mapping[type[MailflowError], int] = {
    SignInNeeded: 401,
    NotAllowed: 403,
    NoSuchThread: 404,
    ThreadChanged: 409,
    DraftOfAnother: 409,
    NothingToAnswer: 409,
    ModelError: 409,
    Unclear: 422,
    AssetError: 422,
    LastAdmin: 409,
    AccountProblem: 422,
    StoreError: 503,
}
"""Everything else of ours is a 503 where waiting helps, else a 422."""


def status_of(error: MailflowError) -> int:
    found = next((STATUS[one] for one in type(error).__mro__ if one in STATUS), None)
    return found or (503 if error.temporary else 422)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> JSONResponse:
    """`more`: members beside those of RFC 9457, of what JSON has."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content | more, status, {**HEADERS, **(headers or {})}, MEDIA_TYPE)


def problem_of(error: Exception) -> JSONResponse:
    """Raises `error` where it is none that anybody foresaw."""
    if isinstance(error, MailflowError):
        return _ours(error)
    if isinstance(error, RequestValidationError):
        mistakes = [{"where": _where(one["loc"]), "what": one["msg"]} for one in error.errors()]
        return problem(422, "what was sent is not what this takes", mistakes=mistakes)
    if isinstance(error, HTTPException):
        return problem(error.status_code, str(error.detail), error.headers)
    raise error


def _ours(error: MailflowError) -> JSONResponse:
    status, more = status_of(error), _more(error)
    if status == 401:
        return problem(
            status, "sign in, or send a token: Authorization: Bearer mfl_...", {"WWW-Authenticate": "Bearer"}
        )
    if status == 503:
        return problem(status, "the store cannot be reached: try again later", {"Retry-After": "5"})
    return problem(status, str(error), **more)


class ChangedSince(ThreadChanged):
    """With what is new."""

    def __init__(self, sentence: str, view: ThreadView, since: datetime | None) -> None:
        super().__init__(sentence)
        self.version = view.row.version
        news = [one for one in view.trail if since is None or one.at > since]
        self.news = [
            {"at": one.at.isoformat(), "actor": one.actor, "kind": one.kind, "sentence": one.sentence}
            for one in news[-MOST_NEWS:]
        ]


def _more(error: MailflowError) -> dict[str, Any]:
    if isinstance(error, ChangedSince):
        return {"version": error.version, "news": error.news}
    if isinstance(error, AnswerChanged):
        return {"answer": {"markdown": error.prepared.markdown, "shown": error.prepared.shown}}
    if isinstance(error, DraftOfAnother):
        draft = error.draft
        return {"draft": {"author": draft.author, "at": draft.at.isoformat(), "markdown": draft.markdown}}
    return {}


def _where(path: Sequence[object]) -> str:
    """`body.markdown`, of what came from outside only printable words."""
    return ".".join("".join(char for char in str(one) if char.isprintable())[:80] for one in path)
