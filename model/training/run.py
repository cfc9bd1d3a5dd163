"""One training run: rows in, an artefact folder and a report out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from model.artefact import Artefact, write
from model.evaluation.metrics import Metric
from model.evaluation.report import as_records
from model.features import MODEL_COLUMNS, extra_inputs_of
from model.scorer import Scorer
from model.training.balancing import balance
from model.training.candidates import Candidate
from model.training.design import TrainingSettings
from model.training.evaluating import Ground, OutOfTime
from model.training.finishing import finish, held_out_metrics
from model.training.kinds import fit
from model.training.provenance import (
    DataDescription,
    attributes,
    counts_and_notes,
    unused_extras,
)
from model.training.rare_diseases import SIMULATED_NAMES
from model.training.rare_heads import RareRows, fit_rare_heads
from model.training.rare_update import CASES, case_hashes
from model.training.rows import Rows
from model.training.search import compare, forget, search
from model.training.selection import covered_categories, eligible_rows, usable_columns
from model.training.splits import TRAIN, TUNING, split
from model.training.studying import study_training

__all__ = ["DataDescription", "Progress", "TrainingResult", "train"]

Progress = Callable[[str, float], None]
"""Told the step in words and the share of the run that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained model on disk, and what there is to say of it."""

    path: Path
    checksum: str
    scorer: Scorer
    """The model as it was written, under the version `unregistered`."""
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    metrics: tuple[Metric, ...]
    """On the held-out part."""
    report: dict[str, Any]
    """Everything a report shows, JSON types."""


def train(
    frame: pd.DataFrame,
    settings: TrainingSettings,
    *,
    artefact_root: Path,
    data: DataDescription,
    progress: Progress | None = None,
    workers: int = 1,
    out_of_time: OutOfTime | None = None,
    with_study: bool = False,
) -> TrainingResult:
    """Train a model on cleaned rows (columns of history) and write its artefact.

    `with_study` adds all that a report shows to `TrainingResult.report` as `study`.
    The same rows, settings and package versions give the same artefact, whatever the number of
    `workers`, the processes of a search. A search that was killed goes on where it was. Once
    `out_of_time` says so it ends early, and the report says what was left out. Raises
    `TrainingError`, in a sentence, if it cannot be done honestly, and `OSError` if the folder
    cannot be written.
    """
    # Threads of linear algebra spin while they wait: on a busy machine two took twenty times the
    # processor time of one to fit a regression. Boosted trees have a setting of their own.
    with threadpool_limits(1):
        return _train(
            frame,
            settings,
            artefact_root,
            data,
            progress or _say_nothing,
            workers,
            out_of_time or _never,
            with_study,
        )


def _train(
    frame: pd.DataFrame,
    settings: TrainingSettings,
    artefact_root: Path,
    data: DataDescription,
    say: Progress,
    workers: int,
    out_of_time: OutOfTime,
    with_study: bool,
) -> TrainingResult:
    say("selecting rows", 0.0)
    eligible = eligible_rows(frame, settings, simulated=data.simulated)
    parts = split(eligible.frame, learn_newest=settings.learn_newest)
    classes = covered_categories(eligible.severity, parts, settings)
    rows = Rows.of(eligible, parts, classes, settings.extra_inputs)
    columns = usable_columns(rows.matrix[rows.part(TRAIN)])

    step = rows.part(TRAIN)
    tuning = rows.part(TUNING)
    ground = Ground.of(
        rows.matrix[step],
        rows.outcome[step],
        rows.patient[step],
        rows.protected[step],
        (rows.matrix[tuning], rows.outcome[tuning]),
        columns,
        len(classes),
        settings,
    )

    def comparing(done: float) -> None:
        say("comparing candidates", 0.02 + 0.78 * done)

    if settings.search:
        comparison = search(
            ground,
            settings,
            comparing,
            root=artefact_root,
            workers=workers,
            out_of_time=out_of_time,
        )
    else:
        comparison = compare(ground, settings, comparing)
    chosen = comparison.chosen
    say("fitting the chosen candidate", 0.80)
    balanced = balance(
        chosen.balancing,
        rows.matrix[step],
        rows.outcome[step],
        len(classes),
        settings.seed,
        protected=rows.protected[step],
    )
    fitted = fit(chosen.way, balanced, columns, settings, rounds=chosen.rounds)
    say("calibrating", 0.86)
    finished = finish(rows, fitted, columns, classes, settings)
    heads, rare = fit_rare_heads(
        RareRows.of_run(eligible, rows, finished, classes),
        flag_rate=settings.rare_flag_rate,
        seed=settings.seed,
        names=SIMULATED_NAMES if data.simulated else {},
    )
    say("evaluating on the held-out part", 0.90)
    metrics = held_out_metrics(rows, finished, classes, settings)
    say("writing the model", 0.91)
    report = counts_and_notes(eligible, parts, rows, classes) | {
        "extra_inputs": list(extra_inputs_of(columns)),
        "columns": list(columns),
        "columns_not_used": [c.name for c in MODEL_COLUMNS if c.name not in columns],
        "chosen": chosen.name,
        "candidates": [candidate.as_json() for candidate in comparison.table],
        "not_tried": comparison.not_tried,
        "temperature": finished.calibration.temperature,
        "operating_points": {code.value: asdict(p) for code, p in finished.points.items()},
        "metrics": as_records(metrics),
        "rare": [asdict(one) for one in rare],
    }
    report["notes"] += comparison.notes
    report["notes"] += unused_extras(eligible.frame, settings, columns)
    artefact = Artefact(
        estimator=fitted.estimator,
        columns=columns,
        classes=classes,
        calibration=finished.calibration,
        operating_points=finished.points,
        sets=finished.sets,
        rarity=finished.rarity,
        design=settings.as_json() | {"chosen": chosen.way.as_json()},
        metrics={"held_out": report["metrics"], "candidates": _timeless(report["candidates"])},
        attributes=attributes(report, rows, classes, settings, data)
        | {CASES: case_hashes(eligible, classes, rows.parts)},
        prototypes=heads,
    )
    path, checksum = write(artefact, artefact_root)
    if settings.search:
        forget(ground, artefact_root)
    report |= {"path": str(path), "checksum": checksum}
    scorer = Scorer.load(path, version="unregistered", expected_checksum=checksum)
    if with_study:
        report["study"] = study_training(
            *(eligible, rows, fitted, finished, chosen, columns, classes, settings),
            lambda done: say("studying the model", 0.92 + 0.07 * done),
        )
    say("done", 1.0)
    return TrainingResult(path, checksum, scorer, chosen, comparison.table, tuple(metrics), report)


def _timeless(candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Candidates without their times, which differ from run to run and would the checksum."""
    return [{name: value for name, value in one.items() if name != "seconds"} for one in candidates]


def _say_nothing(_step: str, _done: float) -> None:
    """Progress for nobody."""


def _never() -> bool:
    """Time without end."""
    return False
