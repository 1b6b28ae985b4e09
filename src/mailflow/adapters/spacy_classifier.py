"""The classifier at work: a spaCy pipeline with two components of our own, and the port that the services know.

    text --sentencizer--> sentences
         --mailflow_intents--> doc.cats, doc._.mail_primary, doc._.mail_claims, doc._.mail_role
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
from scipy.sparse import csr_matrix, hstack, vstack
from scipy.special import expit
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
    with_facts,
    words,
)
from mailflow.core.classification import ActionScores, Classification, ClassifierInput, Evidence, IntentScore
from mailflow.core.message import Role
from mailflow.errors import ModelError

_MAIL, _ROW = "mailflow.input", "mailflow.row"
ACTIONS = ("reply", "review", "none")
INTENT_HEADS = ("primary", "intents", "role")

for _name in ("mail_primary", "mail_claims", "mail_role", "mail_actions"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)


def softmax(scores: Floats, temperature: float) -> Floats:
    """Row by row."""
    shifted = scores / temperature
    exponents = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return result


def sigmoid(scores: Floats, temperature: float, offset: float = 0.0) -> Floats:
    result: Floats = expit((scores - offset) / temperature)
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

    def scores(self, rows: csr_matrix | Floats, head: str) -> Floats:
        result: Floats = rows @ self.arrays[f"{head}_coef"] + self.arrays[f"{head}_bias"]
        return result

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
    """Arrays: idf; {primary,intents,role}_{coef (features + facts, classes),bias}. Document: labels, roles,
    vocabularies, temperatures, intents_offset, claim_threshold, abstain_below."""

    def __init__(
        self, name: str, settings: VectorizerSettings, facts_weight: float, penalty: float, max_evidence: int
    ) -> None:
        super().__init__(name)
        self.penalty = penalty
        self.vectorizer = Vectorizer(settings)
        self.facts_weight = facts_weight
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
        rows = self.rows([doc.user_data[_MAIL] for doc in docs])
        primary, intents, roles = self.probabilities(rows)
        labels, role_labels = self.intent_labels, self.document["roles"]
        for n, doc in enumerate(docs):
            doc.cats = dict(zip(labels, map(float, intents[n]), strict=True))
            doc._.mail_primary = dict(zip(labels, map(float, primary[n]), strict=True))
            doc._.mail_claims = claim(doc._.mail_primary, doc.cats, self.document["claim_threshold"])
            doc._.mail_role = role_labels[int(roles[n].argmax())]
            doc.user_data[_ROW] = rows[n]

    def rows(self, mails: Sequence[ClassifierInput]) -> csr_matrix:
        """(mails, features + facts)."""
        text = self.vectorizer.transform([normalise(whole_text(mail)) for mail in mails])
        return with_facts(text, np.array([fact_row(mail) for mail in mails]), self.facts_weight)

    def probabilities(self, rows: csr_matrix) -> tuple[Floats, Floats, Floats]:
        """Primary (softmax), intents (each its own yes or no), claimed role (scores)."""
        temperatures = self.document["temperatures"]
        return (
            softmax(self.scores(rows, "primary"), temperatures["primary"]),
            sigmoid(self.scores(rows, "intents"), temperatures["intents"], self.document["intents_offset"]),
            self.scores(rows, "role"),
        )

    def evidence(self, doc: Doc, label: str) -> tuple[Evidence, ...]:
        """The stretch that spoke most for `label`, then the strongest words of the mail; each as it stands there."""
        coef = self.arrays["intents_coef"][:, self.intent_labels.index(label)]
        spoken = [(self._weight(coef, stretch), stretch) for stretch in _stretches(doc)]
        said = {token.text: self._weight(coef, token.text) for token in doc if not token.is_space}
        best = sorted(spoken, key=lambda one: -one[0])[:1]
        strongest = sorted(said.items(), key=lambda one: (-one[1], one[0]))
        shown = [(text, weight) for weight, text in best] + strongest
        return tuple(Evidence(text, weight) for text, weight in shown[: self._max_evidence] if weight > 0)

    def _weight(self, coef: Floats, text: str) -> float:
        """The sum over the words and pairs of words of `text`."""
        one = words(normalise(text))
        terms = (*one, *(f"{first} {second}" for first, second in pairwise(one)))
        columns = [self._columns[term] for term in terms if term in self._columns]
        return float((coef[columns] * self.arrays["idf"][columns]).sum())


def _stretches(doc: Doc) -> list[str]:
    """The subject and the sentences of the content."""
    content = len(doc.user_data[_MAIL].subject) + 1
    sentences = (doc.text[max(one.start_char, content) : one.end_char].strip() for one in doc.sents)
    return [stretch for stretch in (doc.text[: content - 1].strip(), *sentences) if stretch]


def claim(primary: dict[str, float], intents: dict[str, float], threshold: float) -> dict[str, float]:
    """The intents that the mail has: the likeliest primary, then every other one over `threshold`, most certain first.

    The confidence of the primary is the larger of its two probabilities.
    """
    first = max(primary, key=primary.__getitem__)
    others = sorted(((p, label) for label, p in intents.items() if label != first and p >= threshold), reverse=True)
    return {first: max(primary[first], intents[first])} | {label: p for p, label in others}


class ActionComponent(_Arrays):
    """Arrays: {plain,stacked}_{coef,bias}, gate_{coef,bias}. Document: temperatures.

    The plain head reads text and facts, the stacked one the intents' probabilities beside them. The gate says how
    likely an automatic answer to the claimed intents is right, from both heads and from how sure the intents are.
    Why a gate: most wrong answers are right in that an answer was due, and wrong in what was answered.
    """

    def annotate(self, docs: Sequence[Doc]) -> None:
        rows = _stack([doc.user_data[_ROW] for doc in docs])
        internal = np.array([[doc.user_data[_MAIL].is_authenticated_internal] for doc in docs], dtype=np.float64)
        primary = np.array([list(doc._.mail_primary.values()) for doc in docs])
        plain = softmax(self.scores(rows, "plain"), self.document["temperatures"]["plain"])
        stacked = softmax(
            self.scores(stacked_rows(rows, primary, internal), "stacked"), self.document["temperatures"]["stacked"]
        )
        gates = np.array(
            [gate_row(plain[n][0], stacked[n][0], doc._.mail_claims, doc.cats) for n, doc in enumerate(docs)]
        )
        right = sigmoid(self.scores(gates, "gate"), 1.0)[:, 0]
        for doc, actions in zip(docs, gated(stacked, right), strict=True):
            doc._.mail_actions = actions


def _stack(rows: Sequence[csr_matrix]) -> csr_matrix:
    return vstack(rows).tocsr()


def stacked_rows(rows: csr_matrix, primary: Floats, internal: Floats) -> csr_matrix:
    """What the stacked head reads: `rows`, the intents' probabilities, and these once more for colleagues.

    `primary`: (mails, labels). `internal`: (mails, 1), 1 for a proven colleague.
    """
    return hstack([rows, csr_matrix(np.hstack([primary, primary * internal]).astype(np.float32))]).tocsr()


def gate_row(plain: float, stacked: float, claims: dict[str, float], intents: dict[str, float]) -> list[float]:
    """What the gate reads: both heads' P(reply), the least sure claim, how many claims, the likeliest of the rest."""
    rest = max((p for label, p in intents.items() if label not in claims), default=0.0)
    return [_logit(plain), _logit(stacked), _logit(min(claims.values())), float(len(claims)), _logit(rest)]


