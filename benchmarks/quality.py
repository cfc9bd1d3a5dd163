"""Quality of the models on real data kept beside the checkout, each figure with its interval.

NHAMCS: trained on 2015 to 2017, tested once on 2018. PhysioNet 2012: five folds. Nothing here is
a test, and nothing is to be quoted as local performance: ward admissions are absent from this
extract of NHAMCS (critical care against sent home), its rows are unweighted and clustered by
hospital. `--search` compares all candidates, tuned, and times that.
"""

import argparse
import os
import resource
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.real_data import FIVE, SEVEN, nhamcs, physionet, with_inputs
from benchmarks.training_time import training_ratio
from model.evaluation.comparators import AGE, CONSTANT, NEWS2_AND_AGE, comparator_probabilities
from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.evaluation.metrics import calibration_error, ranking
from model.features import FloatArray
from model.scorer import frame_matrix
from model.severity import Severity
from model.training.balancing import balance
from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings
from model.training.evaluating import Ground
from model.training.fitting import select
from model.training.kinds import fit
from model.training.run import DataDescription, TrainingResult, train
from model.training.search import compare
from model.training.selection import usable_columns
from model.training.splits import HELD_OUT, split

TEST_YEAR = 2018
REPLICATES = 1_000
SEED = 20_260
SEARCH_MINUTES = 30.0
"""What the whole search of 71,000 rows may take on two cores."""
CASES = 200
"""Test cases from which slope and observed/expected of a category are judged."""
FOLDS = 5
NAMES = (Severity.MILD.value, Severity.ACUTE.value)
"""Under which the two outcomes of PhysioNet travel: they mean lived and died."""
_SMALLEST = 1e-15


