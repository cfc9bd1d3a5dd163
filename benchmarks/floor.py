"""The floor: the live model behind a bare FastAPI route that checks and stores nothing."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from fastapi import FastAPI

from model.features import FeatureRow, row_matrix

ROW = FeatureRow(
    age=67.0,
    heart_rate=112.0,
    body_temperature=38.4,
    systolic_bp=98.0,
    diastolic_bp=61.0,
    respiratory_rate=22.0,
    oxygen_saturation=94.0,
    sex="female",
)


def application() -> FastAPI:
    """One route: the request is parsed as JSON, the model predicts and explains a row."""
    booster = xgboost.Booster(model_file=Path(os.environ["FLOOR_ARTEFACT"]) / "model.ubj")
    booster.set_param({"nthread": 1})
    app = FastAPI()

    @app.post("/")
    def assess(request: dict[str, Any]) -> dict[str, Any]:
        rows = xgboost.DMatrix(row_matrix(ROW))
        probabilities = booster.predict(rows)
        contributions = booster.predict(rows, pred_contribs=True)
        return {
            "hook": request["hook"],
            "probabilities": np.asarray(probabilities)[0].tolist(),
            "contributions": np.asarray(contributions)[0].tolist(),
        }

    return app
