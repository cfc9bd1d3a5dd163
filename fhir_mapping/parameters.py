"""The body of `$assess-severity` taken apart: a Bundle, or Parameters.

Only the frame is judged here. Each resource goes on as it came, under the prefetch key it would
have had with CDS Hooks, so that both ways read it by the same rules.
See https://hl7.org/fhir/R4/operations.html and https://hl7.org/fhir/R4/parameters.html.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from fhir_mapping.elements import UNREADABLE, Element, Head, decode
from fhir_mapping.errors import PostedError, UnprocessableError
from fhir_mapping.references import PatientMatcher
from fhir_mapping.skipping import resource_reference
from fhir_mapping.subjects import literal

PARAMETERS: Mapping[str, str] = {
    "patient": "Patient",
    "observation": "Observation",
    "encounter": "Encounter",
    "condition": "Condition",
    "bundle": "Bundle",
    "subject": "Reference",
}
"""Parameters of the operation and what each holds; `encounter` may be a reference too."""

_KEY: Mapping[str, str] = {
    "Patient": "patient",
    "Encounter": "encounter",
    "Condition": "conditions",
}
"""Resource type → prefetch key; everything else is looked through for readings."""
_OTHER: Final = "vitals"

# FHIR R4 data type `id`: it ends in references and in URLs.
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_UUID_PREFIX = "urn:uuid:"
_DEEPEST: Final = 2
"""A Bundle within a Bundle is what a `batch-response` of searches is."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted, by prefetch key. Ids are not shown by `repr`."""

    patient_id: str = field(repr=False)
    """Id of the Patient, or the UUID of its `fullUrl`."""
    subject: str = field(repr=False)
    """Reference to it: `Patient/{id}` or `urn:uuid:…`."""
    encounter_id: str | None = field(repr=False)
    resources: Mapping[str, msgspec.Raw] = field(repr=False)
    places: Mapping[str, str] = field(repr=False)
    """`Observation/{id}` → where in the body it stands (`Bundle.entry[3].resource`)."""


class _Envelope(Element):
    resource_type: object = None
    entry: msgspec.Raw = msgspec.Raw()
    link: msgspec.Raw = msgspec.Raw()
    parameter: msgspec.Raw = msgspec.Raw()


class _Link(Element):
    relation: object = None


class _Entry(Element):
    full_url: object = None
    resource: msgspec.Raw = msgspec.Raw()
    search: object = None


class _Parameter(Element):
    name: object = None
    resource: msgspec.Raw = msgspec.Raw()
    value_reference: object = None


class _Subject(Head):
    """Whose an Encounter is; any shape, because another's is left to the reader of Encounters."""

    subject: object = None


class _Reference(Element):
    reference: object = None


@dataclass(frozen=True, slots=True)
class _Item:
    """One resource as posted."""

    raw: msgspec.Raw
    place: str
    found: Head
    full_url: str | None = None
    outcome: bool = False
    """Its Bundle entry says `search.mode = outcome`."""

    @property
    def resource_type(self) -> str:
        return self.found.resource_type or ""


@dataclass(slots=True)
class _Body:
    """Everything found in the body."""

    items: list[_Item] = field(default_factory=list)
    cut_short: bool = False
    """A Bundle has a next page: newer readings may exist (C7)."""
    subject: object = None
    encounter: object = None


def read_posted(body: bytes, *, fhir_server: str | None) -> Posted:
    """Find the patient, the readings and what else there is.

    `fhir_server` is the base URL that absolute references must have, `None` if it is not known.
    Raises `PostedError` (400) for what is neither a Bundle nor Parameters with the parameters of
    the operation, and `UnprocessableError` (422) without exactly one patient who can be told from
    others (C3).
    """
    found = _read(body)
    patient = _patient(found.items)
    patient_id, subject = _identity(patient, found.subject)
    matcher = PatientMatcher(
        patient_id, fhir_server, () if patient.full_url is None else (patient.full_url,)
    )
    if found.subject is not None and not matcher.matches(_reference(found.subject)):
        raise UnprocessableError(
            "`subject` is not the Patient that was sent.", element="Parameters.parameter"
        )
    return Posted(
        patient_id=patient_id,
        subject=subject,
        encounter_id=_encounter_id(found, matcher),
        resources=_resources(found, patient, patient_id),
        places=_places(found.items),
    )


