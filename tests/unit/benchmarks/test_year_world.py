"""The truth of the simulated hospital is known: its oracle is calibrated, its rates are as told."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from benchmarks.year_illness import NEW_DISEASE, Mixture
from benchmarks.year_world import (
    CUFF_SHIFT,
    NEW_KIND,
    NEW_SHARE,
    NORTH,
    RARE,
    Events,
    World,
    log_loss,
    verification,
)
from model.features import is_possible
from model.severity import SEVERITIES, Severity
from model.training.simulation_presentations import CATEGORY_SHARE

EVENTS = Events(
    cuffs=(75, 105),
    fahrenheit=(120, 128),
    unknown_unit=(128, 134),
    new_disease=160,
    rare_cases=(300, 302, 304, 306, 308),
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(3, per_day=120.0, events=EVENTS)


def test_the_oracle_is_calibrated_for_every_category_and_event(world: World) -> None:
    visits, told = world.year, world.truth(world.year)
    assert np.allclose(told.sum(axis=1), 1.0)
    day = visits["day"].to_numpy()
    spans = {
        "quiet": day < 75,
        "cuffs": (day >= 75) & (day < 105),
        "thermometers": (day >= 120) & (day < 134),
        "new disease": day >= 175,
    }
    for name, span in spans.items():
        for place, severity in enumerate(SEVERITIES):
            probability = told[span, place]
            case = (visits["severity"] == severity.value).to_numpy()[span]
            # Hosmer and Lemeshow (1980), ten groups, nothing fitted: chi-squared of 10 degrees.
            group = np.argsort(np.argsort(probability)) * 10 // len(probability)
            statistic = 0.0
            for number in range(10):
                rows = group == number
                spread = (probability * (1.0 - probability))[rows].sum()
                statistic += (case[rows].sum() - probability[rows].sum()) ** 2 / spread
            # Twenty tests; visits of one patient make it a little larger.
            assert statistic < chi2.ppf(0.9995, 10) * 1.2, (name, severity)


def test_an_oracle_that_is_asked_of_other_instruments_is_not_calibrated(world: World) -> None:
    shifted = world.year[(world.year["day"] >= 75) & (world.year["day"] < 105)]
    blind = World(3, per_day=120.0, events=Events(new_disease=160))
    aware, unaware = (log_loss(one.truth(shifted), shifted["severity"]) for one in (world, blind))
    assert (unaware - aware).mean() > 0.005


def test_categories_are_as_frequent_as_told(world: World) -> None:
    quiet = world.year[world.year["day"] < 75]
    for severity, share in CATEGORY_SHARE.items():
        found = (quiet["severity"] == severity.value).mean()
        # Seasons move infections by a quarter at most, and winter is in here.
        assert found == pytest.approx(share, abs=0.02), severity


def test_a_visit_again_is_distributed_as_a_first_one() -> None:
    visits = World(5, per_day=200.0, days=120).year
    again = visits["patient_id"].duplicated()
    assert 0.1 < again.mean() < 0.16
    for name in ("age", "heart_rate", "systolic_bp"):
        first, later = visits.loc[~again, name].dropna(), visits.loc[again, name].dropna()
        error = np.hypot(first.std() / np.sqrt(len(first)), later.std() / np.sqrt(len(later)))
        assert abs(first.mean() - later.mean()) < 4.5 * error, name
    for severity in SEVERITIES:
        first, later = (
            (visits.loc[rows, "severity"] == severity.value) for rows in (~again, again)
        )
        assert abs(first.mean() - later.mean()) < 0.03, severity


def test_events_happen_when_they_are_said_to(world: World) -> None:
    visits = world.year
    before, during = (visits["day"] < 75), visits["day"].between(75, 105, inclusive="left")
    rise = visits.loc[during, "systolic_bp"].mean() - visits.loc[before, "systolic_bp"].mean()
    assert rise == pytest.approx(CUFF_SHIFT, abs=1.0)

    for low, high, unit in ((120, 128, "Cel"), (128, 134, "degF (oral)")):
        broken = visits[visits["day"].between(low, high, inclusive="left")]
        north = broken[(broken["client"] == NORTH) & broken["sent_unit"].notna()]
        assert set(north["sent_unit"]) == {unit}
        assert north["body_temperature"].isna().all()
        assert not any(is_possible("body_temperature", t) for t in north["sent_temperature"])
        south = broken[broken["client"] != NORTH]
        assert south["body_temperature"].notna().mean() > 0.9

    assert not (visits.loc[visits["day"] < 160, "kind"] == NEW_KIND).any()
    there = (visits.loc[visits["day"] >= 170, "kind"] == NEW_KIND).mean()
    assert there == pytest.approx(NEW_SHARE, abs=0.01)

    rare = visits[visits["rare_code"].notna()]
    assert list(rare["rare_code"]) == [RARE.code] * 5
    assert list(rare["day"].astype(int)) == list(EVENTS.rare_cases)
    assert not rare["patient_id"].duplicated().any()


def test_the_same_seed_is_the_same_hospital() -> None:
    one, same, other = (World(seed, days=20, history_rows=50) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.year, same.year)
    pd.testing.assert_frame_equal(one.history, same.history)
    assert not one.history.equals(other.history)


def test_history_knows_nothing_of_the_year(world: World) -> None:
    history = world.history
    assert (history["day"] < 0).all()
    assert not (history["kind"] == NEW_KIND).any()
    assert history["rare_code"].isna().all()
    assert set(history["sent_unit"].dropna()) == {"Cel"}


def test_verification_depends_on_risk_and_card_and_not_on_the_diagnosis(world: World) -> None:
    visits = world.year
    shown = visits["risk"].to_numpy() > 0.2
    known = verification(visits["risk"].to_numpy(), shown, visits["client"].to_numpy())
    assert known.min() == pytest.approx(1 / (1 + np.exp(1.0)), abs=0.02)  # the clinic, no card
    verified = visits["chance"].to_numpy() < known
    acute = (visits["severity"] == Severity.ACUTE.value).to_numpy()
    assert verified[acute].mean() > verified[~acute].mean() + 0.15
    # At one risk, whether it is acute says nothing more.
    weight = verified - known
    alike = (visits["risk"] > 0.1) & (visits["risk"] < 0.5)
    for rows in (alike & acute, alike & ~acute):
        spread = np.sqrt((known * (1 - known))[rows].sum())
        assert abs(weight[rows].sum()) < 3.5 * spread


def test_a_model_that_never_saw_the_new_disease_loses_by_it(world: World) -> None:
    after = world.year[world.year["day"] > 175]
    blind = World(3, per_day=120.0, events=Events())
    best = log_loss(world.truth(after), after["severity"])
    without = log_loss(blind.truth(after), after["severity"])
    assert best.mean() < without.mean() - 0.05


def test_the_weights_of_a_day_add_up() -> None:
    mixture = Mixture()
    weights = mixture.weights(np.array([15.0, 197.0]), np.array([0.0, 0.07]))
    assert np.allclose(weights.sum(axis=1), 1.0)
    names = [one.name for one in mixture.presentations]
    assert weights[0, names.index("sepsis")] > weights[1, names.index("sepsis")]
    assert weights[:, names.index(NEW_DISEASE.name)].tolist() == [0.0, 0.07]
