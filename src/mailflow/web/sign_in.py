"""Signing in and out, one's own account, and everybody's accounts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from mailflow.core.accounts import Signed, SignIn, SignInRefused, TooManyTries, can_change
from mailflow.core.review import Account, AccountRole, Permission
from mailflow.errors import MailflowError
from mailflow.services.accounts import Access
from mailflow.web.access import Guard, address_of, drop_cookie, needs, safe_next, secret_of, set_cookie, signed_in
from mailflow.web.actions import line
from mailflow.web.desk import WebDesk
from mailflow.web.rendering import Page, Renderer

Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Admin = Annotated[Signed, Depends(needs(Permission.ADMIN))]
Text = Annotated[str, Form()]
MOST_TOKEN_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage(Page):
    template: ClassVar[str] = "sign_in.html.j2"
    next: str
    name: str
    problem: str
    other_ways: Sequence[tuple[str, str]]
    """(label, path) of sign-ins elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPage(Page):
    template: ClassVar[str] = "own_account.html.j2"
    now: datetime
    tokens: Sequence[SignIn]
    new_token: str
    """Shown this once."""
    time_zones: Sequence[str]
    problem: str
    done: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage(Page):
    template: ClassVar[str] = "accounts.html.j2"
    accounts: Sequence[Account]
    roles: Sequence[AccountRole] = tuple(AccountRole)
    time_zones: Sequence[str]
    problem: str


def sign_in_router(renderer: Renderer, other_ways: Sequence[tuple[str, str]] = ()) -> APIRouter:
    router = APIRouter()

    def shown(request: Request, next_: str, name: str = "", problem: str = "", status: int = 200) -> Response:
        desk: WebDesk = request.app.state.desk
        page = SignInPage(
            title="Sign in",
            desk=desk.name,
            account=None,
            next=safe_next(next_),
            name=name,
            problem=problem,
            other_ways=other_ways,
        )
        return renderer.page(page, status)

    @router.get("/login")
    def sign_in_page(request: Request, next: str = "/") -> Response:
        if signed_in(request) is not None:
            return RedirectResponse(safe_next(next), 303)
        return shown(request, next)

    @router.post("/login")
    def sign_in(request: Request, name: Text, password: Text, next: Text = "/") -> Response:
        guard: Guard = request.app.state.guard
        try:
            secret = guard.access.sign_in(name.strip(), password, address_of(request))
        except SignInRefused as error:
            return shown(request, next, name, str(error), 401)
        except TooManyTries as error:
            refusal = shown(request, next, name, str(error), 429)
            refusal.headers["Retry-After"] = str(int(error.wait.total_seconds()) + 1)
            return refusal
        response = RedirectResponse(safe_next(next), 303)
        set_cookie(response, guard, secret)
        return response

    @router.post("/logout")
    def sign_out(request: Request, signed: Reader) -> Response:
        guard: Guard = request.app.state.guard
        guard.access.sign_out(secret_of(request)[0])
        response = RedirectResponse("/login", 303)
        drop_cookie(response, guard)
        return response

    return router


