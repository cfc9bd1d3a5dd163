"""What the service promises of the year, held against the truth that the world knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import binom, norm
from sqlalchemy import Table, select

from benchmarks import year_calendar as names
from benchmarks.year_feed import ACTOR
from benchmarks.year_replay import Replay
from benchmarks.year_selective import Coverage, coverage
from benchmarks.year_world import NEW_RISE, RARE, log_loss, rare_patients
from cds_service.services.rare_cases import RareCaseService
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.tables import (
    ALERTS,
    CHALLENGERS,
    EVALUATIONS,
    INPUT_CHUNKS,
    RELEASE_WATCHES,
)
from model.evaluation.sequential import cluster_mean
from model.features import MODEL_COLUMNS, FloatArray
from model.prototypes import PrototypeHead
from model.scorer import Scorer, frame_matrix
from model.severity import SEVERITIES

WATCHED = ("input_drift", "loss_rise", "prevalence_shift", "unseen_code", "unseen_unit")
"""Kinds of alerts that a stable season should not raise."""
SAID = {
    "implausible": "temperature (value not possible)",
    "unknown_unit": "temperature (unit missing or unknown)",
}
"""What a card says of a temperature that was rejected."""
COVERED_AT_LEAST = 0.01
"""Chance, were the intervals as promised, below which too few of them cover the truth."""
_ONE_SIDED = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Line:
    """What happened in one scenario of one seed."""

    scenario: str
    said: str
    held: bool | None
    """`None`: counted over all seeds, by what is in `counts`."""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Promises:
    """Judges a year that was replayed."""

    replay: Replay

    def lines(self) -> list[Line]:
        """One line a scenario, and one of the jobs."""
        judges: dict[str, Callable[[], Line]] = {
            names.STABLE: self._stable,
            names.CUFFS: self._cuffs,
            names.THERMOMETER: self._thermometer,
            names.NEW_DISEASE: self._new_disease,
            names.RARE_DISEASE: self._rare,
            names.BAD_CHALLENGER: self._bad_challenger,
            names.WORSE_PROMOTION: self._worse_promotion,
            names.SELECTIVE: self._selective,
        }
        found = [judges[name]() for name in names.SCENARIOS if name in self.replay.scenarios]
        failed = self.replay.failed
        said = f"failed: {'; '.join(failed[:3])}" if failed else "every job did its work"
        return [*found, Line("jobs", said, not failed)]

    # Inputs

    def _stable(self) -> Line:
        end = self.replay.calendar.stable
        chunks = self.chunks[self.chunks["ended"] <= end]
        alerts = self.alerts[(self.alerts["day"] <= end) & self.alerts["kind"].isin(WATCHED)]
        told = ", ".join(f"{key} on day {day:.0f}" for key, day in _pairs(alerts))
        said = f"{len(chunks)} chunks, {len(alerts)} false alerts{': ' if told else ''}{told}"
        inputs = int((alerts["kind"] == "input_drift").sum())
        return Line(names.STABLE, said, None, {"chunks": len(chunks), "alarms": inputs})

    def _cuffs(self) -> Line:
        began, ended = self.replay.calendar.cuffs
        found = self._first("input_drift:systolic_bp", began, ended)
        whole = self.chunks[self.chunks["started"] >= began]["at"].to_numpy()
        if found is None or len(whole) < 2:
            return Line(names.CUFFS, "no alert of systolic pressure", False)
        number = int((whole < found - 1e-6).sum()) + 1
        said = f"alert on day {found:.0f}, {found - began:.0f} days and {number} chunks after"
        return Line(names.CUFFS, said, number <= 2)

    def _thermometer(self) -> Line:
        calendar = self.replay.calendar
        parts, held = [], True
        for reason, days in (
            ("implausible", calendar.fahrenheit),
            ("unknown_unit", calendar.unknown_unit),
        ):
            found = self._first_of_temperature(reason, days[0], days[1] + 8)
            cards = self.replay.cards.get(reason, [])
            told = sum(SAID[reason] in card for card in cards)
            when = "no alert" if found is None else f"alert after {found - days[0]:.0f} days"
            parts.append(f"{reason}: {when}, {told} of {len(cards)} cards say so")
            held &= found is not None and 0 < len(cards) == told
        return Line(names.THERMOMETER, "; ".join(parts), held)

    def _first_of_temperature(self, reason: str, begin: float, end: float) -> float | None:
        quantity = f"input_drift:{reason}:body_temperature"
        keys = self.alerts["key"].astype(str)
        mine = (keys == quantity) | (
            (reason == "unknown_unit") & (self.alerts["kind"] == "unseen_unit")
        )
        days = self.alerts.loc[mine, "day"]
        days = days[(days >= begin) & (days <= end)]
        return None if not len(days) else float(days.min())

    def _first(self, key: str, begin: float, end: float) -> float | None:
        """Day on which an alert was raised first, from `begin` to a week after `end`."""
        days = self.alerts.loc[self.alerts["key"] == key, "day"]
        days = days[(days >= begin) & (days <= end + 7)]
        return None if not len(days) else float(days.min())

    # Models

    def _new_disease(self) -> Line:
        """The loss rises; challengers that were trained since are shadowed and approved; what the
        last of them recovers, against the version that was live when the disease came, on the
        same visits."""
        began = float(self.replay.calendar.new_disease)
        end = self._end_of_recovery()
        alerts = self.alerts[
            self.alerts["kind"].isin(("loss_rise", "prevalence_shift", "input_drift"))
            & (self.alerts["day"] >= began)
            & (self.alerts["day"] < end)
        ]
        told = ", ".join(f"{key} on day {day:.0f}" for key, day in _pairs(alerts)) or "no alert"
        before = self._excess(began - 45, began)
        promoted = self._promoted_between(began, end)
        if not len(promoted):
            after = self._excess(began + NEW_RISE, end)
            said = f"regret {before:.3f} before, {after:.3f} after; {told}; no better version live"
            return Line(names.NEW_DISEASE, said, False)
        blind = self._live_on(began)
        first, last = float(promoted["day"].iloc[0]), promoted.iloc[-1]
        day, version = float(last["day"]), str(last["version"])
        during = float(self._regret(blind, began + NEW_RISE, end).mean())
        old = float(self._regret(blind, day, end).mean())
        mean, lower = self._gain(blind, version, day, end)
        until = [*promoted["day"].iloc[1:], end]
        ways = ", ".join(
            f"{row['version']} ({self._origin(row['version'])}, day {row['day']:.0f}, "
            f"{self._share(blind, row['version'], row['day'], close):.0%} of the regret gone)"
            for (_, row), close in zip(promoted.iterrows(), until, strict=True)
        )
        said = (
            f"regret of version {blind} {before:.3f} before and {during:.3f} since; {told}; "
            f"promoted after shadow: {ways}; from day {day:.0f} on {old - mean:.3f} instead of "
            f"{old:.3f}: gain {mean:.3f}, at least {lower:.3f}, {mean / old:.0%} of the regret"
        )
        counts = {
            "recovered": round(1000 * mean / old),
            "days": round(first - began),
            "loss_alerts": int((alerts["kind"] == "loss_rise").sum()),
        }
        return Line(names.NEW_DISEASE, said, during > before and lower > 0.0, counts)

    def _share(self, old: str, new: str, begin: float, end: float) -> float:
        """Of the regret of `old` between two days, how much `new` does not have."""
        before = float(self._regret(old, begin, end).mean())
        return 1.0 - float(self._regret(new, begin, end).mean()) / before

    def _end_of_recovery(self) -> float:
        """Until when the promoted version is compared."""
        calendar = self.replay.calendar
        if names.WORSE_PROMOTION in self.replay.scenarios:
            return float(calendar.worse_promotion)
        return float(self.replay.hospital.world.days)

    def _promoted_between(self, began: float, end: float) -> pd.DataFrame:
        """Approved promotions of challengers that were trained since the disease came."""
        rows = self.releases[
            (self.releases["action"] == "promote")
            & (self.releases["version"] != self.replay.bad)
            & (self.releases["day"] < end - 7)
        ]
        trained = np.array([self._trained(version) for version in rows["version"]])
        return rows[trained > began]

    def _origin(self, version: str) -> str:
        return str(self.challengers.set_index("version").loc[version, "origin"])

    def _live_on(self, day: float) -> str:
        return str(self.releases[self.releases["day"] <= day]["version"].iloc[-1])

    def _trained(self, version: str) -> float:
        rows = self.challengers[self.challengers["version"] == version]
        return float(rows["created"].iloc[0]) if len(rows) else float("nan")

    def _rare(self) -> Line:
        """Every case is on the list, and new heads leave what is said of common illness as it was.

        A head is made of those whose patients no part of the model is judged by, from three on,
        and goes live if it is shown to tell them. Where it is not, that must have been said.
        """
        replay = self.replay
        cases = [
            case
            for case in RareCaseService(replay.hospital.context).cases(actor=ACTOR)
            if case.code == RARE.code and case.counts
        ]
        places = [i for i, one in enumerate(self.releases["action"]) if one == "rare-update"]
        said = f"{len(cases)} confirmed cases on the list"
        held = len(cases) == len(replay.calendar.rare_cases)
        if not places:
            told = self._told_of_rare()
            held &= told is not None
            return Line(names.RARE_DISEASE, f"{said}; {told}", held, {"heads": 0})
        common = replay.hospital.visits[replay.hospital.visits["rare_code"].isna()]
        common = common[common["day"] > replay.calendar.rare_cases[0] - 60]
        moved = worse = 0.0
        for place in places:
            before, after = (
                replay.probabilities(replay.scorer(version), common)
                for version in self.releases["version"].iloc[[place - 1, place]]
            )
            moved = max(moved, float(np.abs(after - before).max()))
            paired = log_loss(after, common["severity"]) - log_loss(before, common["severity"])
            worse = max(worse, float(paired.mean()))
        days = ", ".join(f"{day:.0f}" for day in self.releases["day"].iloc[places])
        said += (
            f"; heads released on day {days}: what is said of {len(common)} common visits moved by "
            f"{moved:.0e} at most, paired log loss {worse:+.0e}"
        )
        last = replay.scorer(str(self.releases["version"].iloc[places[-1]]))
        head = _head(last)
        if head is not None:
            found = _matched(last, rare_patients(replay.seed, 300))
            said += (
                f"; a head of {head.cases} cases: {found:.0%} of new cases read like it, "
                f"{_matched(last, common):.1%} of the others"
            )
        held &= moved == 0.0 and worse == 0.0
        return Line(names.RARE_DISEASE, said, held, {"heads": 1})

    def _told_of_rare(self) -> str | None:
        """What the last update of rare heads said of the disease."""
        with reading(self.replay.hospital.context.engine) as connection:
            query = select(EVALUATIONS.c.result).where(EVALUATIONS.c.kind == "rare-update")
            rows = connection.execute(query.order_by(EVALUATIONS.c.at)).scalars().all()
        told = [one["sentence"] for row in rows for one in row["codes"] if one["code"] == RARE.code]
        return str(told[-1]) if told else None

    def _bad_challenger(self) -> Line:
        bad = self.replay.bad
        if bad is None:
            return Line(names.BAD_CHALLENGER, "none was trained", False)
        comparisons = self.replay.models.comparisons(bad)
        if not comparisons:
            return Line(names.BAD_CHALLENGER, f"version {bad} was never judged", False)
        last = comparisons[-1]
        refused = [gate["name"] for gate in last["gates"] if gate["passed"] is False]
        said = f"version {bad}: {last['outcome']}, by {', '.join(refused) or 'no gate'}"
        return Line(names.BAD_CHALLENGER, said, last["outcome"] == "refused")

    def _worse_promotion(self) -> Line:
        bad, began = self.replay.bad, self.replay.calendar.worse_promotion
        watches = self._table(RELEASE_WATCHES, "at")
        promoted = self.releases[
            (self.releases["version"] == bad) & (self.releases["action"] == "promote")
        ]
        # Not by its version: the watch goes on with what an update of rare heads made of it.
        mine = watches[watches["release_id"].isin(promoted["release_id"])]
        if not len(mine):
            return Line(names.WORSE_PROMOTION, "the promotion was not watched", False)
        watch = mine.iloc[0]
        gain, _ = self._gain(watch["previous"], watch["version"], began, began + 30)
        back = self.releases[(self.releases["action"] == "rollback")]
        when = "" if not len(back) else f" on day {back['day'].iloc[-1]:.0f}"
        looks = watch["looks"]
        said = (
            f"version {bad} (in truth worse by {-gain:.3f}) promoted on day {began}: "
            f"{watch['state'].replace('_', ' ')}{when} at look {len(looks)}"
        )
        outcomes = [str(look["outcomes"]) for look in looks]
        said += f" ({', '.join(outcomes)} outcomes)" if outcomes else ""
        # Heads of rare diseases may have been updated since, which releases a version too.
        live = bool(len(back)) and back["version"].iloc[-1] == watch["previous"]
        held = watch["state"] == "rolled_back" and live
        return Line(names.WORSE_PROMOTION, said, held)

    # Truth

    def _selective(self) -> Line:
        found = self.selective
        if not found:
            return Line(names.SELECTIVE, "no chunk has weighted figures", False)
        parts: list[str] = []
        counts: dict[str, int] = {}
        held = True
        for metric, one in found.items():
            parts.append(
                f"{metric}: the naive figure is off by {one.naive_error:+.3f} on average and its "
                f"interval covers {one.naive} of {one.chunks} chunks, the weighted by "
                f"{one.weighted_error:+.3f} and {one.weighted}"
            )
            counts |= {
                f"{metric}_chunks": one.chunks,
                f"{metric}_weighted": one.weighted,
                f"{metric}_naive": one.naive,
            }
            held &= bool(binom.cdf(one.weighted, one.chunks, 0.95) > COVERED_AT_LEAST)
            held &= abs(one.weighted_error) < abs(one.naive_error)
        return Line(names.SELECTIVE, "; ".join(parts), held, counts)

    @cached_property
    def selective(self) -> dict[str, Coverage]:
        """By metric, how often intervals covered the truth of their chunk."""
        return coverage(self.replay)

    # What the database holds

    @cached_property
    def alerts(self) -> pd.DataFrame:
        """Every alert, with the `day` it was raised."""
        return self._table(ALERTS, "at")

    @cached_property
    def chunks(self) -> pd.DataFrame:
        """Chunks of inputs: days `started`, `ended` and `at`."""
        frame = self._table(INPUT_CHUNKS, "at").rename(columns={"day": "when"})
        for name in ("started", "ended"):
            frame[name] = [self.replay.day_of(at) for at in frame[f"{name}_at"]]
        return frame.assign(at=frame["when"]).sort_values("number", ignore_index=True)

    @cached_property
    def challengers(self) -> pd.DataFrame:
        """Challengers, with the day they were `created`."""
        return self._table(CHALLENGERS, "created_at").rename(columns={"day": "created"})

    @cached_property
    def releases(self) -> pd.DataFrame:
        """Releases, oldest first, with their `day`; rare updates change no probability."""
        with reading(self.replay.hospital.context.engine) as connection:
            rows = list(reversed(ModelStore(connection).releases()))
        frame = pd.DataFrame(rows)
        return frame.assign(day=[self.replay.day_of(at) for at in frame["at"]])

    def _table(self, table: Table, time: str) -> pd.DataFrame:
        with reading(self.replay.hospital.context.engine) as connection:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
        frame = pd.DataFrame(rows, columns=[column.name for column in table.columns])
        return frame.assign(day=[self.replay.day_of(at) for at in frame[time]])

    # Loss

    @cached_property
    def loss(self) -> pd.DataFrame:
        """Of each answered visit: `day`, log loss of what was `said`, and the `best` possible."""
        answered = self.replay.answered
        answered = answered[answered["category"].notna()]
        said = answered[[f"probability_{one.column}" for one in SEVERITIES]].to_numpy(float)
        best = self.replay.hospital.world.truth(answered)
        return pd.DataFrame(
            {
                "day": answered["day"],
                "said": log_loss(np.nan_to_num(said), answered["severity"]),
                "best": log_loss(best, answered["severity"]),
                "verified": answered["verified"],
            }
        )

    def _excess(self, begin: float, end: float) -> float:
        """Mean regret of what was said between two days, nat: log loss above the best possible."""
        rows = self.loss[(self.loss["day"] >= begin) & (self.loss["day"] < end)]
        return float((rows["said"] - rows["best"]).mean())

    def _scored(self, begin: float, end: float) -> pd.DataFrame:
        rows = self.replay.answered
        return rows[rows["category"].notna() & (rows["day"] >= begin) & (rows["day"] < end)]

    def _losses(self, version: str, rows: pd.DataFrame) -> FloatArray:
        return log_loss(
            self.replay.probabilities(self.replay.scorer(version), rows), rows["severity"]
        )

    def _regret(self, version: str, begin: float, end: float) -> FloatArray:
        rows = self._scored(begin, end)
        best = log_loss(self.replay.hospital.world.truth(rows), rows["severity"])
        return self._losses(version, rows) - best

    def _gain(self, old: str, new: str, begin: float, end: float) -> tuple[float, float]:
        """How much less `new` loses than `old` on all visits between two days, verified or not,
        and what it is at least (one-sided 97.5 %, by patient)."""
        rows = self._scored(begin, end)
        less = self._losses(old, rows) - self._losses(new, rows)
        found = cluster_mean(less, rows["patient_id"].to_numpy(dtype=object).astype(str))
        return found.value, found.value - _ONE_SIDED * found.standard_error


def _head(scorer: Scorer) -> PrototypeHead | None:
    """The head of the rare disease of the year."""
    heads = scorer.artefact.prototypes
    return next((one for one in heads.heads if one.code == RARE.code), None) if heads else None


def _matched(scorer: Scorer, rows: pd.DataFrame) -> float:
    """Share of rows that read like the rare disease of the year."""
    heads, head = scorer.artefact.prototypes, _head(scorer)
    if heads is None or head is None:
        return 0.0
    place = {column.name: i for i, column in enumerate(MODEL_COLUMNS)}
    inputs = frame_matrix(rows)[:, [place[name] for name in scorer.artefact.rarity.inputs]]
    scores = heads.scores(inputs, scorer.probabilities(rows))[:, heads.heads.index(head)]
    return float(np.mean(scores >= head.threshold))


def _pairs(alerts: pd.DataFrame) -> list[tuple[str, float]]:
    return list(zip(alerts["key"], alerts["day"], strict=True))
