"""The network of the bench: relays between the workers and the servers that can be cut, held, deaf, slow and wrong.

SmtpWire understands what passes, and so is the independent witness of what became of each answer: whether DATA began,
whether the mail server got the whole of it, what it said, and whether that was passed on.
"""

import os
import re
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from tests.faults.life import Address, Moment

LOOPBACK = "127.0.0.1"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """One connection through a wire: both of its ends."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server, self.is_deaf = client, server, False

    def hang_up(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Wire:
    """A TCP port of `host` that passes everything to `target`, as long as it is well."""

    def __init__(self, target: Address, host: str = LOOPBACK) -> None:
        self._target = target
        self._listener = socket.create_server((host, 0))
        self.address = Address(host, self._listener.getsockname()[1])
        self.delay = 0.0
        """Seconds that each piece takes longer."""
        self._is_cut = False
        self._flows = threading.Event()
        self._flows.set()
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()
        self.hang_up()

    def hang_up(self) -> None:
        """End all connections that are open now."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.hang_up()

    def cut(self) -> None:
        """Nobody gets through any more."""
        self._is_cut = True
        self.hang_up()

    def deafen(self) -> None:
        """The connections that are open now stay so, and nothing ever passes on them again: half-open."""
        with self._lock:
            for link in self._links:
                link.is_deaf = True

    def hold(self) -> None:
        """Nothing passes until `heal`; then all of it does."""
        self._flows.clear()

    def heal(self) -> None:
        self.delay, self._is_cut = 0.0, False
        self._flows.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._open, args=(client,), daemon=True).start()

    def _open(self, client: socket.socket) -> None:
        if self._is_cut:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            client.close()
            return
        try:
            server = socket.create_connection((self._target.host, self._target.port), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        link = Link(client, server)
        with self._lock:
            self._links.add(link)
        try:
            with suppress(OSError):
                self._serve(link)
        finally:
            with self._lock:
                self._links.discard(link)
            link.hang_up()

    def _serve(self, link: Link) -> None:
        """Until either end is gone."""
        back = threading.Thread(target=self._pass, args=(link, link.server, link.client), daemon=True)
        back.start()
        self._pass(link, link.client, link.server)
        back.join()

    def _pass(self, link: Link, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while octets := source.recv(65536):
                self.linger()
                if not link.is_deaf:
                    target.sendall(octets)
        if not link.is_deaf or source is link.client:
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)

    def linger(self) -> None:
        """Take as long as the network does now."""
        self._flows.wait()
        if self.delay:
            threading.Event().wait(self.delay)


@dataclass(frozen=True, slots=True)
class Handover:
    """What the wire saw of one try to hand an answer in."""

    message_id: str
    """'' where the connection ended before it could be read."""
    pid: int
    """Of the worker that tried."""
    began: bool = False
    """DATA was answered with 354: from here on the worker cannot know."""
    handed_over: bool = False
    """The server got all of it."""
    code: int = 0
    """What the server said of it; 0: nothing."""
    told: bool = False
    """And the worker has read that: it went on."""


_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.I | re.M)
_NAME = re.compile(rb"([a-z-]+)-(\d+)-(\d+)\.helpdesk")


class SmtpWire(Wire):
    """A wire before a submission server without TLS; it may answer in the server's place, and kill who speaks.

    `refusals`: verb (AUTH, MAIL, RCPT, DATA, or DOT for the end of the content) -> reply, given instead of the server.
    `losses`: where it hangs up: DATA (half of the content has passed), DOT (the server has accepted, nobody is told).
    """

    def __init__(self, target: Address, host: str = LOOPBACK) -> None:
        self.refusals: dict[str, bytes] = {}
        self.losses: set[str] = set()
        self.handovers: list[Handover] = []
        self._came_by: Counter[tuple[int, Moment]] = Counter()
        super().__init__(target, host)

    def heal(self) -> None:
        self.refusals, self.losses = {}, set()
        super().heal()

    def _serve(self, link: Link) -> None:
        dialogue = _Dialogue(self, link)
        with dialogue.client, dialogue.server:
            dialogue.run()

    def note(self, seen: Handover) -> int:
        """Its number among the handovers."""
        with self._lock:
            self.handovers.append(seen)
            return len(self.handovers) - 1

    def came_by(self, pid: int, moment: Moment) -> int:
        with self._lock:
            self._came_by[pid, moment] += 1
            return self._came_by[pid, moment]


