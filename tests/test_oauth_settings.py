"""The keys for OAuth2 are judged together: what does not fit is said with what to change, and no secret is shown."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from mailflow import bootstrap
from mailflow.adapters.oauth import Grant, preset
from mailflow.errors import SettingsError
from mailflow.settings import ImapSettings, read_settings

SECRET = "hunter2-\u00fc-\u4e2d"
APP = 'auth = "oauth2"\nusername = "desk@desk.example"\noauth_client_id = "app"\n'
MICROSOFT = APP + 'oauth_provider = "microsoft"\noauth_tenant = "desk.example"\n'
GOOGLE = APP + 'oauth_provider = "google"\n'
OWN = APP + 'oauth_client_secret = "s"\n'


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No MAILFLOW_* of the machine, and a working directory of its own."""
    for name in [name for name in os.environ if name.upper().startswith("MAILFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield


def imap(text: str) -> ImapSettings:
    path = Path("mailflow.toml")
    path.write_text("[imap]\n" + text, encoding="utf-8")
    return read_settings(path).imap


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(MICROSOFT + 'oauth_client_secret = "s"\n', id="Microsoft, the app itself"),
        pytest.param(MICROSOFT + 'oauth_refresh_token_file = "r"\n', id="Microsoft, a person, a public app"),
        pytest.param(GOOGLE + 'oauth_client_secret_file = "s"\noauth_refresh_token = "r"\n', id="Google, a person"),
        pytest.param(
            'auth = "oauth2"\nusername = "d@d.example"\noauth_provider = "google"\noauth_service_account_file = "k"\n',
            id="Google, a service account",
        ),
        pytest.param(OWN + 'oauth_token_url = "https://login.desk.example/token"\n', id="a server of your own"),
        pytest.param(OWN + 'oauth_token_url = "http://127.0.0.1:8080/token"\n', id="a server on this machine"),
    ],
)
def test_what_fits_together_is_taken(text: str) -> None:
    assert imap(text).auth == "oauth2"


WRONG: dict[str, tuple[str, str]] = {
    "forgotten switch": ('oauth_client_id = "app"\n', 'oauth_client_id counts only with auth = "oauth2"'),
    "forgotten switch with a secret": ('oauth_refresh_token = "r"\n', "oauth_refresh_token counts only with"),
    "password too": (MICROSOFT + 'password = "p"\noauth_client_secret = "s"\n', "takes no password"),
    "password file too": (MICROSOFT + 'password_file = "p"\noauth_client_secret = "s"\n', "takes no password"),
    "no user": ('auth = "oauth2"\n', "needs username"),
    "control character": (GOOGLE.replace("desk@", "a\\u0001b@") + 'oauth_refresh_token = "r"\n', "cannot be printed"),
    "no provider": (OWN, "needs oauth_provider"),
    "unknown provider": (APP + 'oauth_provider = "yahoo"\n', "'', 'google' or 'microsoft'"),
    "clear text": (OWN + 'oauth_token_url = "http://login.desk.example/token"\n', "must be an https:// address"),
    "no host": (OWN + 'oauth_token_url = "https:///token"\n', "must be an https:// address"),
    "user in the URL": (OWN + 'oauth_token_url = "https://a:b@login.desk.example/"\n', "without a user in it"),
    "no tenant": (APP + 'oauth_provider = "microsoft"\noauth_client_secret = "s"\n', "needs oauth_tenant"),
    "two secrets": (
        MICROSOFT + 'oauth_client_secret = "s"\noauth_client_secret_file = "s"\n',
        "or oauth_client_secret",
    ),
    "two refresh tokens": (
        GOOGLE + 'oauth_refresh_token = "r"\noauth_refresh_token_file = "r"\n',
        "oauth_refresh_token or oauth_refresh_token_file, not both",
    ),
    "two ways": (
        GOOGLE + 'oauth_refresh_token = "r"\noauth_service_account_file = "k"\n',
        "a refresh token or oauth_service_account_file, not both",
    ),
    "service account at Microsoft": (MICROSOFT + 'oauth_service_account_file = "k"\n', "is Google's"),
    "no app": (MICROSOFT.replace('oauth_client_id = "app"\n', "") + 'oauth_refresh_token = "r"\n', "oauth_client_id"),
    "Google, the app itself": (GOOGLE + 'oauth_client_secret = "s"\n', "Google gives an app alone no mailbox"),
    "no way": (MICROSOFT, "give a way to tokens"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_together_is_said_with_what_to_change(what: str) -> None:
    text, words = WRONG[what]
    with pytest.raises(SettingsError) as caught:
        imap(text)
    assert "mailflow.toml: [imap]" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["oauth_client_secret", "oauth_refresh_token"])
def test_a_secret_is_never_shown(key: str) -> None:
    settings = imap(MICROSOFT + f'{key} = "{SECRET}"\n')
    assert getattr(settings, key).get_secret_value() == SECRET
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
    with pytest.raises(SettingsError) as caught:
        imap(f'{key} = "{SECRET}"\n')
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "protocol", "grant"),
    [
        (MICROSOFT + 'oauth_client_secret_file = "secret"\n', "smtp", Grant.CLIENT),
        (MICROSOFT + 'oauth_refresh_token = "r"\n', "imap", Grant.REFRESH),
        (GOOGLE + 'oauth_client_secret_file = "secret"\noauth_refresh_token = "r"\n', "smtp", Grant.REFRESH),
    ],
)
def test_settings_and_presets_agree(text: str, protocol: Literal["imap", "smtp"], grant: Grant) -> None:
    """Whatever the settings take, a provider knows; what is asked for is of the protocol."""
    Path("secret").write_text(f"{SECRET}\n", encoding="utf-8")
    tokens = bootstrap.build_tokens(imap(text), protocol)
    assert tokens is not None
    assert tokens.grant is grant
    assert tokens.endpoint == preset(imap(text).oauth_provider, grant, protocol, "desk.example")


def test_a_setting_is_stronger_than_a_preset() -> None:
    more = 'oauth_token_url = "https://login.desk.example/t"\noauth_scope = "x"\noauth_refresh_token = "r"\n'
    tokens = bootstrap.build_tokens(imap(GOOGLE + more), "imap")
    assert tokens is not None
    assert (tokens.endpoint.token_url, tokens.endpoint.scope) == ("https://login.desk.example/t", "x")


def test_with_a_password_there_are_no_tokens() -> None:
    assert bootstrap.build_tokens(imap('password = "p"\n'), "imap") is None


@pytest.mark.parametrize(
    ("key", "rest"),
    [
        ("oauth_client_secret_file", 'oauth_refresh_token = "r"\n'),
        ("oauth_refresh_token_file", ""),
        ("oauth_service_account_file", ""),
    ],
)
def test_a_file_that_is_not_there_is_named_at_the_start(key: str, rest: str) -> None:
    server = imap(GOOGLE + f'{key} = "nowhere"\n' + rest)
    with pytest.raises(SettingsError, match=f"{key} nowhere: No such file"):
        bootstrap.build_tokens(server, "imap")
