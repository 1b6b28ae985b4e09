"""The probes without real mail servers: names, handshakes that fail, greetings that tell the time, files."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.servers import ScriptedServer

from mailflow.adapters.probes import Endpoint, _time_in, addresses_of, look_at_file, look_at_tls
from mailflow.errors import ConnectionFailed

HOST = "127.0.0.1"


def smtp(port: int, security: str = "starttls", ca_file: str | None = None) -> Endpoint:
    assert security in ("tls", "starttls", "none")
    return Endpoint("smtp", "smtp", HOST, port, security, ca_file)  # type: ignore[arg-type]  # asserted above


def no_starttls(line: bytes) -> bytes:
    return b"250 mx.example\r\n" if line.upper().startswith((b"EHLO", b"HELO")) else b"502 5.5.1 unknown\r\n"


def test_a_name_that_exists_has_its_addresses_once_each() -> None:
    found = addresses_of("localhost")
    assert HOST in found and len(found) == len(set(found))


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".example", ".."])
def test_a_name_that_does_not_exist_or_is_none_is_an_error_with_the_name(host: str) -> None:
    with pytest.raises(ConnectionFailed, match=host[:20].replace(".", r"\.")):
        addresses_of(host)


@pytest.mark.parametrize(
    ("greeting", "time"),
    [
        ("220 mx.example ESMTP Exim 4.96 Mon, 02 Mar 2026 13:00:05 +0100", datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)),
        ("220 mx.example Mon, 2 Mar 2026 12:00:05 +0000 ready", datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)),
        ("220 mx.example ESMTP Postfix", None),
        ("", None),
    ],
)
def test_the_time_in_a_greeting_is_understood(greeting: str, time: datetime | None) -> None:
    assert _time_in(greeting) == time


def test_without_tls_the_greeting_is_all_that_is_looked_at() -> None:
    with ScriptedServer(b"220 mx.example Mon, 02 Mar 2026 12:00:05 +0000\r\n", no_starttls) as server:
        facts = look_at_tls(smtp(server.port, "none"))
    assert (facts.version, facts.error) == ("", "")
    assert facts.server_time == datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
    assert server.lines == []


def test_a_server_without_starttls_is_told() -> None:
    with ScriptedServer(b"220 mx.example\r\n", no_starttls) as server:
        assert "STARTTLS" in look_at_tls(smtp(server.port)).error


def test_an_imap_server_without_starttls_is_told() -> None:
    def answer(line: bytes) -> bytes:
        tag = line.split()[0]
        return b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n" if b"CAPABILITY" in line else tag + b" BAD no\r\n"

    with ScriptedServer(b"* OK ready\r\n", answer) as server:
        facts = look_at_tls(Endpoint("imap", "imap", HOST, server.port, "starttls"))
    assert "TLS not supported" in facts.error


def test_a_server_that_turns_everybody_away_is_told_in_its_words() -> None:
    with ScriptedServer(b"554 5.7.1 no service for you\r\n", no_starttls) as server:
        assert look_at_tls(smtp(server.port)).error == "554 5.7.1 no service for you"


def test_a_server_that_hangs_up_and_one_that_does_not_listen_are_told() -> None:
    with ScriptedServer(b"", lambda line: None) as server:
        assert look_at_tls(smtp(server.port, "tls")).error
    assert "refused" in look_at_tls(smtp(server.port, "tls")).error


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_is_told_by_its_setting(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    facts = look_at_tls(smtp(9, "tls", str(path)))
    assert facts.error.startswith(f"ca_file {path}: ")


def test_a_file_is_looked_at_with_its_permissions_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0o640)
    found = look_at_file("[imap] password_file", path, is_written=True)
    assert (found.setting, found.path, found.mode) == ("[imap] password_file", str(path), 0o640)
    assert (found.is_roots, found.is_written, found.is_folder_writable) == (os.geteuid() == 0, True, True)


def test_a_file_that_is_not_there_has_no_permissions(tmp_path: Path) -> None:
    assert look_at_file("x", tmp_path / "nowhere").mode is None


def test_of_a_link_the_file_behind_it_counts(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o400)
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    assert look_at_file("x", tmp_path / "link").mode == 0o400
