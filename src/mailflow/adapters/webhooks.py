"""Calls to other systems over HTTP: a signed webhook, an issue in GitLab, a message in Slack. Each is a Receiver.

Rule: a call goes to the address in the settings and nowhere else: redirects are refused, proxies of the environment are
not used, and a name that leads into a private network is refused unless `allow_private` says that it may.
Why the address is looked up here and the connection made to what was found: a name that is looked up twice can lead
somewhere else the second time (DNS rebinding).
Rule: of an answer only the status counts; nothing of it is read.
Rule: no secret in an error: that of Slack is its whole address.
"""

import ipaddress
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from mailflow.core.hooks import HookCall, HookEvent, signature
from mailflow.errors import ConnectionFailed, MailflowError

TIMEOUT = timedelta(seconds=10)
"""For connecting, for TLS, and for each wait for octets."""
_AGAIN = frozenset({408, 425, 429})
_NAT64, _NAT64_OF_A_SITE = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
Lookup = Callable[[str, int], Sequence[str]]
"""(host, port) -> its addresses. Raises OSError."""


class CallRefused(MailflowError):
    """It will not be taken, however often it is tried."""

    temporary = False


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    content: bytes
    headers: Mapping[str, str]


def _json_request(url: str, said: object, **headers: str) -> Request:
    return Request(url, json.dumps(said).encode(), {"Content-Type": "application/json"} | headers)


