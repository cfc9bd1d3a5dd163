"""Jobs and training: what is under way, how far it is, and how the last ones ended."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.runs_view import KINDS, STATES, RunsView
from cds_service.web import admin_runs_en, admin_runs_es
from cds_service.web.admin_page import admin_page, admin_words, at_text
from cds_service.web.admin_runs_page import bars_of, jobs_of, kind_of, past_of
from cds_service.web.admin_sections import options
from cds_service.web.pages import page as plain_page
from cds_service.web.paging import pager, paging
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin/runs")
WORDS: Table = admin_words(admin_runs_en.ENGLISH, admin_runs_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.DASHBOARD))]
# A page that looks by itself keeps nobody signed in.
Looker = Annotated[Person, Depends(signed_in(Permission.DASHBOARD, is_activity=False))]
Asked = Annotated[str | None, Query()]


@router.get("", summary="What runs and ran")
def runs(
    request: Request,
    context: Process,
    person: Reader,
    words: Speaking,
    kind: Asked = None,
    state: Asked = None,
    page: Asked = None,
) -> Response:
    """What is under way, how each job stands, and the last runs."""
    del person
    view = RunsView(context)
    chosen = kind if kind in KINDS else None
    ended = state if state in STATES else None
    place = paging(page, view.count(chosen, ended))
    rows = view.ended(chosen, ended, limit=place.rows, offset=place.offset)
    return admin_page(
        "admin_runs.html",
        words,
        title=words.say("title"),
        request=request,
        past=[past_of(row, words) for row in rows],
        place=pager(place, kind=chosen, state=ended),
        kinds=options(KINDS, chosen, {one: kind_of(one, words) for one in KINDS}),
        states=options(STATES, ended, {one: words.say(f"state.{one}") for one in STATES}),
        **_now(view, words),
    )


@router.get("/now", summary="What is under way at the moment")
def now(request: Request, context: Process, person: Looker, words: Speaking) -> Response:
    """The part of the page that its script looks at again."""
    del person
    return plain_page(
        "admin_runs_now.html",
        words,
        title=words.say("title"),
        request=request,
        **_now(RunsView(context), words),
    )


def _now(view: RunsView, words: Words) -> dict[str, Any]:
    found = view.now()
    return {
        "bars": bars_of(found, words),
        "jobs": jobs_of(found, words),
        "at": at_text(found.at),
        "mark": found.mark,
    }
