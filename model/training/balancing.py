"""Remedies for imbalance, and the correction that gives the true frequencies back.

Balanced training makes a model believe that every category is equally frequent. One bias per
category, log(true share/share seen in training), undoes that (Elkan 2001; Saerens 2002) and keeps
the explanation additive. Rows of rare diseases are protected: never dropped, never copied.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.features import ABO_COLUMNS, MODEL_COLUMNS, FloatArray, model_matrix

NEIGHBOURS = 5
"""k of SMOTE (Chawla 2002) and ADASYN (He 2008); a category with no more rows than that is not
resampled."""


@dataclass(frozen=True, slots=True)
class Balanced:
    """Training rows as an estimator gets them."""

    matrix: FloatArray
    """(m, M) model columns; NaN is missing."""
    outcome: NDArray[np.intp]
    """(m,) positions of the category."""
    weights: FloatArray
    """(m,), mean 1."""
    class_bias: FloatArray
    """(K,): added to the margins, it restores the frequencies of the original rows."""
    class_weights: FloatArray
    """(K,): weights that give validation rows the frequencies the estimator trains on."""
    focal: bool = False
    """Whether the estimator minimises the focal loss in the place of the log loss."""


def balance(
    how: str,
    matrix: FloatArray,
    outcome: NDArray[np.intp],
    categories: int,
    seed: int,
    *,
    protected: NDArray[np.bool_] | None = None,
) -> Balanced:
    """Prepare training rows by one of `design.BALANCINGS`.

    `matrix` is the whole model matrix, (n, len(MODEL_COLUMNS)); every category must occur.
    `protected` (n,) marks rows that are neither dropped nor the parent of a synthetic row. Use it
    on training folds only: a synthetic neighbour of a validation row would give it away. Raises
    `ValueError` for another name.
    """
    counts = np.bincount(outcome, minlength=categories).astype(np.float64)
    true = counts / counts.sum()
    ones = np.ones(len(outcome))
    kept = np.zeros(len(outcome), dtype=bool) if protected is None else protected
    if how in ("none", "focal"):
        plain = (np.zeros(categories), np.ones(categories))
        return Balanced(matrix, outcome, ones, *plain, focal=how == "focal")
    if how == "class_weights":
        by_class = 1.0 / (categories * true)
        return Balanced(matrix, outcome, by_class[outcome], np.log(true * categories), by_class)
    if how == "undersample":
        rows = _undersampled(outcome, counts, kept, seed)
        grown, labels = matrix[rows], outcome[rows]
    elif how in ("smote", "adasyn"):
        made, of = _synthetic(how, matrix[~kept], outcome[~kept], counts, seed)
        grown, labels = np.vstack([matrix, made]), np.concatenate([outcome, of])
    else:
        raise ValueError(f"unknown balancing: {how}")
    fitted = np.bincount(labels, minlength=categories) / len(labels)
    return Balanced(grown, labels, np.ones(len(labels)), np.log(true / fitted), fitted / true)


def _undersampled(
    outcome: NDArray[np.intp], counts: FloatArray, kept: NDArray[np.bool_], seed: int
) -> NDArray[np.intp]:
    """Positions of rows, in order: of each category as many as the smallest has, by chance.

    Protected rows stay and count; a category with more of them than that keeps them all.
    """
    rng = np.random.default_rng(seed)
    smallest = int(counts.min())
    rows = [np.flatnonzero(kept)]
    for category in range(len(counts)):
        free = np.flatnonzero((outcome == category) & ~kept)
        wanted = smallest - int((kept & (outcome == category)).sum())
        rows.append(rng.permutation(free)[: max(wanted, 0)])
    return np.sort(np.concatenate(rows))


def _synthetic(
    how: str, matrix: FloatArray, outcome: NDArray[np.intp], counts: FloatArray, seed: int
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Synthetic rows and their categories, until each is as large as the largest.

    `matrix` and `outcome` are the rows that may be parents; `counts` are of all rows. Neighbours
    are found on standardised copies of the measured columns with medians in the gaps and
    indicators of missingness beside them. A synthetic value is missing where the nearer of its
    two parents' is; derived columns are computed anew, so that they fit the measured ones. Two
    blood groups are as far apart as one standard deviation of a number.
    """
    measured = [i for i, column in enumerate(MODEL_COLUMNS) if column.uses == (column.name,)]
    female = next(i for i, column in enumerate(MODEL_COLUMNS) if column.name == "is_female")
    groups = [i for i, column in enumerate(MODEL_COLUMNS) if column.name in ABO_COLUMNS]
    used = [i for i in (*measured, female, *groups) if np.isfinite(matrix[:, i]).any()]
    parents = np.bincount(outcome, minlength=len(counts))
    lacking = (counts.max() - counts).astype(int)
    wanted = {
        i: int(parents[i] + lacking[i])
        for i in range(len(counts))
        if parents[i] > NEIGHBOURS and lacking[i]
    }
    if not wanted:
        return matrix[:0], outcome[:0]
    values = matrix[:, used]
    centre = np.nanmedian(values, axis=0)
    scale = np.nanstd(values, axis=0)
    scale[scale == 0] = 1.0
    # One of two columns is left and the other entered: two steps of 1/sqrt(2) are one of 1.
    scale[np.isin(used, groups)] = np.sqrt(2.0)
    absent = np.isnan(values)
    filled = np.where(absent, 0.0, (values - centre) / scale)
    made, labels = _resampled(how, np.column_stack([filled, absent]), outcome, wanted, seed)
    synthetic = made[:, : len(used)] * scale + centre
    synthetic[made[:, len(used) :] > 0.5] = np.nan
    columns: dict[str, ArrayLike] = {"age": np.full(len(made), np.nan)}
    for position, i in enumerate(used):
        column = synthetic[:, position]
        if i == female:
            sex = np.where(column > 0.5, "female", "male").astype(object)
            sex[np.isnan(column)] = None
            columns["sex"] = sex
        elif i not in groups:
            columns[MODEL_COLUMNS[i].name] = column
    present = [position for position, i in enumerate(used) if i in groups]
    if present:
        names = np.asarray([ABO_COLUMNS[MODEL_COLUMNS[used[p]].name] for p in present])
        nearest = names[np.nan_to_num(synthetic[:, present]).argmax(axis=1)].astype(object)
        nearest[np.isnan(synthetic[:, present]).any(axis=1)] = None
        columns["abo_group"] = nearest
    return model_matrix(columns), labels


def _resampled(
    how: str, points: FloatArray, outcome: NDArray[np.intp], wanted: dict[int, int], seed: int
) -> tuple[FloatArray, NDArray[np.intp]]:
    """What imbalanced-learn adds to `points` (n, C), and the categories of what it added."""
    from imblearn.over_sampling import ADASYN, SMOTE

    made, labels = [points[:0]], [outcome[:0]]
    for category, size in wanted.items():
        sampler: Any = (
            SMOTE(sampling_strategy={category: size}, k_neighbors=NEIGHBOURS, random_state=seed)
            if how == "smote"
            else ADASYN(
                sampling_strategy={category: size}, n_neighbors=NEIGHBOURS, random_state=seed
            )
        )
        try:
            grown, of = sampler.fit_resample(points, outcome)
        except (ValueError, RuntimeError):
            # ADASYN copies rows near other categories, and this category has none, or too few.
            continue
        made.append(grown[len(outcome) :])
        labels.append(of[len(outcome) :])
    return np.concatenate(made), np.concatenate(labels).astype(np.intp)
