"""The way to an issuer of OpenID Connect and back. What counts there: services/sign_in_elsewhere.py.

Rule: what belongs to the sign-in travels in a cookie of its own, which is dropped when it is back, however it ends.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from mailflow.core.accounts import SignInRefused
from mailflow.core.sign_in_elsewhere import LASTS
from mailflow.errors import ConnectionFailed
from mailflow.services.sign_in_elsewhere import Back, Elsewhere
from mailflow.web.access import Guard, safe_next, set_cookie
from mailflow.web.desk import WebDesk
from mailflow.web.rendering import HEADERS, Renderer
from mailflow.web.sign_in import SignInPage

BEGIN, BACK = "/login/oidc", "/login/oidc/back"
Said = Annotated[str, Query(max_length=4_000)]


def oidc_router(renderer: Renderer, elsewhere: Elsewhere) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    def refused(request: Request, sentence: str, status: int) -> Response:
        desk: WebDesk = request.app.state.desk
        page = SignInPage(
            title="Sign in",
            desk=desk.name,
            account=None,
            next="/",
            name="",
            problem=sentence,
            other_ways=((elsewhere.label, BEGIN),),
        )
        return renderer.page(page, status)

    @router.get(BEGIN)
    def begin(request: Request, next: Said = "/") -> Response:
        guard: Guard = request.app.state.guard
        try:
            url, flow = elsewhere.begin(safe_next(next))
        except ConnectionFailed as error:
            return refused(request, str(error), 503)
        except SignInRefused as error:
            return refused(request, str(error), 401)
        response = RedirectResponse(url, 303, HEADERS)
        response.set_cookie(
            _cookie(guard),
            flow,
            max_age=int(LASTS.total_seconds()),
            path="/",
            secure=guard.is_tls,
            httponly=True,
            samesite="lax",
        )
        return response

    @router.get(BACK)
    def back(request: Request, state: Said = "", code: Said = "", error: Said = "", iss: Said = "") -> Response:
        guard: Guard = request.app.state.guard
        try:
            kept = request.cookies.get(_cookie(guard), "")
            secret, next_ = elsewhere.finish(kept, Back(state, code, error, iss))
        except ConnectionFailed as failure:
            response = refused(request, str(failure), 503)
        except SignInRefused as failure:
            response = refused(request, str(failure), 401)
        else:
            response = RedirectResponse(safe_next(next_), 303, HEADERS)
            set_cookie(response, guard, secret)
        response.delete_cookie(_cookie(guard), path="/", secure=guard.is_tls, httponly=True, samesite="lax")
        return response

    return router


def _cookie(guard: Guard) -> str:
    return f"{guard.cookie}-oidc"
