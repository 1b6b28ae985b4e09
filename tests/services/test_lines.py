"""The two machine formats are contracts: their keys, the order of the keys, and the types.

The golden files under tests/golden/lines hold a line each, and the schema that every line obeys.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from tests.golden_files import assert_golden
from tests.services.office import PLAYBOOK

from mailflow.core.classification import Action, Classification, Evidence, IntentScore, Neighbour, Slot
from mailflow.core.message import (
    Attachment,
    Defect,
    FailedRecipient,
    Origin,
    OriginKind,
    Role,
    Sender,
    Span,
    Trust,
)
from mailflow.core.playbook import Audience
from mailflow.core.policy import Decision, Reason
from mailflow.core.ports import AnswerPart
from mailflow.core.storage import Understood
from mailflow.services.lines import ClassifiedLine, ErrorLine, ParsedLine, classified_line, parsed_line
from mailflow.services.triage import Triaged
from mailflow.testing import classification, inbound

PAGE = Path(__file__).parents[2] / "docs" / "machine-formats.md"

TEXT = "How do we get a licence for our lab?\n\nOn Monday, Bob Example wrote:\n> Ask the desk.\n"
PARSED = Understood(
    message=replace(
        inbound(subject="Laborlizenz „Süd“", text=TEXT, references=("a@partner.example", "b@partner.example")),
        new_spans=(Span(0, TEXT.index("\n")),),
        attachments=(Attachment("order.pdf", "application/pdf", 52_413, "0" * 64),),
        defects=(Defect("charset_guessed", "the charset `x-unknown` was read as windows-1252"),),
    ),
    origin=Origin(OriginKind.HUMAN, "no sign of an automaton"),
    sender=Sender(Role.PARTNER, Trust.KNOWN, "mx.gitlab.com says dmarc=pass for partner.example"),
    facts=frozenset({"has_attachment"}),
)
BOUNCE = replace(
    PARSED,
    message=replace(inbound(from_=None, date=None, text=""), language=""),
    origin=Origin(
        OriginKind.BOUNCE,
        "multipart/report; report-type=delivery-status",
        (FailedRecipient("gone@x.example", True, "550 no such user"),),
    ),
)
ANSWERED = Triaged(
    PARSED,
    replace(
        classification(("nfr_request", 0.956_789), ("quoting", 0.7)),
        slots=(Slot("seats", "10 users"),),
        flip="It would be quoting (0.70) if it were asked first.",
        neighbours=(Neighbour("nfr_request-a1-004", ("nfr_request",), Action.REPLY, 0.523_45, "How do we get"),),
        intents=(
            IntentScore("nfr_request", 0.956_789, (Evidence("a licence for our lab", 2.5),)),
            IntentScore("quoting", 0.7),
        ),
    ),
    Decision(
        action=Action.REPLY,
        reasons=(Reason("row:nfr_request", "nfr_request at 0.96 has a published path for external"),),
        answers=(AnswerPart("nfr_request", Audience.EXTERNAL, "nfr_request.external"),),
        draft=(),
        queue="nfr",
        priority="normal",
        policy_version=PLAYBOOK.version,
        model_version="fixed",
    ),
    withheld="nfr_request is rolled out as draft: a person approves the answer",
)
HELD = replace(
    ANSWERED,
    classification=classification(abstained="unlike any mail it knows"),
    decision=replace(ANSWERED.decision, action=Action.REVIEW, answers=(), draft=ANSWERED.decision.answers),
    withheld="",
)

PARSE_KEYS = (
    "file from_addr subject date message_id in_reply_to references text new_text attachments origin bounced language "
    "defects failures"
).split()
CLASSIFY_KEYS = (
    "file message_id role trust intents action replies template reasons withheld slots flip neighbours".split()
)


def lines(*models: BaseModel) -> str:
    return "".join(f"{model.model_dump_json()}\n" for model in models)


def schema(model: type[BaseModel]) -> str:
    return json.dumps(model.model_json_schema(mode="serialization"), indent=2) + "\n"


def test_the_lines_of_parse_are_what_they_were() -> None:
    assert_golden("lines/parse.jsonl", lines(parsed_line("mails/1.eml", PARSED), parsed_line("mails/2.eml", BOUNCE)))


def test_the_lines_of_classify_are_what_they_were() -> None:
    assert_golden(
        "lines/classify.jsonl", lines(classified_line("mails/1.eml", ANSWERED), classified_line("mails/2.eml", HELD))
    )


@pytest.mark.parametrize(("name", "model"), [("parse", ParsedLine), ("classify", ClassifiedLine), ("error", ErrorLine)])
def test_the_types_are_what_they_were(name: str, model: type[BaseModel]) -> None:
    assert_golden(f"lines/{name}.schema.json", schema(model))


def test_the_keys_are_those_that_were_promised_in_their_order() -> None:
    parsed = json.loads(parsed_line("1.eml", PARSED).model_dump_json())
    classified = json.loads(classified_line("1.eml", ANSWERED).model_dump_json())
    assert list(parsed) == PARSE_KEYS
    assert list(parsed["attachments"][0]) == ["filename", "content_type", "size"]
    assert list(parsed["origin"]) == ["kind", "evidence"]
    assert list(parsed["defects"][0]) == ["code", "sentence"]
    assert list(classified) == CLASSIFY_KEYS
    assert list(classified["intents"][0]) == ["intent", "confidence", "evidence"]
    assert list(classified["reasons"][0]) == ["code", "sentence"]
    assert list(classified["slots"][0]) == ["name", "text"]
    assert list(classified["neighbours"][0]) == ["example", "intents", "action", "similarity", "excerpt"]


def test_a_line_is_one_line_whatever_the_mail_holds() -> None:
    """Splitting the output at line feeds gives one JSON document a mail; U+2028 and U+0085 are no line feeds."""
    text = "one\r\ntwo\u2028three\u0085four\x00five\ud7ff"
    line = lines(parsed_line("a\nb.eml", replace(PARSED, message=inbound(text=text, subject="x\ny"))))
    assert line.count("\n") == 1
    assert json.loads(line)["text"] == text


def test_a_date_is_iso_8601_with_its_offset_or_null() -> None:
    assert json.loads(parsed_line("1.eml", PARSED).model_dump_json())["date"] == "2026-03-02T12:00:00Z"
    assert json.loads(parsed_line("2.eml", BOUNCE).model_dump_json())["date"] is None


def test_what_is_held_replies_nothing() -> None:
    """The draft is for the specialist; `replies` is what would go out."""
    held = classified_line("2.eml", HELD)
    assert (held.action, held.replies, held.template) == ("review", [], [])


@pytest.mark.parametrize(
    ("proven", "claimed", "shown"), [("internal", "partner", "internal"), ("unknown", "partner", "partner")]
)
def test_a_claimed_role_counts_only_where_nothing_is_proven(proven: str, claimed: str, shown: str) -> None:
    """D2: what the text says of its writer never outdoes the server's proof."""
    read = replace(PARSED, sender=replace(PARSED.sender, role=Role(proven)))
    said: Classification = replace(ANSWERED.classification, role=Role.PARTNER)
    assert classified_line("1.eml", replace(ANSWERED, understood=read, classification=said)).role == shown


