"""What is new in a body: quotes out, forwards in, signature out, offsets only."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.message import Span, join_spans
from mailflow.reading.new_text import split
from mailflow.reading.separators import Marker, header_label, marker


def new(text: str, *, is_forward: bool = False) -> str:
    return join_spans(text, split(text, is_forward=is_forward).new)


def content(text: str) -> str:
    return join_spans(text, split(text).content)


ATTRIBUTIONS = [
    "On Mon, May 6, 2024 at 9:00 AM Desk <desk@vendor.example> wrote:",
    "On Mon, May 6, 2024 at 9:00 AM Desk\n<desk@vendor.example> wrote:",
    "On 2024-05-06 09:00, Desk wrote:",
    "On May 6, 2024, at 9:00, Desk <desk@vendor.example> sent:",
    "Am 06.05.2024 um 09:00 schrieb Desk:",
    "Am Mo., 6. Mai 2024 um 09:00 Uhr schrieb Desk <desk@vendor.example>:",
    "Le 06/05/2024 à 09:00, Desk a écrit :",
    "Op 6 mei 2024 heeft Desk <desk@vendor.example> het volgende geschreven:",
    "På mån 6 maj 2024 kl. 09:00 skrev Desk:",
    "W dniu pon., 6 maj 2024 o 09:00 Desk <desk@vendor.example> napisał(a):",
    "2024-05-06 9:00 GMT+02:00 Desk <desk@vendor.example>:",
    "---- On Mon, 06 May 2024 09:00:00 +0200 Desk <desk@vendor.example> wrote ----",
    "---- Desk wrote ----",
    "-----Original Message-----",
    "---Original Message---",
    "-----Reply Message-----",
    "-----Ursprüngliche Nachricht-----",
    "-----Oprindelig meddelelse-----",
    "From: Desk\nSent: Monday\nTo: Ann\nSubject: x",
    "*From:* Desk\n*Sent:* Monday\n*To:* Ann",
    "Von: Desk\nGesendet: Montag\nAn: Ann\nBetreff: x",
    "De : Desk\nEnvoyé : lundi\nÀ : Ann\nObjet : x",
    "差出人: Desk\n送信日時: 2024年5月6日\n宛先: Ann\n件名: x",
    "##- Please type your reply above this line -##",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_an_unmarked_quote_goes_on_to_the_end(attribution: str) -> None:
    assert new(f"The answer is 42.\n\n{attribution}\n\nWhat is the answer?\n\nDesk") == "The answer is 42."


@pytest.mark.parametrize("attribution", [each for each in ATTRIBUTIONS if "\nTo" not in each and "##" not in each])
def test_a_marked_quote_ends_with_its_marks(attribution: str) -> None:
    """People answer below the quote, too."""
    assert new(f"{attribution}\n> What is the answer?\n>\n> Desk\n\nThe answer is 42.") == "The answer is 42."


@pytest.mark.parametrize(
    "line",
    [
        "Please do the following:",
        "Our order number is as follows:",
        "As I wrote:",
        "To: be or not to be",
        "From: our side all is done",
        "We met on Monday at 10:00",
        "He said on the phone that it works:",
        "The portal says: error 403",
        "Original message:",
        "Date: 6 May",
    ],
)
def test_sentences_are_not_separators(line: str) -> None:
    text = f"We need help.\n{line}\nand this must not be lost."
    assert new(text) == text


FORWARDS = [
    "---------- Forwarded message ---------",
    "-------- Weitergeleitete Nachricht --------",
    "Begin forwarded message:",
    "Anfang der weitergeleiteten Nachricht:",
    "Début du message réexpédié :",
    "-----Forwarded Message-----",
]


@pytest.mark.parametrize("line", FORWARDS)
def test_forwarded_mail_is_content(line: str) -> None:
    text = f"Please handle.\n\n{line}\n\nFrom: Carl <carl@x.example>\nDate: Monday\nSubject: x\n\nWhere is my key?"
    assert new(text) == text


def test_a_header_block_is_a_forward_where_the_subject_says_so() -> None:
    text = "FYI\n\nFrom: Carl\nSent: Monday\nTo: Ann\nSubject: x\n\nWhere is my key?"
    assert new(text, is_forward=True) == text
    assert new(text) == "FYI"


def test_what_an_attribution_introduces_is_a_forward_where_the_subject_says_so() -> None:
    """Outlook for Mac forwards so."""
    text = 'FYI\n\nOn 5/6/24, 9:00 AM, "Carl" <carl@customer.example> wrote:\n\n    Where is my key?'
    assert new(text, is_forward=True) == text
    assert new(text) == "FYI"


def test_a_header_block_at_the_top_hides_nothing_but_what_it_quotes_itself() -> None:
    text = "From: Carl\nSent: Monday\nTo: Ann\nSubject: x\n\nWhere is my key?\n\nOn 1 May 2024, Ann wrote:\n> old"
    assert new(text) == text.partition("\n\nOn 1 May")[0]


@pytest.mark.parametrize(
    "text", ["> all\n> quoted", "On 1 May 2024, Ann wrote:\n> quoted", "--\nAnn", "Thanks,\nAnn", "x"]
)
def test_if_nothing_is_left_everything_is_kept(text: str) -> None:
    assert new(text)
    assert split(text).content


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnn Archer\nReseller Example",
        "--\nAnn",
        "Best regards,\nAnn Archer\nSales Engineer | Reseller Example\n+1 555 0100",
        "Mit freundlichen Grüßen\n\nAnn Archer",
        "Thanks!\nAnn",
        "Cordialement,\nAnn",
        "Sent from my iPhone",
        "Get Outlook for Android",
        "Von meinem iPhone gesendet",
        "- Ann",
        "/Ann",
        "Regards,\nAnn\n\nSent from my Galaxy",
        "_______________________________________________\npartners mailing list\npartners@lists.example",
    ],
)
def test_the_signature_is_not_new(signature: str) -> None:
    assert new(f"Please renew the licence.\n\n{signature}") == "Please renew the licence."


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for the quick help.\nWe still need the deck, could you send it?",
        "Best regards from Berlin, we arrive on Monday.",
        "We need:\n- ten seats\n- one key",
        "Sent from my desk, this is easier to read.",
        "Thanks\n\nCan you also tell us when the rebate is paid?",
        "The rate is 5 --\nthat is too much",
    ],
)
def test_what_only_looks_like_a_signature_is_new(text: str) -> None:
    assert new(text) == text


def test_a_postscript_is_new() -> None:
    assert new("Please renew.\n\nRegards,\nAnn\n\nP.S. by Friday") == "Please renew.\nP.S. by Friday"


def test_words_that_spilled_out_of_a_quoted_line_are_quoted() -> None:
    quoted = "> this quoted line is as wide as lines are and the client broke it into\npieces\n> and went on"
    assert new(f"Yes.\n\n{quoted}") == "Yes."


def test_an_attribution_on_the_answers_own_line() -> None:
    assert new("Yes please. On Mon, 6 May 2024 at 09:00, Desk wrote:\n> More?") == "Yes please."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi team,\nplease renew.", "please renew."),
        ("Sehr geehrte Frau Weber,\n\nbitte verlängern.", "bitte verlängern."),
        ("Hi, please renew.", "Hi, please renew."),
        ("Hello we lost the key", "Hello we lost the key"),
        ("Please renew.\nThis e-mail is confidential and intended for the addressee.\nmore law", "Please renew."),
        ("Please help.\nWarning: the portal shows error 403.", "Please help.\nWarning: the portal shows error 403."),
    ],
)
def test_greetings_and_notices_are_new_and_not_content(text: str, expected: str) -> None:
    assert new(text) == text
    assert content(text) == expected


@pytest.mark.parametrize("mark", [">", ">>", "> >", "＞", "&gt;", "    >", "\t>", "|", "\ufeff>"])
def test_quotes_with_other_marks(mark: str) -> None:
    assert new(f"Yes.\n{mark} How many seats?\n{mark} And when?\n\nFifty.") == "Yes.\nFifty."


@pytest.mark.parametrize(
    "text",
    [
        "Price list:\n\n| Product | Seats |\n|---|---|\n| Premium | 50 |",
        "It runs\n\n    cat a\n    | grep x\n\nand fails.",
        "See <https://portal.vendor.example/a/b\n> for more.",
        "Look at this:\n\n--> one\n--> two",
    ],
)
def test_marks_that_begin_no_quote(text: str) -> None:
    assert new(text) == text


@pytest.mark.parametrize("answer", ["fifty", "50 seats", "In July", "the second"])
def test_a_short_answer_between_quoted_lines_is_new(answer: str) -> None:
    text = f"> How many seats do you want to have renewed in the coming year\n{answer}\n> And for which region?"
    assert new(text) == answer


def test_a_link_that_was_broken_out_of_a_quoted_line_is_quoted() -> None:
    assert new("Yes.\n\n> see https://portal.vendor.example/action\n_nonce=3dd518\n> for more") == "Yes."


def test_html_quotes_count_as_marks() -> None:
    text = "above\nold words\nbelow"
    spans = split(text, (Span(6, 15),)).new
    assert join_spans(text, spans) == "above\nbelow"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-----Original Message-----", Marker.ORIGINAL),
        ("> -----Original Message-----", Marker.ORIGINAL),
        ("Original message", None),
        ("---------- Forwarded message ----------", Marker.FORWARDED),
        ("Begin forwarded message:", Marker.FORWARDED),
        ("--- Reply above this line ---", Marker.REPLY_ABOVE),
        ("we will reply above this", None),
        ("x" * 500, None),
    ],
)
def test_markers(line: str, expected: Marker | None) -> None:
    assert marker(line) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("From: a", "from"),
        ("*Sent:* b", "sent"),
        ("> To: c", "to"),
        ("Betreff: d", "subject"),
        ("Tomorrow: e", None),
        ("Dear: f", None),
    ],
)
def test_header_labels(line: str, expected: str | None) -> None:
    assert header_label(line) == expected


_LINES = st.sampled_from(
    [
        *ATTRIBUTIONS,
        *FORWARDS,
        "> quoted",
        "words here",
        "",
        "-- ",
        "Thanks,",
        "Ann",
        "PS: more",
        "Hi,",
        "_" * 40,
        "a: b:",
    ]
)


@given(st.lists(_LINES, max_size=25).map("\n".join), st.booleans())
def test_spans_are_ordered_parts_of_the_text_and_content_is_within_new(text: str, is_forward: bool) -> None:
    parts = split(text, is_forward=is_forward)
    for spans in (parts.new, parts.content):
        bounds = [bound for span in spans for bound in (span.start, span.end)]
        assert bounds == sorted(bounds)
        assert all(0 <= bound <= len(text) for bound in bounds)
    within = {at for span in parts.new for at in range(span.start, span.end + 1)}
    assert all(at in within for span in parts.content for at in range(span.start, span.end))


@given(st.lists(_LINES, max_size=25).map("\n".join), st.lists(st.integers(0, 300), max_size=6))
def test_spans_are_disjoint(text: str, bounds: list[int]) -> None:
    """Also where HTML quotes lie anywhere."""
    places = sorted({bound for bound in bounds if bound <= len(text)})
    quoted = tuple(Span(start, end) for start, end in zip(places[::2], places[1::2], strict=False))
    parts = split(text, quoted)
    for spans in (parts.new, parts.content):
        assert all(span.start < span.end for span in spans)
        assert all(one.end < two.start for one, two in itertools.pairwise(spans))


_SAID = st.lists(
    st.sampled_from(
        [
            "We need 42.",
            "",
            "Hi,",
            "Thanks",
            "Regards,\nAnn",
            "-- \nAnn",
            "PS: more",
            "- one\n- two",
            "_" * 40,
            "Tel: 1",
        ]
    ),
    max_size=8,
).map(lambda lines: "\n".join(["We write to you today.", *lines]))


@given(_SAID)
def test_what_is_new_stays_new(text: str) -> None:
    """Without quotes the view of the view is the view."""
    assert new(new(text)) == new(text)


@given(
    _SAID, st.sampled_from(["> old", "> old\n>\n> Desk", "-----Original Message-----\nold", "From: D\nSent: x\nTo: A"])
)
def test_an_appended_quote_changes_nothing(text: str, quote: str) -> None:
    assert new(f"{text}\n\n{quote}") == new(text)


@given(st.text(max_size=300))
def test_a_text_with_words_never_becomes_empty(text: str) -> None:
    if any(char.isalnum() for char in text):
        assert new(text)
        assert content(text)
