"""Looks at held-out rows and alerts, on SQLite and PostgreSQL."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.services.floors import FloorFigure, raise_alerts
from cds_service.services.looks import look
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.look_store import LookStore
from cds_service.storage.session import create_database_engine, reading, upgrade

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PART = {"fingerprint": "f" * 64, "rows": 564, "from": "2026-01-01T00:00:00+00:00"}


def test_looks_at_the_same_rows_are_counted(engine: Engine) -> None:
    seen = []
    for number, purpose in enumerate(("train", "retrain", "compare", "report")):
        with engine.begin() as connection:
            looks = look(
                connection,
                PART,
                at=NOW + timedelta(days=number),
                actor="test",
                purpose=purpose,  # type: ignore[arg-type]  # a word of the list
                model_version=str(number),
            )
            seen.append((looks.before, looks.since))
    assert seen == [(0, None), (1, NOW), (2, NOW), (3, NOW)]
    with engine.begin() as connection:
        other = look(
            connection,
            PART | {"fingerprint": "0" * 64, "from": None},
            at=NOW,
            actor="test",
            purpose="train",
            model_version=None,
        )
    assert (other.before, other.since) == (0, None)
    with reading(engine) as connection:
        (kept,) = LookStore(connection).of_version("2")
    assert (kept["purpose"], kept["rows"]) == ("compare", 564)
    assert kept["held_out_from"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_look_goes_with_what_it_belongs_to(engine: Engine) -> None:
    options = {"at": NOW, "actor": "test", "purpose": "train", "model_version": "1"}
    with engine.connect() as connection, connection.begin() as transaction:
        look(connection, PART, **options)  # type: ignore[arg-type]  # as above
        transaction.rollback()
    with reading(engine) as connection:
        assert LookStore(connection).before(PART["fingerprint"]) == (0, None)


def test_a_figure_below_its_floor_is_one_open_alert(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    low = FloorFigure("acute_sensitivity", 0.31, 0.4)
    good = FloorFigure("macro_auroc", 0.8, 0.7)
    unknown = FloorFigure("acute_ppv", None, 0.1)
    with caplog.at_level(logging.WARNING):
        for version, found_by in (
            ("1", "train"),
            ("1", "train"),
            ("1", "evaluate"),
            ("2", "train"),
        ):
            with engine.begin() as connection:
                raise_alerts(
                    connection,
                    [low, good, unknown],
                    at=NOW,
                    found_by=found_by,
                    model_version=version,
                )
    with reading(engine) as connection:
        alerts = AlertStore(connection).unresolved()
    assert [(a["model_version"], a["detail"]["found_by"]) for a in alerts] == [
        ("1", "evaluate"),
        ("1", "train"),
        ("2", "train"),
    ]
    assert {a["kind"] for a in alerts} == {"business_floor"}
    assert alerts[0]["message"] == (
        "Model version 1: sensitivity for acute 0.310 is below the floor of 0.4 (evaluate)."
    )
    assert alerts[0]["detail"]["value"] == 0.31
    assert [alert["times_seen"] for alert in alerts] == [1, 2, 1]
    # Said once: an alert that is open is not told of again.
    assert [record.getMessage() for record in caplog.records] == ["alert"] * 3


def test_an_alert_that_is_rolled_back_is_not_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    finding = Finding("input_drift", "input_drift:systolic_bp", "warning", "It moved.")
    with engine.connect() as connection:
        assert raise_alert(connection, finding, at=NOW)
        connection.rollback()
    assert not caplog.records
    with engine.begin() as connection:
        assert raise_alert(connection, finding, at=NOW)
        assert not caplog.records
    assert [record.getMessage() for record in caplog.records] == ["alert"]


def test_an_alert_is_raised_anew_once_its_cause_had_passed(engine: Engine) -> None:
    finding = Finding("input_drift", "input_drift:systolic_bp", "warning", "It moved.")
    with engine.begin() as connection:
        assert raise_alert(connection, finding, at=NOW)
        assert not raise_alert(connection, finding, at=NOW)
        assert cause_passed(connection, finding.key, at=NOW, resolution="It moved back.")
        assert not cause_passed(connection, finding.key, at=NOW, resolution="It moved back.")
        assert raise_alert(connection, finding, at=NOW)
        assert len(AlertStore(connection).unresolved()) == 1


def test_alerts_of_before_keep_what_told_them_apart(tmp_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    upgrade(engine, to="0003")
    old = (
        "INSERT INTO alerts (id, at, kind, model_version, message, detail) VALUES "
        """('a', '2026-03-01 12:00:00', 'business_floor', '1', 'Low.', """
        """'{"figure": "acute_ppv", "found_by": "train"}')"""
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(old)
    upgrade(engine)
    with engine.begin() as connection:
        (alert,) = AlertStore(connection).unresolved()
        assert alert["key"] == "business_floor:1:acute_ppv:train"
        assert (alert["severity"], alert["times_seen"]) == ("warning", 1)
        assert alert["last_seen_at"] == alert["at"]
        # The same figure again is the same alert.
        low = FloorFigure("acute_ppv", 0.1, 0.4)
        raise_alerts(connection, [low], at=NOW, found_by="train", model_version="1")
        assert len(AlertStore(connection).unresolved()) == 1
    engine.dispose()
