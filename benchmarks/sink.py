"""A mail server on loopback that takes every mail and forgets it, for benchmarks that are not about delivery."""

import socketserver
import threading
from typing import Self

from mailflow.settings import Settings, SmtpSettings


class _Session(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a submission client needs."""

    def handle(self) -> None:
        sink = self.server
        assert isinstance(sink, _Server)
        self._say(b"220 sink.example ESMTP")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._say(b"250-sink.example\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif verb == b"DATA":
                self._say(b"354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                sink.taken += 1
                self._say(b"250 2.0.0 taken")
            elif verb == b"QUIT":
                self._say(b"221 2.0.0 bye")
                return
            else:
                self._say(b"250 2.0.0 fine")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    taken = 0


class MailSink:
    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Session)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def taken(self) -> int:
        return self._server.taken

    def settings(self, settings: Settings) -> Settings:
        """`settings` with this server for the answers."""
        smtp = {"host": "127.0.0.1", "port": self._server.server_address[1], "security": "none"}
        limit = settings.smtp.max_per_minute
        return settings.model_copy(update={"smtp": SmtpSettings.model_validate({**smtp, "max_per_minute": limit})})
