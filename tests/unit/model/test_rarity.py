"""Atypicality: a tail probability that knows what is normal and what is missing."""

import numpy as np
import pytest

from model.features import READINGS, FloatArray
from model.rarity import Rarity, fit_rarity
from model.training.simulation import simulate_cohort

NAMES = ("age", "heart_rate", "systolic_bp")


def _population(rows: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 3)) * [15.0, 12.0, 18.0] + [50.0, 80.0, 125.0]
    values[:, 2] += 0.5 * (values[:, 0] - 50.0)
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


@pytest.fixture(scope="module")
def rarity() -> Rarity:
    return fit_rarity(NAMES, _population(4000, 1), _population(2000, 2))


def test_atypicality_is_a_tail_probability_in_the_same_population(rarity: Rarity) -> None:
    found = rarity.atypicality(_population(4000, 3))
    found = found[np.isfinite(found)]
    for level in (0.01, 0.05, 0.5):
        assert np.mean(found <= level) == pytest.approx(level, abs=0.02)


def test_a_dangerous_reading_is_unusual(rarity: Rarity) -> None:
    usual, danger = rarity.atypicality(np.array([[50.0, 80.0, 125.0], [50.0, 190.0, 60.0]]))
    assert usual > 0.5
    assert danger < 0.01


def test_missing_readings_do_not_make_a_patient_unusual(rarity: Rarity) -> None:
    assert rarity.atypicality(np.array([[50.0, np.nan, 125.0]]))[0] > 0.5


def test_age_alone_tells_nothing(rarity: Rarity) -> None:
    assert np.isnan(rarity.atypicality(np.array([[99.0, np.nan, np.nan]]))[0])


def test_the_score_by_hand() -> None:
    # One input, median 80, scale 10: 100 is 2 scales off, d² = 4 with 1 degree of freedom;
    # Wilson and Hilferty: (4^(1/3) - 1 + 2/9)/sqrt(2/9) = 1.7175, normal tail 0.043
    # (exactly 0.0455).
    one = Rarity(("heart_rate",), (80.0,), (10.0,), ((1.0,),), ())
    assert one.scores(np.array([[100.0]]))[0] == pytest.approx(1.71752, abs=1e-4)


def test_artefacts_do_not_widen_the_distance() -> None:
    clean = _population(3000, 4)
    dirty = clean.copy()
    dirty[:60, 1] = 340.0
    spread = [fit_rarity(NAMES, rows, clean).scale[1] for rows in (clean, dirty)]
    assert spread[1] == pytest.approx(spread[0], rel=0.05)


def test_too_few_calibration_rows_tell_nothing() -> None:
    few = fit_rarity(NAMES, _population(500, 5), _population(60, 6))
    assert np.isnan(few.atypicality(np.array([[50.0, 80.0, 125.0]]))).all()


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Rarity(("heart_rate",), (80.0,), (10.0, 1.0), ((1.0,),), ())


def test_the_tail_probability_is_uniform_on_held_out_common_rows() -> None:
    """A conformal p-value (Vovk 2005): at most a with probability a, for every a, whatever is
    missing; on simulated patients, whom neither the fit nor the calibration has seen."""
    cohort = simulate_cohort(9_000, 5)
    common = cohort[cohort["rare_code"].isna()].drop_duplicates("patient_id")
    values = common[["age", *READINGS]].to_numpy(dtype=np.float64)
    fitted = fit_rarity(("age", *READINGS), values[:3_000], values[3_000:5_000])
    found = fitted.atypicality(values[5_000:])
    found = found[np.isfinite(found)]
    assert len(found) > 2_000

    # The largest distance from uniform, of a calibration and a held-out sample (Smirnov 1939).
    levels = np.sort(found)
    ranks = np.arange(1, len(levels) + 1) / len(levels)
    critical = 1.628 * np.sqrt(1 / len(levels) + 1 / 2_000)  # 1 in 100
    assert np.abs(ranks - levels).max() < critical
    for level in (0.01, 0.05):
        assert np.mean(found <= level) == pytest.approx(level, abs=0.01)
    # It is no accident of the test: rows unlike the calibrated ones are not uniform.
    shifted = fitted.atypicality(values[5_000:] + np.array([0, 30.0, 0, 0, 0, 0, 0]))
    shifted = np.sort(shifted[np.isfinite(shifted)])
    assert np.abs(np.arange(1, len(shifted) + 1) / len(shifted) - shifted).max() > 5 * critical
