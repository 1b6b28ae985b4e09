"""The classifier at work: a spaCy pipeline with two components of our own, and the port that the services know.

    text --sentencizer--> sentences --mailflow_intents--> doc.cats, doc._.mail_primary, doc._.mail_role
                                     --mailflow_action--> doc._.mail_actions

Rule: a model is arrays and word lists (.npy, .json), never a pickle; loaded again it gives the same bits.
Rule: what the model cannot know it does not claim: below the threshold of its own cross-validation it abstains.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from scipy.sparse import csr_matrix
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc

from mailflow.adapters.features import (
    Floats,
    Vectorizer,
    VectorizerSettings,
    fact_row,
    normalise,
    whole_text,
    words,
)
from mailflow.core.classification import ActionScores, Classification, ClassifierInput, Evidence, IntentScore
from mailflow.core.message import Role
from mailflow.errors import ModelError

_MAIL, _ROW = "mailflow.input", "mailflow.row"
ACTIONS = ("reply", "review", "none")

for _name in ("mail_primary", "mail_role", "mail_actions"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)


def softmax(scores: Floats, temperature: float) -> Floats:
    """Row by row."""
    shifted = scores / temperature
    exponents = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return result


def sigmoid(scores: Floats, temperature: float) -> Floats:
    result: Floats = 1 / (1 + np.exp(-scores / temperature))
    return result


class _Arrays(Pipe):
    """A component whose whole state is named arrays and a JSON document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays: dict[str, Floats] = {}
        self.document: dict[str, Any] = {}

    def __call__(self, doc: Doc) -> Doc:
        return next(iter(self.pipe([doc])))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            self.annotate(batch)
            yield from batch

    def annotate(self, docs: Sequence[Doc]) -> None:
        raise NotImplementedError

    def to_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for name, array in sorted(self.arrays.items()):
            np.save(path / f"{name}.npy", array, allow_pickle=False)
        text = json.dumps(self.document, ensure_ascii=False, sort_keys=True)
        (path / "document.json").write_text(text, encoding="utf-8")

    def from_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> "_Arrays":
        self.document = json.loads((path / "document.json").read_text(encoding="utf-8"))
        self.arrays = {file.stem: np.load(file, allow_pickle=False) for file in sorted(path.glob("*.npy"))}
        self.restored()
        return self

    def restored(self) -> None:
        """Called when the state is there."""


