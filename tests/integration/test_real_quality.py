"""The short form of `benchmarks.quality`: what five inputs must reach on real patients."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import Judged, beta_binomial, temporal
from benchmarks.real_data import FIVE, nhamcs
from model.evaluation.comparators import CONSTANT, NEWS2_AND_AGE
from model.evaluation.metrics import calibration_error, ranking
from model.severity import Severity
from model.training.design import TrainingSettings


@pytest.fixture(scope="module")
def tested(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Trained on the visits of 2015 to 2017, asked about those of 2018."""
    settings = TrainingSettings(
        estimators=("logistic_splines", "xgboost"), balancings=("none",), bootstrap_replicates=20
    )
    return temporal(nhamcs(shared_data), FIVE, settings, tmp_path_factory.mktemp("quality"))


def area(tested: Judged, name: str) -> float:
    """AUROC of acute."""
    score = tested.probabilities[name][:, tested.position(Severity.ACUTE)]
    case = tested.case(Severity.ACUTE)
    return float(ranking(score, case, np.ones((1, len(case))))[0][0])


def log_loss(tested: Judged, name: str) -> float:
    rows = np.arange(len(tested.outcome))
    return float(-np.log(tested.probabilities[name][rows, tested.outcome]).mean())


def test_acute_is_told_better_than_by_news2_and_age(tested: Judged) -> None:
    assert len(tested.outcome) == 13_626
    assert area(tested, "model") >= 0.82
    assert area(tested, "model") > area(tested, NEWS2_AND_AGE)


def test_the_frequencies_are_beaten_and_probabilities_mean_what_they_say(tested: Judged) -> None:
    assert log_loss(tested, CONSTANT) - log_loss(tested, "model") >= 0.09
    weights = np.ones((1, len(tested.outcome)))
    error = calibration_error(tested.probabilities["model"], tested.outcome, weights)[0]
    assert error <= 0.02


def test_nothing_is_too_good_to_be_true(tested: Judged) -> None:
    """Five inputs cannot do this on real patients: it would be a leak."""
    assert area(tested, "model") < 0.9


def test_every_category_is_covered_about_as_promised(tested: Judged) -> None:
    sets = tested.result.scorer.artefact.sets
    for i, severity in enumerate(tested.result.scorer.classes):
        case = tested.outcome == i
        # A year later, so a little further off than chance alone would allow.
        low, high = beta_binomial(sets.cases[i], int(case.sum()), sets.coverage)
        assert low - 0.02 <= tested.sets[case, i].mean() <= high + 0.02, severity


def test_the_interval_of_a_coverage_is_that_of_the_beta_binomial() -> None:
    low, high = beta_binomial(10_000, 10_000, 0.9)
    # Two shares of 0.9 among 10,000: standard error 0.00424.
    assert low == pytest.approx(0.9 - 1.96 * 0.00424, abs=5e-4)
    assert high == pytest.approx(0.9 + 1.96 * 0.00424, abs=5e-4)
    assert beta_binomial(65, 157, 0.9)[0] < low
