"""A model's way to work: trained on the examples, certified on held-out mail, judged by labelled mail.

Rule: labelled mails are judged as the worker would judge them: read from bytes, guards, playbook and certificate
included. What only holds answers back for now (kill switch, rollout, quiet hours) is left out.
Rule: no mail is both learned from and held out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailflow.adapters import assets
from mailflow.adapters.certificates import write_certificate
from mailflow.bootstrap import Assets, SystemClock, build_understanding, find_assets, read_holdout
from mailflow.core.certify import Certificate, certify
from mailflow.core.evaluation import Assessment, Evaluation, Judged, Label
from mailflow.core.playbook import Playbook
from mailflow.core.ports import Classifier
from mailflow.errors import AssetError
from mailflow.reading.understand import reader
from mailflow.services.triage import Triage
from mailflow.settings import Settings

if TYPE_CHECKING:
    from mailflow.adapters.examples import Example
    from mailflow.adapters.spacy_training import Progress, TrainingReport

DRAWS = 2000
"""Resamples of the bootstrap: the ends of an interval then lie on the 50th value from either side."""


def train_model(settings: Settings, progress: Progress) -> tuple[TrainingReport, Certificate | None]:
    """A new model in place of the old one, and its certificate; None where no mail is held out."""
    from mailflow.adapters.spacy_training import train

    found = find_assets(settings)
    report = train(
        found.classifiers / "examples",
        found.classifiers / "config.cfg",
        found.model,
        labels=tuple(assets.load_playbook(found.classifiers).intents),
        now=SystemClock().now(),
        progress=progress,
    )
    return report, certify_model(settings, progress) if any(found.holdout.glob("*.jsonl")) else None


def certify_model(settings: Settings, progress: Progress) -> Certificate:
    """Run the model over the held-out mails and put what that shows beside it. Raises AssetError or ModelError."""
    from mailflow.adapters.spacy_classifier import SpacyClassifier

    found = find_assets(settings)
    holdout = read_holdout(found)
    _require_unseen(found, holdout.examples)
    classifier, playbook = build_understanding(found, classifier=SpacyClassifier(found.model))
    judged = _judge(classifier, playbook, holdout.examples, progress)
    certificate = certify(
        [one.trial for one in judged.judged],
        model_version=judged.model_version,
        rules=playbook.answering_rules,
        holdout_sha256=holdout.sha256,
        today=SystemClock().now().date(),
    )
    write_certificate(found.model, certificate)
    return certificate


def evaluate_model(
    settings: Settings, paths: Sequence[Path], progress: Progress, *, against: Path | None = None
) -> Assessment:
    """What the desk would do with each labelled mail, beside its label; `against`: and with another model's folder."""
    from mailflow.adapters.examples import read_labelled

    found = find_assets(settings)
    labelled = [one for path in paths for one in read_labelled(path)]
    if not labelled:
        raise AssetError(f"{', '.join(map(str, paths))}: no labelled mails are here")
    chance = random.Random(0)  # noqa: S311 - a resample, the same one each time
    return Assessment(
        mails=tuple(path.name for path in paths),
        ours=_judge(*build_understanding(found), labelled, progress),
        theirs=_judge(*build_understanding(found, model=against), labelled, progress) if against else None,
        draws=[chance.choices(range(len(labelled)), k=len(labelled)) for _ in range(DRAWS)],
        is_calibration=any(path.resolve().parent == found.holdout.resolve() for path in paths),
    )


def _judge(classifier: Classifier, playbook: Playbook, labelled: Sequence[Example], progress: Progress) -> Evaluation:
    from mailflow.adapters.examples import EXAMPLE_DESK, to_bytes

    triage = Triage(
        read=reader(EXAMPLE_DESK),
        classifier=classifier,
        playbook=playbook,
        desk_addresses=EXAMPLE_DESK.addresses,
        clock=SystemClock(),
    )
    judged = []
    for n, example in enumerate(labelled):
        progress(n, len(labelled))
        triaged = triage.triage(to_bytes(example))
        judged.append(Judged(_label(example), triaged.classification, triaged.decision))
    return Evaluation(classifier.version, playbook.defaults.min_reply_probability, playbook.certificate, tuple(judged))


def _label(example: Example) -> Label:
    return Label(
        name=example.id,
        language=example.lang,
        author=example.author,
        role=example.role,
        intents=(example.primary, *(one for one in example.intents if one != example.primary)),
        action=example.action,
        pair=example.pair,
        subject=example.subject,
    )


def _require_unseen(found: Assets, holdout: Sequence[Example]) -> None:
    from mailflow.adapters.examples import read_examples

    learned = {(one.subject, one.text) for one in read_examples(found.classifiers / "examples").examples}
    if both := [one.id or one.subject for one in holdout if (one.subject, one.text) in learned]:
        raise AssetError(f"{found.holdout}: {', '.join(both[:5])}: a mail among the examples cannot be held out too")


def write_report(assessment: Assessment, path: Path) -> None:
    """Everything about it in one HTML file. Raises AssetError where that cannot be written."""
    from mailflow.adapters.evaluation_report import render

    try:
        path.write_text(render(assessment, made_at=SystemClock().now()), encoding="utf-8")
    except OSError as error:
        raise AssetError(f"--report {path}: {error.strerror}") from error
