"""The discovery document (R6 to R10)."""

from collections.abc import Iterable, Mapping
from typing import Any

from hooks import disease_severity, prefetch, record_discharge, record_problem
from hooks.protocol import SPEC_VERSION
from hooks.wording import Language, Wording
from model.assessment import ModelFacts

_ALWAYS = frozenset(prefetch.templates())


def discovery_document(
    facts: ModelFacts | None,
    language: Language,
    *,
    extra_inputs: Iterable[str] = (),
) -> dict[str, Any]:
    """The services on offer to one client.

    `facts` are those of the live model, `None` if there is none: services are offered without a
    model too, for discovery is always available (R6). `extra_inputs` are those the client has
    switched on; their prefetch templates come with the others.
    """
    templates = prefetch.templates(extra_inputs)
    wording = Wording(language)
    low, high = disease_severity.population(facts)
    usage = wording.say(
        "discovery.disease-severity.usage", low=wording.number(low), high=wording.number(high)
    )
    if facts is not None and facts.simulated:
        usage = f"{usage} {wording.say('discovery.simulated')}"
    if extra := [key for key in templates if key not in _ALWAYS]:
        names = wording.join(extra)
        usage = f"{usage} {wording.say('discovery.disease-severity.extra', names=names)}"
    return {
        "services": [
            _service(
                disease_severity.SERVICE_ID,
                disease_severity.HOOK,
                wording,
                usage,
                templates,
            ),
            _service(
                record_problem.SERVICE_ID,
                record_problem.HOOK,
                wording,
                wording.say("discovery.record-problem.usage"),
                record_problem.PREFETCH,
            ),
            _service(
                record_discharge.SERVICE_ID,
                record_discharge.HOOK,
                wording,
                wording.say("discovery.record-discharge.usage"),
                record_discharge.PREFETCH,
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
