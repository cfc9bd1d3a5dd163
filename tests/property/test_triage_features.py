"""The triage form gives the features, and the answer, of the equal CDS request."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from cds_service.context import ProcessContext
from cds_service.security.people import Person
from cds_service.security.permissions import Role
from cds_service.services.assessing import AssessingService
from cds_service.services.triage import TriageService
from cds_service.services.triage_form import read_form
from cds_service.storage.tables import ASSESSMENTS, CARDS
from fhir_mapping.units import convert
from model.artefact import load
from model.features import ABO_GROUPS, SEXES
from tests.support.artefacts import KEPT
from tests.support.builders import Json, blood_pressure, bundle, observation, patient, raw
from tests.support.service import new_context, release
from tests.support.stored import set_time
from tests.support.strategies import NOW

PERSON = Person("ana", "user:ana", frozenset({Role.CLINICIAN}), "s", "c")
COMPARED = (
    "features", "situation", "probabilities", "category", "prediction_set", "contributions",
    "atypicality", "indicator", "suppressed", "encounter_class",
)  # fmt: skip


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessContext]:
    made = new_context(tmp_path_factory.mktemp("triage"))
    release(made, "1", KEPT, load(KEPT)[1])
    made.champion.refresh()
    set_time(made, NOW)
    yield made
    made.engine.dispose()


def decimals(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low * 10, high * 10).map(lambda tenths: f"{tenths / 10:g}")


@st.composite
def forms(draw: st.DrawFn) -> dict[str, str]:
    """A form that is right: every field filled in or not, each unit, the extremes confirmed."""
    unit = draw(st.sampled_from(["Cel", "[degF]"]))
    low, high = (68, 114) if unit == "[degF]" else (20, 46)
    fields = {"sex": draw(st.sampled_from(SEXES)), "temperature_unit": unit}
    if draw(st.booleans()):
        fields["age"] = str(draw(st.integers(0, 122)))
    else:
        born = draw(st.dates(NOW.date().replace(year=NOW.year - 121), NOW.date()))
        fields["birth_date"] = born.isoformat()
    optional = {
        "heart_rate": decimals(1, 350),
        "body_temperature": decimals(low, high),
        "respiratory_rate": decimals(1, 120),
        "oxygen_saturation": decimals(1, 100),
        "exercise_days": st.integers(0, 7).map(str),
        "abo_group": st.sampled_from(ABO_GROUPS),
        "pregnant": st.sampled_from(["", "", "", "1"]),
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(values)
    if draw(st.booleans()) or not {"heart_rate", "body_temperature"} & set(fields):
        bottom = draw(st.integers(1, 219))
        fields["systolic_bp"] = str(draw(st.integers(max(bottom + 1, 20), 320)))
        fields["diastolic_bp"] = str(bottom)
    if "heart_rate" in fields and draw(st.booleans()):
        fields["heart_rate"] = fields["heart_rate"].replace(".", ",")
    return fields | {f"again-{name}": text for name, text in fields.items()}


def as_request(fields: dict[str, str], number: str) -> Json:
    """What a health record would send of the same patient, made without our own builder: one
    Observation a pressure pair, Celsius for a temperature in Fahrenheit."""
    codes = {
        "heart_rate": ("8867-4", "/min"),
        "respiratory_rate": ("9279-1", "/min"),
        "oxygen_saturation": ("2708-6", "%"),
        "exercise_days": ("89555-7", "d/wk"),
    }
    at, subject = NOW.isoformat(), f"Patient/{number}"

    def value(name: str) -> float:
        return float(fields[name].replace(",", "."))

    found = [
        observation(code, value(name), unit, at=at, subject=subject)
        for name, (code, unit) in codes.items()
        if name in fields
    ]
    if "body_temperature" in fields:
        unit = fields["temperature_unit"]
        celsius = convert("body_temperature", value("body_temperature"), unit, None, unit)
        assert celsius is not None
        found.append(observation("8310-5", celsius, "Cel", at=at, subject=subject))
    if "systolic_bp" in fields:
        pressures = value("systolic_bp"), value("diastolic_bp")
        found.append(blood_pressure(*pressures, at=at, subject=subject))
    coded = []
    if "abo_group" in fields:
        coded.append(("883-9", None, fields["abo_group"]))
    if fields.get("pregnant"):
        coded.append(("82810-3", "77386006", None))
    for code, snomed, text in coded:
        told: Json = observation(code, 1, "1", at=at, subject=subject)
        del told["valueQuantity"]
        told |= (
            {"valueString": text}
            if snomed is None
            else {
                "valueCodeableConcept": {
                    "coding": [{"system": "http://snomed.info/sct", "code": snomed}]
                }
            }
        )
        found.append(told)
    if "birth_date" in fields:
        born = fields["birth_date"]
    else:
        born = f"{NOW.year - int(fields['age']):04}{NOW.date().isoformat()[4:]}"
    who = patient(birth_date=born, gender=fields["sex"], id=number)
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": number, "encounterId": number},
        "prefetch": {"patient": who, "vitals": bundle(*found)},
    }


def taken(context: ProcessContext) -> tuple[dict[str, Any], str]:
    """What is stored, and the card without ids; the tables are empty again then."""
    with context.engine.begin() as connection:
        row = connection.execute(select(ASSESSMENTS)).one()
        for table in (CARDS, ASSESSMENTS):
            connection.execute(delete(table))
    answer = msgspec.json.decode(context.secrecy.decrypt(row.response))
    card = json.dumps(answer["cards"])
    return {name: getattr(row, name) for name in COMPARED}, re.sub(r"[0-9a-f-]{36}", "id", card)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(forms())
def test_the_form_gives_what_the_equal_request_gives(
    context: ProcessContext, fields: dict[str, str]
) -> None:
    service = TriageService(context)
    read = read_form(fields, NOW)
    assert read.entered is not None, read.problems
    number = service.new_number()
    service.assess(read.entered, number=number, sent=str(uuid4()), person=PERSON, language="en")
    by_form, form_card = taken(context)
    AssessingService(context).patient_view(
        raw(as_request(fields, number)), context.directory.triage, "en"
    )
    by_request, request_card = taken(context)
    # As text: the order of members counts too.
    assert json.dumps(by_form) == json.dumps(by_request)
    assert form_card == request_card
