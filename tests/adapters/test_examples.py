"""Training mails: wrong lines are named, and an example goes the way of a real mail."""

import json
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.office import reader_of

from mailflow.adapters.examples import (
    EXAMPLE_DESK,
    Example,
    contradictions,
    examples_by_file,
    read_examples,
    read_labelled,
    to_bytes,
    to_input,
    write_labelled,
)
from mailflow.core.classification import Action
from mailflow.core.message import Role
from mailflow.core.partner import NO_PARTNERS
from mailflow.errors import AssetError
from mailflow.reading.understand import classifier_input, understand
from mailflow.testing import DESK

LINE: dict[str, Any] = {
    "author": "a1",
    "from_name": "Ann Example",
    "from_addr": "ann@partner.example",
    "subject": "Lab licence",
    "text": "How do we get a licence for our lab?",
    "lang": "en",
    "role": "partner",
    "primary": "nfr_request",
    "intents": ["nfr_request"],
    "action": "reply",
}


def example(**values: Any) -> Example:
    return Example.model_validate_json(json.dumps(LINE | values))


def write(path: Path, *lines: dict[str, Any] | str) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


# ------------------------------------------------------------------ reading


def test_examples_come_by_file_name_and_line(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", LINE | {"id": "3"})
    write(tmp_path / "a.jsonl", LINE | {"id": "1"}, "", LINE | {"id": "2"})
    write(tmp_path / "notes.txt", "no example")
    assert [one.id for one in read_examples(tmp_path).examples] == ["1", "2", "3"]


def test_the_hash_changes_with_every_octet_and_with_names(tmp_path: Path) -> None:
    """A model says of what it was trained: `mailflow check` compares this."""
    path = write(tmp_path / "a.jsonl", LINE)
    first = read_examples(tmp_path).sha256
    assert read_examples(tmp_path).sha256 == first
    write(path, LINE | {"text": "How do we get a licence for our lab!"})
    second = read_examples(tmp_path).sha256
    path.rename(tmp_path / "b.jsonl")
    assert len({first, second, read_examples(tmp_path).sha256}) == 3


WRONG: dict[str, tuple[dict[str, Any] | str, str]] = {
    "no JSON": ("{", "row"),
    "a key too many": (LINE | {"colour": "red"}, "colour"),
    "no text": ({key: value for key, value in LINE.items() if key != "text"}, "text"),
    "an unknown role": (LINE | {"role": "boss"}, "role"),
    "an unknown action": (LINE | {"action": "shout"}, "action"),
    "no primary": (LINE | {"primary": ""}, "primary"),
    "a primary that is no intent": (LINE | {"primary": "quoting"}, "row"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_line_is_named_with_file_line_and_key(tmp_path: Path, what: str) -> None:
    line, key = WRONG[what]
    path = write(tmp_path / "a.jsonl", LINE, "", line)
    for read in (lambda: read_examples(tmp_path), lambda: read_labelled(path)):
        with pytest.raises(AssetError) as caught:
            read()
        assert str(caught.value).startswith(f"{path}:3: {key}: ")


def test_no_examples_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no example is here"):
        read_examples(tmp_path)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(AssetError, match=r"a\.jsonl: cannot be read"):
        read_examples(tmp_path)
    with pytest.raises(AssetError, match=r"a\.jsonl: cannot be read"):
        read_labelled(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"nothing\.jsonl: cannot be read"):
        read_labelled(tmp_path / "nothing.jsonl")


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    """U+2028 and U+0085 are ordinary characters of JSON."""
    path = write(tmp_path / "a.jsonl", LINE | {"text": "one\u2028two\u0085three"})
    assert [one.text for one in read_labelled(path)] == ["one\u2028two\u0085three"]


def test_the_intents_of_each_file_are_gathered(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", LINE, LINE | {"intents": ["nfr_request", "quoting"]})
    assert examples_by_file(read_examples(tmp_path)) == {"nfr_request.jsonl": {"nfr_request", "quoting"}}


# ------------------------------------------------------------------ the way of a real mail


def test_an_example_becomes_a_whole_mail() -> None:
    mail = example(cc=["bob@partner.example"], attachments=["order.pdf"], headers=[["Reply-To", "x@partner.example"]])
    message = message_from_bytes(to_bytes(mail), policy=policy.default)
    assert message["From"] == "Ann Example <ann@partner.example>"
    assert (message["To"], message["Cc"]) == (DESK, "bob@partner.example")
    assert (message["Subject"], message["Reply-To"]) == ("Lab licence", "x@partner.example")
    read = understand(to_bytes(mail), None, EXAMPLE_DESK).message
    assert read.text.strip() == mail.text
    assert [(one.filename, one.content_type) for one in read.attachments] == [("order.pdf", "application/pdf")]
    assert [defect.code for defect in read.defects] == ["no_date"], "an example has no date"


def test_a_colleague_needs_the_proof_of_the_header() -> None:
    """D2: who says to be internal without our server's word is not, in training as in life."""
    proof = ["Authentication-Results", "mx.gitlab.com; dmarc=pass header.from=gitlab.com"]
    claimed = to_input(example(from_addr="cyd@gitlab.com", role="internal"))
    proven = to_input(example(from_addr="cyd@gitlab.com", role="internal", headers=[proof]))
    assert (claimed.is_authenticated_internal, proven.is_authenticated_internal) == (False, True)
    assert (claimed.role is Role.INTERNAL, proven.role) == (False, Role.INTERNAL)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"attachments": ["PO-4711.pdf", "logo.png"], "cc": ["bob@partner.example", "cyd@gitlab.com"]},
        {"text": "Thanks.\n\nOn Monday, Bob wrote:\n> a licence\n"},
        {"headers": [["Auto-Submitted", "auto-replied"]]},
        {"headers": [["Content-Type", "multipart/report; report-type=delivery-status"]]},
        {"from_addr": "", "subject": "", "text": ""},
        {"text": "ラボ用のライセンスはどのように取得できますか。", "lang": "ja", "subject": "ライセンス"},
    ],
)
def test_the_model_is_trained_on_what_the_worker_shows_it(values: dict[str, Any]) -> None:
    """The two ways from a mail to the model's input are written in two places; they must stay one."""
    mail = example(**values)
    assert to_input(mail) == classifier_input(reader_of(DESK)(to_bytes(mail), None, NO_PARTNERS))


def texts(**sizes: int) -> st.SearchStrategy[str]:
    """Whatever a JSON file in UTF-8 can hold: everything but lone surrogates."""
    return st.text(st.characters(codec="utf-8"), **sizes)


@given(
    name=texts(max_size=20),
    subject=texts(max_size=40),
    filename=texts(min_size=1, max_size=20),
    header=texts(max_size=40),
)
def test_nothing_in_an_example_breaks_out_of_its_header(name: str, subject: str, filename: str, header: str) -> None:
    mail = Example(
        **LINE | {"from_name": name, "subject": subject, "attachments": (filename,), "headers": (("X-Note", header),)}
    )
    head = to_bytes(mail).partition(b"\n\n")[0].split(b"\n")
    allowed = (b"X-Note:", b"From:", b"To:", b"Subject:", b"Message-ID:", b"MIME-Version:", b"Content-Type:")
    assert all(line.startswith(allowed) for line in head)


def test_a_mail_under_two_labels_or_held_out_too_is_found() -> None:
    one = Example(
        id="a-1", author="a", subject="Hi", text="Please.", lang="en", role=Role.PARTNER,
        primary="quoting", intents=("quoting",), action=Action.REPLY,
    )  # fmt: skip
    twin, same = one.model_copy(update={"id": "b-1", "action": Action.REVIEW}), one.model_copy(update={"id": "c-1"})
    other = one.model_copy(update={"id": "d-1", "text": "Thanks."})
    assert contradictions([one, same, other], []) == []
    assert contradictions([one, twin, other], [other]) == [
        ("b-1", "is the mail a-1 with other labels; make them equal or remove one"),
        ("d-1", "is held out too, so nothing could be shown of the model; remove it here or there"),
    ]


def test_mails_that_came_to_the_desk_are_written_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "corrections.jsonl"
    file.touch(0o644)
    write_labelled(file, ())
    assert file.stat().st_mode & 0o777 == 0o600
