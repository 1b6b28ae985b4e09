"""From the settings to the call: `[hooks.NAME]`, a worker that ends a turn, and the receivers' stand-ins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.http_server import StandIn, standing_in
from tests.services.office import question, reader_of, words_model

from mailflow import bootstrap
from mailflow.core.hooks import HookEvent, is_signed
from mailflow.core.review import AccountRole
from mailflow.errors import SettingsError
from mailflow.settings import HookSettings, Settings, StoreSettings, WebSettings
from mailflow.testing import DESK, FrozenClock, MemorySource, ScriptedSubmission

SECRET = "a secret of the receiver"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with standing_in() as server:
        yield server


def settings_of(folder: Path, **hooks: HookSettings) -> Settings:
    return Settings(
        store=StoreSettings(url=f"sqlite:///{folder / 'desk.sqlite3'}"),
        web=WebSettings(origin="https://desk.example"),
        hooks=hooks,
    )


def work(settings: Settings, *mails: bytes) -> FrozenClock:
    clock, source = FrozenClock(), MemorySource()
    for content in mails:
        source.deliver(content)
    store = bootstrap.build_store(settings)
    worker = bootstrap.build_worker(
        settings,
        store=store,
        source=source,
        submission=ScriptedSubmission(),
        classifier=words_model(),
        read=reader_of(DESK),
        clock=clock,
    )
    worker.run_once()
    store.close()
    return clock


def test_each_system_of_the_settings_hears_of_what_it_wants(tmp_path: Path, server: StandIn) -> None:
    inside = {"secret": SecretStr(SECRET), "allow_private": True}
    settings = settings_of(
        tmp_path,
        crm=HookSettings(url=f"{server.url}/crm", **inside),
        issues=HookSettings(kind="gitlab", url=server.url, project="help/desk", **inside),
        chat=HookSettings(kind="slack", secret=SecretStr(f"{server.url}/services/T0/B0"), allow_private=True),
        pager=HookSettings(url=f"{server.url}/pager", events=(HookEvent.ESCALATED,), **inside),
    )
    clock = work(settings, question(1, body="a riddle"))
    heard = {one.path: one for one in server.heard}
    assert set(heard) == {"/crm", "/api/v4/projects/help%2Fdesk/issues", "/services/T0/B0"}
    call = heard["/crm"]
    assert is_signed(SECRET.encode(), call.headers["mailflow-signature"], call.content, clock.now())
    assert call.json["url"] == "https://desk.example/threads/1"


def test_as_it_comes_nobody_is_called(tmp_path: Path, server: StandIn) -> None:
    work(settings_of(tmp_path), question(1, body="a riddle"))
    assert server.heard == []


def test_a_private_network_is_called_only_where_the_settings_say_so(tmp_path: Path) -> None:
    hook = HookSettings(url="https://127.0.0.1:1/", secret=SecretStr(SECRET))
    settings = settings_of(tmp_path, crm=hook)
    work(settings, question(1, body="a riddle"))
    with bootstrap.build_store(settings).view() as unit:
        (call,) = unit.hooks(10)
    assert "private network" in call.error


def test_a_secret_that_is_not_there_is_a_sentence_at_the_start(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, crm=HookSettings(url="https://a.example/", secret_file=tmp_path / "nothing"))
    with pytest.raises(SettingsError, match=r"\[hooks\.crm\] secret_file .*nothing"):
        work(settings)


def test_a_sign_in_elsewhere_is_built_of_the_settings(tmp_path: Path) -> None:
    secret = tmp_path / "oidc"
    secret.write_text(f"{SECRET}\n", encoding="utf-8")
    web = WebSettings(
        origin="https://desk.example",
        oidc_issuer="https://login.desk.example",
        oidc_name="the desk's login",
        oidc_client_id="mailflow",
        oidc_client_secret_file=secret,
        oidc_domains=("Desk.Example",),
        oidc_role="specialist",
    )
    settings = Settings(store=StoreSettings(url=f"sqlite:///{tmp_path / 'desk.sqlite3'}"), web=web)
    found = bootstrap.build_elsewhere(settings, bootstrap.build_access(settings), b"a key")
    assert found is not None
    assert (found.label, found.domains) == ("Sign in with the desk's login", ("desk.example",))
    assert found.role is AccountRole.SPECIALIST
    assert SECRET not in repr(found)
    assert bootstrap.build_elsewhere(Settings(), found.access, b"a key") is None
