"""Replays the year, day by day: patients, diagnoses, the jobs of the service, and people.

Jobs run by `Schedule.once` with the clock of the year, as cron would start them. People approve
what waits, confirm rare cases, and now and then do what they should not.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select

from benchmarks.year_calendar import (
    BAD_CHALLENGER,
    RARE_DISEASE,
    SETTINGS,
    THERMOMETER,
    WORSE_PROMOTION,
    Calendar,
)
from benchmarks.year_feed import ACTOR, Hospital, Visit, condition, serving
from benchmarks.year_world import NORTH, RARE, START
from cds_service.services.clients import ClientService
from cds_service.services.deliveries import Incoming
from cds_service.services.evaluating import EvaluatingService
from cds_service.services.jobs import End
from cds_service.services.lifecycle import LifecycleService
from cds_service.services.models import ModelService
from cds_service.services.rare_cases import RareCaseService
from cds_service.services.retraining import RetrainingService, as_champion
from cds_service.services.schedule import Schedule
from cds_service.services.training import TrainingService
from cds_service.services.training_rows import training_rows
from cds_service.storage.challenger_store import GATE, WAITING, ChallengerStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.tables import ASSESSMENTS
from model.features import FloatArray
from model.scorer import Scorer
from model.severity import SEVERITIES, Severity

APPROVER = "Dr. Ana Gil"
REGISTRY = "registry"
"""A third client, which confirms rare cases."""
SCRAMBLED = 0.6
"""Share of acute diagnoses that the bad challenger learns as something else."""
EVALUATE_DAYS = 14
"""How often chunks are judged; the default is daily."""
REPLICATES = 100
"""Half as many as by default: a year of evaluations would take an hour."""
CARDS_ASKED = 20
"""Charts sent over HTTP in each part of the days of broken thermometers."""


@dataclass
class Replay:
    """One year of one seed."""

    seed: int
    scenarios: Collection[str]
    folder: Path
    calendar: Calendar = field(default_factory=Calendar)
    settings: dict[str, Any] = field(default_factory=dict)
    """Beside those of the calendar."""
    failed: list[str] = field(default_factory=list, init=False)
    """What a job could not do, with its day."""
    cards: dict[str, list[str]] = field(default_factory=dict, init=False)
    """What cards said while thermometers were broken, by reason."""
    bad: str | None = field(default=None, init=False)
    """The version that learnt from scrambled labels."""

    @cached_property
    def hospital(self) -> Hospital:
        """The hospital of the seed."""
        world = self.calendar.world(self.seed, self.scenarios)
        return Hospital(world, self.folder, dict(SETTINGS) | self.settings)

    def run(self) -> None:
        """Replay every day."""
        hospital = self.hospital
        hospital.open()
        days = hospital.visits["day"].astype(int)
        for day in range(hospital.world.days):
            hospital.see(hospital.visits[days == day])
            self._people(day)
            # Jobs of whole days are due at two in the morning.
            hospital.clock.time = START + timedelta(days=day + 1, hours=2, minutes=30)
            hospital.deliver()
            for ran in Schedule(hospital.context).once():
                if ran.end is not End.DONE:
                    self.failed.append(f"day {day}, {ran.name}: {ran.result}")
            self._approve()
            if hospital.clock.time.day == 1:
                self._job(day, "refresh", self._refresh)
            if day % EVALUATE_DAYS == EVALUATE_DAYS - 1:
                self._job(day, "evaluate", self._evaluate)
            hospital.context.champion.refresh()

    def close(self) -> None:
        """Let go of the database."""
        self.hospital.context.engine.dispose()

    # What people do

    def _people(self, day: int) -> None:
        calendar, scenarios = self.calendar, self.scenarios
        if THERMOMETER in scenarios:
            for name, days in (
                ("implausible", calendar.fahrenheit),
                ("unknown_unit", calendar.unknown_unit),
            ):
                # On a quiet day nobody may be sick enough for a card.
                if days[0] <= day < days[1] and not self.cards.get(name):
                    self._ask_for_cards(name, day)
        if RARE_DISEASE in scenarios and day == calendar.rare_cases[-1] + 8:
            self._confirm_rare_cases()
        if {BAD_CHALLENGER, WORSE_PROMOTION} & set(scenarios) and day == calendar.bad_challenger:
            self._train_on_scrambled_labels()
        if WORSE_PROMOTION in scenarios and day == calendar.worse_promotion and self.bad:
            self.models.promote(self.bad, actor=ACTOR, reason="It was thought to be better.")
            self.hospital.context.champion.refresh()

    @property
    def models(self) -> ModelService:
        """Versions, and which is live."""
        context = self.hospital.context
        return ModelService(context.engine, context.settings, context.clock)

    def _job(self, day: int, name: str, work: Callable[[], object]) -> None:
        """What the schedule does otherwise; a job that fails does not end the year."""
        try:
            work()
        except Exception as error:  # whatever it was, it is told
            self.failed.append(f"day {day}, {name}: {type(error).__name__}: {error}")

    def _refresh(self) -> str:
        return LifecycleService(self.hospital.context).refresh(actor="schedule", with_report=False)

    def _evaluate(self) -> str:
        service = EvaluatingService(self.hospital.context, replicates=REPLICATES, runs=False)
        return service.run(actor="schedule")

    def _approve(self) -> None:
        """Whatever passed its gates and its time in shadow is approved the next morning."""
        context = self.hospital.context
        with reading(context.engine) as connection:
            challengers = ChallengerStore(connection).all()
        for row in challengers:
            if row["stage"] == WAITING:
                LifecycleService(context).approve(
                    row["version"], actor=APPROVER, reason="Gates and shadow passed."
                )

    def _ask_for_cards(self, reason: str, day: int) -> None:
        """Open some charts with a broken temperature over HTTP, and keep what the cards say."""
        hospital = self.hospital
        visits = hospital.visits
        broken = visits["sent_unit"].notna() & visits["body_temperature"].isna()
        rows = visits[broken & (visits["day"].astype(int) == day)]
        # A client is shown cards of acute illness and of dangerous readings only: the sickest.
        rows = rows.nlargest(CARDS_ASKED, "risk")
        with serving(hospital.context) as http:
            self.cards[reason] = [
                card["detail"]
                for visit in rows.assign(visit=rows["visit"] + "-again").to_dict("records")
                for card in hospital.post(http, visit)["cards"]
            ]

    def _confirm_rare_cases(self) -> None:
        """Three are confirmed by a second source, two by a reviewer."""
        hospital = self.hospital
        context = hospital.context
        clients = ClientService(context.engine, context.settings, context.clock)
        clients.add(REGISTRY, {"allow_retraining": True}, actor=ACTOR)
        rare = hospital.visits[hospital.visits["rare_code"].notna()].to_dict("records")
        again = [self._second_source(visit) for visit in rare[:3]]
        hospital.deliver()
        hospital.send(REGISTRY, again)
        service = RareCaseService(context)
        for case in service.cases(actor=APPROVER):
            if case.code == RARE.code and not case.counts:
                service.review(case.id, confirm=True, reason="Seen by two of us.", actor=APPROVER)

    def _second_source(self, visit: Visit) -> Incoming:
        hospital = self.hospital
        base = hospital.client(visit["client"]).base
        resource = condition(visit, f"registry-{visit['visit']}")
        return Incoming(resource, base, visit["patient_id"], f"e-{visit['visit']}")

    def _train_on_scrambled_labels(self) -> None:
        """A fault on the way: the challenger learns rows whose acute labels were scrambled.

        It is on its way like any other; the gates then judge it on what the rows really say.
        """
        context = self.hospital.context
        training = TrainingService(context.engine, context.settings, context.clock)
        with reading(context.engine) as connection:
            champion = ModelStore(connection).champion()
        if champion is None:
            raise RuntimeError("no model is live")
        now = context.clock()
        rows = training_rows(context, training, champion, now=now)
        rng = np.random.default_rng([self.seed, 3])
        severity = rows.frame["severity"].to_numpy(dtype=object).copy()
        acute = np.flatnonzero(severity == Severity.ACUTE.value)
        chosen = rng.choice(acute, int(SCRAMBLED * len(acute)), replace=False)
        others = [one.value for one in SEVERITIES if one is not Severity.ACUTE]
        severity[chosen] = rng.choice(others, len(chosen))
        kept = rows.frame["severity"].copy()
        rows.frame["severity"] = pd.Series(severity, index=kept.index, dtype="str")
        self.bad, _ = RetrainingService(context).train(
            champion,
            rows,
            as_champion(ModelService.load(champion), self.seed),
            actor=ACTOR,
            note="learnt from scrambled labels",
            progress=_nothing,
            with_report=False,
            challenger={
                "origin": "manual",
                "stage": GATE,
                "champion": champion["version"],
                "detail": {
                    "kind": "refresh",
                    "data_until": now.isoformat(),
                    "histories": list(rows.history_ids),
                    "rows": {"history": rows.history_rows, "outcomes": rows.outcome_rows},
                },
            },
        )

    # What became of it

    @cached_property
    def answered(self) -> pd.DataFrame:
        """The visits with what was answered: `category`, `model_version`, `probability_…`.

        Those without a category have none; indexed as `Hospital.visits`.
        """
        columns = (
            ASSESSMENTS.c.prediction_time,
            ASSESSMENTS.c.category,
            ASSESSMENTS.c.model_version,
            ASSESSMENTS.c.probabilities,
            ASSESSMENTS.c.identifiers,
        )
        with reading(self.hospital.context.engine) as connection:
            query = select(*columns).where(ASSESSMENTS.c.probabilities.is_not(None))
            rows = [dict(row._mapping) for row in connection.execute(query)]
        # A chart that was opened again over HTTP has the same time: the first answer counts.
        frame = pd.DataFrame(rows).drop_duplicates("prediction_time")
        told = pd.DataFrame(list(frame.pop("probabilities")), index=frame.index)
        told = told.rename(columns={one.value: f"probability_{one.column}" for one in SEVERITIES})
        frame = frame.drop(columns="identifiers").join(told)
        visits = self.hospital.visits.reset_index(names="position")
        joined = visits.merge(frame, left_on="at", right_on="prediction_time", how="left")
        return joined.set_index("position").drop(columns="prediction_time")

    def day_of(self, at: datetime) -> float:
        """The day of the year of a time."""
        return (at - START) / timedelta(days=1)

    def scorer(self, version: str) -> Scorer:
        """A version as it was registered."""
        return ModelService.load(self.models.version(version))

    def probabilities(self, scorer: Scorer, visits: pd.DataFrame) -> FloatArray:
        """What a version says of visits, (n, 5) in the order of `SEVERITIES`; 0: not covered."""
        found = np.zeros((len(visits), len(SEVERITIES)))
        places = [SEVERITIES.index(one) for one in scorer.classes]
        found[:, places] = scorer.probabilities(visits)
        return found


def north(visits: pd.DataFrame) -> pd.DataFrame:
    """Those of the emergency department."""
    return visits[visits["client"] == NORTH]


def _nothing(_step: str, _share: float) -> None:
    """Progress for nobody."""
