"""A simulated year at speed: does the service notice, act, and say what is true?

`python -m benchmarks.year` replays a year of a hospital whose truth is known
(docs/decisions/0030-simulated-year.md) for 20 consecutive seeds from 1 and prints what happened in
each scenario, whether it is as promised, and a summary. `--seeds 3` or `--seeds 5-8` takes others,
`--scenario NAME` (repeatable) lets only that happen, `--quick` takes a third of the patients, and
`--picture FILE` draws the first seed. `--workers 2` takes two seeds at a time. `--null-chunks` adds
the false alarms of 500 unchanged chunks. Exit status 1 if a promise does not hold.
"""

import argparse
import contextlib
import gc
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from benchmarks.year_calendar import SCENARIOS, Calendar
from benchmarks.year_picture import draw
from benchmarks.year_promises import Line, Promises
from benchmarks.year_replay import Replay
from benchmarks.year_summary import summary

QUICK = 1 / 3
"""Of the patients."""


def main() -> int:
    """Replay, print, and say whether it holds."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.year",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=_seeds, default=_seeds("20"))
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--null-chunks", action="store_true", help="false alarms of 500 chunks too")
    parser.add_argument("--workers", type=int, default=1, help="processes, a seed in each")
    options = parser.parse_args()
    calendar = Calendar()
    if options.quick:
        calendar = replace(calendar, per_day=calendar.per_day * QUICK)
    scenarios = options.scenario or SCENARIOS
    lines: list[Line] = []
    run = partial(_timed, scenarios=tuple(scenarios), calendar=calendar)
    pictures = [options.picture if seed == options.seeds[0] else None for seed in options.seeds]
    with _map(options.workers) as every:
        for seed, (found, seconds) in zip(
            options.seeds, every(run, options.seeds, pictures), strict=True
        ):
            for line in found:
                _say(f"seed {seed:>2}", line)
            sys.stdout.write(f"seed {seed:>2}  took {seconds:.0f} s\n")
            sys.stdout.flush()
            lines += found
    sys.stdout.write("\n")
    told = summary(lines)
    for line in told:
        _say("all", line)
    wrong = any(line.held is False for line in told)
    if options.null_chunks:
        own = [sys.executable, "-m", "benchmarks.null_chunks"]
        wrong |= subprocess.call(own) != 0  # noqa: S603  # ours
    return int(wrong)


def _timed(
    seed: int, picture: Path | None, *, scenarios: Collection[str], calendar: Calendar
) -> tuple[list[Line], float]:
    started = time.monotonic()
    logging.disable(logging.ERROR)
    found = one_year(seed, scenarios, calendar, picture=picture)
    gc.collect()
    return found, time.monotonic() - started


@contextlib.contextmanager
def _map(workers: int) -> Iterator[Callable[..., Iterable[tuple[list[Line], float]]]]:
    """`map` in the order of the seeds, in this process or in several."""
    if workers == 1:
        yield map
        return
    # Not forked: threads of libraries do not survive that.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def one_year(
    seed: int, scenarios: Collection[str], calendar: Calendar, *, picture: Path | None = None
) -> list[Line]:
    """Replay one seed in a folder that is deleted afterwards, and judge it."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        replay = Replay(seed, scenarios, Path(folder), calendar)
        try:
            with _quiet():
                replay.run()
                promises = Promises(replay)
                found = promises.lines()
                if picture is not None:
                    draw(promises, picture)
            return found
        finally:
            replay.close()


def _seeds(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    try:
        found = list(range(int(first), int(last) + 1) if dash else range(1, int(text) + 1))
    except ValueError:
        raise argparse.ArgumentTypeError("a number of seeds, or FIRST-LAST") from None
    if not found:
        raise argparse.ArgumentTypeError("there is no seed")
    return found


def _say(who: str, line: Line) -> None:
    verdict = {True: "holds", False: "DOES NOT HOLD", None: "counted below"}[line.held]
    sys.stdout.write(f"{who:<7}  {line.scenario:<22} {verdict:<13}  {line.said}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow writes where models went to standard error."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


if __name__ == "__main__":
    sys.exit(main())
