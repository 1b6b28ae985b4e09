"""Training: labelled mails in, a model folder out, the same bytes from the same mails.

    examples -> as the worker would read them -> TF-IDF and facts -> heads, cross-fitted over five folds
             -> temperatures, gate, thresholds -> heads on all mails -> model folder, put in place by rename

Rule: mails of one sender's domain are never on both sides of a fold, so that a pair of twins cannot help itself.
Rule: the stacked head learns from intents that were guessed for mails unseen, as it will find them at work.
Why the Gram matrix: two thousand mails have sixty thousand n-grams but only two thousand directions; the heads are
fitted there, exactly, and turned back into weights an n-gram.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version as version_of
from pathlib import Path

import numpy as np
import numpy.typing as npt
import spacy
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedGroupKFold
from spacy.language import Language

from mailflow.adapters.examples import Example, ExampleSet, read_examples, to_input
from mailflow.adapters.features import fact_row, normalise, whole_text, with_facts
from mailflow.adapters.heads import (
    Head,
    Matrix,
    Operating,
    Rows,
    abstention_threshold,
    best_claim_threshold,
    cross_fit,
    fit_gate,
    fit_head,
    fit_sigmoid,
    fit_temperature,
    lowest_safe,
    operating_points,
    splits,
)
from mailflow.adapters.spacy_classifier import (
    ACTIONS,
    INTENT_HEADS,
    ActionComponent,
    IntentsComponent,
    claim,
    gate_row,
    sigmoid,
    softmax,
    stacked_rows,
)
from mailflow.core.classification import Action
from mailflow.core.message import Role
from mailflow.errors import AssetError, ModelError

Progress = Callable[[float, float], None]
FOLDS = 5
MOST_WRONG = 0.015
"""Share of all mails that may get a wrong answer where the recommended threshold of the gate lies."""
LIBRARIES = ("spacy", "scikit-learn", "scipy", "numpy")


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came out; stored in meta.json. All figures are cross-fitted; `unseen_author_*` by leaving one author out."""

    version: str
    mails: int
    authors: tuple[str, ...]
    primary_accuracy: float
    intent_micro_f1: float
    action_accuracy: float
    """Of the stacked head."""
    unseen_author_primary_accuracy: float
    unseen_author_action_accuracy: float
    claim_threshold: float
    abstain_below: float
    reply_threshold: float
    """The lowest P(reply) from which on at most MOST_WRONG of all mails would get a wrong answer."""
    wrong_answers: float
    """There, of all mails, before the policy's own rules."""
    automation: float
    """There, right answers of the answerable."""


@dataclass(frozen=True, slots=True)
class _Data:
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    roles: tuple[str, ...]
    intents: Matrix
    """(mails, labels), 1 where the mail has the intent."""
    primary: Matrix
    """One-hot."""
    role: Matrix
    action: Matrix
    internal: Matrix
    """(mails, 1), 1 for a proven colleague."""
    rows: csr_matrix
    gram: Matrix

    @property
    def targets(self) -> dict[str, Matrix]:
        """What the heads over `rows` aim at. The primary's aim is half the primary, half all intents alike.

        Why: an intent that comes second in one mail is no counter-example; this is worth 1 point of accuracy.
        """
        shared = self.intents / self.intents.sum(axis=1, keepdims=True)
        return {
            "primary": (self.primary + shared) / 2,
            "intents": self.intents,
            "role": self.role,
            "plain": self.action,
        }

    @property
    def answerable(self) -> npt.NDArray[np.bool_]:
        return np.array([example.action is Action.REPLY for example in self.examples])