class _Dialogue:
    """One SMTP connection, command by command. Why in step: aiosmtplib does not pipeline."""

    def __init__(self, wire: SmtpWire, link: Link) -> None:
        self._wire, self._link = wire, link
        self.client, self.server = link.client.makefile("rb"), link.server.makefile("rb")
        self._pid, self._moment, self._times = 0, Moment.ANY, 0
        self._told_at: int | None = None
        """Which of the handovers waits for a sign that the worker has read the reply."""

    def run(self) -> None:
        self._to_client(self._reply())
        while line := self.client.readline():
            self._note_that_it_was_told()
            verb = line.split(None, 1)[0].upper().decode("ascii", "replace") if line.strip() else ""
            if verb == "EHLO" and (named := _NAME.search(line)):
                self._moment = getattr(Moment, named[1].decode().replace("-", "_").upper(), Moment.ANY)
                self._times, self._pid = int(named[2]), int(named[3])
            if refusal := self._wire.refusals.get(verb):
                self._to_client(refusal)
                if refusal.startswith(b"421"):
                    return
            elif verb == "DATA":
                if not self._take_content(line):
                    return
            else:
                self._to_server(line)
                reply = self._reply()
                if verb == "AUTH" and reply.startswith(b"334"):
                    self._to_client(reply)
                    self._to_server(self.client.readline())
                    reply = self._reply()
                if verb == "RCPT" and reply.startswith(b"250"):
                    self._perhaps_kill(Moment.ENVELOPE)
                self._to_client(reply)

    def _note_that_it_was_told(self) -> None:
        """Of the last mail. Why only when the worker goes on: what was sent may have come to one that was gone."""
        at, self._told_at = self._told_at, None
        if at is not None:
            self._wire.handovers[at] = replace(self._wire.handovers[at], told=True)

    def _take_content(self, line: bytes) -> bool:
        """One mail from DATA to the reply to its dot. False: the connection is over."""
        seen = Handover("", self._pid)
        refusal = self._wire.refusals.get("DOT")
        try:
            if refusal is None:
                self._to_server(line)
                reply = self._reply()
                if not reply.startswith(b"354"):
                    self._to_client(reply)
                    return True
            else:
                reply = b"354 go ahead\r\n"
            seen = replace(seen, began=True)
            self._to_client(reply)
            content = b"".join(self._content())
            found = _MESSAGE_ID.search(content)
            seen = replace(seen, message_id=found[1].decode() if found else "")
            if refusal is not None:
                seen = replace(seen, code=int(refusal[:3]))
                self._to_client(refusal)
                return True
            half = len(content) // 2
            self._to_server(content[:half])
            if self._perhaps_kill(Moment.IN_DATA) or "DATA" in self._wire.losses:
                return False
            self._to_server(content[half:])
            seen = replace(seen, handed_over=True)
            reply = self._reply()
            seen = replace(seen, code=int(reply[:3]))
            self._perhaps_kill(Moment.ACCEPTING)
            if "DOT" in self._wire.losses:
                return False
            self._to_client(reply)
            return True
        finally:
            number = self._wire.note(seen)
            self._told_at = number if seen.code else None

    def _content(self) -> Iterator[bytes]:
        while (line := self.client.readline()) != b".\r\n":
            if not line:
                raise ConnectionError("the worker hung up")
            yield line
        yield line

    def _reply(self) -> bytes:
        lines = []
        while True:
            line = self.server.readline()
            if not line:
                raise ConnectionError("the server hung up")
            lines.append(line)
            if line[3:4] != b"-":
                return b"".join(lines)

    def _to_client(self, octets: bytes) -> None:
        self._linger()
        self._link.client.sendall(octets)

    def _to_server(self, octets: bytes) -> None:
        self._linger()
        self._link.server.sendall(octets)

    def _linger(self) -> None:
        self._wire.linger()
        if self._link.is_deaf:
            while self.client.read(1):  # nothing passes; the worker waits in vain, and gives up
                pass
            raise ConnectionError("half-open")

    def _perhaps_kill(self, moment: Moment) -> bool:
        """Whether the worker was killed here."""
        is_time = moment is self._moment and self._wire.came_by(self._pid, moment) == self._times
        if is_time:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        return is_time
