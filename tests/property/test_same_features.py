"""The same patient gives the same features, whichever way the data come in."""

import csv
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from cds_service.context import ProcessContext
from cds_service.security.clients import DEVELOPMENT_CLIENT
from cds_service.services.assessing import AssessingService
from cds_service.services.severity_operation import SeverityOperationService
from cds_service.storage.tables import ASSESSMENTS, CARDS, CONDITIONS, OUTCOME_PULLS, OUTCOMES
from model.artefact import load
from model.features import ROW_NAMES, FeatureRow, row_matrix
from model.scorer import frame_matrix
from model.training.cleaning import clean_history
from model.training.history import read_history
from tests.support import fhir_server as fake
from tests.support.artefacts import KEPT
from tests.support.builders import (
    Json,
    blood_pressure,
    bundle,
    condition,
    encounter,
    observation,
    operation_outcome,
    patient,
    raw,
)
from tests.support.service import new_context, release
from tests.support.stored import set_time
from tests.support.strategies import NOW, damaged, observations

COMPARED = (
    "features",
    "provenance",
    "situation",
    "probabilities",
    "category",
    "contributions",
    "encounter_class",
    "encounter_key",
    "patient_key",
)
"""Columns that must not tell which way it was."""
READ = ("features", "situation", "probabilities", "category", "contributions", "encounter_class")
"""The same of a chart that was read: a search leaves out what cannot be used, and the patient is
one of the server's own."""


@dataclass(frozen=True)
class Chart:
    """What is on record of one patient."""

    patient: Json
    observations: list[Json]
    encounter: Json | None = None
    conditions: list[Json] | None = None


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    own = observations()
    some = st.lists(own | damaged(own) | observations(subject="Patient/p2"), max_size=8)
    return Chart(
        patient(
            birth_date=draw(st.sampled_from(["1957-04-02", "1990", "2015-06-01", None, "x"])),
            gender=draw(st.sampled_from(["female", "male", "unknown", None])),
            deceasedBoolean=draw(st.sampled_from([None, None, None, True])),
        ),
        [one for one in draw(some) if one.get("resourceType") == "Observation"],
        draw(st.sampled_from([None, encounter(), encounter("AMB"), encounter("x")])),
        draw(st.sampled_from([None, [], [condition("Z34.90")], [condition("J45.9")]])),
    )


def by_prefetch(context: ProcessContext, chart: Chart) -> None:
    prefetch: Json = {"patient": chart.patient, "vitals": bundle(*chart.observations)}
    named: Json = {"userId": "Practitioner/1", "patientId": "p1"}
    if chart.encounter is not None:
        prefetch["encounter"] = chart.encounter
        named["encounterId"] = "e1"
    if chart.conditions is not None:
        prefetch["conditions"] = bundle(*chart.conditions)
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": named,
        "prefetch": prefetch,
    }
    AssessingService(context).patient_view(raw(request), DEVELOPMENT_CLIENT)


def posted(context: ProcessContext, body: Json) -> None:
    SeverityOperationService(context).assess(raw(body), DEVELOPMENT_CLIENT)


def by_reading(context: ProcessContext, chart: Chart, server: fake.FHIRServer) -> None:
    """Nothing is prefetched; the server gives small pages in an order of its own."""
    resources = [chart.patient, *chart.observations, chart.encounter, *(chart.conditions or [])]
    server.resources = [one for one in resources if one is not None]
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "fhirServer": server.url,
        "context": {"userId": "Practitioner/1", "patientId": "p1"}
        | ({} if chart.encounter is None else {"encounterId": "e1"}),
    }
    AssessingService(context).patient_view(raw(request), DEVELOPMENT_CLIENT)


def all_of_a_type(handler: fake.Handler, asked: fake.Asked) -> bool:
    """A server that trusts nobody's search to be right: everything of the type, two a page."""
    kind, _, wanted = asked.path.partition("/")
    found = [one for one in handler.fhir.resources if one["resourceType"] == kind]
    if wanted:
        handler.send(200, found[0]) if found else handler.send(404, operation_outcome("error"))
        return True
    start = int(dict(asked.query).get("_page", "0"))
    following = f"{handler.fhir.url}/{kind}?_page={start + 2}" if start + 2 < len(found) else None
    handler.send(200, bundle(*found[start : start + 2], next_url=following, total=len(found)))
    return True


