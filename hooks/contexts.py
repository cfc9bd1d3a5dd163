"""The hook contexts that are served, checked (R27, CDS Hooks library 1.0 and 0.1.0)."""

import re
from dataclasses import dataclass, field

import msgspec

from hooks.errors import RequestError
from hooks.protocol import Members, optional, read_object, required, required_object

# FHIR R4 data type `id`. Ids go into references and FHIR URLs: nothing else may pass.
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
USER_TYPES = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
"""Who may open a chart (hook library, patient-view)."""


@dataclass(frozen=True, slots=True)
class PatientViewContext:
    """Context of `patient-view` 1.0. Ids are not shown by `repr`."""

    user_id: str = field(repr=False)
    """`Type/id`."""
    patient_id: str = field(repr=False)
    """Bare FHIR id."""
    encounter_id: str | None = field(default=None, repr=False)
    """Bare FHIR id."""

    @property
    def user_type(self) -> str:
        """One of `USER_TYPES`."""
        return self.user_id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class ProblemListItemCreateContext:
    """Context of `problem-list-item-create` 0.1.0."""

    user_id: str = field(repr=False)
    patient_id: str = field(repr=False)
    conditions: msgspec.Raw = field(repr=False)
    """A Bundle of Condition resources, undecoded."""
    encounter_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class EncounterDischargeContext:
    """Context of `encounter-discharge` 1.0; all three are required."""

    user_id: str = field(repr=False)
    patient_id: str = field(repr=False)
    encounter_id: str = field(repr=False)


def parse_patient_view(context: msgspec.Raw) -> PatientViewContext:
    """Read the context; raises `RequestError` (400) naming the element (R27)."""
    members = read_object(context, "context")
    return PatientViewContext(_user_id(members), _patient_id(members), _encounter_id(members))


def parse_problem_list_item_create(context: msgspec.Raw) -> ProblemListItemCreateContext:
    """Read the context; raises `RequestError` (400) naming the element.

    What is inside the Bundle is left to the reader of Conditions: one bad resource never sinks
    the request.
    """
    members = read_object(context, "context")
    user_id, patient_id = _user_id(members), _patient_id(members)
    bundle = required_object(members, "conditions", where="context")
    if optional(bundle, "resourceType", str, where="context.conditions") != "Bundle":
        raise RequestError(
            "`context.conditions` must be a Bundle", element="context.conditions", code="structure"
        )
    return ProblemListItemCreateContext(
        user_id, patient_id, members["conditions"], _encounter_id(members)
    )


def parse_encounter_discharge(context: msgspec.Raw) -> EncounterDischargeContext:
    """Read the context; raises `RequestError` (400) naming the element."""
    members = read_object(context, "context")
    user_id, patient_id = _user_id(members), _patient_id(members)
    required(members, "encounterId", str, where="context")
    return EncounterDischargeContext(user_id, patient_id, _encounter_id(members) or "")


def _user_id(members: Members) -> str:
    user_id = required(members, "userId", str, where="context")
    kind, slash, bare = user_id.partition("/")
    if not slash or kind not in USER_TYPES or not _ID.fullmatch(bare):
        raise RequestError(
            "`context.userId` must be `Type/id` with one of the types " + ", ".join(USER_TYPES),
            element="context.userId",
            code="value",
        )
    return user_id


def _patient_id(members: Members) -> str:
    patient_id = required(members, "patientId", str, where="context")
    if not _ID.fullmatch(patient_id):
        raise RequestError(
            "`context.patientId` must be a bare FHIR id, without `Patient/`",
            element="context.patientId",
            code="value",
        )
    return patient_id


def _encounter_id(members: Members) -> str | None:
    """The bare id; `Encounter/x` is read too, since clients send both."""
    encounter_id = optional(members, "encounterId", str, where="context")
    if not encounter_id:
        return None
    bare = encounter_id.removeprefix("Encounter/")
    if not _ID.fullmatch(bare):
        raise RequestError(
            "`context.encounterId` must be a FHIR id", element="context.encounterId", code="value"
        )
    return bare
