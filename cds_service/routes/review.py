"""The review pages: the queue, one case at a time, and the prediction only after the answer."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse

from cds_service.context import ProcessContext
from cds_service.errors import ConflictError, NotFoundError
from cds_service.routes.dependencies import process
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.review_desk import LastAnswer, ReviewDesk
from cds_service.services.review_view import ReviewView
from cds_service.services.reviewing import Answer, ReviewingService
from cds_service.storage.review_store import ANSWERED, EXPIRED, OPEN, SKIPPED
from cds_service.web import review_en, review_es
from cds_service.web.pages import page, see_other
from cds_service.web.review_page import (
    LONGEST_CODE,
    choices,
    estimates_of,
    key_of,
    missing_of,
    patient_of,
    person_of,
    read_answer,
    rows_of,
    said_of,
    statements_of,
)
from cds_service.web.words import Table, Words, written
from fhir_mapping.outcomes import WINDOW_ELSE, WINDOW_STAYING
from model.rare_codes import normal_rare_code

router = APIRouter(prefix="/review")
WORDS: Table = {"en": review_en.ENGLISH, "es": review_es.SPANISH}
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reviewer = Annotated[Person, Depends(signed_in(Permission.REVIEW))]
Sent = Annotated[Form, Depends(form)]
Told = Annotated[str | None, Query()]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UNREADABLE = 422
_TOLD = ("skipped", "gone", "already", "corrected", "same", "not_last")


@router.get("", summary="The review queue")
def queue(
    request: Request, context: Process, person: Reviewer, words: Speaking, told: Told = None
) -> Response:
    """How many cases are open and how the queue is filled; nothing of any single case."""
    standing = ReviewDesk(context).standing(person.actor)
    settings = context.settings
    share = settings.review_audit_share
    return page(
        "review.html",
        words,
        title=words.say("title"),
        request=request,
        standing=standing,
        counts=[(state, standing.states[state]) for state in (OPEN, ANSWERED, SKIPPED, EXPIRED)],
        daily=settings.review_daily,
        share=words.percent(share, 0 if share == round(share, 2) else 1),
        days=settings.review_days,
        short=WINDOW_STAYING.days,
        long=WINDOW_ELSE.days,
        told=_told(told, words),
    )


@router.get("/case", summary="The next case")
def case(
    request: Request, context: Process, person: Reviewer, words: Speaking, told: Told = None
) -> Response:
    """The first open case that this reviewer has not had: its readings, and nothing that was
    predicted (C18). The address names no case."""
    view = ReviewingService(context).next(person.actor)
    if view is None:
        return _to(context, "/review", told if told in _TOLD else None)
    return _case(request, context, person, words, view, told=_told(told, words))


@router.post("/case", summary="Answer a case")
def answer(
    request: Request, context: Process, person: Reviewer, words: Speaking, fields: Sent
) -> Response:
    """Keep the answer or the skip; then the prediction may be seen. Or name the patient, to whoever
    is to open the chart: audited, and in no address."""
    service = ReviewingService(context)
    said = Answer("skip") if fields.get("skip") else read_answer(fields)
    try:
        item = _item(fields)
        if fields.get("name_patient"):
            view = service.show(item, person.actor, with_ids=True)
            return _case(request, context, person, words, view, fields=fields, is_named=True)
        if isinstance(said, str):
            view = service.show(item, person.actor)
            return _case(request, context, person, words, view, wrong=said, fields=fields)
        service.answer(item, said, person.actor, turn="first")
    except NotFoundError:
        return _to(context, "/review/case", "gone")
    except ConflictError:
        return _to(context, "/review/last", "already")
    if said.kind == "skip":
        return _to(context, "/review/case", "skipped")
    return _to(context, "/review/last")


@router.get("/last", summary="The last answer, beside the prediction")
def last(
    request: Request, context: Process, person: Reviewer, words: Speaking, told: Told = None
) -> Response:
    """What this reviewer said last and what was predicted; it can be corrected. What was skipped
    is shown as it was asked, and can be answered after all."""
    found = ReviewDesk(context).last(person.actor)
    if found is None:
        return _to(context, "/review")
    return _last(request, context, person, words, found, told=_told(told, words))


@router.post("/last", summary="Correct the last answer")
def correct(
    request: Request, context: Process, person: Reviewer, words: Speaking, fields: Sent
) -> Response:
    """Keep the new answer, which counts from now on; or the first one to what was skipped."""
    service = ReviewingService(context)
    said = read_answer(fields)
    found = ReviewDesk(context).last(person.actor)
    if found is None or found.view.assessment_id != fields.get("item"):
        return _to(context, "/review/last", "not_last")
    if isinstance(said, str):
        return _last(request, context, person, words, found, wrong=said, fields=fields)
    if said == found.answer:
        return _to(context, "/review/last", "same")
    try:
        service.answer(found.view.assessment_id, said, person.actor, turn="last")
    except (NotFoundError, ConflictError):
        return _to(context, "/review/last", "not_last")
    return _to(context, "/review/last", None if found.prediction is None else "corrected")


@router.post("/rare", summary="The name of a rare disease")
def rare(context: Process, person: Reviewer, words: Speaking, fields: Sent) -> Response:
    """Read an ORPHAcode as it is typed, and say its name where Orphadata's file is loaded."""
    del person
    code = normal_rare_code(fields.get("rare", "")[:LONGEST_CODE])
    if code is None or not code.startswith("ORPHA:"):
        return _said(words.say("wrong.rare"))
    return _said(_named(context, words, code))


