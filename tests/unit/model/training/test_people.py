"""Counts of rows by age, sex and rare disease."""

import numpy as np
import pandas as pd

from model.severity import Severity
from model.training.people import people
from model.training.selection import Eligible


def eligible(frame: pd.DataFrame) -> Eligible:
    severity = np.asarray([Severity.MILD] * len(frame), dtype=object)
    return Eligible(frame, severity, {})


def test_counts_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "age": [17.9, 18.0, 39.9, 40.0, 64.0, 65.0, 79.9, 80.0, 104.0],
            "sex": ["female", "male", None, "unknown", "female", "x", "other", "male", "male"],
            "rare_code": ["422", None, "422", None, None, "324", None, None, None],
        }
    )

    assert people(eligible(frame)) == {
        "age_bands": {"0-17": 1, "18-39": 2, "40-64": 2, "65-79": 2, "80+": 2},
        "sex": {"female": 2, "male": 3, "other": 1, "unknown": 3},
        "rare_codes": {"324": 1, "422": 2},
    }


def test_history_without_sex_or_rare_codes() -> None:
    found = people(eligible(pd.DataFrame({"age": [50.0, 60.0]})))

    assert found["sex"] == {"female": 0, "male": 0, "other": 0, "unknown": 2}
    assert found["rare_codes"] == {}
