"""Every rule acts somewhere and is held by a test, and docs/coverage.md says where."""

from dataclasses import replace

import pytest
from tests.spec.desk import CANNED, LINKS, PLAYBOOK
from tools.coverage import PAGE, read_sources

from mailflow.core.coverage import MOST_WORDS, RULES, Coverage, Sources, cited, coverage, page, problems

SHIPPED = read_sources()
EMPTY = PLAYBOOK.model_copy(update={"intents": {}})


def test_each_rule_acts_somewhere_and_has_a_test() -> None:
    assert problems(coverage(SHIPPED)) == []


def test_each_rule_and_no_other_is_told_in_a_few_words() -> None:
    assert list(SHIPPED.words) == list(RULES)
    assert len(set(SHIPPED.words.values())) == len(RULES), "two rules that say the same are not told apart"


def test_the_page_is_what_the_generator_makes() -> None:
    made = page(coverage(SHIPPED))
    assert PAGE.read_text(encoding="utf-8") == made, "run `.venv/bin/python tools/coverage.py`, which writes it anew"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('"""As R201 says (R203, D9)."""', {"R201", "R203", "D9"}),
        ("# R201-R203; A1", {"R201", "R202", "R203"}),
        ("R201 to R203 and R301-302", {"R201", "R202", "R203", "R301", "R302"}),
        ("def test_r201_holds() -> None:", {"R201"}),
        ("def test_that_it_holds_d9() -> None:", {"D9"}),
        ('CHECKS = {"R201": 1}', {"R201"}),
        ('rules=("R201",)', set()),
        ("rules=('R201', 'R202')", set()),
        ("a board_r2d2, GR201, R2014, R20.5 and r201", set()),
    ],
)
def test_a_number_is_cited_in_words_and_names_but_not_by_a_sample(text: str, numbers: set[str]) -> None:
    assert cited(text) == numbers


def test_a_rule_that_nothing_cites_is_told_with_what_to_do() -> None:
    alone = problems([Coverage("R201", "")])
    assert ["no words" in alone[0], "acts nowhere" in alone[1], "no test" in alone[2]] == [True, True, True]
    long = Coverage("R201", "word " * (MOST_WORDS + 1), links=["portal"], tests=["tests/test_x.py"])
    assert problems([long]) == ["R201 has 11 words in classifiers/rules.yaml; say it in 10"]


def test_what_is_taken_away_is_missed() -> None:
    """The tables of the page are not there by chance: without a kind of file its rules have no place."""
    bare = Sources(SHIPPED.words, PLAYBOOK, LINKS, CANNED, modules={}, tests={})
    assert {row.rule for row in coverage(bare) if row.tests} == set()
    assert not next(row for row in coverage(replace(bare, playbook=EMPTY)) if row.rule == "R63").rows
    portal = next(row for row in coverage(SHIPPED) if row.rule == "R26")
    assert "portal" in portal.links
    assert not next(row for row in coverage(replace(SHIPPED, links={})) if row.rule == "R26").links


def test_a_module_is_a_place_for_what_is_about_the_program_alone() -> None:
    only_code = Sources({}, EMPTY, {}, {}, {"src/x.py": " ".join(("#", "R2", "D7"))}, {})
    acting = {row.rule: row.code for row in coverage(only_code)}
    assert "src/x.py" in acting["D7"]
    assert acting["R2"] == []
