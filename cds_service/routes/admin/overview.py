"""The overview: how the service does."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.alerts import AlertService
from cds_service.web import admin_overview_en, admin_overview_es
from cds_service.web.admin_page import admin_page, admin_words
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin")
WORDS: Table = admin_words(admin_overview_en.ENGLISH, admin_overview_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.DASHBOARD))]


@router.get("", summary="The overview")
def overview(request: Request, context: Process, person: Reader, words: Speaking) -> Response:
    """What stands at the moment."""
    del person
    scorer = context.champion.scorer
    return admin_page(
        "admin_overview.html",
        words,
        title=words.say("title"),
        request=request,
        version=None if scorer is None else scorer.facts.version,
        open_alerts=len(AlertService(context.engine).alerts()),
    )
