"""Access tokens from an authorization server that gives, changes, refuses and takes back."""

import json
import logging
import ssl
import stat
import threading
import traceback
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus

import pytest
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs
from tests.oauth_server import Answer, TokenServer, error
from tests.servers import MailServers, ScriptedServer

from mailflow.adapters.oauth import (
    PRESETS,
    Credentials,
    Endpoint,
    Grant,
    OAuthTokens,
    preset,
    read_service_account,
)
from mailflow.errors import ConnectionFailed, LoginRefused, MailflowError, SettingsError
from mailflow.testing import NOON, FrozenClock

USER = "support@helpdesk.example"
SECRET = "the app's secret/\u00fc"
PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def tokens_of(server: TokenServer, clock: FrozenClock, **credentials: Any) -> OAuthTokens:
    """A provider of an app that is known to the server; with a refresh token where none of its own is given."""
    if not credentials:
        credentials = {"refresh_token": server.sign_in(USER)}
    known = Credentials(client_id="app", client_secret=SECRET, **credentials)
    return OAuthTokens(USER, Endpoint(server.token_url, "mail"), known, clock=clock)


def shown(caught: pytest.ExceptionInfo[BaseException], *more: object) -> str:
    """All that anybody may see of an error."""
    return "".join(traceback.format_exception(caught.value)) + "".join(map(str, more))


# -- three ways to a token -----------------------------------------------------------------------------------------


def test_a_refresh_token_is_changed_for_an_access_token(server: TokenServer, clock: FrozenClock) -> None:
    refresh_token = server.sign_in(USER)
    tokens = tokens_of(server, clock, refresh_token=refresh_token)
    assert server.user_of(tokens.token()) == USER
    assert server.forms == [
        {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": "app",
            "client_secret": SECRET,
            "scope": "mail",
        }
    ]


def test_an_app_without_a_secret_names_itself_only(server: TokenServer, clock: FrozenClock) -> None:
    """A public client (RFC 6749, 2.1), and no scope: what was consented to."""
    credentials = Credentials(client_id="app", refresh_token=server.sign_in(USER))
    OAuthTokens(USER, Endpoint(server.token_url), credentials, clock=clock).token()
    assert set(server.forms[0]) == {"grant_type", "refresh_token", "client_id"}


def test_an_app_gets_a_token_by_itself(server: TokenServer, clock: FrozenClock) -> None:
    server.apps["app", SECRET] = USER
    credentials = Credentials(client_id="app", client_secret=SECRET)
    tokens = OAuthTokens(USER, Endpoint(server.token_url, "all"), credentials, clock=clock)
    assert server.user_of(tokens.token()) == USER
    assert server.forms == [
        {"grant_type": "client_credentials", "client_id": "app", "client_secret": SECRET, "scope": "all"}
    ]


@pytest.fixture
def key_file(server: TokenServer, tmp_path: Path) -> Path:
    """As Google hands it out; its public half is known to the server."""
    key = RSAKey.generate_key(2048, auto_kid=False)
    address = "desk@project.iam.example"
    server.keys[address] = RSAKey.import_key(key.as_pem(private=False))
    path = tmp_path / "key.json"
    content = {"client_email": address, "private_key_id": "k1", "private_key": key.as_pem(private=True).decode()}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_service_account_signs_for_the_mailbox(server: TokenServer, clock: FrozenClock, key_file: Path) -> None:
    clock.advance(timedelta(days=1))
    tokens = tokens_of(server, clock, service_account=read_service_account(key_file))
    assert server.user_of(tokens.token()) == USER
    (form,) = server.forms
    assert set(form) == {"grant_type", "assertion"}
    header, claims = (json.loads(part) for part in decoded_parts(form["assertion"]))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert claims.items() >= {"aud": server.token_url, "scope": "mail", "sub": USER}.items()
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["iat"] == clock.at.timestamp()


