"""What a training run was asked to do; saved with the model as `design.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from model.errors import TrainingError
from model.features import EXTRA_INPUTS
from model.severity import Severity

ADULT = 18.0
"""Years from which the population needs no widening (clinical rule C1)."""
OLDEST = 110.0
"""Years to which it may reach (clinical rule C1)."""
ROWS_PER_AGE_BAND = 500
"""History rows that each added age band needs (clinical rule C1)."""
ESTIMATORS: tuple[str, ...] = (
    *("logistic", "logistic_splines", "decision_tree", "lightgbm", "xgboost"),
    *("hist_boosting", "random_forest", "mlp", "svm"),
)
"""Simplest first; of two that are equally simple, the one that is quicker to train first."""
QUICK_ESTIMATORS: tuple[str, ...] = ("logistic", "logistic_splines", "lightgbm", "xgboost")
"""Those that can be served: what is compared unless a search is asked for."""
BALANCINGS: tuple[str, ...] = (
    *("none", "class_weights", "undersample", "smote", "adasyn", "focal"),
)
"""Simplest first."""
QUICK_BALANCINGS: tuple[str, ...] = ("none", "class_weights", "smote")
_ACUTE_FLAG_RATE = 0.05
"""Share of charts flagged as acute unless the site sets another (clinical rule C12)."""
HIGHEST_TERMINAL_FLAG_RATE = 0.05
"""A goals-of-care pattern is never flagged more often than acute illness by default."""


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of model, a remedy for imbalance, and parameters other than the kind's defaults."""

    estimator: str
    balancing: str
    parameters: tuple[tuple[str, float], ...] = ()
    """Names and values, by name."""

    def __post_init__(self) -> None:
        """Raise `TrainingError` for a name that is none."""
        _require(self.estimator in ESTIMATORS, f"Estimators are {', '.join(ESTIMATORS)}.")
        _require(self.balancing in BALANCINGS, f"Balancings are {', '.join(BALANCINGS)}.")

    @property
    def plain(self) -> "Way":
        """The same with the kind's default parameters."""
        return Way(self.estimator, self.balancing)

    @property
    def name(self) -> str:
        """`xgboost + smote` and alike; `tuned` where parameters were chosen."""
        tuned = ", tuned" if self.parameters else ""
        return f"{self.estimator} + {self.balancing.replace('_', ' ')}{tuned}"

    def as_json(self) -> dict[str, Any]:
        """The way as JSON types; `of_json` reads it."""
        return {
            "estimator": self.estimator,
            "balancing": self.balancing,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> "Way":
        """Read what `as_json` wrote; raises `KeyError` or `TrainingError`."""
        parameters = tuple(sorted((str(k), float(v)) for k, v in content["parameters"].items()))
        return cls(str(content["estimator"]), str(content["balancing"]), parameters)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Settings of a training run; raises `TrainingError` for one that makes no sense."""

    seed: int = 20_260
    min_age: float = ADULT
    max_age: float = OLDEST
    flag_rates: Mapping[Severity, float] = field(
        default_factory=lambda: MappingProxyType({Severity.ACUTE: _ACUTE_FLAG_RATE})
    )
    """Wanted share of charts at or above the operating threshold. A category that is not named is
    flagged as often as it occurs; `terminal` at most at `HIGHEST_TERMINAL_FLAG_RATE`."""
    coverage: float = 0.9
    """Promise of the prediction sets, for each category."""
    folds: int = 3
    estimators: tuple[str, ...] = QUICK_ESTIMATORS
    balancings: tuple[str, ...] = QUICK_BALANCINGS
    """Each kind gets those of them that it can take."""
    known: tuple[Way, ...] = ()
    """More ways to compare: those of a champion, with its parameters."""
    only_known: bool = False
    """Compare nothing else: a refresh of a model is fitted as it was."""
    search: bool = False
    """Tune the best ways as well."""
    learn_newest: bool = False
    """Learn from half of the patients of the newest window too: a retraining is there for what is
    new. A first training holds the window out whole, to tell how it does on days to come."""
    trials: int = 30
    """Sets of parameters that a search tries for each way it tunes."""
    max_rounds: int = 150
    """Boosting rounds at most; early stopping usually ends sooner."""
    bootstrap_replicates: int = 200
    minimum_rows: int = 200
    """Rows of the training part below which nothing is trained."""
    minimum_patients: int = 10
    """Patients of the training part a category needs to be covered; with fewer it is named as
    not covered (C19)."""
    threads: int = 2
    extra_inputs: tuple[str, ...] = ()
    """Those of `EXTRA_INPUTS` to learn from, where the history has them."""
    rare_flag_rate: float = 0.01
    """Share of charts that a few-shot head of a rare disease may say to read like its cases: one
    in a hundred, for each of them costs a clinician's time (the project's own choice)."""

    def __post_init__(self) -> None:
        """Check every setting."""
        _require(self.seed >= 0, "The seed must not be negative.")
        _require(
            0 <= self.min_age < self.max_age <= OLDEST,
            f"The ages must be in order and within 0 to {OLDEST:.0f} years.",
        )
        _require(
            all(0 < rate < 1 for rate in self.flag_rates.values()),
            "A flag rate is a share between 0 and 1, such as 0.05 for 5 % of charts.",
        )
        _require(
            0 < self.rare_flag_rate <= 0.1,
            "The flag rate of rare diseases is a share above 0 and at most 0.1.",
        )
        _require(0.5 <= self.coverage < 1, "The coverage must be from 0.5 to below 1.")
        _require(2 <= self.folds <= 20, "There must be 2 to 20 folds.")
        _require(
            bool(self.estimators) and set(self.estimators) <= set(ESTIMATORS),
            f"Estimators are {', '.join(ESTIMATORS)}.",
        )
        _require(
            bool(self.balancings) and set(self.balancings) <= set(BALANCINGS),
            f"Balancings are {', '.join(BALANCINGS)}.",
        )
        _require(
            20 <= self.bootstrap_replicates <= 10_000,
            "There must be 20 to 10,000 bootstrap replicates.",
        )
        _require(self.minimum_rows >= 50, "Fewer than 50 rows cannot train a model.")
        _require(
            self.minimum_patients >= self.folds,
            "A category needs at least one patient for each fold.",
        )
        _require(1 <= self.max_rounds <= 1_000, "There must be 1 to 1,000 boosting rounds.")
        _require(
            any(name in QUICK_ESTIMATORS for name in self.estimators),
            f"One of {', '.join(QUICK_ESTIMATORS)} must be compared: no other can be served.",
        )
        _require(
            not self.only_known or (bool(self.known) and not self.search),
            "A model that is fitted as before has a way that is known, and no search.",
        )
        _require(1 <= self.trials <= 1_000, "There must be 1 to 1,000 trials.")
        _require(self.threads >= 1, "There must be at least one thread.")
        _require(
            set(self.extra_inputs) <= set(EXTRA_INPUTS)
            and len(set(self.extra_inputs)) == len(self.extra_inputs),
            f"Extra inputs are {' and '.join(EXTRA_INPUTS)}, each at most once.",
        )

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON types."""
        content = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        content["flag_rates"] = {code.value: rate for code, rate in self.flag_rates.items()}
        content["known"] = [way.as_json() for way in self.known]
        return content


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise TrainingError(sentence)
