"""The training mails at hand: neighbours, nearness, kernel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from mailflow.adapters.component import Matrix, on_grain
from mailflow.adapters.encoder import VECTOR_GRAIN
from mailflow.adapters.memory import ASKED, BLOCK, EXCERPT, MemoryComponent, kernel, nearest, nearness
from mailflow.core.classification import Action


def _units(seed: int, count: int, width: int) -> Matrix:
    rows = np.abs(np.random.default_rng(seed).normal(size=(count, width)))
    result: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return result


def _memory(seed: int, kernel_weight: float, count: int = 30) -> tuple[MemoryComponent, csr_matrix, Matrix]:
    """With the mails' rows and vectors."""
    memory = MemoryComponent("mailflow_memory", kernel_weight)
    words = csr_matrix(_units(seed, count, 12).astype(np.float32) / np.sqrt(2))
    vectors = on_grain(_units(seed + 1, count, 16), VECTOR_GRAIN)
    mails = [(f"m{n}", ("quoting", "rebate"), Action.REPLY, f"mail {n}\n{'x' * 200}") for n in range(count)]
    memory.remember(mails, words, vectors)
    return memory, words, vectors


@pytest.mark.parametrize("kernel_weight", [0.0, 0.5])
def test_a_mail_that_was_learned_is_its_own_nearest_neighbour(kernel_weight: float) -> None:
    memory, words, vectors = _memory(1, kernel_weight)
    meaning = memory.meaning(vectors) if memory.reads_meaning else None
    for n, row in enumerate(memory.similarities(words, meaning)):
        first, *rest = memory.neighbours(row)
        assert first.example_id == f"m{n}"
        assert first.similarity == pytest.approx(1, abs=2e-3)
        assert [one.similarity for one in rest] == sorted((one.similarity for one in rest), reverse=True)
        assert len(rest) == ASKED - 1


def test_words_count_twice_as_much_as_meaning() -> None:
    memory, words, vectors = _memory(3, 0.5)
    both = memory.similarities(words, memory.meaning(vectors))
    alone = 2 * (words @ words.T).toarray()
    np.testing.assert_allclose(both, np.clip((2 * alone + vectors @ vectors.T) / 3, 0, 1), atol=1e-6)


def test_meaning_has_the_bits_of_one_product_of_wide_numbers() -> None:
    count = 2 * BLOCK + 3
    memory, _, vectors = _memory(9, 0.5, count)
    asked = vectors[:5]
    np.testing.assert_array_equal(memory.meaning(asked), asked @ vectors.T)
    np.testing.assert_array_equal(memory.meaning(asked[:1]), asked[:1] @ vectors.T)


def test_an_excerpt_is_one_short_line() -> None:
    memory, words, _ = _memory(5, 0.0)
    (row,) = memory.similarities(words[:1], None)
    assert memory.neighbours(row)[0].excerpt == f"mail 0 {'x' * (EXCERPT - 7)}"


def test_the_kernel_is_the_gaussian_of_the_distance() -> None:
    vectors = _units(7, 9, 16)
    distances = ((vectors[:, None] - vectors[None]) ** 2).sum(-1)
    np.testing.assert_allclose(kernel(vectors @ vectors.T), np.exp(-distances), atol=1e-6)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40), st.integers(1, 45))
def test_the_nearest_are_those_of_a_full_sort(values: list[float], count: int) -> None:
    similarities = np.array(values)
    found = similarities[nearest(similarities, count)]
    np.testing.assert_array_equal(found, np.sort(similarities)[::-1][:count])


def test_nearness_is_the_mean_of_the_five_nearest() -> None:
    assert nearness(np.array([0.1, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0])) == pytest.approx(0.5)
    assert nearness(np.array([0.4, 0.2])) == pytest.approx(0.3)
