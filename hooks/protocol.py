"""What goes over the wire: the CDS Hooks 2.0.1 request, the answer, and error bodies.

Requests are read member by member: types are checked as strictly as a member is used, unknown
members are ignored (R5), and no message repeats a value that was received.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from hooks.errors import HookError, RequestError

T = TypeVar("T")

SPEC_VERSION = "2.0.1"
"""Version of CDS Hooks that is implemented (R10)."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_KINDS: Mapping[object, str] = {str: "a string", int: "a whole number", dict: "an object"}

Members = dict[str, msgspec.Raw]
"""A JSON object whose members are not decoded yet."""


@dataclass(frozen=True, slots=True)
class FHIRAuthorization:
    """Access to the FHIR server, for the time of one request (R26, R29)."""

    access_token: str = field(repr=False)
    expires_in: int | None
    """Seconds."""
    scope: str | None
    """As received: its syntax differs between vendors and is not checked."""
    subject: str | None
    patient: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class CDSRequest:
    """A service call (R24). What may hold patient data is not shown by `repr`."""

    hook: str
    hookInstance: str
    """Lower-case UUID."""
    context: msgspec.Raw = field(repr=False)
    fhirServer: str | None
    fhirAuthorization: FHIRAuthorization | None
    prefetch: Mapping[str, msgspec.Raw] | None = field(repr=False)
    """`None` if the client sent none; a value may be the JSON `null` (R17)."""


def parse_request(body: bytes, *, service_hook: str) -> CDSRequest:
    """Read the body of a service call.

    Raises `RequestError` (400) naming the element: not JSON, not an object, `hook`,
    `hookInstance` or `context` missing or of a wrong type, another hook than `service_hook`
    (R24), `fhirAuthorization` without `fhirServer` (R25), `prefetch` that is no object.
    """
    members = read_object(body, None)
    hook = required(members, "hook", str)
    if hook != service_hook:
        raise RequestError(f"`hook` must be `{service_hook}` for this service", element="hook")
    instance = required(members, "hookInstance", str)
    if not _UUID.fullmatch(instance):
        raise RequestError("`hookInstance` must be a UUID", element="hookInstance", code="value")
    required_object(members, "context")
    server = optional(members, "fhirServer", str)
    if server is not None and not server.startswith(("https://", "http://")):
        raise RequestError(
            "`fhirServer` must be an absolute http or https URL", element="fhirServer", code="value"
        )
    return CDSRequest(
        hook=hook,
        hookInstance=instance.lower(),
        context=members["context"],
        fhirServer=server,
        fhirAuthorization=_authorization(members, has_server=server is not None),
        prefetch=optional_object(members, "prefetch"),
    )


def _authorization(members: Members, *, has_server: bool) -> FHIRAuthorization | None:
    given = optional_object(members, "fhirAuthorization")
    if given is None:
        return None
    if not has_server:
        raise RequestError(
            "`fhirServer` is required with `fhirAuthorization`",
            element="fhirServer",
            code="required",
        )
    where = "fhirAuthorization"
    token_type = optional(given, "token_type", str, where=where)
    # RFC 6749 section 5.1: the token type is case-insensitive.
    if token_type is not None and token_type.lower() != "bearer":
        raise RequestError(
            "`fhirAuthorization.token_type` must be `Bearer`",
            element="fhirAuthorization.token_type",
            code="value",
        )
    return FHIRAuthorization(
        access_token=required(given, "access_token", str, where=where),
        expires_in=optional(given, "expires_in", int, where=where),
        scope=optional(given, "scope", str, where=where),
        subject=optional(given, "subject", str, where=where),
        patient=optional(given, "patient", str, where=where),
    )


def read_object(raw: bytes | msgspec.Raw, element: str | None) -> Members:
    """The members of a JSON object, undecoded.

    `element` is its path, `None` for the whole body. Raises `RequestError` if it is not JSON or
    not an object.
    """
    name = "The body" if element is None else f"`{element}`"
    try:
        return msgspec.json.decode(raw, type=Members)
    except msgspec.ValidationError:
        raise RequestError(
            f"{name} must be a JSON object", element=element, code="structure"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError(f"{name} is not JSON", element=element, code="structure") from None


def read_array(raw: bytes | msgspec.Raw, element: str) -> list[msgspec.Raw]:
    """The items of a JSON array, undecoded; raises `RequestError` like `read_object`."""
    return _decode(raw, list[msgspec.Raw], element, "an array")


def required(members: Members, name: str, kind: type[T], *, where: str = "") -> T:
    """A member that must be there; raises `RequestError`. An empty string counts as missing."""
    value = optional(members, name, kind, where=where)
    if value is None or value == "":
        path = _path(where, name)
        raise RequestError(f"`{path}` is required", element=path, code="required")
    return value


def optional(members: Members, name: str, kind: type[T], *, where: str = "") -> T | None:
    """A member that may be absent or `null`; raises `RequestError` for a wrong type."""
    raw = members.get(name)
    if raw is None or _is_null(raw):
        return None
    return _decode(raw, kind, _path(where, name), _KINDS[kind])


def required_object(members: Members, name: str, *, where: str = "") -> Members:
    """A member that must be a JSON object; raises `RequestError`."""
    value = optional_object(members, name, where=where)
    if value is None:
        path = _path(where, name)
        raise RequestError(f"`{path}` is required", element=path, code="required")
    return value


def optional_object(members: Members, name: str, *, where: str = "") -> Members | None:
    """A JSON object that may be absent or `null`; raises `RequestError` for a wrong type."""
    raw = members.get(name)
    if raw is None or _is_null(raw):
        return None
    return read_object(raw, _path(where, name))


def _decode(raw: bytes | msgspec.Raw, kind: type[T], element: str, words: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError(
            f"`{element}` must be {words}", element=element, code="structure"
        ) from None


def _is_null(raw: msgspec.Raw) -> bool:
    return bytes(raw).strip() == b"null"


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def cards_response(cards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of a successful answer (R34); no `systemActions` (R48)."""
    return {"cards": list(cards)}


def encode(value: Any) -> bytes:
    """JSON in UTF-8."""
    return msgspec.json.encode(value)


def operation_outcome(
    severity: str, code: str, diagnostics: str, expression: str | None = None
) -> dict[str, Any]:
    """A FHIR R4 OperationOutcome with one issue (R49).

    `severity` and `code` are of the FHIR value sets issue-severity and issue-type, `expression`
    is the path of the element.
    """
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": diagnostics}
    if expression is not None:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def error_outcome(error: HookError) -> dict[str, Any]:
    """The OperationOutcome that answers `error`."""
    return operation_outcome("error", error.code, error.message, error.element)
