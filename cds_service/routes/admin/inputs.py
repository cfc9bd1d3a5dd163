"""What comes in, against what came before."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.inputs_view import InputsViewService
from cds_service.web import admin_inputs_en, admin_inputs_es
from cds_service.web.admin_inputs_page import sections, standing
from cds_service.web.admin_page import admin_page, admin_words
from cds_service.web.paging import number_of
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin")
WORDS: Table = admin_words(admin_inputs_en.ENGLISH, admin_inputs_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.DASHBOARD))]


@router.get("/inputs", summary="The inputs, against what came before")
def inputs(
    request: Request,
    context: Process,
    person: Reader,
    words: Speaking,
    before: Annotated[str | None, Query()] = None,
) -> Response:
    """The newest chunks of the input watch, or those before a number."""
    del person
    number = number_of(before)
    found = InputsViewService(context).view(before=number)
    return admin_page(
        "admin_chunks.html",
        words,
        title=words.say("title"),
        request=request,
        parts=sections(found, words) if found.chunks else [],
        standing=standing(found, words) if found.chunks else [],
        chunk_rows=context.settings.input_chunk_rows,
        earlier=f"?before={found.chunks[0]['number']}" if found.earlier else None,
        later=None if number is None else "?",
    )
