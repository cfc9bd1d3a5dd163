"""Scoring: a row of readings in, an assessment out; frames for batches.

Safe to call from several threads. Loads neither training nor evaluation code, and pandas only
where a frame is asked for.
"""

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.artefact import Artefact, load
from model.assessment import Assessment, Contribution, ModelFacts, RareMatch
from model.errors import ArtefactError
from model.explanation import Explanation, explain, reason_shares, strongest_first
from model.features import (
    CATEGORIES,
    MODEL_COLUMNS,
    READINGS,
    ROW_NAMES,
    FeatureRow,
    FloatArray,
    extra_inputs_of,
    model_matrix,
    row_matrix,
)
from model.operating import decide
from model.severity import SEVERITIES, Severity

if TYPE_CHECKING:
    import pandas as pd

MINUTES_BEFORE = "minutes_before_"
"""Prefix of optional frame columns: age of a reading at the prediction time, min (C4)."""
_CHUNK = 4096
"""Rows explained at once: contributions of more would fill the memory."""
_POSITION = {column.name: i for i, column in enumerate(MODEL_COLUMNS)}


class Scorer:
    """A loaded model."""

    def __init__(self, artefact: Artefact, *, version: str, checksum: str) -> None:
        """Serve `artefact` under the name `version`; `checksum` is that of its folder."""
        self.artefact = artefact
        self.checksum = checksum
        self.classes = artefact.classes
        self._columns = [_POSITION[name] for name in artefact.columns]
        self._inputs = [_POSITION[name] for name in artefact.rarity.inputs]
        self._reasons, self._shares = reason_shares(artefact.columns)
        self._thresholds = {
            code: artefact.operating_points[code].threshold
            for code in SEVERITIES
            if code in artefact.operating_points
        }
        attributes = artefact.attributes
        self.facts = ModelFacts(
            version=version,
            simulated=bool(attributes["simulated"]),
            min_age=float(attributes["min_age"]),
            max_age=float(attributes["max_age"]),
            base_rates={
                code: float(attributes["base_rates"][code.value]) for code in artefact.classes
            },
            missing_categories=tuple(c for c in SEVERITIES if c not in artefact.classes),
            coverage=artefact.sets.coverage,
            excludable=tuple(
                code
                for code, able in zip(artefact.classes, artefact.sets.excludable, strict=True)
                if able
            ),
            thresholds=self._thresholds,
            extra_inputs=extra_inputs_of(artefact.columns),
        )

    @classmethod
    def load(cls, path: Path, *, version: str, expected_checksum: str | None = None) -> "Scorer":
        """Read an artefact folder; raises `ArtefactError` as `model.artefact.load` does."""
        artefact, checksum = load(path, expected_checksum)
        try:
            return cls(artefact, version=version, checksum=checksum)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(
                f"The model in {path} cannot be used: attributes.json lacks or misstates {error}."
            ) from error

    @cached_property
    def trained_through(self) -> datetime | None:
        """Newest time of a row the model learnt from; `None` if its history had no times."""
        return self._time("trained_through")

    @cached_property
    def shared_from(self) -> datetime | None:
        """Start of the newest window, if the model learnt from half of its patients."""
        return self._time("shared_from")

    def _time(self, name: str) -> datetime | None:
        # Artefacts of earlier releases do not name every time.
        text = self.artefact.attributes.get(name)
        return None if text is None else datetime.fromisoformat(text)

    def assess(self, row: FeatureRow) -> Assessment:
        """Score one set of readings.

        The category chosen by the thresholds is always in the prediction set, so that a set is
        never empty and never excludes what the card says; adding to a set keeps its promise.
        Raises `ModelError` if the model fails on these readings.
        """
        matrix = row_matrix(row)
        explanation = self._explain(matrix)
        probabilities = explanation.probabilities
        position = int(decide(probabilities, self.classes, self._thresholds)[0])
        members = self.artefact.sets.members(probabilities)[0]
        members[position] = True
        atypicality = float(self.artefact.rarity.atypicality(matrix[:, self._inputs])[0])
        shown = dict(zip(self.classes, probabilities[0].tolist(), strict=True))
        reasons = {
            code: tuple(Contribution(self._reasons[r], values[r]) for r in order)
            for code, values, order in zip(
                self.classes,
                explanation.values[0].tolist(),
                strongest_first(explanation.values[0]),
                strict=True,
            )
        }
        return Assessment(
            probabilities=shown,
            category=self.classes[position],
            prediction_set=tuple(c for i, c in enumerate(self.classes) if members[i]),
            contributions=reasons,
            baseline=dict(zip(self.classes, explanation.baseline[0].tolist(), strict=True)),
            atypicality=None if np.isnan(atypicality) else atypicality,
            above_threshold={code: p >= self._thresholds[code] for code, p in shown.items()},
            rare_matches=self._rare_matches(matrix, probabilities),
        )

    def _rare_matches(self, matrix: FloatArray, probabilities: FloatArray) -> tuple[RareMatch, ...]:
        heads = self.artefact.prototypes
        return () if heads is None else heads.matches(matrix[:, self._inputs], probabilities)

    def probabilities(self, frame: "pd.DataFrame") -> FloatArray:
        """Calibrated probabilities (n, K) of the rows of `frame`, in the order of `classes`."""
        matrix = frame_matrix(frame)[:, self._columns]
        if len(matrix) == 0:
            return np.empty((0, len(self.classes)))
        artefact = self.artefact
        return artefact.calibration.probabilities(artefact.estimator.margins(matrix))

    def categories(self, matrix: FloatArray) -> list[Severity]:
        """The category of each row of a model matrix (n, len(MODEL_COLUMNS)), as `assess` would
        choose it. Raises `ModelError` if the model fails on one of them."""
        artefact = self.artefact
        margins = artefact.estimator.margins(matrix[:, self._columns])
        probabilities = artefact.calibration.probabilities(margins)
        chosen = decide(probabilities, self.classes, self._thresholds)
        return [self.classes[int(position)] for position in chosen]

    def decide(self, probabilities: FloatArray) -> NDArray[np.str_]:
        """Codes of the categories chosen by the operating thresholds, (n,)."""
        codes = np.asarray([code.value for code in self.classes])
        return codes[decide(probabilities, self.classes, self._thresholds)]

    def sets(self, probabilities: FloatArray) -> NDArray[np.bool_]:
        """Prediction sets as in `assess`, (n, K)."""
        members = self.artefact.sets.members(probabilities)
        chosen = decide(probabilities, self.classes, self._thresholds)
        members[np.arange(len(members)), chosen] = True
        return members

    def score_frame(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Score the rows of `frame` (columns of `ROW_NAMES`, in their units).

        Returns, on the same index, `probability_…` for all five categories (empty where the
        model does not cover one, never 0), `category`, `prediction_set` (codes joined by "|"),
        `atypicality`, `reasons` (the three strongest for the category, in log-odds) and
        `model_version`. Who is in the population is the caller's rule: `model.population`.
        """
        import pandas as pd

        matrix = frame_matrix(frame)
        probabilities = np.empty((len(frame), len(self.classes)))
        reasons: list[str] = []
        for start in range(0, len(matrix), _CHUNK):
            rows = slice(start, start + _CHUNK)
            explanation = self._explain(matrix[rows])
            probabilities[rows] = explanation.probabilities
            chosen = decide(explanation.probabilities, self.classes, self._thresholds)
            reasons += self._in_words(explanation.values[np.arange(len(chosen)), chosen])
        columns: dict[str, object] = {
            f"probability_{code.column}": probabilities[:, self.classes.index(code)]
            if code in self.classes
            else np.full(len(frame), np.nan)
            for code in SEVERITIES
        }
        columns["category"] = self.decide(probabilities)
        columns["prediction_set"] = [
            "|".join(code for code, member in zip(self.classes, row, strict=True) if member)
            for row in self.sets(probabilities)
        ]
        columns["atypicality"] = self.artefact.rarity.atypicality(matrix[:, self._inputs])
        columns["reasons"] = reasons
        columns["model_version"] = self.facts.version
        return pd.DataFrame(columns, index=frame.index)

    def _explain(self, matrix: FloatArray) -> Explanation:
        contributions, bias = self.artefact.estimator.contributions(matrix[:, self._columns])
        return explain(contributions, bias, self.artefact.calibration, self._shares)

    def _in_words(self, values: FloatArray) -> list[str]:
        """The three strongest reasons of each row of `values` (n, R)."""
        return [
            "; ".join(f"{self._reasons[i]} {row[i]:+.2f}" for i in order[:3])
            for row, order in zip(values, strongest_first(values), strict=True)
        ]


def frame_matrix(frame: "pd.DataFrame") -> FloatArray:
    """The model matrix of a frame, (n, len(MODEL_COLUMNS)); absent columns are missing.

    Columns named `minutes_before_heart_rate` and alike are used where they are: derived columns
    of readings too far apart in time stay missing, as they were when the card was made (C4).
    """
    if len(frame) == 0:
        return np.empty((0, len(MODEL_COLUMNS)))
    columns: dict[str, ArrayLike] = {"age": np.full(len(frame), np.nan)}
    for name in ROW_NAMES:
        if name in frame:
            kind = object if name in CATEGORIES else np.float64
            columns[name] = frame[name].to_numpy(dtype=kind, na_value=np.nan)
    minutes: dict[str, ArrayLike] = {
        name: frame[MINUTES_BEFORE + name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in READINGS
        if MINUTES_BEFORE + name in frame
    }
    return model_matrix(columns, minutes)
