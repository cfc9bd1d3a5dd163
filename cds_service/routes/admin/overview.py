"""The overview: how the service does."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.overview import PERIODS, OverviewService
from cds_service.web import admin_overview_en, admin_overview_es
from cds_service.web.admin_overview_page import chosen_period, sections
from cds_service.web.admin_overview_tiles import tiles
from cds_service.web.admin_page import admin_page, admin_words
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin")
WORDS: Table = admin_words(admin_overview_en.ENGLISH, admin_overview_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.DASHBOARD))]


@router.get("", summary="The overview")
def overview(
    request: Request,
    context: Process,
    person: Reader,
    words: Speaking,
    days: Annotated[str | None, Query()] = None,
) -> Response:
    """Calls, answers, reactions and verification of the last 7, 30 or 90 days."""
    del person
    periods = {str(one): one for one in PERIODS}
    chosen = chosen_period(days, periods)
    found = OverviewService(context).view(periods[chosen])
    return admin_page(
        "admin_overview.html",
        words,
        title=words.say("title"),
        request=request,
        periods=[
            {
                "href": f"?days={one}",
                "name": words.say("period", n=one),
                "active": one == chosen,
            }
            for one in periods
        ],
        paused=found.paused,
        tiles=tiles(found, words),
        parts=sections(found, words),
        since=found.days[0],
    )
