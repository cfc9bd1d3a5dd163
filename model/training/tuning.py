"""The search: Optuna varies the parameters of the best ways (Akiba 2019).

Sets of parameters are asked for in batches of a fixed size and told in order, so that the result
is a function of the data and the seed, however many processes evaluate them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from model.training.candidates import Tried, tried
from model.training.design import TrainingSettings, Way
from model.training.evaluating import Ground, Job, OutOfTime, Progress, Run
from model.training.kinds import KINDS

BATCH = 5
"""Sets of parameters of each way that are evaluated before the next are chosen."""
BEST = 3
"""Ways that are tuned."""
_FIRST = 10
"""Sets chosen by chance before the estimator of Bergstra (2011) chooses."""


def best_ways(found: Sequence[Tried]) -> list[Way]:
    """The three best pairs of kind and remedy, and the best that can be served if none of them can.

    Best is the lowest log loss out of fold, also where parameters were known before.
    """
    ranked = sorted(found, key=lambda one: float(one.losses.mean()))
    plain = list(dict.fromkeys(one.way.plain for one in ranked))
    chosen = plain[:BEST]
    served = [way for way in plain if KINDS[way.estimator].served]
    if not any(way in chosen for way in served):
        chosen += served[:1]
    return chosen


def tune(
    ground: Ground,
    settings: TrainingSettings,
    screened: Sequence[Tried],
    run: Run,
    progress: Progress,
    out_of_time: OutOfTime,
) -> tuple[list[Tried], dict[str, int]]:
    """Try `settings.trials` sets of parameters for each of the best ways, the defaults first.

    Returns the best set of each way (one that is better than the defaults), and how many sets of
    each way were tried, which are fewer only when time was up.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    before = {one.way: one for one in screened}
    chosen = best_ways(screened)
    studies: dict[Way, Any] = {}
    best: dict[Way, Tried] = {}
    count = dict.fromkeys(chosen, 0)
    for number, way in enumerate(chosen):
        sampler = optuna.samplers.TPESampler(
            seed=settings.seed + number, n_startup_trials=_FIRST, constant_liar=True
        )
        studies[way] = optuna.create_study(sampler=sampler)
        if way in before:
            # The defaults are the first trial, and were evaluated already.
            kind = KINDS[way.estimator]
            studies[way].add_trial(
                optuna.trial.create_trial(
                    params={name: _typed(way, name, kind.defaults[name]) for name in _names(way)},
                    distributions={name: _distribution(way, name) for name in _names(way)},
                    value=float(before[way].losses.mean()),
                )
            )
            best[way] = before[way]
            count[way] = 1
    total = max(sum(settings.trials - done for done in count.values()), 1)
    start = sum(count.values())
    while any(done < settings.trials for done in count.values()) and not out_of_time():
        batch: list[tuple[Way, Any, Way]] = []
        for way in chosen:
            for _ in range(min(BATCH, settings.trials - count[way])):
                trial = studies[way].ask()
                values = {
                    name: KINDS[way.estimator].ranges[name].of(trial, name) for name in _names(way)
                }
                full = Way(way.estimator, way.balancing, tuple(sorted(values.items())))
                batch.append((way, trial, full))
        jobs: list[Job] = [(full, fold) for _, _, full in batch for fold in range(settings.folds)]
        share = len(batch) / total
        base = (sum(count.values()) - start) / total

        def report(done: float, base: float = base, share: float = share) -> None:
            progress(base + share * done)

        results = run(jobs, report)
        for way, trial, full in batch:
            if not all((full, fold) in results for fold in range(settings.folds)):
                studies[way].tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            one = tried(ground, full, [results[full, fold] for fold in range(settings.folds)])
            loss = float(one.losses.mean())
            studies[way].tell(trial, loss)
            count[way] += 1
            if way not in best or loss < best[way].losses.mean():
                best[way] = one
        if out_of_time():
            break
    better = [replace(one, trials=count[way]) for way, one in best.items() if one.way not in before]
    return better, {way.name: count[way] for way in chosen}


def _names(way: Way) -> list[str]:
    """Parameters that a search of this way varies."""
    ranges = KINDS[way.estimator].ranges
    return [name for name in ranges if name != "gamma" or way.balancing == "focal"]


def _typed(way: Way, name: str, value: float) -> float:
    return int(value) if KINDS[way.estimator].ranges[name].whole else value


def _distribution(way: Way, name: str) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    values = KINDS[way.estimator].ranges[name]
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)
