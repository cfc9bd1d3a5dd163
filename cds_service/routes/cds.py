"""CDS Hooks: discovery, the services and their feedback."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.routes.dependencies import answer, body, client, process
from cds_service.security.clients import Client
from cds_service.services.assessing import AssessingService
from cds_service.services.feedback import FeedbackService
from cds_service.services.problems import ProblemService
from hooks import disease_severity as severity
from hooks import record_problem as problem
from hooks.discovery import discovery_document

router = APIRouter(prefix="/cds-services")
Process = Annotated[ProcessContext, Depends(process)]
Caller = Annotated[Client, Depends(client)]
Body = Annotated[bytes, Depends(body)]


@router.get("", summary="Discovery")
def services(context: Process, _caller: Caller) -> Response:
    """The services and their prefetch templates (R6)."""
    scorer = context.champion.scorer
    facts = None if scorer is None else scorer.facts
    return answer(discovery_document(facts, context.settings.language))


@router.post(f"/{severity.SERVICE_ID}", summary="Severity from vital signs (patient-view)")
def disease_severity(context: Process, caller: Caller, content: Body) -> Response:
    """Cards for the chart that was opened."""
    return answer(AssessingService(context).patient_view(content, caller))


@router.post(f"/{problem.SERVICE_ID}", summary="New problems (problem-list-item-create)")
def record_problem(context: Process, caller: Caller, content: Body) -> Response:
    """Takes the Conditions as outcomes; no cards."""
    return answer(ProblemService(context).record(content, caller))


@router.post("/{service}/feedback", summary="What became of the cards")
def feedback(service: str, context: Process, caller: Caller, content: Body) -> Response:
    """200 with an empty object once the batch is stored (R52)."""
    _known(service)
    FeedbackService(context).record(content, service=service, client=caller.name)
    return answer({})


@router.post("/{service}", include_in_schema=False)
def unknown(service: str, _caller: Caller) -> Response:
    """404 with an OperationOutcome."""
    _known(service)
    raise NotFoundError("There is no such service.")


def _known(service: str) -> None:
    if service not in (severity.SERVICE_ID, problem.SERVICE_ID):
        raise NotFoundError("There is no such service; see /cds-services.", element="id")
