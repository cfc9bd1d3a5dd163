"""Versions in shadow score stored rows, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from cds_service.context import ProcessContext
from cds_service.services import shadow
from cds_service.services.evaluating import EvaluatingService
from cds_service.services.shadow import ShadowService, shadow_versions
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.shadow_store import ShadowStore
from cds_service.storage.tables import ASSESSMENTS, CHALLENGERS, MODEL_VERSIONS, SHADOW_SCORES
from tests.support.artefacts import small_model as other_model
from tests.support.matured import cohort, store_matured
from tests.support.service import new_context, release
from tests.support.stored import SEEN, set_time

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    made = other_model(tmp_path_factory.mktemp("challenger"))
    return made.path, made.checksum


@pytest.fixture
def context(
    tmp_path: Path, database_url: str, small_model: tuple[Path, str]
) -> Iterator[ProcessContext]:
    """Version 1 was live, version 2 is: 60 charts each."""
    made = new_context(tmp_path, database_url, evaluation_chunk_rows=120)
    release(made, "1", *small_model)
    store_matured(made, small_model[0], cohort(60, 5), version="1", prefix="a")
    release(made, "2", *small_model)
    store_matured(
        made, small_model[0], cohort(60, 6), version="2", prefix="b", start=SEEN + 60 * HOUR
    )
    set_time(made, SEEN + 90 * DAY)
    yield made
    made.engine.dispose()


def add_challenger(context: ProcessContext, model: tuple[Path, str], stage: str) -> None:
    """Version 3, registered when version 2 had been live for 20 hours."""
    at = SEEN + 80 * HOUR
    with context.engine.begin() as connection:
        row = dict(ModelStore(connection).version("2") or {})
        connection.execute(
            insert(MODEL_VERSIONS),
            row
            | {"version": "3", "location": str(model[0]), "checksum": model[1], "created_at": at},
        )
        connection.execute(
            insert(CHALLENGERS),
            {"version": "3", "origin": "manual", "stage": stage, "champion": "2", "created_at": at},
        )


def scores(context: ProcessContext) -> dict[tuple[str, str], dict[str, Any]]:
    with reading(context.engine) as connection:
        found = connection.execute(select(SHADOW_SCORES)).all()
    return {(row.model_version, row.assessment_id): dict(row._mapping) for row in found}


def test_the_last_champion_and_waiting_challengers_are_in_shadow(
    context: ProcessContext, challenger: tuple[Path, str]
) -> None:
    with reading(context.engine) as connection:
        assert shadow_versions(connection) == ["1"]
    add_challenger(context, challenger, "gate")
    found = {}
    for stage in ("gate", "refused", "shadow", "waiting", "promoted", "withdrawn"):
        with context.engine.begin() as connection:
            connection.execute(update(CHALLENGERS).values(stage=stage))
            found[stage] = shadow_versions(connection)
    assert {stage for stage, names in found.items() if names == ["1", "3"]} == {"shadow", "waiting"}
    assert [names for names in found.values() if "3" not in names] == [["1"]] * 4


def test_a_shadow_says_what_the_same_model_answered(context: ProcessContext) -> None:
    said = ShadowService(context).run(actor="test")
    assert said == "In shadow: version 1 60 scored."
    assert ShadowService(context).run(actor="test") == "In shadow: version 1 0 scored."
    found = scores(context)
    assert set(found) == {("1", f"b-{i}") for i in range(60)}
    with reading(context.engine) as connection:
        answered = connection.execute(
            select(ASSESSMENTS).where(ASSESSMENTS.c.model_version == "2")
        ).all()
    # Both versions are the same model: the stored row must give the answer again (C4).
    for row in answered:
        of_shadow = found["1", row.id]
        assert of_shadow["category"] == row.category
        assert of_shadow["probabilities"] == pytest.approx(row.probabilities, abs=1e-6)


def test_what_was_scored_long_ago_is_not_looked_through_again(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "BATCH", 25)
    looked: list[Any] = []
    unscored = ShadowStore.unscored

    def watched(self: ShadowStore, version: str, **options: Any) -> list[dict[str, Any]]:
        looked.append(options["since"])
        return unscored(self, version, **options)

    monkeypatch.setattr(ShadowStore, "unscored", watched)
    assert ShadowService(context).run(actor="test") == "In shadow: version 1 60 scored."
    first = SEEN + 60 * HOUR
    assert looked[1:] == [first, first + 25 * HOUR, first + 50 * HOUR]
    assert ShadowService(context).run(actor="test") == "In shadow: version 1 0 scored."
    assert looked[-1] == first + 59 * HOUR - DAY


def test_a_challenger_scores_what_came_after_it_and_is_judged_on_that(
    context: ProcessContext, challenger: tuple[Path, str]
) -> None:
    add_challenger(context, challenger, "shadow")
    said = EvaluatingService(context, replicates=5, runs=False).run(actor="test", refresh=False)
    assert "version 1 60 scored, version 3 40 scored" in said
    (chunk,) = EvaluatingService(context).newest(5)
    versions = chunk["result"]["versions"]
    assert {name: (one["answered"], one["scored"]) for name, one in versions.items()} == {
        "1": (60, 120),
        "2": (60, 60),
        "3": (0, 40),
    }
    assert set(scores(context)) >= {("3", f"b-{i}") for i in range(20, 60)}


def test_killed_between_batches_it_goes_on(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "BATCH", 25)
    add = ShadowStore.add
    calls = []

    def killed(self: ShadowStore, rows: Any) -> bool:
        calls.append(len(rows))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return add(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(ShadowStore, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            ShadowService(context).run(actor="test")
    assert len(scores(context)) == 25
    assert ShadowService(context).run(actor="test") == "In shadow: version 1 35 scored."
    assert len(scores(context)) == 60


def test_two_at_a_time_write_each_row_once(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "BATCH", 25)
    made = ShadowService._scores
    others: list[int] = []

    def late(self: ShadowService, scorer: Any, batch: Any) -> Any:
        if not others:
            others.append(1)
            with monkeypatch.context() as patch:
                patch.setattr(ShadowService, "_scores", made)
                ShadowService(context).run(actor="other")
        return made(self, scorer, batch)

    monkeypatch.setattr(ShadowService, "_scores", late)
    assert ShadowService(context).run(actor="test") == "In shadow: version 1 0 scored."
    assert len(scores(context)) == 60


def test_a_version_without_files_keeps_no_other_back(
    context: ProcessContext, tmp_path: Path
) -> None:
    add_challenger(context, (tmp_path / "gone", "0" * 64), "shadow")
    said = ShadowService(context).run(actor="test")
    assert said == "In shadow: version 1 60 scored, version 3 files cannot be read."
