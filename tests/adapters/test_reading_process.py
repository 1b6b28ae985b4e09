"""Reading with a deadline: whatever a mail does to the child, the parent gets a PoisonMail and goes on (R: total)."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import active_children
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
        ("die", "ended the reading process"),
        ("raise", "it could not be read: RecursionError: maximum recursion depth exceeded"),
        ("nonsense", "the reading process answered NoneType"),
    ],
)
def test_whatever_reading_does_the_next_mail_is_read(subject: str, sentence: str) -> None:
    with reading() as read:
        with pytest.raises(PoisonMail, match=sentence):
            read(raw_mail(subject=subject), None)
        assert read(raw_mail(subject="next"), None).message.subject == "next"


def test_a_child_that_was_killed_from_outside_costs_one_mail() -> None:
    """The kernel's out-of-memory killer, for instance."""
    with reading() as read:
        (child,) = active_children()
        child.kill()
        child.join()
        with pytest.raises(PoisonMail, match="ended the reading process"):
            read(raw_mail(subject="unlucky"), None)
        assert read(raw_mail(subject="next"), None).message.subject == "next"


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
