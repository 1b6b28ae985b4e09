"""What a person sees in the terminal: text of strangers is data, whatever it holds."""

import io
import unicodedata
from dataclasses import fields
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from tests.core.labelled import judged

from mailflow import console, policy_views
from mailflow.adapters.spacy_training import TrainingReport
from mailflow.core.certify import Trial, certify
from mailflow.core.classification import Action
from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.evaluation import Assessment, Evaluation
from mailflow.core.message import MailRef
from mailflow.core.partner import Partner, PartnerKind, Route
from mailflow.core.policy import GUARDS, SEND_GUARDS
from mailflow.core.storage import (
    DecidedMail,
    MessageView,
    Mute,
    OutboxView,
    QuarantineView,
    StoryLine,
    ThreadStory,
    ThreadSummary,
)
from mailflow.services.lines import (
    AttachmentLine,
    ClassifiedLine,
    DefectLine,
    FailureLine,
    IntentLine,
    NeighbourLine,
    OriginLine,
    ParsedLine,
    ReasonLine,
    SlotLine,
)
from mailflow.testing import NOON


def shown(what: RenderableType, width: int = 240) -> str:
    """As a terminal of `width` columns would get it, colours left out."""
    out = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    out.print(what)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def drives(text: str) -> set[str]:
    """Characters that act on a terminal or turn its text around (but the line feeds that rich writes)."""
    turning = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    return {one for one in text if (unicodedata.category(one) == "Cc" and one != "\n") or one in turning}


@given(st.text())
def test_plain_lets_nothing_through_that_drives_a_terminal(text: str) -> None:
    assert drives(console.plain(text).plain) <= {"\t"}


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"])))
def test_plain_changes_nothing_else(text: str) -> None:
    assert console.plain(text).plain == text


@pytest.mark.parametrize(
    ("value", "length", "expected"),
    [
        ("short", 10, "short"),
        ("a\r\n b\t c", 10, "a b c"),
        ("exactly10!", 10, "exactly10!"),
        ("eleven long", 10, "eleven lo…"),
    ],
)
def test_short_is_one_line_of_at_most_its_length(value: str, length: int, expected: str) -> None:
    assert console.short(value, length) == expected


# ------------------------------------------------------------------ every view, filled by a stranger

EVIL = "\x1b[2J\x07\x9b1mEVIL\u202e[bold red]markup[/bold red]\r\x00"


def classified(text: str = EVIL, action: str = "reply") -> ClassifiedLine:
    return ClassifiedLine(
        file=text,
        message_id=text,
        role="partner",
        trust="known",
        intents=[IntentLine(intent="nfr_request", confidence=0.956, evidence=[text])],
        action=action,
        replies=["nfr_request"],
        template=["nfr_request.external"],
        reasons=[ReasonLine(code="row:nfr_request", sentence=text)],
        withheld=text,
        slots=[SlotLine(name="seats", text=text)],
        flip=text,
        neighbours=[NeighbourLine(example="a-1", intents=["quoting"], action="reply", similarity=0.5, excerpt=text)],
    )


PARSED = ParsedLine(
    file=EVIL,
    from_addr=EVIL,
    subject=EVIL,
    date=NOON,
    message_id=EVIL,
    in_reply_to=[EVIL],
    references=[EVIL],
    text=EVIL,
    new_text=EVIL,
    attachments=[AttachmentLine(filename=EVIL, content_type=EVIL, size=1)],
    origin=OriginLine(kind="human", evidence=EVIL),
    bounced=[EVIL],
    language="en",
    defects=[DefectLine(code="x", sentence=EVIL)],
    failures=[FailureLine(addr_spec=EVIL, is_permanent=True, diagnostic=EVIL)],
)
MUTE = Mute(EVIL, NOON, NOON, EVIL)
PARTNER = Partner((EVIL,), EVIL, EVIL, PartnerKind.RESELLER, EVIL, Route.DISTRIBUTION, EVIL)
SUMMARY = ThreadSummary(1, EVIL, EVIL, "held", "quoting queue", NOON)
MESSAGE = MessageView("in", EVIL, EVIL, EVIL, NOON, EVIL, (("nfr_request", 0.956),), "review", (EVIL,))
STORY = ThreadStory(SUMMARY, (MESSAGE,), (StoryLine(NOON, "worker", "received", EVIL),))
OUTBOX = OutboxView(1, OutboxKind.AUTOMATIC, 1, EVIL, EVIL, OutboxState.UNCERTAIN, 1, NOON, NOON, None, EVIL, EVIL)
QUARANTINED = QuarantineView(1, MailRef("desk", "INBOX", 1, 7), NOON, 5, 1234, EVIL)
DECIDED = DecidedMail(
    1, 1, "q1@x", EVIL, EVIL, (("nfr_request", 0.956),), "reply", EVIL, NOON, NOON, "sent", NOON, EVIL
)
WRONG = judged("quoting", said="nfr_request", wanted_action=Action.REVIEW, text=EVIL, name=EVIL)
CERTIFICATE = certify(
    [Trial(0.9, n < 3, ("quoting",)) for n in range(700)],
    model_version="m1",
    rules="r",
    holdout_sha256="h",
    today=date(2026, 3, 2),
)
OURS = Evaluation("m1", 0.85, CERTIFICATE, (WRONG, judged(name="2")))
THEIRS = Evaluation("m0", 0.85, None, (WRONG, judged(name="2", action=Action.REVIEW)))
ALONE = Assessment(("held-out.jsonl",), OURS, None, [(0, 1), (0, 0)], is_calibration=False)
COMPARED = Assessment(("held-out.jsonl",), OURS, THEIRS, [(0, 1), (1, 1)], is_calibration=True)