def decoded_parts(assertion: str) -> list[bytes]:
    """Header and claims of a JWT."""
    return [urlsafe_b64decode(part + "==") for part in assertion.split(".")[:2]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b'"x"',
        b"{}",
        b'{"client_email": "a", "private_key_id": "b", "private_key": "c"}',
        b"\xff",
    ],
)
def test_a_file_that_is_no_key_is_named_and_not_shown(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"key\.json: is not the JSON key") as caught:
        read_service_account(path)
    assert caught.value.__suppress_context__


def test_a_key_file_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match="oauth_service_account_file nowhere: No such file"):
        read_service_account(Path("nowhere"))


# -- held, and renewed ahead of its end ----------------------------------------------------------------------------


def test_a_token_is_used_until_five_minutes_before_its_end(server: TokenServer, clock: FrozenClock) -> None:
    tokens = tokens_of(server, clock)
    assert tokens.expires_at is None
    first = tokens.token()
    assert tokens.expires_at == NOON + timedelta(seconds=3600)
    clock.advance(timedelta(minutes=55) - timedelta(seconds=1))
    assert tokens.token() == first
    clock.advance(timedelta(seconds=1))
    assert tokens.token() != first
    assert tokens.expires_at == clock.at + timedelta(seconds=3600)
    assert len(server.forms) == 2


def test_a_short_lived_token_is_used_for_half_its_life(server: TokenServer, clock: FrozenClock) -> None:
    """Else it would be asked for each time."""
    server.lifetime = 60
    tokens = tokens_of(server, clock)
    first = tokens.token()
    clock.advance(timedelta(seconds=29))
    assert tokens.token() == first
    clock.advance(timedelta(seconds=1))
    assert tokens.token() != first


@pytest.mark.parametrize(
    ("rest", "lives"),
    [('"expires_in": "3599"', timedelta(seconds=3599)), ('"token_type": "Bearer"', None), ('"expires_in": null', None)],
)
def test_a_lifetime_may_be_a_word_or_untold(
    server: TokenServer, clock: FrozenClock, rest: str, lives: timedelta | None
) -> None:
    """Untold, the token is used until a server refuses it."""
    server.answers = [Answer(200, f'{{"access_token": "abc", {rest}}}'.encode())]
    tokens = tokens_of(server, clock)
    assert tokens.token() == "abc"
    assert tokens.expires_at == (lives and NOON + lives)
    clock.advance(timedelta(days=0 if lives else 100))
    assert tokens.token() == "abc"


def test_while_the_old_token_holds_a_failed_renewal_is_a_warning(server: TokenServer, clock: FrozenClock) -> None:
    tokens = tokens_of(server, clock)
    first = tokens.token()
    clock.advance(timedelta(minutes=56))
    server.answers = [Answer(503, b""), error("invalid_grant")]
    with capture_logs() as logs:
        assert tokens.token() == tokens.token() == first
    assert [(one["event"], one["log_level"]) for one in logs] == [("token not renewed", "warning")] * 2
    clock.advance(timedelta(minutes=4))
    server.answers = [Answer(503, b"")]
    with pytest.raises(ConnectionFailed, match="503"):
        tokens.token()
    assert tokens.expires_at == clock.at, "a health check sees that it has ended"
    assert server.user_of(tokens.token()) == USER


def test_a_refused_token_is_dropped_and_no_other(server: TokenServer, clock: FrozenClock) -> None:
    tokens = tokens_of(server, clock)
    first = tokens.token()
    tokens.refuse("another")
    assert tokens.token() == first
    tokens.refuse(first)
    assert tokens.expires_at is None
    second = tokens.token()
    assert second != first
    tokens.refuse(first)
    assert tokens.token() == second


def test_many_threads_ask_the_server_once(server: TokenServer, clock: FrozenClock) -> None:
    tokens = tokens_of(server, clock)
    together = threading.Barrier(8, timeout=20)

    def ask(_: int) -> str:
        together.wait()
        return tokens.token()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(server.forms) == 1


