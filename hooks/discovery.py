"""The discovery document (R6 to R10)."""

from collections.abc import Mapping
from typing import Any

from hooks import disease_severity, prefetch, record_problem
from hooks.protocol import SPEC_VERSION
from hooks.wording import Language, Wording
from model.assessment import ModelFacts


def discovery_document(facts: ModelFacts | None, language: Language) -> dict[str, Any]:
    """The services on offer; `facts` are those of the live model, `None` if there is none.

    Services are offered without a model too: discovery is always available (R6).
    """
    wording = Wording(language)
    low, high = disease_severity.population(facts)
    usage = wording.say(
        "discovery.disease-severity.usage", low=wording.number(low), high=wording.number(high)
    )
    if facts is not None and facts.simulated:
        usage = f"{usage} {wording.say('discovery.simulated')}"
    return {
        "services": [
            _service(
                disease_severity.SERVICE_ID,
                disease_severity.HOOK,
                wording,
                usage,
                prefetch.DISEASE_SEVERITY,
            ),
            _service(
                record_problem.SERVICE_ID,
                record_problem.HOOK,
                wording,
                wording.say("discovery.record-problem.usage"),
                record_problem.PREFETCH,
            ),
        ]
    }


def _service(
    service_id: str, hook: str, wording: Wording, usage: str, templates: Mapping[str, str]
) -> dict[str, Any]:
    service: dict[str, Any] = {
        "id": service_id,
        "hook": hook,
        "title": wording.say(f"discovery.{service_id}.title"),
        "description": wording.say(f"discovery.{service_id}.description"),
        "usageRequirements": usage,
        "version": SPEC_VERSION,
    }
    if templates:
        service["prefetch"] = dict(templates)
    return service
