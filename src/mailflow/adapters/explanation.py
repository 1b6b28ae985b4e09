"""Why a mail was understood as it was: the sentence that decided, the strongest words, and what would change it.

Rule: everything shown stands in the mail as it is shown, and is computed from the weights that decided; nothing is
encoded a second time. Why the words alone: the part of a head that reads words is linear, what a sentence adds to it is
what its removal takes away (the length of the row and groups of words across two sentences are taken as they are).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
from spacy.tokens import Doc

from mailflow.adapters.component import ROW, Matrix, mail_of
from mailflow.adapters.features import Vocabulary, normalise, normalised_word, surface_words, word_groups
from mailflow.core.classification import Evidence, Neighbour

TRIED = 8
"""Words that are looked for in the mail; what was counted as something else (an address, a number) is not shown."""
_BLANK_LINE = re.compile(r"\n\s*\n")


class ReadMail:
    """The words of one classified mail: which of them count, where they stand, how they are spelled."""

    def __init__(self, doc: Doc, vocabulary: Vocabulary) -> None:
        """`vocabulary`: words and groups of words, the first columns in the rows of mailflow_features."""
        self._doc, self._vocabulary = doc, vocabulary
        self.text: str = doc.text

    @cached_property
    def stretches(self) -> list[tuple[str, Counter[str]]]:
        """The subject and each sentence of the content, with the words and groups of words that it holds."""
        return [(text, Counter(_terms(text))) for text in self._stretches() if text]

    def _stretches(self) -> Iterator[str]:
        content = len(mail_of(self._doc).subject) + 1
        yield self.text[: content - 1].strip()
        for sentence in self._doc.sents:
            said = self.text[max(sentence.start_char, content) : sentence.end_char]
            yield from (part.strip() for part in _BLANK_LINE.split(said))

    @cached_property
    def counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for _, held in self.stretches:
            total.update(held)
        return total

    @cached_property
    def _places(self) -> dict[int, int]:
        """Column -> where the row has it."""
        return {column: place for place, column in enumerate(self._doc.user_data[ROW].columns.tolist())}

    @cached_property
    def terms(self) -> dict[str, int]:
        """Words and groups of words that counted -> column. A link that a sentence ends in is not among them."""
        counted = list(self.counts)
        known = zip(counted, self._vocabulary.columns(counted).tolist(), strict=True)
        return {term: column for term, column in known if column in self._places}

    def additions(self, coefficients: Matrix, label: int) -> Matrix:
        """(terms,): what each adds to the score of a class. `coefficients`: (features + facts, classes)."""
        columns = list(self.terms.values())
        result: Matrix = self._values * coefficients[columns, label].astype(np.float32)
        return result

    @cached_property
    def _values(self) -> Matrix:
        """Of each term in the row."""
        values: Matrix = self._doc.user_data[ROW].values[[self._places[column] for column in self.terms.values()]]
        return values

    def decided(self, weights: Mapping[str, float]) -> tuple[str, float]:
        """The stretch whose removal lowers a score most, and by how much. `weights`: what each term adds to it."""
        taken = [(text, self._taken(held, weights)) for text, held in self.stretches]
        return max(taken, key=lambda one: one[1], default=("", 0.0))

    def _taken(self, held: Counter[str], weights: Mapping[str, float]) -> float:
        return sum(
            weights[term] * (1 - _sublinear(self.counts[term] - count) / _sublinear(self.counts[term]))
            for term, count in held.items()
            if term in weights
        )

    @cached_property
    def _spelled(self) -> tuple[list[str], list[tuple[int, int]]]:
        """The words as they were counted, and where each stands."""
        found = surface_words(self.text)
        return [normalised_word(one[0]) for one in found], [one.span() for one in found]

    def as_it_stands(self, term: str) -> str:
        """A word or group of words as the mail spells it; '' where it was counted as something else."""
        counted, spans = self._spelled
        group = term.split(" ")
        size = len(group)
        starts = (n for n, word in enumerate(counted) if word == group[0] and counted[n : n + size] == group)
        first = next(starts, None)
        if first is None:
            return ""
        spelled = " ".join(self.text[spans[first][0] : spans[first + size - 1][1]].split())
        return spelled if any(map(str.isalpha, spelled)) else ""


def _terms(text: str) -> list[str]:
    return word_groups(normalise(text), 2)


def _sublinear(count: int) -> float:
    return 1 + log(count) if count > 0 else 0.0


def evidence(mail: ReadMail, additions: Matrix, most: int) -> tuple[Evidence, ...]:
    """The sentence that decided, then the strongest words, `most` in all. `additions`: (terms,), to one score."""
    weights = _weights(mail, additions)
    shown = [mail.decided(weights)]
    single = {term: weight for term, weight in weights.items() if " " not in term}
    shown += [(mail.as_it_stands(term), single[term]) for term in _strongest(single)]
    return tuple(Evidence(text, weight) for text, weight in shown if text and weight > 0)[:most]


def _weights(mail: ReadMail, additions: Matrix) -> dict[str, float]:
    return dict(zip(mail.terms, additions.tolist(), strict=True))


def _strongest(weights: Mapping[str, float]) -> list[str]:
    """The TRIED terms that add most; of equals, by the alphabet."""
    positive = [term for term, weight in weights.items() if weight > 0]
    return sorted(positive, key=lambda term: (-weights[term], term))[:TRIED]


@dataclass(frozen=True, slots=True)
class Rival:
    """The intent that would come first if not the primary did."""

    intent: str
    confidence: float
    additions: Matrix
    """(terms,): to the rival's score, less those to the primary's."""


def flip(mail: ReadMail, rival: Rival, neighbours: Sequence[Neighbour]) -> str:
    """What would change the primary intent, one sentence."""
    said = map(mail.as_it_stands, _strongest(_weights(mail, rival.additions)))
    spoken = next(filter(None, said), "")
    like = next((one for one in neighbours if rival.intent in one.intents), None)
    reasons = [f'"{spoken}"'] if spoken else []
    reasons += [f"the similar mail {like.example_id} ({like.similarity:.2f})"] if like else []
    what = f"{' and '.join(reasons)} counted for more" if reasons else "little were added"
    return f"It would be {rival.intent} ({rival.confidence:.2f}) if {what}."
