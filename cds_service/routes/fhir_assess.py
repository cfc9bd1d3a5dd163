"""Assessments as FHIR, for callers without CDS Hooks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import answer, body, fhir_client, process
from cds_service.routes.fhir import FHIR_JSON
from cds_service.routes.fhir_conditions import JSON
from cds_service.security.clients import Client, Right
from cds_service.services.risk_assessments import RiskAssessmentService
from cds_service.services.severity_operation import SeverityOperationService
from hooks.risk_assessment import OPERATION
from hooks.wording import Language, choose_language

router = APIRouter(prefix="/fhir")
Process = Annotated[ProcessContext, Depends(process)]
Assessor = Annotated[Client, Depends(fhir_client(Right.ASSESS))]
Reader = Annotated[Client, Depends(fhir_client(Right.READ))]
Body = Annotated[bytes, Depends(body)]


async def language(request: Request) -> Language | None:
    """What the caller would like to read."""
    return choose_language(request.headers.get("accept-language"))


Wanted = Annotated[Language | None, Depends(language)]


@router.post(f"/${OPERATION}", summary="Severity from vital signs", dependencies=JSON)
def assess_severity(
    request: Request, context: Process, caller: Assessor, content: Body, wanted: Wanted
) -> Response:
    """A RiskAssessment of the patient in a Bundle or in Parameters."""
    return answer(
        SeverityOperationService(context).assess(
            content,
            caller,
            idempotency_key=request.headers.get("idempotency-key"),
            request_id=request.headers.get("x-request-id"),
            language=wanted,
        ),
        media_type=FHIR_JSON,
    )


@router.get("/RiskAssessment/{identifier}", summary="An assessment made before")
def risk_assessment(identifier: str, context: Process, caller: Reader, wanted: Wanted) -> Response:
    """The RiskAssessment of an assessment, also of one that answered with cards."""
    found = RiskAssessmentService(context).read(identifier, caller, wanted)
    return answer(found, media_type=FHIR_JSON)
