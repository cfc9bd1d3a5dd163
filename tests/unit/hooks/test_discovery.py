"""The discovery document (R6 to R11)."""

import pytest

from hooks import record_discharge
from hooks.discovery import discovery_document
from hooks.prefetch import ExtraInput
from hooks.wording import LANGUAGES, Language
from tests.support.card_cases import some_facts
from tests.support.cards_check import assert_no_empty


@pytest.mark.requirement("R6")
@pytest.mark.requirement("R7")
@pytest.mark.requirement("R8")
@pytest.mark.requirement("R10")
@pytest.mark.requirement("R11")
@pytest.mark.parametrize("language", ["en", "es"])
def test_offers_its_services_also_without_a_model(language: str) -> None:
    for facts in (None, some_facts()):
        document = discovery_document(facts, language)

        assert_no_empty(document, "discovery")
        services = {service["id"]: service for service in document["services"]}
        assert {i: s["hook"] for i, s in services.items()} == {
            "disease-severity": "patient-view",
            "record-problem": "problem-list-item-create",
            "record-discharge": "encounter-discharge",
        }
        for service in services.values():
            assert service["title"]
            assert service["description"]
            assert service["version"] == "2.0.1"
            assert "{" not in service["description"] + service["usageRequirements"]


OFFERED = {
    "patient": "Patient/{{context.patientId}}",
    "vitals": (
        "Observation?patient={{context.patientId}}&category=vital-signs&_sort=-date&_count=100"
    ),
    "encounter": "Encounter/{{context.encounterId}}",
    "conditions": "Condition?patient={{context.patientId}}",
}


@pytest.mark.requirement("R9")
def test_prefetch_templates() -> None:
    severity, problem, discharge = discovery_document(None, "en")["services"]

    assert severity["prefetch"] == OFFERED
    assert "prefetch" not in problem
    assert discharge["prefetch"] == dict(record_discharge.PREFETCH)


@pytest.mark.parametrize(
    ("extra", "keys", "said"),
    [
        ((), [], ""),
        (("exercise_days",), ["exercise"], "exercise."),
        (("exercise_days", "abo_group"), ["blood_group", "exercise"], "blood_group and exercise."),
    ],
)
def test_extra_inputs_of_the_client_are_asked_for(
    extra: tuple[ExtraInput, ...], keys: list[str], said: str
) -> None:
    severity = discovery_document(None, "en", extra_inputs=extra)["services"][0]

    assert list(severity["prefetch"]) == [*OFFERED, *keys]
    assert severity["usageRequirements"].endswith(said)
    assert ("Used too" in severity["usageRequirements"]) == bool(extra)


@pytest.mark.parametrize("language", LANGUAGES)
def test_usage_names_the_keys_and_the_population(language: Language) -> None:
    facts = some_facts(min_age=16.0, max_age=100.0)
    usage = discovery_document(facts, language)["services"][0]["usageRequirements"]

    for key in OFFERED:
        assert key in usage
    assert "16" in usage
    assert "100" in usage
    assert "simul" not in usage


@pytest.mark.parametrize(("language", "word"), [("en", "simulated"), ("es", "simulados")])
def test_a_simulated_model_is_named_as_such(language: str, word: str) -> None:
    service = discovery_document(some_facts(simulated=True), language)["services"][0]

    assert word in service["usageRequirements"]
