"""Reading with a deadline: whatever a mail does to the child, the parent gets an error of ours and goes on (R: total).

A child that was ended by somebody else, or had no room, is no fault of the mail that it had.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import active_children
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from mailflow.adapters.reading_process import ReadingProcess
from mailflow.adapters.spool import SPOOLED_FROM, SpooledOctets, spooled
from mailflow.core.octets import Octets, slices
from mailflow.core.partner import PartnerDirectory
from mailflow.core.storage import Understood
from mailflow.errors import MailflowError, PoisonMail
from mailflow.reading.sender import Desk
from mailflow.reading.understand import understand
from mailflow.testing import DESK, raw_mail

THE_DESK = Desk(frozenset({DESK}), frozenset({"gitlab.com"}), frozenset({"mx.gitlab.com"}))
FOREVER = 3600.0
SHORT = timedelta(seconds=0.2)


def by_subject(content: Octets, size: int | None, desk: Desk, partners: PartnerDirectory) -> Understood:
    """What reading may do to its process, ordered by the mail itself. Runs in the child."""
    if b"hang" in content[:]:
        time.sleep(FOREVER)
    if b"die" in content[:]:
        os._exit(3)
    if b"raise" in content[:]:
        raise RecursionError("maximum recursion depth exceeded")
    if b"full disk" in content[:]:
        raise OSError(errno.ENOSPC, "No space left on device")
    if b"no memory" in content[:]:
        raise MemoryError
    if b"file is gone" in content[:]:
        raise MailflowError("the file of a large mail cannot be read")
    if b"slow" in content[:]:
        time.sleep(1)
    if b"nonsense" in content[:]:
        return None  # type: ignore[return-value] # a reader that breaks its promise
    return understand(content, size, desk, partners)


@contextmanager
def reading(deadline: timedelta = timedelta(seconds=30)) -> Iterator[ReadingProcess]:
    process = ReadingProcess(THE_DESK, deadline=deadline, read=by_subject)
    process.start()
    try:
        yield process
    finally:
        process.close()


def test_a_mail_is_understood_as_it_would_be_here() -> None:
    content = raw_mail(subject="An ordinary mail")
    with reading() as read:
        assert read(content, None) == understand(content, None, THE_DESK)
        assert read(content, 10_000_000) == understand(content, 10_000_000, THE_DESK)


def test_a_large_mail_is_handed_over_as_its_file_and_left_open_nowhere() -> None:
    content = raw_mail("word " * (SPOOLED_FROM // 5), subject="A large mail")
    here = understand(content, None, THE_DESK)
    with reading() as read:
        (child,) = active_children()
        files = Path(f"/proc/{child.pid}/fd")
        before = len([*files.iterdir()])
        for _ in range(3):
            with spooled(slices(content)) as octets:
                assert isinstance(octets, SpooledOctets)
                assert read(octets, None) == here
                assert octets[:] == content
        with spooled([content, b"raise"]) as octets, pytest.raises(PoisonMail, match="RecursionError"):
            read(octets, None)
        assert read(raw_mail(subject="next"), None).message.subject == "next"
        assert len([*files.iterdir()]) == before


def test_the_child_is_kept_from_mail_to_mail() -> None:
    with reading() as read:
        (before,) = active_children()
        for number in range(3):
            read(raw_mail(subject=f"Mail {number}"), None)
        assert [child.pid for child in active_children()] == [before.pid]


def test_a_mail_that_takes_too_long_is_poison_and_the_next_one_is_read() -> None:
    with reading(SHORT) as read:
        with pytest.raises(PoisonMail, match=r"longer than 0\.2 s"):
            read(raw_mail(subject="hang"), None)
        assert active_children() == [], "the child that hangs is killed"
    with reading() as read:
        assert read(raw_mail(subject="next"), None).message.subject == "next"


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        ("raise", "it could not be read: RecursionError: maximum recursion depth exceeded"),
        ("nonsense", "the reading process answered NoneType"),
    ],
)
def test_whatever_reading_does_the_next_mail_is_read(subject: str, sentence: str) -> None:
    with reading() as read:
        with pytest.raises(PoisonMail, match=sentence):
            read(raw_mail(subject=subject), None)
        assert read(raw_mail(subject="next"), None).message.subject == "next"


@pytest.mark.parametrize("subject", ["die", "full disk", "no memory", "file is gone"])
def test_what_may_be_no_fault_of_the_mail_is_temporary(subject: str) -> None:
    """Its tries are counted: one that does it each time is given up after the last of them."""
    with reading() as read:
        with pytest.raises(MailflowError) as caught:
            read(raw_mail(subject=subject), None)
        assert caught.value.temporary
        assert read(raw_mail(subject="next"), None).message.subject == "next"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_that_is_ended_while_it_reads_costs_no_mail(number: signal.Signals) -> None:
    """A stop of the whole unit, the kernel's out-of-memory killer."""
    with reading() as read:
        (child,) = active_children()
        assert child.pid is not None
        killer = threading.Timer(0.3, os.kill, (child.pid, number))
        killer.start()
        with pytest.raises(MailflowError, match="the reading process ended") as caught:
            read(raw_mail(subject="slow"), None)
        killer.join()
        assert caught.value.temporary
        assert read(raw_mail(subject="next"), None).message.subject == "next"


