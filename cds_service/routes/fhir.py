"""What the service says of itself as FHIR: public, for it holds no patient data."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotAcceptableError
from cds_service.routes.dependencies import answer, process
from cds_service.services.risk_assessments import SOFTWARE_VERSION
from hooks.capability import assess_severity_definition, capability_statement
from hooks.risk_assessment import OPERATION
from hooks.severity_codes import severity_code_system, severity_value_set
from hooks.topics import topic_code_system

FHIR_JSON = "application/fhir+json"
_JSON = (FHIR_JSON, "application/json", "text/json", "application/*", "text/*", "*/*")
_FORMATS = (FHIR_JSON, "application/json", "text/json", "json")

router = APIRouter(prefix="/fhir")
Process = Annotated[ProcessContext, Depends(process)]


async def json_accepted(request: Request) -> None:
    """Raises `NotAcceptableError` where the caller takes no JSON. `_format` goes before `Accept`.

    See https://hl7.org/fhir/R4/http.html#mime-type.
    """
    wanted = request.query_params.get("_format")
    if wanted:
        # A `+` that was not encoded arrives as a space.
        accepted = _named(wanted.replace(" ", "+")) in _FORMATS
    else:
        ranges = request.headers.get("accept", "").split(",")
        accepted = any(_named(one) in ("", *_JSON) and not _refused(one) for one in ranges)
    if not accepted:
        element = "_format" if wanted else "Accept"
        raise NotAcceptableError(f"The answer is {FHIR_JSON}.", element=element)


@router.get("/metadata", summary="CapabilityStatement")
def metadata(context: Process) -> Response:
    """What is there, and nothing else."""
    statement = capability_statement(context.settings.base_url, software_version=SOFTWARE_VERSION)
    return answer(statement, media_type=FHIR_JSON)


@router.get(f"/OperationDefinition/{OPERATION}", summary="What $assess-severity takes and gives")
def operation_definition(context: Process) -> Response:
    """The definition the CapabilityStatement refers to."""
    return answer(assess_severity_definition(context.settings.base_url), media_type=FHIR_JSON)


@router.get("/CodeSystem/severity-category", summary="The five severity categories")
def code_system(context: Process) -> Response:
    """Cards and RiskAssessments refer to it."""
    return answer(severity_code_system(context.settings.base_url), media_type=FHIR_JSON)


@router.get("/CodeSystem/card-topic", summary="What a card can be about")
def topics(context: Process) -> Response:
    """Cards refer to it."""
    return answer(topic_code_system(context.settings.base_url), media_type=FHIR_JSON)


@router.get("/ValueSet/severity-category", summary="All codes of the code system")
def value_set(context: Process) -> Response:
    """The categories a RiskAssessment can hold."""
    return answer(severity_value_set(context.settings.base_url), media_type=FHIR_JSON)


def _named(media_range: str) -> str:
    return media_range.partition(";")[0].strip().lower()


def _refused(media_range: str) -> bool:
    """Whether its weight is 0 (RFC 9110, 12.4.2)."""
    parameters = [part.strip().lower() for part in media_range.split(";")[1:]]
    return any(part in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in parameters)
