"""Errors of the process; each knows the status and the words its caller gets."""


class ServiceError(Exception):
    """An error a caller can act on. `diagnostics` never holds a patient value or a token."""

    status = 500
    code = "exception"
    """FHIR issue type (http://hl7.org/fhir/issue-type)."""

    def __init__(self, diagnostics: str, *, element: str | None = None) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics
        self.element = element


class UnauthorizedError(ServiceError):
    """The caller is not known; no detail is given (R64)."""

    status = 401
    code = "login"

    def __init__(self) -> None:
        super().__init__("Unauthorized.")


class ForbiddenError(ServiceError):
    """The caller is known, but its bearer secret does not have this right."""

    status = 403
    code = "forbidden"


class SignInNeededError(ServiceError):
    """The page is for people who are signed in."""

    status = 401
    code = "login"

    def __init__(self) -> None:
        super().__init__("Sign in first.")


class FormKeptError(SignInNeededError):
    """Nobody is signed in any more, and what was typed is kept in the page, sealed."""

    def __init__(self, sealed: str, *, is_asked_again: bool = False) -> None:
        super().__init__()
        self.sealed = sealed
        self.is_asked_again = is_asked_again


class SignInRefusedError(ServiceError):
    """Name or password is wrong, or the provider says no; no detail is given."""

    status = 403
    code = "login"

    def __init__(self) -> None:
        super().__init__("Name or password is not right.")


class TooManyAttemptsError(ServiceError):
    """Too many attempts to sign in failed before."""

    status = 429
    code = "throttled"

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many attempts failed. Try again later.")
        self.seconds = seconds


class BusyError(ServiceError):
    """Too many do this at once."""

    status = 503
    code = "throttled"

    def __init__(self) -> None:
        super().__init__("Too many people do this at the moment. Try again in a minute.")


class NotPermittedError(ServiceError):
    """The person who is signed in does not have this permission."""

    status = 403
    code = "forbidden"

    def __init__(self, permission: str) -> None:
        super().__init__("Your role does not include this.")
        self.permission = permission


class FormRefusedError(ServiceError):
    """What was sent does not come from a page of this session (cross-site request forgery)."""

    status = 403
    code = "forbidden"

    def __init__(self) -> None:
        super().__init__("This does not come from a page of this session.")


class BadFormError(ServiceError):
    """What was sent is no form that can be read."""

    status = 400
    code = "invalid"


class NotFoundError(ServiceError):
    """There is no such service or resource."""

    status = 404
    code = "not-found"


class NotAcceptableError(ServiceError):
    """The caller wants another form of the answer than there is."""

    status = 406
    code = "not-supported"


class ConflictError(ServiceError):
    """The same `hookInstance` came with another body (C12)."""

    status = 409
    code = "conflict"


class TooLargeError(ServiceError):
    """The body is larger than any chart this service reads."""

    status = 413
    code = "too-long"


class UnsupportedMediaTypeError(ServiceError):
    """The body is in a form that is not read."""

    status = 415
    code = "not-supported"


class NotReadyError(ServiceError):
    """No model is loaded."""

    status = 503
    code = "transient"


class FHIRServerTimeoutError(ServiceError):
    """The FHIR server of the request did not answer in time."""

    status = 504
    code = "timeout"


class FHIRServerUnavailableError(ServiceError):
    """The FHIR server of the request cannot be reached, fails, or answers what is not FHIR."""

    status = 503
    code = "transient"


class ConfigurationError(Exception):
    """The process refuses to start; the message says what to set."""
