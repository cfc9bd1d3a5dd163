"""Model versions: which is live, how two compare, and what a person may change."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import HTMLResponse

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, ServiceError
from cds_service.routes.dependencies import process
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.job_desk import JobDesk
from cds_service.services.kept_reports import ModelReportService
from cds_service.services.model_change import Change, ModelChanges
from cds_service.services.models_view import ModelsView
from cds_service.services.releasing import ModelRuleError
from cds_service.web import admin_models_en, admin_models_es, model_card_en, model_card_es
from cds_service.web.admin_models_page import (
    ACTIONS,
    asked_for,
    gates_of,
    held_out,
    line_of,
    live_of,
    outcome_of,
    release_rows,
    same_assessments,
    warnings_of,
    way_of,
)
from cds_service.web.admin_page import admin_page, admin_words, to_page
from cds_service.web.admin_runs_page import asleep_text
from cds_service.web.paging import pager, paging
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin/models")
# Figures have the names they have on the model card.
WORDS: Table = admin_words(
    model_card_en.ENGLISH | admin_models_en.ENGLISH,
    model_card_es.SPANISH | admin_models_es.SPANISH,
)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Keeper = Annotated[Person, Depends(signed_in(Permission.MODELS))]
Sent = Annotated[Form, Depends(form)]
Asked = Annotated[str | None, Query()]
LONGEST_REASON = 2_000
MOST_ENDED = 50
_UNREADABLE = 422
_REPORT_HEADERS = {
    # Its pictures have styles of their own; nothing of it runs or loads.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@router.get("", summary="The model versions")
def models(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    told: Asked = None,
    page: Asked = None,
) -> Response:
    """Which is live, which are on their way, all versions and releases."""
    del person
    view = ModelsView(context)
    found = view.standing()
    place = paging(page, len(found.versions))
    live = found.live
    return admin_page(
        "admin_models.html",
        words,
        title=words.say("title"),
        request=request,
        told=words.say(f"told.{told}") if told in ACTIONS else None,
        live=live,
        live_facts=live_of(found, words),
        live_report=live is not None and view.has_report(live["version"]),
        earlier=found.earlier,
        way=[way_of(row, words) for row in found.on_the_way],
        ended=[way_of(row, words) for row in found.ended[:MOST_ENDED]],
        lines=[
            line_of(one, words) for one in found.versions[place.offset : place.offset + place.rows]
        ],
        place=pager(place),
        names=[one.row["version"] for one in found.versions],
        releases=release_rows(found, words),
    )


@router.get("/compare", summary="Two versions beside each other")
def compare(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    first: Annotated[str, Query()] = "",
    second: Annotated[str, Query()] = "",
) -> Response:
    """The newest comparison of two versions, and their figures on the same assessments."""
    del person
    return _pair(request, context, words, first, second)


@router.post("/compare", summary="Ask for a comparison of two versions")
def ask_to_compare(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    first: Annotated[str, Query()] = "",
    second: Annotated[str, Query()] = "",
) -> Response:
    """Have the schedule compare them now; a serving process evaluates nothing."""
    first, second = _known(context, first), _known(context, second)
    if first == second:
        return _pair(request, context, words, first, second, code=_UNREADABLE)
    # Where it waits already, the page says since when.
    JobDesk(context).compare(first, second, actor=person.actor)
    return to_page(request, f"/admin/models/compare?{_query(first, second)}")


def _query(first: str, second: str) -> str:
    return urlencode({"first": first, "second": second})


def _pair(
    request: Request,
    context: ProcessContext,
    words: Words,
    first: str,
    second: str,
    *,
    code: int = 200,
) -> Response:
    pair = ModelsView(context).pair(_known(context, first), _known(context, second))
    desk = JobDesk(context)
    found = pair.comparison
    tables = [same_assessments(pair, words), held_out(pair, words)]
    return admin_page(
        "admin_model_pair.html",
        words,
        title=words.say("pair.title", first=first, second=second),
        request=request,
        code=code,
        wrong=words.say("pair.same") if first == second else None,
        query=_query(first, second),
        asked=asked_for(desk.comparison(first, second), pair, words, is_off=not desk.compares()),
        asleep=asleep_text(desk.asleep(), words),
        first=first,
        second=second,
        turned=pair.turned,
        gates=None if found is None else gates_of(found, words),
        outcome=[] if found is None else outcome_of(found, words),
        reason="" if found is None else found["reason"],
        notes=[] if found is None else [*found.get("notes", []), *found.get("floors", [])],
        tables=[one for one in tables if one is not None],
    )


@router.get("/change", summary="Ask before a version is made live or refused")
def ask(
    request: Request,
    context: Process,
    person: Keeper,
    words: Speaking,
    action: Annotated[str, Query()] = "",
    version: Annotated[str, Query()] = "",
) -> Response:
    """What it would mean, what was compared last, and the form that does it."""
    del person
    if action not in ACTIONS:
        raise NotFoundError("There is no such change.")
    if action == "rollback":
        version = ModelsView(context).promotions.earlier() or ""
    return _asked(request, context, words, action, _known(context, version))


@router.post("/change", summary="Make a version live, or refuse it")
def change(
    request: Request, context: Process, person: Keeper, words: Speaking, fields: Sent
) -> Response:
    """Do it, by the rules of the commands and audited as they are."""
    action = fields.get("action", "")
    if action not in ACTIONS:
        raise NotFoundError("There is no such change.")
    version = _known(context, fields.get("version", ""))
    reason = fields.get("reason", "").strip()[:LONGEST_REASON]
    missing = "reason" if not reason else "sure" if fields.get("sure") != "1" else None
    if missing is not None:
        wrong = words.say(f"wrong.{missing}")
        return _asked(
            request, context, words, action, version,
            wrong=wrong, wrong_field=missing, code=_UNREADABLE,
        )  # fmt: skip
    meant = Change(action, version, fields.get("live", ""), reason, fields.get("fewer") == "1")
    try:
        ModelChanges(context).do(meant, actor=person.actor)
    except ModelRuleError as error:
        return _asked(
            request, context, words, action, version, wrong=words.say(f"problem.{error.problem}"),
            code=409, asks_fewer=error.problem in ("lost", "unreadable"),
        )  # fmt: skip
    return to_page(request, "/admin/models", action)


@router.get("/{version}/report", summary="The report of a version")
def report(version: str, context: Process, person: Keeper) -> Response:
    """The page that was drawn when it was trained; nothing of it can run."""
    service = ModelReportService(context.engine, context.settings, context.clock)
    try:
        text = service.page(_known(context, version), actor=person.actor)
    except ServiceError as error:
        raise NotFoundError(error.diagnostics) from None
    return HTMLResponse(text, headers=_REPORT_HEADERS)


def _known(context: ProcessContext, version: str) -> str:
    """The version, if there is one of that name. Raises `NotFoundError`."""
    try:
        row = ModelsView(context).promotions.version(version)
    except ModelRuleError:
        raise NotFoundError("There is no such version.") from None
    return str(row["version"])


def _asked(
    request: Request,
    context: ProcessContext,
    words: Words,
    action: str,
    version: str,
    *,
    wrong: str | None = None,
    wrong_field: str | None = None,
    code: int = 200,
    asks_fewer: bool = False,
) -> Response:
    view = ModelsView(context)
    live = view.promotions.champion()
    is_new = action in ("promote", "approve")
    last = view.last_comparison(version) if is_new else None
    values: dict[str, Any] = {
        "action": action,
        "version": version,
        "live": None if live is None else live["version"],
        "warnings": warnings_of(last, live, words) if is_new else [],
        "gates": [] if last is None else gates_of(last, words),
        "outcome": [] if last is None else outcome_of(last, words),
        "last_reason": "" if last is None else last["reason"],
        "wrong": wrong,
        "wrong_field": wrong_field,
        "asks_fewer": asks_fewer,
        "longest": LONGEST_REASON,
    }
    title = words.say(f"change.{action}", version=version)
    return admin_page(
        "admin_model_change.html", words, title=title, request=request, code=code, **values
    )
