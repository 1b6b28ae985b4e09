"""Training: labelled mails in, a model folder out, the same bytes from the same mails.

    examples -> as the worker would read them -> features, meaning, memory -> heads, each author left out in turn
             -> temperatures, gate, thresholds -> heads on all mails -> model folder, put in place by rename

Rule: what is chosen is chosen on guesses for mails of an author that the heads have not seen: strangers write the mail.
Why the mails' products: four thousand mails have a hundred thousand n-grams but only four thousand directions; the
heads are fitted there, exactly, and their linear part is turned back into weights an n-gram.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import spacy
from spacy.language import Language

from mailflow.adapters.action import ActionComponent
from mailflow.adapters.component import Matrix, single_threaded
from mailflow.adapters.cross_fitting import Calibration, Guesses, calibrate, guess, stacked_gram
from mailflow.adapters.encoder import EncoderComponent
from mailflow.adapters.examples import read_examples
from mailflow.adapters.features import FeaturesComponent
from mailflow.adapters.fitting import fit, head_arrays, inverse, stacked_rows
from mailflow.adapters.intents import INTENT_HEADS, IntentsComponent
from mailflow.adapters.memory import MemoryComponent
from mailflow.adapters.model_folder import libraries, model_version, write_model
from mailflow.adapters.thresholds import lowest_safe
from mailflow.adapters.training_data import (
    Readers,
    TrainingData,
    author_folds,
    require_labels,
    training_data,
)
from mailflow.errors import AssetError, ModelError

Progress = Callable[[float, float], None]
MOST_WRONG = 0.015
"""Share of all mails that may get a wrong answer where the recommended threshold of the gate lies."""
STEPS = 10.0
"""Of the progress; about half of the time is reading and encoding."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came out; stored in meta.json. Figures are of `mails` mails, each guessed by heads that have seen no mail of
    its author."""

    version: str
    mails: int
    authors: tuple[str, ...]
    primary_accuracy: float
    intent_micro_f1: float
    action_accuracy: float
    """Of the stacked head."""
    claim_threshold: float
    abstain_below: float
    """The familiarity below which the classifier abstains (adapters/intents.py)."""
    reply_threshold: float
    """The lowest P(reply) from which on at most MOST_WRONG of all mails would get a wrong answer."""
    wrong_answers: float
    """There, of all mails, before the policy's own rules."""
    automation: float
    """There, right answers of the answerable."""
    answerable: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The spaCy pipeline, and those of its components that learn."""

    nlp: Language
    readers: Readers
    intents: IntentsComponent
    action: ActionComponent


def train(
    examples_dir: Path,
    config_path: Path,
    model_dir: Path,
    *,
    labels: Sequence[str],
    now: datetime,
    progress: Progress,
    further: Sequence[Path] = (),
) -> TrainingReport:
    """Train on `examples_dir` and the files `further` as `config_path` says, and put the model at `model_dir`.

    Raises AssetError for examples or a configuration that cannot be read, ModelError if the examples' labels are not
    exactly `labels` or the encoder is not the pinned one.
    """
    read = read_examples(examples_dir, further)
    require_labels(read.examples, labels)
    pipeline = blank_pipeline(config_path)
    with single_threaded():
        data = training_data(
            read.examples, tuple(sorted(labels)), pipeline.readers, lambda done: progress(5 * done, STEPS)
        )
        penalty = pipeline.intents.penalty
        inverted = inverse(data.gram, penalty)
        progress(6, STEPS)
        guesses = guess(data, inverted, author_folds(data))
        progress(9, STEPS)
        calibration = calibrate(data, guesses, pipeline.readers.memory)
        _fill(pipeline, data, inverted, guesses, calibration)
    report = _report(model_version(read.sha256, config_path), data, guesses, calibration)
    pipeline.nlp.meta["mailflow"] = {
        **asdict(report),
        "labels": list(data.labels),
        "data_sha256": read.sha256,
        "encoder": pipeline.nlp.config["components"].get("mailflow_encoder", {}),
        "trained_at": now.isoformat(),
        "chosen_by": "leaving one author out in turn, on the training mails alone",
        "operating_points": [asdict(point) for point in calibration.points],
        "libraries": libraries(),
    }
    write_model(pipeline.nlp, model_dir)
    progress(STEPS, STEPS)
    return report


def data_hash(examples_dir: Path) -> str:
    """What meta.json's `data_sha256` must be for a model of these examples."""
    return read_examples(examples_dir).sha256


