"""Other priors for a fitted model: found where shares changed, and everything still adds up."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.errors import TrainingError
from model.prototypes import PrototypeHead, Prototypes
from model.rarity import Rarity
from model.scorer import Scorer, frame_matrix
from model.severity import SEVERITIES, Severity
from model.training.derived import write_derived
from model.training.gate_answers import feature_row
from model.training.recalibration import (
    FIT,
    RECALIBRATED,
    SETS,
    TEST,
    fit_priors,
    recalibrate,
    roles,
)
from model.training.splits import CALIBRATION, HELD_OUT, part_of
from tests.support.artefacts import KEPT, small_model
from tests.support.cohorts import small_cohort

LATER = pd.Timestamp("2030-01-01", tz="UTC")


def shifted(rows: int, seed: int, shares: dict[str, float]) -> pd.DataFrame:
    """New patients whose categories have other shares and are otherwise as ever."""
    cohort = small_cohort(12 * rows, seed)
    parts = [
        cohort[cohort["severity"] == code].head(round(rows * share))
        for code, share in shares.items()
    ]
    frame = pd.concat(parts).sample(frac=1.0, random_state=seed).reset_index(drop=True)
    frame["patient_id"] = [f"new{seed}-{n}" for n in range(len(frame))]
    frame["recorded_at"] = LATER + pd.to_timedelta(np.arange(len(frame)), unit="h")
    return frame


FEWER_MILD = {"not-ill": 0.2, "mild": 0.1, "acute": 0.4, "chronic": 0.2, "terminal": 0.1}


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_model(tmp_path_factory.mktemp("parent"), "xgboost", rows=4_000).scorer


@pytest.fixture(scope="module")
def recent() -> pd.DataFrame:
    return shifted(3_000, 21, FEWER_MILD)


def log_loss(scorer: Scorer, frame: pd.DataFrame) -> float:
    known = [code.value for code in scorer.classes]
    position = [known.index(code) for code in frame["severity"]]
    return float(-np.log(scorer.probabilities(frame)[np.arange(len(frame)), position]).mean())


def test_offsets_are_the_log_of_new_over_old_share() -> None:
    """Logits of known truth, and outcomes drawn under other shares."""
    rng = np.random.default_rng(4)
    old, new = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    kind = rng.choice(3, 40_000, p=new)
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    x = centres[kind] + rng.normal(size=(len(kind), 2))
    truth = x @ centres.T - (centres**2).sum(axis=1) / 2 + np.log(old)
    temperature, offsets = fit_priors(2.0 * truth, kind, np.ones(3, dtype=bool), old)
    assert temperature == pytest.approx(2.0, abs=0.06)
    np.testing.assert_allclose(offsets - offsets[0], np.log(new / old) - np.log(0.4), atol=0.08)
    # The new shares sum to one.
    assert (old * np.exp(offsets)).sum() == pytest.approx(1.0)


def test_a_category_that_was_not_seen_keeps_its_share() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(3_000, 3))
    outcome = (scores[:, 1] + rng.normal(size=3_000) > 0).astype(np.intp)
    shares = np.array([0.4, 0.4, 0.2])
    _, offsets = fit_priors(scores, outcome, np.array([True, True, False]), shares)
    assert offsets[2] == 0.0
    assert (shares[:2] * np.exp(offsets[:2])).sum() == pytest.approx(0.8)


def test_roles_are_told_by_the_hash_and_leave_held_out_patients_alone() -> None:
    frame = pd.DataFrame({"patient_id": [f"p{n}" for n in range(4_000)]})
    role = roles(frame)
    parts = np.asarray([part_of(name) for name in frame["patient_id"]])
    assert set(role[parts == HELD_OUT]) == {TEST}
    assert set(role[parts == CALIBRATION]) == {SETS}
    assert np.mean(role == FIT) == pytest.approx(0.30, abs=0.03)
    assert np.mean(role == TEST) == pytest.approx(0.55, abs=0.03)


def test_a_shift_of_shares_is_answered_by_other_priors(
    scorer: Scorer, recent: pd.DataFrame, tmp_path: Path
) -> None:
    found = recalibrate(scorer, recent, small_cohort(500, 6), seed=1)
    result = write_derived(scorer, found.artefact, tmp_path, found.report)
    changed = Scorer.load(result.path, version="2", expected_checksum=result.checksum)
    fresh = shifted(2_000, 22, FEWER_MILD)
    assert log_loss(changed, fresh) < log_loss(scorer, fresh) - 0.05
    means = changed.probabilities(fresh).mean(axis=0)
    for code, mean in zip(changed.classes, means, strict=True):
        assert mean == pytest.approx(FEWER_MILD[code.value], abs=0.04)
        assert changed.facts.base_rates[code] == pytest.approx(FEWER_MILD[code.value], abs=0.03)
        ratio = found.report["log_share_ratio"][code.value]
        assert found.report["offsets"][code.value] == pytest.approx(ratio, abs=0.6)
    # Thresholds flag the stated share of today's charts, and sets keep their promise on them.
    flagged = changed.probabilities(fresh)[:, changed.classes.index(Severity.ACUTE)]
    share = np.mean(flagged >= changed.facts.thresholds[Severity.ACUTE])
    assert share == pytest.approx(0.05, abs=0.025)
    members = changed.artefact.sets.members(changed.probabilities(fresh))
    outcome = np.asarray([SEVERITIES.index(Severity(code)) for code in fresh["severity"]])
    for position in range(len(changed.classes)):
        assert members[outcome == position, position].mean() >= 0.85

    # The estimator is the same, what was learnt of origin is not lost, and reasons add up.
    assert (result.path / "model.ubj").read_bytes() == _booster(scorer, tmp_path)
    told = changed.artefact.attributes
    assert told[RECALIBRATED]["rows"][FIT] == int((roles(recent) == FIT).sum())
    assert told["trained_through"] > "2030-01-01"
    # What it was fitted to is learnt from now, whatever its model had held out.
    assert told["shared_from"] is None
    assert told["data_sha256"] == scorer.artefact.attributes["data_sha256"]
    for row in fresh.head(40).to_dict("records"):
        asked = feature_row(row)
        said = changed.assess(asked)
        before = scorer.assess(asked)
        for code in changed.classes:
            total = said.baseline[code] + sum(c.value for c in said.contributions[code])
            p = said.probabilities[code]
            assert total == pytest.approx(math.log(p / (1.0 - p)), abs=1e-4)
        assert said.atypicality == before.atypicality


def _booster(scorer: Scorer, folder: Path) -> bytes:
    scorer.artefact.estimator.save(folder)
    return (folder / "model.ubj").read_bytes()


def test_heads_of_rare_diseases_say_what_they_said(scorer: Scorer, recent: pd.DataFrame) -> None:
    names = scorer.artefact.rarity.inputs
    size = len(names) + len(scorer.classes) - 1
    rng = np.random.default_rng(2)
    space = Rarity(
        (*names, *(f"logit_{i}" for i in range(size - len(names)))),
        tuple(rng.normal(size=size).tolist()),
        tuple(rng.uniform(0.5, 2.0, size).tolist()),
        tuple(tuple(row) for row in np.eye(size).tolist()),
        (),
    )
    head = PrototypeHead("ORPHA:1", None, 3, tuple(rng.normal(size=size).tolist()), 0.5, 0.01)
    with_head = replace(scorer.artefact, prototypes=Prototypes(space, (head,)))
    parent = Scorer(with_head, version="1", checksum="x")
    found = recalibrate(parent, recent, small_cohort(100, 6), seed=1)
    changed = Scorer(found.artefact, version="2", checksum="y")
    fresh = small_cohort(300, 31)
    matrix = frame_matrix(fresh)[:, parent._inputs]

    def scores(model: Scorer) -> Any:
        assert model.artefact.prototypes is not None
        return model.artefact.prototypes.scores(matrix, model.probabilities(fresh))

    np.testing.assert_allclose(scores(changed), scores(parent), atol=1e-8)


def test_few_recent_cases_borrow_the_limits_of_sets_from_earlier_ones(scorer: Scorer) -> None:
    few = {"not-ill": 0.25, "mild": 0.3, "acute": 0.25, "chronic": 0.19, "terminal": 0.01}
    recent = shifted(1_500, 23, few)
    alone = recalibrate(scorer, recent, recent.head(0), seed=1).artefact
    helped = recalibrate(scorer, recent, small_cohort(4_000, 3), seed=1).artefact
    terminal = scorer.classes.index(Severity.TERMINAL)
    assert alone.sets.limits[terminal] is None
    assert helped.sets.limits[terminal] is not None
    mild = scorer.classes.index(Severity.MILD)
    assert helped.sets.cases[mild] == alone.sets.cases[mild]
    kept = helped.attributes[RECALIBRATED]["kept_their_share"]
    assert kept == ["terminal"]
    assert helped.attributes["base_rates"]["terminal"] == pytest.approx(
        scorer.facts.base_rates[Severity.TERMINAL]
    )


def test_a_model_kept_from_an_earlier_version_can_be_recalibrated(
    recent: pd.DataFrame, tmp_path: Path
) -> None:
    kept = Scorer.load(KEPT, version="1")
    found = recalibrate(kept, recent, small_cohort(300, 6), seed=1)
    result = write_derived(kept, found.artefact, tmp_path, found.report)
    changed = Scorer.load(result.path, version="2", expected_checksum=result.checksum)
    fresh = shifted(1_000, 24, FEWER_MILD)
    assert log_loss(changed, fresh) < log_loss(kept, fresh)


def test_too_few_recent_outcomes_are_refused_in_words(scorer: Scorer) -> None:
    with pytest.raises(TrainingError, match="200 recent outcomes"):
        recalibrate(scorer, shifted(300, 25, FEWER_MILD), small_cohort(10, 6), seed=1)
    one = shifted(2_000, 26, {"mild": 1.0})
    with pytest.raises(TrainingError, match="in 1"):
        recalibrate(scorer, one, one.head(0), seed=1)


def test_the_export_answers_with_the_new_priors(
    scorer: Scorer, recent: pd.DataFrame, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    from model.training.fitting import select
    from model.training.onnx_export import export

    found = recalibrate(scorer, recent, small_cohort(100, 6), seed=1)
    result = write_derived(scorer, found.artefact, tmp_path, found.report)
    artefact = result.scorer.artefact
    matrix = select(frame_matrix(small_cohort(300, 9)), artefact.columns)
    exported = export(artefact, result.path, version="2", checksum=result.checksum, matrix=matrix)
    assert exported.largest_difference < 1e-6
    margins = artefact.estimator.margins(matrix)
    without = scorer.artefact.calibration.probabilities(margins)
    assert np.abs(artefact.calibration.probabilities(margins) - without).max() > 0.01
