"""The comparison of candidates: every kind with every remedy, and a search around the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.training.candidates import Candidate, choose, evaluated
from model.training.design import TrainingSettings, Way
from model.training.evaluating import FoldResult, Ground, Job, OutOfTime, Progress, Run
from model.training.evaluations import Kept, evaluating
from model.training.kinds import KINDS, ways
from model.training.tuning import tune

_SCREENING = 0.5
"""Share of a search that goes into the first stage, for the progress bar."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the comparison came to."""

    chosen: Candidate
    table: tuple[Candidate, ...]
    """All candidates, lowest log loss first."""
    not_tried: dict[str, str]
    """Kinds and ways that were not tried, and why."""
    notes: tuple[str, ...] = ()


def compare(ground: Ground, settings: TrainingSettings, progress: Progress) -> Comparison:
    """Cross-validate every way with default parameters, and those already known, and choose."""
    found, not_tried = _ways(ground, settings)
    tried = evaluated(ground, found, in_process(ground, settings.threads), progress)
    chosen, table = choose(tried, ground.patient)
    return Comparison(chosen, table, not_tried)


def search(
    ground: Ground,
    settings: TrainingSettings,
    progress: Progress,
    *,
    root: Path,
    workers: int,
    out_of_time: OutOfTime,
) -> Comparison:
    """Compare every way, tune the best, and choose among all.

    Evaluations are kept under `root` until `forget`, so that a search that was stopped goes on
    with what it has. Without a limit of time the result is a function of rows and settings. When
    time is up the best so far is chosen, and the notes say what was left out.
    """
    found, not_tried = _ways(ground, settings)
    started = False
    kept = Kept(root, ground)
    with evaluating(
        ground, kept, workers=workers, out_of_time=lambda: started and out_of_time()
    ) as run:
        # One that can be served is evaluated whatever the time: something must be chosen.
        first = next(way for way in found if KINDS[way.estimator].served)
        screened = evaluated(ground, [first], run, lambda _done: None)
        started = True
        rest = [way for way in found if way != first]
        screened += evaluated(ground, rest, run, lambda done: progress(_SCREENING * done))
        tuned, trials = tune(
            ground,
            settings,
            screened,
            run,
            lambda done: progress(_SCREENING + (1.0 - _SCREENING) * done),
            out_of_time,
        )
    seen = {one.way for one in screened}
    not_tried |= {way.name: "not tried: time was up" for way in found if way not in seen}
    chosen, table = choose([*screened, *tuned], ground.patient)
    counts = ", ".join(f"{name} {done}" for name, done in trials.items())
    notes = [f"Sets of parameters tried, the defaults among them: {counts}."]
    if seen != set(found) or any(done < settings.trials for done in trials.values()):
        notes.append(
            f"The search ended early, for time was up: {len(seen)} of {len(found)} ways were "
            f"compared, and not all {settings.trials} sets of parameters tried."
        )
    return Comparison(chosen, table, not_tried, tuple(notes))


def forget(ground: Ground, root: Path) -> None:
    """Delete what a search kept under `root`."""
    Kept(root, ground).remove()


def in_process(ground: Ground, threads: int) -> Run:
    """Evaluate one job after the other."""

    def run(jobs: Sequence[Job], progress: Progress) -> dict[Job, FoldResult]:
        results: dict[Job, FoldResult] = {}
        for job in jobs:
            results[job] = ground.evaluate(*job, threads)
            progress(len(results) / len(jobs))
        return results

    return run


def _ways(ground: Ground, settings: TrainingSettings) -> tuple[list[Way], dict[str, str]]:
    if settings.only_known:
        return list(settings.known), {}
    found, not_tried = ways(settings, len(ground.outcome))
    return found + [way for way in settings.known if way not in found], not_tried
