"""New heads of rare diseases for a model that stays as it is: a case that was confirmed counts at
once, and nothing that is common changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.artefact import Artefact
from model.prototypes import PrototypeHead, Prototypes
from model.rare_codes import codes_of, in_order
from model.scorer import Scorer
from model.severity import Severity
from model.training.design import TrainingSettings
from model.training.fitting import select
from model.training.rare_heads import RareReport, RareRows, fit_rare_heads
from model.training.rows import Rows
from model.training.selection import Eligible, eligible_rows
from model.training.splits import TRAIN, TUNING, Split, part_of, patient_keys

CASES = "rare_cases"
"""Name among the attributes of an artefact: by code a hash of whom its head was fitted on."""


@dataclass(frozen=True, slots=True)
class RareUpdate:
    """What the cases that are known now come to."""

    artefact: Artefact | None
    """The model with its new heads; `None` where they would be the same."""
    changed: tuple[str, ...]
    """Codes whose head came, went or rests on other cases."""
    reports: tuple[RareReport, ...]
    """Of every code."""


def update_heads(scorer: Scorer, frame: pd.DataFrame, *, seed: int) -> RareUpdate:
    """Fit the heads of a model anew on rows of history and outcomes.

    By the rule of training (`fit_rare_heads`), on patients whose hash says training or tuning,
    also where their rows are newer than all that the model learnt from: the estimator, its
    calibration, thresholds and sets are not touched. Raises `TrainingError` for a frame without
    the columns it takes.
    """
    artefact = scorer.artefact
    design = TrainingSettings(
        min_age=scorer.facts.min_age,
        max_age=scorer.facts.max_age,
        extra_inputs=scorer.facts.extra_inputs,
    )
    eligible = eligible_rows(frame, design, simulated=False)
    parts = _by_hash(eligible.frame)
    rows = Rows.of(eligible, parts, scorer.classes, design.extra_inputs)
    names = artefact.rarity.inputs
    margins = artefact.estimator.margins(select(rows.matrix, artefact.columns))
    heads, reports = fit_rare_heads(
        RareRows.of(
            eligible.frame[eligible.covered(scorer.classes)].get("rare_code"),
            select(rows.matrix, names),
            names,
            artefact.calibration.probabilities(margins),
            rows.outcome,
            rows.patient,
            rows.parts,
        ),
        flag_rate=float(artefact.design.get("rare_flag_rate", design.rare_flag_rate)),
        seed=seed,
    )
    cases = case_hashes(eligible, scorer.classes, rows.parts)
    changed = _changed(artefact, heads, cases)
    if not changed:
        return RareUpdate(None, (), tuple(reports))
    attributes = dict(artefact.attributes) | {CASES: cases}
    return RareUpdate(
        replace(artefact, prototypes=heads, attributes=attributes), changed, tuple(reports)
    )


def case_hashes(
    eligible: Eligible, classes: tuple[Severity, ...], parts: NDArray[np.str_]
) -> dict[str, str]:
    """By code a SHA-256 over the sorted hashes of the patients that its head may learn from.

    `parts` (n,) are those of the rows of `classes`. No patient can be read from it.
    """
    frame = eligible.frame[eligible.covered(classes)]
    if "rare_code" not in frame:
        return {}
    learnt = np.isin(parts, (TRAIN, TUNING)) & frame["rare_code"].notna().to_numpy(dtype=bool)
    found: dict[str, set[str]] = {}
    for key, cell in zip(patient_keys(frame)[learnt], frame.loc[learnt, "rare_code"], strict=True):
        for code in codes_of(cell):
            found.setdefault(code, set()).add(sha256(str(key).encode()).hexdigest())
    return {
        code: sha256("".join(sorted(found[code])).encode()).hexdigest() for code in in_order(found)
    }


def _changed(
    artefact: Artefact, heads: Prototypes | None, cases: Mapping[str, str]
) -> tuple[str, ...]:
    """Codes with a head before or now whose cases are others, or whose head came or went.

    A head that rests on the same cases differs a little where more common rows came: that alone
    is no reason to release anything. A model of before cases were hashed is told by their number.
    """
    old = {head.code: head for head in _heads(artefact.prototypes)}
    new = {head.code: head for head in _heads(heads)}
    known = artefact.attributes.get(CASES)
    found = []
    for code in in_order({*old, *new}):
        if code in old and code in new:
            same = (
                old[code].cases == new[code].cases
                if known is None
                else known.get(code) == cases.get(code)
            )
            if same:
                continue
        elif known is not None and known.get(code) == cases.get(code):
            # The same cases, and chance among the common rows: as it was.
            continue
        found.append(code)
    return tuple(found)


def _heads(prototypes: Prototypes | None) -> Sequence[PrototypeHead]:
    return () if prototypes is None else prototypes.heads


def _by_hash(frame: pd.DataFrame) -> Split:
    """Parts by the patient's hash alone: the newest rows are no held-out part here."""
    keys = patient_keys(frame).astype(str)
    names, patient = np.unique(keys, return_inverse=True)
    part = np.asarray([part_of(name) for name in names], dtype="<U40")[patient.reshape(-1)]
    alone = int(frame["patient_id"].isna().sum()) if "patient_id" in frame else len(frame)
    return Split(part, patient.reshape(-1).astype(np.intp), None, alone)