def addresses_of(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def is_public(address: str) -> bool:
    """Whether it leads out of every private network; of an IPv6 address that carries an IPv4 one, that one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    meant = (_carried(found) or found) if isinstance(found, ipaddress.IPv6Address) else found
    return meant.is_global and not meant.is_multicast and meant not in _NAT64_OF_A_SITE


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour


@contextmanager
def _hung_up_after(limit: timedelta) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Ends the connection that it is told of (httpcore's `trace`) when the block takes longer.

    Why: `timeout` begins anew with each octet, and a receiver could dribble its answer for days.
    """
    connection: list[socket.socket] = []

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            connection.append(info["return_value"].get_extra_info("socket"))

    def hang_up() -> None:
        for one in connection:
            with suppress(OSError):  # that of the SSLSocket would take the layer away under the one who reads
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(limit.total_seconds(), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()


@dataclass(slots=True)
class Sender:
    """Makes one request and judges its answer."""

    allow_private: bool = False
    lookup: Lookup = addresses_of
    verify: Any = True
    """CA certificates in place of the system's: an ssl.SSLContext."""
    longest: timedelta = 3 * TIMEOUT
    """A whole call; longer than connecting and TLS together."""
    _client: httpx.Client | None = None

    def send(self, request: Request, what: str) -> None:
        """`what`: how errors call the receiver. Raises ConnectionFailed, CallRefused."""
        parts = urlsplit(request.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        target = urlunsplit((parts.scheme, f"{_in_url(self._address(host, port, what))}:{port}", *parts[2:4], ""))
        try:
            with (
                _hung_up_after(self.longest) as trace,
                self._open().stream(
                    "POST",
                    target,
                    content=request.content,
                    headers={"Host": parts.netloc.rpartition("@")[2], "User-Agent": "mailflow", **request.headers},
                    extensions={"sni_hostname": host, "trace": trace},
                ) as answer,
            ):
                status = answer.status_code
        except httpx.HTTPError as error:
            # from None, and no words of it: they hold the address
            raise ConnectionFailed(f"{what}: {type(error).__name__}") from None
        _judge(status, what)

    def _address(self, host: str, port: int, what: str) -> str:
        try:
            found = self.lookup(host, port)
        except (OSError, UnicodeError):
            raise ConnectionFailed(f"{what}: its name is not known") from None
        if not found:
            raise ConnectionFailed(f"{what}: its name has no address")
        if not self.allow_private and not all(map(is_public, found)):
            raise CallRefused(f"{what}: its name leads into a private network; allow_private = true lets it")
        return found[0]

    def _open(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(
                timeout=TIMEOUT.total_seconds(),
                follow_redirects=False,
                trust_env=False,
                verify=self.verify,
                limits=httpx.Limits(max_keepalive_connections=0),  # whose socket `_hung_up_after` would not know
            )
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _judge(status: int, what: str) -> None:
    if 200 <= status < 300:
        return
    if status in _AGAIN or status >= 500:
        raise ConnectionFailed(f"{what} answered {status}")
    more = "; redirects are not followed: write the address that it leads to" if 300 <= status < 400 else ""
    raise CallRefused(f"{what} answered {status}{more}")


# ---------------------------------------------------------------------- the receivers


@dataclass(frozen=True, slots=True)
class Webhook:
    """Any program that takes JSON: what happened, signed."""

    name: str
    url: str
    secret: bytes = field(repr=False)
    sender: Sender
    desk_url: str = ""
    """Of the review desk, '' where it is not said."""

    def call(self, call: HookCall, now: datetime) -> None:
        content = json.dumps(call.body | _link(self.desk_url, call.thread_id), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Mailflow-Event": call.event.value,
            "Mailflow-Delivery": str(call.id),
            "Mailflow-Signature": signature(self.secret, int(now.timestamp()), content),
        }
        self.sender.send(Request(self.url, content, headers), f"webhook {self.name}")

    def close(self) -> None:
        self.sender.close()


@dataclass(frozen=True, slots=True)
class GitLabIssue:
    """An issue in a project, labelled by what happened."""

    name: str
    url: str
    """Of the GitLab: `https://gitlab.example`."""
    project: str
    """`group/project`, or its number."""
    token: str = field(repr=False)
    sender: Sender
    desk_url: str = ""

    def call(self, call: HookCall, now: datetime) -> None:
        facts = "\n".join(f"- {key}: {value}" for key, value in _facts(call).items())
        issue = {
            "title": sentence_of(call),
            "description": f"{facts}\n\n{_address_of(self.desk_url, call.thread_id)}".strip(),
            "labels": f"mailflow::{call.event.value}",
        }
        where = f"{self.url.rstrip('/')}/api/v4/projects/{quote(self.project, safe='')}/issues"
        self.sender.send(_json_request(where, issue, **{"PRIVATE-TOKEN": self.token}), f"GitLab {self.name}")

    def close(self) -> None:
        self.sender.close()


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """A message by an incoming webhook, whose address is its secret."""

    name: str
    url: str = field(repr=False)
    sender: Sender
    desk_url: str = ""

    def call(self, call: HookCall, now: datetime) -> None:
        facts = ", ".join(f"{key}: {value}" for key, value in _facts(call).items())
        lines = (sentence_of(call), facts, _address_of(self.desk_url, call.thread_id))
        text = "\n".join(_slack_text(line) for line in lines if line)
        self.sender.send(_json_request(self.url, {"text": text}), f"Slack {self.name}")

    def close(self) -> None:
        self.sender.close()


_SAID = {
    HookEvent.HELD: "waits for a person",
    HookEvent.ANSWERED: "was answered",
    HookEvent.ESCALATED: "is urgent",
}
_TOLD = ("queue", "priority", "intent", "reason")


def sentence_of(call: HookCall) -> str:
    return f"Thread {call.thread_id} {_SAID[call.event]}"


def _facts(call: HookCall) -> dict[str, str]:
    thread = call.body.get("thread", {})
    return {key: str(thread[key]) for key in _TOLD if thread.get(key)}


def _slack_text(text: str) -> str:
    """Why: `<!channel>` in it would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _address_of(desk_url: str, thread_id: int) -> str:
    return f"{desk_url}/threads/{thread_id}" if desk_url else ""


def _link(desk_url: str, thread_id: int) -> dict[str, str]:
    return {"url": _address_of(desk_url, thread_id)} if desk_url else {}
