"""CDS Hooks: discovery, the services and their feedback."""

from collections.abc import Callable
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.routes.dependencies import answer, body, client, deadline, process
from cds_service.security.clients import Client
from cds_service.services.assessing import AssessingService
from cds_service.services.discharges import DischargeService
from cds_service.services.feedback import FeedbackService
from cds_service.services.problems import ProblemService
from hooks import disease_severity as severity
from hooks import record_discharge as discharge
from hooks import record_problem as problem
from hooks.discovery import discovery_document
from hooks.wording import Language, choose_language

router = APIRouter(prefix="/cds-services")
Process = Annotated[ProcessContext, Depends(process)]
Until = Annotated[float, Depends(deadline)]
"""Stands before the caller: whoever waits for keys, waits in the time of the call."""
Caller = Annotated[Client, Depends(client)]
Body = Annotated[bytes, Depends(body)]


@router.get("", summary="Discovery")
def services(request: Request, context: Process, caller: Caller) -> Response:
    """The services and their prefetch templates (R6)."""
    scorer = context.champion.scorer
    facts = None if scorer is None else scorer.facts
    language = _language(request, caller, context)
    document = discovery_document(facts, language, extra_inputs=caller.extra_inputs(facts))
    return _said(document, language)


@router.post(f"/{severity.SERVICE_ID}", summary="Severity from vital signs (patient-view)")
def disease_severity(
    request: Request, context: Process, until: Until, caller: Caller, content: Body
) -> Response:
    """Cards for the chart that was opened."""
    tasks = BackgroundTasks()

    async def aside(work: Callable[[], None]) -> None:
        # Not in the threads that answer: it may wait for others who write.
        await run_sync(work, limiter=request.app.state.afterwards)

    language = _language(request, caller, context)
    cards = AssessingService(context).patient_view(
        content, caller, language, later=lambda work: tasks.add_task(aside, work), deadline=until
    )
    response = _said(cards, language)
    response.background = tasks
    return response


@router.post(f"/{problem.SERVICE_ID}", summary="New problems (problem-list-item-create)")
def record_problem(context: Process, caller: Caller, content: Body) -> Response:
    """Takes the Conditions as outcomes; no cards."""
    return answer(ProblemService(context).record(content, caller))


@router.post(f"/{discharge.SERVICE_ID}", summary="End of an encounter (encounter-discharge)")
def record_discharge(context: Process, caller: Caller, content: Body) -> Response:
    """Takes the diagnoses of the encounter as outcomes; no cards."""
    return answer(DischargeService(context).record(content, caller))


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


def _language(request: Request, caller: Client, context: ProcessContext) -> Language:
    """What its client is set to, else what the caller would like to read."""
    wanted = choose_language(request.headers.get("accept-language"))
    return caller.settings.language or wanted or context.settings.language


def _said(content: object, language: Language) -> Response:
    response = answer(content)
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept-Language"
    return response


def _known(service: str) -> None:
    if service not in (severity.SERVICE_ID, problem.SERVICE_ID, discharge.SERVICE_ID):
        raise NotFoundError("There is no such service; see /cds-services.", element="id")
