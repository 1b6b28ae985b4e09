"""What a mail names: order numbers, seats, products; found by spaCy's SpanRuler with the patterns of slots.yaml.

Rule: patterns are the desk's, not the model's: they are added to the pipeline when it is loaded, never trained.
Rule: nothing here decides anything. A slot is shown to the specialist; a missing one is asked for.
"""

import re
from collections.abc import Mapping

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import filter_spans

from mailflow.core.classification import Slot
from mailflow.core.playbook import SlotRule
from mailflow.errors import AssetError

PIPE = "mailflow_slots"
LONGEST = 80
"""Characters of a slot: what is longer is no number or name."""


def add_slots(nlp: Language, rules: Mapping[str, SlotRule]) -> None:
    """Raises AssetError for a pattern that spaCy does not take."""
    if not rules:
        return
    ruler = nlp.add_pipe(
        "span_ruler", name=PIPE, config={"spans_key": PIPE, "phrase_matcher_attr": "LOWER", "validate": True}
    )
    for name, rule in rules.items():
        patterns = [
            {"label": name, "pattern": pattern if isinstance(pattern, str) else list(pattern)}
            for pattern in rule.patterns
        ]
        try:
            with nlp.select_pipes(enable=PIPE):  # it sends phrases through the whole pipeline, which wants mails
                ruler.add_patterns(patterns)  # type: ignore[attr-defined]
        except (ValueError, re.error) as error:
            raise AssetError(
                f"classifiers/slots.yaml: {name}: spaCy refuses a pattern ({' '.join(str(error).split())}); mend it"
            ) from error


def slots_of(doc: Doc) -> tuple[Slot, ...]:
    """Each once, in the order of the text; where two of one name overlap, the longer."""
    spans = doc.spans.get(PIPE, ())
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