def train(
    examples_dir: Path, config_path: Path, model_dir: Path, *, labels: Sequence[str], now: datetime, progress: Progress
) -> TrainingReport:
    """Train on `examples_dir` and put the model at `model_dir`.

    Raises AssetError for examples that cannot be read, ModelError if their labels are not exactly `labels`.
    """
    read = read_examples(examples_dir)
    _require_labels(read.examples, labels)
    nlp = _blank_pipeline(config_path)
    intents, action = _components(nlp)
    data = _data(read.examples, tuple(sorted(labels)), intents, lambda done: progress(done, 3))
    guesses = _guess(data, _domain_folds(data), intents.penalty)
    progress(2, 3)
    by_author = _guess(data, _author_folds(data), intents.penalty)
    progress(2.5, 3)
    points, micro_f1 = _calibrate(data, guesses, intents, action)
    _fit_on_all(data, guesses, intents, action)
    chosen = lowest_safe(points, MOST_WRONG)
    final = TrainingReport(
        version=_model_version(read, config_path),
        mails=len(data.examples),
        authors=tuple(sorted({one.author for one in data.examples})),
        primary_accuracy=_accuracy(guesses.scores["primary"], data.primary),
        intent_micro_f1=round(micro_f1, 4),
        action_accuracy=_accuracy(guesses.stacked, data.action),
        unseen_author_primary_accuracy=_accuracy(by_author.scores["primary"], data.primary),
        unseen_author_action_accuracy=_accuracy(by_author.stacked, data.action),
        claim_threshold=intents.document["claim_threshold"],
        abstain_below=intents.document["abstain_below"],
        reply_threshold=chosen.threshold,
        wrong_answers=round(chosen.wrong, 4),
        automation=round(chosen.automation, 4),
    )
    nlp.meta["mailflow"] = {
        **asdict(final),
        "labels": list(data.labels),
        "data_sha256": read.sha256,
        "trained_at": now.isoformat(),
        "chosen_by": f"{FOLDS}-fold cross-fitting grouped by sender domain, on the training mails alone",
        "operating_points": [asdict(point) for point in points],
        "libraries": {name: version_of(name) for name in LIBRARIES},
    }
    _write(nlp, model_dir)
    progress(3, 3)
    return final


def data_hash(examples_dir: Path) -> str:
    """What meta.json's `data_sha256` must be for a model of these examples."""
    return read_examples(examples_dir).sha256


def _require_labels(examples: Sequence[Example], labels: Sequence[str]) -> None:
    found = {intent for example in examples for intent in example.intents}
    if missing := sorted(set(labels) - found):
        raise ModelError(f"no examples for {', '.join(missing)}: write classifiers/examples/<intent>.jsonl")
    if unknown := sorted(found - set(labels)):
        raise ModelError(f"examples with intents that the playbook does not have: {', '.join(unknown)}")


def _blank_pipeline(config_path: Path) -> Language:
    try:
        config = spacy.util.load_config(config_path)
        return spacy.util.load_model_from_config(config, auto_fill=True, validate=True)
    except (OSError, ValueError) as error:
        raise AssetError(f"{config_path}: {error}") from error


def _components(nlp: Language) -> tuple[IntentsComponent, ActionComponent]:
    intents, action = nlp.get_pipe("mailflow_intents"), nlp.get_pipe("mailflow_action")
    if not isinstance(intents, IntentsComponent) or not isinstance(action, ActionComponent):
        raise AssetError("config.cfg: the pipeline must hold mailflow_intents and mailflow_action")
    return intents, action


def _data(
    examples: tuple[Example, ...], labels: tuple[str, ...], intents: IntentsComponent, progress: Callable[[float], None]
) -> _Data:
    """Reads the mails, as the worker does, and fits the vectorizer."""
    inputs = []
    for n, example in enumerate(examples):
        inputs.append(to_input(example))
        progress(1.5 * n / len(examples))
    text = intents.vectorizer.fit([normalise(whole_text(mail)) for mail in inputs])
    rows = with_facts(text, np.array([fact_row(mail) for mail in inputs]), intents.facts_weight)
    roles = tuple(role.value for role in Role)
    return _Data(
        examples=examples,
        labels=labels,
        roles=roles,
        intents=np.array([[label in example.intents for label in labels] for example in examples], dtype=np.float64),
        primary=_one_hot([example.primary for example in examples], labels),
        role=_one_hot([example.role.value for example in examples], roles),
        action=_one_hot([example.action.value for example in examples], ACTIONS),
        internal=np.array([[mail.is_authenticated_internal] for mail in inputs], dtype=np.float64),
        rows=rows,
        gram=np.asarray((rows @ rows.T).todense(), dtype=np.float64),
    )


