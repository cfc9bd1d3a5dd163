"""Errors a caller of a CDS service can act on; none holds a patient value."""


class HookError(Exception):
    """A request that cannot be answered as it is.

    `status` is the HTTP status, `code` the FHIR issue type, `element` the path of the element
    that is wrong or missing (`context.patientId`), if there is one.
    """

    status = 400
    code = "invalid"

    def __init__(self, message: str, *, element: str | None = None, code: str | None = None):
        super().__init__(message)
        self.message = message
        self.element = element
        if code is not None:
            self.code = code


class RequestError(HookError):
    """The body is not what CDS Hooks 2.0.1 asks for (R24, R25, R27, R53): 400."""


class PreconditionError(HookError):
    """Required data came neither with the request nor from the FHIR server (R20): 412."""

    status = 412
    code = "incomplete"
