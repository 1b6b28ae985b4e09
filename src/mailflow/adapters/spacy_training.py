"""Training: labelled mails in, a model folder out, the same bytes from the same mails.

    examples -> as the worker would read them -> TF-IDF -> heads, cross-fitted over five folds
             -> temperatures, thresholds -> heads on all mails -> model folder, put in place in one rename

Rule: nothing is chosen on mail that is held out: temperatures and thresholds come from cross-fitted scores.
Rule: mails of one sender's domain are never on both sides of a fold, so that a pair of twins cannot help itself.
Why the Gram matrix: two thousand mails have fifty thousand n-grams but only two thousand directions; the heads are
fitted there, exactly, in a twentieth of the time, and turned back into weights an n-gram.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import spacy
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedGroupKFold
from spacy.language import Language

from mailflow.adapters.examples import Example, ExampleSet, read_examples, to_input
from mailflow.adapters.features import Floats, fact_row, normalise, whole_text
from mailflow.adapters.spacy_classifier import (
    ACTIONS,
    ActionComponent,
    IntentsComponent,
    sigmoid,
    softmax,
    stacked_row,
)
from mailflow.core.classification import ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import AssetError, ModelError

Matrix = npt.NDArray[np.floating[Any]]
Progress = Callable[[float, float], None]
FOLDS = 5
LIBRARIES = ("spacy", "scikit-learn", "scipy", "numpy")


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came out; stored in meta.json. All figures are cross-fitted."""

    version: str
    mails: int
    authors: tuple[str, ...]
    primary_accuracy: float
    intent_micro_f1: float
    action_accuracy: float
    claim_threshold: float
    abstain_below: float


@dataclass(frozen=True, slots=True)
class Head:
    """A linear head in the space of the training mails: scores = gram @ dual + beside @ direct + bias."""

    dual: Matrix
    direct: Matrix
    bias: Matrix


@dataclass(frozen=True, slots=True)
class _Data:
    examples: tuple[Example, ...]
    inputs: tuple[ClassifierInput, ...]
    labels: tuple[str, ...]
    roles: tuple[str, ...]
    primary: Matrix
    """One-hot, (mails, labels)."""
    intents: Matrix
    role: Matrix
    action: Matrix
    facts: Matrix
    gram: Matrix


def train(
    examples_dir: Path, config_path: Path, model_dir: Path, *, labels: Sequence[str], now: datetime, progress: Progress
) -> TrainingReport:
    """Train on `examples_dir` and put the model at `model_dir`.

    Raises AssetError for examples that cannot be read, ModelError if their labels are not exactly `labels`.
    """
    read = read_examples(examples_dir)
    _require_labels(read.examples, labels)
    inputs = []
    for n, example in enumerate(read.examples):
        inputs.append(to_input(example))
        if n % 100 == 0:
            progress(n, 3 * len(read.examples))
    nlp = _blank_pipeline(config_path)
    intents, action = _components(nlp)
    rows = intents.vectorizer.fit([normalise(whole_text(mail)) for mail in inputs])
    data = _data(
        read.examples, tuple(inputs), tuple(sorted(labels)), np.asarray((rows @ rows.T).todense(), dtype=np.float64)
    )
    progress(1.2, 3)
    report = _fit(data, intents, action, lambda done: progress(1.2 + 1.8 * done, 3))
    intents.arrays["idf"] = intents.vectorizer.idf()
    for component in (intents, action):
        _to_primal(component.arrays, rows)
    intents.document |= {"vocabularies": intents.vectorizer.vocabularies()}
    version = _model_version(read, config_path)
    final = TrainingReport(version, len(data.examples), tuple(sorted({one.author for one in data.examples})), **report)
    nlp.meta["mailflow"] = {
        **asdict(final),
        "labels": list(data.labels),
        "data_sha256": read.sha256,
        "trained_at": now.isoformat(),
        "chosen_by": f"{FOLDS}-fold cross-fitting grouped by sender domain, on the training mails alone",
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
    examples: tuple[Example, ...], inputs: tuple[ClassifierInput, ...], labels: tuple[str, ...], gram: Matrix
) -> _Data:
    roles = tuple(role.value for role in Role)
    return _Data(
        examples=examples,
        inputs=inputs,
        labels=labels,
        roles=roles,
        primary=_one_hot([example.primary for example in examples], labels),
        intents=np.array([[label in example.intents for label in labels] for example in examples], dtype=np.float64),
        role=_one_hot([example.role.value for example in examples], roles),
        action=_one_hot([example.action.value for example in examples], ACTIONS),
        facts=np.array([fact_row(mail) for mail in inputs], dtype=np.float64),
        gram=gram,
    )