def _one_hot(values: Sequence[str], names: Sequence[str]) -> Matrix:
    return np.array([[value == name for name in names] for value in values], dtype=np.float64)


# --- cross-fitting ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Guesses:
    """What is said of each mail by heads that have not seen its fold."""

    folds: Rows
    scores: dict[str, Matrix]
    primary: Matrix
    """Probabilities."""
    temperature: float
    stacked: Matrix


def _guess(data: _Data, folds: Rows, penalty: float) -> _Guesses:
    scores = {name: cross_fit(data.gram, target, folds, penalty) for name, target in data.targets.items()}
    temperature = fit_temperature(scores["primary"], data.primary)
    primary = softmax(scores["primary"], temperature)
    stacked = np.zeros_like(data.action)
    for seen, unseen in splits(folds):
        inner = data.gram[np.ix_(seen, seen)]
        within = cross_fit(inner, data.targets["primary"][seen], folds[seen], penalty)
        beside = np.zeros_like(primary)
        beside[seen], beside[unseen] = softmax(within, temperature), primary[unseen]
        gram = _stacked_gram(data, beside)
        head = fit_head(gram[np.ix_(seen, seen)], data.action[seen], penalty)
        stacked[unseen] = gram[np.ix_(unseen, seen)] @ head.dual + head.bias
    return _Guesses(folds, scores, primary, temperature, stacked)


def _stacked_gram(data: _Data, primary: Matrix) -> Matrix:
    beside = np.hstack([primary, primary * data.internal])
    result: Matrix = data.gram + beside @ beside.T
    return result


def _domain_folds(data: _Data) -> Rows:
    """Stratified by primary intent, grouped by the sender's domain; colleagues, who share one, by their address."""
    groups = [
        example.from_addr.lower() if example.role is Role.INTERNAL else example.domain or example.id
        for example in data.examples
    ]
    folds = np.zeros(len(groups), dtype=np.int64)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, unseen) in enumerate(splitter.split(np.zeros(len(groups)), data.primary.argmax(1), groups)):
        folds[unseen] = fold
    return folds


def _author_folds(data: _Data) -> Rows:
    """One fold an author; of a single author's mails, the domains' folds."""
    authors = sorted({example.author for example in data.examples})
    if len(authors) < 3:  # the stacked head needs two folds beside the one left out
        return _domain_folds(data)
    return np.array([authors.index(example.author) for example in data.examples], dtype=np.int64)


def _accuracy(scores: Matrix, one_hot: Matrix) -> float:
    return round(float((scores.argmax(1) == one_hot.argmax(1)).mean()), 4)


# --- what the components keep -----------------------------------------------------------------------------------------


def _calibrate(
    data: _Data, guesses: _Guesses, intents: IntentsComponent, action: ActionComponent
) -> tuple[list[Operating], float]:
    """Fill the documents and the gate. Returns what sending at each threshold would have done, and the micro-F1."""
    temperature, offset = fit_sigmoid(guesses.scores["intents"], data.intents)
    p_intents = sigmoid(guesses.scores["intents"], temperature, offset)
    first = guesses.primary.argmax(1)
    claim_threshold, micro_f1 = best_claim_threshold(first, p_intents, data.intents)
    intents.document = {
        "labels": list(data.labels),
        "roles": list(data.roles),
        "vocabularies": intents.vectorizer.vocabularies(),
        "temperatures": {"primary": guesses.temperature, "intents": temperature},
        "intents_offset": offset,
        "claim_threshold": claim_threshold,
        "abstain_below": abstention_threshold(guesses.primary.max(1), first == data.primary.argmax(1)),
    }
    scores = {"plain": guesses.scores["plain"], "stacked": guesses.stacked}
    temperatures = {name: fit_temperature(said, data.action) for name, said in scores.items()}
    action.document = {"temperatures": temperatures}
    p_reply = [softmax(said, temperatures[name])[:, ACTIONS.index(Action.REPLY)] for name, said in scores.items()]
    rows, right = _gate_data(data, guesses, p_intents, p_reply, claim_threshold)
    _keep(action, "gate", *fit_gate(rows, right))
    return operating_points(_cross_gate(rows, right, guesses.folds), right, data.answerable), micro_f1


