"""What a stored row must agree with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.services.serving_skew import differing_inputs

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def reading(feature: str, value: Any, received: Any, unit: str, **more: Any) -> dict[str, Any]:
    return {
        "feature": feature,
        "value": value,
        "received_value": received,
        "received_unit": unit,
        "time": "2026-03-01T11:50:00Z",
    } | more


def row(*readings: dict[str, Any], **features: Any) -> dict[str, Any]:
    minutes = {one["feature"]: 10.0 for one in readings if one["feature"] != "abo_group"}
    values = {one["feature"]: one["value"] for one in readings}
    return {
        "prediction_time": AT,
        "features": {"age": 60.0, "minutes_before": minutes} | values | features,
        "provenance": {"readings": list(readings)},
    }


PULSE = reading("heart_rate", 90.0, 90.0, "/min")


@pytest.mark.parametrize(
    "known",
    [
        PULSE,
        reading("body_temperature", 38.5, 101.3, "[degF]"),
        reading("body_temperature", 38.5, 101.3, "F"),  # As text Fahrenheit, as a code farad.
        reading("systolic_bp", 120.01, 16.0, "kPa"),
        reading("oxygen_saturation", 97.0, 0.97, "1"),
        reading("abo_group", "A", "LA19710-5", ""),
    ],
)
def test_what_serving_stores_agrees(known: dict[str, Any]) -> None:
    assert differing_inputs(row(known)) == set()


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        (row(reading("body_temperature", 38.4, 101.3, "[degF]")), {"body_temperature"}),
        (row(PULSE, heart_rate=91.0), {"heart_rate", "derived"}),
        (row(PULSE, systolic_bp=120.0), {"systolic_bp", "derived"}),
        (row(reading("heart_rate", 90.0, 90.0, "/min", time="2026-03-01T09:00:00+00:00")),
         {"heart_rate"}),
    ],
)  # fmt: skip
def test_what_differs_is_named(stored: dict[str, Any], wrong: set[str]) -> None:
    assert differing_inputs(stored) == wrong


def test_readings_too_far_apart_change_what_is_derived() -> None:
    pressure = reading("systolic_bp", 120.0, 120.0, "mm[Hg]", time="2026-03-01T10:00:00Z")
    stored = row(PULSE, pressure)
    stored["features"]["minutes_before"] = {"heart_rate": 10.0, "systolic_bp": 10.0}
    # Shock index: heart rate and pressure are more than an hour apart.
    assert differing_inputs(stored) == {"systolic_bp", "derived"}