@dataclass(frozen=True, slots=True)
class Judged:
    """A model and its comparators on rows it has not seen."""

    result: TrainingResult
    outcome: NDArray[np.intp]
    probabilities: dict[str, FloatArray]
    """`model` and the names of the comparators, (n, K) each."""
    sets: NDArray[np.bool_]
    """Conformal sets before the chosen category is added, (n, K)."""

    def case(self, severity: Severity) -> FloatArray:
        """1 where the outcome is `severity`, (n,)."""
        return np.asarray(self.outcome == self.position(severity), dtype=np.float64)

    def position(self, severity: Severity) -> int:
        """Column of `severity`."""
        return self.result.scorer.classes.index(severity)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--resplits", type=int, default=20)
    parser.add_argument("--search", action="store_true", help="all candidates, tuned and timed")
    arguments = parser.parse_args()
    settings = TrainingSettings(seed=SEED)
    if arguments.search:
        settings = replace(settings, estimators=ESTIMATORS, balancings=BALANCINGS, search=True)
    visits = nhamcs(arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        started, burnt = perf_counter(), _processor_time()
        five = temporal(visits, FIVE, settings, root)
        _line(
            "training with five inputs",
            f"{(perf_counter() - started) / 60:.1f} min, "
            f"{(_processor_time() - burnt) / 60:.1f} min of processor time",
            perf_counter() - started <= SEARCH_MINUTES * 60,
            f"at most {SEARCH_MINUTES:.0f} min for {len(visits):,} adults of 71,047 rows",
        )
        print(candidates(five.result))  # noqa: T201  # its output
        temporal_figures(five)
        seven = temporal(visits, SEVEN, settings, root)
        _heading("NHAMCS 2018, with respiratory rate and SpO2")
        gained(five, seven)
        _heading(f"NHAMCS, coverage over {arguments.resplits} resplits")
        resplit_coverage(visits, five.result, arguments.resplits, root)
        stays, died = physionet(arguments.data)
        _heading("PhysioNet 2012, in-hospital death, five folds")
        in_hospital_death(with_inputs(stays, FIVE), died)
        _heading("One XGBoost training against a bare call of the library, ratio of medians")
        _line("ratio", f"{(ratio := training_ratio(visits)):.2f}", ratio <= 1.3, "at most 1.3")


def temporal(
    visits: pd.DataFrame, inputs: tuple[str, ...], settings: TrainingSettings, root: Path
) -> Judged:
    """Train on the years before `TEST_YEAR` and predict that year."""
    frame = with_inputs(visits, inputs)
    year = frame["recorded_at"].dt.year
    result = _train(frame, settings, root)
    if pd.Timestamp(result.report["held_out_from"]).year != TEST_YEAR:
        raise SystemExit("the held-out year is another: the figures would mean something else")
    return _tested(result, frame[year < TEST_YEAR], frame[year == TEST_YEAR])


def _train(frame: pd.DataFrame, settings: TrainingSettings, root: Path) -> TrainingResult:
    data = DataDescription(simulated=False, description="benchmark", label_version="benchmark")
    return train(frame, settings, artefact_root=root, data=data, workers=os.cpu_count() or 1)


def _tested(result: TrainingResult, past: pd.DataFrame, test: pd.DataFrame) -> Judged:
    classes = [code.value for code in result.scorer.classes]
    outcome = _positions(test, classes)
    probabilities = result.scorer.probabilities(test)
    compared = comparator_probabilities(past, _positions(past, classes), test, classes)
    sets = result.scorer.artefact.sets.members(probabilities)
    return Judged(result, outcome, {"model": probabilities} | compared, sets)


def _positions(frame: pd.DataFrame, classes: list[str]) -> NDArray[np.intp]:
    return np.asarray([classes.index(str(code)) for code in frame["severity"]], dtype=np.intp)


def candidates(result: TrainingResult) -> str:
    """The candidates, best first, and why each other one lost."""
    lines = [f"  {c.name:<32} {c.log_loss:.4f}  {c.verdict}" for c in result.candidates]
    return "\n".join(["\nCandidates, log loss out of fold on the training part:", *lines])


def temporal_figures(tested: Judged) -> None:
    """Everything asked of the five inputs."""
    rows = len(tested.outcome)
    _heading(f"NHAMCS, trained on 2015 to 2017, tested on {TEST_YEAR}: {rows:,} adults")
    losses = {name: _log_losses(p, tested.outcome) for name, p in tested.probabilities.items()}
    areas = {
        name: _areas(p[:, tested.position(Severity.ACUTE)], tested.case(Severity.ACUTE))
        for name, p in tested.probabilities.items()
    }
    acute = int(tested.case(Severity.ACUTE).sum())
    for name, values in areas.items():
        target = (values[0] >= 0.82, "at least 0.82") if name == "model" else (None, "")
        _line(f"AUROC of acute, {name}", str(summarise(values, acute)), *target)
    difference = summarise(areas["model"] - areas[NEWS2_AND_AGE], acute)
    _line("  paired, model - NEWS2 and age", str(difference), _above(difference, 0.0), "above 0")
    for name, values in losses.items():
        _line(f"log loss, {name}", str(summarise(values, rows)), None, "")
    gain = summarise(losses[CONSTANT] - losses["model"], rows)
    held = gain.value is not None and gain.value >= 0.09
    _line("  paired, constant - model", str(gain), held, "at least 0.09")
    model = tested.probabilities["model"]
    error = float(calibration_error(model, tested.outcome, np.ones((1, rows)))[0])
    _line("top-label calibration error", f"{error:.4f}", error <= 0.02, "at most 0.02")
    _by_category(tested)


def _by_category(tested: Judged) -> None:
    """Slope, observed/expected and coverage of each category."""
    model = tested.probabilities["model"]
    for i, severity in enumerate(tested.result.scorer.classes):
        case = tested.outcome == i
        n = int(case.sum())
        slope, ratio = _slope(model[:, i], case), case.mean() / model[:, i].mean()
        judged = n >= CASES
        _line(
            f"{severity}: slope, observed/expected",
            f"{slope:.2f}, {ratio:.2f} ({n} cases)",
            (0.8 <= slope <= 1.2 and 0.75 <= ratio <= 1.33) if judged else None,
            "0.8 to 1.2, 0.75 to 1.33" if judged else f"not judged under {CASES} cases",
        )
    sets = tested.result.scorer.artefact.sets
    for i, severity in enumerate(tested.result.scorer.classes):
        case = tested.outcome == i
        low, high = beta_binomial(sets.cases[i], int(case.sum()), sets.coverage)
        covered = float(tested.sets[case, i].mean())
        _line(
            f"{severity}: in its conformal set",
            f"{covered:.3f} (calibration {sets.cases[i]}, test {int(case.sum())})",
            low <= covered <= high,
            f"{low:.3f} to {high:.3f}",
        )


def beta_binomial(calibration: int, test: int, coverage: float) -> tuple[float, float]:
    """95 % interval of the share covered among `test` cases, given `calibration` cases.

    Split conformal coverage is beta-binomial where both are drawn alike (Vovk 2012).
    """
    from scipy.stats import betabinom

    rank = int(np.ceil(round((calibration + 1) * coverage, 9)))
    low, high = betabinom.ppf([0.025, 0.975], test, rank, calibration + 1 - rank) / test
    return float(low), float(high)


def gained(five: Judged, seven: Judged) -> None:
    """AUROC of acute with two more readings, and the gain on the same rows."""
    case = five.case(Severity.ACUTE)
    areas = [
        _areas(t.probabilities["model"][:, t.position(Severity.ACUTE)], case) for t in (five, seven)
    ]
    found, gain = summarise(areas[1], int(case.sum())), summarise(areas[1] - areas[0], len(case))
    held = found.value is not None and found.value >= 0.825
    _line("AUROC of acute, model", str(found), held, "at least 0.825")
    _line("  paired, seven - five inputs", str(gain), None, "")


def resplit_coverage(
    visits: pd.DataFrame, trained: TrainingResult, resplits: int, root: Path
) -> None:
    """Coverage of each category over random divisions into the four parts, years mixed."""
    frame = with_inputs(visits, FIVE).drop(columns=["recorded_at"])
    settings = replace(
        TrainingSettings(seed=SEED),
        estimators=(trained.chosen.estimator,),
        balancings=(trained.chosen.balancing,),
        folds=2,
        bootstrap_replicates=20,
    )
    shares: dict[Severity, list[float]] = {}
    counts: dict[Severity, list[int]] = {}
    for number in range(resplits):
        frame["patient_id"] = [f"{number}/{row}" for row in frame["row"]]
        result = _train(frame, settings, root)
        sets = result.scorer.artefact.sets
        held_out = frame[split(frame).rows(HELD_OUT)]
        members = sets.members(result.scorer.probabilities(held_out))
        outcome = _positions(held_out, [code.value for code in result.scorer.classes])
        for i, severity in enumerate(result.scorer.classes):
            case = outcome == i
            shares.setdefault(severity, []).append(float(members[case, i].mean()))
            counts.setdefault(severity, []).append(int(case.sum()))
    for severity, found in shares.items():
        mean = float(np.mean(found))
        _line(
            f"{severity}: in its conformal set",
            f"{mean:.3f}, from {min(found):.3f} to {max(found):.3f} "
            f"(test cases {min(counts[severity])} to {max(counts[severity])})",
            abs(mean - 0.9) <= 0.03,
            "0.87 to 0.93",
        )


def in_hospital_death(stays: pd.DataFrame, died: NDArray[np.intp]) -> None:
    """AUROC of death over five folds, the model and age alone on the same rows.

    The candidates are compared and fitted inside each fold, as in any training run.
    """
    from sklearn.model_selection import StratifiedKFold

    frame = stays.assign(severity=[NAMES[one] for one in died])
    whole = frame_matrix(frame)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    scores = {name: np.empty(len(frame)) for name in ("model", AGE, NEWS2_AND_AGE)}
    for known, asked in folds.split(frame, died):
        scores["model"][asked] = _chosen_margins(whole[known], died[known], whole[asked])
        past, test = frame.iloc[known], frame.iloc[asked]
        compared = comparator_probabilities(past, died[known], test, NAMES)
        for name in (AGE, NEWS2_AND_AGE):
            scores[name][asked] = compared[name][:, 1]
    areas = {name: _areas(score, died.astype(np.float64)) for name, score in scores.items()}
    deaths = int(died.sum())
    for name, values in areas.items():
        found = summarise(values, deaths)
        held = name == "model" and found.value is not None and found.value >= 0.65
        _line(
            f"AUROC, {name}",
            str(found),
            held if name == "model" else None,
            "at least 0.65" if name == "model" else "",
        )
    gain = summarise(areas["model"] - areas[AGE], deaths)
    held = gain.value is not None and gain.value >= 0.03
    _line("  paired, model - age alone", str(gain), held, "at least 0.03")


def _chosen_margins(known: FloatArray, died: NDArray[np.intp], asked: FloatArray) -> FloatArray:
    """Choose a candidate on folds of the known rows, fit it to all of them; log-odds of death."""
    from sklearn.model_selection import train_test_split

    settings = TrainingSettings(seed=SEED)
    columns = usable_columns(known)
    rows = np.arange(len(died))
    fitted_to, stopping = train_test_split(rows, test_size=0.15, stratify=died, random_state=SEED)
    ground = Ground.of(
        known[fitted_to],
        died[fitted_to],
        fitted_to,
        np.zeros(len(fitted_to), dtype=bool),
        (known[stopping], died[stopping]),
        columns,
        len(NAMES),
        settings,
    )
    chosen = compare(ground, settings, lambda _: None).chosen
    balanced = balance(chosen.balancing, known, died, len(NAMES), SEED)
    fitted = fit(chosen.way, balanced, columns, settings, rounds=chosen.rounds)
    margins = fitted.estimator.margins(select(asked, columns))
    return np.asarray(margins[:, 1] - margins[:, 0])


def _areas(score: FloatArray, case: FloatArray) -> FloatArray:
    """Area under the ROC curve and its replicates, the same draws for every score."""
    return np.concatenate(
        [
            ranking(score, case, weights)[0]
            for weights in bootstrap_weights(np.arange(len(case)), REPLICATES, SEED)
        ]
    )


def _log_losses(probabilities: FloatArray, outcome: NDArray[np.intp]) -> FloatArray:
    rows = np.arange(len(outcome))
    surprise = -np.log(np.maximum(probabilities[rows, outcome], _SMALLEST))
    return np.concatenate(
        [
            share(weights @ surprise, weights.sum(axis=1))
            for weights in bootstrap_weights(rows, REPLICATES, SEED)
        ]
    )


def _slope(probability: FloatArray, case: NDArray[np.bool_]) -> float:
    """Slope of a logistic model of the outcome on the log-odds (Cox 1958)."""
    from sklearn.linear_model import LogisticRegression

    inside = np.clip(probability, _SMALLEST, 1.0 - 1e-12)
    odds = np.log(inside / (1.0 - inside))
    return float(LogisticRegression(C=np.inf).fit(odds[:, None], case).coef_[0, 0])


def _above(found: MetricValue, limit: float) -> bool:
    return found.lower is not None and found.lower > limit


def _processor_time() -> float:
    """Seconds of processor time of this process and of those it waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")  # noqa: T201  # its output


def _line(name: str, figure: str, held: bool | None, target: str) -> None:
    """One figure; `held` is `None` where nothing is asked of it."""
    verdict = "" if held is None else "holds" if held else "DOES NOT HOLD"
    wanted = f" ({target})" if target else ""
    print(f"{name:<40} {figure:<34} {verdict}{wanted}")  # noqa: T201  # its output


if __name__ == "__main__":
    main()
