"""Signing in at an issuer of OpenID Connect, there and back through a stand-in, and every lie that must be noticed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient
from tests.oidc_issuer import CLIENT_ID, CLIENT_SECRET, OidcStandIn, issuing, rsa_key
from tests.web.desk_pages import RENDERER, WebOffice, web_office

from mailflow.adapters.oidc import Client, OidcIssuer
from mailflow.core.review import Account, AccountRole
from mailflow.core.sign_in_elsewhere import LASTS
from mailflow.services.sign_in_elsewhere import Elsewhere
from mailflow.testing import NOON
from mailflow.web.app import create_app
from mailflow.web.oidc import oidc_router
from mailflow.web.sign_in import sign_in_router

NAME = "sam@desk.example"
DESK = "https://testserver"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> WebOffice:
    """A desk for tests in which nobody gets in, so that it stays as it is."""
    return web_office(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def issuer() -> Iterator[OidcStandIn]:
    with issuing(int(NOON.timestamp())) as issuer:
        yield issuer


def elsewhere(desk: WebOffice, issuer: OidcStandIn, role: AccountRole | None, secret: str) -> Elsewhere:
    client = Client(issuer.url, CLIENT_ID, secret, f"{DESK}/login/oidc/back")
    return Elsewhere(
        access=desk.access,
        issuer=OidcIssuer(client, desk.clock),
        label="Sign in with a stand-in",
        domains=("desk.example",),
        role=role,
        clock=desk.clock,
        key=desk.store.key("oidc"),
    )


def browser(
    desk: WebOffice,
    issuer: OidcStandIn,
    role: AccountRole | None = AccountRole.VIEWER,
    secret: str = CLIENT_SECRET,
) -> TestClient:
    there = elsewhere(desk, issuer, role, secret)
    web = replace(desk.app.state.desk, guard=replace(desk.app.state.guard, is_tls=True, origin=DESK))
    routers = (sign_in_router(RENDERER, ((there.label, "/login/oidc"),)), oidc_router(RENDERER, there))
    return TestClient(create_app(web, RENDERER, routers), base_url=DESK, follow_redirects=False)


def signed_in(client: TestClient, issuer: OidcStandIn, next_: str = "/queue") -> Response:
    """There and back. Returns the answer to the way back."""
    there = client.get("/login/oidc", params={"next": next_})
    assert there.status_code == 303, there.text
    return client.get(issuer.consent(there.headers["location"]))  # type: ignore[return-value]


def refusal(answer: Response) -> str:
    assert answer.status_code in (401, 503)
    assert "__Host-mailflow=" not in answer.headers.get("set-cookie", "")
    return answer.text  # type: ignore[attr-defined,no-any-return]


def test_who_signs_in_for_the_first_time_has_an_account_with_the_role_of_the_settings(
    desk: WebOffice, issuer: OidcStandIn
) -> None:
    client = browser(desk, issuer)
    back = signed_in(client, issuer, "/queue?box=all")
    assert (back.status_code, back.headers["location"]) == (303, "/queue?box=all")
    assert client.get("/queue").status_code == 200
    with desk.store.view() as unit:
        assert unit.account(NAME) == Account(NAME, "Sam Example", AccountRole.VIEWER)
        assert unit.password_hash(NAME) == ""


def test_who_has_an_account_keeps_its_role(desk: WebOffice, issuer: OidcStandIn) -> None:
    desk.access.add(Account(NAME, "Sam", AccountRole.LEAD), None, "test")
    assert signed_in(browser(desk, issuer), issuer).status_code == 303
    with desk.store.view() as unit:
        assert unit.account(NAME) == Account(NAME, "Sam", AccountRole.LEAD)


def test_where_accounts_are_made_by_an_admin_strangers_are_turned_away(desk: WebOffice, issuer: OidcStandIn) -> None:
    assert f"there is no account {NAME} yet" in refusal(signed_in(browser(desk, issuer, None), issuer))
    desk.access.add(Account(NAME, "Sam", AccountRole.VIEWER), None, "test")
    assert signed_in(browser(desk, issuer, None), issuer).status_code == 303


def test_who_is_closed_here_stays_out(desk: WebOffice, issuer: OidcStandIn) -> None:
    desk.access.add(Account(NAME, "Sam", AccountRole.VIEWER, is_active=False), None, "test")
    assert "is closed" in refusal(signed_in(browser(desk, issuer), issuer))


def test_an_account_without_a_password_has_none_that_fits(desk: WebOffice, issuer: OidcStandIn) -> None:
    client = browser(desk, issuer)
    signed_in(client, issuer)
    client.cookies.clear()
    form = {"name": NAME, "password": ""}
    assert client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code in (401, 422, 400)
    form["password"] = "hash of "
    assert client.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 401


def test_the_sign_in_page_leads_there_and_keeps_where_one_was_going(desk: WebOffice, issuer: OidcStandIn) -> None:
    page = browser(desk, issuer).get("/login", params={"next": "/threads/7?a=b"}).text
    assert 'href="/login/oidc?next=/threads/7%3Fa%3Db"' in page


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x=y"]
)
def test_it_leads_nowhere_else(desk: WebOffice, issuer: OidcStandIn, where: str) -> None:
    assert signed_in(browser(desk, issuer), issuer, where).headers["location"] == "/"


def test_both_cookies_are_for_no_script_and_the_first_is_dropped(desk: WebOffice, issuer: OidcStandIn) -> None:
    client = browser(desk, issuer)
    there = client.get("/login/oidc")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(there.headers["set-cookie"].split("; "))
    back = client.get(issuer.consent(there.headers["location"]))
    session, dropped = back.headers.get_list("set-cookie")
    assert session.startswith("__Host-mailflow=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(session.split("; "))
    assert dropped.startswith('__Host-mailflow-oidc=""')


@pytest.mark.parametrize("ways", [["client_secret_post"], ["client_secret_basic", "client_secret_post"], None])
def test_the_desk_proves_itself_as_the_issuer_wants_it(
    desk: WebOffice, issuer: OidcStandIn, ways: list[str] | None
) -> None:
    issuer.published = {"token_endpoint_auth_methods_supported": ways} if ways else {}
    assert signed_in(browser(desk, issuer), issuer).status_code == 303


def test_a_wrong_secret_of_the_desk_is_said_to_nobody(desk: WebOffice, issuer: OidcStandIn) -> None:
    assert "wrong secret" not in refusal(signed_in(browser(desk, issuer, secret="wrong secret"), issuer))


def test_an_issuer_that_tells_the_address_only_when_asked_is_asked(desk: WebOffice, issuer: OidcStandIn) -> None:
    issuer.tells_by_userinfo = True
    assert signed_in(browser(desk, issuer), issuer).status_code == 303


def test_what_it_says_of_somebody_else_does_not_count(desk: WebOffice, issuer: OidcStandIn) -> None:
    issuer.tells_by_userinfo, issuer.claims = True, {"sub": "another"}
    refusal(signed_in(browser(desk, issuer), issuer))


def test_a_new_key_of_the_issuer_is_looked_up(desk: WebOffice, issuer: OidcStandIn) -> None:
    client = browser(desk, issuer)
    assert signed_in(client, issuer).status_code == 303
    issuer.change_key()
    assert signed_in(client, issuer).status_code == 303
    assert issuer.asked.count("/keys") == 2


# ---------------------------------------------------------------------- what must not count

CLAIMS: dict[str, dict[str, object]] = {
    "of another issuer": {"iss": "https://login.example"},
    "for another client": {"aud": "another"},
    "for us, given to another": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "over": {"exp": int(NOON.timestamp()) - 61},
    "without an end": {"exp": None},
    "of another sign-in": {"nonce": "another"},
    "of no sign-in": {"nonce": None},
    "about nobody": {"sub": None},
    "with an address that is not verified": {"email_verified": False},
    "with a word for yes": {"email_verified": "true"},
    "without a word about the address": {"email_verified": None},
    "without an address": {"email": ""},
    "of another domain": {"email": "sam@elsewhere.example"},
    "with no text for an address": {"email": ["sam@desk.example"]},
}


@pytest.mark.parametrize("what", CLAIMS)
def test_a_token_that_is_not_right_lets_nobody_in(shared: WebOffice, issuer: OidcStandIn, what: str) -> None:
    issuer.claims = CLAIMS[what]
    client = browser(shared, issuer)
    refusal(signed_in(client, issuer))
    assert client.get("/queue").status_code == 303


def test_microsoft_says_otherwise_that_an_address_is_verified(desk: WebOffice, issuer: OidcStandIn) -> None:
    issuer.claims = {"email_verified": None, "xms_edov": True}
    assert signed_in(browser(desk, issuer), issuer).status_code == 303


LIES: dict[str, dict[str, object]] = {
    "unsigned": {"algorithm": "none"},
    "signed by another": {"signs_with": rsa_key("another")},
    "signed with the public key": {"algorithm": "HS256"},
}


@pytest.mark.parametrize("what", LIES)
def test_a_token_that_the_issuer_did_not_sign_lets_nobody_in(shared: WebOffice, issuer: OidcStandIn, what: str) -> None:
    client = browser(shared, issuer)
    for name, value in LIES[what].items():
        setattr(issuer, name, value)
    refusal(signed_in(client, issuer))


PUBLISHED: dict[str, dict[str, object]] = {
    "calls itself otherwise": {"issuer": "https://login.example"},
    "takes codes in clear text": {"token_endpoint": "http://login.example/token"},
    "publishes keys in clear text": {"jwks_uri": "http://login.example/keys"},
    "has no token endpoint": {"token_endpoint": None},
    "has a number for an address": {"authorization_endpoint": 7},
}


@pytest.mark.parametrize("what", PUBLISHED)
def test_an_issuer_that_is_not_right_is_not_gone_to(shared: WebOffice, issuer: OidcStandIn, what: str) -> None:
    issuer.published = PUBLISHED[what]
    assert browser(shared, issuer).get("/login/oidc").status_code == 401


def test_an_issuer_that_is_down_is_a_sentence(shared: WebOffice, issuer: OidcStandIn) -> None:
    issuer.is_down = True
    answer = browser(shared, issuer).get("/login/oidc")
    assert answer.status_code == 503
    assert "try again later" in answer.text


def test_an_issuer_that_is_not_there_is_a_sentence(shared: WebOffice) -> None:
    with issuing(int(NOON.timestamp())) as gone:
        pass
    assert browser(shared, gone).get("/login/oidc").status_code == 503


@pytest.mark.parametrize("word", ["invalid_grant", "access_denied", "temporarily_unavailable", "<script>"])
def test_a_code_that_is_refused_is_a_sentence(shared: WebOffice, issuer: OidcStandIn, word: str) -> None:
    issuer.refuses = word
    assert "<script>" not in refusal(signed_in(browser(shared, issuer), issuer))


# ---------------------------------------------------------------------- sign-ins of others


def test_nobody_ends_what_another_one_has_begun(desk: WebOffice, issuer: OidcStandIn) -> None:
    """Who clicks on an address that somebody else prepared is not signed in as him."""
    theirs, mine = browser(desk, issuer), browser(desk, issuer)
    prepared = issuer.consent(theirs.get("/login/oidc").headers["location"])
    assert "begun in another browser" in refusal(mine.get(prepared))  # type: ignore[arg-type]
    mine.get("/login/oidc")
    assert "begun in another browser" in refusal(mine.get(prepared))  # type: ignore[arg-type]


def test_the_way_back_works_once(desk: WebOffice, issuer: OidcStandIn) -> None:
    client = browser(desk, issuer)
    prepared = issuer.consent(client.get("/login/oidc").headers["location"])
    assert client.get(prepared).status_code == 303
    refusal(client.get(prepared))  # type: ignore[arg-type]


def test_a_sign_in_that_took_too_long_is_begun_again(desk: WebOffice, issuer: OidcStandIn) -> None:
    client = browser(desk, issuer)
    there = client.get("/login/oidc")
    desk.clock.advance(LASTS + timedelta(seconds=1))
    kept = there.headers["set-cookie"].partition(";")[0].partition("=")[2]
    client.cookies.set("__Host-mailflow-oidc", kept)
    assert "took too long" in refusal(client.get(issuer.consent(there.headers["location"])))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("says_iss", "iss", "status"),
    [(False, "", 303), (True, "", 401), (False, "https://evil.example", 401), (True, "own", 303), (False, "own", 303)],
)
def test_an_answer_of_another_issuer_is_noticed(
    desk: WebOffice, issuer: OidcStandIn, says_iss: bool, iss: str, status: int
) -> None:
    """RFC 9207: which issuer it is from."""
    issuer.published = {"authorization_response_iss_parameter_supported": says_iss}
    client = browser(desk, issuer)
    back = issuer.consent(client.get("/login/oidc").headers["location"])
    said = {"iss": issuer.url if iss == "own" else iss} if iss else {}
    query = "".join(f"&{key}={value}" for key, value in said.items())
    assert client.get(back + query).status_code == status


def test_what_the_issuer_says_in_the_address_is_not_shown(desk: WebOffice, issuer: OidcStandIn) -> None:
    client = browser(desk, issuer)
    there = urlsplit(client.get("/login/oidc").headers["location"])
    state = dict(part.split("=", 1) for part in there.query.split("&"))["state"]
    answer = client.get("/login/oidc/back", params={"state": state, "error": "<b>call 0800</b>"})
    assert "0800" not in refusal(answer)  # type: ignore[arg-type]
