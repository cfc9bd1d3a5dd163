"""Small counts, and what would give them away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.small_cells import SMALLEST_SHOWN, shown, shown_table


@pytest.mark.parametrize(
    ("count", "said"), [(0, 0), (1, None), (9, None), (10, 10), (500, 500), (None, None)]
)
def test_counts_under_ten_are_hidden_and_none_is_none(count: int | None, said: int | None) -> None:
    assert shown(count) == said


def test_a_single_hidden_cell_takes_the_smallest_of_its_line_with_it() -> None:
    counts = {"a": {"x": 3, "y": 40, "z": 50}, "b": {"x": 20, "y": 30, "z": 60}}

    assert shown_table(["a", "b"], ["x", "y", "z"], counts) == {
        # 3 is small; 40 is the smallest beside it; 20 and 30 are the ones below and above them.
        "a": {"x": None, "y": None, "z": 50},
        "b": {"x": None, "y": None, "z": 60},
    }


def test_a_table_without_small_cells_is_shown_whole() -> None:
    counts = {"a": {"x": 10, "y": 0}, "b": {"x": 12, "y": 14}}

    assert shown_table(["a", "b"], ["x", "y"], counts) == counts


@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_no_small_cell_is_shown_or_left_alone_in_its_line(
    height: int, width: int, data: st.DataObject
) -> None:
    numbers = st.one_of(st.integers(0, 15), st.integers(0, 900))
    names, columns = [f"r{i}" for i in range(height)], [f"c{i}" for i in range(width)]
    counts = {row: {column: data.draw(numbers) for column in columns} for row in names}
    table = shown_table(names, columns, counts)
    hidden = np.array([[table[row][column] is None for column in columns] for row in names])
    known = np.array([[counts[row][column] for column in columns] for row in names])

    assert not ((known > 0) & (known < SMALLEST_SHOWN) & ~hidden).any()
    for lines, cells in ((hidden, known), (hidden.T, known.T)):
        for line, values in zip(lines, cells, strict=True):
            # One alone is safe only where nothing else of its line counts anybody.
            assert line.sum() != 1 or (values[~line] == 0).all()
