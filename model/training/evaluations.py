"""Many evaluations: kept on disk so that a search goes on where it stopped, and in parallel.

What is kept of an evaluation are margins, rounds and seconds, under names that are hashes: no
reading and no patient.
"""

import hashlib
import json
import os
import shutil
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from model.training.evaluating import FoldResult, Ground, Job, OutOfTime, Progress, Run

PREFIX = ".search-"
"""Of the folder of a search that is not finished, beside the models."""


class Kept:
    """Results of evaluations on disk, one file each, for one ground."""

    def __init__(self, root: Path, ground: Ground) -> None:
        """Keep them under `root`, in a folder named after everything they depend on."""
        self._folder = root / f"{PREFIX}{ground.fingerprint()[:16]}"

    def get(self, job: Job) -> FoldResult | None:
        """The result of an evaluation done before; `None` if there is none, or it is damaged."""
        try:
            with (
                self._path(job).open("rb") as file,
                np.load(file, allow_pickle=False) as content,
            ):
                rounds = int(content["rounds"])
                return FoldResult(
                    np.asarray(content["margins"], dtype=np.float32),
                    None if rounds < 0 else rounds,
                    float(content["seconds"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, job: Job, result: FoldResult) -> None:
        """Write a result under a temporary name and move it into place."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(job)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            np.savez(
                file,
                margins=result.margins,
                rounds=np.int64(-1 if result.rounds is None else result.rounds),
                seconds=np.float64(result.seconds),
            )
        os.replace(unfinished, path)

    def remove(self) -> None:
        """Delete what is kept: the search is done."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, job: Job) -> Path:
        way, fold = job
        text = json.dumps([way.as_json(), fold], sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


@contextmanager
def evaluating(
    ground: Ground, kept: Kept, *, workers: int, out_of_time: OutOfTime
) -> Iterator[Run]:
    """Evaluate in `workers` processes of one thread each, and never again what is kept.

    The results do not depend on the number of workers: each evaluation is a function of the
    ground, the way and the fold. Once `out_of_time` says so, no more are started.
    """
    pool: ProcessPoolExecutor | None = None
    if workers > 1:
        # No evaluation needs flag rates, and a read-only mapping cannot be sent to a process.
        sent = replace(ground, settings=replace(ground.settings, flag_rates={}))
        # Spawned, not forked: a fork of a process with threads may hang.
        pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(sent,)
        )

    def run(jobs: Sequence[Job], progress: Progress) -> dict[Job, FoldResult]:
        results = {job: found for job in jobs if (found := kept.get(job)) is not None}
        todo = [job for job in dict.fromkeys(jobs) if job not in results]

        def done(job: Job, result: FoldResult) -> None:
            kept.put(job, result)
            results[job] = result
            progress(len(results) / len(jobs))

        if pool is None:
            _one_by_one(ground, todo, done, out_of_time)
        else:
            _in_parallel(pool, workers, todo, done, out_of_time)
        return results

    try:
        yield run
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


Done = Callable[[Job, FoldResult], None]


def _one_by_one(ground: Ground, todo: Sequence[Job], done: Done, out_of_time: OutOfTime) -> None:
    for job in todo:
        if out_of_time():
            return
        done(job, ground.evaluate(*job, threads=1))


def _in_parallel(
    pool: ProcessPoolExecutor,
    workers: int,
    todo: Sequence[Job],
    done: Done,
    out_of_time: OutOfTime,
) -> None:
    """Keep every worker busy, with one job waiting for each, so that time up stops soon."""
    waiting = list(reversed(todo))
    running: dict[Future[FoldResult], Job] = {}
    while waiting or running:
        while waiting and len(running) < 2 * workers and not out_of_time():
            job = waiting.pop()
            running[pool.submit(_evaluate, job)] = job
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            done(running.pop(future), future.result())


_ground: Ground | None = None
"""Of a worker process: the rows it evaluates on."""


def _begin(ground: Ground) -> None:
    """Prepare a worker: one thread, no answer to Ctrl-C (the parent's), no life without it."""
    global _ground  # a worker is handed its rows once, not with every job
    _ground = ground
    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _evaluate(job: Job) -> FoldResult:
    assert _ground is not None  # noqa: S101  # `_begin` has run
    return _ground.evaluate(*job, threads=1)
