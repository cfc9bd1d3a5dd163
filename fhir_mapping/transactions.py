"""Batch and transaction Bundles taken apart (FHIR R4, http.html#transaction).

What this service does with each type is the caller's; here is only what may be asked, and how.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_mapping.resources import Issue, parse_resource

BUNDLE_TYPES: Final = ("batch", "transaction")
MAX_ENTRIES: Final = 5_000
"""Entries of one Bundle. Our own choice: a body of 20 MB holds about that many Conditions."""

INTERACTIONS: Mapping[str, tuple[str, ...]] = {
    "Condition": ("POST", "PUT", "DELETE"),
    "Patient": ("POST", "PUT"),
    "Encounter": ("POST", "PUT"),
}
"""What may be asked of each type; Patients and Encounters are read, not kept."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_URL = re.compile(r"(?P<type>[A-Za-z]{1,64})(?:/(?P<id>[^/?]+))?(?P<query>\?.*)?", re.DOTALL)
_VERSION = re.compile(r'(?:W/)?"(?P<number>\d{1,9})"')
_NO_VERSION: Final = -1
"""A version tag that none of ours can be: it never matches."""


@dataclass(frozen=True, slots=True)
class Request:
    """One entry that can be done."""

    index: int
    method: str
    type_name: str
    id: str | None = field(repr=False)
    """Of the URL, else of the resource."""
    resource: dict[str, Any] | None = field(repr=False)
    """Valid FHIR; `None` for DELETE."""
    full_url: str | None = field(repr=False)
    expected_version: int | None = None
    """Of `ifMatch`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry, or a whole resource, that cannot be done, and how a FHIR server answers it."""

    index: int
    status: int
    code: str
    """FHIR issue type."""
    issues: tuple[Issue, ...]
    """With paths from the Bundle on."""


def read_entries(bundle: Mapping[str, Any]) -> tuple[str, list[Request | Fault]] | Fault:
    """The type of a Bundle and its entries in order, each as what it asks or why that cannot be.

    Never raises. Resources are checked by `parse_resource`.
    """
    kind = bundle.get("type")
    entries = bundle.get("entry", [])
    if kind not in BUNDLE_TYPES:
        return _fault(-1, 422, "value", "Bundle.type", "must be batch or transaction")
    if not isinstance(entries, list):
        return _fault(-1, 422, "structure", "Bundle.entry", "must be a list")
    if len(entries) > MAX_ENTRIES:
        return _fault(-1, 413, "too-long", "Bundle.entry", f"may hold {MAX_ENTRIES} at most")
    return str(kind), [_entry(index, entry) for index, entry in enumerate(entries)]


def expected_version(if_match: str | None) -> int | None:
    """The version an `If-Match` names; `None` where it was not sent."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _VERSION.fullmatch(if_match.strip())
    return int(match["number"]) if match else _NO_VERSION


def is_id(text: str) -> bool:
    """Whether it is of the FHIR data type `id`."""
    return _ID.fullmatch(text) is not None


def check_resource(
    type_name: str, resource: object, url_id: str | None, *, path: str = ""
) -> tuple[dict[str, Any], str | None] | Fault:
    """A posted resource and its id, or why it is refused: 400 where the id of an update is not
    that of its URL, 422 where it is not valid FHIR. `path` goes before the type in messages."""
    if not isinstance(resource, Mapping):
        return _fault(-1, 400, "structure", path or type_name, "must be a resource")
    parsed = parse_resource(type_name, resource)
    if isinstance(parsed, list):
        # In a Bundle the path is that of the entry, and its own type is left out of it.
        issues = [
            Issue(f"{path}{issue.element.removeprefix(type_name)}" if path else issue.element, m)
            for issue in parsed
            for m in (issue.message,)
        ]
        return Fault(-1, 422, "invalid", tuple(issues))
    own = parsed.get("id")
    if own is not None and not is_id(own):
        # The models look at its letters and not at its length.
        return _fault(-1, 422, "value", f"{path or type_name}.id", "must be a FHIR id")
    if url_id is not None and own != url_id:
        return _fault(-1, 400, "invalid", f"{path or type_name}.id", "must be the id of the URL")
    return parsed, own


def resolve_within(requests: Sequence[Request]) -> dict[str, str]:
    """`fullUrl` → `Type/id` of the entries, for references between them."""
    return {
        request.full_url: f"{request.type_name}/{request.id}"
        for request in requests
        if request.full_url is not None and request.id is not None
    }


def with_references(resource: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A Condition with subject and encounter named as they are outside the Bundle."""
    changed = dict(resource)
    for element in ("subject", "encounter"):
        reference = resource.get(element)
        target = reference.get("reference") if isinstance(reference, Mapping) else None
        if isinstance(target, str) and target.startswith("urn:") and target in names:
            changed[element] = {**reference, "reference": names[target]}  # type: ignore[dict-item]  # checked two lines up
    return changed


def _entry(index: int, entry: object) -> Request | Fault:
    path = f"Bundle.entry[{index}]"
    request = entry.get("request") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(request, Mapping):
        return _fault(index, 400, "required", f"{path}.request", "is missing")
    method, url = request.get("method"), request.get("url")
    if method not in _METHODS:
        return _fault(index, 400, "value", f"{path}.request.method", "must be an HTTP method")
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is None:
        return _fault(
            index, 400, "value", f"{path}.request.url", "must be relative, as Type or Type/id"
        )
    type_name, url_id = match["type"], match["id"]
    if type_name not in INTERACTIONS:
        return _fault(
            index, 404, "not-supported", f"{path}.request.url", "names no type taken here"
        )
    needs_id = method in ("PUT", "DELETE")
    if method not in INTERACTIONS[type_name] or match["query"] or needs_id is not bool(url_id):
        return _fault(
            index,
            405,
            "not-supported",
            f"{path}.request",
            "asks what is not done here: create, update by id and, of a Condition, delete by id",
        )
    if url_id is not None and not is_id(url_id):
        return _fault(index, 400, "value", f"{path}.request.url", "must end in a FHIR id")
    full_url = entry.get("fullUrl")
    if_match = request.get("ifMatch")
    common: dict[str, Any] = {
        "full_url": full_url if isinstance(full_url, str) else None,
        "expected_version": expected_version(if_match if isinstance(if_match, str) else None),
    }
    if method == "DELETE":
        return Request(index, "DELETE", type_name, url_id, None, **common)
    checked = check_resource(type_name, entry.get("resource"), url_id, path=f"{path}.resource")
    if isinstance(checked, Fault):
        return Fault(index, checked.status, checked.code, checked.issues)
    resource, own = checked
    return Request(index, str(method), type_name, own, resource, **common)


def _fault(index: int, status: int, code: str, element: str, message: str) -> Fault:
    return Fault(index, status, code, (Issue(element, message),))
