"""The demo's sample mails, none of them used in training: never a wrong answer, and enough right ones to see."""

import json
from pathlib import Path

import pytest

from mailflow import bootstrap
from mailflow.adapters.mail_files import read_mails
from mailflow.core.classification import Action
from mailflow.reading.understand import reader
from mailflow.services.triage import Triaged
from mailflow.settings import Settings

MAILS = Path(__file__).parents[2] / "demo" / "mails"
EXPECTED: dict[str, dict[str, list[str]]] = json.loads((MAILS / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def triaged() -> dict[str, Triaged]:
    settings = Settings()
    desk = bootstrap.build_desk(settings)
    triage = bootstrap.build_triage(settings, read=reader(desk))
    return {Path(mail.name).name: triage.triage(mail.content) for mail in read_mails(MAILS)}


def test_every_sample_has_its_expectation(triaged: dict[str, Triaged]) -> None:
    assert set(triaged) == set(EXPECTED)


def test_no_sample_is_answered_wrongly(triaged: dict[str, Triaged]) -> None:
    for name, one in triaged.items():
        if one.decision.action is Action.REPLY:
            assert "reply" in EXPECTED[name]["actions"], name
            assert {part.intent for part in one.decision.answers} <= set(EXPECTED[name]["intents"]), name


def test_nobody_who_waits_meets_silence(triaged: dict[str, Triaged]) -> None:
    for name, one in triaged.items():
        if one.decision.action is Action.NONE:
            assert "none" in EXPECTED[name]["actions"], name


def test_a_third_of_what_can_be_answered_is(triaged: dict[str, Triaged]) -> None:
    """Holding everything would be safe and useless. Colleagues' mails have no proof here and are left out."""
    answerable = [name for name, wanted in EXPECTED.items() if wanted["actions"] == ["reply"]]
    answered = [name for name in answerable if triaged[name].decision.action is Action.REPLY]
    assert 3 * len(answered) >= len(answerable)