# -- the refresh token and its file --------------------------------------------------------------------------------


@pytest.fixture
def file(server: TokenServer, tmp_path: Path) -> Path:
    """Of a server that takes each refresh token once."""
    server.rotates = True
    path = tmp_path / "refresh"
    path.write_text(server.sign_in(USER) + "\n", encoding="utf-8")
    path.chmod(0o644)
    return path


def test_a_new_refresh_token_is_written_back_for_us_alone(server: TokenServer, clock: FrozenClock, file: Path) -> None:
    old = file.read_text(encoding="utf-8")
    file.with_name("refresh.new").touch(0o644)  # of a crash
    tokens = tokens_of(server, clock, refresh_token_file=file)
    tokens.refuse(tokens.token())
    assert file.read_text(encoding="utf-8") not in ("", old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["refresh"]
    assert tokens.token()
    assert tokens_of(server, clock, refresh_token_file=file).token(), "after a restart"


def test_what_a_link_leads_to_is_written_and_the_link_stays(
    server: TokenServer, clock: FrozenClock, file: Path, tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(file)
    old = file.read_text(encoding="utf-8")
    tokens_of(server, clock, refresh_token_file=link).token()
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8") != old


def test_two_that_share_a_file_never_use_a_token_twice(server: TokenServer, clock: FrozenClock, file: Path) -> None:
    """[imap] and [smtp], or two workers: without the lock one would come with what the other has just used up."""
    pair = [tokens_of(server, clock, refresh_token_file=file) for _ in range(2)]
    together = threading.Barrier(2, timeout=20)

    def renew(tokens: OAuthTokens) -> None:
        for _ in range(10):
            together.wait()
            tokens.refuse(tokens.token())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(renew, pair))
    assert len({form["refresh_token"] for form in server.forms}) == 20


def test_a_token_that_an_operator_puts_in_counts_at_once(server: TokenServer, clock: FrozenClock, file: Path) -> None:
    tokens = tokens_of(server, clock, refresh_token_file=file)
    tokens.refuse(tokens.token())
    server.take_back(file.read_text(encoding="utf-8").strip())
    with pytest.raises(LoginRefused, match="invalid_grant"):
        tokens.token()
    file.write_text(server.sign_in(USER), encoding="utf-8")
    assert server.user_of(tokens.token()) == USER


def test_a_new_refresh_token_that_cannot_be_written_is_used_and_told(
    server: TokenServer, clock: FrozenClock, file: Path
) -> None:
    tokens = tokens_of(server, clock, refresh_token_file=file)
    tokens.refuse(tokens.token())
    file.with_name("refresh.new").mkdir()
    with capture_logs() as logs:
        tokens.refuse(tokens.token())
        tokens.refuse(tokens.token())
    assert [one["event"] for one in logs] == ["new refresh token lost at the next start"] * 2
    assert logs[0]["file"] == str(file)


def test_a_new_refresh_token_without_a_file_is_used_and_told(server: TokenServer, clock: FrozenClock) -> None:
    server.rotates = True
    tokens = tokens_of(server, clock)
    with capture_logs() as logs:
        tokens.refuse(tokens.token())
        tokens.refuse(tokens.token())
    assert [one["why"] for one in logs] == ["oauth_refresh_token_file is not set"] * 2


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"\n", "first line is empty"), (b"\xff", "UTF-8")]
)
def test_a_refresh_token_that_cannot_be_read_is_a_wrong_setting_at_the_start(
    server: TokenServer, clock: FrozenClock, tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "refresh"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"oauth_refresh_token_file {path}: .*{why}"):
        tokens_of(server, clock, refresh_token_file=path)


