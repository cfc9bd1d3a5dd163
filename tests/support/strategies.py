"""Hypothesis strategies for FHIR resources, made with `tests.support.builders`."""

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.support.builders import SNOMED, Json, blood_pressure, concept, observation

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
"""The prediction time the strategies below are made around."""

UNITS: dict[str, tuple[str, tuple[float, float]]] = {
    "8867-4": ("/min", (30, 200)),
    "8889-8": ("/min", (30, 200)),
    "8310-5": ("Cel", (30, 43)),
    "8331-1": ("Cel", (30, 43)),
    "8480-6": ("mm[Hg]", (50, 250)),
    "8462-4": ("mm[Hg]", (30, 140)),
    "9279-1": ("/min", (5, 60)),
    "59408-5": ("%", (50, 100)),
}
"""LOINC code → its UCUM unit and a range of values that may be used."""

_GROUPS: tuple[Json, ...] = (
    {"valueCodeableConcept": concept("LA19710-5")},
    {"valueCodeableConcept": concept("278152006", system=SNOMED)},
    {"valueString": "A Rh-"},
    {"valueString": "O+"},
)

STATUSES = ("final", "amended", "corrected", "preliminary")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["Observation", "Patient", "Bundle", "OperationOutcome", "http://loinc.org"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "id", "entry", "resource", "code", "coding", "subject", "total"]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
"""Any JSON, more often than chance with the names FHIR uses."""


@st.composite
def times(
    draw: st.DrawFn, earliest: timedelta = timedelta(hours=-36), latest: timedelta = timedelta(0)
) -> str:
    """A FHIR dateTime between two distances from `NOW`, in some zone, at whole minutes.

    Whole minutes make equal times frequent.
    """
    span = int((latest - earliest) / timedelta(minutes=1))
    at = NOW + earliest + timedelta(minutes=draw(st.integers(0, span)))
    zone = timezone(timedelta(minutes=30 * draw(st.integers(-28, 28))))
    return at.astimezone(zone).isoformat()


@st.composite
def observations(
    draw: st.DrawFn, at: st.SearchStrategy[str] | None = None, *, subject: str = "Patient/p1"
) -> Json:
    """A valid vital-sign Observation or blood-pressure panel of the patient."""
    more: Json = {
        "at": draw(times() if at is None else at),
        "id": draw(st.text("abc123", min_size=1, max_size=3)),
        "status": draw(st.sampled_from(STATUSES)),
        "subject": subject,
    }
    if draw(st.booleans()):
        more["issued"] = draw(times())
    if draw(st.integers(0, 3)) == 0:
        systolic, diastolic = draw(st.integers(50, 250)), draw(st.integers(30, 140))
        return blood_pressure(systolic, diastolic, **more)
    code = draw(st.sampled_from(sorted(UNITS)))
    unit, (low, high) = UNITS[code]
    tenths = draw(st.integers(int(low * 10), int(high * 10)))
    return observation(code, tenths / 10, unit, **more)


@st.composite
def extra_observations(draw: st.DrawFn) -> Json:
    """A valid blood group or number of exercise days of the patient, of the last two years."""
    more: Json = {
        "at": draw(times(timedelta(days=-730))),
        "id": draw(st.text("abc123", min_size=1, max_size=3)),
        "status": draw(st.sampled_from(STATUSES)),
    }
    if draw(st.booleans()):
        days = draw(st.integers(0, 70)) / 10
        return observation("89555-7", days, "d/wk", **more)
    code, value = draw(st.sampled_from(["882-1", "883-9"])), draw(st.sampled_from(_GROUPS))
    return observation(code, None, **more, **value)


@st.composite
def damaged(draw: st.DrawFn, resources: st.SearchStrategy[Json]) -> Json:
    """A resource with one or two elements, at any depth, replaced by any JSON or taken out."""
    resource = copy.deepcopy(draw(resources))
    for _ in range(draw(st.integers(1, 2))):
        paths = list(_paths(resource))
        if not paths:
            break
        *parents, last = draw(st.sampled_from(paths))
        place: Any = resource
        for step in parents:
            place = place[step]
        if draw(st.booleans()):
            place[last] = draw(json_values)
        else:
            del place[last]
    return resource


def _paths(value: object) -> list[list[object]]:
    """Where every element of a JSON value is."""
    items: list[tuple[object, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    found: list[list[object]] = []
    for key, inner in items:
        found.append([key])
        found += [[key, *rest] for rest in _paths(inner)]
    return found
