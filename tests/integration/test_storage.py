"""Tables, migrations and stores on real SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from cds_service.errors import ConfigurationError
from cds_service.storage import session
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.model_store import ModelStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def assessment(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"a{number}",
        "client": "development",
        "service": "disease-severity",
        "hook_instance": f"h{number}",
        "request_hash": "hash",
        "prediction_time": NOW + timedelta(minutes=number),
        "patient_key": "p",
        "encounter_key": None,
        "encounter_class": None,
        "situation": "scored",
        "features": {"age": 50.0},
        "provenance": None,
        "probabilities": {"acute": 0.5},
        "category": "acute",
        "prediction_set": ["acute"],
        "contributions": None,
        "atypicality": 0.5,
        "model_version": "1",
        "indicator": "info",
        "suppressed": None,
        "identifiers": b"\x00",
        "response": b"\x01",
    } | changes


def test_migrations_reach_the_tables_and_can_run_twice(engine: Engine) -> None:
    session.upgrade(engine)
    session.check(engine)
    revision, needed = session.current_revision(engine)
    assert revision == needed


def test_an_old_database_is_refused_in_words(database_url: str) -> None:
    engine = session.create_database_engine(database_url)
    with pytest.raises(ConfigurationError, match="cds-service db upgrade"):
        session.check(engine)
    engine.dispose()


def test_a_changed_table_is_noticed(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE cards ADD COLUMN surprise TEXT"))
    with pytest.raises(ConfigurationError, match="differs"):
        session.check(engine)


def test_other_databases_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="SQLite or PostgreSQL"):
        session.create_database_engine("mssql+pyodbc://x/y")


def test_sqlite_survives_power_loss_and_checks_foreign_keys(tmp_path: Path) -> None:
    engine = session.create_database_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert values == ["wal", 2, 1]
    engine.dispose()


def test_the_same_hook_instance_is_stored_once(engine: Engine) -> None:
    with engine.begin() as connection:
        assert AssessmentStore(connection).add(assessment(1), None)
    with engine.connect() as connection:
        assert not AssessmentStore(connection).add(assessment(2, hook_instance="h1"), None)
    with session.reading(engine) as connection:
        store = AssessmentStore(connection)
        assert [row["id"] for row in store.references()] == ["a1"]
        answer = store.answer("development", "disease-severity", "h1")
        assert answer is not None
        assert (answer.request_hash, answer.response) == ("hash", b"\x01")


def test_instants_come_back_in_utc_whatever_zone_they_had(engine: Engine) -> None:
    madrid = timezone(timedelta(hours=2))
    taken = datetime(2026, 7, 1, 14, tzinfo=madrid)
    with engine.begin() as connection:
        AssessmentStore(connection).add(assessment(1, prediction_time=taken), None)
    with session.reading(engine) as connection:
        (row,) = AssessmentStore(connection).scored()
    assert row["prediction_time"] == taken
    assert row["prediction_time"].tzinfo is UTC


def test_rows_move_to_the_newest_patient_key(engine: Engine) -> None:
    with engine.begin() as connection:
        store = AssessmentStore(connection)
        store.add(assessment(1, patient_key="old"), None)
        store.move(["old"], "new")
        assert [row["patient_key"] for row in store.references(patient_key="new")] == ["new"]


def condition(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"c{number}",
        "source_key": "s",
        "content_hash": f"v{number}",
        "client": "development",
        "channel": "ingest",
        "patient_key": "p",
        "encounter_key": None,
        "received_at": NOW,
        "superseded_at": None,
        "label_version": "1",
        "facts": {"classification": "chronic"},
    } | changes


def test_a_corrected_condition_supersedes_and_history_stays(engine: Engine) -> None:
    with engine.begin() as connection:
        store = ConditionStore(connection)
        store.put(condition(1), ["s"])
        store.put(condition(2, received_at=NOW + timedelta(hours=1)), ["s"])
        assert [row["id"] for row in store.current("p")] == ["c2"]
        assert store.current_hash(["s"]) == "v2"
        total = connection.execute(text("SELECT count(*) FROM conditions")).scalar()
    assert total == 2


def test_outcomes_of_other_rule_versions_are_left_alone(engine: Engine) -> None:
    def outcome(number: int, version: str, category: str) -> dict[str, Any]:
        return {
            "id": f"o{number}",
            "assessment_id": "a1",
            "label_version": version,
            "category": category,
            "classes": [category],
            "pre_existing": [],
            "reason": None,
            "known_at": NOW,
            "after_diagnosis": False,
            "prompted": False,
            "needs_second_source": False,
            "rare_codes": [],
            "condition_ids": [],
            "decided_at": NOW,
        }

    with engine.begin() as connection:
        AssessmentStore(connection).add(assessment(1), None)
        store = OutcomeStore(connection)
        store.renew(["a1"], "1", [outcome(1, "1", "mild")], NOW)
        store.renew(["a1"], "2", [outcome(2, "2", "chronic")], NOW)
        store.renew(["a1"], "2", [outcome(3, "2", "acute")], NOW)
        assert store.decided("1")["a1"]["category"] == "mild"
        assert store.decided("2")["a1"]["category"] == "acute"


def test_the_newest_release_is_the_champion(engine: Engine) -> None:
    with engine.begin() as connection:
        store = ModelStore(connection)
        assert store.champion() is None
        assert store.newest_release() == 0
        for version in ("1", "2"):
            store.add_version(
                {
                    "version": version,
                    "location": "/x",
                    "checksum": "c",
                    "kind": "xgboost",
                    "simulated": False,
                    "created_at": NOW,
                    "created_by": "t",
                    "note": "",
                    "history_id": None,
                    "metrics": {},
                }
            )
            store.add_release(
                {"version": version, "action": "promote", "at": NOW, "actor": "t", "reason": "r"}
            )
        champion = store.champion()
        assert champion is not None
        assert champion["version"] == "2"
        assert store.newest_release() == champion["release_id"]
