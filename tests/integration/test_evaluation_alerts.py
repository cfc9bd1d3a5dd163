"""Alerts from chunks, on SQLite and PostgreSQL."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, insert, select, update

from cds_service.services.evaluating import EvaluatingService
from cds_service.services.evaluation_alerts import watch_chunks
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.model_store import SAME_ANSWERS_AS
from cds_service.storage.session import reading
from cds_service.storage.tables import ALERTS, MODEL_VERSIONS, RELEASES
from tests.support.matured import cohort, store_matured
from tests.support.service import new_context, release
from tests.support.stored import SEEN, set_time

DAY = timedelta(days=1)
HELD_OUT = [
    {
        **{"metric": "log_loss", "category": None, "decided": None},
        **{"value": 1.0, "lower": 0.98, "upper": 1.02, "n": 5_000},
    }
]


def live(
    engine: Engine, version: str, *, simulated: bool = False, answers_as: str | None = None
) -> None:
    metrics = {"held_out": HELD_OUT} | ({} if answers_as is None else {SAME_ANSWERS_AS: answers_as})
    with engine.begin() as connection:
        connection.execute(
            insert(MODEL_VERSIONS),
            {
                **{"version": version, "location": "nowhere", "checksum": "0", "kind": "test"},
                **{"simulated": simulated, "created_at": SEEN, "created_by": "test", "note": ""},
                **{"history_ids": [], "metrics": metrics},
            },
        )
        told = {"action": "promote", "at": SEEN, "actor": "test", "reason": "test"}
        connection.execute(insert(RELEASES), {"version": version} | told)


def chunk(
    engine: Engine,
    number: int,
    *,
    loss: float = 1.0,
    ratio: float = 1.0,
    revision: int = 1,
    version: str = "1",
) -> None:
    """A chunk that a version answered with this loss, and this many times as many acute as
    before."""
    changed = "up" if ratio > 1.5 else "down" if ratio < 0.6 else None
    shift = {"category": "acute", "base": 0.1, "share": 0.1 * ratio, "ratio": ratio}
    figures = {
        "answered": 400,
        "weighted": {"figures": [HELD_OUT[0] | {"value": loss, "standard_error": 0.03}]},
        "prevalence_shift": [
            shift | {"lower": ratio * 0.8, "upper": ratio * 1.2, "changed": changed}
        ],
    }
    with engine.begin() as connection:
        EvaluationChunkStore(connection).add(
            {
                **{"id": f"{number}-{revision}", "number": number, "revision": revision},
                **{"started_at": SEEN + number * DAY, "ended_at": SEEN + (number + 1) * DAY},
                **{"label_version": "1", "fingerprint": "f", "rows": 500, "verified": 300},
                **{"at": SEEN, "run_id": None, "result": {"versions": {version: figures}}},
            }
        )
        watch_chunks(connection, at=SEEN + number * DAY)


def open_alerts(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [alert["key"] for alert in AlertStore(connection).unresolved()]


def test_a_risen_loss_is_an_alert_after_two_chunks_and_closed_when_it_is_over(
    engine: Engine,
) -> None:
    live(engine, "1")
    chunk(engine, 1, loss=1.2)
    assert open_alerts(engine) == []
    chunk(engine, 2, loss=1.25)
    assert open_alerts(engine) == ["loss_rise"]
    chunk(engine, 3, loss=1.06)  # Not shown to be risen, not back either.
    assert open_alerts(engine) == ["loss_rise"]
    chunk(engine, 4, loss=1.01)
    assert open_alerts(engine) == []
    with reading(engine) as connection:
        (alert,) = connection.execute(select(ALERTS)).all()
    assert alert.message == (
        "The log loss of what was answered, weighted for who was verified, is 1.250; when model "
        "version 1 was made it was 1.000. Two chunks running show that it has risen."
    )
    assert alert.resolved_by == "service"


def test_two_chunks_that_are_not_running_are_no_alert(engine: Engine) -> None:
    live(engine, "1")
    for number, loss in enumerate((1.2, 1.0, 1.2), start=1):
        chunk(engine, number, loss=loss)
    assert open_alerts(engine) == []


def test_a_late_outcome_that_takes_the_rise_back_closes_the_alert(engine: Engine) -> None:
    live(engine, "1")
    chunk(engine, 1, loss=1.2)
    chunk(engine, 2, loss=1.2)
    assert open_alerts(engine) == ["loss_rise"]
    chunk(engine, 2, loss=1.0, revision=2)
    assert open_alerts(engine) == []


def test_a_shift_is_told_although_heads_of_rare_diseases_change_meanwhile(engine: Engine) -> None:
    live(engine, "1")
    chunk(engine, 1, ratio=2.0)
    live(engine, "2", answers_as="1")
    chunk(engine, 2, ratio=2.0, version="2")
    assert open_alerts(engine) == ["prevalence_shift"]
    live(engine, "3", answers_as="2")
    chunk(engine, 3, version="2")
    assert open_alerts(engine) == []


def test_a_rise_is_told_although_another_version_is_promoted_each_month(engine: Engine) -> None:
    live(engine, "1")
    chunk(engine, 1, loss=1.2, version="1")
    live(engine, "2")
    chunk(engine, 2, loss=1.25, version="2")
    live(engine, "3")
    with engine.begin() as connection:
        watch_chunks(connection, at=SEEN)
    assert open_alerts(engine) == ["loss_rise"]
    chunk(engine, 3, loss=1.0, version="3")
    assert open_alerts(engine) == []


def test_a_shift_takes_two_chunks_in_one_direction(engine: Engine) -> None:
    live(engine, "1")
    chunk(engine, 1, ratio=2.0)
    chunk(engine, 2, ratio=0.4)
    assert open_alerts(engine) == []
    chunk(engine, 3, ratio=0.5)
    assert open_alerts(engine) == ["prevalence_shift"]
    chunk(engine, 4, ratio=0.7)
    assert open_alerts(engine) == ["prevalence_shift"]
    chunk(engine, 5, ratio=0.9)
    assert open_alerts(engine) == []


def test_a_simulated_model_is_held_against_nothing(engine: Engine) -> None:
    live(engine, "1", simulated=True)
    chunk(engine, 1, loss=2.0, ratio=3.0)
    chunk(engine, 2, loss=2.0, ratio=3.0)
    assert open_alerts(engine) == []


@pytest.mark.parametrize("times", [1, 4], ids=["as many acute", "four times as many"])
def test_more_of_one_category_is_noticed_without_an_outcome(
    tmp_path: Path, small_model: tuple[Path, str], times: int
) -> None:
    context = new_context(tmp_path, evaluation_chunk_rows=400)
    release(context, "1", *small_model)
    with context.engine.begin() as connection:
        connection.execute(update(MODEL_VERSIONS).values(simulated=False))
    everyone = cohort(4_000, 6)
    acute = everyone[everyone["severity"] == "acute"]
    others = everyone[everyone["severity"] != "acute"]
    share = len(acute) / len(everyone)
    now = pd.concat([acute.head(round(800 * share * times)), others]).head(800)
    store_matured(
        context,
        small_model[0],
        now.sample(frac=1.0, random_state=2).reset_index(drop=True),
        verified=np.zeros(800, dtype=bool),
    )
    set_time(context, SEEN + 90 * DAY)
    EvaluatingService(context, replicates=60, runs=False).run(actor="test", refresh=False)
    found: list[Any] = open_alerts(context.engine)
    assert found == (["prevalence_shift"] if times > 1 else [])
