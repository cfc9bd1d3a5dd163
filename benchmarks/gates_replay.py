"""One replay of the gates: a champion of a quarter of the rows, and four that would follow it.

All goes through the services, as a site would do it: history files, a database, MLflow, the
registry, `models compare` and `models promote`, with the settings as they are shipped. Every
challenger is judged by the true outcomes of the same patients, chosen by the service among those
from whom neither model has learnt.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cds_service.context import ProcessContext
from cds_service.services.comparing import Comparing
from cds_service.services.models import ModelService
from cds_service.services.training import HistoryFile, TrainingService
from cds_service.settings import Settings
from cds_service.storage import session
from model.severity import Severity
from model.training.design import TrainingSettings
from model.training.gates import PROMOTE, REFUSED, GateDecision
from model.training.simulation import simulate_cohort
from model.training.splits import CALIBRATION, TRAIN, TUNING, split

SECRET_KEYS = '["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]'  # noqa: S105  # invented
ACTOR = "benchmark"
KIND = "logistic_splines"
"""What `train` chooses on both sets of rows."""
QUARTER = 4
MISLABELLED = 0.6
"""Share of acute rows that a challenger learns as something else."""
SIMULATED_ROWS = 24_000
"""As many as the starter model learns from."""

MORE = "four times the rows"
MORE_MISLABELLED = "four times the rows, 60 % of acute mislabelled"
TWIN = "as many other rows"
SAME_MISLABELLED = "the champion's rows, 60 % of acute mislabelled"
CHALLENGERS = (MORE, MORE_MISLABELLED, TWIN, SAME_MISLABELLED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates said of one challenger."""

    source: str
    seed: int
    challenger: str
    """One of `CHALLENGERS`."""
    outcome: str
    """`promoted-ok`, `refused` or `not-enough`."""
    refused_by: tuple[str, ...]
    """Names of gates."""
    compared: int
    """Held-out outcomes."""
    acute: int
    """Acute among them."""
    log_loss: float
    """Challenger less champion on the held-out outcomes, nat."""
    acute_log_loss: float
    """The same of acute against the rest, nat; NaN where it was not judged."""
    sensitivity: float
    """The same of the sensitivity for acute at the champion's flag rate."""

    @property
    def promoted(self) -> bool:
        """Whether every gate let it through."""
        return self.outcome == PROMOTE

    @property
    def refused(self) -> bool:
        """Whether a gate refused it; "not enough to decide" is neither."""
        return self.outcome == REFUSED

    def as_json(self) -> dict[str, Any]:
        """JSON types; `null` for what was not judged."""
        unknown = {
            n: None
            for n, value in asdict(self).items()
            if isinstance(value, float) and np.isnan(value)
        }
        return asdict(self) | unknown


def simulated(seed: int, rows: int = SIMULATED_ROWS) -> pd.DataFrame:
    """Simulated patients, other ones for each seed."""
    return _named(simulate_cohort(rows, seed), seed)


