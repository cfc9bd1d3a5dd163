"""Prefetch templates, and whether what a client sent can be used (R13 to R20)."""

from collections.abc import Mapping

import msgspec

from fhir_mapping.bundles import PrefetchState, prefetch_state
from hooks.errors import PreconditionError

DISEASE_SEVERITY: Mapping[str, str] = {
    "patient": "Patient/{{context.patientId}}",
    "vitals": (
        "Observation?patient={{context.patientId}}&category=vital-signs&_sort=-date&_count=100"
    ),
}
"""Both are required. Order and size are asked for, not relied on (R22)."""

_UNUSABLE = (PrefetchState.ABSENT, PrefetchState.OPERATION_OUTCOME, PrefetchState.MALFORMED)


def unavailable(
    templates: Mapping[str, str], given: Mapping[str, msgspec.Raw] | None
) -> dict[str, PrefetchState]:
    """Keys of `templates` that came in no usable form, with what came instead, in order.

    `null` and a Bundle without entries are answers: there is nothing on record (R17).
    """
    states = {key: prefetch_state((given or {}).get(key)) for key in templates}
    return {key: state for key, state in states.items() if state in _UNUSABLE}


def require(templates: Mapping[str, str], given: Mapping[str, msgspec.Raw] | None) -> None:
    """Raise `PreconditionError` (412, R20) naming every key that is not available."""
    missing = unavailable(templates, given)
    if not missing:
        return
    words = {
        PrefetchState.ABSENT: "was not sent",
        PrefetchState.OPERATION_OUTCOME: "is an OperationOutcome",
        PrefetchState.MALFORMED: "is not a FHIR resource",
    }
    parts = [f"`prefetch.{key}` {words[state]}" for key, state in missing.items()]
    raise PreconditionError(
        "Required data is not available: " + "; ".join(parts),
        element=f"prefetch.{next(iter(missing))}",
    )
