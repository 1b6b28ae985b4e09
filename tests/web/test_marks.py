"""The text of a mail with what decided marked in it: nothing is lost, nothing is invented."""

from hypothesis import given
from hypothesis import strategies as st

from mailflow.web.marks import Block, Piece, blocks

TEXT = "Hello,\n\nhow do we get\na licence for our lab?\n\n> old words\n> of ours\n\nAnn\n"


def marked(found: tuple[Block, ...]) -> list[tuple[str, int]]:
    return [(piece.text, piece.intent) for block in found for piece in block.pieces if piece.intent]


def test_new_and_quoted_text_are_apart() -> None:
    quote = TEXT.index(">")
    first, quoted, last = blocks(TEXT, [(0, quote), (TEXT.index("Ann"), len(TEXT))], [])
    assert (first.is_quoted, quoted.is_quoted, last.is_quoted) == (False, True, False)
    assert quoted.pieces == (Piece("> old words\n> of ours"),)
    assert quoted.lines == 2
    assert last.pieces == (Piece("Ann"),)


def test_a_blank_between_two_new_stretches_is_no_quote() -> None:
    (only,) = blocks("one\n\ntwo", [(0, 3), (5, 8)], [])
    assert only.pieces == (Piece("one\n\ntwo"),)


def test_a_mail_of_which_nothing_is_new_is_shown_whole() -> None:
    (only,) = blocks(TEXT, [], [])
    assert not only.is_quoted and only.pieces[0].text.startswith("Hello,")


def test_evidence_is_found_over_line_ends_and_as_whole_words() -> None:
    found = blocks(TEXT, [(0, len(TEXT))], [["how do we get a licence", "lab"], ["Hell", "Ann"]])
    assert marked(found) == [("how do we get\na licence", 1), ("lab", 1), ("Ann", 2)]


def test_of_two_intents_the_first_has_the_words_that_both_want() -> None:
    found = blocks("a licence and a licence", [(0, 23)], [["a licence"], ["licence"]])
    assert marked(found) == [("a licence", 1), ("licence", 2)]


def test_what_was_quoted_decided_nothing() -> None:
    assert marked(blocks("new\n> old", [(0, 4)], [["old"]])) == []


@given(
    st.text("ab >\n", max_size=60),
    st.lists(st.integers(0, 60), max_size=6),
    st.lists(st.lists(st.text("ab >\n", max_size=5), max_size=3), max_size=3),
)
def test_no_word_is_lost(text: str, cuts: list[int], evidence: list[list[str]]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    spans = list(zip(places[::2], places[1::2], strict=False))
    shown = "".join(piece.text for block in blocks(text, spans, evidence) for piece in block.pieces)
    assert "".join(shown.split()) == "".join(text.split())
