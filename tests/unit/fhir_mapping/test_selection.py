"""The latest valid value of each input (C4, C7, R22)."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from fhir_mapping.bundles import Entry
from fhir_mapping.observations import CLOCK_SKEW, Window, read_observations
from fhir_mapping.readings import MissingReason
from fhir_mapping.references import PatientMatcher
from fhir_mapping.selection import Selection, select
from tests.support.builders import blood_pressure, observation, raw

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
WINDOW = Window(PatientMatcher("p1", None), NOW - timedelta(hours=24), NOW + CLOCK_SKEW)


def choose(*resources: object, maybe_not_latest: bool = False) -> Selection:
    """The selection; the same in every order of up to four resources."""
    selections = []
    for order in permutations(resources) if len(resources) < 5 else [resources]:
        findings = read_observations([Entry(raw(r)) for r in order], WINDOW)
        selections.append(select(findings, NOW, maybe_not_latest=maybe_not_latest))
    first = selections[0]
    for other in selections[1:]:
        assert (other.readings, other.reasons) == (first.readings, first.reasons)
        assert sorted(map(repr, other.skipped)) == sorted(map(repr, first.skipped))
    return first


def used(selection: Selection) -> dict[str, tuple[float, str | None]]:
    return {r.feature: (r.value, r.reference) for r in selection.readings}


def left(selection: Selection) -> dict[tuple[str | None, str | None], str]:
    return {(s.reference, s.feature): s.reason for s in selection.skipped}


@pytest.mark.requirement("R22")
def test_c7_the_latest_instant_counts_across_zones() -> None:
    selection = choose(
        observation(value=80, at="2026-03-07T11:00:00Z", id="a"),
        observation(value=90, at="2026-03-07T13:30:00+02:00", id="b"),
        observation(value=70, at="2026-03-07T05:50:00-05:00", id="c"),
    )
    (reading,) = selection.readings
    assert (reading.value, reading.reference) == (90, "Observation/b")
    assert reading.time == datetime(2026, 3, 7, 11, 30, tzinfo=UTC)
    assert reading.minutes_before == 30.0
    assert left(selection) == {
        ("Observation/a", "heart_rate"): "superseded",
        ("Observation/c", "heart_rate"): "superseded",
    }


def test_c7_the_latest_valid_value_not_the_latest_value() -> None:
    selection = choose(
        observation(value=998, at="2026-03-07T11:59:00Z", id="a"),
        observation(value=80, at="2026-03-07T11:58:00Z", id="b"),
        observation(value=70, at="2026-03-07T11:59:30Z", id="c", status="entered-in-error"),
    )
    assert used(selection) == {"heart_rate": (80, "Observation/b")}
    assert selection.reasons == {}


@pytest.mark.requirement("R22")
def test_of_resources_that_differ_in_status_alone_one_is_used_in_every_order() -> None:
    resources = [observation(id="a", status=status) for status in ("final", "amended", "corrected")]
    (reading,) = choose(*resources).readings
    assert reading.status == "amended"


def test_c6_on_equal_times_8867_4_is_preferred() -> None:
    selection = choose(
        observation("8889-8", 81, id="a", issued="2026-03-07T11:59:00Z"),
        observation("8867-4", 80, id="b", status="preliminary"),
        observation("8893-0", 82, id="c"),
    )
    assert used(selection) == {"heart_rate": (80, "Observation/b")}


def test_ties_are_broken_by_status_then_publication_then_change_then_id() -> None:
    def chosen(*changes: dict[str, Any]) -> str | None:
        resources = [observation(**change) for change in changes]
        return choose(*resources).readings[0].reference

    assert chosen({"id": "a", "status": "preliminary"}, {"id": "b"}) == "Observation/b"
    early, late = "2026-03-07T11:51:00Z", "2026-03-07T12:52:00+01:00"
    assert chosen({"id": "a", "issued": early}, {"id": "b", "issued": late}) == "Observation/b"
    assert chosen({"id": "a"}, {"id": "b", "issued": early}) == "Observation/b"
    old, new = ({"meta": {"lastUpdated": text}} for text in (early, late))
    assert chosen({"id": "a", **old}, {"id": "b", **new}) == "Observation/b"
    assert chosen({"id": "b"}, {"id": "a"}) == "Observation/a"
    assert choose(observation(value=90), observation(value=80)).readings[0].value == 80


def test_flags() -> None:
    def flags(*, maybe_not_latest: bool = False, **change: Any) -> tuple[str, ...]:
        resource = observation(**change)
        return choose(resource, maybe_not_latest=maybe_not_latest).readings[0].flags

    assert flags() == ()
    assert flags(value=221) == ("extreme",)
    assert flags(status="preliminary") == ("preliminary",)
    assert flags(maybe_not_latest=True) == ("maybe_not_latest",)
    assert flags(value=25, status="preliminary", maybe_not_latest=True) == (
        "extreme",
        "preliminary",
        "maybe_not_latest",
    )


def test_c7_a_reading_within_the_clock_skew_is_0_minutes_old() -> None:
    (reading,) = choose(observation(at="2026-03-07T12:04:00Z")).readings
    assert reading.minutes_before == 0.0


def test_c4_pressures_of_different_times_are_never_combined() -> None:
    selection = choose(
        observation("8480-6", 88, "mm[Hg]", at="2026-03-07T11:59:00Z", id="s"),
        observation("8462-4", 60, "mm[Hg]", at="2026-03-07T11:58:00Z", id="d"),
    )
    assert used(selection) == {"systolic_bp": (88, "Observation/s")}
    assert left(selection) == {("Observation/d", "diastolic_bp"): "unpaired"}
    assert "diastolic_bp" not in selection.reasons


def test_c4_a_pair_of_the_same_time() -> None:
    selection = choose(
        observation("8480-6", 118, "mm[Hg]", at="2026-03-07T11:50:00Z", id="s"),
        observation("8462-4", 76, "mm[Hg]", at="2026-03-07T12:50:00+01:00", id="d"),
        observation("8480-6", 140, "mm[Hg]", at="2026-03-07T10:00:00Z", id="old"),
    )
    assert used(selection) == {
        "systolic_bp": (118, "Observation/s"),
        "diastolic_bp": (76, "Observation/d"),
    }
    assert left(selection) == {("Observation/old", "systolic_bp"): "superseded"}


def test_c9_an_older_pair_does_not_hide_a_newer_fall_in_pressure() -> None:
    selection = choose(
        observation("8480-6", 88, "mm[Hg]", at="2026-03-07T11:59:00Z", id="lone"),
        blood_pressure(118, 76, at="2026-03-07T09:00:00Z", id="old"),
    )
    assert used(selection) == {"systolic_bp": (88, "Observation/lone")}
    assert left(selection) == {
        ("Observation/old", "systolic_bp"): "superseded",
        ("Observation/old", "diastolic_bp"): "unpaired",
    }


def test_c9_a_newer_lone_diastolic_hides_no_systolic() -> None:
    selection = choose(
        observation("8462-4", 60, "mm[Hg]", at="2026-03-07T11:59:00Z", id="lone"),
        blood_pressure(84, 50, at="2026-03-07T09:00:00Z", id="old"),
    )
    assert used(selection) == {
        "systolic_bp": (84, "Observation/old"),
        "diastolic_bp": (50, "Observation/old"),
    }
    assert left(selection) == {("Observation/lone", "diastolic_bp"): "unpaired"}


def test_c4_of_one_time_one_observation_gives_both_pressures() -> None:
    # By id alone the systolic would come from "a" and the diastolic from "b".
    selection = choose(
        observation("8480-6", 150, "mm[Hg]", id="a"),
        blood_pressure(118, 76, id="b"),
        blood_pressure(125, 70, id="c"),
    )
    assert used(selection) == {
        "systolic_bp": (118, "Observation/b"),
        "diastolic_bp": (76, "Observation/b"),
    }


def test_c5_a_pair_that_contradicts_itself_is_not_used_in_part() -> None:
    selection = choose(
        observation("8480-6", 70, "mm[Hg]", id="s"),
        observation("8462-4", 90, "mm[Hg]", id="d"),
    )
    assert selection.readings == ()
    assert selection.reasons == {
        "systolic_bp": MissingReason.IMPLAUSIBLE,
        "diastolic_bp": MissingReason.IMPLAUSIBLE,
    }
    with_older = choose(
        observation("8480-6", 70, "mm[Hg]", id="s"),
        observation("8462-4", 90, "mm[Hg]", id="d"),
        blood_pressure(118, 76, at="2026-03-07T09:00:00Z", id="b"),
    )
    assert used(with_older)["systolic_bp"] == (118, "Observation/b")


def test_c4_a_lone_diastolic_counts_where_there_is_no_systolic() -> None:
    selection = choose(
        blood_pressure(998, 76, id="b"),
        observation("8462-4", 70, "mm[Hg]", at="2026-03-07T09:00:00Z", id="d"),
    )
    assert used(selection) == {"diastolic_bp": (76, "Observation/b")}
    assert selection.reasons == {"systolic_bp": MissingReason.IMPLAUSIBLE}


def test_c8_the_reason_is_that_of_the_most_recent_candidate() -> None:
    assert choose(
        observation(at="2026-03-01T00:00:00Z"),
        observation(at="2026-03-07T11:00:00Z", status="cancelled"),
        observation(at="2026-03-07T10:00:00Z", unit=None),
        observation(at=None),
    ).reasons == {"heart_rate": MissingReason.WRONG_STATUS}
    assert choose(observation(at=None)).reasons == {"heart_rate": MissingReason.NO_TIME}


def test_readings_come_in_table_order() -> None:
    selection = choose(
        observation("2708-6", 97, "%"),
        observation("9279-1", 16),
        blood_pressure(),
        observation("8310-5", 37, "Cel"),
        observation(),
    )
    assert [r.feature for r in selection.readings] == [
        "heart_rate",
        "body_temperature",
        "systolic_bp",
        "diastolic_bp",
        "respiratory_rate",
        "oxygen_saturation",
    ]


def test_many_pressures_of_one_time_take_no_long_time() -> None:
    # Pairing each with each would take four million steps.
    many = [
        observation(code, value, "mm[Hg]", id=f"{code}-{i}")
        for i in range(2000)
        for code, value in (("8480-6", 70), ("8462-4", 90))
    ]
    started = datetime.now(tz=UTC)
    assert choose(*many).readings == ()
    assert datetime.now(tz=UTC) - started < timedelta(seconds=2)
