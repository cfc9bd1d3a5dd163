"""Who the rows of a training run are: counts by age, sex and rare disease, for the model card."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from model.features import SEXES
from model.training.selection import Eligible

AGE_EDGES: tuple[float, ...] = (0, 18, 40, 65, 80, np.inf)
"""Adults young, middle-aged, old and very old, and children where a model is made for them, a."""


def people(eligible: Eligible) -> dict[str, Any]:
    """Rows by age band, by sex and by ORPHAcode, and the share without each input; JSON types.

    `unknown` sex includes rows that state none.
    """
    frame = eligible.frame
    age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    bands = {
        band_name(low, high): int(((age >= low) & (age < high)).sum())
        for low, high in pairwise(AGE_EDGES)
    }
    sex = _column(frame, "sex").where(lambda values: values.isin(SEXES), "unknown")
    rare = _column(frame, "rare_code").dropna().astype(str)
    return {
        "age_bands": bands,
        "sex": {name: int((sex == name).sum()) for name in SEXES},
        "rare_codes": {str(code): int(n) for code, n in sorted(rare.value_counts().items())},
    }


def band_name(low: float, high: float) -> str:
    """`18-39` for ages from 18 to under 40, `80+` for the last."""
    return f"{low:g}+" if np.isinf(high) else f"{low:g}-{high - 1:g}"


def _column(frame: pd.DataFrame, name: str) -> "pd.Series[Any]":
    if name in frame:
        return frame[name].astype(object)
    return pd.Series([None] * len(frame), index=frame.index, dtype=object)