class IntentsComponent(_Arrays):
    """Arrays: idf; {primary,intents,role}_{coef (features, classes),bias}. Document: labels, roles, vocabularies,
    temperatures, claim_threshold, abstain_below."""

    def __init__(
        self, name: str, settings: VectorizerSettings, max_evidence: int, regularisation: dict[str, float]
    ) -> None:
        super().__init__(name)
        self.regularisation = regularisation
        self.vectorizer = Vectorizer(settings)
        self._max_evidence = max_evidence
        self._columns: dict[str, int] = {}

    def restored(self) -> None:
        vocabularies = self.document["vocabularies"]
        self.vectorizer.restore(vocabularies, self.arrays["idf"])
        self._columns = {term: column for column, term in enumerate(vocabularies[0])}

    @property
    def intent_labels(self) -> tuple[str, ...]:
        return tuple(self.document["labels"])

    def annotate(self, docs: Sequence[Doc]) -> None:
        rows = self.vectorizer.transform([normalise(doc.text) for doc in docs])
        primary, intents, roles = self.probabilities(rows)
        labels, role_labels = self.intent_labels, self.document["roles"]
        for n, doc in enumerate(docs):
            doc.cats = {label: float(p) for label, p in zip(labels, intents[n], strict=True)}
            doc._.mail_primary = {label: float(p) for label, p in zip(labels, primary[n], strict=True)}
            doc._.mail_role = role_labels[int(roles[n].argmax())]
            doc.user_data[_ROW] = rows[n]

    def probabilities(self, rows: csr_matrix) -> tuple[Floats, Floats, Floats]:
        """Primary (softmax), intents (each its own yes or no), claimed role (softmax)."""
        scores = {head: self.scores(rows, head) for head in ("primary", "intents", "role")}
        temperatures = self.document["temperatures"]
        return (
            softmax(scores["primary"], temperatures["primary"]),
            sigmoid(scores["intents"], temperatures["intents"]),
            softmax(scores["role"], temperatures["role"]),
        )

    def scores(self, rows: csr_matrix, head: str) -> Floats:
        result: Floats = rows @ self.arrays[f"{head}_coef"] + self.arrays[f"{head}_bias"]
        return result

    def evidence(self, doc: Doc, label: str) -> tuple[Evidence, ...]:
        """The sentence that spoke most for `label`, then the strongest words of the mail."""
        coef = self.arrays["intents_coef"][:, self.intent_labels.index(label)] * self.arrays["idf"]
        spoken = [
            (sum(self._weight(coef, word) for word in self._terms(one.text)), one.text.strip()) for one in doc.sents
        ]
        best = max(spoken, default=(0.0, ""))
        strongest = sorted(
            {word: self._weight(coef, word) for word in words(normalise(doc.text))}.items(), key=_by_weight
        )
        shown = [Evidence(best[1], float(best[0]))] if best[0] > 0 else []
        shown += [Evidence(word, float(weight)) for word, weight in strongest if weight > 0]
        return tuple(shown[: self._max_evidence])

    def _terms(self, text: str) -> list[str]:
        one = words(normalise(text))
        return one + [f"{first} {second}" for first, second in pairwise(one)]

    def _weight(self, coef: Floats, term: str) -> float:
        column = self._columns.get(term)
        return 0.0 if column is None else float(coef[column])


def _by_weight(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]


class ActionComponent(_Arrays):
    """Arrays: {plain,stacked}_{coef,bias}; the plain head reads text and facts, the stacked one intents and facts.
    Document: temperatures."""

    def __init__(self, name: str, facts_weight: float, regularisation: dict[str, float]) -> None:
        super().__init__(name)
        self.facts_weight = facts_weight
        self.regularisation = regularisation

    def annotate(self, docs: Sequence[Doc]) -> None:
        facts = np.array([fact_row(doc.user_data[_MAIL]) for doc in docs], dtype=np.float32)
        texts = np.vstack([self.text_scores(doc.user_data[_ROW]) for doc in docs])
        seen = np.array([[*doc._.mail_primary.values(), *doc.cats.values()] for doc in docs], dtype=np.float32)
        for doc, actions in zip(docs, self.probabilities(texts, facts, seen), strict=True):
            doc._.mail_actions = actions

    def text_scores(self, row: csr_matrix) -> Floats:
        width = row.shape[1]
        result: Floats = row @ self.arrays["plain_coef"][:width]
        return result

    def probabilities(self, text_scores: Floats, facts: Floats, seen: Floats) -> Floats:
        """P(reply, review, none), the mean of both heads.

        Why the mean: the stacked head is right more often, the plain one knows better how sure it is.
        """
        temperatures = self.document["temperatures"]
        beside = self.arrays["plain_coef"][-facts.shape[1] :]
        plain = softmax(
            text_scores + facts * self.facts_weight @ beside + self.arrays["plain_bias"], temperatures["plain"]
        )
        rows = stacked_row(seen, facts)
        stacked = softmax(rows @ self.arrays["stacked_coef"] + self.arrays["stacked_bias"], temperatures["stacked"])
        result: Floats = (plain + stacked) / 2
        return result


def stacked_row(seen: Floats, facts: Floats) -> Floats:
    """What the stacked head reads: the intents' probabilities, the facts, and each intent once more for colleagues."""
    internal = facts[:, :1]
    return np.hstack([seen, seen * internal, facts]).astype(np.float32)


