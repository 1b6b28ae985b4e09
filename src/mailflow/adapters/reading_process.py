"""Reading with a deadline: the mail is read in a child process that is killed when it takes too long.

Why a process: a regular expression that backtracks for minutes holds the interpreter; no exception and no signal
handler gets through to it. A killed child costs one second for the next one to start, and one mail.
Rule: a large mail is handed over as the descriptor of its file, so that neither process holds it.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import reduction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from mailflow.adapters.spool import SpooledOctets
from mailflow.core.octets import Octets
from mailflow.core.partner import NO_PARTNERS, PartnerDirectory
from mailflow.core.storage import Understood
from mailflow.errors import MailflowError, PoisonMail
from mailflow.reading import language
from mailflow.reading.sender import Desk
from mailflow.reading.understand import understand

DEADLINE = timedelta(seconds=20)
_START = timedelta(seconds=60)
ReadAt = Callable[[Octets, int | None, Desk, PartnerDirectory], Understood]


def _child(connection: Connection, read: ReadAt, desk: Desk) -> None:
    partners = NO_PARTNERS
    language.warm()
    connection.send("ready")
    while True:
        try:
            told = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if isinstance(told, PartnerDirectory):
            partners = told
            continue
        content, size = told
        with _handed_over(connection, content) as octets:
            try:
                connection.send(read(octets, size, desk, partners))
            except Exception as error:  # noqa: BLE001 - the edge of the child: the parent raises it as PoisonMail
                connection.send(f"{type(error).__name__}: {error}")


@contextmanager
def _handed_over(connection: Connection, content: bytes | None) -> Iterator[Octets]:
    """The mail of `_hand_over`, on the other side."""
    if content is not None:
        yield content
        return
    descriptor = reduction.recv_handle(connection)
    try:
        yield SpooledOctets(descriptor)
    finally:
        os.close(descriptor)


def _hand_over(connection: Connection, content: Octets, size: int | None) -> None:
    if isinstance(content, SpooledOctets):
        connection.send((None, size))
        reduction.send_handle(connection, content.fileno(), 0)  # only Windows must know the other process
    else:
        connection.send((content, size))


class ReadingProcess:
    """Calls `read` in a child, one mail at a time. Use from one thread."""

    def __init__(self, desk: Desk, *, deadline: timedelta = DEADLINE, read: ReadAt = understand) -> None:
        self._desk, self._deadline, self._read = desk, deadline, read
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._told = NO_PARTNERS

    def __call__(self, content: Octets, size: int | None, partners: PartnerDirectory = NO_PARTNERS) -> Understood:
        """The understood mail. The child is told of `partners` where they changed.

        Raises PoisonMail if it takes longer than the deadline or ends the child.

        Raises MailflowError, which is temporary, if no child can be started: that is no fault of the mail.
        """
        connection = self._connection or self._start()
        try:
            if partners != self._told:
                connection.send(partners)
                self._told = partners
            _hand_over(connection, content, size)
            if not connection.poll(self._deadline.total_seconds()):
                self.close()
                raise PoisonMail(f"reading it took longer than {self._deadline.total_seconds():g} s")
            answer = connection.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise PoisonMail(f"reading it ended the reading process ({type(error).__name__})") from error
        if isinstance(answer, str):
            raise PoisonMail(f"it could not be read: {answer}")
        return _understood(answer)

    def start(self) -> None:
        """Start the child ahead of the first mail."""
        if self._connection is None:
            self._start()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._connection = None
        self._told = NO_PARTNERS

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_child, args=(theirs, self._read, self._desk), name="reading", daemon=True
        )
        self._process.start()
        theirs.close()
        self._connection = ours
        if not _says_ready(ours):
            self.close()
            raise MailflowError("the reading process did not start")
        return ours


def _says_ready(child: Connection) -> bool:
    try:
        return child.poll(_START.total_seconds()) and child.recv() == "ready"
    except (EOFError, OSError):
        return False


def _understood(answer: object) -> Understood:
    if not isinstance(answer, Understood):
        raise PoisonMail(f"the reading process answered {type(answer).__name__}")
    return answer
