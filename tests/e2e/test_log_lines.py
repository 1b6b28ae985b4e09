"""What a real worker logs while it answers a mail: JSON lines on standard error, and nobody's address or words."""

import json
import subprocess

from tests.e2e.mailboxes import CLI, DESK, PARTNER, PATIENCE, DeskOffice, MailProgram, write_mail


def test_a_worker_logs_json_lines_without_addresses_subjects_or_words(desk: DeskOffice, partner: MailProgram) -> None:
    question = partner.send(write_mail(subject="NFR for the zebra project"))
    done = subprocess.run(
        [*CLI, "run", "--once", "--verbose", "--config", desk.config],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"stored", "decided", "answer"} <= {line["event"] for line in lines}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    for words in ("@", "zebra", "Not-For-Resale", DESK, PARTNER, question["Message-ID"].strip("<>")):
        assert words not in done.stderr, words
    assert done.stdout == ""
