"""The classifier at work: a spaCy pipeline of our own components, and the port that the services know.

    text --sentencizer--> sentences
         --mailflow_features--> TF-IDF of words and characters, facts
         --mailflow_encoder--> doc.tensor: the meaning as a vector (not in the light model)
         --mailflow_memory--> the training mails most like it
         --mailflow_intents--> doc.cats, doc._.mail_primary, doc._.mail_claims, doc._.mail_role, doc._.mail_familiarity
         --mailflow_action--> doc._.mail_actions

Rule: every classification carries its reasons: sentence, words, neighbours, and what would change it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc

from mailflow.adapters import action, encoder  # noqa: F401 - factories that the pipeline names
from mailflow.adapters.component import single_threaded
from mailflow.adapters.explanation import ReadMail, Rival, evidence, flip
from mailflow.adapters.features import FeaturesComponent, as_doc
from mailflow.adapters.intents import IntentsComponent
from mailflow.adapters.memory import MemoryComponent
from mailflow.adapters.slots import SlotFinder
from mailflow.core.classification import ActionScores, Classification, ClassifierInput, IntentScore
from mailflow.core.message import Role
from mailflow.core.playbook import SlotRule
from mailflow.errors import ModelError

MOST_EVIDENCE, MOST_NEIGHBOURS = 3, 3


class SpacyClassifier:
    """Implements core.ports.Classifier on a trained folder. Raises ModelError where there is none that fits."""

    def __init__(self, path: Path, slots: Mapping[str, SlotRule] | None = None) -> None:
        """`slots`: what to look for beside it. Raises AssetError for one that cannot be looked for."""
        if not (path / "meta.json").is_file():
            raise ModelError(f"{path} holds no model: run `mailflow train`")
        try:
            self._nlp = spacy.load(path)
            self.meta: dict[str, Any] = self._nlp.meta["mailflow"]
            parts = [self._nlp.get_pipe(f"mailflow_{name}") for name in ("features", "memory", "intents")]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} cannot be loaded ({error}): run `mailflow train`") from error
        features, memory, intents = parts
        if not (
            isinstance(features, FeaturesComponent)
            and isinstance(memory, MemoryComponent)
            and isinstance(intents, IntentsComponent)
        ):
            raise ModelError(f"{path}: its components are not ours: run `mailflow train`")
        self._features, self._intents = features, intents
        self._slots = SlotFinder(self._nlp, slots or {})

    @property
    def version(self) -> str:
        return str(self.meta["version"])

    @property
    def labels(self) -> tuple[str, ...]:
        return self._intents.intent_labels

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        with single_threaded():
            docs = self._nlp.pipe((as_doc(self._nlp, mail) for mail in mails), batch_size=64)
            return [self._classification(doc) for doc in docs]

    def _classification(self, doc: Doc) -> Classification:
        claimed: dict[str, float] = doc._.mail_claims
        read = ReadMail(doc, self._features.vectorizer.words)
        weights = self._intents.arrays["intents_coef"]
        labels, second = self.labels, _runner_up(doc)
        reply, review, none = map(float, doc._.mail_actions)
        return Classification(
            intents=tuple(
                IntentScore(
                    label, confidence, evidence(read, read.additions(weights, labels.index(label)), MOST_EVIDENCE)
                )
                for label, confidence in claimed.items()
            ),
            runner_up=second,
            actions=ActionScores(reply, review, none),
            role=Role(doc._.mail_role),
            model_version=self.version,
            abstained=self._abstained(doc),
            neighbours=doc._.mail_neighbours[:MOST_NEIGHBOURS],
            nearness=doc._.mail_nearness,
            flip=self._flip(doc, read, second) if second else "",
            slots=self._slots.find(doc),
        )

    def _abstained(self, doc: Doc) -> str:
        if doc._.mail_familiarity >= self._intents.document["abstain_below"]:
            return ""
        best = max(doc._.mail_primary, key=doc._.mail_primary.__getitem__)
        sure, near = doc._.mail_primary[best], doc._.mail_nearness
        return f"unlike the mails it learned from: {best} at {sure:.2f}, the nearest of them {near:.2f} alike"

    def _flip(self, doc: Doc, read: ReadMail, second: IntentScore) -> str:
        weights, labels = self._intents.arrays["primary_coef"], self.labels
        best = next(iter(doc._.mail_claims))
        rival, first = (read.additions(weights, labels.index(label)) for label in (second.intent, best))
        return flip(read, Rival(second.intent, second.confidence, rival - first), doc._.mail_neighbours)


def _runner_up(doc: Doc) -> IntentScore | None:
    primary, claimed = doc._.mail_primary, doc._.mail_claims
    rest = {label: max(primary[label], doc.cats[label]) for label in primary if label not in claimed}
    second = max(rest, key=rest.__getitem__, default=None)
    return None if second is None else IntentScore(second, rest[second])
