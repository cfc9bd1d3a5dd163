"""The explanation page of one assessment, for people who are signed in."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.explanation import ExplanationService
from cds_service.web import explanation_en, explanation_es
from cds_service.web.explanation_page import shown
from cds_service.web.pages import page, see_other
from cds_service.web.words import RESULT, Words, beside

router = APIRouter()
WORDS = beside(RESULT, explanation_en.ENGLISH, explanation_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.EXPLANATION))]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@router.get("/assessments/{identifier}", summary="The explanation of an assessment")
def explanation(
    request: Request, context: Process, person: Reader, words: Speaking, identifier: str
) -> Response:
    """Inputs, estimates, what moved them and readings over time; audited."""
    if not _UUID.fullmatch(identifier):
        raise NotFoundError("There is no such assessment.")
    found = ExplanationService(context).explanation(identifier, person)
    return page(
        "explanation.html",
        words,
        title=words.say("title"),
        request=request,
        shown=shown(found, words, context.zone),
        no_chart=found.client.is_page,
    )


@router.get("/explanations/{token}", summary="A card's link to its explanation")
def follow(
    request: Request, context: Process, person: Reader, words: Speaking, token: str
) -> Response:
    """To the explanation, once and within ten minutes; else a page that says why not."""
    try:
        identifier = ExplanationService(context).follow(token, person)
    except NotFoundError:
        return page(
            "problem.html",
            words,
            title=words.say("link.gone"),
            code=410,
            request=request,
            message=words.say("link.gone.more"),
        )
    return see_other(context.settings, f"/assessments/{identifier}")
