"""Small trained models for tests.

`python -m tests.support.artefacts` made `tests/data/artefact_v1`, the model kept from an earlier
version; it must not be made again, for then it would not show that old models stay loadable.
"""

import shutil
import sys
from pathlib import Path

import pandas as pd

from model.severity import SEVERITIES
from model.training.design import TrainingSettings
from model.training.run import DataDescription, TrainingResult, train
from tests.support.cohorts import small_cohort

DESCRIPTION = DataDescription(
    simulated=True, description="Invented rows for tests.", label_version="1"
)
KEPT = Path(__file__).resolve().parents[1] / "data" / "artefact_v1"


def small_settings(estimator: str = "logistic", **changes: object) -> TrainingSettings:
    """Settings of a run of about a second: one estimator, no balancing, few rounds."""
    chosen: dict[str, object] = {
        "seed": 7,
        "estimators": (estimator,),
        "balancings": ("none",),
        "max_rounds": 12,
        "bootstrap_replicates": 20,
        "threads": 1,
    }
    return TrainingSettings(**(chosen | changes))  # type: ignore[arg-type]  # names are checked by it


def small_model(
    root: Path,
    estimator: str = "logistic",
    *,
    rows: int = 2_500,
    seed: int = 3,
    categories: int = 5,
    frame: pd.DataFrame | None = None,
) -> TrainingResult:
    """A model of `small_cohort`, or of `frame`, written under `root`."""
    return train(
        small_cohort(rows, seed, categories=categories) if frame is None else frame,
        small_settings(estimator),
        artefact_root=root,
        data=DESCRIPTION,
    )


def _keep() -> None:
    if KEPT.exists():
        sys.exit(f"{KEPT} exists and is kept as it is.")
    root = KEPT.parent / "making"
    frame = small_cohort(2_500, 3, categories=len(SEVERITIES)).drop(columns=["sex"])
    result = train(
        frame,
        small_settings("xgboost", max_rounds=5),
        artefact_root=root,
        data=DESCRIPTION,
    )
    result.path.rename(KEPT)
    shutil.rmtree(root)


if __name__ == "__main__":
    _keep()
