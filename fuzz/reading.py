"""Coverage-guided fuzzing of reading with atheris: `make fuzz`, or `python -m fuzz.reading [options] [files]`.

Findings lie in var/fuzz (crash-*, timeout-*), what was learned in var/fuzz/corpus; both outlive a run. With files, each
of them is read once and nothing is mutated.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["mailflow", "mailparser", "flufl"]):
    from fuzz import invariants

from fuzz import mutations, seeds

WORK = seeds.ROOT / "var" / "fuzz"
CORPUS = WORK / "corpus"
OPTIONS = (
    "-timeout=5",
    "-rss_limit_mb=2048",
    "-max_len=20000",
    f"-dict={Path(__file__).with_name('mail.dict')}",
    f"-artifact_prefix={WORK}/",
)
"""Those of libFuzzer; the same ones on the command line come later and win."""
_OCTETS_ALONE = 0.3
"""Share of mutations that atheris makes by itself; the others change the structure first."""


class Broken(AssertionError):
    """A mail for which something does not hold that holds for every mail."""


def one_input(content: bytes) -> None:
    faults = invariants.broken(content)
    if faults:
        raise Broken("; ".join(faults[:5]))


def mutator(donors: list[bytes]) -> Callable[[bytes, int, int], bytes]:
    """The custom mutator: structure first, then, for half, octets as well."""

    def mutate(content: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311 # no secret
        if random.random() >= _OCTETS_ALONE:
            content = mutations.mutated(content, random.choice(donors), random, max_size)
            if random.random() < 0.5:
                return content
        return bytes(atheris.Mutate(content, max_size))

    return mutate


def main() -> None:
    arguments = sys.argv[1:]
    if all(one.startswith("-") for one in arguments):
        seeds.copy_to(CORPUS)
        arguments.append(str(CORPUS))
    donors = [path.read_bytes() for path in seeds.paths()]
    atheris.Setup([sys.argv[0], *OPTIONS, *arguments], one_input, custom_mutator=mutator(donors))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
