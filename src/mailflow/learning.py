"""A model's way to work: trained on the examples, certified on held-out mail, judged by labelled mail.

Rule: labelled mails are judged as the worker would judge them: read from bytes, guards, playbook and certificate
included. What only holds answers back for now (kill switch, rollout, quiet hours) is left out.
Rule: no mail is both learned from and held out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailflow.adapters import assets
from mailflow.adapters.certificates import write_certificate
from mailflow.bootstrap import (
    CORRECTIONS,
    Assets,
    SystemClock,
    build_desk,
    build_store,
    build_understanding,
    find_assets,
    read_holdout,
)
from mailflow.core.anonymise import anonymised
from mailflow.core.certify import Certificate, certify
from mailflow.core.classification import Action
from mailflow.core.evaluation import Assessment, Evaluation, Judged, Label
from mailflow.core.message import InboundMessage, Role
from mailflow.core.partner import NO_PARTNERS, PartnerDirectory
from mailflow.core.playbook import Playbook
from mailflow.core.ports import Classifier
from mailflow.core.replay import ReplayReport
from mailflow.core.review import Correction
from mailflow.core.storage import Read
from mailflow.errors import AssetError, ModelError
from mailflow.reading.understand import reader
from mailflow.services.replay import replay
from mailflow.services.triage import Triage
from mailflow.settings import Settings

if TYPE_CHECKING:
    from mailflow.adapters.examples import Example
    from mailflow.adapters.spacy_training import Progress, TrainingReport

MOST_CORRECTIONS = 20_000
"""Stored mails that are looked through for corrections, newest first."""
DRAWS = 2000
"""Resamples of the bootstrap: the ends of an interval then lie on the 50th value from either side."""


def train_model(
    settings: Settings, progress: Progress, *, into: Path | None = None, with_corrections: bool = False
) -> tuple[TrainingReport, Certificate | None]:
    """A new model and its certificate, which is None where no mail is held out.

    `into`: in this folder, in place of the one that works. `with_corrections`: learned from the specialists too.
    """
    from mailflow.adapters.spacy_training import train

    found = find_assets(settings)
    corrections = found.classifiers / CORRECTIONS
    if with_corrections:
        export_corrections(settings, corrections)
    report = train(
        found.classifiers / "examples",
        found.classifiers / "config.cfg",
        into or found.model,
        labels=tuple(assets.load_playbook(found.classifiers).intents),
        now=SystemClock().now(),
        progress=progress,
        further=(corrections,) if with_corrections and corrections.stat().st_size else (),
    )
    return report, certify_model(settings, progress, into) if any(found.holdout.glob("*.jsonl")) else None


def export_corrections(settings: Settings, path: Path) -> int:
    """Write what specialists said as labelled examples, without the people in them. Returns how many mails."""
    from mailflow.adapters.examples import write_labelled

    read, own_domains = reader(build_desk(settings)), frozenset(settings.desk.own_domains)
    with closing(build_store(settings)) as store:
        with store.view() as unit:
            mails = unit.stored_mails(None, MOST_CORRECTIONS)
        examples = []
        for mail in mails:
            if mail.corrected is not None:
                with store.opened(mail.inbound_id) as content:
                    message = read(content, None, NO_PARTNERS).message
                examples.append(_example(mail.message_id, message, mail.corrected, own_domains))
    write_labelled(path, examples)
    return len(examples)


def _example(message_pk: int, message: InboundMessage, said: Correction, own_domains: frozenset[str]) -> Example:
    from mailflow.adapters.examples import Example

    hidden = anonymised(
        from_name=message.from_.display_name if message.from_ else "",
        from_addr=message.from_.addr_spec if message.from_ else "",
        subject=message.subject,
        text=message.content_text,
        attachments=tuple(one.filename for one in message.attachments if not one.is_inline),
        own_domains=own_domains,
    )
    intents = said.intents or ("other",)
    return Example(
        id=f"correction-{message_pk}",
        author="desk",
        from_name=hidden.from_name,
        from_addr=hidden.from_addr,
        subject=hidden.subject,
        text=hidden.text,
        attachments=hidden.attachments,
        lang=message.language or "en",
        role=Role(said.role or Role.UNKNOWN),
        primary=intents[0],
        intents=intents,
        action=Action(said.action),
    )


def replay_desk(
    settings: Settings,
    progress: Progress,
    *,
    model: Path | None,
    assets_root: Path | None,
    since: datetime | None,
    limit: int,
) -> ReplayReport:
    """The stored mails through the desk as it is, and with another model or another folder of assets."""
    read = reader(build_desk(settings))
    after = settings.model_copy(update={"desk": settings.desk.model_copy(update={"assets": assets_root})})
    with closing(build_store(settings)) as store:
        with store.view() as unit:
            partners = unit.partners()
        return replay(
            store,
            _triage(settings, read, partners, None),
            _triage(after if assets_root else settings, read, partners, model),
            since=since,
            limit=limit,
            progress=progress,
        )


def _triage(settings: Settings, read: Read, partners: PartnerDirectory, model: Path | None) -> Triage:
    classifier, playbook = build_understanding(find_assets(settings), model=model)
    return Triage(
        read=read,
        classifier=classifier,
        playbook=playbook,
        desk_addresses=frozenset(settings.desk.addresses),
        clock=SystemClock(),
        partners=partners,
    )


def promote_model(settings: Settings, candidate: Path, actor: str) -> tuple[str, str]:
    """Put `candidate` to work; the one before is kept. Returns the versions before and after. Raises ModelError."""
    from mailflow.adapters.model_folder import promote, version_in

    found = find_assets(settings)
    build_understanding(found, model=candidate)  # it loads, and its certificate is its own
    before = version_in(found.model)
    promote(candidate, found.model)
    return _told(settings, actor, "model promoted", before, version_in(found.model))


def roll_back_model(settings: Settings, actor: str) -> tuple[str, str]:
    """Put the model before this one to work again. Returns the versions before and after. Raises ModelError."""
    from mailflow.adapters.model_folder import roll_back, version_in

    found = find_assets(settings)
    before = version_in(found.model)
    roll_back(found.model)
    return _told(settings, actor, "model rolled back", before, version_in(found.model))


def _told(settings: Settings, actor: str, kind: str, before: str, after: str) -> tuple[str, str]:
    with closing(build_store(settings)) as store, store.unit() as unit:
        unit.tell(actor, kind, f"{before or 'none'} -> {after}", SystemClock().now())
    return before, after


def certify_model(settings: Settings, progress: Progress, model: Path | None = None) -> Certificate:
    """Run the model over the held-out mails and put what that shows beside it. Raises AssetError or ModelError."""
    from mailflow.adapters.spacy_classifier import SpacyClassifier

    found = find_assets(settings)
    folder = model or found.model
    holdout = read_holdout(found)
    _require_unseen(found, holdout.examples)
    classifier, playbook = build_understanding(found, classifier=SpacyClassifier(folder))
    judged = _judge(classifier, playbook, holdout.examples, progress)
    certificate = certify(
        [one.trial for one in judged.judged],
        model_version=judged.model_version,
        rules=playbook.answering_rules,
        holdout_sha256=holdout.sha256,
        today=SystemClock().now().date(),
    )
    write_certificate(folder, certificate)
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


def replay_json(report: ReplayReport) -> str:
    """All of it, for machines (docs/machine-formats.md)."""
    from pydantic import TypeAdapter

    return TypeAdapter(ReplayReport).dump_json(report, indent=2).decode()


CANDIDATES = "models"
"""Folder beside the model where others wait: `mailflow train --into classifiers/models/NAME`."""


@dataclass(frozen=True, slots=True)
class ModelFolders:
    """The models of the desk, for the review desk (web.learning.Models)."""

    settings: Settings

    def current(self) -> str:
        from mailflow.adapters.model_folder import version_in

        return version_in(find_assets(self.settings).model)

    def previous(self) -> str:
        from mailflow.adapters.model_folder import previous_of, version_in

        return version_in(previous_of(find_assets(self.settings).model))

    def candidates(self) -> list[tuple[str, str]]:
        """(name, version), by name."""
        from mailflow.adapters.model_folder import version_in

        folders = sorted((find_assets(self.settings).classifiers / CANDIDATES).glob("*/meta.json"))
        return [(file.parent.name, version_in(file.parent)) for file in folders]

    def compare(self, name: str, mails: int, progress: Progress) -> ReplayReport:
        return replay_desk(self.settings, progress, model=self._folder(name), assets_root=None, since=None, limit=mails)

    def promote(self, name: str, actor: str) -> None:
        promote_model(self.settings, self._folder(name), actor)

    def roll_back(self, actor: str) -> None:
        roll_back_model(self.settings, actor)

    def _folder(self, name: str) -> Path:
        """Only of those that are there: a name from outside never becomes a path."""
        if name not in dict(self.candidates()):
            raise ModelError(f"there is no model {name}: `mailflow train --into` makes one")
        return find_assets(self.settings).classifiers / CANDIDATES / name