def _read(body: bytes) -> _Body:
    try:
        body.decode()  # Strings that are not read would pass otherwise.
        envelope = msgspec.json.decode(body, type=_Envelope)
    except msgspec.ValidationError:
        raise PostedError("The body must be a FHIR resource.", element="Resource") from None
    except UNREADABLE:
        raise PostedError(
            "The body is not JSON in UTF-8, or is nested too deeply.", element="Resource"
        ) from None
    found = _Body()
    if envelope.resource_type == "Bundle":
        _read_bundle(envelope, "Bundle", found, depth=1)
    elif envelope.resource_type == "Parameters":
        _read_parameters(envelope, found)
    else:
        raise PostedError(
            "`resourceType` must be Bundle or Parameters.", element="Resource.resourceType"
        )
    return found


def _read_bundle(bundle: _Envelope, path: str, found: _Body, *, depth: int) -> None:
    links = [decode(raw, _Link) or _Link() for raw in _list(bundle.link, f"{path}.link")]
    found.cut_short = found.cut_short or any(link.relation == "next" for link in links)
    for index, raw in enumerate(_list(bundle.entry, f"{path}.entry")):
        entry = decode(raw, _Entry) or _Entry()
        _add(entry, f"{path}.entry[{index}].resource", found, depth)


def _read_parameters(parameters: _Envelope, found: _Body) -> None:
    for index, raw in enumerate(_list(parameters.parameter, "Parameters.parameter")):
        place = f"Parameters.parameter[{index}]"
        parameter = decode(raw, _Parameter) or _Parameter()
        name, reference = parameter.name, parameter.value_reference
        if not isinstance(name, str) or name not in PARAMETERS:
            raise PostedError(
                f"`name` must be one of {', '.join(PARAMETERS)}.", element=f"{place}.name"
            )
        if name == "subject" and reference is not None:
            found.subject = reference
        elif name == "encounter" and reference is not None:
            found.encounter = reference
        else:
            _check(name, parameter.resource, place)
            _add(_Entry(resource=parameter.resource), f"{place}.resource", found, depth=0)


def _check(name: str, resource: msgspec.Raw, place: str) -> None:
    """Raise `PostedError` unless the parameter holds what the operation says.

    A bad Observation or Condition is skipped with a reason, as it is in a Bundle.
    """
    head = decode(resource, Head)
    loose = name in ("observation", "condition") and bytes(resource).lstrip().startswith(b"{")
    typed = head is not None and head.resource_type == PARAMETERS[name]
    if name == "subject" or not (loose or typed):
        held = (
            "a Reference in `valueReference`"
            if name == "subject"
            else f"a resource of type {PARAMETERS[name]}"
        )
        raise PostedError(f"`{name}` must hold {held}.", element=place)


def _add(entry: _Entry, place: str, found: _Body, depth: int) -> None:
    """One resource; of a Bundle what is in it."""
    head = decode(entry.resource, Head) or Head()
    if head.resource_type == "Bundle" and depth < _DEEPEST:
        inner = decode(entry.resource, _Envelope)
        if inner is not None:
            _read_bundle(inner, place, found, depth=depth + 1)
            return
    url = entry.full_url if isinstance(entry.full_url, str) else None
    search = entry.search if isinstance(entry.search, Mapping) else {}
    found.items.append(_Item(entry.resource, place, head, url, search.get("mode") == "outcome"))


def _list(raw: msgspec.Raw, path: str) -> list[msgspec.Raw]:
    """The items of a JSON array, undecoded; none where it is absent or `null`."""
    if bytes(raw).strip() in (b"", b"null"):
        return []
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except UNREADABLE:
        raise PostedError(f"`{path}` must be a list.", element=path) from None


def _patient(items: list[_Item]) -> _Item:
    """The Patient; several versions of one Patient count as one."""
    patients = [item for item in items if item.resource_type == "Patient"]
    if not patients:
        raise UnprocessableError("There is no Patient.", element="Resource")
    if len({item.found.id or item.full_url for item in patients}) > 1:
        raise UnprocessableError(
            "There is more than one Patient; send one request for each.", element=patients[1].place
        )
    return patients[0]


