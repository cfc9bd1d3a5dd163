"""Jobs and training: what is under way, how far it is, and how the last ones ended."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.job_desk import LONG, JobDesk
from cds_service.services.runs_view import KINDS, STATES, RunsView
from cds_service.web import admin_runs_en, admin_runs_es
from cds_service.web.admin_page import admin_page, admin_words, to_page, to_page_of
from cds_service.web.admin_runs_page import asleep_text, bars_of, jobs_of, kind_of, past_of
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
Starter = Annotated[Person, Depends(signed_in(Permission.JOBS))]
Sent = Annotated[Form, Depends(form)]
Asked = Annotated[str | None, Query()]
Chosen = Annotated[str, Query()]
_TOLD = ("start",)
_UNREADABLE, _CONFLICT = 422, 409


@router.get("", summary="What runs and ran")
def runs(
    request: Request,
    context: Process,
    person: Reader,
    words: Speaking,
    kind: Asked = None,
    state: Asked = None,
    page: Asked = None,
    told: Asked = None,
) -> Response:
    """What is under way, how each job stands, and the last runs."""
    del person
    said = words.say(f"told.{told}") if told in _TOLD else None
    return _runs(request, context, words, kind=kind, state=state, page=page, told=said)


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


@router.get("/start", summary="Ask before a job is run that takes long")
def ask(
    request: Request, context: Process, person: Starter, words: Speaking, job: Chosen = ""
) -> Response:
    """What it would mean, and the form that asks for it."""
    del person
    if not job:
        return to_page_of(request, "/admin/runs")
    return _asked(request, context, words, JobDesk(context).entry(job).name)


@router.post("/start", summary="Have a job run now")
def start(
    request: Request,
    context: Process,
    person: Starter,
    words: Speaking,
    fields: Sent,
    job: Chosen = "",
) -> Response:
    """Make it due at once; a serving process runs none. One that takes long has to be meant."""
    desk = JobDesk(context)
    name = desk.entry(job).name
    if name in LONG and fields.get("sure") != "1":
        wrong = words.say("wrong.sure")
        return _asked(request, context, words, name, wrong=wrong, code=_UNREADABLE)
    if not desk.start(name, actor=person.actor):
        return _runs(request, context, words, wrong=words.say("wrong.start"), code=_CONFLICT)
    return to_page(request, "/admin/runs", "start")


def _asked(
    request: Request,
    context: ProcessContext,
    words: Words,
    job: str,
    *,
    wrong: str | None = None,
    code: int = 200,
) -> Response:
    return admin_page(
        "admin_run_start.html",
        words,
        title=words.say("start.title", name=kind_of(job, words)),
        request=request,
        code=code,
        job=job,
        more=words.say(f"start.{job}") if job in LONG else None,
        wrong=wrong,
        asleep=asleep_text(JobDesk(context).asleep(), words),
    )


def _runs(
    request: Request,
    context: ProcessContext,
    words: Words,
    *,
    kind: str | None = None,
    state: str | None = None,
    page: str | None = None,
    told: str | None = None,
    wrong: str | None = None,
    code: int = 200,
) -> Response:
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
        code=code,
        told=told,
        wrong=wrong,
        past=[past_of(row, words) for row in rows],
        place=pager(place, kind=chosen, state=ended),
        kinds=options(KINDS, chosen, {one: kind_of(one, words) for one in KINDS}),
        states=options(STATES, ended, {one: words.say(f"state.{one}") for one in STATES}),
        **_now(view, words),
    )


def _now(view: RunsView, words: Words) -> dict[str, Any]:
    found = view.now()
    return {
        "bars": bars_of(found, words),
        "jobs": jobs_of(found, words),
        "asleep": asleep_text(found.asleep, words),
        "at": words.time(found.at),
        "mark": found.mark,
    }
