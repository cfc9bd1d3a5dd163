"""What fitting anew shows: more patients, a source left out; and whether inputs tell the source."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.evaluation.metrics import ranking
from model.evaluation.paired import log_losses, paired_mean
from model.evaluation.study_rows import (
    TOO_FEW,
    Draws,
    Refit,
    StudyRows,
    number,
    value_json,
)
from model.features import FloatArray
from model.small_cells import shown

SHARES: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
"""Shares of the training patients of a learning curve."""
MOST_SOURCES = 6
"""Sources that are left out in turn, the largest first."""
_SMALLEST_SHARE_LEFT = 0.1
"""A source is left out only where the others hold at least this share of the training rows."""
SAMPLE = 6_000
"""Rows from which the source is told, at most."""
_FOLDS = 3
_TREES = 50


def learning_curve(rows: StudyRows, refit: Refit, draws: Draws) -> list[dict[str, Any]]:
    """Held-out log loss and AUROC of the focus category by share of the training patients.

    Patients are added in a seeded order, so that each share holds the one before. A share whose
    rows lack a category is left out.
    """
    patients = np.unique(rows.patient[rows.train])
    order = np.random.default_rng(draws.seed).permutation(patients)
    found: list[dict[str, Any]] = []
    for share in SHARES:
        chosen = order[: max(1, round(share * len(order)))]
        train = rows.train & np.isin(rows.patient, chosen)
        if len(np.unique(rows.outcome[train])) < len(rows.classes):
            continue
        probabilities = rows.probabilities if share == 1.0 else refit(train, rows.tuning)
        found.append(
            {"share": share, "patients": len(chosen), "rows": int(train.sum())}
            | _figures(rows, probabilities, rows.held_out, draws)
        )
    return found


def sources(rows: StudyRows, refit: Refit | None, draws: Draws) -> dict[str, Any] | None:
    """Each source left out of training in turn, and how well the inputs tell the source.

    `None` where there are fewer than two sources. A source left out is measured on its held-out
    rows, beside the model that learnt from it too.
    """
    if "source" not in rows.frame:
        return None
    given = rows.frame["source"]
    label = given.where(given.notna(), "(none)").to_numpy(dtype=object).astype(str)
    names, counts = np.unique(label, return_counts=True)
    if len(names) < 2:
        return None
    largest = [str(names[i]) for i in np.argsort(-counts, kind="stable")[:MOST_SOURCES]]
    left_out = (
        [] if refit is None else [_left_out(rows, label, name, refit, draws) for name in largest]
    )
    return {"left_out": left_out, "told": told_source(rows, label, draws)}


def _left_out(
    rows: StudyRows, label: NDArray[np.str_], name: str, refit: Refit, draws: Draws
) -> dict[str, Any]:
    theirs = label == name
    tested = rows.held_out & theirs
    train, tuning = rows.train & ~theirs, rows.tuning & ~theirs
    record: dict[str, Any] = {
        "source": name,
        "rows": shown(int(tested.sum())),
        "why_not": None,
    }
    if tested.sum() < TOO_FEW:
        return record | {"why_not": "too few held-out rows of this source"}
    enough = train.sum() >= _SMALLEST_SHARE_LEFT * rows.train.sum() and tuning.any()
    if not enough or len(np.unique(rows.outcome[train])) < len(rows.classes):
        return record | {"why_not": "the other sources do not cover every category"}
    without = refit(train, tuning)
    increase = log_losses(without[tested], rows.outcome[tested]) - log_losses(
        rows.probabilities[tested], rows.outcome[tested]
    )
    change = paired_mean(
        increase, rows.patient[tested], replicates=draws.replicates, seed=draws.seed
    )
    return record | {
        "with": _figures(rows, rows.probabilities, tested, draws),
        "without": _figures(rows, without, tested, draws),
        "log_loss_increase": value_json(change),
    }


def told_source(rows: StudyRows, label: NDArray[np.str_], draws: Draws) -> dict[str, Any]:
    """How well boosted trees on the inputs alone tell the source, out of fold by patient.

    `accuracy` beside `largest_share` (always naming the largest source), and `auroc`, the mean
    over sources of each against the others. High figures mean that pooled sources differ in more
    than their patients: a category that one source alone has is then told by the source.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    names, position = np.unique(label, return_inverse=True)
    patients = np.asarray([len(np.unique(rows.patient[position == i])) for i in range(len(names))])
    used = np.flatnonzero(np.isin(position, np.flatnonzero(patients >= TOO_FEW)))
    if len(used) > SAMPLE:
        generator = np.random.default_rng(draws.seed)
        used = np.sort(generator.choice(used, SAMPLE, replace=False))
    sources, truth = np.unique(position[used], return_inverse=True)
    inputs = _numbers(rows, used)
    if len(sources) < 2 or inputs.shape[1] == 0:
        return {"rows": shown(len(used)), "accuracy": None, "auroc": None} | {"largest_share": None}
    found = np.zeros((len(used), len(sources)))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=draws.seed)
    for learnt, asked in folds.split(inputs, truth, rows.patient[used]):
        trees = HistGradientBoostingClassifier(
            max_iter=_TREES, max_leaf_nodes=15, early_stopping=False, random_state=draws.seed
        )
        trees.fit(inputs[learnt], truth[learnt])
        # A small source may be missing from a fold.
        found[np.ix_(asked, trees.classes_)] = trees.predict_proba(inputs[asked])
    once = np.ones((1, len(used)))
    areas = [
        ranking(found[:, i], (truth == i).astype(np.float64), once)[0][0]
        for i in range(len(sources))
    ]
    return {
        "rows": len(used),
        "accuracy": float((found.argmax(axis=1) == truth).mean()),
        "largest_share": float(np.bincount(truth).max() / len(truth)),
        "auroc": number(float(np.mean(areas))),
    }


def _numbers(rows: StudyRows, used: NDArray[np.intp]) -> FloatArray:
    """The inputs of the model as numbers, (m, M); missing stays NaN."""
    from model.scorer import frame_matrix

    names = [name for name in rows.inputs if name in rows.frame]
    matrix = frame_matrix(rows.frame[names].iloc[used])
    return matrix[:, ~np.isnan(matrix).all(axis=0)]


def _figures(
    rows: StudyRows, probabilities: FloatArray, tested: NDArray[np.bool_], draws: Draws
) -> dict[str, Any]:
    outcome, patient = rows.outcome[tested], rows.patient[tested]
    loss = paired_mean(
        log_losses(probabilities[tested], outcome),
        patient,
        replicates=draws.replicates,
        seed=draws.seed,
    )
    case = (outcome == rows.focus).astype(np.float64)
    area: float | None = None
    if min(case.sum(), len(case) - case.sum()) >= TOO_FEW:
        once = np.ones((1, len(case)))
        area = number(ranking(probabilities[tested, rows.focus], case, once)[0][0])
    return {"log_loss": value_json(loss), "auroc": area}
