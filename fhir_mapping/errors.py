"""Errors of FHIR mapping; each names the element, never a patient value."""


class MappingError(Exception):
    """A resource that the request cannot do without is wrong; `element` is its path."""

    def __init__(self, message: str, *, element: str) -> None:
        super().__init__(message)
        self.element = element


class WrongPatientError(MappingError):
    """The `patient` resource is not the patient of the request (clinical rule C3)."""
