"""Invented assessments of which only some have an outcome, by a mechanism that is stated."""

from typing import Literal

import numpy as np
import pandas as pd

from model.evaluation.judged_rows import NOT_KNOWN, JudgedRows
from model.severity import Severity

CLASSES = (Severity.MILD, Severity.ACUTE)
Mechanism = Literal["all", "risk", "outcome", "flag"]


def selected(rows: int, seed: int, mechanism: Mechanism, *, per_patient: int = 1) -> JudgedRows:
    """Charts with two readings, one in seven acute, flagged above a risk of 0.25.

    The model is right: its probabilities are those the outcomes were drawn with. Verified are
    `all`; or more often the higher the `risk` (20 % of the lowest, nearly all of the highest);
    or four in five of the acute and three in ten of the others (`outcome`); or nobody who was not
    flagged (`flag`).
    """
    rng = np.random.default_rng(seed)
    patient = np.arange(rows) // per_patient
    person = rng.normal(size=patient[-1] + 1)[patient]
    rate = 0.5 * person + rng.normal(size=rows)
    other = rng.normal(size=rows)
    logit = -2.4 + 1.1 * rate + 0.6 * other
    risk = 1.0 / (1.0 + np.exp(-logit))
    acute = rng.random(rows) < risk
    chance = {
        "all": np.ones(rows),
        "risk": 1.0 / (1.0 + np.exp(-(0.6 + 0.9 * logit))),
        "outcome": np.where(acute, 0.8, 0.3),
        "flag": (risk >= 0.25) * 0.8,
    }[mechanism]
    verified = rng.random(rows) < chance
    age = 60.0 + 5.0 * other
    frame = pd.DataFrame(
        {
            "heart_rate": np.where(rng.random(rows) < 0.1, np.nan, 80.0 + 10.0 * rate),
            "age": age,
            "card_shown": risk >= 0.25,
            "encounter_class": "emergency",
        }
    )
    return JudgedRows(
        frame=frame,
        outcome=np.where(verified, acute.astype(np.intp), NOT_KNOWN).astype(np.intp),
        patient=patient.astype(np.intp),
        probabilities=np.column_stack([1.0 - risk, risk]),
        decisions=(risk >= 0.25).astype(np.intp),
        classes=CLASSES,
    )
