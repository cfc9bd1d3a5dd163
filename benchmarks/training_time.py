"""How long one training of boosted trees takes, over a bare call of XGBoost on the same rows.

On one thread and in turn, so that a drift of the machine's speed cancels out.
"""

import statistics
from time import perf_counter

import numpy as np
import pandas as pd

from benchmarks.real_data import FIVE, with_inputs
from model.scorer import frame_matrix
from model.training.balancing import balance
from model.training.design import TrainingSettings, Way
from model.training.fitting import select
from model.training.kinds import KINDS, fit
from model.training.selection import usable_columns

ROUNDS = 60
REPEATS = 9


def training_ratio(visits: pd.DataFrame) -> float:
    """Ratio of the medians of `REPEATS` trainings of `ROUNDS` rounds: ours over the library's."""
    import xgboost

    names, outcome = np.unique(visits["severity"].astype(str), return_inverse=True)
    whole = frame_matrix(with_inputs(visits, FIVE))
    columns = usable_columns(whole)
    settings = TrainingSettings(threads=1)
    common = {"objective": "multi:softprob", "num_class": len(names), "tree_method": "hist"}
    own = {"seed": settings.seed, "nthread": 1, "verbosity": 0}
    defaults = {name: value for name, value in KINDS["xgboost"].defaults.items() if name != "gamma"}
    parameters = common | own | defaults | {"max_depth": int(defaults["max_depth"])}
    matrix = select(whole, columns)
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(REPEATS):
        start = perf_counter()
        xgboost.train(parameters, xgboost.DMatrix(matrix, outcome, nthread=1), ROUNDS)
        times["bare"].append(perf_counter() - start)
        start = perf_counter()
        rows = balance("none", whole, outcome, len(names), settings.seed)
        fit(Way("xgboost", "none"), rows, columns, settings, rounds=ROUNDS)
        times["ours"].append(perf_counter() - start)
    return statistics.median(times["ours"]) / statistics.median(times["bare"])
