"""A site where versions are trained, judged and released, and what stands of them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from cds_service.context import ProcessContext
from cds_service.services.alerts import Finding, raise_alert
from cds_service.services.lifecycle import LifecycleService
from cds_service.services.models import ModelService
from cds_service.storage import session
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.challenger_store import ChallengerStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import CHALLENGERS
from model.training.run import DataDescription
from tests.support.cohorts import small_cohort
from tests.support.seen import seen
from tests.support.stored import SEEN

Artefacts = dict[str, tuple[Path, str]]
DATA = DataDescription(simulated=False, description="Invented rows.", label_version="1")


def add(context: ProcessContext, version: str, artefact: tuple[Path, str]) -> None:
    """Register a version of real history without the registry."""
    with context.engine.begin() as connection:
        ModelStore(connection).add_version(
            {
                "version": version,
                "location": str(artefact[0]),
                "checksum": artefact[1],
                "kind": "logistic + none",
                "simulated": False,
                "created_at": context.clock(),
                "created_by": "test",
                "note": "",
                "history_id": None,
                "history_ids": [],
                "metrics": {},
            }
        )


def models(context: ProcessContext) -> ModelService:
    return ModelService(context.engine, context.settings, context.clock)


def live(context: ProcessContext) -> str:
    champion = models(context).champion()
    assert champion is not None
    return str(champion["version"])


def rows(context: ProcessContext, table: Table) -> list[dict[str, Any]]:
    with session.reading(context.engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def open_alerts(context: ProcessContext) -> list[str]:
    with session.reading(context.engine) as connection:
        return [str(alert["kind"]) for alert in AlertStore(connection).unresolved()]


def visit(context: ProcessContext, number: int, start: datetime, *, seed: int, name: str) -> None:
    seen(
        context,
        small_cohort(number, seed),
        start=start,
        every=timedelta(minutes=15),
        prefix=name,
        version=live(context),
    )


def advance(context: ProcessContext) -> str:
    return LifecycleService(context).advance(actor="schedule")


def stage(context: ProcessContext) -> dict[str, Any]:
    (row,) = rows(context, CHALLENGERS)
    return row


def on_its_way(context: ProcessContext, version: str, stage: str, **more: Any) -> None:
    detail = {"kind": "refresh", "data_until": SEEN.isoformat(), "histories": []}
    with context.engine.begin() as connection:
        ChallengerStore(connection).add(
            {
                "version": version,
                "origin": "refresh",
                "stage": stage,
                "champion": "1",
                "created_at": context.clock(),
                "detail": detail,
                "reason": "",
            }
            | more
        )


def judged(context: ProcessContext, version: str) -> None:
    """What the gates said of a version, as far as a plan asks."""
    margins = {"log_loss": 0.003, "category": 0.03, "sensitivity": 0.05, "fairness": 0.05}
    gate = {"name": "log_loss", "passed": True, "sentence": "Fine.", "figures": {}}
    result = {"gates": [gate], "margins": margins, "champion": "1", "rows": 2_000}
    told = {"promote": True, "outcome": "promoted-ok", "reason": "Not inferior."}
    with context.engine.begin() as connection:
        ModelStore(connection).add_evaluation(
            {
                "id": version,
                "at": context.clock(),
                "kind": "retrain",
                "model_version": version,
                "result": result | told,
            }
        )


def alert(context: ProcessContext, kind: str, at: datetime, version: str | None = None) -> None:
    finding = Finding(kind, f"{kind}:x", "warning", "words", version)
    with context.engine.begin() as connection:
        assert raise_alert(connection, finding, at=at)
