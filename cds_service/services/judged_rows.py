"""From stored answers and shadow scores to the rows that one version is judged on."""

import numpy as np
import pandas as pd

from model.evaluation.judged_rows import NOT_KNOWN, JudgedRows
from model.severity import SEVERITIES, Severity


def versions_of(rows: pd.DataFrame, scores: pd.DataFrame) -> list[str]:
    """Versions that have scored rows of a chunk, in their answers or as shadows."""
    names = [frame.loc[:, "model_version"] for frame in (rows, scores) if len(frame)]
    return sorted({str(version) for frame in names for version in frame})


def judged_rows(
    rows: pd.DataFrame, scores: pd.DataFrame, version: str
) -> tuple[JudgedRows, dict[str, int]]:
    """The rows that a version has scored, and outcomes it does not know, which no figure counts."""
    of_shadow = scores[scores["model_version"] == version]
    given = dict(
        zip(
            of_shadow["assessment_id"],
            zip(of_shadow["probabilities"], of_shadow["category"], strict=True),
            strict=True,
        )
    )
    answered = rows[rows["model_version"] == version]
    given |= dict(
        zip(
            answered["assessment_id"],
            zip(answered["probabilities"], answered["category"], strict=True),
            strict=True,
        )
    )
    rows = rows[rows["assessment_id"].isin(set(given))].reset_index(drop=True)
    said = [given[name] for name in rows["assessment_id"]]
    classes = tuple(Severity(code) for code in said[0][0])
    position = {code.value: i for i, code in enumerate(classes)}
    outcomes = rows["severity"].where(rows["verified"]) if "severity" in rows else None
    names = [None] * len(rows) if outcomes is None else outcomes.astype(object).tolist()
    lost: dict[str, int] = {}
    keep = np.ones(len(rows), dtype=bool)
    outcome = np.full(len(rows), NOT_KNOWN, dtype=np.intp)
    for i, name in enumerate(names):
        if isinstance(name, str):
            keep[i] = name in position
            outcome[i] = position.get(name, NOT_KNOWN)
            if not keep[i]:
                lost[name] = lost.get(name, 0) + 1
    judged = JudgedRows(
        frame=rows,
        outcome=outcome,
        patient=pd.factorize(rows["patient_id"])[0].astype(np.intp),
        probabilities=np.array([[p[code.value] for code in classes] for p, _ in said]),
        decisions=np.array([position[category] for _, category in said], dtype=np.intp),
        classes=classes,
    )
    return judged.only(keep), lost


def as_answered(rows: pd.DataFrame) -> JudgedRows:
    """What was answered, whatever the version, over all five categories."""
    position = {code.value: i for i, code in enumerate(SEVERITIES)}
    return JudgedRows(
        frame=rows,
        outcome=np.where(rows["verified"].to_numpy(dtype=bool), 0, NOT_KNOWN).astype(np.intp),
        patient=pd.factorize(rows["patient_id"])[0].astype(np.intp),
        probabilities=np.array(
            [[p.get(code.value, 0.0) for code in SEVERITIES] for p in rows["probabilities"]]
        ),
        decisions=np.array([position[code] for code in rows["category"]], dtype=np.intp),
        classes=SEVERITIES,
    )
