"""The three pages for whoever watches: right codes, names of what is wrong, and no visitor that hurts."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse

import pytest
from structlog.testing import capture_logs

from mailflow.adapters.status_server import StatusServer, health_page, ready_page, status_pages
from mailflow.core.health import Health
from mailflow.errors import SettingsError, StoreError
from mailflow.testing import NOON, FrozenClock

HOST = "127.0.0.1"
MINUTE = timedelta(minutes=1)


class Office:
    """A server with one loop, one need that `missing` names, and numbers."""

    def __init__(self) -> None:
        self.clock, self.health, self.missing = FrozenClock(), Health(), ""
        self.health.expect("fetch", MINUTE, NOON)
        self.accepted: list[str] = []
        pages = status_pages(self.health, {"store": lambda: self.missing}, self.clock, self._metrics)
        self.server = StatusServer(HOST, 0, pages)

    def _metrics(self, accept: str) -> tuple[str, bytes]:
        self.accepted.append(accept)
        return "text/plain; version=0.0.4", b"mailflow_workers 1.0\n"

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(HOST, self.server.port, timeout=30)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    with office.server:
        yield office


def test_a_process_whose_loops_turn_is_well(office: Office) -> None:
    response, body = office.ask("/healthz")
    assert (response.status, response.getheader("Content-Type")) == (200, "application/json")
    assert json.loads(body)["status"] == "ok"


def test_a_loop_that_stands_still_is_named_with_503(office: Office) -> None:
    office.clock.advance(2 * MINUTE)
    response, body = office.ask("/healthz?verbose")
    assert response.status == 503
    told = json.loads(body)
    assert (told["status"], told["stale"]) == ("stale", ["fetch"])
    assert told["loops"]["fetch"]["seconds"] == 120


def test_a_process_that_has_what_it_needs_is_ready_and_one_that_has_not_names_it(office: Office) -> None:
    assert office.ask("/readyz")[0].status == 200
    office.missing = "the store has revision 1, needed is 5"
    response, body = office.ask("/readyz")
    assert response.status == 503
    assert json.loads(body) == {"status": "not ready", "needs": {"store": office.missing}}


def test_a_need_that_cannot_be_asked_is_missing_and_its_secrets_stay_in_the_log() -> None:
    def fails() -> str:
        raise StoreError("no route to database.internal")

    with capture_logs() as lines:
        page = ready_page({"store": fails, "model": lambda: ""})
    assert page.status == 503
    assert json.loads(page.body)["needs"] == {"store": "StoreError; the log says more", "model": "ok"}
    assert [line["sentence"] for line in lines] == ["no route to database.internal"]


def test_a_process_of_which_nothing_is_expected_is_well() -> None:
    assert health_page(Health(), FrozenClock()).status == 200
    assert ready_page({}).status == 200


def test_the_metrics_are_asked_for_in_the_visitors_format(office: Office) -> None:
    response, body = office.ask("/metrics", Accept="application/openmetrics-text")
    assert (response.status, body) == (200, b"mailflow_workers 1.0\n")
    assert response.getheader("Content-Type") == "text/plain; version=0.0.4"
    assert office.accepted == ["application/openmetrics-text"]


def test_without_metrics_there_is_no_such_page() -> None:
    assert set(status_pages(Health(), {}, FrozenClock())) == {"/healthz", "/readyz"}


def test_head_gives_the_header_alone(office: Office) -> None:
    response, body = office.ask("/healthz", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.getheader("Content-Length") or 0) > 0


@pytest.mark.parametrize("path", ["/", "/etc/passwd", "/healthz/", "/metrics%00"])
def test_any_other_path_is_not_found(office: Office, path: str) -> None:
    assert office.ask(path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(office: Office, method: str) -> None:
    assert office.ask("/healthz", method)[0].status == 501


def test_a_visitor_who_says_nothing_keeps_nobody_waiting(office: Office) -> None:
    with socket.create_connection((HOST, office.server.port)), socket.create_connection((HOST, office.server.port)):
        assert office.ask("/healthz")[0].status == 200


def test_a_visitor_who_says_nothing_is_sent_away() -> None:
    with (
        StatusServer(HOST, 0, {}, visitor_seconds=0.05) as server,
        socket.create_connection((HOST, server.port), timeout=30) as visitor,
    ):
        assert visitor.recv(1) == b""


def test_a_visitor_who_hangs_up_or_talks_nonsense_leaves_the_server_well(office: Office) -> None:
    with socket.create_connection((HOST, office.server.port)) as visitor:
        visitor.sendall(b"GET /healthz HTTP/1.1\r\n")
    with socket.create_connection((HOST, office.server.port), timeout=30) as visitor:
        visitor.sendall(b"\x16\x03\x01\x00\xa5\r\n\r\n")
        visitor.recv(100)
    assert office.ask("/healthz")[0].status == 200


def test_the_server_does_not_say_what_it_is_made_of(office: Office) -> None:
    assert (office.ask("/healthz")[0].getheader("Server") or "").strip() == "mailflow"


def test_a_port_that_is_taken_is_told_with_its_setting(office: Office) -> None:
    with pytest.raises(SettingsError, match=rf"\[metrics\] cannot listen on {HOST} port {office.server.port}: "):
        StatusServer(HOST, office.server.port, {})


def test_it_listens_on_ipv6_too() -> None:
    with StatusServer("::1", 0, status_pages(Health(), {}, FrozenClock())) as server:
        connection = HTTPConnection("::1", server.port, timeout=30)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()


def test_after_the_end_nobody_listens_and_ending_twice_is_harmless() -> None:
    server = StatusServer(HOST, 0, {}).start()
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, server.port))


def test_a_server_that_never_started_can_be_closed() -> None:
    StatusServer(HOST, 0, {}).close()
