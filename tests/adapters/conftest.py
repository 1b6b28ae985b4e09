"""Models that are trained once for all tests of the classifier, strong and light, and a mailbox for each IMAP test."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.adapters import mails_to_learn
from tests.adapters.imap_desk import Desk
from tests.servers import MailServers

from mailflow.adapters.imap import ImapSource
from mailflow.adapters.spacy_training import TrainingReport, train

CLASSIFIERS = Path(__file__).parents[2] / "classifiers"
CONFIG, LIGHT = CLASSIFIERS / "config.cfg", CLASSIFIERS / "config_light.cfg"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def train_quietly(
    examples: Path, model: Path, config: Path = CONFIG, progress: Callable[[float, float], None] = lambda done, of: None
) -> TrainingReport:
    return train(examples, config, model, labels=mails_to_learn.LABELS, now=NOW, progress=progress)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mails_to_learn.write(tmp_path_factory.mktemp("examples"), mails_to_learn.rows())


@pytest.fixture(scope="session")
def model(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    train_quietly(examples, folder)
    return folder


@pytest.fixture(scope="session")
def light_model(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "light"
    train_quietly(examples, folder, LIGHT)
    return folder


@pytest.fixture
def desk(mail_servers: MailServers) -> Iterator[Desk]:
    desk = Desk(mail_servers)
    yield desk
    desk.program.logout()


@pytest.fixture
def source(desk: Desk) -> Iterator[ImapSource]:
    source = ImapSource(desk.account())
    yield source
    source.close()
