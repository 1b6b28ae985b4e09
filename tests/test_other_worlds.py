"""Mail of other worlds: none of it gets an automatic answer.

The mails have nothing to do with a partner help desk, and most speak in its words: the licence of a driver, the quote
for a roof, the portal of a school, the support of another vendor.

Rule: nearly all stand without a machine's header fields, so that the classifier has to hold them and not a guard.
Rule: a mail that is answered stays where it is. What has to change is what the model learns from.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailflow.adapters.examples import EXAMPLE_DESK, Example, read_examples, read_labelled, to_bytes
from mailflow.bootstrap import build_triage
from mailflow.core.classification import Action, Classification
from mailflow.core.evaluation import Evaluation
from mailflow.core.message import Role
from mailflow.core.policy import Decision
from mailflow.learning import evaluate_model
from mailflow.reading.understand import reader, understand
from mailflow.services.triage import Triage
from mailflow.settings import Settings

ROOT = Path(__file__).parents[1]
FILES = sorted(Path(__file__).with_name("other_worlds").glob("*.jsonl"))
"""One for each kind of mail."""
MAILS = {file.stem: read_labelled(file) for file in FILES}
EVERY = [mail for mails in MAILS.values() for mail in mails]
PEERS = ROOT.parent / "shared" / "mail" / "peers"
"""Mails from the test suites of other projects, each suite with its expectations.json; not part of this project."""

LEFT_TO_THE_CLASSIFIER = 0.9
"""Least share of the mails that no guard takes which looks at header fields and addresses only."""
AFTER_READING = {"guard:abstained", "guard:fact"}
"""The guards that look at what the mail says, or at what the model says of it."""


# ------------------------------------------------------------------ the mails


def test_there_are_enough_mails() -> None:
    assert len(EVERY) >= 520
    assert len({mail.id for mail in EVERY}) == len(EVERY)
    assert len({(mail.subject, mail.text) for mail in EVERY}) == len(EVERY)


def test_many_speak_in_the_words_of_the_desk() -> None:
    assert sum("our_words" in mail.facts for mail in EVERY) >= 150


def test_a_fifth_is_not_in_english() -> None:
    assert sum(mail.lang != "en" for mail in EVERY) >= len(EVERY) / 5


def test_nobody_waits_for_the_desks_answer() -> None:
    assert {mail.action for mail in EVERY} == {Action.REVIEW, Action.NONE}
    assert {mail.primary for mail in EVERY} == {"other", "spam", "no_request"}


def test_all_senders_are_invented() -> None:
    assert [mail.id for mail in EVERY if not mail.domain.endswith(".example")] == []


def test_none_of_them_is_learned_from() -> None:
    learned = {(one.subject, one.text) for one in read_examples(ROOT / "classifiers" / "examples").examples}
    assert [mail.id for mail in EVERY if (mail.subject, mail.text) in learned] == []


# ------------------------------------------------------------------ what the desk does with them


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    """All of them, judged by the whole desk at work: guards, model, certificate and playbook."""
    return evaluate_model(Settings(), FILES, lambda done, of: None).ours


def _told(name: str, subject: str, decision: Decision, classification: Classification) -> str:
    answered = ", ".join(part.intent for part in decision.answers)
    return f"{name} `{subject}`: answered with {answered} at P(reply) {classification.actions.reply:.3f}"


@pytest.mark.parametrize("kind", MAILS)
def test_no_mail_is_answered(judged: Evaluation, kind: str) -> None:
    names = {mail.id for mail in MAILS[kind]}
    answered = [
        _told(one.label.name, one.label.subject, one.decision, one.classification)
        for one in judged.judged
        if one.label.name in names and one.decision.action is Action.REPLY
    ]
    assert answered == [], "\n".join(answered)


def test_they_are_not_held_because_everything_is(judged: Evaluation) -> None:
    """A refused certificate holds every mail; then the tests above would show nothing."""
    assert judged.certificate is None or judged.certificate.threshold is not None


def test_nearly_all_are_left_to_the_classifier(judged: Evaluation) -> None:
    codes = {one.label.name: one.decision.reasons[0].code for one in judged.judged}
    guarded = {name: code for name, code in codes.items() if code.startswith("guard:") and code not in AFTER_READING}
    assert 1 - len(guarded) / len(codes) >= LEFT_TO_THE_CLASSIFIER, guarded


# ------------------------------------------------------------------ the mails of other projects


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    content: bytes
    is_whole: bool
    """False: a bare body, with the least head that a mail to the desk can have."""


@pytest.fixture(scope="module")
def peers() -> list[Peer]:
    if not PEERS.is_dir():
        pytest.skip("not here: ../shared/mail/peers")
    return list({peer.content: peer for peer in _peers()}.values())


@pytest.fixture(scope="module")
def desk() -> Triage:
    return build_triage(Settings(), read=reader(EXAMPLE_DESK))


def _peers() -> Iterator[Peer]:
    for expectations in sorted(PEERS.glob("*/expectations.json")):
        suite = expectations.parent
        for case in json.loads(expectations.read_text(encoding="utf-8"))["cases"]:
            content, body_type = (suite / "mails" / case["file"]).read_bytes(), case.get("wrap")
            head = _head("plain" if body_type == "text" else body_type) if body_type else b""
            yield Peer(f"{suite.name}/{case['id']}", head + content, is_whole=not body_type)


def _head(subtype: str) -> bytes:
    fields = (
        "From: Sender <sender@elsewhere.example>",
        f"To: {min(EXAMPLE_DESK.addresses)}",
        "Subject: Hello",
        "Message-ID: <peer@elsewhere.example>",
        "MIME-Version: 1.0",
        f"Content-Type: text/{subtype}; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    return "\n".join((*fields, "", "")).encode()


def _as_a_persons(content: bytes) -> bytes:
    """The same words with no header field that a guard could go by."""
    message = understand(content, None, EXAMPLE_DESK).message
    mail = Example(
        author="peers",
        from_name="Sender",
        from_addr="sender@elsewhere.example",
        subject=message.subject,
        text=message.text,
        lang="en",
        role=Role.UNKNOWN,
        primary="other",
        intents=("other",),
        action=Action.REVIEW,
    )
    return to_bytes(mail)


def _answered(desk: Triage, name: str, content: bytes) -> Iterator[str]:
    triaged = desk.triage(content)
    if triaged.decision.action is Action.REPLY:
        yield _told(name, triaged.understood.message.subject, triaged.decision, triaged.classification)


def test_no_mail_of_other_projects_is_answered(desk: Triage, peers: list[Peer]) -> None:
    answered = [line for peer in peers for line in _answered(desk, peer.name, peer.content)]
    assert answered == [], "\n".join(answered)


def test_none_of_their_words_is_answered_without_their_header_fields(desk: Triage, peers: list[Peer]) -> None:
    whole = [peer for peer in peers if peer.is_whole]
    answered = [line for peer in whole for line in _answered(desk, peer.name, _as_a_persons(peer.content))]
    assert answered == [], "\n".join(answered)
