"""CPU per mail of the whole way beside a plain standard-library parse of the same mails, in one process and one run.

    python benchmarks/whole_way.py [MAILS]

The whole way: bytes stored, read, classified, decided, answered, everything committed, the answer handed over.
The mail server is left out on both sides. Rounds alternate, so that a machine that drifts drifts for both.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path

from mailflow import bootstrap
from mailflow.adapters.examples import read_examples, to_bytes
from mailflow.core.message import MailRef, RawMessage
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.reading.understand import reader
from mailflow.settings import Settings, StoreSettings
from mailflow.testing import ScriptedSubmission

ROUNDS, BATCH = 3, 50


@dataclass(slots=True)
class ListSource:
    """Mails in a list, handed out in batches."""

    mails: Sequence[bytes]
    account: str = "bench"
    mailbox: str = "INBOX"

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        for start in range(cursor.last_uid if cursor else 0, len(self.mails), BATCH):
            part = self.mails[start : start + BATCH]
            raw = (RawMessage(MailRef("bench", "INBOX", 1, start + n + 1), one) for n, one in enumerate(part))
            yield Batch(tuple(raw), Cursor(1, start + len(part)))

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None: ...
    def wait(self, timeout: timedelta) -> bool:
        return False

    def interrupt(self) -> None: ...
    def close(self) -> None: ...


def plain_parse(mails: Sequence[bytes]) -> None:
    """What any program must do at least: compat32, the usual headers, the text and the attachments decoded."""
    for content in mails:
        message = message_from_bytes(content)
        for name in ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"):
            str(make_header(decode_header(message[name] or "")))
        for part in message.walk():
            if not part.is_multipart():
                payload = part.get_payload(decode=True)
                if part.get_content_maintype() == "text" and isinstance(payload, bytes):
                    payload.decode(part.get_content_charset("utf-8"), "replace")


def whole_way(mails: Sequence[bytes], folder: Path) -> int:
    """Returns how many mails were answered."""
    settings = Settings(store=StoreSettings(url=f"sqlite:///{folder / 'bench.sqlite3'}"))
    desk = bootstrap.build_desk(settings)
    submission = ScriptedSubmission()
    worker = bootstrap.build_worker(
        settings,
        source=ListSource(mails),
        submission=submission,
        read=reader(desk),
    )
    started = time.process_time()
    worker.run_once()
    whole_way.seconds = time.process_time() - started  # type: ignore[attr-defined]  # start-up is not per mail
    return len(submission.sent)


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    found = bootstrap.find_assets(Settings())
    examples = read_examples(found.classifiers / "examples").examples[:: max(1, 1995 // wanted)]
    date = datetime.now(UTC).strftime("Date: %a, %d %b %Y %H:%M:%S +0000\n").encode()
    mails = [date + to_bytes(example) for example in examples]
    plain, whole, answered = [], [], 0
    for _ in range(ROUNDS):
        started = time.process_time()
        plain_parse(mails)
        plain.append(time.process_time() - started)
        with tempfile.TemporaryDirectory() as folder:
            answered = whole_way(mails, Path(folder))
            whole.append(whole_way.seconds)  # type: ignore[attr-defined]
    ratios = [b / a for a, b in zip(plain, whole, strict=True)]
    print(f"{len(mails)} mails, {answered} answered, median of {ROUNDS} rounds, batches of {BATCH}")
    print(f"plain parse  {1000 * statistics.median(plain) / len(mails):7.2f} ms CPU a mail")
    print(f"whole way    {1000 * statistics.median(whole) / len(mails):7.2f} ms CPU a mail")
    print(f"ratio        {statistics.median(ratios):7.1f}   ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
