"""Which rule acts where, and which test holds it: docs/coverage.md, made of the files that cite the numbers.

Rule: a rule (R) acts where data cites it, because a desk's knowledge is data: a row, a link, a canned reply, a next
step, or a guard or fact. A consequence for the program (D) may also act in a module that names it.
Rule: a rule without a place, or without a test, is a problem.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailflow.core.canned import Canned
from mailflow.core.check import Link
from mailflow.core.playbook import FACTS, Playbook
from mailflow.core.policy import GUARDS, SEND_GUARDS

MOST_WORDS = 10
"""Of a rule in classifiers/rules.yaml."""

RULES = (*(f"R{n}" for n in range(1, 102)), *(f"D{n}" for n in range(1, 9)))
"""Every rule that must act, in the order of the specification."""

_SAMPLE = re.compile(r'(["\'])[RD]\d{1,3}\1(?!:)')
"""A number that stands alone in quotes and is no key of a table: a value for a test to use, no word about the rule."""
_NUMBER = re.compile(r"(?<![A-Za-z0-9])([RD])(\d{1,3})(?:(?:-| to )(?:\1)?(\d{1,3}))?(?![A-Za-z0-9.%])")
_IN_A_NAME = re.compile(r"(?:^|_)([rd])(\d{1,3})(?=_|\b)")


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that may cite a rule."""

    words: Mapping[str, str]
    """classifiers/rules.yaml: number -> what it is about."""
    playbook: Playbook
    links: Mapping[str, Link]
    canned: Mapping[str, Canned]
    modules: Mapping[str, str]
    """Path -> text of the program's modules."""
    tests: Mapping[str, str]
    """Path -> text of the tests."""


@dataclass(slots=True)
class Coverage:
    """One rule: where it acts and who would notice if it did not. Each list in the order of the files."""

    rule: str
    words: str
    rows: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    canned: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    """Guards and facts; for a D also modules."""
    tests: list[str] = field(default_factory=list)

    @property
    def acts(self) -> bool:
        return any((self.rows, self.next_steps, self.links, self.canned, self.code))


def cited(text: str) -> set[str]:
    """The rule numbers that `text` names: `R12`, `R77-R85` and `R96 to R99` with all between, `r12_` in a name."""
    found: set[str] = set()
    text = _SAMPLE.sub(" ", text)
    for letter, first, last in _NUMBER.findall(text):
        found |= {f"{letter}{n}" for n in range(int(first), int(last or first) + 1)}
    return found | {f"{letter.upper()}{number}" for letter, number in _IN_A_NAME.findall(text)}


def coverage(sources: Sources) -> list[Coverage]:
    """One entry a rule, in order. Pure."""
    table = {rule: Coverage(rule, sources.words.get(rule, "")) for rule in RULES}
    for column, name, rules in _citations(sources):
        for rule in rules:
            if rule in table and name not in (names := getattr(table[rule], column)):
                names.append(name)
    return list(table.values())


def _citations(sources: Sources) -> Iterator[tuple[str, str, Iterable[str]]]:
    """(column, what stands in it, the rules that it stands for)."""
    for name, intent in sorted(sources.playbook.intents.items()):
        yield "rows", name, intent.rules
        for audience, row in sorted(intent.audiences.items()):
            yield "rows", f"{name} {audience}", row.rules
            if row.template:
                yield "templates", row.template, row.rules
        yield "next_steps", name, cited(" ".join(intent.next_steps))
    for name, link in sources.links.items():
        yield "links", name, link.rules
    for name, reply in sources.canned.items():
        yield "canned", name, reply.rules
    for guard in GUARDS + SEND_GUARDS:
        yield "code", f"guard {guard.name}", cited(guard.why)
    for fact, sentence in FACTS.items():
        yield "code", f"fact {fact}", cited(sentence)
    for path, text in sorted(sources.modules.items()):
        yield "code", path, {rule for rule in cited(text) if rule.startswith("D")}
    for path, text in sorted(sources.tests.items()):
        yield "tests", path, cited(text)


def problems(rows: Iterable[Coverage]) -> list[str]:
    """Every rule that is not told, acts nowhere or is held by no test, and what to do about it."""
    return [problem for row in rows for problem in _problems(row)]


def _problems(row: Coverage) -> Iterator[str]:
    if not row.words:
        yield f"{row.rule} has no words; add it to classifiers/rules.yaml"
    elif (length := len(row.words.split())) > MOST_WORDS:
        yield f"{row.rule} has {length} words in classifiers/rules.yaml; say it in {MOST_WORDS}"
    if not row.acts:
        yield f"{row.rule} acts nowhere; cite it where it does, at least in an intent's rules or next_steps"
    if not row.tests:
        yield f"{row.rule} has no test; write one that fails without it and name the rule there"


_HEAD = """\
# Which rule acts where

Each rule of the specification by its number: where the desk's files cite it and which tests name it. This page is made:
`.venv/bin/python tools/coverage.py` writes it anew, and `tests/spec/test_coverage.py` fails where it is out of date.

A row is an intent in `classifiers/intents/`, alone for the intent as a whole or with its reader. A rule that begins
with D is about the program, so modules count as places too.
"""
_COLUMNS = ("Rule", "What it says", "Rows", "Templates", "Next steps of", "Links", "Canned replies", "In code", "Tests")


def page(rows: Iterable[Coverage]) -> str:
    """docs/coverage.md."""
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    for row in rows:
        names = (row.rows, row.templates, row.next_steps, row.links, row.canned, row.code, row.tests)
        lines.append(_line([row.rule, row.words, *(", ".join(f"`{name}`" for name in group) for group in names)]))
    return _HEAD + "\n" + "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
