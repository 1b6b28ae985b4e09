"""A mail's text as a page shows it: what is new apart from what is quoted, and what decided marked in it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailflow.core.review import IntentView, MailView

COLOURS = 6
"""Intents are told apart by so many colours, and by their names."""


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    intent: str = ""
    """What it speaks for; '' for plain text."""
    colour: int = 0
    """1 to COLOURS."""


@dataclass(frozen=True, slots=True)
class Passage:
    is_new: bool
    pieces: tuple[Piece, ...]

    @property
    def lines(self) -> int:
        return sum(piece.text.count("\n") for piece in self.pieces) + 1


def passages(mail: MailView) -> list[Passage]:
    """`mail.text` in order, cut where it changes from new to quoted; blank ones are left out."""
    found: list[Passage] = []
    at = 0
    for start, end in (*mail.new_spans, (len(mail.text), len(mail.text))):
        for is_new, part in ((False, mail.text[at:start]), (True, mail.text[start:end])):
            if part.strip():
                found.append(Passage(is_new, tuple(_pieces(part.strip("\n"), mail.intents if is_new else ()))))
        at = end
    return found if mail.new_spans else [Passage(True, tuple(_pieces(mail.text, mail.intents)))]


def legend(intents: Sequence[IntentView]) -> list[tuple[str, int]]:
    """(intent, colour), in the order of confidence."""
    return [(one.intent, n % COLOURS + 1) for n, one in enumerate(intents)]


def _pieces(text: str, intents: Sequence[IntentView]) -> Iterator[Piece]:
    at = 0
    for start, end, intent, colour in _places(text, intents):
        if start < at:
            continue
        if start > at:
            yield Piece(text[at:start])
        yield Piece(text[start:end], intent, colour)
        at = end
    if at < len(text):
        yield Piece(text[at:])


def _places(text: str, intents: Sequence[IntentView]) -> list[tuple[int, int, str, int]]:
    """Where the evidence stands, first things first; of two at one place the longer."""
    found = []
    for (intent, colour), view in zip(legend(intents), intents, strict=True):
        for evidence in view.evidence:
            start = text.find(evidence) if evidence else -1
            if start >= 0:
                found.append((start, start + len(evidence), intent, colour))
    return sorted(found, key=lambda place: (place[0], -place[1]))
