"""Asks one question after the other about a desk, and asks on when an answer is bad.

Rule: what a check needs stands beside it; where that failed the check is skipped, and says by name because of what.
Rule: no check ends the others. What fails in a way that nobody thought of is a finding too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mailflow.core.findings import Finding, Status, failed, skipped
from mailflow.core.message import Envelope, OutboundMessage
from mailflow.core.reply import LOOP_HEADER
from mailflow.errors import MailflowError


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    examine: Callable[[], Finding]
    needs: tuple[str, ...] = ()
    """Names of checks before it, without which this one can find nothing."""
    to_do: str = "see the sentence; `mailflow check` and docs/operating.md may say more"
    """What to do where it fails with an error and no finding."""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    finding: Finding


def examine(checks: Sequence[Check]) -> Iterator[Result]:
    """Each check in its order, told as soon as it is done."""
    useless: set[str] = set()
    for check in checks:
        missing = [name for name in check.needs if name in useless]
        finding = skipped(f"because of: {', '.join(missing)}") if missing else _examined(check)
        if missing or finding.status is Status.FAILED:
            useless.add(check.name)
        yield Result(check.name, finding)


def _examined(check: Check) -> Finding:
    try:
        return check.examine()
    except MailflowError as error:
        return failed(str(error), check.to_do)
    except Exception as error:  # noqa: BLE001 - the edge of one check: it is the finding, the others go on
        return failed(f"{type(error).__name__}: {error}", check.to_do)


def mail_to_ourselves(address: str, reverse_path: str, token: str, now: datetime) -> OutboundMessage:
    """What the desk sends itself to see whether mail goes round. It bears every mark of mail that nobody answers."""
    message_id = f"doctor.{token}@{address.rpartition('@')[2]}"
    subject = "mailflow doctor: nothing need be done"
    text = "mailflow doctor has sent this mail to see whether mail goes out and comes in. The desk ignores it."
    lines = [
        f"From: <{address}>",
        f"To: <{address}>",
        f"Subject: {subject}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{message_id}>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"{LOOP_HEADER}: {address}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        text,
        "",
    ]
    content = "\r\n".join(lines).encode("ascii")
    return OutboundMessage(Envelope(reverse_path, address), message_id, subject, content, text)