def account_router(renderer: Renderer) -> APIRouter:
    router, zones = APIRouter(), sorted(available_timezones())

    def access(request: Request) -> Access:
        guard: Guard = request.app.state.guard
        return guard.access

    def own(
        request: Request, signed: Signed, *, problem: str = "", done: str = "", new_token: str = "", status: int = 200
    ) -> Response:
        desk: WebDesk = request.app.state.desk
        page = OwnPage(
            title="Your account",
            desk=desk.name,
            account=signed.account,
            now=desk.clock.now(),
            tokens=access(request).tokens(signed.account.name),
            new_token=new_token,
            time_zones=zones,
            problem=problem,
            done=done,
        )
        return renderer.page(page, status)

    @router.get("/account")
    def own_page(request: Request, signed: Reader) -> Response:
        return own(request, signed)

    @router.post("/account/password")
    def own_password(request: Request, signed: Reader, old: Text, new: Text) -> Response:
        """All other sessions end; this one begins anew."""
        desk = access(request)
        try:
            desk.sign_in(signed.account.name, old, address_of(request))
            desk.set_password(signed.account.name, new)
        except MailflowError as error:
            return own(request, signed, problem=str(error), status=422)
        response = RedirectResponse("/account", 303)
        set_cookie(response, request.app.state.guard, desk.begin_session(signed.account))
        return response

    @router.post("/account/time-zone")
    def own_time_zone(request: Request, signed: Reader, time_zone: Text) -> Response:
        if time_zone not in zones:
            return own(request, signed, problem=f"{time_zone} is no time zone; choose one of the list", status=422)
        account = replace(signed.account, time_zone=ZoneInfo(time_zone).key)
        access(request).change(account, signed.account.name)
        return RedirectResponse("/account", 303)

    @router.post("/account/tokens")
    def add_token(request: Request, signed: Reader, what_for: Text, days: Annotated[int, Form()] = 90) -> Response:
        what_for = line(what_for, 80)
        if not what_for or not 1 <= days <= MOST_TOKEN_DAYS:
            return own(request, signed, problem="say what the token is for, and for 1 to 366 days", status=422)
        token = access(request).add_token(signed.account.name, what_for, timedelta(days=days))
        return own(request, signed, new_token=token)

    @router.post("/account/tokens/revoke")
    def revoke_token(request: Request, signed: Reader, token: Text) -> Response:
        if not access(request).revoke_token(signed.account.name, token):
            return own(request, signed, problem="there is no such token any more", status=404)
        return RedirectResponse("/account", 303)

    @router.post("/account/sign-out-everywhere")
    def everywhere(request: Request, signed: Reader) -> Response:
        access(request).sign_out_everywhere(signed.account.name)
        response = RedirectResponse("/login", 303)
        drop_cookie(response, request.app.state.guard)
        return response

    # ------------------------------------------------------------------ everybody's

    def all_accounts(request: Request, signed: Signed, problem: str = "", status: int = 200) -> Response:
        desk: WebDesk = request.app.state.desk
        with access(request).store.view() as unit:
            accounts = unit.accounts()
        page = AccountsPage(
            title="Accounts",
            desk=desk.name,
            account=signed.account,
            accounts=accounts,
            time_zones=zones,
            problem=problem,
        )
        return renderer.page(page, status)

    @router.get("/accounts")
    def accounts_page(request: Request, signed: Admin) -> Response:
        return all_accounts(request, signed)

    @router.post("/accounts")
    def add_account(
        request: Request,
        signed: Admin,
        name: Text,
        role: Text,
        password: Text,
        display_name: Text = "",
        time_zone: Text = "UTC",
    ) -> Response:
        if time_zone not in zones:
            return all_accounts(request, signed, f"{line(time_zone, 40)} is no time zone; choose one of the list", 422)
        try:
            shown_as = line(display_name, 80) or name.strip()
            account = Account(name.strip(), shown_as, AccountRole(role), time_zone=time_zone)
            access(request).add(account, password, signed.account.name)
        except (MailflowError, ValueError) as error:
            return all_accounts(request, signed, str(error), 422)
        return RedirectResponse("/accounts", 303)

    @router.post("/accounts/{name}")
    def change_account(
        request: Request, signed: Admin, name: str, role: Text, is_active: Annotated[bool, Form()] = False
    ) -> Response:
        """The last one who may change accounts cannot be taken away."""
        name = line(name, 64)
        with access(request).store.view() as unit:
            account, others = unit.account(name), unit.accounts()
        try:
            wanted = AccountRole(role)
        except ValueError:
            return all_accounts(request, signed, f"{role} is no role", 422)
        if account is None:
            return all_accounts(request, signed, f"there is no account {name}", 404)
        changed = replace(account, role=wanted, is_active=is_active)
        if not can_change(others, changed):
            return all_accounts(request, signed, "one account must stay that may change accounts", 409)
        access(request).change(changed, signed.account.name)
        return RedirectResponse("/accounts", 303)

    return router
