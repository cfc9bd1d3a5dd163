"""The nearest change of one reading: it changes the category, and nothing nearer does."""

from dataclasses import replace

import numpy as np
import pytest

from model.features import FEATURE, FeatureRow
from model.nearest_change import nearest_changes
from model.scorer import Scorer
from tests.support.artefacts import small_model

ILL = FeatureRow(
    age=68, heart_rate=118, body_temperature=38.6, systolic_bp=104, diastolic_bp=62, sex="female"
)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_model(tmp_path_factory.mktemp("changed")).scorer


def changed(row: FeatureRow, name: str, value: float) -> FeatureRow:
    values: dict[str, float] = {name: value}
    return replace(row, **values)  # type: ignore[arg-type]  # a reading is a number


def test_a_change_gives_what_it_says(scorer: Scorer) -> None:
    now = scorer.assess(ILL).category
    found = nearest_changes(scorer, ILL)
    assert found
    for one in found:
        assert one.category is not now
        assert scorer.assess(changed(ILL, one.feature, one.value)).category is one.category
        low, high = FEATURE[one.feature].usual
        assert low <= one.value <= high


def test_no_nearer_value_would_do(scorer: Scorer) -> None:
    now = scorer.assess(ILL).category
    for one in nearest_changes(scorer, ILL):
        present = ILL.value(one.feature)
        assert isinstance(present, int | float)
        step = 10.0 ** -FEATURE[one.feature].decimals
        gap = abs(one.value - present)
        for distance in np.arange(step, gap - step / 2, step):
            for value in (present - distance, present + distance):
                crossed = one.feature == "systolic_bp" and value <= 62
                crossed |= one.feature == "diastolic_bp" and value >= 104
                low, high = FEATURE[one.feature].usual
                if low <= value <= high and not crossed:
                    value = round(value, FEATURE[one.feature].decimals)
                    assert scorer.assess(changed(ILL, one.feature, value)).category is now


def test_smallest_first_in_widths_of_the_plausible_range(scorer: Scorer) -> None:
    sizes = []
    for one in nearest_changes(scorer, ILL):
        present = ILL.value(one.feature)
        assert isinstance(present, int | float)
        low, high = FEATURE[one.feature].usual
        sizes.append(abs(one.value - present) / (high - low))
    assert sizes == sorted(sizes)


def test_what_was_not_measured_is_not_filled_in(scorer: Scorer) -> None:
    features = {one.feature for one in nearest_changes(scorer, ILL)}
    assert not features & {"respiratory_rate", "oxygen_saturation", "age", "sex"}


def test_pressures_stay_in_their_order(scorer: Scorer) -> None:
    for diastolic in (60, 80, 100, 103):
        row = replace(ILL, diastolic_bp=diastolic)
        for one in nearest_changes(scorer, row):
            after = changed(row, one.feature, one.value)
            assert after.systolic_bp is not None
            assert after.diastolic_bp is not None
            assert after.systolic_bp > after.diastolic_bp


def test_many_rows_are_decided_as_one_is(scorer: Scorer) -> None:
    from model.features import row_matrix

    rows = [replace(ILL, heart_rate=rate) for rate in range(50, 180, 10)]
    matrix = np.concatenate([row_matrix(row) for row in rows])
    assert scorer.categories(matrix) == [scorer.assess(row).category for row in rows]
