"""What the pages of figures show: chunks judged and watched by the services themselves."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.services.evaluating import EvaluatingService
from cds_service.services.kept_reports import PAGE, report_folder
from cds_service.services.schedule import Schedule
from cds_service.services.shadow import ShadowService
from cds_service.services.watching_inputs import InputWatchService
from cds_service.storage.job_store import JobStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.run_store import RunStore
from cds_service.storage.tables import CHALLENGERS, MODEL_VERSIONS
from model.scorer import Scorer
from tests.support.matured import cohort, store_matured
from tests.support.service import release
from tests.support.stored import SEEN, set_time
from tests.support.watched_rows import Ward

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Model = tuple[Path, str]


def selected(artefact: Path, rows: int, seed: int) -> NDArray[np.bool_]:
    """Who gets an outcome: the more often, the higher the predicted risk."""
    scorer = Scorer.load(artefact, version="1")
    risk = scorer.probabilities(cohort(rows, seed))[:, 1]
    return np.asarray(np.random.default_rng(seed).random(rows) < 0.35 + 0.5 * risk)


def fill_quality(
    context: ProcessContext,
    live: Model,
    challenger: Model,
    *,
    rows: int = 500,
    replicates: int = 10,
) -> None:
    """Version 1 answered half of the charts and version 2 the others; version 3 is in shadow."""
    half = rows // 2
    release(context, "1", *live)
    store_matured(context, live[0], cohort(half, 5), verified=selected(live[0], half, 5))
    release(context, "2", *live)
    store_matured(
        context, live[0], cohort(half, 6), verified=selected(live[0], half, 6),
        version="2", prefix="b", start=SEEN + half * HOUR,
    )  # fmt: skip
    with context.engine.begin() as connection:
        row = dict(ModelStore(connection).version("2") or {})
        name, at = {"version": "3", "created_at": SEEN}, SEEN + half * HOUR
        files = {"location": str(challenger[0]), "checksum": challenger[1]}
        connection.execute(insert(MODEL_VERSIONS), row | name | files)
        connection.execute(
            insert(CHALLENGERS),
            {
                "version": "3", "origin": "refresh", "stage": "shadow", "champion": "2",
                "created_at": at, "shadow_until": at + 40 * DAY, "detail": {"kind": "refresh"},
            },
        )  # fmt: skip
    set_time(context, SEEN + rows * HOUR + 90 * DAY)
    ShadowService(context).run(actor="test")
    service = EvaluatingService(context, replicates=replicates, runs=False)
    service.run(actor="test", refresh=False)


def fill_inputs(context: ProcessContext, *, rows: int = 300, start: datetime = SEEN) -> None:
    """Five chunks of reference; then pressure moves, and a thermometer breaks."""
    ward = Ward(context, start, version="2")
    ward.see(6 * rows)
    ward.shift = 15.0
    ward.see(2 * rows)
    ward.rejected = {"body_temperature": "implausible"}
    ward.code = {"heart_rate": "8889-8"}
    ward.unit = {"heart_rate": "/s"}
    ward.see(rows)
    set_time(context, ward.at + HOUR)
    InputWatchService(context).run(actor="test")


def gate(name: str, passed: bool | None, sentence: str) -> dict[str, object]:
    """A gate as a comparison keeps it."""
    return {"name": name, "passed": passed, "sentence": sentence, "figures": {}}


def fill_models(context: ProcessContext, challenger: Model) -> None:
    """Version 3 was compared with version 2; version 4 waits for an approver, with a report."""
    at = context.clock() - DAY
    gates = [
        gate("categories", True, "It knows every category that the champion knows."),
        gate("outcomes", True, "2,418 held-out outcomes of 2,207 patients; 2,000 are needed."),
        gate("log_loss", True, "Difference −0.011 nat, at most −0.004; up to 0.003 is allowed."),
        gate("category_log_loss", True, "No category is worse by more than 3 % of its entropy."),
        gate("sensitivity", True, "Sensitivity for acute +0.012, at least −0.021."),
        gate("fairness", True, "The gap between groups grows by 0.004, at most 0.031."),
        gate("rare_floor", None, "No rare disease has enough cases."),
        gate("latency", True, "Median 1.4 ms; nobody notices less than 5 ms."),
    ]
    told = {
        "promote": True, "outcome": "promoted-ok", "champion": "2",
        "reason": "It is shown not to be worse: log loss −0.011 nat, at most −0.004.",
        "held_out": {"rows": 2418, "before": 1}, "gates": gates, "notes": [], "floors": [],
    }  # fmt: skip
    refused = told | {
        "promote": False, "outcome": "refused",
        "reason": "Log loss may be worse by 0.006 nat; up to 0.003 is allowed.",
        "gates": [gate("log_loss", False, "Difference 0.001 nat, at most 0.006."), *gates[3:]],
    }  # fmt: skip
    with context.engine.begin() as connection:
        store = ModelStore(connection)
        row = dict(store.version("2") or {})
        files = {"location": str(challenger[0]), "checksum": challenger[1]}
        for version, stage, reason, comparison in (
            ("4", "waiting", "Not worse in shadow on 812 matured outcomes.", told),
            ("5", "refused", str(refused["reason"]), refused),
        ):
            named = {"version": version, "created_at": at, "note": "refresh"}
            connection.execute(insert(MODEL_VERSIONS), row | named | files)
            connection.execute(
                insert(CHALLENGERS),
                {
                    "version": version, "origin": "refresh", "stage": stage, "champion": "2",
                    "created_at": at, "reason": reason, "detail": {"kind": "refresh"},
                },
            )  # fmt: skip
            store.add_evaluation(
                {"id": f"e-{version}", "at": at, "kind": "retrain", "model_version": version,
                 "result": comparison}
            )  # fmt: skip
    folder = report_folder(context.settings, "4")
    folder.mkdir(parents=True)
    page = "<!DOCTYPE html><title>Report</title><h1>Report</h1><script>alert(1)</script>"
    (folder / PAGE).write_text(page, "utf-8")


def fill_runs(context: ProcessContext) -> None:
    """A search is under way, a retraining was done, a recalibration failed, others are past."""
    at = context.clock()
    Schedule(context)._plan()
    past = [
        ("refresh", "done", 26 * 60, "Version 4 is in shadow. It is shown not to be worse."),
        ("recalibrate", "failed", 3, "There are too few outcomes to fit priors."),
        ("evaluate", "done", 41, "Judged 1 chunk, 0 of them again."),
        ("inputs", "done", 6, "1 chunk of inputs watched, 2 alerts raised."),
        ("train", "left", 75, "Left before it was done."),
    ]
    with context.engine.begin() as connection:
        store = RunStore(connection)
        for i, (kind, state, seconds, said) in enumerate(past):
            begun = at - timedelta(hours=i + 1)
            run = {"id": f"r-{i}", "kind": kind, "actor": "schedule"}
            store.begin(run | {"started_at": begun, "seen_at": begun}, alone=False)
            over = begun + timedelta(seconds=seconds)
            store.end(run["id"], state, at=over, result=said)
            if kind != "train":
                jobs = JobStore(connection)
                jobs.take(kind, "x", at=begun, lease_until=over, early=True)
                failures = int(state == "failed")
                values = {"finished_at": over, "result": said, "failures": failures}
                jobs.finish(kind, "x", values)
        run = {"id": "r-now", "kind": "search", "actor": "schedule"}
        store.begin(run | {"started_at": at - timedelta(minutes=12), "seen_at": at}, alone=False)
        store.see("r-now", {"step": "tuning lightgbm, class weights", "share": 0.42})
