"""What the gate reads, and what it makes of the action heads."""

import numpy as np
import pytest

from mailflow.adapters.action import GateInput, gate_row, gated
from mailflow.core.classification import Action, Neighbour

EVEN = (0.5, 0.25, 0.5)
NEIGHBOURS = tuple(
    Neighbour(f"m{n}", (intent,), action, 0.8 - n / 10, "")
    for n, (intent, action) in enumerate(
        [("a", Action.REPLY), ("a", Action.REVIEW), ("b", Action.REPLY), ("c", Action.NONE)]
    )
)


def _row(claims: dict[str, float], facts: tuple[float, ...] = (0.0, 1.0)) -> list[float]:
    return gate_row(
        GateInput(
            plain=EVEN,
            stacked=EVEN,
            primary={"a": 0.5, "b": 0.5, "c": 0.0},
            intents={"a": 0.9, "b": 0.5, "c": 0.5},
            claims=claims,
            neighbours=NEIGHBOURS,
            facts=facts,
        )
    )


def test_the_gate_reads_the_least_sure_claim_their_number_and_the_likeliest_of_the_rest() -> None:
    assert _row({"a": 0.9, "b": 0.5})[2:5] == [0.0, 2.0, 0.0]


def test_the_gate_reads_how_near_the_neighbours_are_and_whether_they_agree() -> None:
    nearest, mean, answered, alike, both = _row({"a": 0.9})[9:14]
    assert (nearest, mean) == pytest.approx((0.8, 0.65))
    assert (answered, alike, both) == (0.5, 0.5, 0.25)


def test_the_gate_reads_the_facts_and_which_intents_are_claimed() -> None:
    assert _row({"a": 0.9, "c": 0.6})[14:] == [0.0, 1.0, 1.0, 0.0, 1.0]


def test_what_the_gate_takes_from_reply_is_shared_by_the_others() -> None:
    (actions,) = gated(np.array([[0.8, 0.15, 0.05]]), np.array([0.2]))
    assert actions == pytest.approx([0.2, 0.6, 0.2])
