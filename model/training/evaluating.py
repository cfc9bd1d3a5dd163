"""One evaluation of a comparison: a way fitted without one fold and scored on it."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.errors import TrainingError
from model.features import FloatArray
from model.training.balancing import Balanced, balance
from model.training.calibration import fit_calibration
from model.training.design import TrainingSettings, Way
from model.training.fitting import select
from model.training.kinds import KINDS, fit

Job = tuple[Way, int]
"""A way and the fold it is scored on."""
Progress = Callable[[float], None]
OutOfTime = Callable[[], bool]
Run = Callable[[Sequence[Job], Progress], "dict[Job, FoldResult]"]
"""Evaluates jobs; gives less than was asked for only when time is up."""

SMALLEST_PROBABILITY = 1e-15
_KEPT = ("smote", "adasyn")
"""Remedies that take long enough to be remembered."""


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What came of one evaluation. It holds no reading and nothing that names a patient."""

    margins: NDArray[np.float32]
    """(rows of the fold, K), corrected for the frequencies, before any temperature."""
    rounds: int | None
    seconds: float
    """Processor time of the fit."""


@dataclass(frozen=True)
class Ground:
    """The rows on which ways are compared: the training part in folds, and rows to stop on."""

    matrix: FloatArray
    """(n, len(MODEL_COLUMNS)): rows of the training part."""
    outcome: NDArray[np.intp]
    patient: NDArray[np.intp]
    protected: NDArray[np.bool_]
    """Rows of rare diseases: never resampled."""
    stop: tuple[FloatArray, NDArray[np.intp]]
    """Rows of the tuning part, on which boosting stops early: no fold is scored by its own stop."""
    columns: tuple[str, ...]
    categories: int
    settings: TrainingSettings
    fold: NDArray[np.intp]
    """(n,): the fold of each row."""
    _balanced: dict[tuple[str, int, int | None], Balanced] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(
        cls,
        matrix: FloatArray,
        outcome: NDArray[np.intp],
        patient: NDArray[np.intp],
        protected: NDArray[np.bool_],
        stop: tuple[FloatArray, NDArray[np.intp]],
        columns: tuple[str, ...],
        categories: int,
        settings: TrainingSettings,
    ) -> "Ground":
        """Divide rows into folds, stratified by category, that never divide a patient.

        Raises `TrainingError` if the rows of a category cannot be spread over the folds.
        """
        from sklearn.model_selection import StratifiedGroupKFold

        folds = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
        fold = np.empty(len(outcome), dtype=np.intp)
        for number, (fitted, checked) in enumerate(folds.split(matrix, outcome, patient)):
            if len(np.unique(outcome[fitted])) < categories:
                raise TrainingError(
                    "A category has its rows in too few patients to compare models; bring more "
                    "history."
                )
            fold[checked] = number
        return cls(matrix, outcome, patient, protected, stop, columns, categories, settings, fold)

    def evaluate(self, way: Way, fold: int, threads: int) -> FoldResult:
        """Fit `way` to the other folds and score the rows of `fold`."""
        rows = self._rows(way, fold)
        started = time.process_time()
        fitted = fit(way, rows, self.columns, self.settings, check=self.stop, threads=threads)
        seconds = time.process_time() - started
        scored = select(self.matrix[self.fold == fold], self.columns)
        margins = fitted.model.margins(scored) + fitted.class_bias
        return FoldResult(margins.astype(np.float32), fitted.rounds, seconds)

    def losses(self, results: Sequence[FoldResult]) -> FloatArray:
        """Log loss of each row, (n,), nat, out of fold and after a temperature.

        The temperature for a fold is fitted to the margins of the other folds, so that a remedy
        that only flattens or sharpens the probabilities is neither punished nor favoured.
        """
        margins = np.empty((len(self.outcome), self.categories))
        for number, result in enumerate(results):
            margins[self.fold == number] = result.margins
        found = np.empty(len(self.outcome))
        for number in range(len(results)):
            own = self.fold == number
            calibration = fit_calibration(
                margins[~own], self.outcome[~own], np.zeros(self.categories)
            )
            p = calibration.probabilities(margins[own])
            p = p[np.arange(len(p)), self.outcome[own]]
            found[own] = -np.log(np.maximum(p, SMALLEST_PROBABILITY))
        return found

    def fingerprint(self) -> str:
        """SHA-256 of everything an evaluation depends on but the way and the fold."""
        from model.training.provenance import package_versions

        digest = hashlib.sha256()
        for array in (self.matrix, self.outcome, self.patient, self.protected, *self.stop):
            digest.update(np.ascontiguousarray(array).tobytes())
        design = {name: self.settings.as_json()[name] for name in ("seed", "folds", "max_rounds")}
        facts = [self.columns, self.categories, design, package_versions()]
        digest.update(json.dumps(facts, sort_keys=True).encode())
        return digest.hexdigest()

    def _rows(self, way: Way, fold: int) -> Balanced:
        """Balanced rows of the other folds, at most as many as the kind is compared on."""
        most = KINDS[way.estimator].compared_on
        key = (way.balancing, fold, most)
        found = self._balanced.get(key)
        if found is None:
            rows = thinned(np.flatnonzero(self.fold != fold), self.outcome, most, self.protected)
            found = balance(
                way.balancing,
                self.matrix[rows],
                self.outcome[rows],
                self.categories,
                self.settings.seed,
                protected=self.protected[rows],
            )
            if way.balancing in _KEPT:
                self._balanced[key] = found
        return found


def thinned(
    rows: NDArray[np.intp],
    outcome: NDArray[np.intp],
    most: int | None,
    protected: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """About `most` of `rows`, evenly from each category, in order; protected rows all stay.

    `outcome` and `protected` are of all rows. A category never loses its last ten rows.
    """
    if most is None or len(rows) <= most:
        return rows
    keep = [rows[protected[rows]]]
    for category in np.unique(outcome[rows]):
        free = rows[(outcome[rows] == category) & ~protected[rows]]
        wanted = min(max(round(len(free) * most / len(rows)), 10), len(free))
        keep.append(free[np.linspace(0, len(free) - 1, wanted).astype(np.intp)] if wanted else free)
    return np.sort(np.concatenate(keep))
