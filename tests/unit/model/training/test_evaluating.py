"""Evaluations: folds, rows that are never resampled, losses after a cross-fitted temperature."""

from dataclasses import replace

import numpy as np
import pytest

from model.errors import TrainingError
from model.explanation import softmax
from model.scorer import frame_matrix
from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings, Way
from model.training.evaluating import FoldResult, Ground, thinned
from model.training.kinds import KINDS, ways
from model.training.search import compare
from model.training.selection import usable_columns
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort

FOCAL_KINDS = {"lightgbm", "xgboost"}


def ground(settings: TrainingSettings, rows: int = 1_000, categories: int = 5) -> Ground:
    """A small cohort, of which a fifth tells boosting when to stop."""
    frame = small_cohort(rows, 21, categories=categories)
    codes = sorted(frame["severity"].unique())
    patient = np.unique(frame["patient_id"], return_inverse=True)[1]
    outcome = np.array([codes.index(code) for code in frame["severity"]])
    matrix = frame_matrix(frame)
    stop = patient % 5 == 0
    protected = np.zeros(len(frame), dtype=bool)
    return Ground.of(
        matrix[~stop],
        outcome[~stop],
        patient[~stop],
        protected[~stop],
        (matrix[stop], outcome[stop]),
        usable_columns(matrix),
        categories,
        settings,
    )


ALL = small_settings(estimators=ESTIMATORS, balancings=BALANCINGS, folds=2, max_rounds=20)


@pytest.fixture(scope="module")
def whole() -> Ground:
    return ground(ALL)


def test_folds_do_not_divide_patients_and_hold_every_category(whole: Ground) -> None:
    assert all(len(set(whole.fold[whole.patient == p])) == 1 for p in np.unique(whole.patient))
    assert set(whole.fold) == {0, 1}
    for fold in (0, 1):
        assert set(whole.outcome[whole.fold == fold]) == set(range(5))


def test_a_category_in_one_fold_only_is_refused(whole: Ground) -> None:
    patient = np.where(whole.outcome == 4, whole.patient.max() + 1, whole.patient)
    with pytest.raises(TrainingError, match="too few patients"):
        Ground.of(
            *(whole.matrix, whole.outcome, patient, whole.protected, whole.stop),
            *(whole.columns, 5, ALL),
        )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_kind_learns_with_every_remedy_it_can_take(whole: Ground, estimator: str) -> None:
    counts = np.bincount(whole.outcome) / len(whole.outcome)
    base = -(counts * np.log(counts)).sum()
    assert ("focal" in KINDS[estimator].balancings) == (estimator in FOCAL_KINDS)
    for how in KINDS[estimator].balancings:
        results = [whole.evaluate(Way(estimator, how), fold, threads=1) for fold in (0, 1)]
        assert results[0].margins.shape == ((whole.fold == 0).sum(), 5)
        stopped = estimator in {"lightgbm", "xgboost", "hist_boosting", "mlp"}
        assert all((result.rounds is not None) == stopped for result in results)
        # Undersampling leaves some 200 rows here.
        enough = 1.0 if how == "undersample" else 0.85
        assert whole.losses(results).mean() < enough * base, how


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if KINDS[name].served])
def test_two_categories_are_two_margins(estimator: str) -> None:
    two = ground(ALL, categories=2)
    found = two.evaluate(Way(estimator, "none"), 0, threads=1)
    own = two.fold == 0
    p = softmax(found.margins.astype(float))[:, 1]
    assert p.mean() == pytest.approx(two.outcome[own].mean(), abs=0.06)
    assert p[two.outcome[own] == 1].mean() > p[two.outcome[own] == 0].mean()


def test_an_evaluation_is_the_same_again(whole: Ground) -> None:
    for estimator in ESTIMATORS:
        first, second = (whole.evaluate(Way(estimator, "smote"), 1, threads=1) for _ in range(2))
        np.testing.assert_array_equal(first.margins, second.margins)


