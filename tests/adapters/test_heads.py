"""Heads at work: of the weights only what a mail reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.component import Array, Batch, Row, as_matrix, narrowed
from mailflow.adapters.heads import head_scores, logit, sigmoid, softmax

WIDTH = 30


def _rows(seed: int) -> list[Row]:
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 12, size=5)
    return [
        Row(np.sort(random.choice(WIDTH, size, replace=False)).astype(np.int32), random.random(size, dtype=np.float32))
        for size in sizes
    ]


@given(seed=st.integers(0, 200))
def test_scores_have_the_bits_of_a_product_with_all_weights(seed: int) -> None:
    rows, random = _rows(seed), np.random.default_rng(seed)
    bias = np.array([1, 2, 3], dtype=np.float32)
    arrays: dict[str, Array] = {"one_coef": random.normal(size=(WIDTH, 3)).astype(np.float16), "one_bias": bias}
    whole = as_matrix(rows, WIDTH) @ arrays["one_coef"].astype(np.float32) + arrays["one_bias"]
    none = np.zeros((len(rows), 0))
    np.testing.assert_array_equal(head_scores(arrays, "one", Batch(rows, *narrowed(rows), none)), whole)
    for row, scores in zip(rows, whole, strict=True):
        np.testing.assert_array_equal(head_scores(arrays, "one", Batch([row], *narrowed([row]), none[:1])), [scores])


def test_probabilities_are_probabilities() -> None:
    scores = np.array([[0.1, 0.9, -3.0], [800.0, -800.0, 0.0]])
    np.testing.assert_allclose(softmax(scores, 0.1).sum(axis=1), 1)
    assert ((sigmoid(scores, 0.1, 0.5) >= 0) & (sigmoid(scores, 0.1, 0.5) <= 1)).all()
    assert logit(0.0) == pytest.approx(-logit(1.0))
