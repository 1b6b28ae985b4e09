"""Bars stand where their figures say, inside their plot."""

from hypothesis import given
from hypothesis import strategies as st

from mailflow.web.plots import HEIGHT, LABELS, ROW, WIDTH, columns, nice_top, rows

KINDS = ("reply", "review", "none")
VALUES = st.lists(
    st.tuples(st.text("abc", max_size=5), st.dictionaries(st.sampled_from(KINDS), st.integers(0, 10_000))), max_size=40
)


@given(st.integers(min_value=1, max_value=10**9))
def test_the_top_of_the_axis_is_round_and_near(most: int) -> None:
    top = nice_top(most)
    assert most <= top <= 2.5 * most
    assert str(top).rstrip("0") in ("1", "2", "5")


@given(VALUES)
def test_every_bar_is_inside_and_says_its_figure(values: list[tuple[str, dict[str, int]]]) -> None:
    plot = columns("t", values, KINDS)
    assert len(plot.bars) == sum(count > 0 for _, of in values for count in of.values())
    for bar in plot.bars:
        assert bar.x >= 0 and bar.y >= -0.1 and bar.height >= 0
        assert bar.x + bar.width <= WIDTH + 0.2
        assert bar.y + bar.height <= max(HEIGHT, plot.height) + 0.2


@given(VALUES)
def test_the_labels_of_columns_have_room(values: list[tuple[str, dict[str, int]]]) -> None:
    plot = columns("t", values, KINDS)
    assert len([one for one in plot.labels if one.anchor == "middle"]) <= LABELS


@given(VALUES)
def test_rows_end_within_their_drawing_one_behind_the_other(values: list[tuple[str, dict[str, int]]]) -> None:
    plot = rows("t", values, KINDS)
    assert [(row.name, row.total) for row in plot.rows] == [(name, sum(of.values())) for name, of in values]
    for row in plot.rows:
        assert len(row.bars) == sum(count > 0 for count in row.of.values())
        ends = [bar.x + bar.width for bar in row.bars]
        assert all(end <= ROW + 0.1 for end in ends) and ends == sorted(ends)


def test_columns_of_one_day_stand_on_each_other() -> None:
    plot = columns("t", [("Monday", {"reply": 3, "review": 1})], KINDS, {"reply": "answered"})
    upper, lower = sorted(plot.bars, key=lambda bar: bar.y)
    assert (lower.kind, upper.kind) == ("reply", "review")
    assert abs(upper.y + upper.height - lower.y) < 0.2
    assert lower.says == "Monday: 3 answered"