def test_losses_by_hand() -> None:
    """Margins that are twice too large in both folds: a temperature of about 2 mends each."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(6_000, 3))
    cumulative = softmax(logits).cumsum(axis=1)
    outcome = (rng.random((6_000, 1)) > cumulative).sum(axis=1)
    fold = np.arange(6_000) % 2
    made = replace(ground(ALL), outcome=outcome, fold=fold, categories=3)
    results = [FoldResult((2.0 * logits[fold == k]).astype(np.float32), None, 0.0) for k in (0, 1)]
    honest = -np.log(softmax(logits)[np.arange(6_000), outcome])
    raw = -np.log(softmax(2.0 * logits)[np.arange(6_000), outcome])
    assert made.losses(results).mean() == pytest.approx(honest.mean(), abs=2e-3)
    assert raw.mean() > honest.mean() + 0.05


def test_the_temperature_of_a_fold_comes_from_the_others(whole: Ground) -> None:
    results = [whole.evaluate(Way("logistic", "none"), fold, threads=1) for fold in (0, 1)]
    blown = replace(results[0], margins=results[0].margins * 10.0)
    before, after = whole.losses(results), whole.losses([blown, results[1]])
    own = whole.fold == 0
    # Fold 0 is mended by fold 1, which knows nothing of it: it is punished for its own excess.
    assert after[own].mean() > before[own].mean() + 0.5


def test_slow_kinds_get_fewer_rows_of_each_category_and_all_protected_ones() -> None:
    outcome = np.repeat([0, 1, 2], [800, 190, 10])
    protected = np.zeros(1_000, dtype=bool)
    protected[[3, 5, 7, 805]] = True
    rows = np.arange(1_000)
    kept = thinned(rows, outcome, 100, protected)
    assert set(np.flatnonzero(protected)) <= set(kept)
    counts = np.bincount(outcome[kept])
    assert counts.tolist() == [80 + 3, 19 + 1, 10]
    assert thinned(rows, outcome, None, protected) is rows
    assert thinned(rows, outcome, 1_000, protected) is rows


def test_a_support_vector_machine_is_not_tried_on_many_rows() -> None:
    found, not_tried = ways(ALL, 10_001)
    assert not any(way.estimator == "svm" for way in found)
    assert not_tried == {"svm": "not tried: more than 10000 rows to train on"}
    assert any(way.estimator == "svm" for way in ways(ALL, 10_000)[0])


def test_every_way_is_compared_and_one_chosen() -> None:
    settings = small_settings(
        estimators=("logistic", "xgboost"), balancings=("none", "class_weights", "focal")
    )
    here = ground(settings)
    steps: list[float] = []
    known = Way("xgboost", "smote", (("max_depth", 2.0),))
    found = compare(here, replace(settings, known=(known,)), steps.append)
    # Two remedies of the regression, three of the trees, and the one that was known before.
    assert len(found.table) == 6
    assert known in {candidate.way for candidate in found.table}
    assert found.table[0].behind == 0.0
    assert sum(c.verdict.startswith("chosen") for c in found.table) == 1
    assert steps == pytest.approx([(i + 1) / 18 for i in range(18)])
    assert all((c.rounds is None) == (c.estimator == "logistic") for c in found.table)
    assert all(c.seconds > 0 for c in found.table)


def test_the_fingerprint_changes_with_rows_seed_and_folds(whole: Ground) -> None:
    others = [
        whole,
        replace(whole, outcome=whole.outcome[::-1]),
        replace(whole, settings=replace(ALL, seed=8)),
        replace(whole, settings=replace(ALL, folds=3)),
        replace(whole, columns=whole.columns[1:]),
    ]
    assert len({one.fingerprint() for one in others}) == len(others)
    assert whole.fingerprint() == replace(whole, settings=replace(ALL, threads=2)).fingerprint()
