"""Explanations by hand, folding onto reasons, and the check at run time."""

import math

import numpy as np
import pytest

from model.errors import ModelError
from model.explanation import Calibration, explain, reason_shares, softmax, strongest_first

PLAIN = Calibration(1.0, np.zeros(2))


def test_two_categories_by_hand() -> None:
    # Margins 1 and 0: log-odds of the first are 1, of which 0.7 and 0.3 by column.
    found = explain(np.array([[[0.7, 0.3], [0.0, 0.0]]]), np.zeros((1, 2)), PLAIN, np.eye(2))
    np.testing.assert_allclose(found.values[0], [[0.7, 0.3], [-0.7, -0.3]])
    np.testing.assert_allclose(found.baseline[0], [0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.probabilities[0, 0], math.e / (1 + math.e))


def test_three_categories_by_hand() -> None:
    # Margins ln 2, 0, 0: p = 1/2, 1/4, 1/4. For the first the others weigh one half each.
    contributions = np.array([[[math.log(2)], [0.0], [0.0]]])
    found = explain(contributions, np.zeros((1, 3)), Calibration(1.0, np.zeros(3)), np.eye(1))
    np.testing.assert_allclose(found.values[0, 0, 0], math.log(2))
    # Minus the entropy of (1/2, 1/2); together log(0.5/0.5) = 0.
    np.testing.assert_allclose(found.baseline[0, 0], -math.log(2))
    # The second: weights 2/3 and 1/3, so minus two thirds of ln 2.
    np.testing.assert_allclose(found.values[0, 1, 0], -2 / 3 * math.log(2))
    np.testing.assert_allclose(found.values[0, 1, 0] + found.baseline[0, 1], math.log(0.25 / 0.75))


def test_temperature_and_class_bias_are_part_of_the_log_odds() -> None:
    calibration = Calibration(2.0, np.array([0.5, 0.0]))
    found = explain(np.array([[[1.0], [0.0]]]), np.zeros((1, 2)), calibration, np.eye(1))
    assert found.values[0, 0, 0] == pytest.approx(0.5)
    assert found.baseline[0, 0] == pytest.approx(0.25)
    assert found.probabilities[0, 0] == pytest.approx(1 / (1 + math.exp(-0.75)))


def test_a_probability_of_almost_one_is_explained() -> None:
    contributions = np.array([[[800.0], [0.0], [-3.0]]])
    found = explain(contributions, np.zeros((1, 3)), Calibration(1.0, np.zeros(3)), np.eye(1))
    assert np.isfinite(found.values).all()
    assert found.values[0, 0, 0] + found.baseline[0, 0] == pytest.approx(
        800 - math.log(1 + math.exp(-3))
    )


def test_reasons_that_do_not_add_up_are_refused() -> None:
    leaking = np.array([[0.5, 0.0], [0.0, 1.0]])
    with pytest.raises(ModelError, match="do not add up"):
        explain(np.array([[[0.7, 0.3], [0.0, 0.0]]]), np.zeros((1, 2)), PLAIN, leaking)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_margin_that_is_not_a_number_is_refused(bad: float) -> None:
    with np.errstate(invalid="ignore"), pytest.raises(ModelError):
        explain(np.array([[[bad], [0.0]]]), np.zeros((1, 2)), PLAIN, np.eye(1))
    with pytest.raises(ModelError, match="not a number"):
        PLAIN.probabilities(np.array([[bad, 0.0]]))


def test_softmax_of_large_scores() -> None:
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0]])), [[0.5, 0.5]])


def test_columns_are_folded_onto_reasons_in_table_order() -> None:
    reasons, shares = reason_shares(("shock_index", "age", "systolic_bp"))
    assert reasons == ("age", "heart_rate", "blood_pressure")
    np.testing.assert_array_equal(shares, [[0, 0.5, 0.5], [1, 0, 0], [0, 0, 1]])


def test_every_share_sums_to_one() -> None:
    from model.features import MODEL_COLUMNS, REASONS

    reasons, shares = reason_shares(tuple(column.name for column in MODEL_COLUMNS))
    assert reasons == REASONS
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_strongest_first_with_ties_in_table_order() -> None:
    assert strongest_first(np.array([[0.1, -0.5, 0.5, 0.0]])) == [[1, 2, 0, 3]]
