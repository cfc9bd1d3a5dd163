"""The rows of a training run as arrays: model matrix, category, patient and part of each."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import EXTRA_INPUTS, FloatArray
from model.scorer import frame_matrix
from model.severity import Severity
from model.training.selection import Eligible
from model.training.splits import CALIBRATION, TRAIN, TUNING, Split

LEARNT_FROM: tuple[str, ...] = (TRAIN, TUNING, CALIBRATION)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of covered categories."""

    matrix: FloatArray
    outcome: NDArray[np.intp]
    patient: NDArray[np.intp]
    parts: NDArray[np.str_]
    times: "pd.Series[pd.Timestamp] | None"
    protected: NDArray[np.bool_]
    """Rows of rare diseases, which are never resampled."""

    @classmethod
    def of(
        cls,
        eligible: Eligible,
        parts: Split,
        classes: tuple[Severity, ...],
        extra_inputs: tuple[str, ...],
    ) -> "Rows":
        """Rows of the covered categories; extra inputs not asked for count as missing."""
        covered = eligible.covered(classes)
        unasked = [name for name in EXTRA_INPUTS if name not in extra_inputs]
        frame = eligible.frame[covered].drop(columns=unasked, errors="ignore")
        outcome = [classes.index(code) for code in eligible.severity[covered]]
        rare = frame.get("rare_code")
        return cls(
            frame_matrix(frame),
            np.asarray(outcome, dtype=np.intp),
            parts.patient[covered],
            parts.part[covered],
            frame.get("recorded_at"),
            np.zeros(len(frame), dtype=bool) if rare is None else rare.notna().to_numpy(dtype=bool),
        )

    def part(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(self.parts == name)

    def learnt_through(self) -> str | None:
        """Newest time among the rows learnt from, ISO 8601; rounded up so that it is not less."""
        if self.times is None:
            return None
        newest = self.times[np.isin(self.parts, LEARNT_FROM)].max()
        return None if pd.isna(newest) else newest.ceil("us").isoformat()