def test_a_child_that_died_while_nothing_was_to_read_is_replaced() -> None:
    with reading() as read:
        (child,) = active_children()
        child.kill()
        child.join()
        assert read(raw_mail(subject="lucky"), None).message.subject == "lucky"


def test_ctrl_c_is_none_of_the_childs_business() -> None:
    with reading() as read:
        (child,) = active_children()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGINT)
        interrupts = threading.Timer(0.3, os.kill, (child.pid, signal.SIGINT))
        interrupts.start()
        assert read(raw_mail(subject="slow"), None).message.subject == "slow"
        interrupts.join()
        assert active_children() == [child]


def test_the_answer_to_one_mail_is_never_taken_for_that_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """What interrupts the parent between question and answer ends the child with its answer."""
    with reading() as read:
        with monkeypatch.context() as interrupted, pytest.raises(MemoryError):
            interrupted.setattr(Connection, "recv", lambda connection: (_ for _ in ()).throw(MemoryError))
            read(raw_mail(subject="first"), None)
        assert read(raw_mail(subject="second"), None).message.subject == "second"


class Unsendable:
    """A reader that no child can be given: it stands for a system that has no room for another process."""

    def __call__(self, content: Octets, size: int | None, desk: Desk, partners: PartnerDirectory) -> Understood:
        raise AssertionError("it never gets there")

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (1,)


def test_a_child_that_does_not_start_is_no_fault_of_the_mail() -> None:
    """Not PoisonMail: every mail would go into quarantine while the machine is out of memory."""
    read = ReadingProcess(THE_DESK, read=Unsendable())
    with pytest.raises(MailflowError, match="did not start") as caught:
        read(raw_mail(), None)
    assert caught.value.temporary
    assert active_children() == []


def test_close_ends_the_child_and_may_be_repeated() -> None:
    with reading() as read:
        read.close()
        assert active_children() == []
        read.close()
        assert read(raw_mail(subject="again"), None).message.subject == "again"


def test_starting_twice_starts_one_child() -> None:
    with reading() as read:
        read.start()
        assert len(active_children()) == 1


def test_a_poison_mail_is_permanent() -> None:
    """Trying again costs a deadline each time and cannot help."""
    assert PoisonMail.temporary is False


A_PROGRAM = """
print("imported")
from mailflow.adapters.reading_process import ReadingProcess
from mailflow.reading.sender import Desk
from mailflow.testing import raw_mail

if __name__ == "__main__":
    read = ReadingProcess(Desk(frozenset(), frozenset(), frozenset()))
    print(read(raw_mail(subject="a word"), None).message.subject)
    read.close()
"""


def test_the_child_does_not_import_the_program_that_started_it(tmp_path: Path) -> None:
    """It would hold the whole command line beside what reads mail."""
    program = tmp_path / "program.py"
    program.write_text(A_PROGRAM)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["imported", "a word", ""]


A_READER_OF_ITS_OWN = """
from mailflow.adapters.reading_process import ReadingProcess
from mailflow.reading.sender import Desk
from mailflow.reading.understand import understand
from mailflow.testing import raw_mail

def read(content, size, desk, partners):
    return understand(raw_mail(subject="read here"), size, desk, partners)

if __name__ == "__main__":
    process = ReadingProcess(Desk(frozenset(), frozenset(), frozenset()), read=read)
    print(process(raw_mail(subject="a word"), None).message.subject)
    process.close()
"""


def test_a_program_may_read_by_a_function_of_its_own(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(A_READER_OF_ITS_OWN)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert done.stdout == "read here\n"


def test_children_started_at_once_leave_the_main_module_where_it_is() -> None:
    main = sys.modules["__main__"]
    processes = [ReadingProcess(THE_DESK) for _ in range(3)]
    threads = [threading.Thread(target=process.start) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.close()
    assert sys.modules["__main__"] is main
