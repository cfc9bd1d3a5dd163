"""The model card, as a page and as JSON. It holds nothing of a patient and asks for no sign-in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.routes.dependencies import answer, process
from cds_service.services.model_cards import ModelCardService, UnreadableCardError
from cds_service.web.model_card_json import card_json
from cds_service.web.model_card_page import sections, status
from cds_service.web.pages import page
from cds_service.web.words import Words
from hooks.wording import choose_language
from model.model_card import ROUNDED_TO
from model.small_cells import SMALLEST_SHOWN

router = APIRouter(prefix="/models")
Process = Annotated[ProcessContext, Depends(process)]
Lang = Annotated[str | None, Query()]


@router.get("/{version}/card", summary="The model card")
def card(version: str, request: Request, context: Process, lang: Lang = None) -> Response:
    """A page in the language of `lang`, else in the one the browser asks for."""
    # What `lang` may be, a header may be; another language than ours asks for none.
    wanted = choose_language(lang) or choose_language(request.headers.get("accept-language"))
    words = Words(wanted or context.settings.language)
    try:
        found = _cards(context).card(version)
    except NotFoundError:
        return _error(words, "not_found", 404)
    except UnreadableCardError:
        return _error(words, "unreadable", 500)
    model = found.facts["model"]
    return page(
        "model_card.html",
        words,
        title=words.say("title", version=model["version"]),
        version=words.say("version", version=model["version"]),
        status=status(found.facts, words),
        simulated=found.facts["data"]["simulated"],
        sections=sections(found, words),
        footer=words.say("footer", smallest=SMALLEST_SHOWN, rounded=ROUNDED_TO),
        json_href="card.json",
    )


@router.get("/{version}/card.json", summary="The model card as JSON")
def card_as_json(version: str, context: Process) -> Response:
    """Facts and texts in both languages."""
    found = _cards(context).card(version)
    response = answer(card_json(found))
    response.headers["Cache-Control"] = "no-cache"
    return response


def _cards(context: ProcessContext) -> ModelCardService:
    return ModelCardService(context.engine, context.clock, context.settings.data_dir)


def _error(words: Words, key: str, code: int) -> Response:
    return page(
        "error.html",
        words,
        title=words.say(f"{key}.heading"),
        code=code,
        message=words.say(key),
    )
