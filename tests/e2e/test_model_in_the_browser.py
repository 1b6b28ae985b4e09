"""The way of a new model to work, by hand: compare it on the desk's own mail, look at what would change, promote, and
roll back. The candidate is the shipped model with a gate that trusts no answer.
"""

import json
import shutil
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from tests.browser import browsing
from tests.e2e.browser_desk import PASSWORD, Desk, opened, shot
from tests.e2e.mailboxes import DeskOffice, MailProgram, write_mail

from mailflow.adapters.model_folder import version_in
from mailflow.adapters.sql.session import AUDIT

ROOT = Path(__file__).parents[2]
CAREFUL = "careful000001"
ASKS = ROOT / "demo" / "mails" / "01-nfr-for-the-lab.eml"
"""A mail that the shipped model answers."""


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    root = tmp_path / "assets"
    for name in ("templates", "classifiers"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("models", "model.previous"))
    candidate = root / "classifiers" / "models" / "careful"
    shutil.copytree(root / "classifiers" / "model", candidate)
    gate = candidate / "mailflow_action" / "gate_bias.npy"
    np.save(gate, np.full_like(np.load(gate), -50.0))
    meta = json.loads((candidate / "meta.json").read_text(encoding="utf-8"))
    meta["mailflow"]["version"] = CAREFUL
    (candidate / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    (candidate / "certificate.json").unlink()
    return root


@pytest.fixture
def model_desk(desk: DeskOffice, assets: Path) -> DeskOffice:
    config = desk.config.read_text()
    desk.config.write_text(config.replace("[desk]\n", f'[desk]\nassets = "{assets}"\n'))
    return desk


def test_a_model_is_compared_promoted_and_rolled_back(
    model_desk: DeskOffice, assets: Path, partner: MailProgram
) -> None:
    shipped, at_work = version_in(assets / "classifiers" / "model"), assets / "classifiers" / "model"
    with opened(model_desk) as open_desk, browsing(open_desk.address) as (sam,):
        page = sam.page
        asks = message_from_bytes(ASKS.read_bytes(), policy=default)
        partner.send(write_mail(asks.get_content(), subject=asks["Subject"]))
        sam.sign_in("sam", PASSWORD)
        expect(page.locator(".rows li")).to_have_count(1)

        page.goto(f"{open_desk.address}/training")
        expect(page.locator("button:has-text('Promote')")).to_have_count(0)
        page.click("button:has-text('Compare')")
        page.wait_for_url("**/training/careful")
        while page.locator("text=Look again").count():
            page.click("text=Look again")
        expect(page.locator("main")).to_contain_text("loses its answer")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text(asks["Subject"])
        shot(sam, "comparison")

        page.click("button:has-text('Promote careful')")
        expect(page.locator("main")).to_contain_text(f"At work: {CAREFUL}, before it: {shipped}")
        assert version_in(at_work) == CAREFUL
        page.click(f"button:has-text('Roll back to {shipped}')")
        expect(page.locator("main")).to_contain_text(f"At work: {shipped}")
        assert version_in(at_work) == shipped
        assert sam.seen.complaints == []
        assert told(open_desk) == [
            ("sam", "model promoted", f"{shipped} -> {CAREFUL}"),
            ("sam", "model rolled back", f"{CAREFUL} -> {shipped}"),
        ]


def test_who_does_not_lead_may_look_only(model_desk: DeskOffice) -> None:
    with opened(model_desk) as open_desk, browsing(open_desk.address) as (kim,):
        kim.sign_in("kim", PASSWORD)
        kim.page.goto(f"{open_desk.address}/training")
        expect(kim.page.locator("main")).to_contain_text("careful")
        expect(kim.page.locator("main button")).to_have_count(0)


def told(desk: Desk) -> list[tuple[str, str, str]]:
    asked = select(AUDIT).where(AUDIT.c.kind.startswith("model")).order_by(AUDIT.c.id)
    with desk.store.engine.begin() as connection:
        return [(row.actor, row.kind, row.sentence) for row in connection.execute(asked)]
