"""Clients: their modes, paused and resumed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.clients import Mode
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.client_desk import ClientDesk
from cds_service.services.clients import ClientRuleError, ClientService
from cds_service.web import admin_clients_en, admin_clients_es
from cds_service.web.admin_audit_page import event_view
from cds_service.web.admin_clients_page import LONGEST_REASON, client_view
from cds_service.web.admin_page import admin_page, admin_words, to_page, to_page_of
from cds_service.web.paging import pager, paging
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin/clients")
WORDS: Table = admin_words(admin_clients_en.ENGLISH, admin_clients_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Keeper = Annotated[Person, Depends(signed_in(Permission.CLIENTS))]
Sent = Annotated[Form, Depends(form)]
Asked = Annotated[str | None, Query()]
_TOLD = ("paused", "resumed", "live", "silent", "all.paused", "all.resumed")
_FORMS = ("pause", "resume")
"""Addresses of forms about all clients, which a client may have for its name."""
_UNREADABLE = 422


@router.get("", summary="The clients")
def clients(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    page: Asked = None,
    told: Asked = None,
) -> Response:
    """Every client, a page at a time, and whether all cards are paused."""
    del person
    said = words.say(f"told.{told}") if told in _TOLD else None
    return _clients(request, context, words, page=page, told=said)


@router.post("/pause", summary="Pause all cards")
def pause_all(
    request: Request, context: Process, person: Keeper, words: Speaking, fields: Sent
) -> Response:
    """Show no cards to anybody, for a reason that is kept."""
    reason = _reason(fields)
    if not reason:
        return _clients(request, context, words, wrong="wrong.reason", code=_UNREADABLE)
    _service(context).pause(None, actor=person.actor, reason=reason)
    return to_page(request, "/admin/clients", "all.paused")


@router.post("/resume", summary="Resume all cards")
def resume_all(request: Request, context: Process, person: Keeper) -> Response:
    """Lift the pause of all; each client's own mode holds."""
    _service(context).resume(None, actor=person.actor)
    return to_page(request, "/admin/clients", "all.resumed")


@router.get("/{name}", summary="One client")
def client(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    name: str,
    told: Asked = None,
) -> Response:
    """How it stands, what may be changed, and what was."""
    del person
    if name in _FORMS and not ClientDesk(context).has(name):
        return to_page_of(request, "/admin/clients")
    said = words.say(f"told.{told}") if told in _TOLD else None
    return _client(request, context, words, name, told=said)


@router.get("/{name}/mode", include_in_schema=False)
@router.get("/{name}/pause", include_in_schema=False)
@router.get("/{name}/resume", include_in_schema=False)
def after_form(request: Request, context: Process, person: Keeper, name: str) -> Response:
    """Back to the client."""
    del person
    return to_page_of(request, f"/admin/clients/{ClientDesk(context).client(name).name}")


@router.post("/{name}/mode", summary="Set the mode of a client")
def set_mode(
    request: Request, context: Process, person: Keeper, words: Speaking, name: str, fields: Sent
) -> Response:
    """Silent or live; live as the rules allow it (C13)."""
    mode = {"silent": Mode.SILENT, "live": Mode.LIVE}.get(fields.get("mode", ""))
    approver = fields.get("approver", "").strip()[:LONGEST_REASON]
    ClientDesk(context).client(name)
    if mode is None:
        return _client(request, context, words, name, wrong="wrong.mode", code=_UNREADABLE)
    try:
        _service(context).set_mode(name, mode, actor=person.actor, approver=approver or None)
    except ClientRuleError as error:
        return _refused(request, context, words, name, error)
    return to_page(request, f"/admin/clients/{name}", mode.value)


@router.post("/{name}/pause", summary="Pause a client")
def pause(
    request: Request, context: Process, person: Keeper, words: Speaking, name: str, fields: Sent
) -> Response:
    """Show no cards to one client, for a reason that is kept."""
    reason = _reason(fields)
    ClientDesk(context).client(name)
    if not reason:
        return _client(request, context, words, name, wrong="wrong.reason", code=_UNREADABLE)
    try:
        _service(context).pause(name, actor=person.actor, reason=reason)
    except ClientRuleError as error:
        return _refused(request, context, words, name, error)
    return to_page(request, f"/admin/clients/{name}", "paused")


@router.post("/{name}/resume", summary="Resume a client")
def resume(
    request: Request, context: Process, person: Keeper, words: Speaking, name: str
) -> Response:
    """Back to the mode it had."""
    ClientDesk(context).client(name)
    try:
        _service(context).resume(name, actor=person.actor)
    except ClientRuleError as error:
        return _refused(request, context, words, name, error)
    return to_page(request, f"/admin/clients/{name}", "resumed")


def _service(context: ProcessContext) -> ClientService:
    return ClientService(context.engine, context.settings, context.clock)


def _reason(fields: Form) -> str:
    return fields.get("reason", "").strip()[:LONGEST_REASON]


def _clients(
    request: Request,
    context: ProcessContext,
    words: Words,
    *,
    page: str | None = None,
    told: str | None = None,
    wrong: str | None = None,
    code: int = 200,
) -> Response:
    desk = ClientDesk(context)
    every = desk.clients()
    place = paging(page, len(every))
    shown = every[place.offset : place.offset + place.rows]
    return admin_page(
        "admin_clients.html",
        words,
        title=words.say("title"),
        request=request,
        code=code,
        rows=[client_view(one, words) for one in shown],
        place=pager(place),
        paused=desk.paused(),
        events=[event_view(one, context.zone) for one in desk.events(None)],
        told=told,
        wrong=None if wrong is None else words.say(wrong),
        longest=LONGEST_REASON,
    )


def _client(
    request: Request,
    context: ProcessContext,
    words: Words,
    name: str,
    *,
    told: str | None = None,
    wrong: str | None = None,
    code: int = 200,
) -> Response:
    desk = ClientDesk(context)
    found = desk.client(name)
    return admin_page(
        "admin_client.html",
        words,
        title=found.name,
        request=request,
        code=code,
        client=client_view(found, words),
        paused=desk.paused(),
        events=[event_view(one, context.zone) for one in desk.events(name)],
        told=told,
        wrong=None if wrong is None else words.say(wrong),
        wrong_field={"wrong.reason": "reason", "wrong.approver": "approver"}.get(wrong or ""),
        longest=LONGEST_REASON,
    )


def _refused(
    request: Request, context: ProcessContext, words: Words, name: str, error: ClientRuleError
) -> Response:
    wrong = "wrong.rule" if error.rule is None else f"wrong.{error.rule}"
    return _client(request, context, words, name, wrong=wrong, code=error.status)
