"""The text of a mail with what decided marked in it: nothing is lost, nothing is invented."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.review import IntentView, MailView
from mailflow.testing import NOON
from mailflow.web.marked import legend, passages

MAIL = MailView(
    id=1,
    inbound_id=1,
    direction="in",
    author="",
    message_id="q1@partner.example",
    from_addr="ann@partner.example",
    to=(),
    cc=(),
    subject="NFR",
    stored_at=NOON,
    text="How do we get a licence?\n\n> old words\n",
    new_spans=((0, 24),),
    attachments=(),
    language="en",
    defects=(),
    origin=("human", ""),
    sender=("partner", "known", ""),
    sender_flags=(),
    partner="",
    placement="",
    facts=(),
    suggested_thread_id=None,
    intents=(IntentView("nfr_request", 0.9, ("get a licence",)), IntentView("quoting", 0.5, ("old words",))),
    runner_up=None,
    actions=(),
    abstained="",
    neighbours=(),
    flip="",
    slots=(),
    action="reply",
    reasons=(),
    draft_parts=(),
    policy_version="",
    model_version="",
    answer_state="",
)


def test_new_and_quoted_text_are_apart_and_evidence_is_marked() -> None:
    new, quoted = passages(MAIL)
    assert (new.is_new, quoted.is_new) == (True, False)
    assert [(piece.text, piece.intent, piece.colour) for piece in new.pieces] == [
        ("How do we ", "", 0),
        ("get a licence", "nfr_request", 1),
        ("?", "", 0),
    ]
    assert [piece.intent for piece in quoted.pieces] == [""], "what was quoted decided nothing"


def test_a_mail_without_spans_is_new_as_a_whole() -> None:
    (only,) = passages(replace(MAIL, new_spans=()))
    assert only.is_new


def test_the_legend_names_every_intent() -> None:
    assert legend(MAIL.intents) == [("nfr_request", 1), ("quoting", 2)]


@given(text=st.text(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=4), words=st.lists(st.text(max_size=9)))
def test_no_word_is_lost(text: str, cuts: list[int], words: list[str]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    spans = tuple(zip(places[::2], places[1::2], strict=False))
    mail = replace(MAIL, text=text, new_spans=spans, intents=(IntentView("other", 0.5, tuple(words)),))
    shown = "".join(piece.text for passage in passages(mail) for piece in passage.pieces)
    assert shown.split() == text.split() or "".join(shown.split()) == "".join(text.split())