def blank_pipeline(config_path: Path) -> Pipeline:
    """Components that have learned nothing yet. Raises AssetError; ModelError without the pinned encoder."""
    try:
        config = spacy.util.load_config(config_path)
        nlp = spacy.util.load_model_from_config(config, auto_fill=True, validate=True)
        return _pipeline(nlp)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{config_path}: {error}") from error


def _pipeline(nlp: Language) -> Pipeline:
    found = [nlp.get_pipe(f"mailflow_{name}") for name in ("features", "memory", "intents", "action")]
    features, memory, intents, action = found
    encoder = nlp.get_pipe("mailflow_encoder") if nlp.has_pipe("mailflow_encoder") else None
    if not (
        isinstance(features, FeaturesComponent)
        and isinstance(memory, MemoryComponent)
        and isinstance(intents, IntentsComponent)
        and isinstance(action, ActionComponent)
        and (encoder is None or isinstance(encoder, EncoderComponent))
    ):
        raise TypeError("a component is not the one of its name")
    if memory.reads_meaning != (encoder is not None):
        raise ValueError(
            "mailflow_memory has a kernel_weight above 0 exactly where mailflow_encoder is in the pipeline"
        )
    return Pipeline(nlp, Readers(features, encoder, memory), intents, action)


def _fill(pipeline: Pipeline, data: TrainingData, inverted: Matrix, guesses: Guesses, calibration: Calibration) -> None:
    """The heads that go to work: fitted on all mails."""
    intents, action = pipeline.intents, pipeline.action
    kernel_weight = pipeline.readers.memory.kernel_weight
    for name, target in data.targets.items():
        weights = inverted @ target
        _require_learned(name, (data.gram + 1) @ weights, target)
        component = intents if name in INTENT_HEADS else action
        component.arrays |= head_arrays(name, weights, data.rows, kernel_weight)
    stacked = fit(stacked_gram(data, guesses.primary), data.action, intents.penalty)
    rows = stacked_rows(data.rows, guesses.primary, data.internal)
    action.arrays |= head_arrays("stacked", stacked, rows, kernel_weight) | calibration.gate
    intents.document = {"labels": list(data.labels), "roles": list(data.roles), **calibration.intents}
    action.document = calibration.action


def _require_learned(name: str, fitted: Matrix, target: Matrix) -> None:
    """A head that cannot tell even the mails it was fitted on has learned nothing. Raises ModelError."""
    if (fitted.argmax(1) == target.argmax(1)).mean() < 0.8:
        raise ModelError(f"the head `{name}` learned nothing: its penalty is too large or its classes are alike")


def _report(version: str, data: TrainingData, guesses: Guesses, calibration: Calibration) -> TrainingReport:
    chosen = lowest_safe(calibration.points, MOST_WRONG)
    return TrainingReport(
        version=version,
        mails=len(data.examples),
        authors=tuple(sorted({one.author for one in data.examples})),
        primary_accuracy=_accuracy(guesses.primary, data.primary),
        intent_micro_f1=round(calibration.intent_micro_f1, 4),
        action_accuracy=_accuracy(guesses.scores["stacked"], data.action),
        claim_threshold=calibration.intents["claim_threshold"],
        abstain_below=calibration.intents["abstain_below"],
        reply_threshold=chosen.threshold,
        wrong_answers=round(chosen.wrong, 4),
        automation=round(chosen.automation, 4),
        answerable=int(data.answerable.sum()),
    )


def _accuracy(scores: Matrix, one_hot: Matrix) -> float:
    return round(float((scores.argmax(1) == one_hot.argmax(1)).mean()), 4)
