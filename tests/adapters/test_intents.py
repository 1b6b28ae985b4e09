"""Which intents are claimed, and who is a stranger."""

import pytest

from mailflow.adapters.intents import claim, familiarity


def test_the_primary_comes_first_even_if_another_intent_is_more_certain() -> None:
    claims = claim({"a": 0.6, "b": 0.3, "c": 0.1}, {"a": 0.4, "b": 0.9, "c": 0.5}, 0.5)
    assert list(claims.items()) == [("a", 0.6), ("b", 0.9), ("c", 0.5)]


@pytest.mark.parametrize(
    ("stranger", "friend"),
    [
        ((0.3, 0.1), (0.9, 0.1)),  # as near, but sure
        ((0.3, 0.1), (0.3, 0.5)),  # as unsure, but near
    ],
)
def test_certainty_and_a_neighbour_each_make_familiar(
    stranger: tuple[float, float], friend: tuple[float, float]
) -> None:
    assert familiarity(*stranger) < familiarity(*friend)


def test_no_probability_is_too_small() -> None:
    assert float(familiarity(0.0, 0.0)) > -30
