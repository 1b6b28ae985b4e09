"""`mailflow web`: served by a real server on a real socket, and stopped again; `mailflow demo --serve` on top of it."""

import socket
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.services.office import reader_of
from typer.testing import CliRunner

from mailflow import bootstrap
from mailflow.cli import app
from mailflow.core.review import Account, AccountRole
from mailflow.settings import Settings, StoreSettings, WebSettings
from mailflow.testing import DESK
from mailflow.web_commands import build_app, served, serving


def settings_of(folder: Path, port: int = 8025) -> Settings:
    return Settings(store=StoreSettings(url=f"sqlite:///{folder / 'desk.sqlite3'}"), web=WebSettings(port=port))


def page(address: str) -> tuple[int, str]:
    with urllib.request.urlopen(address, timeout=20) as response:  # noqa: S310 - our own
        return response.status, response.read().decode()


def test_the_desk_is_served_until_it_is_stopped(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    store = bootstrap.build_store(settings)
    bootstrap.build_access(settings, store=store).add(Account("sam", "Sam", AccountRole.LEAD), "a long password", "t")
    with serving(build_app(settings, store, reader_of(DESK)), "127.0.0.1", 0) as address:
        status, said = page(f"{address}/login")
        assert (status, "Sign in" in said) == (200, True)
        stream = urllib.request.urlopen(f"{address}/login", timeout=20)  # noqa: S310 - our own
    stream.close()
    with pytest.raises(OSError, match="refused"):
        page(f"{address}/login")


def test_the_demo_takes_another_port_where_its_own_is_taken(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        settings = settings_of(tmp_path, taken.getsockname()[1])
        with served(settings, bootstrap.build_store(settings)) as address:
            assert page(f"{address}/login")[0] == 200
            assert not address.endswith(f":{settings.web.port}")


def test_a_cookie_goes_over_tls_alone_where_browsers_come_by_tls(tmp_path: Path) -> None:
    settings = Settings(
        store=StoreSettings(url=f"sqlite:///{tmp_path / 'desk.sqlite3'}"),
        web=WebSettings(origin="https://desk.example"),
    )
    made = build_app(settings, bootstrap.build_store(settings), reader_of(DESK))
    assert made.state.guard.cookie == "__Host-mailflow"
    with pytest.raises(ValueError, match="without a path"):
        WebSettings(origin="https://desk.example/queue")


def test_where_an_issuer_is_named_the_sign_in_page_leads_there(tmp_path: Path) -> None:
    web = WebSettings(
        origin="https://desk.example",
        oidc_issuer="https://login.desk.example/realms/desk",
        oidc_client_id="mailflow",
        oidc_domains=("desk.example",),
        oidc_role="viewer",
    )
    settings = Settings(store=StoreSettings(url=f"sqlite:///{tmp_path / 'desk.sqlite3'}"), web=web)
    client = TestClient(build_app(settings, bootstrap.build_store(settings), reader_of(DESK)), "https://desk.example")
    assert "Sign in with login.desk.example" in client.get("/login").text
    plain = TestClient(build_app(settings_of(tmp_path), bootstrap.build_store(settings), reader_of(DESK)))
    assert "Sign in with" not in plain.get("/login").text
    assert plain.get("/login/oidc").status_code == 404


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        monkeypatch.chdir(tmp_path)
        Path("mailflow.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path / "d.sqlite3"}"\n', encoding="utf-8")
        ran = CliRunner().invoke(app, ["web", "--port", str(taken.getsockname()[1])])
    assert ran.exit_code == 1
    assert "nothing can listen at" in ran.output and "take another [web] port" in " ".join(ran.output.split())
