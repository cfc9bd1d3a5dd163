"""The short form of the detection curves: seconds, fixed seed (the long one is a benchmark)."""

import numpy as np
import pytest

from model.training.detection_curves import Cell, as_text, detection_curves


@pytest.fixture(scope="module")
def cells() -> dict[tuple[float, int], Cell]:
    found = detection_curves(
        separations=(0.0, 3.0),
        cases=(1, 3, 10),
        common_rows=(1_000,),
        repetitions=5,
        fresh_rows=6_000,
        seed=11,
    )
    return {(cell.separation, cell.cases): cell for cell in found}


def test_one_case_makes_no_head(cells: dict[tuple[float, int], Cell]) -> None:
    for separation in (0.0, 3.0):
        cell = cells[separation, 1]
        assert (cell.live, cell.recall, cell.auroc_lower) == (0.0, None, None)


@pytest.mark.parametrize("cases", [3, 10])
def test_at_no_separation_recall_is_the_flag_rate(
    cells: dict[tuple[float, int], Cell], cases: int
) -> None:
    cell = cells[0.0, cases]
    assert cell.recall is not None
    # Binomial, of the rows of the disease and of as many common ones that set the threshold.
    error = np.sqrt(2 * 0.01 * 0.99 / cell.fresh_rows)
    assert cell.recall == pytest.approx(0.01, abs=1.96 * error)
    assert cell.live == 0.0


def test_recall_rises_with_separation(cells: dict[tuple[float, int], Cell]) -> None:
    for cases in (3, 10):
        near, far = cells[0.0, cases].recall, cells[3.0, cases].recall
        assert near is not None
        assert far is not None
        assert far > 20 * near
    assert cells[3.0, 10].live >= 0.4
    assert (cells[3.0, 10].auroc_lower or 0.0) > (cells[3.0, 3].auroc_lower or 0.0)


def test_common_patients_are_predicted_as_well() -> None:
    """Among 3,000: among 1,000 rows five repetitions tell no mean of 0.003 from another."""
    found = detection_curves(
        separations=(0.0, 3.0),
        cases=(10,),
        common_rows=(3_000,),
        repetitions=3,
        fresh_rows=6_000,
        seed=11,
    )
    assert max(cell.log_loss_change for cell in found) <= 0.003


def test_the_threshold_flags_the_stated_share_of_fresh_charts(
    cells: dict[tuple[float, int], Cell],
) -> None:
    for cell in cells.values():
        if cell.flagged is not None:
            assert cell.flagged == pytest.approx(0.01, abs=0.007)


def test_the_table_has_a_line_a_cell(cells: dict[tuple[float, int], Cell]) -> None:
    text = as_text(list(cells.values()))
    assert len(text.splitlines()) == 2 + len(cells)
    assert "AUROC at least" in text
