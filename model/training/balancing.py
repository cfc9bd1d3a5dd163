"""Class weights and SMOTE, and the correction that gives the true frequencies back.

Balanced training makes a model believe that every category is equally frequent. One bias per
category, log(true share/share seen in training), undoes that (Elkan 2001; Saerens 2002) and keeps
the explanation additive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.features import ABO_COLUMNS, MODEL_COLUMNS, FloatArray, model_matrix

NEIGHBOURS = 5
"""k of SMOTE (Chawla 2002); a category with no more rows than that is not resampled."""


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


def balance(
    how: str,
    matrix: FloatArray,
    outcome: NDArray[np.intp],
    categories: int,
    seed: int,
) -> Balanced:
    """Prepare training rows: `none`, `class_weights` or `smote` (see `design.BALANCINGS`).

    `matrix` is the whole model matrix, (n, len(MODEL_COLUMNS)); every category must occur. Use it
    on training folds only: a synthetic neighbour of a validation row would give it away.
    """
    counts = np.bincount(outcome, minlength=categories).astype(np.float64)
    true = counts / counts.sum()
    ones = np.ones(len(outcome))
    if how == "none":
        return Balanced(matrix, outcome, ones, np.zeros(categories), np.ones(categories))
    if how == "class_weights":
        by_class = 1.0 / (categories * true)
        return Balanced(matrix, outcome, by_class[outcome], np.log(true * categories), by_class)
    if how != "smote":
        raise ValueError(f"unknown balancing: {how}")
    grown, labels = _smote(matrix, outcome, counts, seed)
    fitted = np.bincount(labels, minlength=categories) / len(labels)
    return Balanced(grown, labels, np.ones(len(labels)), np.log(true / fitted), fitted / true)


def _smote(
    matrix: FloatArray, outcome: NDArray[np.intp], counts: FloatArray, seed: int
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Original rows, then synthetic ones until each category is as large as the largest.

    Neighbours are found on standardised copies of the measured columns with medians in the gaps
    and indicators of missingness beside them. A synthetic value is missing where the nearer of
    its two parents' is; derived columns are computed anew, so that they fit the measured ones.
    Two blood groups are as far apart as one standard deviation of a number.
    """
    from imblearn.over_sampling import SMOTE

    measured = [i for i, column in enumerate(MODEL_COLUMNS) if column.uses == (column.name,)]
    female = next(i for i, column in enumerate(MODEL_COLUMNS) if column.name == "is_female")
    groups = [i for i, column in enumerate(MODEL_COLUMNS) if column.name in ABO_COLUMNS]
    used = [i for i in (*measured, female, *groups) if np.isfinite(matrix[:, i]).any()]
    largest = int(counts.max())
    wanted = {i: largest for i, count in enumerate(counts) if NEIGHBOURS < count < largest}
    if not wanted:
        return matrix, outcome
    values = matrix[:, used]
    centre = np.nanmedian(values, axis=0)
    scale = np.nanstd(values, axis=0)
    scale[scale == 0] = 1.0
    # One of two columns is left and the other entered: two steps of 1/sqrt(2) are one of 1.
    scale[np.isin(used, groups)] = np.sqrt(2.0)
    absent = np.isnan(values)
    filled = np.where(absent, 0.0, (values - centre) / scale)
    sampler = SMOTE(sampling_strategy=wanted, k_neighbors=NEIGHBOURS, random_state=seed)
    grown, labels = sampler.fit_resample(np.column_stack([filled, absent]), outcome)
    made = grown[len(outcome) :]
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
    return np.vstack([matrix, model_matrix(columns)]), np.asarray(labels, dtype=np.intp)
