"""The servable models: boosted trees of XGBoost, and multinomial logistic regression.

Each gives margins and, per model column, contributions that add up to them exactly. None is
unpickled: trees are the library's own file, the regression is JSON. LightGBM's trees are in
`model.lightgbm_trees`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from model.features import FloatArray


class Estimator(Protocol):
    """A fitted model of K categories over M model columns; NaN is missing."""

    @property
    def kind(self) -> str:
        """`xgboost`, `lightgbm` or `logistic`."""

    def margins(self, matrix: FloatArray) -> FloatArray:
        """Scores before softmax, (n, K), for `matrix` of shape (n, M)."""

    def contributions(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """SHAP values (n, K, M) and bias (n, K); together they add up to the margins."""

    def save(self, folder: Path) -> None:
        """Write the model's own file into `folder`."""


class BoostedTrees:
    """XGBoost (Chen and Guestrin 2016); contributions are exact TreeSHAP (Lundberg 2020)."""

    kind = "xgboost"
    file_name = "model.ubj"

    def __init__(self, booster: Any, columns: int, categories: int, threads: int = 1) -> None:
        """Take over a fitted `xgboost.Booster`; one thread is fastest for a single row."""
        # Imported here so that serving a logistic model never loads XGBoost (0.75 s, 200 MB).
        import xgboost

        self._matrix_type = xgboost.DMatrix
        self._booster = booster
        self._threads = threads
        self._booster.set_param({"nthread": threads})
        self._columns = columns
        self._categories = categories
        # The first call configures the booster; afterwards prediction only reads it, which is
        # what makes calls from a thread pool safe.
        self.contributions(np.full((1, columns), np.nan))

    def margins(self, matrix: FloatArray) -> FloatArray:
        """Scores before softmax, (n, K)."""
        data = self._matrix_type(matrix, nthread=self._threads)
        found = self._booster.predict(data, output_margin=True)
        return np.asarray(found, dtype=np.float64).reshape(len(matrix), self._categories)

    def contributions(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """SHAP values (n, K, M) and bias (n, K) from one call; their sum is the margin."""
        data = self._matrix_type(matrix, nthread=self._threads)
        found = self._booster.predict(data, pred_contribs=True, validate_features=False)
        shape = (len(matrix), self._categories, self._columns + 1)
        values = np.asarray(found, dtype=np.float64).reshape(shape)
        return values[..., :-1], values[..., -1]

    def save(self, folder: Path) -> None:
        """Write `model.ubj`."""
        self._booster.save_model(folder / self.file_name)

    @classmethod
    def load(cls, folder: Path, columns: int, categories: int) -> "BoostedTrees":
        """Read `model.ubj`; raises `ValueError` if it is another kind of model."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(folder / cls.file_name)
        if booster.num_features() != columns:
            raise ValueError("the trees were grown on other columns")
        config = json.loads(booster.save_config())
        found = int(config["learner"]["learner_model_param"]["num_class"])
        if found != categories:
            raise ValueError("the trees were grown for other categories")
        return cls(booster, columns, categories)


@dataclass(frozen=True, slots=True)
class SplineBasis:
    """What the regression sees of each model column: restricted cubic splines (Harrell 2001).

    A value is first moved into the range seen in training, so that nothing is extrapolated, and
    its logarithm taken where the column is named in `logged`;
    each term is standardised over the observed values; a missing value has 0 in every term (the
    average, so it says nothing) and 1 in an indicator of its own.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    knots: tuple[tuple[float, ...], ...]
    """Per column at least 3 ascending knots, or none for a straight line."""
    centre: tuple[float, ...]
    """Per term: columns first, then the spline terms in column order."""
    scale: tuple[float, ...]
    logged: tuple[int, ...] = ()
    """Positions of columns whose logarithm is used; their `low` is above 0."""

    def owners(self) -> list[int]:
        """Column that each term, and then each indicator, belongs to."""
        straight = range(len(self.low))
        curved = [i for i, knots in enumerate(self.knots) for _ in knots[2:]]
        return [*straight, *curved, *straight]


@dataclass(frozen=True, slots=True)
class LogisticRegression:
    """Multinomial logistic regression on a `SplineBasis` with indicators of missingness.

    Contributions are exact in closed form: coefficient times (term − its mean), the SHAP values
    of a linear model with independent terms (Lundberg and Lee 2017), summed per column.
    """

    basis: SplineBasis
    missing_rate: FloatArray
    """(M,): share of training rows in which the column is missing."""
    coefficients: FloatArray
    """(K, terms + M)."""
    intercept: FloatArray
    """(K,): margin of the average row."""
    _spline: tuple[FloatArray, ...] = field(init=False, repr=False)
    _owner: FloatArray = field(init=False, repr=False)

    kind = "logistic"
    file_name = "logistic.json"

    def __post_init__(self) -> None:
        """Lay the basis out as arrays; raises `ValueError` if shapes do not fit."""
        basis = self.basis
        columns, owners = len(basis.low), basis.owners()
        terms = len(owners) - columns
        categories = len(self.intercept)
        if (
            {len(basis.high), len(basis.knots), len(self.missing_rate)} != {columns}
            or {len(basis.centre), len(basis.scale)} != {terms}
            or self.coefficients.shape != (categories, len(owners))
            or any(basis.low[i] <= 0.0 for i in basis.logged)
        ):
            raise ValueError("the parts of the regression do not fit each other")
        owner = np.zeros((len(owners), columns))
        owner[np.arange(len(owners)), owners] = 1.0
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_spline", _layout(basis))

    def raw_terms(self, matrix: FloatArray) -> FloatArray:
        """Values within the range seen and their spline terms, (n, terms); NaN where missing."""
        low, high, source, first, middle, last, ratio, norm, _, _ = self._spline
        inside = np.clip(matrix, low, high)
        logged = list(self.basis.logged)
        inside[:, logged] = np.log(inside[:, logged])
        x = inside[:, source.astype(np.intp)]
        curved = (
            _cube(x - first) - _cube(x - middle) * (ratio + 1.0) + _cube(x - last) * ratio
        ) / norm
        return np.concatenate([inside, curved], axis=1)

    def terms(self, matrix: FloatArray) -> FloatArray:
        """Centred terms and indicators, (n, terms + M); their training mean is 0."""
        *_, centre, scale = self._spline
        standard = (self.raw_terms(matrix) - centre) / scale
        absent = np.isnan(matrix)
        return np.concatenate([np.nan_to_num(standard), absent - self.missing_rate], axis=1)

    def margins(self, matrix: FloatArray) -> FloatArray:
        """Scores before softmax, (n, K)."""
        return np.asarray(self.terms(matrix) @ self.coefficients.T + self.intercept)

    def contributions(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """SHAP values (n, K, M) and bias (n, K); a missing value contributes by its indicator."""
        per_term = self.terms(matrix)[:, None, :] * self.coefficients[None, :, :]
        return per_term @ self._owner, np.repeat(self.intercept[None, :], len(matrix), axis=0)

    def save(self, folder: Path) -> None:
        """Write `logistic.json`."""
        basis = asdict(self.basis)
        if not self.basis.logged:
            del basis["logged"]
        content = {
            "basis": basis,
            "missing_rate": self.missing_rate.tolist(),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept.tolist(),
        }
        (folder / self.file_name).write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, columns: int, categories: int) -> "LogisticRegression":
        """Read `logistic.json`; raises `KeyError`, `TypeError` or `ValueError` if it is damaged."""
        content: Mapping[str, Any] = json.loads((folder / cls.file_name).read_text("utf-8"))
        basis = content["basis"]
        loaded = cls(
            SplineBasis(
                tuple(basis["low"]),
                tuple(basis["high"]),
                tuple(tuple(knots) for knots in basis["knots"]),
                tuple(basis["centre"]),
                tuple(basis["scale"]),
                # A model from before there was any does not name them.
                tuple(basis.get("logged", ())),
            ),
            np.asarray(content["missing_rate"], dtype=np.float64),
            np.asarray(content["coefficients"], dtype=np.float64),
            np.asarray(content["intercept"], dtype=np.float64),
        )
        if (len(loaded.missing_rate), len(loaded.intercept)) != (columns, categories):
            raise ValueError("the regression was fitted to other columns or categories")
        return loaded


def _cube(x: FloatArray) -> FloatArray:
    """Cube of the positive part; NaN stays NaN."""
    positive = np.maximum(x, 0.0)
    return np.asarray(positive * positive * positive)


def _layout(basis: SplineBasis) -> tuple[FloatArray, ...]:
    """Arrays over spline terms: source column, the three knots of each, and its factors.

    Term j of knots t₁…tₖ: (x−tⱼ)₊³ − (x−tₖ₋₁)₊³(tₖ−tⱼ)/(tₖ−tₖ₋₁) + (x−tₖ)₊³(tₖ₋₁−tⱼ)/(tₖ−tₖ₋₁),
    over (tₖ−t₁)²: cubic between knots, straight outside them.
    """
    rows = [
        (i, knot, t[-2], t[-1], (t[-2] - knot) / (t[-1] - t[-2]), (t[-1] - t[0]) ** 2)
        for i, t in enumerate(basis.knots)
        for knot in t[:-2]
    ]
    spline = np.asarray(rows, dtype=np.float64).reshape(-1, 6).T
    edges = (np.asarray(basis.low), np.asarray(basis.high))
    return (*edges, *spline, np.asarray(basis.centre), np.asarray(basis.scale))
