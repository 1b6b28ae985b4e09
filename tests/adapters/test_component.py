"""Sums that do not depend on their order, and state that comes back as it was."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.component import GRAIN, Component, halved, on_grain


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


def test_state_comes_back_as_it_was_and_small_where_nothing_is_lost(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    kept = Component("kept")
    exact = random.random(1000).astype(np.float32)
    kept.arrays = {"half": halved(exact), "exact": exact, "whole": np.arange(5, dtype=np.int16)}
    kept.document = {"labels": ["Größe", "注文"]}
    kept.to_disk(tmp_path)
    again = Component("again")
    again.from_disk(tmp_path)
    assert again.document == kept.document
    for name, array in kept.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[name], array)
    sizes = {name: (tmp_path / f"{name}.npy").stat().st_size for name in ("half", "exact")}
    assert sizes["half"] < sizes["exact"]