def _one_hot(values: Sequence[str], names: Sequence[str]) -> Matrix:
    return np.array([[value == name for name in names] for value in values], dtype=np.float64)


# --- fitting ----------------------------------------------------------------------------------------------------------


def _fit(
    data: _Data, intents: IntentsComponent, action: ActionComponent, progress: Callable[[float], None]
) -> dict[str, float]:
    """Fill both components. Returns the figures of the report."""
    everything = np.arange(len(data.examples))
    facts = data.facts * action.facts_weight
    nothing = np.zeros((len(everything), 0))
    strength = intents.regularisation | action.regularisation
    wanted: dict[str, tuple[Matrix, Matrix, str]] = {
        "primary": (data.primary, nothing, "softmax"),
        "intents": (data.intents, nothing, "logistic"),
        "role": (data.role, nothing, "softmax"),
        "plain": (data.action, facts, "softmax"),
    }
    folds = _folds(data)
    out_of_fold = {name: np.zeros_like(target) for name, (target, _, _) in wanted.items()}
    for n, (seen, unseen) in enumerate(folds):
        basis = Basis.of(data.gram[np.ix_(seen, seen)])
        for name, (target, beside, loss) in wanted.items():
            head = fit_head(basis, target[seen], beside[seen], strength[name], loss)
            scores = data.gram[np.ix_(unseen, seen)] @ head.dual + beside[unseen] @ head.direct + head.bias
            out_of_fold[name][unseen] = scores
        progress((n + 1) / (FOLDS + 1))
    temperatures = {name: fit_temperature(out_of_fold[name], wanted[name][0], wanted[name][2]) for name in wanted}
    p_primary = softmax(out_of_fold["primary"], temperatures["primary"])
    p_intents = sigmoid(out_of_fold["intents"], temperatures["intents"])
    stacked_in = stacked_row(np.hstack([p_primary, p_intents]), data.facts)
    stacked_scores = np.zeros_like(data.action)
    for seen, unseen in folds:
        head = fit_direct(stacked_in[seen], data.action[seen], strength["stacked"])
        stacked_scores[unseen] = stacked_in[unseen] @ head.direct + head.bias
    temperatures["stacked"] = fit_temperature(stacked_scores, data.action, "softmax")

    basis = Basis.of(data.gram)
    for name, (target, beside, loss) in wanted.items():
        _keep(action if name == "plain" else intents, name, fit_head(basis, target, beside, strength[name], loss))
    _keep(action, "stacked", fit_direct(stacked_in, data.action, strength["stacked"]))
    action.document = {"temperatures": {name: temperatures[name] for name in ("plain", "stacked")}}
    threshold, f1 = best_claim_threshold(p_primary, p_intents, data.intents)
    right = p_primary.argmax(1) == data.primary.argmax(1)
    abstain = abstention_threshold(p_primary.max(1), right)
    intents.document = {
        "labels": list(data.labels),
        "roles": list(data.roles),
        "temperatures": {name: temperatures[name] for name in ("primary", "intents", "role")},
        "claim_threshold": threshold,
        "abstain_below": abstain,
    }
    plain = softmax(out_of_fold["plain"], temperatures["plain"])
    both = (plain + softmax(stacked_scores, temperatures["stacked"])) / 2
    return {
        "primary_accuracy": round(float(right.mean()), 4),
        "intent_micro_f1": round(f1, 4),
        "action_accuracy": round(float((both.argmax(1) == data.action.argmax(1)).mean()), 4),
        "claim_threshold": threshold,
        "abstain_below": abstain,
    }


def _folds(data: _Data) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Stratified by primary intent, grouped by the sender's domain; colleagues, who share one, by their address."""
    groups = [
        example.from_addr.lower() if example.role is Role.INTERNAL else example.domain or example.id
        for example in data.examples
    ]
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    return list(splitter.split(np.zeros(len(groups)), data.primary.argmax(1), groups))


@dataclass(frozen=True, slots=True)
class Basis:
    """The directions that the training mails span: coordinates (mails, rank) and the way back to mails."""

    coordinates: Matrix
    back: Matrix

    @classmethod
    def of(cls, gram: Matrix) -> "Basis":
        values, vectors = np.linalg.eigh(gram)
        kept = values > 1e-6 * values[-1]
        roots = np.sqrt(values[kept])
        return cls(vectors[:, kept] * roots, vectors[:, kept] / roots)


