"""Prefetch templates, and which of what a client sent answers which of them (R13 to R20)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from fhir_mapping.bundles import PrefetchState, read_contents
from fhir_mapping.elements import head
from hooks.contexts import PatientViewContext
from hooks.errors import PreconditionError

ExtraInput = Literal["abo_group", "exercise_days"]

REQUIRED: Mapping[str, str] = {
    "patient": "Patient/{{context.patientId}}",
    "vitals": (
        "Observation?patient={{context.patientId}}&category=vital-signs&_sort=-date&_count=100"
    ),
}
"""Without them nothing can be said. Order and size are asked for, not relied on (R22)."""

OPTIONAL: Mapping[str, str] = {
    "encounter": "Encounter/{{context.encounterId}}",
    "conditions": "Condition?patient={{context.patientId}}",
}
"""They set the look-back (C7) and tell of a known pregnancy (C1) and of what is pre-existing."""

EXTRA: Mapping[ExtraInput, tuple[str, str]] = {
    "abo_group": (
        "blood_group",
        "Observation?patient={{context.patientId}}"
        "&code=http://loinc.org|882-1,http://loinc.org|883-9",
    ),
    "exercise_days": (
        "exercise",
        "Observation?patient={{context.patientId}}&code=http://loinc.org|89555-7",
    ),
}
"""Input that a client may have switched on → prefetch key and template."""

_TYPES: Mapping[str, str] = {
    "Patient": "patient",
    "Observation": "vitals",
    "Encounter": "encounter",
    "Condition": "conditions",
}
"""Resource type → the key it answers where the client's own key says nothing. Observations all go
together: their codes tell them apart later."""
_SINGLE = ("patient", "encounter")

UNUSABLE = (PrefetchState.ABSENT, PrefetchState.OPERATION_OUTCOME, PrefetchState.MALFORMED)
"""Not an answer. `null` and a Bundle without entries are: there is nothing on record (R17)."""

_CAME = {
    PrefetchState.ABSENT: "was not sent",
    PrefetchState.OPERATION_OUTCOME: "is an OperationOutcome",
    PrefetchState.MALFORMED: "is not a FHIR resource",
}


def templates(extra_inputs: Iterable[str] = ()) -> dict[str, str]:
    """Every template offered to a client with these extra inputs, required keys first (R9)."""
    extra = dict(EXTRA[name] for name in EXTRA if name in set(extra_inputs))
    return {**REQUIRED, **OPTIONAL, **extra}


DISEASE_SEVERITY: Mapping[str, str] = templates()
"""What every client is offered."""


def query(template: str, context: PatientViewContext) -> tuple[str, str | list[tuple[str, str]]]:
    """A template as a resource type with an id, or with search parameters.

    Raises `KeyError` for a token that the context does not fill.
    """
    tokens = {"{{context.patientId}}": context.patient_id}
    if context.encounter_id is not None:
        tokens["{{context.encounterId}}"] = context.encounter_id
    kind, slash, token = template.partition("/")
    if slash and "?" not in kind:
        return kind, tokens[token]
    kind, _, text = template.partition("?")
    parameters = (part.partition("=") for part in text.split("&"))
    return kind, [(name, tokens.get(value, value)) for name, _, value in parameters]


def recognise(
    given: Mapping[str, msgspec.Raw] | None,
    *,
    aliases: Mapping[str, str],
    keys: Collection[str],
) -> dict[str, list[msgspec.Raw]]:
    """What came, under our `keys`; several values of one key belong together.

    A key of the client's own counts as the one `aliases` names, else as the one its resources
    belong to by type, so that a site may call its keys as it likes, or have one for each code.
    Where nothing inside tells (`null`, an empty Bundle, an error), only an alias can.
    """
    found: dict[str, list[msgspec.Raw]] = {}
    unnamed = []
    for name, raw in (given or {}).items():
        key = aliases.get(name, name)
        if key in keys:
            found.setdefault(key, []).append(raw)
        elif name not in aliases:
            unnamed.append(raw)
    named = frozenset(found)
    for raw in unnamed:
        for key in _by_type(raw):
            # The patient who was named is not joined by somebody else's relative.
            if key in keys and not (key in _SINGLE and key in named):
                found.setdefault(key, []).append(raw)
    return found


def _by_type(raw: msgspec.Raw) -> list[str]:
    contents = read_contents(raw)
    types = (head(entry.raw).resource_type for entry in contents.entries if not entry.outcome)
    return list(
        dict.fromkeys(_TYPES[name] for name in types if name is not None and name in _TYPES)
    )


def unavailable(
    states: Mapping[str, PrefetchState], reasons: Mapping[str, str] | None = None
) -> PreconditionError:
    """412 (R20) that names every key that is not available, what came in its place and, in
    `reasons`, why it could not be read either."""
    parts = []
    for key, state in states.items():
        why = (reasons or {}).get(key)
        came = f"`prefetch.{key}` {_CAME.get(state, 'was not usable')}"
        parts.append(came if why is None else f"{came}, and {why}")
    return PreconditionError(
        "Required data is not available: " + "; ".join(parts),
        element=f"prefetch.{next(iter(states))}",
    )
