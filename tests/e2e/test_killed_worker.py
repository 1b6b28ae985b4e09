"""kill -9 between each two steps, on real servers: no mail is lost, and nobody gets two answers."""

import signal

import pytest
from tests.e2e.crash_worker import Moment, run_until_killed
from tests.e2e.mailboxes import PARTNER, DeskOffice, MailProgram, is_mail, says_nfr, write_mail

ANSWERS_IN_DOUBT = {Moment.SENDING: 0, Moment.ACCEPTED: 1}
"""Killed here, nobody can say whether the answer went out; how many really did."""


@pytest.mark.parametrize("moment", Moment)
def test_a_killed_worker_loses_nothing_and_says_nothing_twice(
    moment: Moment, desk: DeskOffice, partner: MailProgram
) -> None:
    question = partner.send(write_mail())
    desk.program.await_mail(is_mail(question))

    assert run_until_killed(moment, desk.config) == -signal.SIGKILL
    for _ in range(2):
        desk.run_once(says_nfr())

    in_doubt = moment in ANSWERS_IN_DOUBT
    assert len(partner.answers_to(question)) == ANSWERS_IN_DOUBT.get(moment, 1)
    assert desk.where(question) == {"Processed": 1}
    ledger = desk.ledger()
    assert [entry.state for entry in ledger.outbox] == ["uncertain" if in_doubt else "sent"]
    assert (ledger.counts.received, ledger.counts.answered, ledger.counts.pending) == (1, 1, 0)
    if in_doubt:
        (shown,) = (line for line in desk.command("outbox", "list").splitlines() if PARTNER in line)
        assert "uncertain" in shown.split()
        assert "the worker stopped while sending" in shown