def fit_head(basis: Basis, target: Matrix, beside: Matrix, c: float, loss: str) -> Head:
    """A penalised linear head on the mails' coordinates and the features `beside` them."""
    rank = basis.coordinates.shape[1]
    direct = _minimise(np.hstack([basis.coordinates, beside]), target, c, loss)
    return Head(basis.back @ direct[:rank], direct[rank:-1], direct[-1])


def fit_direct(rows: Matrix, target: Matrix, c: float) -> Head:
    weights = _minimise(np.asarray(rows, dtype=np.float64), target, c, "softmax")
    return Head(np.zeros((0, target.shape[1])), weights[:-1], weights[-1])


def _minimise(rows: Matrix, target: Matrix, c: float, loss: str) -> Matrix:
    """L2-penalised regression, all classes at once: weights (features + 1, classes), the bias last and not penalised.

    Why not one scikit-learn model a label: 22 of them take ten times as long for the same minimum (tests compare them).
    """
    features, classes = rows.shape[1], target.shape[1]

    def objective(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(features + 1, classes)
        scores = rows @ weights[:-1] + weights[-1]
        if loss == "softmax":
            top = scores.max(axis=1, keepdims=True)
            logs = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
            value, slope = float((logs * target - scores * target).sum()), np.exp(scores - logs) - target
        else:
            value = float((np.logaddexp(0, scores) - scores * target).sum())
            slope = 1 / (1 + np.exp(-scores)) - target
        gradient = np.vstack([rows.T @ slope + weights[:-1] / c, slope.sum(axis=0, keepdims=True)])
        return value + float((weights[:-1] ** 2).sum()) / (2 * c), gradient.ravel()

    start = np.zeros((features + 1) * classes)
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-9, "gtol": 1e-4}
    )
    weights: Matrix = found.x.reshape(features + 1, classes)
    if not np.abs(weights).max() > 1e-3:
        raise ModelError("a head learned nothing: the examples of its classes are alike")
    return weights


def fit_temperature(scores: Matrix, target: Matrix, loss: str) -> float:
    """The temperature that makes cross-fitted scores honest (Guo et al. 2017)."""

    def cost(temperature: float) -> float:
        scaled = scores / temperature
        if loss == "softmax":
            top = scaled.max(axis=1, keepdims=True)
            logs = top + np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
            return float(((logs - scaled) * target).sum())
        return float((np.logaddexp(0, scaled) - scaled * target).sum())

    return round(float(minimize_scalar(cost, bounds=(0.2, 5.0), method="bounded").x), 4)


def best_claim_threshold(primary: Matrix, intents: Matrix, wanted: Matrix) -> tuple[float, float]:
    """(threshold for a further intent, micro-F1 there)."""
    first = np.eye(primary.shape[1], dtype=bool)[primary.argmax(1)]
    found = {}
    for threshold in np.arange(0.2, 0.81, 0.02):
        said = first | (intents >= threshold)
        hits = float((said * wanted).sum())
        found[round(float(threshold), 2)] = 2 * hits / float(said.sum() + wanted.sum())
    best = max(found, key=found.__getitem__)
    return best, found[best]


def abstention_threshold(confidence: Matrix, right: npt.NDArray[np.bool_]) -> float:
    """The end of the lowest band of confidence in which the model is wrong more than half of the time, band by band.

    Bands are 0.1 wide; one with fewer than 20 mails says nothing.
    """
    threshold = 0.0
    for start in np.arange(0.0, 0.6, 0.1):
        band = (confidence >= start) & (confidence < start + 0.1)
        if band.sum() >= 20 and right[band].mean() >= 0.5:
            break
        threshold = round(float(start) + 0.1, 2)
    return threshold


def _keep(component: IntentsComponent | ActionComponent, name: str, head: Head) -> None:
    component.arrays |= {
        f"{name}_dual": head.dual.astype(np.float32),
        f"{name}_coef": head.direct.astype(np.float32),
        f"{name}_bias": head.bias.astype(np.float32),
    }


def _to_primal(arrays: dict[str, Floats], rows: csr_matrix) -> None:
    """Weights an n-gram from weights a training mail: w = rows.T @ dual; the direct weights stay below them."""
    for name in [key.removesuffix("_dual") for key in arrays if key.endswith("_dual")]:
        dual = arrays.pop(f"{name}_dual")
        if len(dual):
            arrays[f"{name}_coef"] = np.vstack([rows.T @ dual, arrays[f"{name}_coef"]]).astype(np.float32)


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
    if model_dir.exists():
        model_dir.rename(old)
    fresh.rename(model_dir)
    shutil.rmtree(old, ignore_errors=True)
