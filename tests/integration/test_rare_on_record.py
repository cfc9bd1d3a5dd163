"""A rare disease known to the chart, through the whole service."""

from dataclasses import replace
from time import monotonic, sleep
from typing import Any

import msgspec
from sqlalchemy import func, select

from cds_service.storage.tables import ASSESSMENTS, CONDITIONS
from model.prototypes import PrototypeHead, Prototypes
from model.rarity import Rarity
from tests.support.service import Service

SENTENCE = "Rare disease on record: "


def marfan(**changes: Any) -> dict[str, Any]:
    coding = {"system": "https://www.orpha.net", "code": "558", "display": "Marfan syndrome"}
    return {
        "resourceType": "Condition",
        "id": "rare",
        "code": {"coding": [coding]},
        "subject": {"reference": "Patient/p1"},
    } | changes


def opened(service: Service, *conditions: dict[str, Any]) -> dict[str, Any]:
    """The card of a chart with these Conditions."""
    request = service.request(service.vitals())
    if conditions:
        request["prefetch"]["conditions"] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": one} for one in conditions],
        }
    (card,) = service.assess(request).json()["cards"]
    assert isinstance(card, dict)
    return card


def kept(service: Service, versions: int) -> None:
    """Wait until so many versions of Conditions are kept, which is after the answer is out."""
    deadline = monotonic() + 20
    while monotonic() < deadline:
        with service.context.engine.connect() as connection:
            if (
                connection.execute(select(func.count()).select_from(CONDITIONS)).scalar()
                == versions
            ):
                return
        sleep(0.02)
    raise AssertionError("the Conditions were not kept")


def stored(service: Service) -> list[dict[str, Any]]:
    with service.context.engine.connect() as connection:
        rows = connection.execute(select(ASSESSMENTS).order_by(ASSESSMENTS.c.prediction_time))
        return [dict(row._mapping) for row in rows]


def test_it_is_shown_and_kept_without_its_name(service: Service) -> None:
    card = opened(service, marfan())
    assert f"{SENTENCE}Marfan syndrome (ORPHA:558)." in card["detail"]

    (row,) = stored(service)
    assert row["provenance"]["rare"] == ["ORPHA:558"]
    assert "Marfan" not in msgspec.json.encode(row["provenance"]).decode()
    identifiers = msgspec.json.decode(service.context.secrecy.decrypt(row["identifiers"]))
    assert identifiers["rare_names"] == {"ORPHA:558": "Marfan syndrome"}


def test_what_was_said_is_said_again_when_it_is_read_back(service: Service) -> None:
    opened(service, marfan())
    (row,) = stored(service)
    answer = service.http.get(f"/fhir/RiskAssessment/{row['id']}").json()
    assert any(f"{SENTENCE}Marfan syndrome (ORPHA:558)." in n["text"] for n in answer["note"])
    stated = {
        p["outcome"]["coding"][0]["code"] for p in answer["prediction"] if "probabilityDecimal" in p
    }
    assert not stated & {"not-ill", "mild"}


def test_a_condition_that_came_earlier_is_remembered_by_its_code(service: Service) -> None:
    assert SENTENCE not in opened(service)["detail"]
    opened(service, marfan())
    kept(service, 1)
    assert f"{SENTENCE}ORPHA:558. " in opened(service)["detail"]
    # In the chart once more, it has its name again and is said once.
    assert opened(service, marfan())["detail"].count(SENTENCE) == 1


def test_what_is_taken_back_is_no_longer_on_record(service: Service) -> None:
    opened(service, marfan())
    kept(service, 1)
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    refuted = {"coding": [{"system": system, "code": "refuted"}]}
    # The correction is kept once its answer is out; until then caution stays.
    assert SENTENCE in opened(service, marfan(verificationStatus=refuted))["detail"]
    kept(service, 2)
    assert SENTENCE not in opened(service)["detail"]


def test_another_patients_disease_is_not_told(service: Service) -> None:
    opened(service, marfan())
    kept(service, 1)
    request = service.request(service.vitals())
    request["context"]["patientId"] = request["prefetch"]["patient"]["id"] = "p2"
    for observation in request["prefetch"]["vitals"]["entry"]:
        observation["resource"]["subject"] = {"reference": "Patient/p2"}
    (card,) = service.assess(request).json()["cards"]
    assert SENTENCE not in card["detail"]


def test_posted_conditions_widen_caution_too(service: Service) -> None:
    patient = service.request([])["prefetch"]["patient"]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in (patient, *service.vitals(), marfan())],
    }
    answer = service.http.post("/fhir/$assess-severity", json=bundle)
    assert answer.status_code == 200, answer.text
    assert any("Marfan syndrome (ORPHA:558)." in note["text"] for note in answer.json()["note"])
    (row,) = stored(service)
    assert row["provenance"]["rare"] == ["ORPHA:558"]


def test_a_match_is_kept_with_the_assessment_and_read_back(service: Service) -> None:
    scorer = service.context.champion.scorer
    assert scorer is not None
    rarity = scorer.artefact.rarity
    contrasts = len(scorer.classes) - 1
    names = (*rarity.inputs, *(f"logit_{i}" for i in range(contrasts)))
    size = len(names)
    space = Rarity(
        names,
        (*rarity.centre, *([0.0] * contrasts)),
        (*rarity.scale, *([1.0] * contrasts)),
        tuple(tuple(float(i == j) for j in range(size)) for i in range(size)),
        (),
    )
    fast = tuple(2.0 if name == "heart_rate" else 0.0 for name in names)
    head = PrototypeHead("ORPHA:423", "Malignant hyperthermia", 4, fast, 4.0, 0.01)
    heads = Prototypes(space, (head,))
    scorer.artefact, before = replace(scorer.artefact, prototypes=heads), scorer.artefact
    try:
        request = service.request(service.vitals(heart_rate=160))
        (card,) = service.assess(request).json()["cards"]
        (row,) = stored(service)
        again = service.http.get(f"/fhir/RiskAssessment/{row['id']}").json()
    finally:
        scorer.artefact = before

    sentence = "simulated cases of Malignant hyperthermia (ORPHA:423)"
    assert sentence in card["detail"]
    assert any(sentence in note["text"] for note in again["note"])
    (match,) = row["provenance"]["rare_matches"]
    assert (match["code"], match["cases"], match["flag_rate"]) == ("ORPHA:423", 4, 0.01)