def _gate_data(
    data: _Data, guesses: _Guesses, p_intents: Matrix, p_reply: Sequence[Matrix], threshold: float
) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """(what the gate reads of each mail, whether an answer to the claimed intents would have been right)."""
    rows, right = [], []
    for n, example in enumerate(data.examples):
        named = _named(data, p_intents[n])
        claims = claim(_named(data, guesses.primary[n]), named, threshold)
        rows.append(gate_row(p_reply[0][n], p_reply[1][n], claims, named))
        right.append(example.action is Action.REPLY and claims.keys() <= set(example.intents))
    return np.array(rows), np.array(right)


def _cross_gate(rows: Matrix, right: npt.NDArray[np.bool_], folds: Rows) -> Matrix:
    p_right = np.zeros(len(rows))
    for seen, unseen in splits(folds):
        weights, bias = fit_gate(rows[seen], right[seen])
        p_right[unseen] = sigmoid(rows[unseen] @ weights + bias, 1.0)[:, 0]
    return p_right


def _named(data: _Data, values: Matrix) -> dict[str, float]:
    return dict(zip(data.labels, map(float, values), strict=True))


def _fit_on_all(data: _Data, guesses: _Guesses, intents: IntentsComponent, action: ActionComponent) -> None:
    """The heads that go to work: fitted on all mails, turned from weights a mail into weights a feature."""
    for name, target in data.targets.items():
        head = _checked(name, fit_head(data.gram, target, intents.penalty), data.gram, target)
        _keep(intents if name in INTENT_HEADS else action, name, data.rows.T @ head.dual, head.bias)
    head = fit_head(_stacked_gram(data, guesses.primary), data.action, intents.penalty)
    _keep(action, "stacked", stacked_rows(data.rows, guesses.primary, data.internal).T @ head.dual, head.bias)
    intents.arrays["idf"] = intents.vectorizer.idf()


def _checked(name: str, head: Head, gram: Matrix, target: Matrix) -> Head:
    """A head that cannot tell even the mails it was fitted on has learned nothing. Raises ModelError."""
    fitted = gram @ head.dual + head.bias
    if (fitted.argmax(1) == target.argmax(1)).mean() < 0.8:
        raise ModelError(f"the head `{name}` learned nothing: its penalty is too large or its classes are alike")
    return head


def _keep(component: IntentsComponent | ActionComponent, name: str, weights: Matrix, bias: Matrix) -> None:
    component.arrays |= {f"{name}_coef": weights.astype(np.float32), f"{name}_bias": bias.astype(np.float32)}


# --- the folder -------------------------------------------------------------------------------------------------------


def _model_version(read: ExampleSet, config_path: Path) -> str:
    parts: Mapping[str, str] = {
        "data": read.sha256,
        "config": config_path.read_text(encoding="utf-8"),
        **{name: version_of(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _write(nlp: Language, model_dir: Path) -> None:
    """Into a neighbour first, then one rename, so that no reader ever sees half a model."""
    fresh, old = model_dir.with_name(model_dir.name + ".new"), model_dir.with_name(model_dir.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    nlp.to_disk(fresh)
    _in_order(fresh / "sentencizer.json")
    if model_dir.exists():
        model_dir.rename(old)
    fresh.rename(model_dir)
    shutil.rmtree(old, ignore_errors=True)


def _in_order(file: Path) -> None:
    """spaCy writes the sentencizer's set of marks as it comes, each process in another order."""
    document = json.loads(file.read_text(encoding="utf-8"))
    document["punct_chars"].sort()
    file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
