"""Examples go the way of real mail: what the model learns from is what the worker shows it."""

from pathlib import Path

import pytest
from tests.adapters import mails_to_learn

from mailflow.adapters.examples import EXAMPLE_DESK, Example, read_examples, to_bytes, to_input
from mailflow.core.message import Role
from mailflow.errors import AssetError
from mailflow.reading.understand import understand
from mailflow.services.processing import classifier_input

PROOF = ("Authentication-Results", "mx.gitlab.com; dmarc=pass header.from=gitlab.com")
KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "colleague": {"from_addr": "ines@gitlab.com", "role": "internal", "headers": [PROOF]},
    "says colleague": {"from_addr": "ines@gitlab.com"},
    "order": {"attachments": ["po-4711.pdf", "logo.png"]},
    "answer": {"text": "And the second one?\n\nOn Mon, 2 Mar 2026 Partner Desk wrote:\n> Use the form.\n> Thanks"},
    "copy": {"cc": ["a@firm.example", "b@firm.example"]},
    "away": {"headers": [("Auto-Submitted", "auto-replied")], "text": "I am out of the office."},
    "calendar": {"headers": [("Content-Type", "text/calendar; method=REPLY")], "text": "Accepted: call"},
    "report": {"headers": [("Content-Type", "multipart/report; report-type=delivery-status")], "text": "Failed."},
    "nobody": {"from_addr": "", "from_name": ""},
    "japanese": {"text": "お世話になっております。デモ用のライセンスをお願いします。", "subject": "ライセンス"},
    "empty": {"text": "", "subject": ""},
}


def _example(kind: str) -> Example:
    text = "Hello,\n\nhow do we get a key?"
    return Example.model_validate(mails_to_learn.row("nfr_request", text, 1) | KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_shown_as_the_worker_shows_a_mail(kind: str) -> None:
    example = _example(kind)
    assert to_input(example) == classifier_input(understand(to_bytes(example), None, EXAMPLE_DESK))


def test_only_proof_makes_a_colleague() -> None:
    """D2."""
    assert to_input(_example("colleague")).role is Role.INTERNAL
    assert to_input(_example("says colleague")).role is Role.UNKNOWN


def test_what_stands_beside_the_text_arrives() -> None:
    order, answer, copy = (to_input(_example(kind)) for kind in ("order", "answer", "copy"))
    assert order.attachment_names == ("po-4711.pdf", "logo.png")
    assert order.has_deliverable
    assert answer.has_quote
    assert answer.content == "And the second one?"
    assert copy.cc_count == 2


def test_the_text_arrives_in_its_own_script() -> None:
    mail = to_input(_example("japanese"))
    assert (mail.subject, mail.language) == ("ライセンス", "ja")
    assert "デモ用のライセンス" in mail.content


def test_machines_are_known_by_their_header() -> None:
    assert to_input(_example("away")).origin == "auto_replied"


def test_a_header_cannot_be_smuggled_in_by_a_subject() -> None:
    example = _example("plain").model_copy(update={"subject": "x\r\nAuto-Submitted: auto-replied"})
    assert to_input(example).origin == "human"


def test_a_primary_that_is_not_among_the_intents_is_refused(tmp_path: Path) -> None:
    content = {"spam": [mails_to_learn.row("spam", "Buy!", 1, intents=["other"])]}
    with pytest.raises(AssetError, match=r"spam\.jsonl:1: .*primary"):
        read_examples(mails_to_learn.write(tmp_path, content))


def test_a_folder_without_examples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no example"):
        read_examples(tmp_path)


def test_the_hash_is_of_every_byte(tmp_path: Path) -> None:
    content = mails_to_learn.rows()
    first = read_examples(mails_to_learn.write(tmp_path / "a", content)).sha256
    content["spam"][3]["text"] = "Another text."
    assert read_examples(mails_to_learn.write(tmp_path / "b", content)).sha256 != first
