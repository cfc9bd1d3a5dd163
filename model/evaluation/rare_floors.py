"""The floor under rare diseases: a challenger may not find fewer of them than the champion.

Relative, not absolute: what can be found at all depends on the diseases and on the readings.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import FloatArray
from model.scorer import Scorer
from model.severity import parse_severity

MARGIN = 0.05
"""Sensitivity a challenger may lose, as for acute illness (the project's own choice)."""
MINIMUM_CASES = 10
"""Cases below which nothing is judged: one case of ten is a change of 0.1 already."""


@dataclass(frozen=True, slots=True)
class RareFloor:
    """How much of the rare cohort two models find, on the same rows."""

    flag_rate: float
    """Share of the rows that each model flags, for each category."""
    margin: float
    minimum: int
    cases: int
    """Patients with a rare disease and a category; a row without a patient is one of its own."""
    rows: int
    """Their rows."""
    champion: float | None
    """Sensitivity for the case's own category, mean over patients; `None` without cases."""
    challenger: float | None
    holds: bool | None
    """Whether the challenger stays within the margin; `None` where there are too few to judge."""
    sentence: str
    """The same in words."""


def rare_floor(
    champion: Scorer,
    challenger: Scorer,
    frame: pd.DataFrame,
    *,
    flag_rate: float,
    margin: float = MARGIN,
    minimum: int = MINIMUM_CASES,
) -> RareFloor:
    """Compare how both models find the rare cohort of `frame`, at the same flag rate.

    `frame` holds rows that neither model has learnt from, with `severity` and, where known,
    `rare_code` and `patient_id`; thresholds are set on all of its rows, so that each model flags
    the share `flag_rate` of them for each category. A case is found if its own category is
    flagged; a category that a model does not cover is never flagged (C19). Each patient counts
    once. Raises `ValueError` for a flag rate that is no share between 0 and 1.
    """
    if not 0.0 < flag_rate < 1.0:
        raise ValueError("a flag rate is a share between 0 and 1")
    severity = np.asarray([parse_severity(value) for value in frame["severity"]], dtype=object)
    known = np.asarray([code is not None for code in severity], dtype=bool)
    rare = np.zeros(len(frame), dtype=bool)
    if "rare_code" in frame:
        rare = frame["rare_code"].notna().to_numpy(dtype=bool) & known
    patient = _patients(frame[rare])
    found = [
        _sensitivity(_flagged_as(scorer, frame, severity, rare, flag_rate), patient)
        for scorer in (champion, challenger)
    ]
    cases = len(np.unique(patient))
    holds = None
    if found[0] is not None and found[1] is not None and cases >= minimum:
        # Means of shares: the last digit decides nothing.
        holds = found[1] >= found[0] - margin - 1e-9
    return RareFloor(
        flag_rate=flag_rate,
        margin=margin,
        minimum=minimum,
        cases=cases,
        rows=int(rare.sum()),
        champion=found[0],
        challenger=found[1],
        holds=holds,
        sentence=_sentence(cases, found, flag_rate, margin, minimum, holds),
    )


def _patients(frame: pd.DataFrame) -> FloatArray:
    """A number for the patient of each row."""
    alone = np.arange(len(frame), dtype=np.float64)
    if "patient_id" not in frame:
        return alone
    given = frame["patient_id"]
    numbers = pd.factorize(given.astype("str"))[0] + len(frame)
    return np.where(given.notna().to_numpy(dtype=bool), numbers, alone)


def _flagged_as(
    scorer: Scorer,
    frame: pd.DataFrame,
    severity: NDArray[np.object_],
    rare: NDArray[np.bool_],
    flag_rate: float,
) -> FloatArray:
    """How far each rare row is flagged for its own category, 0 to 1."""
    probabilities = scorer.probabilities(frame)
    flagged = np.zeros(len(frame))
    for position, code in enumerate(scorer.classes):
        own = rare & (severity == code)
        if own.any():
            flagged[own] = _flags(probabilities[:, position], flag_rate)[own]
    return np.asarray(flagged[rare], dtype=np.float64)


def _flags(score: FloatArray, flag_rate: float) -> FloatArray:
    """1 for the rows of highest score until exactly the share `flag_rate` is flagged.

    Where the last place is shared by several rows, or is a part of one, each is flagged in part:
    both models flag the same number to the last row.
    """
    places = flag_rate * len(score)
    last = np.sort(score)[::-1][min(int(places), len(score) - 1)]
    above, tied = score > last, score == last
    return np.asarray(above + tied * ((places - above.sum()) / tied.sum()), dtype=np.float64)


def _sensitivity(flagged: FloatArray, patient: FloatArray) -> float | None:
    if len(flagged) == 0:
        return None
    _, number = np.unique(patient, return_inverse=True)
    return float((np.bincount(number, weights=flagged) / np.bincount(number)).mean())


def _sentence(
    cases: int,
    found: list[float | None],
    flag_rate: float,
    margin: float,
    minimum: int,
    holds: bool | None,
) -> str:
    if found[0] is None or found[1] is None:
        return "Rare diseases: no case among these rows."
    figures = (
        f"Rare diseases: with {flag_rate:.1%} flagged the challenger finds {found[1]:.3f} of "
        f"{cases} cases, the champion {found[0]:.3f}"
    )
    if holds is None:
        return f"{figures}; too few to judge, {minimum} are needed."
    verdict = "within" if holds else "below the champion by more than"
    return f"{figures}; {verdict} the margin of {margin:.2f}."
