"""LightGBM as a servable model: its own text file, and contributions that add up exactly."""

from pathlib import Path
from typing import Any

import numpy as np

from model.features import FloatArray


class LightGbmTrees:
    """LightGBM (Ke 2017); contributions are exact TreeSHAP (Lundberg 2020) in double precision."""

    kind = "lightgbm"
    file_name = "model.txt"

    def __init__(self, booster: Any, columns: int, categories: int, threads: int = 1) -> None:
        """Take over a fitted `lightgbm.Booster`; one thread is fastest for a single row."""
        self._booster = booster
        self._columns = columns
        self._categories = categories
        self._threads = threads
        # The first call is the slow one; later ones only read, so threads may share it.
        self.contributions(np.full((1, columns), np.nan))

    def margins(self, matrix: FloatArray) -> FloatArray:
        """Scores before softmax, (n, K)."""
        found = self._booster.predict(matrix, raw_score=True, num_threads=self._threads)
        return np.asarray(found, dtype=np.float64).reshape(len(matrix), self._categories)

    def contributions(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """SHAP values (n, K, M) and bias (n, K) from one call; their sum is the margin."""
        found = self._booster.predict(matrix, pred_contrib=True, num_threads=self._threads)
        shape = (len(matrix), self._categories, self._columns + 1)
        values = np.asarray(found, dtype=np.float64).reshape(shape)
        return values[..., :-1], values[..., -1]

    def save(self, folder: Path) -> None:
        """Write `model.txt`, with all trees it holds."""
        text = self._booster.model_to_string(num_iteration=-1)
        # Below the trees stand the parameters of training, which no answer needs; threads are
        # among them, and the same model must be the same file.
        trees, end, _ = text.partition("end of trees\n")
        (folder / self.file_name).write_text(trees + end, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, columns: int, categories: int) -> "LightGbmTrees":
        """Read `model.txt`; raises `ValueError` if it is another kind of model."""
        # Imported here so that serving another model never loads it.
        import lightgbm

        # From a string: LightGBM's own reader cannot open every path that Python can.
        text = (folder / cls.file_name).read_text("utf-8")
        booster = lightgbm.Booster(model_str=text)
        if booster.num_feature() != columns:
            raise ValueError("the trees were grown on other columns")
        if booster.num_model_per_iteration() != categories:
            raise ValueError("the trees were grown for other categories")
        return cls(booster, columns, categories)
