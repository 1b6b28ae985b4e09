"""The recipe of docs/adding-an-intent.md, done in a copy of the desk: YAML, a template, 30 examples, no Python.

The examples are by three authors: what one alone writes, nobody else's mails can confirm. Mails that asked for the same
and were `other` until now are taken out, as the recipe says.
"""

import re
import shutil
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from tests.test_cli import mailflow, one_line

from mailflow import bootstrap
from mailflow.core.playbook import Rollout
from mailflow.reading.understand import reader
from mailflow.settings import DeskSettings, Settings, StoreSettings
from mailflow.testing import FrozenClock, ScriptedSubmission, raw_mail

ROOT = Path(__file__).parents[2]
EXAMPLES = Path(__file__).with_name("swag_request.jsonl")

MERCHANDISE = re.compile(r"swag|t-?shirt|merch|sticker|hoodie|give-?away", re.IGNORECASE)

INTENT = """\
intent: swag_request
title: Your question about merchandise
description: >-
  Wants shirts, stickers or give-aways with our logo.
in_scope: true
rules: [D4]
audiences:
  external: {action: send, template: swag_request.external, rules: [D4]}
  internal: {action: never, rules: [D4]}
queue: general
next_steps:
  - "Forward it to the channel manager."
"""

TEMPLATE = """\
Merchandise goes through your Channel Account Manager. Please write to them directly.

More is written in the {{ links.program_guide }}

Your email by itself does not order anything.
"""

ASKED = raw_mail(
    "Hello,\r\n\r\nwe will have a stand at a fair. Can we order T-shirts and stickers with your logo, and how?\r\n",
    subject="Shirts and stickers for our stand",
)


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "templates", root / "templates")
    shutil.copytree(ROOT / "classifiers", root / "classifiers", ignore=shutil.ignore_patterns("model"))
    (root / "mailflow.toml").write_text(f'[desk]\nassets = "{root}"\n', encoding="utf-8")
    (root / "classifiers" / "intents" / "swag_request.yaml").write_text(INTENT, encoding="utf-8")
    (root / "templates" / "swag_request.external.md.j2").write_text(TEMPLATE, encoding="utf-8")
    shutil.copy(EXAMPLES, root / "classifiers" / "examples")
    for file in (root / "classifiers" / "examples").glob("[!s]*.jsonl"):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not MERCHANDISE.search(line)), encoding="utf-8")
    return root


def test_the_recipe_ends_in_an_answered_mail(assets: Path, tmp_path: Path) -> None:
    config = str(assets / "mailflow.toml")
    early = mailflow("check", "--config", config)
    assert early.exit_code == 1
    assert "holds no model: run `mailflow train`" in one_line(early.stderr)

    trained = mailflow("train", "--config", config)
    assert trained.exit_code == 0, trained.output
    checked = mailflow("check", "--config", config)
    assert checked.exit_code == 0, checked.output

    settings = Settings(
        desk=DeskSettings(assets=assets, rollout=Rollout.LIVE, undo_seconds=0),
        store=StoreSettings(url=f"sqlite:///{tmp_path / 'store.sqlite3'}"),
    )
    inbox, submission = tmp_path / "in", ScriptedSubmission()
    inbox.mkdir()
    (inbox / "one.eml").write_bytes(ASKED)
    bootstrap.build_worker(
        settings,
        source=bootstrap.build_file_source(inbox),
        submission=submission,
        read=reader(bootstrap.build_desk(settings)),
        clock=FrozenClock(),
    ).run_once()
    (sent,) = submission.sent
    text = message_from_bytes(sent.content, policy=default).get_body(("plain",))
    assert text is not None
    assert "Merchandise goes through your Channel Account Manager." in text.get_content()
