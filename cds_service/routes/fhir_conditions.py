"""Diagnoses posted as FHIR: Conditions, Bundles with them, and Patients that were merged."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, UnsupportedMediaTypeError
from cds_service.routes.dependencies import answer, body, fhir_client, process
from cds_service.routes.fhir import FHIR_JSON
from cds_service.security.clients import Client, Right
from cds_service.services.condition_bundles import BundleIntake
from cds_service.services.conditions import ConditionIntake
from fhir_mapping.posted_json import decode_object
from fhir_mapping.replies import Reply
from fhir_mapping.transactions import expected_version, is_id

MEDIA_TYPES = (FHIR_JSON, "application/json", "application/json+fhir", "text/json")
"""What a posted resource may be called; the third is what it was called before R4."""

_RETURN = re.compile(r"\breturn\s*=\s*\"?(minimal|representation|OperationOutcome)\b", re.I)


async def fhir_json(request: Request) -> None:
    """Raises `UnsupportedMediaTypeError` unless the body says it is JSON, or says nothing."""
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if named and named not in MEDIA_TYPES:
        raise UnsupportedMediaTypeError(f"The body must be {FHIR_JSON}.", element="Content-Type")


router = APIRouter(prefix="/fhir")
Process = Annotated[ProcessContext, Depends(process)]
Sender = Annotated[Client, Depends(fhir_client(Right.CONDITIONS))]
Body = Annotated[bytes, Depends(body)]
JSON = [Depends(fhir_json)]


@router.post("", summary="Batch or transaction Bundle with Conditions", dependencies=JSON)
def bundle(request: Request, context: Process, sender: Sender, content: Body) -> Response:
    """200 with a response Bundle; a transaction that cannot be done is refused as a whole."""
    minimal = _preferred(request) == "minimal"
    reply = BundleIntake(context).process(decode_object(content), sender, bodies=not minimal)
    return _response(reply, "representation")


@router.post("/Condition", summary="A diagnosis", dependencies=JSON)
def create(request: Request, context: Process, sender: Sender, content: Body) -> Response:
    """201 with the Condition, 200 if it was there already."""
    reply = ConditionIntake(context).write(decode_object(content), sender)
    return _response(reply, _preferred(request))


@router.put("/Condition/{condition_id}", summary="A corrected diagnosis", dependencies=JSON)
def update(
    condition_id: str, request: Request, context: Process, sender: Sender, content: Body
) -> Response:
    """200 with the Condition, 201 if it is new."""
    reply = ConditionIntake(context).write(
        decode_object(content),
        sender,
        url_id=_known(condition_id),
        expected_version=expected_version(request.headers.get("if-match")),
    )
    return _response(reply, _preferred(request))


@router.delete("/Condition/{condition_id}", summary="A diagnosis entered in error")
def delete(condition_id: str, request: Request, context: Process, sender: Sender) -> Response:
    """204, whether or not it was there."""
    reply = ConditionIntake(context).delete(
        _known(condition_id),
        sender,
        expected_version=expected_version(request.headers.get("if-match")),
    )
    return _response(reply, "minimal")


@router.post("/Patient", summary="A Patient whose links tell of a merge", dependencies=JSON)
def create_patient(request: Request, context: Process, sender: Sender, content: Body) -> Response:
    """200; the Patient is not kept."""
    return _response(
        ConditionIntake(context).patient(decode_object(content), sender), _preferred(request)
    )


@router.put("/Patient/{patient_id}", summary="The same by its id", dependencies=JSON)
def update_patient(
    patient_id: str, request: Request, context: Process, sender: Sender, content: Body
) -> Response:
    """200; the Patient is not kept."""
    reply = ConditionIntake(context).patient(
        decode_object(content), sender, url_id=_known(patient_id)
    )
    return _response(reply, _preferred(request))


def _known(identifier: str) -> str:
    if not is_id(identifier):
        raise NotFoundError("The URL must end in a FHIR id.")
    return identifier


def _preferred(request: Request) -> str:
    """What `Prefer: return=…` asks for; a FHIR server gives the resource back by default."""
    found = _RETURN.search(request.headers.get("prefer", ""))
    return found[1] if found else "representation"


def _response(reply: Reply, preferred: str) -> Response:
    headers: dict[str, str] = {}
    if reply.etag is not None:
        headers["ETag"] = reply.etag
    if reply.location is not None:
        headers["Location"] = reply.location
    content: Mapping[str, Any] | None = reply.body
    if not reply.failed and preferred == "minimal":
        content = None
    elif not reply.failed and preferred.lower() == "operationoutcome":
        content = reply.outcome
    if content is None:
        return Response(status_code=reply.status, headers=headers)
    response = answer(content, status=reply.status, media_type=FHIR_JSON)
    response.headers.update(headers)
    return response