def _logit(probability: float) -> float:
    bounded = min(max(float(probability), 1e-4), 1 - 1e-4)
    return float(np.log(bounded / (1 - bounded)))


def gated(stacked: Floats, right: Floats) -> Floats:
    """(mails, ACTIONS): P(reply) is `right`, what is left is shared as the stacked head shares it."""
    others = stacked[:, 1:] / stacked[:, 1:].sum(axis=1, keepdims=True)
    result: Floats = np.hstack([right[:, None], (1 - right[:, None]) * others])
    return result


@Language.factory(
    "mailflow_intents",
    assigns=["doc.cats", "doc._.mail_primary", "doc._.mail_claims", "doc._.mail_role"],
    default_config={
        "word_ngrams": 2,
        "char_ngrams": [2, 5],
        "min_df": 2,
        "facts_weight": 0.3,
        "penalty": 0.4,
        "max_evidence": 3,
    },
)
def make_intents(
    nlp: Language,
    name: str,
    word_ngrams: int,
    char_ngrams: list[int],
    min_df: int,
    facts_weight: float,
    penalty: float,
    max_evidence: int,
) -> IntentsComponent:
    low, high = char_ngrams
    settings = VectorizerSettings(word_ngrams, (low, high), min_df)
    return IntentsComponent(name, settings, facts_weight, penalty, max_evidence)


@Language.factory(
    "mailflow_action",
    requires=["doc.cats", "doc._.mail_primary", "doc._.mail_claims"],
    assigns=["doc._.mail_actions"],
)
def make_action(nlp: Language, name: str) -> ActionComponent:
    return ActionComponent(name)


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
            self.meta: dict[str, Any] = self._nlp.meta["mailflow"]
            intents = self._nlp.get_pipe("mailflow_intents")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} cannot be loaded ({error}): run `mailflow train`") from error
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
        claimed: dict[str, float] = doc._.mail_claims
        primary: dict[str, float] = doc._.mail_primary
        best = next(iter(claimed))
        unsure = primary[best] < self._intents.document["abstain_below"]
        rest = {label: max(primary[label], doc.cats[label]) for label in primary if label not in claimed}
        second = max(rest, key=rest.__getitem__, default=None)
        reply, review, none = map(float, doc._.mail_actions)
        return Classification(
            intents=tuple(
                IntentScore(label, confidence, self._intents.evidence(doc, label))
                for label, confidence in claimed.items()
            ),
            runner_up=None if second is None else IntentScore(second, rest[second]),
            actions=ActionScores(reply, review, none),
            role=Role(doc._.mail_role),
            model_version=self.version,
            abstained=f"unsure: {best} at {primary[best]:.2f}" if unsure else "",
        )
