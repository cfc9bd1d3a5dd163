"""FHIR resources of our own: the code system of the categories and its value set (C22)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import answer, process
from hooks.severity_codes import severity_code_system, severity_value_set

router = APIRouter(prefix="/fhir")
FHIR_JSON = "application/fhir+json"
Process = Annotated[ProcessContext, Depends(process)]


@router.get("/CodeSystem/severity-category", summary="The five severity categories")
def code_system(context: Process) -> Response:
    """Public: it holds no patient data, and cards refer to it."""
    return answer(severity_code_system(context.settings.base_url), media_type=FHIR_JSON)


@router.get("/ValueSet/severity-category", summary="All codes of the code system")
def value_set(context: Process) -> Response:
    """Public, as the code system."""
    return answer(severity_value_set(context.settings.base_url), media_type=FHIR_JSON)