def _identity(patient: _Item, subject: object) -> tuple[str, str]:
    """Id of the Patient and the reference to it. Raises `UnprocessableError`."""
    if patient.found.id:
        found: str | None = patient.found.id
    elif patient.full_url is not None:
        found = _id_in(patient.full_url)
    else:
        found = _id_in(_reference(subject))
    if found is None:
        raise UnprocessableError(
            "The Patient cannot be told from others: it needs an `id`, a `urn:uuid:` as `fullUrl`, "
            "or the parameter `subject`.",
            element=patient.place,
        )
    if not _ID.fullmatch(found):
        raise UnprocessableError(
            "The id of the Patient must be a FHIR id: letters, digits, `-` and `.`, at most 64.",
            element=f"{patient.place}.id",
        )
    by_uuid = not patient.found.id and _is_uuid(patient.full_url or _reference(subject) or "")
    return found, f"{_UUID_PREFIX}{found}" if by_uuid else f"Patient/{found}"


def _id_in(reference: str | None) -> str | None:
    """The id that a reference to a Patient ends with. A UUID has one spelling (RFC 9562)."""
    if reference is None:
        return None
    if _is_uuid(reference):
        return reference[len(_UUID_PREFIX) :].lower()
    found = literal({"reference": reference}, "Patient")
    return None if found is None else found.id


def _is_uuid(reference: str) -> bool:
    return reference[: len(_UUID_PREFIX)].lower() == _UUID_PREFIX


def _reference(element: object) -> str | None:
    found = element.get("reference") if isinstance(element, Mapping) else None
    return found if isinstance(found, str) else None


def _encounter_id(found: _Body, matcher: PatientMatcher) -> str | None:
    """Id of the encounter, if there is one and only one of this patient."""
    ids: set[str] = set()
    if found.encounter is not None:
        named = literal(found.encounter, "Encounter")
        if named is None:
            raise PostedError(
                "`encounter` must be a reference to an Encounter.", element="Parameters.parameter"
            )
        ids.add(named.id)
    for item in found.items:
        if item.resource_type == "Encounter" and item.found.id and _ID.fullmatch(item.found.id):
            encounter = decode(item.raw, _Subject) or _Subject()
            if matcher.matches(_reference(encounter.subject)):
                ids.add(item.found.id)
    return ids.pop() if len(ids) == 1 else None


def _resources(found: _Body, patient: _Item, patient_id: str) -> dict[str, msgspec.Raw]:
    """A Bundle for each prefetch key that would have been sent."""
    entries: dict[str, list[dict[str, object]]] = {"patient": [], _OTHER: []}
    for item in found.items:
        entry: dict[str, object] = {"resource": item.raw} if bytes(item.raw) else {}
        if item.full_url is not None:
            entry["fullUrl"] = item.full_url
        elif item is patient and not item.found.id:
            # Named by `subject` alone: this tells its reader so.
            entry["fullUrl"] = f"{_UUID_PREFIX}{patient_id}"
        if item.outcome:
            entry["search"] = {"mode": "outcome"}
        entries.setdefault(_KEY.get(item.resource_type, _OTHER), []).append(entry)
    bundles: dict[str, msgspec.Raw] = {}
    for key, listed in entries.items():
        bundle: dict[str, object] = {"resourceType": "Bundle", "entry": listed}
        if found.cut_short and key == _OTHER:
            bundle["link"] = [{"relation": "next"}]
        bundles[key] = msgspec.Raw(msgspec.json.encode(bundle))
    return bundles


def _places(items: list[_Item]) -> dict[str, str]:
    """Where each resource stands that can be told from the others by its id."""
    places: dict[str, str] = {}
    twice: set[str] = set()
    for reference, place in _named(items):
        if reference in places:
            twice.add(reference)
        places[reference] = place
    return {reference: place for reference, place in places.items() if reference not in twice}


def _named(items: list[_Item]) -> Iterator[tuple[str, str]]:
    for item in items:
        reference = resource_reference(item.resource_type, item.found.id)
        if reference is not None:
            yield reference, item.place