def test_a_file_that_goes_missing_later_does_not_stop_the_worker(
    server: TokenServer, clock: FrozenClock, file: Path
) -> None:
    tokens = tokens_of(server, clock, refresh_token_file=file)
    file.unlink()
    with pytest.raises(LoginRefused, match="No such file") as caught:
        tokens.token()
    assert caught.value.temporary


# -- errors --------------------------------------------------------------------------------------------------------

MICROSOFT_SAYS = "AADSTS7000222: The provided 'secret' has expired.\r\nTrace ID: 0\r\nTimestamp: 2026-03-02 12:00:00Z"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error("invalid_grant", "Token has been expired or revoked."), LoginRefused, ("revoked", "sign in again")),
        (error("invalid_client", MICROSOFT_SAYS, 401), LoginRefused, ("AADSTS7000222", "oauth_client_secret")),
        (error("invalid_client", "AADSTS700016: no 'app' here"), LoginRefused, ("no 'app' here",)),
        (error("unauthorized_client"), LoginRefused, ("unauthorized_client", "consent")),
        (error("invalid_scope"), LoginRefused, ("oauth_scope",)),
        (error("invalid_request", "AADSTS90002: no tenant"), LoginRefused, ("AADSTS90002", "oauth_tenant")),
        (error("unsupported_grant_type"), LoginRefused, ("refresh token",)),
        (error("something_new"), LoginRefused, ("something_new", "docs/configuration.md")),
        (error({"code": 7}), LoginRefused, ("docs/configuration.md",)),
        (error("temporarily_unavailable", status=429), ConnectionFailed, ("temporarily_unavailable",)),
        (error("invalid_grant", status=503), ConnectionFailed, ("503",)),
        (Answer(503, b"<html>"), ConnectionFailed, ("503",)),
        (Answer(429, b"slow down", "text/plain"), ConnectionFailed, ("429",)),
        (Answer(302, b""), ConnectionFailed, ("302",)),
        (Answer(200, b"<html>a login page"), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b"[]"), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b"{}"), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b'{"access_token": ""}'), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b'{"access_token": 7}'), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b'{"access_token": "a\\u0001user=b"}'), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b'{"access_token": "a", "expires_in": "soon"}'), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b'{"access_token": "a", "expires_in": 1e99}'), ConnectionFailed, ("oauth_token_url",)),
        (Answer(200, b'{"access_token": "a", "expires_in": []}'), None, ()),
    ],
)
def test_each_answer_has_its_meaning_and_says_what_to_do(
    server: TokenServer, clock: FrozenClock, answer: Answer, kind: type[MailflowError] | None, words: tuple[str, ...]
) -> None:
    server.answers = [answer]
    tokens = tokens_of(server, clock)
    if kind is None:
        assert tokens.token() == "a"
        return
    with pytest.raises(MailflowError) as caught:
        tokens.token()
    assert type(caught.value) is kind
    assert caught.value.temporary
    sentence = str(caught.value)
    assert "\n" not in sentence
    for word in (USER, "no token from 127.0.0.1", *words):
        assert word in sentence


