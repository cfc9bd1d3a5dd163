"""A challenger's way is interrupted anywhere, or walked by two processes: it ends the same."""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Table, select

from cds_service.context import ProcessContext
from cds_service.services import challenger_steps, release_watching, releasing, retraining
from cds_service.services.lifecycle import NOTHING, LifecycleService
from cds_service.services.models import ModelService
from cds_service.storage import session
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import (
    ALERTS,
    CHALLENGERS,
    EVALUATIONS,
    MODEL_VERSIONS,
    RELEASE_WATCHES,
    RELEASES,
)
from model.training.registry import Registry
from model.training.run import DataDescription, train
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort
from tests.support.seen import seen
from tests.support.service import new_context
from tests.support.stored import SEEN, set_time


class KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL; an open transaction is undone."""


def killed(*_arguments: Any, **_named: Any) -> None:
    raise KilledError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[Path, str]], Path]:
    """A good model, a bad one, and an empty registry."""
    root, found = tmp_path_factory.mktemp("models"), []
    data = DataDescription(simulated=False, description="Invented rows.", label_version="1")
    for seed in (3, 5):
        frame = small_cohort(1_500, seed)
        if seed == 5:
            rng = np.random.default_rng(1)
            frame["severity"] = rng.permutation(frame["severity"].to_numpy())
        result = train(frame, small_settings(), artefact_root=root, data=data)
        found.append((result.path, result.checksum))
    empty = new_context(tmp_path_factory.mktemp("registry"))
    ModelService(empty.engine, empty.settings, empty.clock)
    empty.engine.dispose()
    return found, empty.settings.data_dir / "mlflow.sqlite3"


@pytest.fixture
def context(
    tmp_path: Path, database_url: str, prepared: tuple[list[tuple[Path, str]], Path]
) -> Iterator[ProcessContext]:
    """Versions `good` and `bad` are registered, and `bad` is live."""
    shutil.copy(prepared[1], tmp_path)
    context = new_context(
        tmp_path,
        database_url,
        **{"minimum_held_out": 40, "shadow_outcomes": 60, "watch_outcomes": 150},
        **{"gate_log_loss": 0.2, "gate_category": 1.0, "gate_sensitivity": 1.0},
        **{"gate_fairness": 1.0, "shadow_days": 1},
    )
    set_time(context, SEEN)
    with context.engine.begin() as connection:
        for version, (path, checksum) in zip(("good", "bad"), prepared[0], strict=True):
            ModelStore(connection).add_version(
                {
                    **{"version": version, "location": str(path), "checksum": checksum},
                    **{"kind": "logistic + none", "simulated": False, "created_at": SEEN},
                    **{"created_by": "test", "note": "", "history_id": None},
                    **{"history_ids": [], "metrics": {}},
                }
            )
    models(context).promote("bad", actor="test", reason="first")
    yield context
    context.engine.dispose()


def models(context: ProcessContext) -> ModelService:
    return ModelService(context.engine, context.settings, context.clock)


def rows(context: ProcessContext, table: Table) -> list[dict[str, Any]]:
    with session.reading(context.engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def visits(context: ProcessContext, number: int, name: str, version: str) -> None:
    seen(
        context,
        small_cohort(number, 8),
        start=context.clock() + timedelta(hours=1),
        every=timedelta(minutes=5),
        prefix=name,
        version=version,
    )
    set_time(context, context.clock() + timedelta(days=35))


def refresh(context: ProcessContext) -> str:
    return LifecycleService(context).refresh(actor="s", asked=True, with_report=False)


def advance(context: ProcessContext) -> str:
    return LifecycleService(context).advance(actor="s")


def interrupted(patch: pytest.MonkeyPatch, owner: Any, name: str, step: Callable[[], str]) -> None:
    with patch.context() as one:
        one.setattr(owner, name, killed)
        with pytest.raises(KilledError):
            step()


def test_killed_at_every_step_of_the_way(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many that each category is in the training part, wherever the hash puts its patients.
    visits(context, 700, "a", "bad")

    # Trained and not registered: the artefact is there, and nobody knows of it.
    for owner, name in ((Registry, "register"), (ModelStore, "add_version")):
        interrupted(monkeypatch, owner, name, lambda: refresh(context))
        assert rows(context, CHALLENGERS) == []
        assert len(rows(context, MODEL_VERSIONS)) == 2
        assert advance(context) == NOTHING

    # Registered and not judged; then judged and not written down.
    interrupted(monkeypatch, retraining, "eligible_rows", lambda: refresh(context))
    (row,) = rows(context, CHALLENGERS)
    assert row["stage"] == "gate"
    assert "on its way already" in refresh(context)
    for owner, name in ((ModelStore, "add_evaluation"), (AuditStore, "add")):
        interrupted(monkeypatch, owner, name, lambda: advance(context))
        assert [one["stage"] for one in rows(context, CHALLENGERS)] == ["gate"]
        assert rows(context, EVALUATIONS) == []
    version = row["version"]
    assert advance(context).startswith(f"Version {version} is in shadow.")
    assert len(rows(context, EVALUATIONS)) == 1

    visits(context, 70, "b", "bad")
    interrupted(monkeypatch, challenger_steps, "raise_alert", lambda: advance(context))
    assert [one["stage"] for one in rows(context, CHALLENGERS)] == ["shadow"]
    assert rows(context, ALERTS) == []
    assert advance(context).startswith(f"Version {version} is waiting")
    assert len(rows(context, ALERTS)) == 1

    def approve() -> str:
        LifecycleService(context).approve(version, actor="dr", reason="r")
        return ""

    before = len(rows(context, RELEASES))
    interrupted(monkeypatch, releasing, "cause_passed", approve)
    assert [one["stage"] for one in rows(context, CHALLENGERS)] == ["waiting"]
    assert len(rows(context, RELEASES)) == before
    approve()
    assert [one["stage"] for one in rows(context, CHALLENGERS)] == ["promoted"]
    assert len(rows(context, RELEASE_WATCHES)) == 1


def test_killed_in_the_middle_of_a_rollback(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    models(context).promote("good", actor="test", reason="better")
    with context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE release_watches SET state = 'kept'")
    models(context).promote("bad", actor="test", reason="a mistake")
    visits(context, 160, "a", "bad")
    before = len(rows(context, RELEASES))
    for owner, name in ((release_watching, "raise_alert"), (ModelStore, "add_release")):
        interrupted(monkeypatch, owner, name, lambda: advance(context))
        assert len(rows(context, RELEASES)) == before
        assert [one["state"] for one in rows(context, RELEASE_WATCHES)] == ["kept", "watching"]
        assert rows(context, RELEASE_WATCHES)[1]["looks"] == []
        assert rows(context, ALERTS) == []
    assert advance(context).endswith("Version good is live again.")
    assert len(rows(context, RELEASES)) == before + 1
    assert len(rows(context, ALERTS)) == 1
    assert advance(context) == NOTHING


def test_two_processes_take_each_step_once(context: ProcessContext) -> None:
    models(context).promote("good", actor="test", reason="better")
    with context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE release_watches SET state = 'kept'")
    models(context).promote("bad", actor="test", reason="a mistake")
    visits(context, 160, "a", "bad")
    before = len(rows(context, RELEASES))
    # Both have looked before either writes.
    services = [LifecycleService(context) for _ in range(2)]
    barrier, said = threading.Barrier(2), ["", ""]

    def run(number: int) -> None:
        barrier.wait()
        said[number] = services[number].advance(actor=f"process {number}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(context, RELEASES)) == before + 1
    assert sum("live again" in one for one in said) == 1, said
    assert len(rows(context, ALERTS)) == 1
    (watch,) = [one for one in rows(context, RELEASE_WATCHES) if one["state"] == "rolled_back"]
    assert len(watch["looks"]) == 1
