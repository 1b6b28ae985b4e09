"""Of several alternatives: what a person would read, and no word lost (RFC 2046, 5.1.4)."""

import pytest

from mailflow.reading.alternatives import Piece, best_alternative
from mailflow.reading.html_text import HtmlText, Page

LONG = "We would like to register three deals for customers in France and Spain before the quarter ends"
OTHER = "Bitte senden Sie unser Angebot rechtzeitig zurück, damit der Einkauf bestellen kann"


def plain(text: str) -> list[Piece]:
    return [Piece(text)]


def html(text: str) -> list[Piece]:
    return [Piece(page=Page(f"<style>p{{}}</style><p>{text}</p>"))]


@pytest.mark.parametrize(
    ("alternatives", "expected"),
    [
        ([plain(LONG), html(LONG)], [LONG]),
        ([html(LONG), plain(LONG)], [LONG]),
        ([plain(LONG.replace(" ", "\n")), html(LONG.replace("deals", "<b>dea</b>ls"))], [LONG.replace(" ", "\n")]),
        ([plain("***"), html(LONG)], [LONG]),
        ([plain(LONG), html("")], [LONG]),
        ([plain("Your client shows no HTML."), html(LONG * 3)], [LONG * 3]),
        ([plain(LONG[:60]), html(f"{LONG} {OTHER}")], [f"{LONG} {OTHER}"]),
        ([plain(LONG), html(OTHER)], [LONG, OTHER]),
        (
            [plain("日本語のライセンスについて質問があります"), html("日本語のライセンスについて質問があります")],
            ["日本語のライセンスについて質問があります"],
        ),
        ([], []),
    ],
    ids="same reversed wrapped silent no-html stub abridged different cjk none".split(),
)
def test_which_alternative_is_read(alternatives: list[list[Piece]], expected: list[str]) -> None:
    assert [piece.text for piece in best_alternative(alternatives)] == expected


class Unread(Page):
    """A page that nobody may lay out."""

    def read(self) -> HtmlText:
        raise AssertionError("the page was laid out")


def test_a_page_that_is_not_taken_is_not_laid_out() -> None:
    """Laying it out is the dearest step of reading; its words alone cost a tenth."""
    assert [piece.text for piece in best_alternative([plain(LONG), [Piece(page=Unread(f"<p>{LONG}</p>"))]])] == [LONG]
