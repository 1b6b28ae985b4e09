"""What a mail names: order numbers, seats, products; found by spaCy's matchers with the patterns of slots.yaml.

Rule: patterns are the desk's, not the model's: they are read when the classifier is loaded, never trained.
Rule: nothing here decides anything. A slot is shown to the specialist; a missing one is asked for.
Rule: a pattern is tried only on a mail that has a word for each of its tokens that must be there, whichever order.
Why: spaCy asks each pattern at each token, in Python where it has a set or an expression; nearly all ask for a word
that the mail does not have at all. What a mail's words fulfil is asked once a word, not once a mail.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from mailflow.core.classification import Slot
from mailflow.core.playbook import SlotRule
from mailflow.errors import AssetError

LONGEST = 80
"""Characters of a slot: what is longer is no number or name."""
KEPT_WORDS = 16_384
"""Words of which it is remembered what they fulfil: those of some hundred mails."""

Need = tuple[str, str | frozenset[str]]
"""What some word of the mail must be, in LOWER or as TEXT: found by an expression, or one of a set."""
_NOTHING: frozenset[Need] = frozenset()


@dataclass(frozen=True, slots=True)
class _TokenPattern:
    needs: frozenset[Need]
    matcher: Matcher


class SlotFinder:
    """The patterns of `rules`, ready to be looked for in the texts that `nlp` has cut."""

    def __init__(self, nlp: Language, rules: Mapping[str, SlotRule]) -> None:
        """Raises AssetError for a pattern that spaCy does not take."""
        self._vocab = nlp.vocab
        self._phrases = PhraseMatcher(nlp.vocab, attr="LOWER", validate=True)
        self._patterns: list[_TokenPattern] = []
        for name, rule in rules.items():
            try:
                for pattern in rule.patterns:
                    self._add(nlp, name, pattern)
            except (ValueError, re.error) as error:
                raise AssetError(
                    f"classifiers/slots.yaml: {name}: spaCy refuses a pattern ({' '.join(str(error).split())}); mend it"
                ) from error
        self._needs = frozenset[Need]().union(*(one.needs for one in self._patterns))
        self._fulfilled = lru_cache(KEPT_WORDS)(self._fulfilled_by)

    def _add(self, nlp: Language, name: str, pattern: str | Sequence[dict[str, Any]]) -> None:
        if isinstance(pattern, str):
            self._phrases.add(name, [nlp.make_doc(pattern)])
            return
        matcher = Matcher(nlp.vocab, validate=True)
        matcher.add(name, [list(pattern)])
        self._patterns.append(_TokenPattern(frozenset(needs_of(pattern)), matcher))

    def find(self, doc: Doc) -> tuple[Slot, ...]:
        """Each once, in the order of the text; where two of one name overlap, the longer."""
        spans = self.spans(doc)
        longest = [
            span
            for name in dict.fromkeys(span.label_ for span in spans)
            for span in filter_spans(span for span in spans if span.label_ == name)
        ]
        found = (
            Slot(span.label_, " ".join(span.text.split()).strip(" ,;:."))
            for span in sorted(longest, key=lambda span: (span.start, span.end))
        )
        return tuple(dict.fromkeys(slot for slot in found if len(slot.text) <= LONGEST))

    def spans(self, doc: Doc) -> list[Span]:
        """All that fits a pattern, in the order of the text, labelled with the name of the slot."""
        return sorted({Span(doc, start, end, label=name) for name, start, end in self._matches(doc) if start != end})

    def _matches(self, doc: Doc) -> Iterator[tuple[int, int, int]]:
        """(name as a number, start, end), in tokens."""
        fulfilled = _NOTHING.union(*map(self._fulfilled, set(doc.to_array("ORTH").tolist())))
        for pattern in self._patterns:
            if pattern.needs <= fulfilled:
                yield from pattern.matcher(doc)
        yield from self._phrases(doc)

    def _fulfilled_by(self, orth: int) -> frozenset[Need]:
        word = self._vocab[orth]
        spelled = {"LOWER": word.lower_, "TEXT": word.orth_}
        return frozenset(need for need in self._needs if _is(spelled[need[0]], need[1])) or _NOTHING


def _is(word: str, wanted: str | frozenset[str]) -> bool:
    return re.search(wanted, word) is not None if isinstance(wanted, str) else word in wanted


def needs_of(pattern: Sequence[Mapping[str, Any]]) -> Iterator[Need]:
    """What a mail cannot lack if a token pattern of spaCy is to be found in it. Pure.

    All that a token asks must hold of it, so what is not understood here only makes the pattern be tried more often.

    >>> list(needs_of([{"LOWER": "no"}, {"TEXT": ".", "OP": "?"}, {"TEXT": {"REGEX": "^[0-9]+$"}}]))
    [('LOWER', frozenset({'no'})), ('TEXT', '^[0-9]+$')]
    """
    for token in pattern:
        asked = {attribute.upper(): value for attribute, value in token.items()}
        if _must_be_there(asked.get("OP", "1")):
            for attribute in ("LOWER", "TEXT"):
                for wanted in _wanted(asked.get(attribute)):
                    yield attribute, wanted


def _must_be_there(operator: str) -> bool:
    """Without operator (`1`) and with +, {n}, {n,} or {n,m} it must, but for n = 0."""
    at_least = operator.strip("{}").split(",")[0]
    return operator == "+" or (at_least.isdecimal() and int(at_least) > 0)


def _wanted(value: object) -> Iterator[str | frozenset[str]]:
    match value:
        case str():
            yield frozenset({value})
        case dict():
            for predicate, of in value.items():
                match predicate.upper(), of:
                    case "IN", [*words] if all(isinstance(word, str) for word in words):
                        yield frozenset(words)
                    case "REGEX", str():
                        yield of
