"""What a FHIR server says of what was posted to it: OperationOutcomes and response Bundles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fhir_mapping.resources import Issue


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    status: int
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    """The resource as it stands now, or an OperationOutcome."""
    location: str | None = field(default=None, repr=False)
    """Of the version, below the FHIR base URL."""
    etag: str | None = None
    outcome: Mapping[str, Any] | None = field(default=None, repr=False)
    """An OperationOutcome beside the resource, for who prefers it."""

    @property
    def failed(self) -> bool:
        """Whether nothing was done."""
        return self.status >= HTTPStatus.BAD_REQUEST


def operation_outcome(severity: str, code: str, issues: Sequence[Issue]) -> dict[str, Any]:
    """An OperationOutcome with one issue for each, naming the element."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": severity, "code": code, "diagnostics": str(issue)}
            | ({"expression": [issue.element]} if issue.element else {})
            for issue in issues
        ],
    }


def refusal(status: int, code: str, issues: Sequence[Issue]) -> Reply:
    """A request that is not done."""
    return Reply(status, operation_outcome("error", code, issues))


def response_bundle(kind: str, replies: Sequence[Reply], *, bodies: bool) -> dict[str, Any]:
    """The Bundle that answers a `batch` or `transaction`, an entry for each of its entries."""
    entries = []
    for reply in replies:
        response: dict[str, Any] = {"status": f"{reply.status} {HTTPStatus(reply.status).phrase}"}
        if reply.location is not None:
            response["location"] = reply.location
        if reply.etag is not None:
            response["etag"] = reply.etag
        entry: dict[str, Any] = {"response": response}
        if reply.failed:
            response["outcome"] = reply.body
        else:
            if reply.outcome is not None:
                response["outcome"] = reply.outcome
            if bodies and reply.body is not None:
                entry["resource"] = reply.body
        entries.append(entry)
    answer: dict[str, Any] = {"resourceType": "Bundle", "type": f"{kind}-response"}
    return answer | ({"entry": entries} if entries else {})
