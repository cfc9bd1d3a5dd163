"""Model quality over time."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.quality import QualityService
from cds_service.web import admin_quality_en, admin_quality_es, model_card_en, model_card_es
from cds_service.web.admin_page import admin_page, admin_words
from cds_service.web.admin_quality_page import categories_of, sections, standing
from cds_service.web.admin_sections import options
from cds_service.web.paging import number_of
from cds_service.web.words import Table, Words
from model.severity import Severity

router = APIRouter(prefix="/admin")
# Figures have the names they have on the model card.
WORDS: Table = admin_words(
    model_card_en.ENGLISH | admin_quality_en.ENGLISH,
    model_card_es.SPANISH | admin_quality_es.SPANISH,
)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.DASHBOARD))]


@router.get("/quality", summary="Model quality over time")
def quality(
    request: Request,
    context: Process,
    person: Reader,
    words: Speaking,
    category: Annotated[str | None, Query()] = None,
    before: Annotated[str | None, Query()] = None,
) -> Response:
    """What was judged in the newest chunks, or in those before a number."""
    del person
    number = number_of(before)
    found = QualityService(context).view(before=number)
    known = categories_of(found)
    chosen = category if category in known else Severity.ACUTE.value
    if known and chosen not in known:
        chosen = known[0]
    of = {"category": chosen}
    return admin_page(
        "admin_quality.html",
        words,
        title=words.say("title"),
        request=request,
        simulated=found.simulated,
        parts=sections(found, chosen, words) if found.chunks else [],
        standing=standing(found, words) if found.chunks else [],
        categories=options(known, chosen, {code: words.category(code) for code in known}),
        chunk_rows=context.settings.evaluation_chunk_rows,
        before=number,
        earlier="?" + urlencode(of | {"before": found.chunks[0]["number"]})
        if found.earlier
        else None,
        later=None if number is None else "?" + urlencode(of),
    )
