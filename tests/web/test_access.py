"""Who may do what, and requests that another site made: every route, every role, and none by accident."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.web.desk_pages import PASSWORD, RENDERER, WebOffice

from mailflow.adapters.oidc import Client, OidcIssuer
from mailflow.core.accounts import FREE_TRIES, IDLE, LONGEST, WINDOW, SignIn, SignInKind, is_over, wait_after
from mailflow.core.replay import ReplayReport
from mailflow.core.review import Account, AccountRole, Permission, may
from mailflow.errors import ModelError
from mailflow.services.sign_in_elsewhere import Elsewhere
from mailflow.testing import NOON
from mailflow.web.access import SAFE_METHODS, address_of, is_cross_site, safe_next
from mailflow.web.api import api_router
from mailflow.web.api_models import models_router
from mailflow.web.app import create_app
from mailflow.web.learning import Comparisons, learning_router
from mailflow.web.numbers import numbers_router
from mailflow.web.oidc import BACK, BEGIN, oidc_router
from mailflow.web.sign_in import account_router, sign_in_router

OPEN = {("/", "GET"), ("/login", "GET"), ("/login", "POST"), (BEGIN, "GET"), (BACK, "GET")}
"""What anybody may ask for."""
HOSTS = "http://testserver"


class NoModels:
    """A desk without models."""

    def current(self) -> str:
        return ""

    def previous(self) -> str:
        return ""

    def candidates(self) -> list[tuple[str, str]]:
        return []

    def compare(self, name: str, mails: int, progress: object) -> ReplayReport:
        raise AssertionError(name)

    def promote(self, name: str, actor: str) -> None:
        raise ModelError(f"there is no model {name}")

    def roll_back(self, actor: str) -> None:
        raise ModelError("there is no model before this one")


def nowhere(desk: WebOffice) -> Elsewhere:
    """A sign-in elsewhere at an issuer that is not there."""
    issuer = OidcIssuer(Client("http://127.0.0.1:1", "mailflow", "", f"{HOSTS}/login/oidc/back"), desk.clock)
    return Elsewhere(desk.access, issuer, "Elsewhere", ("desk.example",), None, desk.clock, b"a key")


@pytest.fixture
def whole(desk: WebOffice) -> WebOffice:
    """With everything that `mailflow web` has."""
    comparisons = Comparisons(NoModels())
    further = (
        sign_in_router(RENDERER),
        account_router(RENDERER),
        oidc_router(RENDERER, nowhere(desk)),
        numbers_router(RENDERER),
        learning_router(RENDERER, comparisons),
        models_router(comparisons),
        api_router(),
    )
    desk.app = create_app(desk.app.state.desk, RENDERER, further)
    desk.access.add(Account("ada", "Ada", AccountRole.ADMIN), PASSWORD, "test")
    return desk


def routes(desk: WebOffice) -> Iterator[tuple[APIRoute, str]]:
    return _routes(desk.app.routes)


def _routes(given_: Iterable[object]) -> Iterator[tuple[APIRoute, str]]:
    """Those of included routers too."""
    for route in given_:
        if isinstance(route, APIRoute):
            yield from ((route, method) for method in sorted(route.methods or ()))
        elif (inner := getattr(route, "original_router", None)) is not None:
            yield from _routes(inner.routes)


def needed(dependant: Dependant) -> Permission | None:
    """What the route asks for, looked up in its dependencies."""
    for one in dependant.dependencies:
        found = getattr(one.call, "permission", None) or needed(one)
        if isinstance(found, Permission):
            return found
    return None


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: "x" if match[1] == "name" else "999999", path)


def test_every_route_says_what_it_needs(whole: WebOffice) -> None:
    silent = {(route.path, method) for route, method in routes(whole) if needed(route.dependant) is None}
    assert silent == OPEN


@pytest.mark.parametrize("role", [None, *AccountRole], ids=str)
def test_every_route_lets_in_whom_it_should_and_nobody_else(whole: WebOffice, role: AccountRole | None) -> None:
    client = TestClient(whole.app, follow_redirects=False, raise_server_exceptions=False)
    names = {
        AccountRole.VIEWER: "vera",
        AccountRole.SPECIALIST: "sam",
        AccountRole.LEAD: "lee",
        AccountRole.ADMIN: "ada",
    }
    for route, method in routes(whole):
        permission = needed(route.dependant)
        if permission is None or route.path in ("/live", "/logout", "/account/sign-out-everywhere"):
            continue
        client.cookies.clear()
        if role is not None:
            with whole.store.view() as unit:
                account = unit.account(names[role])
            assert account is not None
            client.cookies.set("mailflow", whole.access.begin_session(account))
        answer = client.request(method, filled(route.path), headers={"Sec-Fetch-Site": "same-origin"})
        where = f"{method} {route.path} as {role}: {answer.status_code}"
        if role is None:
            assert answer.status_code in (303, 401), where
            assert "/login" in answer.headers.get("location", "/login"), where
        elif may(role, permission):
            assert answer.status_code not in (401, 403), where
            assert answer.status_code < 500, where
        else:
            assert answer.status_code == 403, where


# ---------------------------------------------------------------------- other sites

CROSS_SITE = [
    ({"sec-fetch-site": "cross-site"}, True),
    ({"sec-fetch-site": "same-site"}, True),
    ({"sec-fetch-site": "same-origin"}, False),
    ({"sec-fetch-site": "none"}, False),
    ({"origin": "https://evil.example", "host": "testserver"}, True),
    ({"origin": "null", "host": "testserver"}, True),
    ({"origin": "http://testserver.evil.example", "host": "testserver"}, True),
    ({"origin": "http://testserver", "host": "testserver"}, False),
    ({"host": "testserver"}, True),
    ({"authorization": "Bearer mfl_x"}, False),
]


@pytest.mark.parametrize(("headers", "refused"), CROSS_SITE, ids=str)
def test_a_request_of_another_site_changes_nothing(whole: WebOffice, headers: dict[str, str], refused: bool) -> None:
    assert is_cross_site("POST", Headers(headers), "") is refused
    assert not is_cross_site("GET", Headers(headers), "")
    client = TestClient(whole.app, follow_redirects=False)
    answer = client.post("/login", data={"name": "sam", "password": "no"}, headers=headers)
    assert (answer.status_code == 403) is refused


def test_behind_a_proxy_the_origin_of_the_settings_counts() -> None:
    ours = Headers({"origin": "https://desk.example", "host": "127.0.0.1:8025"})
    assert not is_cross_site("POST", ours, "https://desk.example")
    assert is_cross_site("POST", ours, "")


def test_no_unsafe_route_answers_to_get(whole: WebOffice) -> None:
    assert {"GET", "HEAD", "OPTIONS"} == SAFE_METHODS
    changing = ("approve", "send", "spam", "cancel", "retry", "merge", "promote", "rollback", "logout", "bulk")
    for route, method in routes(whole):
        if method in SAFE_METHODS:
            assert not route.path.endswith(changing), route.path


# ---------------------------------------------------------------------- signing in


def sign_in(client: TestClient, name: str = "sam", password: str = PASSWORD, **values: str) -> int:
    form = {"name": name, "password": password} | values
    return client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code


def test_a_session_that_was_put_upon_somebody_is_not_the_one_he_gets(whole: WebOffice) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    client.cookies.set("mailflow", "chosen by somebody else", domain="testserver.local")
    assert sign_in(client) == 303
    fresh = [one for one in client.cookies.jar if one.name == "mailflow" and one.value != "chosen by somebody else"]
    assert len(fresh) == 1
    assert whole.access.who("chosen by somebody else") is None


def test_the_cookie_is_for_no_script_and_no_other_site(whole: WebOffice) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    form = {"name": "sam", "password": PASSWORD}
    said = client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}).headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(said.split("; "))


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(whole: WebOffice) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    assert sign_in(client) == 303
    secret = client.cookies["mailflow"]
    assert client.get("/queue").status_code == 200
    client.post("/logout", headers={"Sec-Fetch-Site": "same-origin"})
    client.cookies.set("mailflow", secret)
    assert client.get("/queue").status_code == 303


def test_who_guesses_must_wait_though_he_guesses_right_in_the_end(whole: WebOffice) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    assert [sign_in(client, password="wrong") for _ in range(FREE_TRIES)] == [401] * FREE_TRIES
    assert sign_in(client) == 429
    whole.clock.advance(timedelta(seconds=11))
    assert sign_in(client) == 303


def test_an_unknown_name_is_told_nothing_else_than_a_wrong_password(whole: WebOffice) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    said = [
        re.sub(r'value="\w*"', "", client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}).text)
        for form in ({"name": "sam", "password": "wrong"}, {"name": "nobody", "password": "wrong"})
    ]
    assert said[0] == said[1]


def test_a_changed_role_and_a_new_password_end_all_sessions(whole: WebOffice) -> None:
    first, second = whole.person("sam"), whole.person("kim")
    whole.access.change(Account("sam", "Sam", AccountRole.VIEWER), "test")
    whole.access.set_password("kim", "another long password")
    assert first.get("/queue").url.startswith("/login")
    assert second.get("/queue").url.startswith("/login")


def test_a_new_account_gets_a_time_zone_that_there_is(whole: WebOffice) -> None:
    ada, ben = whole.person("ada"), {"name": "ben", "role": "viewer", "password": "a long enough password"}
    assert ada.post("/accounts", ben | {"time_zone": "Mars/Olympus"}).status == 422
    assert ada.post("/accounts", ben | {"time_zone": "Asia/Tokyo"}).url == "/accounts"
    with whole.store.view() as unit:
        account = unit.account("ben")
    assert account is not None
    assert account.time_zone == "Asia/Tokyo"


def test_the_last_admin_stays(whole: WebOffice) -> None:
    ada = whole.person("ada")
    assert ada.post("/accounts/ada", {"role": "viewer", "is_active": "true"}).status == 409
    assert ada.post("/accounts/ada", {"role": "admin"}).status == 409


@given(st.text(max_size=80))
def test_after_signing_in_one_stays_on_this_site(said: str) -> None:
    found = safe_next(said)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert not urlsplit(found).netloc
    assert "\n" not in found


@given(st.lists(st.timedeltas(timedelta(0), timedelta(hours=3)), max_size=30))
def test_the_wait_is_none_for_few_and_never_forever(ago: list[timedelta]) -> None:
    refusals = [NOON - one for one in ago]
    wait = wait_after(refusals, NOON)
    assert timedelta(0) <= wait <= timedelta(minutes=30)
    if len([one for one in ago if one < WINDOW]) < FREE_TRIES:
        assert wait == timedelta(0)


@pytest.mark.parametrize(
    ("idle", "age", "over"),
    [(timedelta(0), timedelta(0), False), (IDLE * 1.01, IDLE * 1.01, True), (timedelta(0), LONGEST, True)],
)
def test_a_session_ends_when_idle_or_old(idle: timedelta, age: timedelta, over: bool) -> None:
    begun = NOON - age
    session = SignIn("x", SignInKind.SESSION, "sam", "", begun, NOON - idle, begun + LONGEST)
    assert is_over(session, NOON) is over


def test_a_token_acts_for_its_account_and_is_gone_when_revoked(whole: WebOffice) -> None:
    token = whole.access.add_token("sam", "a test", timedelta(days=1))
    client, bearer = TestClient(whole.app, follow_redirects=False), {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/me", headers=bearer).json()["account"]["name"] == "sam"
    (known,) = whole.access.tokens("sam")
    assert token not in known.token_sha256
    assert whole.access.revoke_token("sam", known.token_sha256[:12])
    assert client.get("/api/v1/me", headers=bearer).status_code == 401


def test_a_permission_is_asked_for_before_what_was_sent_is_looked_at(whole: WebOffice) -> None:
    """Nobody learns what a call takes, or whether something is there, who may not make it."""
    vera = TestClient(whole.app, follow_redirects=False)
    vera.headers["Authorization"] = f"Bearer {whole.access.add_token('vera', 'tests', timedelta(days=1))}"
    assert vera.post("/api/v1/threads/999999/close", json={"nonsense": 1}).status_code == 403
    assert vera.post("/api/v1/accounts", json={}).status_code == 403


def test_a_bearer_token_is_never_helped_by_a_cookie(whole: WebOffice) -> None:
    """Else another site could send a token that is none, and the cookie would do the rest."""
    client = TestClient(whole.app, follow_redirects=False)
    assert sign_in(client) == 303
    headers = {"Authorization": "Bearer nonsense", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/logout", headers=headers).status_code == 303
    assert client.post("/api/v1/threads/1/close", json={"version": 1}, headers=headers).status_code == 401
    assert client.get("/queue").status_code == 200, "the session is as it was"


def test_over_tls_the_cookie_is_secure_and_bound_to_this_host(whole: WebOffice) -> None:
    desk = replace(whole.app.state.desk, guard=replace(whole.app.state.guard, is_tls=True, origin="https://testserver"))
    client = TestClient(create_app(desk, RENDERER, [sign_in_router(RENDERER)]), "https://testserver")
    form = {"name": "sam", "password": PASSWORD}
    answer = client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=False)
    said = answer.headers["set-cookie"]
    assert said.startswith("__Host-mailflow=")
    assert "Secure" in said.split("; ")
    assert "domain" not in said.lower()


@pytest.mark.parametrize("next_", ["/a\r\nSet-Cookie: x=y", "/\x00", "//evil.example", "/\\evil.example", "https:evil"])
def test_no_header_is_made_of_what_is_sent(whole: WebOffice, next_: str) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    form = {"name": "sam", "password": PASSWORD, "next": next_}
    answer = client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.headers["location"] == "/"
    assert [one.partition("=")[0] for one in answer.headers.get_list("set-cookie")] == ["mailflow"]
    again = client.get("/login", params={"next": next_})
    assert again.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/queue?q=%0d%0aX-Evil:%201", "/threads/1%0d%0aX-Evil:1", "/training/%0d%0aX-Evil:1"])
def test_nor_of_an_address(whole: WebOffice, path: str) -> None:
    client = TestClient(whole.app, follow_redirects=False)
    answer = client.get(path)
    assert "x-evil" not in answer.headers
    assert sign_in(client) == 303
    assert "x-evil" not in client.get(path).headers


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "unknown"),
        ("127.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_who_asks_is_known_behind_our_proxy_and_nobody_chooses_it(
    whole: WebOffice, peer: str, forwarded: str, address: str
) -> None:
    whole.app.state.guard = replace(whole.app.state.guard, proxies=frozenset({"127.0.0.1"}))
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    request = Request({"type": "http", "client": (peer, 1), "headers": headers, "app": whole.app})
    assert address_of(request) == address


def test_behind_a_proxy_one_who_guesses_keeps_nobody_else_waiting(whole: WebOffice) -> None:
    whole.app.state.guard = replace(whole.app.state.guard, proxies=frozenset({"testclient"}))
    client = TestClient(whole.app, follow_redirects=False)
    own = {"Sec-Fetch-Site": "same-origin"}

    def tried(name: str, password: str, address: str) -> int:
        form, headers = {"name": name, "password": password}, own | {"X-Forwarded-For": address}
        return client.post("/login", data=form, headers=headers).status_code

    for number in range(FREE_TRIES):
        assert tried(f"name{number}", "wrong", "192.0.2.66") == 401
    assert tried("sam", PASSWORD, "192.0.2.66") == 429
    assert tried("sam", PASSWORD, "192.0.2.1") == 303