def test_no_secret_is_shown_by_error_log_or_repr(
    server: TokenServer, clock: FrozenClock, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even if the server repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    refresh_token = file.read_text(encoding="utf-8").strip()
    tokens = tokens_of(server, clock, refresh_token_file=file)
    said = f"no {SECRET} {quote_plus(SECRET)} {refresh_token} {quote_plus(refresh_token)}"
    server.answers = [error("invalid_client", said), Answer(200, f'{{"expires_in": "{refresh_token}"}}'.encode())]
    seen = ""
    for kind in (LoginRefused, ConnectionFailed):
        with pytest.raises(kind) as caught:
            tokens.token()
        assert caught.value.__suppress_context__
        seen += shown(caught)
    assert "no *** *** *** ***" in seen
    with capture_logs() as logs:
        token = tokens.token()
    known = Credentials(client_id="app", client_secret=SECRET, refresh_token=refresh_token)
    seen += caplog.text + repr(logs) + repr(tokens) + repr(tokens.__dict__) + repr(known)
    for secret in (SECRET, quote_plus(SECRET), refresh_token, file.read_text(encoding="utf-8").strip(), token):
        assert secret not in seen


def test_a_key_is_in_no_repr(key_file: Path) -> None:
    account = read_service_account(key_file)
    assert repr(account) == "ServiceAccount(email='desk@project.iam.example', key_id='k1')"


def test_what_a_service_account_signed_is_not_shown(server: TokenServer, clock: FrozenClock, key_file: Path) -> None:
    tokens = tokens_of(server, clock, service_account=read_service_account(key_file))
    assert tokens.token()
    server.answers = [error("invalid_grant", "clock")]
    tokens.refuse(tokens.token())
    with pytest.raises(LoginRefused, match="service account") as caught:
        tokens.token()
    assert server.forms[-1]["assertion"] not in shown(caught, tokens)


def test_nobody_listening_is_a_failed_connection(clock: FrozenClock) -> None:
    with TokenServer() as closed:
        pass
    with pytest.raises(ConnectionFailed, match="refused"):
        tokens_of(closed, clock).token()


def test_a_server_that_says_nothing_is_a_failed_connection(clock: FrozenClock) -> None:
    with ScriptedServer(b"", lambda line: b"") as silent:
        endpoint = Endpoint(f"http://127.0.0.1:{silent.port}/token")
        tokens = OAuthTokens(USER, endpoint, Credentials("app", SECRET), clock=clock, timeout=0.2)
        with pytest.raises(ConnectionFailed, match="timed out"):
            tokens.token()


def test_tls_is_verified_against_the_systems_authorities_and_the_given_one(
    mail_servers: MailServers, clock: FrozenClock
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(mail_servers.root / "cert.pem", mail_servers.root / "key.pem")
    with TokenServer(tls=context) as server:
        credentials = Credentials("app", SECRET, refresh_token=server.sign_in(USER))
        for ca_file in (None, mail_servers.ca_file):
            tokens = OAuthTokens(USER, Endpoint(server.token_url), credentials, clock=clock, ca_file=ca_file)
            if ca_file is None:
                with pytest.raises(ConnectionFailed, match="certificate verify failed"):
                    tokens.token()
            else:
                assert server.user_of(tokens.token()) == USER


# -- providers -----------------------------------------------------------------------------------------------------


def test_the_presets_are_told_word_for_word() -> None:
    rows = [
        f"| `{row.provider}` | {row.grant} | `{row.token_url}` | {told(row.imap_scope)} | {told(row.smtp_scope)} |"
        for row in PRESETS
    ]
    assert "\n".join(rows) in PAGE.read_text(encoding="utf-8")


def told(scope: str) -> str:
    return " ".join(f"`{one}`" for one in scope.split()) or "none"


@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_each_protocol_asks_for_its_own_permission(protocol: Literal["imap", "smtp"]) -> None:
    endpoint = preset("microsoft", Grant.REFRESH, protocol, "desk.example")
    assert endpoint.token_url == "https://login.microsoftonline.com/desk.example/oauth2/v2.0/token"
    assert ("IMAP" in endpoint.scope, "SMTP" in endpoint.scope) == (protocol == "imap", protocol == "smtp")


def test_a_tenant_cannot_lead_elsewhere() -> None:
    endpoint = preset("microsoft", Grant.CLIENT, "imap", "../x?y#z")
    assert endpoint.token_url == "https://login.microsoftonline.com/..%2Fx%3Fy%23z/oauth2/v2.0/token"


def test_a_provider_that_does_not_know_the_grant_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match='"google" gives no tokens by client_credentials'):
        preset("google", Grant.CLIENT, "imap", "")


@pytest.mark.parametrize("grant", list(Grant))
def test_each_grant_has_a_provider(grant: Grant) -> None:
    assert any(row.grant is grant for row in PRESETS)
