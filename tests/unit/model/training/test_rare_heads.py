"""A head is served only if leave-one-out shows that the readings tell the disease."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.training.design import TrainingSettings
from model.training.rare_heads import (
    NOT_IDENTIFIED,
    REQUIRED_AUROC,
    RareRows,
    _displacement,
    auroc_lower,
    fit_rare_heads,
    try_head,
)
from model.training.run import train
from model.training.splits import CALIBRATION, HELD_OUT, TRAIN, TUNING
from model.training.summary import as_text
from tests.support.artefacts import DESCRIPTION, small_settings
from tests.support.cohorts import small_cohort

NAMES = ("age", "heart_rate", "systolic_bp", "body_temperature")


@pytest.mark.parametrize(
    ("cases", "others", "expected"),
    [
        # By hand: 1 - b = 1.2816 sqrt(b(1-b)(1 + ((m+n)/2 - 1)((1-b)/(2-b) + b/(1+b)))/(mn)).
        (3, 1_000, 0.8616),
        (4, 1_000, 0.8952),
        (5, 1_000, 0.9159),
        (10, 1_000, 0.9578),
    ],
)
def test_a_perfect_ranking_of_few_cases_is_no_certainty(
    cases: int, others: int, expected: float
) -> None:
    bound = auroc_lower(1.0, cases, others)
    assert bound == pytest.approx(expected, abs=1e-4)
    mean = (cases + others) / 2 - 1
    spread = 1 + mean * ((1 - bound) / (2 - bound) + bound / (1 + bound))
    error = np.sqrt(bound * (1 - bound) * spread / (cases * others))
    assert 1 - bound == pytest.approx(1.2815516 * error)


def test_the_bound_rises_with_the_figure_and_with_the_cases() -> None:
    bounds = [auroc_lower(auroc, 5, 1_000) for auroc in (0.0, 0.3, 0.5, 0.8, 0.95, 1.0)]
    assert bounds == sorted(bounds)
    assert bounds[0] == 0.0
    assert all(low < high for low, high in zip(bounds[1:], (0.3, 0.5, 0.8, 0.95, 1.0), strict=True))
    assert auroc_lower(0.9, 3, 1_000) < auroc_lower(0.9, 30, 1_000) < 0.9
    assert auroc_lower(1.0, 0, 1_000) == auroc_lower(1.0, 3, 0) == 0.0


def test_the_bound_holds_where_cases_vary_like_common_patients() -> None:
    """True AUROC 0.80, three cases: at most one head in ten may pass."""
    rng = np.random.default_rng(4)
    shift = 0.8416 * np.sqrt(2)  # Φ(shift/√2) = 0.80
    passed = 0
    for _ in range(400):
        others = np.sort(rng.normal(size=1_000))
        found = np.searchsorted(others, rng.normal(shift, 1.0, 3)).mean() / 1_000
        passed += auroc_lower(float(found), 3, 1_000) > REQUIRED_AUROC
    assert 0 < passed <= 0.1 * 400


def test_a_prototype_is_shrunk_by_the_cases_that_have_the_value() -> None:
    cases = np.array([[2.0, np.nan, np.nan], [4.0, 3.0, np.nan], [6.0, np.nan, np.nan]])
    # Means 4, 3 and none; three cases weigh 3/4, one 1/2.
    assert _displacement(cases).tolist() == [3.0, 1.5, 0.0]


def rows(
    cases: int,
    shift: float,
    *,
    each: int = 1,
    seed: int = 1,
    parts: tuple[str, ...] = (TRAIN, TUNING),
    common: int = 3_000,
    category: int = 0,
    apart: bool = False,
) -> RareRows:
    """Common rows of two categories, then `cases` patients whose readings lie apart.

    `apart`: the second category lies where the cases lie.
    """
    rng = np.random.default_rng(seed)
    n = common + cases * each
    values = rng.normal(size=(n, len(NAMES))) * [15, 12, 18, 0.5] + [50, 80, 125, 36.8]
    values[common:] += shift * np.array([0.0, 12.0, -18.0, 0.0])
    outcome = (np.arange(n) % 8 == 0).astype(np.intp)
    outcome[common:] = category
    if apart:
        values[:common][outcome[:common] == 1] += shift * np.array([0.0, 12.0, -18.0, 0.0])
    probability = 1 / (1 + np.exp(-(values[:, 1] - 80) / 24))
    values[rng.random(values.shape) < 0.1] = np.nan
    patient = np.concatenate([np.arange(common), common + np.arange(cases * each) // each])
    kinds = np.where(patient % 10 == 0, TUNING, TRAIN)
    kinds[patient % 10 == 1] = CALIBRATION
    kinds[common:] = parts[0]
    codes = pd.Series([None] * common + ["ORPHA:423"] * (cases * each), dtype="str")
    both = np.column_stack([probability, 1 - probability])
    return RareRows.of(codes, values, NAMES, both, outcome, patient, kinds)


def test_cases_that_lie_apart_get_a_head() -> None:
    heads, (report,) = fit_rare_heads(rows(5, 4.0), flag_rate=0.01, seed=3)
    assert report.live
    assert (report.code, report.cases, report.rows, report.others) == ("ORPHA:423", 5, 5, 1_000)
    assert report.auroc_lower is not None
    assert report.auroc_lower > REQUIRED_AUROC
    assert report.sensitivity is not None
    assert report.sensitivity > 0.5
    assert "a head is live" in report.sentence
    assert NOT_IDENTIFIED not in report.sentence
    assert heads is not None

    # The flag rate is kept on rows that nothing was fitted to, and fresh cases are found.
    fresh = rows(200, 4.0, seed=9)
    scores = heads.space.log_ratios(fresh.features, np.array([heads.heads[0].displacement]))[:, 0]
    flagged = scores >= heads.heads[0].threshold
    assert flagged[:3_000].mean() == pytest.approx(0.01, abs=0.007)
    assert flagged[3_000:].mean() > 0.6


def test_cases_like_everybody_get_none_in_these_words() -> None:
    for seed in range(12):
        heads, (report,) = fit_rare_heads(rows(3, 0.0, seed=seed), flag_rate=0.01, seed=seed)
        assert heads is None
        assert not report.live
        assert "3 confirmed cases: the readings do not identify this disease" in report.sentence
        assert report.auroc is not None
        assert f"AUROC {report.auroc:.2f}" in report.sentence


def test_the_case_left_out_is_not_in_its_own_prototype() -> None:
    """One case far away and two in the middle: only its own prototype would rank it first."""
    found = rows(3, 0.0, seed=2)
    found.features[-1, 1] = 400.0
    report, head = try_head(found, "ORPHA:423", flag_rate=0.01, seed=1)
    assert report.auroc is not None
    assert report.auroc < 0.8
    assert head is not None
    own = head.space.log_ratios(found.features, np.array([head.heads[0].displacement]))[:, 0]
    assert np.nanmax(own) == own[-1], "with itself in it the prototype does rank it first"


def test_what_only_tells_the_category_is_no_head() -> None:
    """The category itself lies apart, and the cases are rows of it."""
    found = rows(12, 4.0, category=1, apart=True)
    _, (report,) = fit_rare_heads(found, flag_rate=0.01, seed=1)
    assert report.auroc_lower is not None
    assert report.auroc_lower > REQUIRED_AUROC
    assert report.auroc_of_category == pytest.approx(0.5, abs=0.25)
    assert not report.live


def test_patients_count_and_not_rows() -> None:
    heads, (report,) = fit_rare_heads(rows(2, 6.0, each=5), flag_rate=0.01, seed=1)
    assert heads is None
    assert (report.cases, report.rows) == (2, 10)
    assert report.sentence == "2 confirmed cases: too few to tell, 3 are needed."
    _, (report,) = fit_rare_heads(rows(3, 6.0, each=2), flag_rate=0.01, seed=1)
    assert (report.cases, report.live) == (3, True)


@pytest.mark.parametrize("part", [CALIBRATION, HELD_OUT])
def test_cases_that_may_not_be_learnt_from_are_not(part: str) -> None:
    assert fit_rare_heads(rows(5, 6.0, parts=(part,)), flag_rate=0.01, seed=1) == (None, [])


def test_too_few_common_rows_are_said() -> None:
    heads, (report,) = fit_rare_heads(rows(5, 6.0, common=100), flag_rate=0.01, seed=1)
    assert heads is None
    assert "too few common rows" in report.sentence


def test_the_same_seed_gives_the_same_heads() -> None:
    first, second = (fit_rare_heads(rows(5, 4.0), flag_rate=0.01, seed=5) for _ in range(2))
    assert first == second


def test_a_patient_with_two_diseases_is_a_case_of_both() -> None:
    found = rows(5, 4.0)
    codes = [("ORPHA:423", "OMIM:154700") if one else () for one in found.codes]
    object.__setattr__(found, "codes", codes)
    _, reports = fit_rare_heads(found, flag_rate=0.01, seed=1)
    assert [(one.code, one.cases) for one in reports] == [("ORPHA:423", 5), ("OMIM:154700", 5)]


def test_training_fits_reports_and_writes_them(tmp_path: Path) -> None:
    frame = small_cohort(2_500, 3)
    rare = frame.sample(40, random_state=1).index
    frame["rare_code"] = pd.Series(pd.NA, frame.index, dtype="str")
    frame.loc[rare[:20], "rare_code"] = "423"
    frame.loc[rare[:20], ["heart_rate", "body_temperature"]] = [185.0, 41.0]
    frame.loc[rare[20:], "rare_code"] = "http://www.orpha.net/ORDO/Orphanet_558"
    result = train(
        frame, small_settings(rare_flag_rate=0.02), artefact_root=tmp_path, data=DESCRIPTION
    )

    reported = {one["code"]: one for one in result.report["rare"]}
    assert list(reported) == ["ORPHA:423", "ORPHA:558"]
    assert reported["ORPHA:423"]["live"]
    assert reported["ORPHA:423"]["name"] == "Malignant hyperthermia of anesthesia"
    assert "the readings do not identify this disease" in reported["ORPHA:558"]["sentence"]
    heads = result.scorer.artefact.prototypes
    assert heads is not None
    assert [(one.code, one.flag_rate) for one in heads.heads] == [("ORPHA:423", 0.02)]
    assert result.scorer.artefact.design["rare_flag_rate"] == 0.02

    said = as_text(result).splitlines()
    start = said.index("Rare diseases:")
    assert said[start + 1].startswith("ORPHA:423 Malignant hyperthermia of anesthesia: ")
    assert said[start + 2].endswith(reported["ORPHA:558"]["sentence"])

    hot = frame.loc[rare[:1]]
    inputs = hot[list(result.scorer.artefact.rarity.inputs)].to_numpy(dtype=np.float64)
    found = heads.matches(inputs, result.scorer.probabilities(hot))
    assert [one.code for one in found] == ["ORPHA:423"]


def test_the_flag_rate_is_a_share() -> None:
    with pytest.raises(Exception, match="flag rate of rare diseases"):
        TrainingSettings(rare_flag_rate=0.5)