# ------------------------------------------------------------------ docs/machine-formats.md


def keys_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """`attachments[].filename` for what lies in a list, `origin.kind` for what lies in an object; in their order."""
    keys = []
    for name, info in model.model_fields.items():
        keys.append(prefix + name)
        inner, is_list = _inner(info.annotation)
        if inner is not None:
            keys += keys_of(inner, f"{prefix}{name}[]." if is_list else f"{prefix}{name}.")
    return keys


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    arguments = () if isinstance(annotation, UnionType) else get_args(annotation)
    if arguments and isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel):
        return arguments[0], True
    return (annotation, False) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else (None, False)


def section(command: str) -> str:
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## `{command}`")
    assert found, f"{PAGE} has no section `{command}`"
    return re.split(r"^## ", rest, maxsplit=1, flags=re.M)[0]


FORMATS: dict[str, type[BaseModel]] = {
    "mailflow parse --json": ParsedLine,
    "mailflow classify --json": ClassifiedLine,
    "error": ErrorLine,
}


@pytest.mark.parametrize("command", FORMATS)
def test_the_page_describes_every_key_and_no_other(command: str) -> None:
    described = re.findall(r"^\| `([^`]+)` \|", section(command), re.M)
    assert described == keys_of(FORMATS[command])


@pytest.mark.parametrize("command", FORMATS)
def test_the_example_of_the_page_is_a_line_of_this_format(command: str) -> None:
    example = re.findall(r"^```json\n(.*?)^```", section(command), re.M | re.S)
    (shown,) = (json.loads(one) for one in example)
    line = FORMATS[command].model_validate(shown)
    assert list(shown) == list(type(line).model_fields)
    assert json.loads(line.model_dump_json()) == shown, "nothing is missing and nothing is ignored"


@pytest.mark.parametrize("values", [Action, Role, Trust, OriginKind])
def test_the_page_names_every_value_of_a_closed_set(values: type[Any]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [value for value in values if f"`{value}`" not in page] == []