def as_bundle(context: ProcessContext, chart: Chart) -> None:
    resources = [chart.patient, *chart.observations, chart.encounter, *(chart.conditions or [])]
    posted(context, bundle(*[one for one in resources if one is not None]))


def as_parameters(context: ProcessContext, chart: Chart) -> None:
    listed = [("observation", one) for one in chart.observations]
    listed += [("condition", one) for one in chart.conditions or []]
    listed += [("encounter", chart.encounter)] if chart.encounter is not None else []
    listed.append(("patient", chart.patient))
    given = [{"name": name, "resource": resource} for name, resource in listed]
    posted(context, {"resourceType": "Parameters", "parameter": given})


WAYS: dict[str, Callable[[ProcessContext, Chart], None]] = {
    "prefetch": by_prefetch,
    "Bundle": as_bundle,
    "Parameters": as_parameters,
}


@pytest.fixture(scope="module")
def server() -> Iterator[fake.FHIRServer]:
    with fake.fhir_server() as started:
        started.behaviours["*"] = all_of_a_type
        yield started


@pytest.fixture(scope="module")
def context(
    tmp_path_factory: pytest.TempPathFactory, server: fake.FHIRServer
) -> Iterator[ProcessContext]:
    made = new_context(
        tmp_path_factory.mktemp("ways"),
        allowed_fhir_servers=(server.url,),
        fhir_allow_private=True,
    )
    release(made, "1", KEPT, load(KEPT)[1])
    made.champion.refresh()
    set_time(made, NOW)
    yield made
    made.fhir.close()
    made.engine.dispose()


def stored_by(
    way: Callable[[ProcessContext, Chart], None], context: ProcessContext, chart: Chart
) -> Json:
    """What one way stores of the chart; the tables are empty again then."""
    way(context, chart)
    with context.engine.begin() as connection:
        row = connection.execute(select(ASSESSMENTS)).one()
        for table in (CARDS, OUTCOME_PULLS, OUTCOMES, CONDITIONS, ASSESSMENTS):
            connection.execute(delete(table))
    return {name: getattr(row, name) for name in COMPARED}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(charts())
def test_every_way_stores_the_same(
    context: ProcessContext, server: fake.FHIRServer, chart: Chart
) -> None:
    first, *others = [stored_by(way, context, chart) for way in WAYS.values()]
    for name, other in zip(list(WAYS)[1:], others, strict=True):
        # As text: NaN and the order of members count too.
        assert json.dumps(other) == json.dumps(first), name
    read = stored_by(partial(by_reading, server=server), context, chart)
    assert {name: read[name] for name in READ} == {name: first[name] for name in READ}


@st.composite
def measured(draw: st.DrawFn) -> Chart:
    """An adult with what a category needs, and some of the rest."""
    at = NOW.isoformat()
    values = [("8867-4", "/min", 40, 200), ("8310-5", "Cel", 34, 41), ("9279-1", "/min", 8, 40)]
    found = [
        observation(code, draw(st.integers(low * 10, high * 10)) / 10, unit, at=at)
        for code, unit, low, high in values[: draw(st.integers(2, 3))]
    ]
    top, pulse = draw(st.integers(80, 220)), draw(st.integers(10, 60))
    return Chart(
        patient(gender=draw(st.sampled_from(["female", "male", "unknown"]))),
        [*found, blood_pressure(top, top - pulse, at=at)],
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(measured())
def test_a_row_of_history_gives_the_same_features(context: ProcessContext, chart: Chart) -> None:
    stored = stored_by(by_prefetch, context, chart)
    assert stored["situation"] == "scored"
    values = {name: stored["features"].get(name) for name in ROW_NAMES}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        with path.open("w", newline="") as file:
            rows = csv.DictWriter(file, [*ROW_NAMES, "severity"])
            rows.writeheader()
            rows.writerow(values | {"severity": "mild"})
        frame = clean_history(read_history(path)).frame
    np.testing.assert_array_equal(frame_matrix(frame), row_matrix(FeatureRow(**values)))
