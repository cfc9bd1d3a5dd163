"""Paired non-inferiority of a challenger, on real models changed in one respect."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from model.estimators import LogisticRegression
from model.explanation import Calibration
from model.features import FloatArray
from model.scorer import Scorer
from model.severity import Severity
from model.training.gate_answers import TURNS
from model.training.gate_records import TITLES, Gate, Margins, gates_as_text
from model.training.gates import GateDecision, compare
from tests.support.artefacts import small_model
from tests.support.cohorts import small_cohort

BANDS = ((18, 45), (45, 65), (65, 80), (80, 200))
LENIENT = Margins(log_loss=100.0, category=100.0)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return small_cohort(3_000, 90)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    path = small_model(tmp_path_factory.mktemp("champion")).path
    return Scorer.load(path, version="1")


def _with(champion: Scorer, temperature: float, bias: dict[Severity, float]) -> Scorer:
    """The champion with another calibration."""
    old = champion.artefact.calibration
    added = np.array([bias.get(code, 0.0) for code in champion.classes])
    calibration = Calibration(old.temperature * temperature, old.class_bias + added)
    artefact = replace(champion.artefact, calibration=calibration)
    return Scorer(artefact, version="2", checksum="")


def test_a_model_is_not_inferior_to_itself(champion: Scorer, frame: pd.DataFrame) -> None:
    found = compare(champion, _with(champion, 1.0, {}), frame, seed=1, replicates=200)
    assert found.promote
    assert found.outcome == "promoted-ok"
    assert found.figures["log_loss_difference_upper"] == 0.0
    assert found.figures["sensitivity_difference_lower"] == 0.0
    assert found.figures["compared"] == 3_000


def test_a_worse_log_loss_is_refused_though_it_finds_as_many(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(champion, _with(champion, 0.55, {}), frame, seed=1, replicates=200)
    assert not found.promote
    assert found.outcome == "refused"
    assert found.figures["log_loss_difference_upper"] > 0.003
    assert found.figures["log_loss_challenger"] > found.figures["log_loss_champion"]
    assert f"{found.figures['log_loss_challenger']:.4f}" in found.reason


def test_a_better_model_is_promoted_over_a_worse_champion(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(_with(champion, 0.55, {}), champion, frame, seed=1, replicates=200)
    assert found.promote
    assert found.figures["log_loss_difference_upper"] < 0


def test_a_model_that_finds_fewer_acute_cases_is_refused(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    # A model that knows nothing flags everybody in the same part; the log loss is let pass.
    regression = champion.artefact.estimator
    assert isinstance(regression, LogisticRegression)
    blind = replace(regression, coefficients=np.zeros_like(regression.coefficients))
    challenger = Scorer(replace(champion.artefact, estimator=blind), version="2", checksum="")
    found = compare(champion, challenger, frame, seed=1, replicates=200, margins=LENIENT)
    assert found.figures["sensitivity_challenger"] == pytest.approx(found.figures["flag_rate"])
    assert found.figures["sensitivity_difference_lower"] < -0.05
    assert (found.promote, found.outcome) == (False, "refused")


def test_sensitivity_is_compared_at_the_champions_flag_rate(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    # More confidence in acute flags more by its own threshold, but no other rows first.
    eager = _with(champion, 1.0, {Severity.ACUTE: 0.3})
    found = compare(champion, eager, frame, seed=1, replicates=200, margins=LENIENT)
    threshold = champion.facts.thresholds[Severity.ACUTE]
    acute = champion.classes.index(Severity.ACUTE)
    flagged = champion.probabilities(frame)[:, acute] >= threshold
    cases = (frame["severity"] == "acute").to_numpy()
    assert found.figures["flag_rate"] == pytest.approx(flagged.mean())
    assert found.figures["sensitivity_champion"] == pytest.approx(flagged[cases].mean())
    assert found.figures["sensitivity_challenger"] == pytest.approx(flagged[cases].mean(), abs=0.01)


def test_log_loss_figures_by_hand(champion: Scorer, frame: pd.DataFrame) -> None:
    found = compare(champion, _with(champion, 1.2, {}), frame, seed=1, replicates=50)
    p = champion.probabilities(frame)
    position = {code.value: i for i, code in enumerate(champion.classes)}
    true = p[np.arange(len(frame)), [position[code] for code in frame["severity"]]]
    assert found.figures["log_loss_champion"] == pytest.approx(-np.log(true).mean())


def test_under_2000_outcomes_there_is_not_enough_to_decide(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(champion, champion, frame[:1999], seed=1)
    assert (found.promote, found.outcome) == (False, "not-enough")
    assert "1999 outcomes" in found.reason
    assert compare(
        champion, champion, frame[:150], seed=1, replicates=50, margins=Margins(minimum=150)
    ).promote


def test_without_an_acute_case_there_is_not_enough(champion: Scorer, frame: pd.DataFrame) -> None:
    none = frame[frame["severity"] != "acute"]
    found = compare(champion, champion, none, seed=1, margins=Margins(minimum=100))
    assert found.outcome == "not-enough"
    assert "no acute case" in found.reason


def test_rows_of_one_patient_widen_the_bounds(champion: Scorer, frame: pd.DataFrame) -> None:
    other = _with(champion, 1.3, {})
    bounds = []
    for copies in (1, 4):
        # The same rows four times over are no more patients.
        rows = pd.concat([frame] * copies, ignore_index=True)
        found = compare(champion, other, rows, seed=1, replicates=400)
        bounds.append(found.figures["log_loss_difference_upper"])
    assert bounds[1] == pytest.approx(bounds[0], rel=0.05)


def test_the_same_seed_gives_the_same_decision(champion: Scorer, frame: pd.DataFrame) -> None:
    other = _with(champion, 1.1, {})
    first, second = (compare(champion, other, frame, seed=5, replicates=100) for _ in range(2))
    assert first == second


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("narrow"), categories=4).path


def test_c19_a_challenger_that_loses_a_category_is_refused(
    champion: Scorer, frame: pd.DataFrame, narrow: Path
) -> None:
    challenger = Scorer.load(narrow, version="2")
    found = compare(champion, challenger, frame, seed=1, replicates=50)
    assert found.outcome == "refused"
    assert "terminal" in found.reason
    assert found.figures["lost_categories"] == ["terminal"]
    allowed = compare(
        champion, challenger, frame, seed=1, replicates=50, allow_fewer_categories=True
    )
    assert allowed.figures["compared"] == (frame["severity"] != "terminal").sum()
    assert allowed.figures["not_covered_by_both"] == (frame["severity"] == "terminal").sum()
    assert "log loss" in allowed.reason


def test_knowing_one_category_more_is_not_punished(
    champion: Scorer, frame: pd.DataFrame, narrow: Path
) -> None:
    old = Scorer.load(narrow, version="0")
    found = compare(old, champion, frame, seed=1, replicates=50)
    assert found.figures["lost_categories"] == []
    difference = found.figures["log_loss_challenger"] - found.figures["log_loss_champion"]
    assert abs(difference) < 0.03


def test_models_that_share_one_category_cannot_be_compared(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    first = Scorer.load(small_model(tmp_path, categories=2).path, version="1")
    rows = small_cohort(2_500, 3)
    rows = rows[rows["severity"].isin(["mild", "acute"])]
    second = Scorer.load(small_model(tmp_path, frame=rows).path, version="2")
    found = compare(first, second, frame, seed=1, allow_fewer_categories=True)
    assert found.outcome == "refused"
    assert "fewer than two" in found.reason


def test_without_acute_in_both_the_reason_says_so(frame: pd.DataFrame, tmp_path: Path) -> None:
    two = Scorer.load(small_model(tmp_path, categories=2).path, version="0")
    found = compare(two, two, frame, seed=1, replicates=50, margins=Margins(minimum=100))
    assert found.promote
    assert "acute is not covered" in found.reason


def gate(decision: GateDecision, name: str) -> Gate:
    (found,) = (one for one in decision.gates if one.name == name)
    return found


def _ruined(scorer: Scorer, blind_for: Severity, factor: float = 0.0) -> Scorer:
    """The model without its own reasons for one category, or with them turned round (-1)."""
    regression = scorer.artefact.estimator
    assert isinstance(regression, LogisticRegression)
    coefficients = regression.coefficients.copy()
    coefficients[scorer.classes.index(blind_for)] *= factor
    blind = replace(regression, coefficients=coefficients)
    return Scorer(replace(scorer.artefact, estimator=blind), version="2", checksum="")


def test_the_same_model_passes_every_gate_with_2000_rows(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(champion, champion, frame[:2000], seed=1, replicates=100, timer=lambda: 0.0)
    assert found.promote
    assert [one.name for one in found.gates] == list(TITLES)
    said = {one.name: one.passed for one in found.gates}
    assert said.pop("best_of_past_year") is None
    assert said.pop("rare_floor") is None
    assert set(said.values()) == {True}


def test_every_gate_is_shown_also_where_there_is_not_enough(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    found = compare(champion, champion, frame[:500], seed=1)
    assert [one.name for one in found.gates] == list(TITLES)
    assert gate(found, "outcomes").passed is None
    assert gate(found, "outcomes").sentence.startswith("Not enough to decide")
    assert gate(found, "log_loss").passed is None
    assert gate(found, "explanation").passed
    text = gates_as_text(found.as_json()["gates"])
    assert len(text.splitlines()) == len(TITLES)
    assert "not judged  log loss" in text


def test_ruined_acute_is_refused_though_log_loss_gains(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    # Few acute cases, and an old champion that is too sure of itself: the sum is better.
    acute = (frame["severity"] == "acute").to_numpy()
    rows = frame[~acute | (np.cumsum(acute) <= 60)]
    old = _with(champion, 0.35, {})
    found = compare(old, _ruined(champion, Severity.ACUTE), rows, seed=1, replicates=200)
    assert gate(found, "log_loss").passed
    assert not gate(found, "sensitivity").passed
    assert found.outcome == "refused"
    assert "sensitivity for acute" in found.reason


def test_a_category_of_50_cases_is_judged_by_its_entropy(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    terminal = (frame["severity"] == "terminal").to_numpy()
    rows = frame[~terminal | (np.cumsum(terminal) <= 50)]
    old = _with(champion, 0.5, {})
    found = compare(old, _ruined(champion, Severity.TERMINAL), rows, seed=1, replicates=200)
    by_category = gate(found, "category_log_loss").figures["by_category"]
    assert set(by_category) == {"not-ill", "mild", "acute", "chronic", "terminal"}
    rate = 50 / len(rows)
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert by_category["terminal"]["cases"] == 50
    assert by_category["terminal"]["allowed"] == pytest.approx(0.03 * entropy)
    position = champion.classes.index(Severity.TERMINAL)
    true = (rows["severity"] == "terminal").to_numpy()
    losses = []
    for scorer in (old, _ruined(champion, Severity.TERMINAL)):
        p = scorer.probabilities(rows)[:, position]
        losses.append(log_loss(true, p))
    assert by_category["terminal"]["difference"] == pytest.approx(losses[1] - losses[0])
    fewer = frame[~terminal | (np.cumsum(terminal) <= 49)]
    found = compare(old, _ruined(champion, Severity.TERMINAL), fewer, seed=1, replicates=50)
    assert "terminal" not in gate(found, "category_log_loss").figures["by_category"]
    assert "terminal (49)" in gate(found, "category_log_loss").sentence


def test_a_model_that_spoils_one_category_alone_is_refused(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    chronic = champion.classes.index(Severity.CHRONIC)

    class Spoilt(Scorer):
        """Gives everybody the same probability of chronic illness."""

        def probabilities(self, frame: pd.DataFrame) -> FloatArray:
            found = super().probabilities(frame)
            found[:, chronic] = 0.0
            return 0.8 * found / found.sum(axis=1, keepdims=True) + 0.2 * np.eye(5)[chronic]

    wide = Margins(log_loss=100.0, sensitivity=1.0)
    spoilt = Spoilt(champion.artefact, version="2", checksum="")
    found = compare(champion, spoilt, frame, seed=1, replicates=200, margins=wide)
    refused = gate(found, "category_log_loss")
    assert refused.passed is False
    assert not refused.figures["by_category"]["chronic"]["passed"]
    assert found.outcome == "refused"
    assert "chronic" in found.reason


def test_small_losses_do_not_add_up(champion: Scorer, frame: pd.DataFrame) -> None:
    """Each step passes against the one before; the third is refused against the first."""
    steps = [champion] + [
        Scorer(_with(champion, heat, {}).artefact, version=str(i), checksum="")
        for i, heat in ((2, 1.05), (3, 1.10), (4, 1.15))
    ]
    wide = Margins(category=1.0)
    for old, new in pairwise(steps):
        alone = compare(old, new, frame, seed=1, replicates=200, margins=wide)
        assert gate(alone, "log_loss").passed, alone.reason
    last = compare(steps[2], steps[3], frame, seed=1, replicates=200, margins=wide, past=steps[:2])
    assert gate(last, "log_loss").passed
    refused = gate(last, "best_of_past_year")
    assert refused.passed is False
    losses = refused.figures["past_champions"]
    best = refused.figures["best_of_past_year"]
    assert set(losses) == {"1", "2"}
    assert losses[best] == min(losses.values()) < last.figures["log_loss_champion"]
    assert last.outcome == "refused"
    assert f"version {best}, the best of the past year" in last.reason


def test_the_best_of_the_past_year_may_be_the_champion(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    worse = Scorer(_with(champion, 0.5, {}).artefact, version="0", checksum="")
    found = compare(champion, champion, frame, seed=1, replicates=50, past=[worse])
    assert gate(found, "best_of_past_year").passed
    losses = gate(found, "best_of_past_year").figures["past_champions"]
    assert losses["0"] > found.figures["log_loss_champion"]


def test_a_past_champion_that_lacks_a_category_is_left_out(
    champion: Scorer, frame: pd.DataFrame, narrow: Path
) -> None:
    old = Scorer.load(narrow, version="0")
    found = compare(champion, champion, frame, seed=1, replicates=50, past=[old])
    assert gate(found, "best_of_past_year").passed is None
    assert found.figures["past_champions_left_out"] == ["0"]


class Stopwatch:
    """A clock that goes forward by what the test says: champion and challenger take turns."""

    def __init__(self, champion_ms: float, challenger_ms: float) -> None:
        self.time, self.asked = 0.0, 0
        self.spent = (champion_ms / 1e3, challenger_ms / 1e3)

    def __call__(self) -> float:
        pair, place = divmod(self.asked, 4)
        if place % 2:
            first = 0 if pair % 2 else 1
            self.time += self.spent[first if place == 1 else 1 - first]
        self.asked += 1
        return self.time


@pytest.mark.parametrize(
    ("champion_ms", "challenger_ms", "passed"),
    [(6.0, 11.9, True), (6.0, 12.1, False), (0.1, 4.9, True), (0.1, 5.1, False), (40, 51, False)],
)
def test_latency_is_held_within_limits(
    champion: Scorer,
    frame: pd.DataFrame,
    champion_ms: float,
    challenger_ms: float,
    passed: bool,
) -> None:
    watch = Stopwatch(champion_ms, challenger_ms)
    found = compare(champion, champion, frame, seed=1, replicates=20, timer=watch)
    assert watch.asked == TURNS * 4 * 200
    told = gate(found, "latency")
    assert told.figures["latency_ms_champion"] == pytest.approx(champion_ms)
    assert told.figures["latency_ms_challenger"] == pytest.approx(challenger_ms)
    assert told.passed is passed
    assert found.promote is passed
    assert gate(compare(champion, champion, frame, seed=1), "latency").passed is None


class Interrupted(Stopwatch):
    """A machine that does something else for 200 ms during some answers of the challenger."""

    def __init__(self, busy: Callable[[int], bool]) -> None:
        super().__init__(1.0, 1.0)
        self.busy = busy

    def __call__(self) -> float:
        pair, place = divmod(self.asked, 4)
        if place == (1 if pair % 2 == 0 else 3) and self.busy(pair):
            self.time += 0.2
        return super().__call__()


def test_a_busy_machine_is_no_slow_model(champion: Scorer, frame: pd.DataFrame) -> None:
    """One answer in seven is interrupted; never each of the three to the same chart."""
    busy = Interrupted(lambda pair: pair % 7 == 0)
    told = gate(compare(champion, champion, frame, seed=1, replicates=20, timer=busy), "latency")
    assert told.figures["latency_ms_p95"] == pytest.approx(1.0)
    assert told.passed


def test_a_model_that_is_slow_for_some_charts_is_refused(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    slow = Interrupted(lambda pair: pair % 200 < 20)
    told = gate(compare(champion, champion, frame, seed=1, replicates=20, timer=slow), "latency")
    assert told.figures["latency_ms_p95"] == pytest.approx(201.0)
    assert told.passed is False


def test_a_model_whose_reasons_are_not_its_prediction_is_refused(
    champion: Scorer, frame: pd.DataFrame
) -> None:
    regression = champion.artefact.estimator
    assert isinstance(regression, LogisticRegression)

    class Inexact(LogisticRegression):
        def contributions(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
            given, bias = super().contributions(matrix)
            return given * 1.02, bias

    odd = Inexact(**{f.name: getattr(regression, f.name) for f in fields(regression) if f.init})
    challenger = Scorer(replace(champion.artefact, estimator=odd), version="2", checksum="")
    found = compare(champion, challenger, frame, seed=1, replicates=20)
    assert gate(found, "log_loss").passed
    assert gate(found, "explanation").passed is False
    assert found.outcome == "refused"


def test_rare_diseases_are_judged_from_ten_cases(champion: Scorer, frame: pd.DataFrame) -> None:
    acute = np.flatnonzero((frame["severity"] == "acute").to_numpy())
    # Cases the champion finds for sure.
    score = champion.probabilities(frame)[:, champion.classes.index(Severity.ACUTE)]
    surest = acute[np.argsort(-score[acute])][:12]
    codes = np.full(len(frame), None, dtype=object)
    codes[surest] = "ORPHA:1"
    rows = frame.assign(
        rare_code=codes, patient_id=[f"r{i}" if i in surest else p for i, p in _patients(frame)]
    )
    blind = _ruined(champion, Severity.ACUTE, -1.0)
    wide = replace(LENIENT, sensitivity=1.0, fairness=1.0)
    found = compare(champion, blind, rows, seed=1, replicates=20, margins=wide)
    assert gate(found, "rare_floor").passed is False
    assert found.figures["rare_cases"] == 12
    assert found.outcome == "refused"
    rows.loc[rows.index[surest[:3]], "rare_code"] = None
    found = compare(champion, blind, rows, seed=1, replicates=20, margins=wide)
    assert gate(found, "rare_floor").passed is None
    assert found.promote


def _patients(frame: pd.DataFrame) -> list[tuple[int, str]]:
    return list(enumerate(frame["patient_id"]))


def test_a_decision_is_json_with_all_gates(champion: Scorer, frame: pd.DataFrame) -> None:
    found = compare(champion, champion, frame, seed=1, replicates=20, timer=lambda: 0.0)
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert [one["name"] for one in told["gates"]] == list(TITLES)
    assert told["outcome"] == "promoted-ok"
    assert told["margins"]["log_loss"] == 0.003