def _to(context: ProcessContext, path: str, told: str | None = None) -> Response:
    return see_other(context.settings, path + ("" if told is None else f"?told={told}"))


def _said(text: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return JSONResponse({"text": text}, headers=headers)


def _item(fields: Form) -> str:
    """The whole id of the case; a part of one is none. Raises `NotFoundError`."""
    item = fields.get("item", "")
    if not _UUID.fullmatch(item):
        raise NotFoundError("There is no such case.")
    return item


def _told(told: str | None, words: Words) -> str | None:
    return words.say(f"told.{told}") if told in _TOLD else None


def _named(context: ProcessContext, words: Words, code: str) -> str:
    """What is known of a code, in words."""
    name = context.terminology.rare_name(code)
    if name is not None:
        return f"{code}: {name}"
    loaded = context.terminology.rare_diseases is not None
    return words.say("rare.not_found" if loaded else "rare.no_names", code=code)


def _asked(
    context: ProcessContext, words: Words, view: ReviewView, fields: Form, wrong: str | None
) -> dict[str, Any]:
    """What the form of an answer needs."""
    typed = fields.get("rare", "")[:LONGEST_CODE]
    code = normal_rare_code(typed)
    return {
        "item": view.assessment_id,
        "person_facts": person_of(view, words),
        "rows": rows_of(view, words),
        "missing": missing_of(view, words),
        "at": written(view.assessed_at, context.zone),
        "choices": choices(words, fields.get("answer")),
        "typed": typed,
        "rare_text": None if code is None else _named(context, words, code),
        "longest": LONGEST_CODE,
        "wrong": None if wrong is None else words.say(wrong),
        "wrong_field": "rare" if wrong is not None and wrong != "wrong.none" else "answer",
    }


def _case(
    request: Request,
    context: ProcessContext,
    person: Person,
    words: Words,
    view: ReviewView,
    *,
    told: str | None = None,
    wrong: str | None = None,
    fields: Form | None = None,
    is_named: bool = False,
) -> Response:
    return page(
        "review_case.html",
        words,
        title=words.say("case"),
        request=request,
        code=_UNREADABLE if wrong else 200,
        waiting=ReviewDesk(context).standing(person.actor).waiting,
        told=told,
        can_take_back=request.query_params.get("told") == "skipped",
        is_named=is_named,
        patient=patient_of(view, words),
        **_asked(context, words, view, fields or {}, wrong),
    )


def _last(
    request: Request,
    context: ProcessContext,
    person: Person,
    words: Words,
    found: LastAnswer,
    *,
    told: str | None = None,
    wrong: str | None = None,
    fields: Form | None = None,
) -> Response:
    """The answered case; without a prediction (a skipped one) it is asked again."""
    said, prediction = found.answer, found.prediction
    given = fields or {"answer": key_of(said) or "", "rare": said.rare_code or ""}
    name = None if said.rare_code is None else context.terminology.rare_name(said.rare_code)
    return page(
        "review_last.html",
        words,
        title=words.say("last.skipped" if prediction is None else "last"),
        request=request,
        code=_UNREADABLE if wrong else 200,
        waiting=ReviewDesk(context).standing(person.actor).waiting,
        told=told,
        said=said_of(said, words, name),
        predicted=None if prediction is None else words.category(prediction.category),
        agreed=None
        if prediction is None or said.category is None
        else said.category.value == prediction.category,
        is_corrected=found.is_corrected,
        estimates=estimates_of(found, words),
        statements=statements_of(found, words),
        version=None if prediction is None else prediction.model_version,
        reasons=[words.say(f"reason.{one}") for one in found.reasons],
        **_asked(context, words, found.view, given, wrong),
    )