VIEWS: dict[str, RenderableType] = {
    "classified_card": console.classified_card(classified()),
    "explained_card": console.explained_card(classified()),
    "parsed_card": console.parsed_card(PARSED),
    "threads_table": console.threads_table([SUMMARY]),
    "thread_story": console.thread_story(STORY),
    "outbox_table": console.outbox_table([OUTBOX]),
    "mutes_table": console.mutes_table([MUTE]),
    "partners_table": console.partners_table([PARTNER]),
    "quarantine_table": console.quarantine_table([QUARANTINED]),
    "day_table": console.day_table([DECIDED], {"q1@x": 0.5}),
    "evaluation_view": console.evaluation_view(ALONE),
    "evaluation_view of two": console.evaluation_view(COMPARED),
}


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_lets_a_stranger_drive_the_terminal_or_write_markup(name: str) -> None:
    text = shown(VIEWS[name])
    assert drives(text) == set()
    assert "EVIL" in text, "the words are shown"
    assert "[bold red]markup[/bold red]" in text, "markup of strangers is text"


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("width", [20, 80])
def test_every_view_fits_its_terminal(name: str, width: int) -> None:
    assert max(len(line) for line in shown(VIEWS[name], width).splitlines()) <= width


# ------------------------------------------------------------------ what stands in them


@pytest.mark.parametrize(("action", "verb"), [("reply", "ANSWER"), ("review", "HOLD"), ("none", "IGNORE")])
def test_a_card_says_first_what_would_be_done_and_then_why(action: str, verb: str) -> None:
    text = shown(console.classified_card(classified("words", action)))
    assert text.index(verb) < text.index("[row:nfr_request]")
    assert "nfr_request 0.96" in text


def test_nothing_found_is_a_dash() -> None:
    bare = classified("words").model_copy(update={"intents": [], "template": []})
    lines = shown(console.classified_card(bare)).splitlines()
    assert [line.split()[2] for line in lines if line.split()[1:2] in (["intents"], ["answers"])] == ["-", "-"]


def test_every_action_has_a_verb_and_a_colour() -> None:
    assert set(console.VERBS) == set(console.COLOURS) == set(Action)


def test_the_guards_are_shown_in_their_order() -> None:
    text = shown(policy_views.guards_view(GUARDS + SEND_GUARDS))
    places = [text.index(f"\n{guard.name} ") for guard in GUARDS + SEND_GUARDS]
    assert places == sorted(places)


def test_the_policy_has_a_line_a_row() -> None:
    rows = [("nfr_request", "external", "send", "draft", "nfr_request.external", "confidence < 0.50")]
    assert shown(policy_views.policy_view(rows)).splitlines()[1].split()[:5] == list(rows[0][:5])


def test_wrong_answers_are_listed_by_name() -> None:
    lines = shown(console.evaluation_view(ALONE)).splitlines()
    (told,) = (line.split() for line in lines if line.startswith("wrong answers"))
    assert told[2:] == ["50.0%", "1.3%", "to", "98.7%", "1", "of", "2", "of", "all", "mails"]
    assert any("review: quoting" in line and "nfr_request" in line for line in lines)


def test_another_model_is_told_with_the_differences() -> None:
    alone, compared = shown(console.evaluation_view(ALONE)), shown(console.evaluation_view(COMPARED))
    (told,) = (line.split() for line in compared.splitlines() if line.startswith("automation") and "of the" not in line)
    assert told[:4] == ["automation", "100.0%", "0.0%", "100.0%"]
    assert "better" in compared and "better" not in alone
    assert "made on some of these very mails" in compared
    assert "made on some of these very mails" not in alone


def test_a_certificate_is_told_with_what_it_refuses() -> None:
    text = shown(console.certificate_view(CERTIFICATE))
    assert "at most 2.0% of all mails get a wrong answer" in text
    assert "quoting from 0.01" in text
    assert "no certificate: classifiers/holdout holds no mails" in shown(console.certificate_view(None))


def test_a_mail_that_was_not_answered_yet_has_no_time() -> None:
    assert "0.50 s" in shown(console.day_table([DECIDED], {"q1@x": 0.5}))
    assert " s\n" not in shown(console.day_table([DECIDED], {}))


def test_a_time_is_that_of_the_readers_clock_to_the_second() -> None:
    text = console.instant(NOON + timedelta(microseconds=999_999))
    assert text == (NOON.astimezone()).strftime("%Y-%m-%d %H:%M:%S")
    assert console.instant(None) == ""


def test_a_training_is_told_with_its_figures() -> None:
    told: dict[str, Any] = {
        "version": "2026-03-02",
        "mails": 1234,
        "authors": ("a1", "a2"),
        "primary_accuracy": 0.912,
        "intent_micro_f1": 0.876,
        "action_accuracy": 0.934,
    }
    others: dict[str, Any] = {field.name: 0.5 for field in fields(TrainingReport) if field.name not in told}
    text = shown(console.training_view(TrainingReport(**told, **others)))
    for figure in ("2026-03-02", "1234 by 2 authors", "91.2%", "0.876", "93.4%"):
        assert figure in text
