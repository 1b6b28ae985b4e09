"""Calls over HTTP to stand-ins of a webhook, GitLab and Slack: what arrives, what is tried again, where none goes."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from tests.http_server import StandIn, certificate_for, standing_in

from mailflow.adapters.webhooks import (
    CallRefused,
    GitLabIssue,
    Request,
    Sender,
    SlackMessage,
    Webhook,
    addresses_of,
    is_public,
)
from mailflow.core.hooks import HookCall, HookEvent, is_signed
from mailflow.errors import ConnectionFailed
from mailflow.testing import NOON

SECRET = b"a secret of the receiver"
DESK = "https://desk.example"
THREAD = {"id": 7, "status": "held", "queue": "review", "priority": "high", "intent": "quoting", "reason": "guard:fact"}
CALL = HookCall(12, "crm", HookEvent.ESCALATED, 7, 1, {"event": "escalated", "thread": THREAD})


@pytest.fixture
def server() -> Iterator[StandIn]:
    with standing_in() as server:
        yield server


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender(allow_private=True)
    yield sender
    sender.close()


def test_a_webhook_hears_what_happened_signed_and_with_its_number(server: StandIn, sender: Sender) -> None:
    Webhook("crm", f"{server.url}/in?a=1", SECRET, sender, DESK).call(CALL, NOON)
    (heard,) = server.heard
    assert (heard.method, heard.path) == ("POST", "/in?a=1")
    assert heard.json == CALL.body | {"url": f"{DESK}/threads/7"}
    assert is_signed(SECRET, heard.headers["mailflow-signature"], heard.content, NOON)
    assert (heard.headers["mailflow-event"], heard.headers["mailflow-delivery"]) == ("escalated", "12")
    assert heard.headers["host"] == f"127.0.0.1:{server.port}"


def test_without_an_address_of_the_desk_there_is_no_link(server: StandIn, sender: Sender) -> None:
    Webhook("crm", server.url, SECRET, sender).call(CALL, NOON)
    assert server.heard[0].json == CALL.body


def test_an_issue_is_made_in_the_project(server: StandIn, sender: Sender) -> None:
    GitLabIssue("issues", f"{server.url}/", "help/desk", "glpat-of-a-test", sender, DESK).call(CALL, NOON)
    (heard,) = server.heard
    assert heard.path == "/api/v4/projects/help%2Fdesk/issues"
    assert heard.headers["private-token"] == "glpat-of-a-test"
    assert heard.json == {
        "title": "Thread 7 is urgent",
        "description": "- queue: review\n- priority: high\n- intent: quoting\n- reason: guard:fact\n\n"
        "https://desk.example/threads/7",
        "labels": "mailflow::escalated",
    }


def test_a_message_calls_nobody_by_name(server: StandIn, sender: Sender) -> None:
    """Slack takes <!channel> for a call to everybody."""
    thread = THREAD | {"queue": "<!channel> & more"}
    call = HookCall(12, "chat", HookEvent.HELD, 7, 1, {"thread": thread})
    SlackMessage("chat", f"{server.url}/services/T0/B0/x", sender, DESK).call(call, NOON)
    assert server.heard[0].path == "/services/T0/B0/x"
    assert server.heard[0].json["text"] == (
        "Thread 7 waits for a person\nqueue: &lt;!channel&gt; &amp; more, priority: high, intent: quoting, "
        "reason: guard:fact\nhttps://desk.example/threads/7"
    )


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_call_that_was_taken_is_done(server: StandIn, sender: Sender, status: int) -> None:
    server.status = status
    Webhook("crm", server.url, SECRET, sender).call(CALL, NOON)
    assert len(server.heard) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_receiver_in_trouble_is_tried_again(server: StandIn, sender: Sender, status: int) -> None:
    server.status = status
    with pytest.raises(ConnectionFailed, match=f"webhook crm answered {status}"):
        Webhook("crm", server.url, SECRET, sender).call(CALL, NOON)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_receiver_that_says_no_is_not(server: StandIn, sender: Sender, status: int) -> None:
    server.status = status
    with pytest.raises(CallRefused, match=f"webhook crm answered {status}"):
        Webhook("crm", server.url, SECRET, sender).call(CALL, NOON)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: StandIn, sender: Sender, status: int) -> None:
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere"}
    with pytest.raises(CallRefused, match="redirects are not followed"):
        Webhook("crm", server.url, SECRET, sender).call(CALL, NOON)
    assert [one.path for one in server.heard] == ["/"]


def test_a_proxy_of_the_environment_is_not_used(
    server: StandIn, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    Webhook("crm", server.url, SECRET, sender).call(CALL, NOON)
    assert len(server.heard) == 1


def test_where_nobody_listens_it_is_tried_again(sender: Sender) -> None:
    with pytest.raises(ConnectionFailed, match="webhook crm: ConnectError"):
        Webhook("crm", "http://127.0.0.1:1", SECRET, sender).call(CALL, NOON)


def test_an_error_does_not_say_the_secret_address_of_slack(sender: Sender) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        SlackMessage("chat", "http://127.0.0.1:1/services/secret", sender).call(CALL, NOON)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "secret" not in repr(SlackMessage("chat", "https://hooks.example/services/secret", sender))
    assert "secret" not in repr(Webhook("crm", "https://crm.example", b"secret", sender))


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_receiver_that_dribbles_its_answer_is_left(tmp_path: Path, is_tls: bool) -> None:
    """It would hold all other calls, and the stop of the worker."""
    certificate, key = certificate_for("crm.example", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    is_over = threading.Event()

    def dribble(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with tls.wrap_socket(taken, server_side=True) if is_tls else taken as connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            try:
                while not is_over.wait(0.05):
                    connection.sendall(b"X: y\r\n")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=dribble, args=(listening,))
        thread.start()
        trusted = ssl.create_default_context(cafile=str(certificate))
        sender = Sender(
            allow_private=True,
            lookup=lambda host, port: ["127.0.0.1"],
            verify=trusted,
            longest=timedelta(seconds=0.5),
        )
        begun = monotonic()
        at_last = threading.Timer(5, is_over.set)
        at_last.start()
        with pytest.raises(ConnectionFailed, match="webhook crm: "):
            where = f"{'https' if is_tls else 'http'}://crm.example:{listening.getsockname()[1]}/"
            sender.send(Request(where, b"{}", {}), "webhook crm")
        assert monotonic() - begun < 4
        is_over.set()
        at_last.cancel()
        thread.join()
        sender.close()


# ---------------------------------------------------------------------- private networks

PRIVATE = """
127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255
::1 :: fe80::1 fe80::1%eth0 fc00::1 ff02::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 2002:7f00:1:: 2001:db8::1
64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b:1::5db8:d70e ::10.0.0.1 2002:a00:1:: 2001:0:a00:1::1
""".split()
PUBLIC = """
93.184.215.14 2606:2800:21f:cb07:6820:80da:af6b:8b2c ::ffff:93.184.215.14 64:ff9b::5db8:d70e
""".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_private_network_is_none_of_the_public_one(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_others_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]], ids=["only", "one of two"])
def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(server: StandIn, found: list[str]) -> None:
    sender = Sender(lookup=lambda host, port: found)
    with pytest.raises(CallRefused, match="allow_private = true"):
        sender.send(Request(f"http://crm.example:{server.port}/", b"{}", {}), "webhook crm")
    assert server.heard == []


def test_the_connection_goes_to_the_address_that_was_looked_at_under_the_name_that_was_asked_for(
    server: StandIn,
) -> None:
    """A name that is looked up twice may lead elsewhere the second time."""
    asked: list[tuple[str, int]] = []

    def lookup(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    sender = Sender(allow_private=True, lookup=lookup)
    sender.send(Request(f"http://crm.invalid:{server.port}/in", b"{}", {}), "webhook crm")
    sender.close()
    assert asked == [("crm.invalid", server.port)]
    assert server.heard[0].headers["host"] == f"crm.invalid:{server.port}"


@pytest.mark.parametrize(("host", "is_taken"), [("crm.example", True), ("another.example", False)])
def test_over_tls_the_server_proves_the_name_that_was_asked_for(tmp_path: Path, host: str, is_taken: bool) -> None:
    """Though the connection is made to an address: else whoever answers there would be believed."""
    certificate, key = certificate_for("crm.example", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    trusted = ssl.create_default_context(cafile=str(certificate))
    sender = Sender(allow_private=True, lookup=lambda host, port: ["127.0.0.1"], verify=trusted)
    with standing_in(tls) as server:
        request = Request(f"https://{host}:{server.port}/in", b"{}", {})
        if is_taken:
            sender.send(request, "webhook crm")
        else:
            with pytest.raises(ConnectionFailed, match="ConnectError"):
                sender.send(request, "webhook crm")
        assert len(server.heard) == is_taken
    sender.close()


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    def lookup(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(ConnectionFailed, match="its name is not known"):
        Sender(lookup=lookup).send(Request("https://crm.invalid/", b"{}", {}), "webhook crm")


def test_loopback_is_looked_up_as_what_it_is() -> None:
    assert addresses_of("127.0.0.1", 80) == ["127.0.0.1"]
