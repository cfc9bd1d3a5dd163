"""The gates over replays: does the better challenger go live, and the spoilt one not?

`python -m benchmarks.gates` replays 20 consecutive seeds from 1 on simulated patients and, where
the data are beside the checkout (`--data`), on adults of NHAMCS: trained on 2015 to 2017, judged
on 2018 and on the 15 % of earlier visits that nobody learns from. A champion of a random quarter
of the rows is challenged by a model of all rows, by one of all rows with 60 % of the acute
mislabelled, by a twin that learnt from another quarter, and by one of the champion's rows with
60 % of the acute mislabelled. Prints how often each was promoted, with 95 % intervals (Wilson
1927), and by which gates it was refused. `--seeds N` takes another number of them, `--quick`
three, `--workers 2` two at a time, `--json FILE` keeps every verdict.

Exit status 1 if a promise does not hold: of the challengers with four times the rows more than
half are promoted, of those with mislabelled ones more than three quarters refused, both by the
lower end of the interval (15 and 19 of 20 replays). Where not even all of the replays could show
that, only the upper end can break it.
"""

import argparse
import contextlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from benchmarks.gates_replay import Replay, Verdict, of_real, simulated
from benchmarks.gates_summary import as_text, promises
from benchmarks.real_data import FIVE, NHAMCS_FILE, nhamcs, with_inputs

SEEDS, QUICK_SEEDS = 20, 3
SIMULATED, NHAMCS = "simulated", "NHAMCS"


def main() -> int:
    """Replay, print, and say whether it holds."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gates",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, help=f"how many; {SEEDS} by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--workers", type=int, default=1, help="processes, a seed in each")
    options = parser.parse_args()
    seeds = options.seeds
    if seeds is None:
        seeds = QUICK_SEEDS if options.quick else SEEDS
    if seeds < 1 or options.workers < 1:
        parser.error("There must be a seed and a process at least.")
    if options.json is not None and not options.json.parent.is_dir():
        parser.error(f"There is no folder {options.json.parent} for the verdicts.")
    sources = [SIMULATED, NHAMCS]
    if not (options.data / NHAMCS_FILE).is_file():
        _say(f"{options.data / NHAMCS_FILE} is not there: simulated patients only.")
        sources.remove(NHAMCS)
    verdicts: list[Verdict] = []
    started = time.monotonic()
    with _map(options.workers) as every:
        for source in sources:
            run = partial(replay, source, options.data)
            for found in every(run, range(1, seeds + 1)):
                told = "; ".join(_in_short(one) for one in found)
                _say(f"{source}, seed {found[0].seed:>2}: {told}")
                verdicts += found
    _say(f"\n{as_text(verdicts)}\n")
    judged = promises(verdicts)
    _say("\n".join(map(str, judged)))
    _say(f"{(time.monotonic() - started) / 60:.1f} min")
    if options.json is not None:
        told = json.dumps([one.as_json() for one in verdicts], indent=1, allow_nan=False)
        options.json.write_text(f"{told}\n")
    return int(any(promise.held is False for promise in judged))


def replay(source: str, data: Path, seed: int) -> list[Verdict]:
    """One seed, in a service of its own."""
    logging.disable(logging.ERROR)
    frame = simulated(seed) if source == SIMULATED else of_real(_visits(data), seed)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        one = Replay(source, seed, frame, Path(folder))
        try:
            return one.run()
        finally:
            one.close()


@lru_cache(maxsize=1)
def _visits(data: Path) -> pd.DataFrame:
    return with_inputs(nhamcs(data), FIVE)


@contextlib.contextmanager
def _map(workers: int) -> Iterator[Callable[..., Iterable[list[Verdict]]]]:
    """`map` in the order of the seeds, in this process or in several."""
    if workers == 1:
        yield map
        return
    # Not forked: threads of libraries do not survive that.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _in_short(one: Verdict) -> str:
    by = f" ({', '.join(one.refused_by)})" if one.refused_by else ""
    return f"{one.challenger}: {one.outcome}{by}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
