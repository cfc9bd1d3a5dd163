"""The floor: the live model behind a bare FastAPI route that checks and stores nothing."""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from model.features import MODEL_COLUMNS, FeatureRow, row_matrix
from model.scorer import Scorer

COLUMNS = tuple(column.name for column in MODEL_COLUMNS)
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
    artefact = Scorer.load(Path(os.environ["FLOOR_ARTEFACT"]), version="floor").artefact
    columns = [list(COLUMNS).index(name) for name in artefact.columns]
    app = FastAPI()

    @app.post("/")
    def assess(request: dict[str, Any]) -> dict[str, Any]:
        matrix = row_matrix(ROW)[:, columns]
        margins = artefact.estimator.margins(matrix)
        probabilities = artefact.calibration.probabilities(margins)
        contributions, _bias = artefact.estimator.contributions(matrix)
        return {
            "hook": request["hook"],
            "probabilities": probabilities[0].tolist(),
            "contributions": contributions[0].tolist(),
        }

    return app
