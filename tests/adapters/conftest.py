"""A model that is trained once for all tests of the classifier."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.adapters import mails_to_learn

from mailflow.adapters.spacy_training import TrainingReport, train

CONFIG = Path(__file__).parents[2] / "classifiers" / "config.cfg"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def train_quietly(examples: Path, model: Path) -> TrainingReport:
    return train(examples, CONFIG, model, labels=mails_to_learn.LABELS, now=NOW, progress=lambda done, of: None)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mails_to_learn.write(tmp_path_factory.mktemp("examples"), mails_to_learn.rows())


@pytest.fixture(scope="session")
def model(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    train_quietly(examples, folder)
    return folder
