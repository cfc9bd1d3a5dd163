"""Errors of FHIR mapping; each names the element, never a patient value."""

from enum import StrEnum


class MappingError(Exception):
    """A resource that the request cannot do without is wrong; `element` is its path.

    `status` is the HTTP status, `code` the FHIR issue type.
    """

    status = 400
    code = "value"

    def __init__(self, message: str, *, element: str) -> None:
        super().__init__(message)
        self.element = element


class WrongPatientError(MappingError):
    """The `patient` resource is not the patient of the request (clinical rule C3)."""


class PostedError(MappingError):
    """What was posted to `/fhir` is not the FHIR that is read there: 400."""

    code = "structure"


class UnprocessableError(MappingError):
    """What was posted to `/fhir` is FHIR, and breaks a rule of what is done with it: 422."""

    status = 422
    code = "business-rule"


class AccessFault(StrEnum):
    """Why a FHIR server gave no answer that can be used."""

    REFUSED = "refused"
    """By us: an address, URL or redirect that is not followed."""
    UNAUTHORIZED = "unauthorized"
    """401, 403, or no token that can be used."""
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    """Another 4xx, or an OperationOutcome in place of the result."""
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    """429 for too long, 5xx, no connection."""
    MALFORMED = "malformed"
    """HTML, damaged JSON, too large, not FHIR."""


class FHIRAccessError(Exception):
    """A FHIR server could not be read; `detail` is a fixed phrase, never what was sent."""

    def __init__(self, kind: AccessFault, detail: str = "") -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
        self.detail = detail
