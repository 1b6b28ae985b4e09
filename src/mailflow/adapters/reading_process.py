"""Reading with a deadline: the mail is read in a child process that is killed when it takes too long.

Why a process: a regular expression that backtracks for minutes holds the interpreter; no exception and no signal
handler gets through to it. A killed child costs one second for the next one to start.
Rule: a mail is poison where it takes too long or reading fails at it. Where the child died, or the machine had no room
for it, the mail is tried again: a stop or the out-of-memory killer hits whoever is at work. One that kills every child
is given up all the same, for its tries are counted.
Rule: no answer is taken for that to another mail. After whatever went wrong between the two, the child is ended.
Rule: a large mail is handed over as the descriptor of its file, so that neither process holds it.
Rule: the child imports what reads mail and nothing else.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import reduction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType

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


@dataclass(frozen=True, slots=True)
class _Failure:
    """What the child answers in place of an understood mail."""

    sentence: str
    is_temporary: bool


def _failure(error: Exception) -> _Failure:
    has_no_room = isinstance(error, OSError | MemoryError)
    is_temporary = has_no_room or (isinstance(error, MailflowError) and error.temporary)
    return _Failure(f"{type(error).__name__}: {error}", is_temporary)


def _child(connection: Connection, read: ReadAt, desk: Desk) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent. Not SIGTERM: by that it ends us at its end
    partners = NO_PARTNERS
    language.warm()
    connection.send("ready")
    while True:
        try:
            told = connection.recv()
        except EOFError:
            return
        if isinstance(told, PartnerDirectory):
            partners = told
            continue
        content, size = told
        with _handed_over(connection, content) as octets:
            try:
                connection.send(read(octets, size, desk, partners))
            except Exception as error:  # noqa: BLE001 - the edge of the child: the parent raises it
                connection.send(_failure(error))


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

        Raises PoisonMail if it takes longer than the deadline or reading fails at it.

        Raises MailflowError, which is temporary, if no child can be started, or it dies: that may be no fault of the
        mail.
        """
        connection = self._running()
        try:
            answer = self._ask(connection, content, size, partners)
        except (EOFError, OSError) as error:
            self.close()
            raise MailflowError(f"the reading process ended ({type(error).__name__})") from error
        except BaseException:
            self.close()
            raise
        if isinstance(answer, _Failure) and answer.is_temporary:
            self.close()  # a fresh one has room
            raise MailflowError(f"it could not be read now: {answer.sentence}")
        if isinstance(answer, _Failure):
            raise PoisonMail(f"it could not be read: {answer.sentence}")
        return _understood(answer)

    def _ask(self, connection: Connection, content: Octets, size: int | None, partners: PartnerDirectory) -> object:
        if partners != self._told:
            connection.send(partners)
            self._told = partners
        _hand_over(connection, content, size)
        if not connection.poll(self._deadline.total_seconds()):
            raise PoisonMail(f"reading it took longer than {self._deadline.total_seconds():g} s")
        return connection.recv()

    def start(self) -> None:
        """Start the child ahead of the first mail."""
        self._running()

    def _running(self) -> Connection:
        if self._process is not None and not self._process.is_alive():
            self.close()
        return self._connection or self._start()

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
        with _without_main_module(self._read):
            self._process.start()
        theirs.close()
        self._connection = ours
        if not _says_ready(ours):
            self.close()
            raise MailflowError("the reading process did not start")
        return ours


_starting = threading.Lock()


@contextmanager
def _without_main_module(needed_by: ReadAt) -> Iterator[None]:
    """A spawned process first imports the main module of this one. Why not here: that is the whole command line with
    its store and its web client, half of what the child would hold.

    Why a lock: two at once would put back each other's empty module. Nothing else in a worker looks up `__main__`.
    """
    if getattr(needed_by, "__module__", "") == "__main__":
        yield
        return
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _says_ready(child: Connection) -> bool:
    try:
        return child.poll(_START.total_seconds()) and child.recv() == "ready"
    except (EOFError, OSError):
        return False


def _understood(answer: object) -> Understood:
    if not isinstance(answer, Understood):
        raise PoisonMail(f"the reading process answered {type(answer).__name__}")
    return answer
