"""Alerts: what an administrator should look at, acknowledged and resolved."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.routes.dependencies import process
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.alerts import LONGEST_NOTE, AlertRuleError, AlertService
from cds_service.web import admin_alerts_en, admin_alerts_es
from cds_service.web.admin_alerts_page import STATES, alert_view, line_of
from cds_service.web.admin_page import admin_page, admin_words, to_page, to_page_of
from cds_service.web.paging import pager, paging
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin/alerts")
WORDS: Table = admin_words(admin_alerts_en.ENGLISH, admin_alerts_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Keeper = Annotated[Person, Depends(signed_in(Permission.ALERTS))]
Sent = Annotated[Form, Depends(form)]
Asked = Annotated[str | None, Query()]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TOLD = ("acknowledged", "resolved")
_UNREADABLE = 422


@router.get("", summary="The alerts")
def alerts(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    state: Asked = None,
    page: Asked = None,
) -> Response:
    """Those of one state, a page at a time; the open ones unless another was asked for."""
    del person
    service = AlertService(context.engine)
    counts = service.counts()
    chosen = state if state in STATES else STATES[0]
    place = paging(page, counts[chosen])
    rows = service.part(chosen, limit=place.rows, offset=place.offset)
    return admin_page(
        "admin_alerts.html",
        words,
        title=words.say("title"),
        request=request,
        tabs=[
            {
                "href": f"?state={one}",
                "name": words.say(f"tab.{one}", n=words.count(counts[one])),
                "active": one == chosen,
            }
            for one in STATES
        ],
        state=chosen,
        rows=[line_of(row, words) for row in rows],
        place=pager(place, state=chosen),
    )


@router.get("/{identifier}", summary="One alert")
def alert(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    identifier: str,
    told: Asked = None,
) -> Response:
    """What it says, its figures, who did what, and what was told of it."""
    del person
    said = words.say(f"told.{told}") if told in _TOLD else None
    return _alert(request, context, words, identifier, told=said)


@router.get("/{identifier}/acknowledge", include_in_schema=False)
@router.get("/{identifier}/resolve", include_in_schema=False)
def after_form(request: Request, person: Keeper, identifier: str) -> Response:
    """Back to the alert."""
    del person
    return to_page_of(request, f"/admin/alerts/{_known(identifier)}")


@router.post("/{identifier}/acknowledge", summary="Acknowledge an alert")
def acknowledge(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    identifier: str,
    fields: Sent,
) -> Response:
    """Say that somebody is at it, with a note or without."""
    known, note = _known(identifier), fields.get("note", "").strip()[:LONGEST_NOTE]
    service = AlertService(context.engine)
    try:
        service.acknowledge(known, actor=person.actor, at=context.clock(), note=note)
    except AlertRuleError:
        return _alert(request, context, words, known, wrong=words.say("wrong.already"), code=409)
    return to_page(request, f"/admin/alerts/{known}", "acknowledged")


@router.post("/{identifier}/resolve", summary="Resolve an alert")
def resolve(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    identifier: str,
    fields: Sent,
) -> Response:
    """Close it, with a note that says why."""
    known, note = _known(identifier), fields.get("note", "").strip()[:LONGEST_NOTE]
    service = AlertService(context.engine)
    if not note:
        wrong = words.say("wrong.note")
        return _alert(request, context, words, known, wrong=wrong, code=_UNREADABLE)
    try:
        service.resolve(known, reason=note, actor=person.actor, at=context.clock())
    except AlertRuleError:
        return _alert(request, context, words, known, wrong=words.say("wrong.already"), code=409)
    return to_page(request, f"/admin/alerts/{known}", "resolved")


def _alert(
    request: Request,
    context: ProcessContext,
    words: Words,
    identifier: str,
    *,
    told: str | None = None,
    wrong: str | None = None,
    code: int = 200,
) -> Response:
    found = AlertService(context.engine).alert(_known(identifier))
    return admin_page(
        "admin_alert.html",
        words,
        title=words.say("one"),
        request=request,
        code=code,
        alert=alert_view(found, words),
        told=told,
        wrong=wrong,
        longest=LONGEST_NOTE,
    )


def _known(identifier: str) -> str:
    """The whole id: a part of one is none. Raises `NotFoundError`."""
    if not _UUID.fullmatch(identifier):
        raise NotFoundError("There is no such alert.")
    return identifier