def of_real(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Real visits, divided into the four parts in another way for each seed."""
    return _named(frame.assign(patient_id=frame["row"].astype(str)), seed)


def _named(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The part of a patient is a hash of the id: with the seed in it, it is drawn anew."""
    return frame.assign(patient_id=[f"{seed}/{patient}" for patient in frame["patient_id"]])


def mislabelled(frame: pd.DataFrame, seed: int, share: float = MISLABELLED) -> pd.DataFrame:
    """Give `share` of the acute rows that are learnt from another category.

    The others are drawn as often as they occur; held-out rows keep their own.
    """
    rng = np.random.default_rng(seed)
    severity = frame["severity"].to_numpy(dtype=object).copy()
    learnt = np.isin(split(frame).part, (TRAIN, TUNING, CALIBRATION))
    acute = severity == Severity.ACUTE.value
    cases = np.flatnonzero(learnt & acute)
    changed = rng.choice(cases, round(share * len(cases)), replace=False)
    severity[changed] = rng.choice(severity[learnt & ~acute], len(changed))
    return frame.assign(severity=severity)


def quarters(frame: pd.DataFrame, seed: int) -> NDArray[np.intp]:
    """Which random quarter each row belongs to, all rows of a patient to the same, (n,)."""
    names, patient = np.unique(frame["patient_id"].astype(str), return_inverse=True)
    return np.random.default_rng(seed).integers(0, QUARTER, len(names))[patient]


@dataclass
class Replay:
    """A service of its own in `folder`, whose champion learnt from a quarter of `frame`."""

    source: str
    seed: int
    frame: pd.DataFrame
    """Columns of history."""
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Where other settings than the shipped ones are wanted."""
    versions: dict[str, str] = field(default_factory=dict, init=False)
    """Version by challenger."""

    @cached_property
    def context(self) -> ProcessContext:
        """The process, over an empty database."""
        own = {"data_dir": self.folder, "secret_keys": SECRET_KEYS, "log_level": "ERROR"}
        made = ProcessContext.create(Settings(**own | dict(self.settings)))
        session.upgrade(made.engine)
        return made

    @cached_property
    def training(self) -> TrainingService:
        """Trains and registers."""
        return TrainingService(self.context.engine, self.context.settings, self.context.clock)

    @property
    def models(self) -> ModelService:
        """Versions, and which is live."""
        return self.training.models

    @cached_property
    def champion(self) -> str:
        """The version that is live at the start: trained on the first quarter."""
        return self._train("champion", self._quarter(0))

    def run(self) -> list[Verdict]:
        """Train each challenger and let the gates judge it; one they let through goes live.

        The larger honest one comes last: whom the others are held against is the same champion.
        """
        found = {name: self.judge(name) for name in reversed(CHALLENGERS)}
        if found[MORE].promoted:
            self.promote(MORE)
        return [found[name] for name in CHALLENGERS]

    def judge(self, challenger: str, *, settings: Mapping[str, Any] | None = None) -> Verdict:
        """What the gates say of a challenger; `settings` are other ones for this judgement."""
        first, second = self.champion, self._version(challenger)
        context, training = self.context, self.training
        if settings:
            changed = context.settings.model_copy(update=dict(settings))
            context = ProcessContext(
                settings=changed,
                engine=context.engine,
                secrecy=context.secrecy,
                champion=context.champion,
                directory=context.directory,
                clock=context.clock,
            )
            training = TrainingService(context.engine, changed, context.clock)
        report = Comparing(context, training).compare_versions(
            first, second, actor=ACTOR, seed=self.seed, history=self._file("truth", self.frame)
        )
        return _verdict(self.source, self.seed, challenger, report.comparison.decision)

    def promote(self, challenger: str) -> None:
        """Make it live. Raises `RuntimeError` if it is not live then."""
        version = self._version(challenger)
        self.models.promote(version, actor=ACTOR, reason="Every gate let it through.")
        live = self.models.champion()
        if live is None or live["version"] != version:
            raise RuntimeError("what was promoted is not live")

    def close(self) -> None:
        """Let go of the database."""
        self.context.engine.dispose()

    def _version(self, challenger: str) -> str:
        if challenger not in self.versions:
            rows = {
                MORE: lambda: self.frame,
                MORE_MISLABELLED: lambda: mislabelled(self.frame, self.seed),
                TWIN: lambda: self._quarter(1),
                SAME_MISLABELLED: lambda: mislabelled(self._quarter(0), self.seed),
            }[challenger]()
            name = f"challenger-{CHALLENGERS.index(challenger)}"
            self.versions[challenger] = self._train(name, rows)
        return self.versions[challenger]

    def _quarter(self, number: int) -> pd.DataFrame:
        return self.frame[quarters(self.frame, self.seed) == number]

    def _train(self, name: str, rows: pd.DataFrame) -> str:
        design = TrainingSettings(
            seed=self.seed,
            estimators=(KIND,),
            balancings=("none",),
            folds=2,
            bootstrap_replicates=20,
            threads=1,
        )
        report = self.training.train_history(
            HistoryFile(self._file(name, rows)),
            design,
            actor=ACTOR,
            progress=lambda _step, _done: None,
            with_report=False,
        )
        return report.version

    def _file(self, name: str, rows: pd.DataFrame) -> Path:
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            rows.to_parquet(path, index=False)
        return path


def _verdict(source: str, seed: int, challenger: str, decision: GateDecision) -> Verdict:
    figures = decision.figures
    by_name = {gate.name: gate for gate in decision.gates}
    by_category = by_name["category_log_loss"].figures.get("by_category", {})
    acute = by_category.get(Severity.ACUTE.value, {})

    def less(name: str) -> float:
        new, old = (figures.get(f"{name}_{who}", np.nan) for who in ("challenger", "champion"))
        return float(new - old)

    return Verdict(
        source=source,
        seed=seed,
        challenger=challenger,
        outcome=decision.outcome,
        refused_by=tuple(gate.name for gate in decision.gates if gate.passed is False),
        compared=figures["compared"],
        acute=figures.get("acute_cases", 0),
        log_loss=less("log_loss"),
        acute_log_loss=float(acute.get("difference", np.nan)),
        sensitivity=less("sensitivity"),
    )
