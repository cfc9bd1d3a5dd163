"""The gate "fairness gap": sexes and ages each by themselves, and only where a group loses."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from model.features import FloatArray
from model.scorer import Scorer
from model.severity import Severity
from model.training.gate_records import Gate, Margins
from model.training.gates import compare
from tests.support.artefacts import small_model
from tests.support.cohorts import small_cohort

BANDS = ((18, 45), (45, 65), (65, 80), (80, 200))
WIDE = Margins(log_loss=100.0, category=100.0, sensitivity=1.0)


class Changed(Scorer):
    """A model with the odds of acute illness of some rows multiplied."""

    factor: Callable[[pd.DataFrame], FloatArray]

    def probabilities(self, frame: pd.DataFrame) -> FloatArray:
        found = super().probabilities(frame)
        found[:, self.classes.index(Severity.ACUTE)] *= self.factor(frame)
        return found / found.sum(axis=1, keepdims=True)


def changed(champion: Scorer, version: str, factor: Callable[[pd.DataFrame], FloatArray]) -> Scorer:
    other = Changed(champion.artefact, version=version, checksum="")
    other.factor = factor
    return other


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder = tmp_path_factory.mktemp("champion")
    return Scorer.load(small_model(folder, frame=small_cohort(6_000, 91)).path, version="1")


@pytest.fixture(scope="module")
def seen() -> pd.DataFrame:
    return small_cohort(3_000, 92)


def fairness(
    champion: Scorer, challenger: Scorer, rows: pd.DataFrame, margins: Margins = WIDE
) -> Gate:
    found = compare(champion, challenger, rows, seed=1, replicates=200, margins=margins)
    (gate,) = (one for one in found.gates if one.name == "fairness")
    return gate


def women(frame: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return (frame["sex"] == "female").to_numpy()


def between(
    frame: pd.DataFrame, low: float, high: float
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return frame["age"].between(low, high, inclusive="left").to_numpy()


def sensitivities(
    champion: Scorer, scorer: Scorer, rows: pd.DataFrame
) -> tuple[dict[str, float], dict[str, float]]:
    """By hand: of both sexes and of each age, where each flags as many as the champion."""
    acute = champion.classes.index(Severity.ACUTE)
    threshold = champion.facts.thresholds[Severity.ACUTE]
    places = int((champion.probabilities(rows)[:, acute] >= threshold).sum())
    score = scorer.probabilities(rows)[:, acute]
    flagged = score >= np.sort(score)[-places]
    cases = (rows["severity"] == "acute").to_numpy()
    sexes = {sex: (rows["sex"] == sex).to_numpy() for sex in ("female", "male")}
    ages = {str(low): between(rows, low, high) for low, high in BANDS}
    return tuple(  # type: ignore[return-value]
        {n: float(flagged[cases & g].mean()) for n, g in kind.items() if (cases & g).sum() >= 10}
        for kind in (sexes, ages)
    )


def gap(rates: dict[str, float]) -> float:
    return max(rates.values()) - min(rates.values())


def test_a_model_that_is_worse_for_one_sex_is_refused(champion: Scorer, seen: pd.DataFrame) -> None:
    unfair = changed(champion, "2", lambda rows: np.where(women(rows), 1e-3, 1.0))
    told = fairness(champion, unfair, seen)
    assert told.passed is False
    old, new = (sensitivities(champion, one, seen)[0] for one in (champion, unfair))
    assert told.figures["fairness_gap_champion"] == pytest.approx(gap(old), abs=0.01)
    assert told.figures["fairness_gap_challenger"] == pytest.approx(gap(new), abs=0.01)
    assert told.figures["fairness_groups_lost"] == ["sex female"]
    assert "sex female" in told.sentence
    assert fairness(champion, champion, seen).passed


def test_a_gap_between_the_sexes_does_not_hide_behind_a_larger_one_between_ages(
    champion: Scorer, seen: pd.DataFrame
) -> None:
    """Not one of the oldest is found by either model: no gap between the sexes is as large."""
    blind = changed(champion, "1", lambda rows: np.where(between(rows, 80, 200), 1e-6, 1.0))
    unfair = changed(
        champion,
        "2",
        lambda rows: np.where(between(rows, 80, 200), 1e-6, np.where(women(rows), 0.02, 1.0)),
    )
    old, new = (sensitivities(blind, one, seen) for one in (blind, unfair))
    assert gap(new[0]) > gap(old[0]) + 0.1
    assert gap(new[0]) < gap(new[1])
    assert gap(new[1]) < gap(old[1]) + 0.05
    told = fairness(blind, unfair, seen)
    assert told.passed is False
    assert told.figures["fairness_gap_challenger"] == pytest.approx(gap(new[0]), abs=0.01)


def test_a_gap_that_grows_because_a_group_is_found_more_often_is_let_through(
    champion: Scorer, seen: pd.DataFrame
) -> None:
    """Keeping a model that finds fewer of the old would help none of the young."""

    def wasteful(rows: pd.DataFrame) -> FloatArray:
        healthy = (rows["severity"] != "acute").to_numpy()
        return np.where(healthy & (rows.index % 15 == 0), 1e6, 1.0)

    def better(rows: pd.DataFrame) -> FloatArray:
        acute = (rows["severity"] == "acute").to_numpy()
        return np.where(acute & between(rows, 45, 65) & (rows.index % 3 == 0), 1e6, 1.0)

    first, second = changed(champion, "1", wasteful), changed(champion, "2", better)
    old, new = (sensitivities(first, one, seen)[1] for one in (first, second))
    assert gap(new) > gap(old) + 0.1
    assert all(new[name] >= old[name] for name in old)
    told = fairness(first, second, seen)
    assert told.figures["fairness_growth_lower"] > 0
    assert told.passed
    assert told.figures["fairness_groups_lost"] == []
    assert "no group is found less often" in told.sentence


def test_small_groups_are_named_and_not_judged(champion: Scorer, seen: pd.DataFrame) -> None:
    cases = (seen["severity"] == "acute").to_numpy()
    rows = seen[~(cases & women(seen)) | (np.cumsum(cases & women(seen)) <= 9)]
    told = fairness(champion, champion, rows)
    assert "sex female" in told.figures["fairness_groups_left_out"]
    assert "sex female" in told.sentence
    young = rows[between(rows, 45, 65)]
    assert fairness(champion, champion, young, Margins(minimum=100)).passed is None
