"""Invented rows with a model's answers, and one studied model, for tests of reports."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.evaluation.html_report import report_record
from model.evaluation.study_rows import StudyModel, StudyRows
from model.severity import Severity
from model.training.run import train
from tests.support.artefacts import DESCRIPTION, small_settings
from tests.support.cohorts import small_cohort

CLASSES = (Severity.MILD, Severity.ACUTE, Severity.CHRONIC)
NASTY = "<script>alert('x')</script> $a$"
"""The name of a source that a page must not obey."""


def rows_of(n: int = 900, seed: int = 5, **changes: Any) -> StudyRows:
    """Rows whose probabilities are the truth: acute by heart rate, chronic by age."""
    rng = np.random.default_rng(seed)
    age, rate = rng.uniform(20, 90, n), rng.normal(85, 18, n)
    temperature = rng.normal(37, 0.6, n)
    rate[rng.random(n) < 0.15] = np.nan
    temperature[rng.random(n) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "age": age,
            "heart_rate": rate,
            "body_temperature": temperature,
            "sex": rng.choice(["female", "male"], n),
        }
    )
    probabilities = answers(frame)
    outcome = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    part = rng.choice(3, n, p=[0.5, 0.2, 0.3])
    patient = rng.integers(0, n // 2, n)
    values: dict[str, Any] = {
        "frame": frame,
        "outcome": np.minimum(outcome, 2),
        "patient": patient,
        "train": part == 0,
        "tuning": part == 1,
        "held_out": part == 2,
        "margins": np.log(probabilities),
        "probabilities": probabilities,
        "decisions": probabilities.argmax(axis=1),
        "members": probabilities > 0.1,
        "classes": CLASSES,
        "thresholds": dict.fromkeys(CLASSES, 0.3),
        "inputs": ("age", "heart_rate", "body_temperature", "sex"),
        "coverage": 0.9,
        "calibration_cases": (100, 29, 5),
    }
    return StudyRows(**(values | changes))


def answers(frame: pd.DataFrame) -> np.ndarray:
    """Probabilities (n, 3) that follow from heart rate and age; a gap counts as 85/min."""
    rate = frame["heart_rate"].to_numpy(dtype=float, na_value=np.nan)
    age = frame["age"].to_numpy(dtype=float, na_value=np.nan)
    logits = np.column_stack(
        [
            np.zeros(len(frame)),
            (np.nan_to_num(rate, nan=85.0) - 105) / 12,
            (np.nan_to_num(age, nan=55.0) - 60) / 15,
        ]
    )
    exponent = np.exp(logits)
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def model_of(explain: Callable[..., Any] | None = None, refit: Any = None) -> StudyModel:
    """The model that gave `rows_of` its answers."""
    return StudyModel(answers, lambda p: p > 0.1, explain, refit)


@cache
def studied(root: Path) -> dict[str, Any]:
    """A report record of a small trained model with two sources and a few rare diseases."""
    frame = small_cohort(2_400, 11)
    frame["source"] = np.where(np.arange(len(frame)) % 3 == 0, NASTY, "Hospital north")
    frame.loc[frame["source"] == NASTY, "heart_rate"] += 6
    frame["rare_code"] = None
    frame.loc[frame.index[:25], "rare_code"] = "558"
    frame.loc[frame.index[-8:], "sex"] = "other"
    result = train(frame, small_settings(), artefact_root=root, data=DESCRIPTION, with_study=True)
    return report_record(
        result.report,
        result.scorer.artefact.attributes,
        version="7",
        created_at="2026-01-02T03:04:05+00:00",
        looks=2,
    )
