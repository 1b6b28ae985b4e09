"""The fuzzer's oracle without the fuzzer: what it checks holds for its seeds and for mails that its mutations make.

`make fuzz` goes on from here, guided by coverage; this proves on every run that the oracle and the mutations work.
"""

from pathlib import Path
from random import Random

import pytest
from fuzz import invariants, mutations, seeds

MUTATIONS = 400
LONGEST = 20_000


@pytest.mark.parametrize("path", seeds.paths(), ids=lambda path: path.stem)
def test_what_must_hold_holds_for_each_seed(path: Path) -> None:
    content = path.read_bytes()
    if len(content) <= 10 * LONGEST:
        assert invariants.broken(content) == []


def test_what_must_hold_holds_for_mutated_mails() -> None:
    """The same mails on every run: the dice are seeded."""
    mails = [content for path in seeds.paths() if len(content := path.read_bytes()) <= LONGEST]
    dice = Random(0)
    for _ in range(MUTATIONS):
        content = mutations.mutated(dice.choice(mails), dice.choice(mails), dice, LONGEST)
        assert invariants.broken(content) == [], content


def test_mutations_are_repeatable_and_bounded() -> None:
    mails = [path.read_bytes()[:LONGEST] for path in seeds.paths()[:40]]
    for number, content in enumerate(mails):
        first, again = (mutations.mutated(content, mails[0], Random(number), LONGEST) for _ in range(2))
        assert first == again
        assert len(first) <= LONGEST


def test_the_oracle_sees_what_is_broken() -> None:
    """An oracle that finds nothing whatever comes would let everything pass."""
    assert list(invariants.header_faults(b"From: a@b.example\r\nBcc: x@evil.example\r\n\r\nhi"))
    spans = tuple(invariants.read(b"From: a@b.example\r\n\r\nhello there\r\n").message.new_spans)
    assert list(invariants.span_faults((*spans, *spans), 1))
