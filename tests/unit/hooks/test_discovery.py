"""The discovery document (R6 to R11)."""

import pytest

from hooks.discovery import discovery_document
from tests.support.card_cases import some_facts
from tests.support.cards_check import check_no_empty


@pytest.mark.requirement("R6")
@pytest.mark.requirement("R7")
@pytest.mark.requirement("R8")
@pytest.mark.requirement("R10")
@pytest.mark.requirement("R11")
@pytest.mark.parametrize("language", ["en", "es"])
def test_offers_both_services_also_without_a_model(language: str) -> None:
    for facts in (None, some_facts()):
        document = discovery_document(facts, language)

        check_no_empty(document, "discovery")
        services = {service["id"]: service for service in document["services"]}
        assert {i: s["hook"] for i, s in services.items()} == {
            "disease-severity": "patient-view",
            "record-problem": "problem-list-item-create",
        }
        for service in services.values():
            assert service["title"]
            assert service["description"]
            assert service["version"] == "2.0.1"
            assert "{" not in service["description"]


@pytest.mark.requirement("R9")
def test_prefetch_templates() -> None:
    severity, problem = discovery_document(None, "en")["services"]

    assert severity["prefetch"] == {
        "patient": "Patient/{{context.patientId}}",
        "vitals": (
            "Observation?patient={{context.patientId}}&category=vital-signs&_sort=-date&_count=100"
        ),
    }
    assert "prefetch" not in problem


def test_usage_names_the_optional_keys_and_the_population() -> None:
    usage = discovery_document(some_facts(min_age=16.0, max_age=100.0), "en")["services"][0][
        "usageRequirements"
    ]

    assert "Encounter/{{context.encounterId}}" in usage
    assert "Condition?patient={{context.patientId}}" in usage
    assert "16 to 100 years" in usage
    assert "simulated" not in usage


@pytest.mark.parametrize(("language", "word"), [("en", "simulated"), ("es", "simulados")])
def test_a_simulated_model_is_named_as_such(language: str, word: str) -> None:
    service = discovery_document(some_facts(simulated=True), language)["services"][0]

    assert word in service["usageRequirements"]