@Language.factory(
    "mailflow_intents",
    assigns=["doc.cats", "doc._.mail_primary", "doc._.mail_role"],
    default_config={
        "word_ngrams": 2,
        "char_ngrams": [2, 5],
        "min_df": 2,
        "primary_c": 15.0,
        "intents_c": 15.0,
        "role_c": 5.0,
        "max_evidence": 3,
    },
)
def make_intents(
    nlp: Language,
    name: str,
    word_ngrams: int,
    char_ngrams: list[int],
    min_df: int,
    primary_c: float,
    intents_c: float,
    role_c: float,
    max_evidence: int,
) -> IntentsComponent:
    low, high = char_ngrams
    regularisation = {"primary": primary_c, "intents": intents_c, "role": role_c}
    return IntentsComponent(name, VectorizerSettings(word_ngrams, (low, high), min_df), max_evidence, regularisation)


@Language.factory(
    "mailflow_action",
    requires=["doc.cats", "doc._.mail_primary"],
    assigns=["doc._.mail_actions"],
    default_config={"action_c": 10.0, "stacked_c": 1.0, "facts_weight": 0.7},
)
def make_action(nlp: Language, name: str, action_c: float, stacked_c: float, facts_weight: float) -> ActionComponent:
    return ActionComponent(name, facts_weight, {"plain": action_c, "stacked": stacked_c})


def as_doc(nlp: Language, mail: ClassifierInput) -> Doc:
    doc = nlp.make_doc(whole_text(mail))
    doc.user_data[_MAIL] = mail
    return doc


class SpacyClassifier:
    """Implements core.ports.Classifier on a trained folder. Raises ModelError where there is none that fits."""

    def __init__(self, path: Path) -> None:
        if not (path / "meta.json").is_file():
            raise ModelError(f"{path} holds no model: run `mailflow train`")
        try:
            self._nlp = spacy.load(path)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{path} cannot be loaded ({error}): run `mailflow train`") from error
        self.meta: dict[str, Any] = self._nlp.meta["mailflow"]
        intents = self._nlp.get_pipe("mailflow_intents")
        if not isinstance(intents, IntentsComponent):
            raise ModelError(f"{path}: mailflow_intents is not ours: run `mailflow train`")
        self._intents = intents

    @property
    def version(self) -> str:
        return str(self.meta["version"])

    @property
    def labels(self) -> tuple[str, ...]:
        return self._intents.intent_labels

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        docs = self._nlp.pipe((as_doc(self._nlp, mail) for mail in mails), batch_size=64)
        return [self._classification(doc) for doc in docs]

    def _classification(self, doc: Doc) -> Classification:
        document = self._intents.document
        primary: dict[str, float] = doc._.mail_primary
        best = max(primary, key=primary.__getitem__)
        claimed = claim(primary, doc.cats, document["claim_threshold"])
        unsure = primary[best] < document["abstain_below"]
        rest = {label: max(primary[label], doc.cats[label]) for label in primary if label not in claimed}
        second = max(rest, key=rest.__getitem__)
        reply, review, none = (float(one) for one in doc._.mail_actions)
        return Classification(
            intents=tuple(
                IntentScore(label, confidence, self._intents.evidence(doc, label))
                for label, confidence in claimed.items()
            ),
            runner_up=IntentScore(second, rest[second]),
            actions=ActionScores(reply, review, none),
            role=Role(doc._.mail_role),
            model_version=self.version,
            abstained=f"unsure: {best} at {primary[best]:.2f} or {second} at {rest[second]:.2f}" if unsure else "",
        )


def claim(primary: dict[str, float], intents: dict[str, float], threshold: float) -> dict[str, float]:
    """The intents that the mail has: the likeliest primary, then every other one over `threshold`, most certain first.

    The confidence of the primary is the larger of its two probabilities.
    """
    first = max(primary, key=primary.__getitem__)
    others = sorted(((p, label) for label, p in intents.items() if label != first and p >= threshold), reverse=True)
    return {first: max(primary[first], intents[first])} | {label: p for p, label in others}
