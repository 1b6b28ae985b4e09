"""Sums that do not depend on their order, and state that comes back as it was."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.component import BATCH, GRAIN, Batch, Component, Row, as_matrix, batch_of, narrowed, on_grain
from mailflow.errors import ModelError


@given(st.floats(-100, 100))
def test_the_grain_is_never_further_than_half_of_it(value: float) -> None:
    (near,) = on_grain(np.array([value]))
    assert abs(near - value) <= GRAIN / 2
    assert near / GRAIN == round(near / GRAIN)


@given(seed=st.integers(0, 50))
def test_a_product_on_the_grain_has_the_same_bits_in_any_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, weights = on_grain(random.random((9, 4000))), on_grain(random.normal(size=(4000, 5)))
    order = random.permutation(4000)
    whole = rows @ weights
    np.testing.assert_array_equal(whole, rows[:, order] @ weights[order])
    np.testing.assert_array_equal(whole[3:4], rows[3:4] @ weights)


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    kept = Component("kept")
    exact = random.random(1000).astype(np.float32)
    kept.arrays = {"half": exact.astype(np.float16), "exact": exact, "whole": np.arange(5, dtype=np.int16)}
    kept.document = {"labels": ["Größe", "注文"]}
    kept.to_disk(tmp_path)
    again = Component("again")
    again.from_disk(tmp_path)
    assert again.document == kept.document
    for name, array in kept.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[name], array)


def test_what_was_loaded_for_work_is_not_written_again(tmp_path: Path) -> None:
    kept = Component("kept")
    kept.to_disk(tmp_path)
    with pytest.raises(ModelError, match="copy its folder"):
        Component("again").from_disk(tmp_path).to_disk(tmp_path)


@given(st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=5))
def test_rows_over_their_own_columns_are_the_same_rows(held: list[set[int]]) -> None:
    rows = [Row(np.array(sorted(one), dtype=np.int32), np.array(sorted(one), dtype=np.float32) + 1) for one in held]
    columns, narrow = narrowed(rows)
    assert columns.tolist() == sorted(set().union(*held))
    np.testing.assert_array_equal(narrow.toarray(), as_matrix(rows, 10).toarray()[:, columns])


def test_a_batch_is_read_as_a_whole_or_not_at_all() -> None:
    nlp = spacy.blank("xx")
    docs, others = [nlp("one"), nlp("two")], [nlp("three")]
    for some in (docs, others):
        rows = [Row(np.arange(2), np.ones(2)) for _ in some]
        batch = Batch(rows, *narrowed(rows), np.zeros((len(some), 0)))
        for doc in some:
            doc.user_data[BATCH] = batch
        assert batch_of(some) is batch
    for wrong in (docs[:1], [docs[0], *others], docs + others):
        with pytest.raises(ModelError, match="different batches"):
            batch_of(wrong)
