"""What few-shot heads can find: recall over separation and number of cases.

Simulated rows of common patients; a rare disease is made of rows of one category, shifted by a
separation along a random direction of the standardised readings. At 0 SD the disease cannot be
told from its category, so that its recall must be the flag rate; and the common rows must be
predicted as well as without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.report import table
from model.features import FEATURE, READINGS, FloatArray
from model.scorer import frame_matrix
from model.severity import SEVERITIES, Severity
from model.training.balancing import balance
from model.training.calibration import fit_calibration
from model.training.design import TrainingSettings, Way
from model.training.fitting import select
from model.training.kinds import fit
from model.training.rare_heads import RareReport, RareRows, try_head
from model.training.selection import usable_columns
from model.training.simulation import simulate_cohort
from model.training.splits import TRAIN, TUNING

SEPARATIONS: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 3.0)
"""SD of the common patients."""
CASES: tuple[int, ...] = (1, 3, 5, 10)
COMMON_ROWS: tuple[int, ...] = (1_000, 10_000)
_CODE = "ORPHA:999999"
_TUNING_SHARE = 0.15
_NARROWEST_PRESSURE = 1.0
"""mm[Hg] that systolic is put above a diastolic pressure that a shift has taken past it (C5)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One separation and number of cases, over all repetitions."""

    separation: float
    cases: int
    common_rows: int
    flag_rate: float
    """Stated: share of fresh common rows that are flagged."""
    fresh_rows: int
    """Rows of the disease that were scored, over all repetitions."""
    repetitions: int
    recall: float | None
    """Share of fresh rows of the disease found while the stated share of the common rows of its
    category is flagged: what the separation alone gives. `None`: no prototype can be made."""
    recall_margin: float | None
    """Half the 95 % interval of `recall`, normal, over repetitions."""
    recall_of_all: float | None
    """The same while the stated share of all common rows is flagged, as in service."""
    flagged: float | None
    """Share of fresh common rows that the threshold set in training flags."""
    live: float
    """Share of repetitions in which the head went live."""
    auroc_lower: float | None
    """Mean lower bound, leave-one-out, among other rows."""
    log_loss_change: float
    """Mean log loss of fresh common rows with the rare rows in training, minus that without, nat;
    mean over repetitions."""
    largest_log_loss_change: float
    """The largest of the repetitions."""


def detection_curves(
    *,
    separations: Sequence[float] = SEPARATIONS,
    cases: Sequence[int] = CASES,
    common_rows: Sequence[int] = COMMON_ROWS,
    flag_rate: float = 0.01,
    repetitions: int = 20,
    fresh_rows: int = 20_000,
    seed: int = 20_260,
    progress: Callable[[float], None] | None = None,
) -> list[Cell]:
    """Every cell of the grid; the same arguments give the same figures.

    In each repetition the category and the direction are drawn anew; its cells share them, and the
    rows, so that they differ by what they say. The model is multinomial logistic regression with
    splines. `fresh_rows` common rows are scored in each repetition, and as many of the disease as
    they hold of its category.
    """
    grid = [(rows, s, n) for rows in common_rows for s in separations for n in cases]
    seen: dict[tuple[int, float, int], list[_Trial]] = {cell: [] for cell in grid}
    done = 0
    for rows in common_rows:
        for repetition in range(repetitions):
            bench = _Bench(rows, fresh_rows, seed + repetition)
            for separation in separations:
                for n in cases:
                    seen[rows, separation, n].append(bench.trial(separation, n, flag_rate))
                    done += 1
                    if progress is not None:
                        progress(done / (len(grid) * repetitions))
    return [_cell(key, trials, flag_rate) for key, trials in seen.items()]


@dataclass(frozen=True, slots=True)
class _Trial:
    report: RareReport
    fresh: int
    """Rows of the disease that were scored."""
    recall: float | None
    recall_of_all: float | None
    flagged: float | None
    loss_change: float


class _Bench:
    """One repetition: common rows, a disease to be, and the model learnt without it."""

    def __init__(self, rows: int, fresh_rows: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._settings = TrainingSettings(seed=seed, threads=1)
        self._common = _common(rows, 3 * seed)
        patients = self._common["patient_id"].unique()
        tuning = rng.choice(patients, int(_TUNING_SHARE * len(patients)), replace=False)
        self._parts = np.where(self._common["patient_id"].isin(tuning), TUNING, TRAIN)
        self._fresh = _common(fresh_rows, 3 * seed + 1)
        category = str(rng.choice([code.value for code in SEVERITIES]))
        of_category = self._fresh["severity"] == category
        self._fresh_of_category = of_category.to_numpy()
        # Their own rows: what is shifted is not compared with itself.
        other = _common(fresh_rows, 3 * seed + 2)
        self._disease = other[other["severity"] == category].sample(frac=1.0, random_state=seed)
        direction = rng.normal(size=len(READINGS))
        spread = self._common[list(READINGS)].std().to_numpy(dtype=np.float64)
        self._one_sd = direction / np.linalg.norm(direction) * spread
        self._columns = usable_columns(frame_matrix(self._common)[self._parts == TRAIN])
        self._alone = _log_loss(self._learn(self._common, self._parts)(self._fresh), self._fresh)

    def trial(self, separation: float, n: int, flag_rate: float) -> _Trial:
        """`n` cases at `separation` SD among the common rows."""
        moved = _shifted(self._disease, separation * self._one_sd)
        sick = moved.head(n).assign(
            patient_id=[f"rare-{i}" for i in range(n)], rare_code=[_CODE] * n
        )
        learnt = pd.concat([self._common, sick], ignore_index=True)
        parts = np.append(self._parts, np.repeat(TRAIN, n))
        probabilities = self._learn(learnt, parts)
        change = _log_loss(probabilities(self._fresh), self._fresh) - self._alone
        rows = RareRows.of(
            learnt["rare_code"],
            _readings(learnt),
            _NAMES,
            probabilities(learnt),
            _outcome(learnt),
            pd.factorize(learnt["patient_id"])[0],
            parts,
        )
        report, head = try_head(rows, _CODE, flag_rate=flag_rate, seed=self._settings.seed)
        fresh = moved.iloc[n:]
        if head is None:
            return _Trial(report, len(fresh), None, None, None, change)
        cases, common = (
            _filled(head.scores(_readings(frame), probabilities(frame))[:, 0])
            for frame in (fresh, self._fresh)
        )
        return _Trial(
            report,
            len(fresh),
            _recall(cases, common[self._fresh_of_category], flag_rate),
            _recall(cases, common, flag_rate),
            float((common >= head.heads[0].threshold).mean()),
            change,
        )

    def _learn(
        self, frame: pd.DataFrame, parts: NDArray[np.str_]
    ) -> Callable[[pd.DataFrame], FloatArray]:
        """Calibrated probabilities by a model of the training and tuning parts of `frame`."""
        matrix, outcome = frame_matrix(frame), _outcome(frame)
        train, tuning = parts == TRAIN, parts == TUNING
        classes = len(SEVERITIES)
        balanced = balance("none", matrix[train], outcome[train], classes, self._settings.seed)
        fitted = fit(Way("logistic_splines", "none"), balanced, self._columns, self._settings)

        def margins(rows: FloatArray) -> FloatArray:
            return fitted.estimator.margins(select(rows, self._columns))

        calibration = fit_calibration(margins(matrix[tuning]), outcome[tuning], fitted.class_bias)
        return lambda rows: calibration.probabilities(margins(frame_matrix(rows)))


_NAMES = ("age", *READINGS)
_FLOOR = -1e9


def _common(rows: int, seed: int) -> pd.DataFrame:
    """`rows` simulated rows without a rare disease."""
    cohort = simulate_cohort(rows + rows // 50 + 20, seed)
    return cohort[cohort["rare_code"].isna()].head(rows).reset_index(drop=True)


def _readings(frame: pd.DataFrame) -> FloatArray:
    return frame[list(_NAMES)].to_numpy(dtype=np.float64)


def _outcome(frame: pd.DataFrame) -> NDArray[np.intp]:
    return np.asarray([SEVERITIES.index(Severity(code)) for code in frame["severity"]])


def _shifted(frame: pd.DataFrame, by: FloatArray) -> pd.DataFrame:
    """The same rows with other readings, within what is possible (C5)."""
    moved = frame.copy()
    for name, step in zip(READINGS, by, strict=True):
        moved[name] = (moved[name] + step).clip(*FEATURE[name].possible)
    # A missing systolic pressure leaves the diastolic one as it is.
    impossible = moved["diastolic_bp"] >= moved["systolic_bp"]
    narrow = moved["systolic_bp"] - _NARROWEST_PRESSURE
    moved["diastolic_bp"] = moved["diastolic_bp"].mask(impossible, narrow)
    return moved


def _filled(scores: FloatArray) -> FloatArray:
    """A row without a reading is never flagged before any other."""
    return np.where(np.isnan(scores), _FLOOR, scores)


def _recall(cases: FloatArray, common: FloatArray, flag_rate: float) -> float:
    """Share of the cases above the score that the share `flag_rate` of common rows exceeds.

    The quantile at p(n + 1): another row of the same kind exceeds it with just that probability.
    """
    return float((cases > np.quantile(common, 1.0 - flag_rate, method="weibull")).mean())


def _log_loss(probabilities: FloatArray, frame: pd.DataFrame) -> float:
    given = probabilities[np.arange(len(frame)), _outcome(frame)]
    return float(-np.log(np.maximum(given, 1e-15)).mean())


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _cell(key: tuple[int, float, int], trials: Sequence[_Trial], flag_rate: float) -> Cell:
    rows, separation, n = key
    recalls = [trial.recall for trial in trials if trial.recall is not None]
    margin = None
    if len(recalls) > 1:
        margin = float(1.96 * np.std(recalls, ddof=1) / np.sqrt(len(recalls)))
    return Cell(
        separation=separation,
        cases=n,
        common_rows=rows,
        flag_rate=flag_rate,
        fresh_rows=sum(trial.fresh for trial in trials),
        repetitions=len(trials),
        recall=_mean(recalls),
        recall_margin=margin,
        recall_of_all=_mean([trial.recall_of_all for trial in trials]),
        flagged=_mean([trial.flagged for trial in trials]),
        live=float(np.mean([trial.report.live for trial in trials])),
        auroc_lower=_mean([trial.report.auroc_lower for trial in trials]),
        log_loss_change=float(np.mean([trial.loss_change for trial in trials])),
        largest_log_loss_change=max(trial.loss_change for trial in trials),
    )


def as_text(cells: Sequence[Cell]) -> str:
    """A table for a terminal."""

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    rows = [
        [
            str(cell.common_rows),
            f"{cell.separation:g}",
            str(cell.cases),
            share(cell.recall)
            if cell.recall_margin is None
            else f"{share(cell.recall)} ± {cell.recall_margin:.3f}",
            share(cell.recall_of_all),
            share(cell.flagged),
            share(cell.live),
            share(cell.auroc_lower),
            f"{cell.log_loss_change:+.5f}",
            f"{cell.largest_log_loss_change:+.5f}",
        ]
        for cell in cells
    ]
    heads = [
        "common rows",
        "SD",
        "cases",
        "recall",
        "recall (all)",
        "flagged",
        "live",
        "AUROC at least",
        "log loss",
        "largest",
    ]
    return table(heads, rows)
