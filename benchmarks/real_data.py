"""Real data kept beside a checkout, read as a hospital would bring its history.

Nothing of it is part of the project: `--data` names the folder.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import CORE
from model.training.cleaning import clean_history
from model.training.history import read_history

NHAMCS_FILE = "nhamcs_ed_2015_2018.csv.gz"
COLUMNS = {
    "heart_rate": "hr",
    "body_temperature": "temp_c",
    "systolic_bp": "sbp",
    "diastolic_bp": "dbp",
    "respiratory_rate": "rr",
    "oxygen_saturation": "spo2",
    "severity": "severity5",
}
KEPT = ("row", "patient_id", "recorded_at", "severity", "source")
FIVE = CORE
SEVEN = (*CORE, "respiratory_rate", "oxygen_saturation")
"""The five inputs and the two vital signs that many sites have beside them; no sex."""


def nhamcs(folder: Path) -> pd.DataFrame:
    """Emergency visits of adults, 2015 to 2018, cleaned (columns of history).

    US CDC/NCHS public-use files. `severity` is a proxy: acute is critical care, chronic a
    comorbidity, not ill an administrative or preventive visit, mild the rest.
    """
    raw = read_history(
        folder / NHAMCS_FILE, column_map=COLUMNS, time_column="year", source="NHAMCS"
    )
    return clean_history(raw).frame


def physionet(folder: Path) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """First readings of adult ICU stays, cleaned, and whether each died in hospital (1) or not.

    PhysioNet/CinC Challenge 2012, set a. Death in the ICU is a proxy of nothing else: the
    `severity` column of the file is not used.
    """
    path = folder / "physionet2012_set_a.csv.gz"
    frame = clean_history(read_history(path, column_map=COLUMNS)).frame
    died = pd.read_csv(path)["died"].to_numpy()
    return frame, died[frame["row"].to_numpy(dtype=np.intp) - 1].astype(np.intp)


def with_inputs(frame: pd.DataFrame, inputs: tuple[str, ...]) -> pd.DataFrame:
    """The rows with no other input than `inputs`."""
    return frame[[name for name in (*KEPT, *inputs) if name in frame]]
