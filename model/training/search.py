"""The comparison of candidates: every kind with every remedy, and a search around the best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.training.candidates import Candidate, Tried, choose
from model.training.design import TrainingSettings, Way
from model.training.evaluating import FoldResult, Ground
from model.training.kinds import ways

Progress = Callable[[float], None]
OutOfTime = Callable[[], bool]
Job = tuple[Way, int]
"""A way and the fold it is scored on."""
Run = Callable[[Sequence[Job], Progress], dict[Job, FoldResult]]
"""Evaluates jobs; gives less than was asked for only when time is up."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison came to."""

    chosen: Candidate
    table: tuple[Candidate, ...]
    """All candidates, lowest log loss first."""
    not_tried: dict[str, str]
    """Kinds and ways that were not tried, and why."""
    notes: tuple[str, ...] = ()


def compare(ground: Ground, settings: TrainingSettings, run: Run, progress: Progress) -> Comparison:
    """Cross-validate every way with default parameters, and those already known, and choose."""
    found, not_tried = ways(settings, len(ground.outcome))
    found += [way for way in settings.known if way not in found]
    tried = evaluated(ground, found, run, progress)
    chosen, table = choose(tried, ground.patient)
    return Comparison(chosen, table, not_tried)


def in_process(ground: Ground, threads: int) -> Run:
    """Evaluate one job after the other."""

    def run(jobs: Sequence[Job], progress: Progress) -> dict[Job, FoldResult]:
        results: dict[Job, FoldResult] = {}
        for job in jobs:
            results[job] = ground.evaluate(*job, threads)
            progress(len(results) / len(jobs))
        return results

    return run


def evaluated(ground: Ground, found: Sequence[Way], run: Run, progress: Progress) -> list[Tried]:
    """The ways of which every fold could be evaluated."""
    folds = range(ground.settings.folds)
    results = run([(way, fold) for way in found for fold in folds], progress)
    return [
        tried(ground, way, [results[way, fold] for fold in folds])
        for way in found
        if all((way, fold) in results for fold in folds)
    ]


def tried(ground: Ground, way: Way, results: Sequence[FoldResult]) -> Tried:
    """A way with the losses of its folds."""
    return Tried(
        way,
        ground.losses(results),
        tuple(result.rounds for result in results if result.rounds is not None),
        sum(result.seconds for result in results) / len(results),
    )
