"""One year as a picture: loss, what was told and done, and how far the inputs moved."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import year_calendar as names
from benchmarks.year_promises import Promises
from benchmarks.year_selective import ACUTE, figures, standing

MEAN_DAYS = 10
"""Days that a point of a line is the mean of."""
INPUTS = ("systolic_bp", "body_temperature")


def draw(promises: Promises, path: Path) -> None:
    """Write the picture as PNG."""
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(10, 10), layout="constrained")
        loss, told, selective, drift = figure.subplots(
            4, 1, sharex=True, height_ratios=(3, 2, 2, 2)
        )
        _loss(loss, promises)
        _told(told, promises)
        _selective(selective, promises)
        _drift(drift, promises)
        for axes in (loss, told, selective, drift):
            _events(axes, promises)
            _releases(axes, promises)
        _name_events(loss, promises)
        loss.set_title(f"A simulated year, seed {promises.replay.seed}", loc="left", pad=18)
        drift.set_xlabel("day of the year")
        drift.set_xlim(0, promises.replay.hospital.world.days)
        figure.savefig(path, dpi=90, pil_kwargs={"optimize": True})


def _loss(axes: Axes, promises: Promises) -> None:
    loss = promises.loss
    for label, rows, column, style in (
        ("best possible (known to the world)", loss, "best", {"color": "0.6"}),
        ("said, all visits (the truth)", loss, "said", {"color": "C0"}),
        (
            "said, verified visits (naive)",
            loss[loss["verified"].astype(bool)],
            "said",
            {"color": "C1", "lw": 0.8},
        ),
    ):
        mean = _by_day(rows, column)
        axes.plot(mean.index, mean, label=label, **style)
    days, values = _weighted_loss(promises)
    axes.plot(days, values, "o", ms=3, color="C2", label="weighted, by chunk")
    axes.set_ylabel("log loss (nat)")
    _legend(axes)


def _by_day(rows: pd.DataFrame, column: str) -> "pd.Series[float]":
    daily = rows.groupby(rows["day"].astype(int))[column].agg(["sum", "count"])
    daily = daily.reindex(range(int(rows["day"].max()) + 1), fill_value=0.0)
    window = daily.rolling(MEAN_DAYS, center=True, min_periods=MEAN_DAYS // 2).sum()
    return window["sum"] / window["count"]


def _weighted_loss(promises: Promises) -> tuple[list[float], list[float]]:
    days, values = [], []
    for chunk in standing(promises.replay):
        versions = chunk["result"]["versions"]
        version = max(versions, key=lambda name: versions[name]["answered"], default=None)
        weighted = None if version is None else versions[version].get("weighted")
        if weighted is None:
            continue
        for record in weighted["figures"]:
            if record["metric"] == "log_loss" and record["value"] is not None:
                middle = chunk["started_at"] + (chunk["ended_at"] - chunk["started_at"]) / 2
                days.append(promises.replay.day_of(middle))
                values.append(record["value"])
    return days, values


def _told(axes: Axes, promises: Promises) -> None:
    """A row for each kind of thing that happened, those that came first on top."""
    alerts = promises.alerts
    happened = [(str(key).split(":")[0], day) for key, day in alerts[["key", "day"]].to_numpy()]
    releases = promises.releases[promises.releases["day"] > 0]
    happened += list(releases[["action", "day"]].itertuples(index=False, name=None))
    first: dict[str, float] = {}
    for kind, day in happened:
        first[kind] = min(day, first.get(kind, day))
    kinds = sorted(first, key=lambda kind: first[kind])
    for kind, day in happened:
        color = {"promote": "green", "rollback": "red"}.get(kind, "0.2")
        axes.plot(day, kinds.index(kind), "v", color=color, ms=4)
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds], fontsize=6.5)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    axes.set_ylabel("alerts and releases")


def _releases(axes: Axes, promises: Promises) -> None:
    """Promotions green, rollbacks red and dashed."""
    releases = promises.releases
    for _, release in releases[releases["day"] > 0].iterrows():
        back = release["action"] == "rollback"
        color, line = ("red", "--") if back else ("green", "-")
        axes.axvline(release["day"], color=color, ls=line, lw=0.6, alpha=0.6, zorder=0)


def _selective(axes: Axes, promises: Promises) -> None:
    found = [one for one in figures(promises.replay) if one.metric == "prevalence"]
    days = [one.day for one in found]
    axes.plot(days, [one.truth for one in found], "-", color="C0", label="truth")
    axes.plot(days, [one.naive for one in found], "x", color="C1", ms=4, label="naive")
    axes.errorbar(
        days,
        [one.weighted for one in found],
        [
            [one.weighted - one.lower for one in found],
            [one.upper - one.weighted for one in found],
        ],
        fmt="o",
        ms=3,
        lw=0.8,
        color="C2",
        label="weighted, 95 % interval",
    )
    axes.set_ylabel(f"share of {ACUTE} illness")
    _legend(axes)


def _drift(axes: Axes, promises: Promises) -> None:
    chunks = promises.chunks
    for number, name in enumerate(INPUTS):
        told = [row["quantities"].get(name) for row in chunks["result"]]
        days = [day for day, one in zip(chunks["ended"], told, strict=True) if one is not None]
        known = [one for one in told if one is not None]
        color = f"C{number}"
        label = name.replace("_", " ")
        axes.plot(days, [one["value"] for one in known], "o-", ms=3, color=color, label=label)
        limits = [np.nan if one.get("high") is None else one["high"] for one in known]
        axes.plot(days, limits, "--", color=color, lw=0.8, label=f"limit of {label}")
    axes.set_ylabel("D from the reference")
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Above the lines, where it hides none."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, borderpad=0.1)


def _spans(promises: Promises) -> list[tuple[str, float, float, str]]:
    """What happened in the world: name, first and last day, colour."""
    calendar, happened = promises.replay.calendar, promises.replay.scenarios
    spans = (
        (names.CUFFS, *calendar.cuffs, "C0"),
        (names.THERMOMETER, calendar.fahrenheit[0], calendar.unknown_unit[1], "C4"),
        (names.NEW_DISEASE, calendar.new_disease, calendar.days, "C3"),
        (names.RARE_DISEASE, calendar.rare_cases[0], calendar.rare_cases[-1] + 1, "C5"),
    )
    return [span for span in spans if span[0] in happened]


def _events(axes: Axes, promises: Promises) -> None:
    for _, begin, end, color in _spans(promises):
        axes.axvspan(begin, end, color=color, alpha=0.08, lw=0)


def _name_events(axes: Axes, promises: Promises) -> None:
    for name, begin, _, color in _spans(promises):
        axes.annotate(
            name.replace("-", " "),
            (begin, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(2, 0),
            textcoords="offset points",
            fontsize=7,
            color=color,
        )
