"""The extra inputs of the feature table: exercise days and the blood group."""

import numpy as np
import pytest

from model.features import (
    ABO_GROUPS,
    EXTRA_INPUTS,
    MODEL_COLUMNS,
    READINGS,
    ROW_NAMES,
    FeatureRow,
    exercise_days_per_month,
    extra_inputs_of,
    is_extreme,
    is_possible,
    model_matrix,
    read_abo_group,
    row_matrix,
)

AT = {column.name: i for i, column in enumerate(MODEL_COLUMNS)}
GROUP_COLUMNS = ("is_abo_a", "is_abo_b", "is_abo_ab", "is_abo_o")


@pytest.mark.parametrize(
    ("per_week", "per_month"),
    # 1 x 30/7 = 4.2857; 3.5 x 30/7 = 15; 7 d/wk is every day of the month.
    [(0, 0.0), (1, 4.29), (3, 12.86), (3.5, 15.0), (7, 30.0)],
)
def test_days_a_week_become_days_a_month(per_week: float, per_month: float) -> None:
    assert exercise_days_per_month(per_week) == per_month
    assert is_possible("exercise_days", per_month)
    assert not is_extreme("exercise_days", per_month)


@pytest.mark.parametrize("per_week", [-1, -0.5, 7.01, 8, 150])
def test_c5_more_days_than_a_week_has_are_not_possible(per_week: float) -> None:
    assert not is_possible("exercise_days", exercise_days_per_month(per_week))


@pytest.mark.parametrize(
    ("text", "group"),
    [
        *((group, group) for group in ABO_GROUPS),
        ("a", "A"),
        (" AB ", "AB"),
        ("O Rh-", "O"),
        ("O Rh\u2212", "O"),
        ("A+", "A"),
        ("B (-)", "B"),
        ("AB pos", "AB"),
        ("A POSITIVE", "A"),
        ("O negativo", "O"),
        ("B Rh(D) negative", "B"),
        ("Blood group AB Rh(D) positive (finding)", "AB"),
        ("Group O", "O"),
        ("ABO group: A", "A"),
        ("grupo sanguíneo 0", "O"),
        ("0+", "O"),
        ("0 neg", "O"),
        ("A1", "A"),
        ("A2B Rh D positive", "AB"),
    ],
)
def test_a_text_that_names_one_group_is_read(text: str, group: str) -> None:
    assert read_abo_group(text) == group


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "1", "+", "positive", "Rh+", "C", "ABO", "A or B", "A/B", "A?", "not A", "AO"),
        *("A positive, antibodies found", "see report", "B weak", "o" * 70, "A" + " " * 80, "A3"),
    ],
)
def test_c5_any_other_text_is_no_group(text: str) -> None:
    assert read_abo_group(text) is None


def test_extra_inputs_are_no_vital_signs() -> None:
    assert not set(EXTRA_INPUTS) & set(READINGS)
    assert ROW_NAMES[-2:] == EXTRA_INPUTS == ("abo_group", "exercise_days")


@pytest.mark.parametrize("group", ABO_GROUPS)
def test_a_group_is_one_of_four_columns(group: str) -> None:
    found = row_matrix(FeatureRow(abo_group=group, exercise_days=12.86))[0]
    expected = [float(one == group) for one in ABO_GROUPS]
    assert [found[AT[name]] for name in GROUP_COLUMNS] == expected
    assert found[AT["exercise_days"]] == 12.86


def test_an_unknown_group_is_missing_in_all_four_columns() -> None:
    for groups in ([None, np.nan, "X"], None):
        columns = {"age": [50.0] * 3} | ({} if groups is None else {"abo_group": groups})
        found = model_matrix(columns)  # type: ignore[arg-type]  # text and gaps are array-like
        assert np.isnan(found[:, [AT[name] for name in GROUP_COLUMNS]]).all()


def test_extra_inputs_change_no_other_column() -> None:
    row = FeatureRow(age=50, heart_rate=90, systolic_bp=120, diastolic_bp=80, sex="male")
    more = FeatureRow(
        age=50,
        heart_rate=90,
        systolic_bp=120,
        diastolic_bp=80,
        sex="male",
        abo_group="O",
        exercise_days=30,
    )
    others = [i for name, i in AT.items() if name not in (*GROUP_COLUMNS, "exercise_days")]
    np.testing.assert_array_equal(row_matrix(more)[:, others], row_matrix(row)[:, others])


def test_the_extra_inputs_of_a_model_are_those_its_columns_use() -> None:
    assert extra_inputs_of(("age", "shock_index", "is_female")) == ()
    assert extra_inputs_of(("exercise_days", "is_abo_ab")) == EXTRA_INPUTS
    assert extra_inputs_of(("is_abo_o",)) == ("abo_group",)
    with pytest.raises(KeyError):
        extra_inputs_of(("height",))
