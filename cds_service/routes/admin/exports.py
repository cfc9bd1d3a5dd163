"""Exports, and history files that were dropped."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.export_desk import ExportDesk
from cds_service.web import admin_exports_en, admin_exports_es
from cds_service.web.admin_exports_page import file_view, job_lines, set_view, watched_view
from cds_service.web.admin_page import admin_page, admin_words
from cds_service.web.pages import prefix_of
from cds_service.web.paging import pager, paging
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin/exports")
WORDS: Table = admin_words(admin_exports_en.ENGLISH, admin_exports_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.EXPORTS))]
Asked = Annotated[str | None, Query()]


@router.get("", summary="The exports")
def exports(
    request: Request, context: Process, person: Reader, words: Speaking, page: Asked = None
) -> Response:
    """What was exported and where to, by set and file."""
    del person
    desk = ExportDesk(context)
    standing, sets = desk.exports()
    place = paging(page, sum(one["files"] for one in sets))
    files = desk.files(limit=place.rows, offset=place.offset)
    return admin_page(
        "admin_exports.html",
        words,
        title=words.say("title"),
        request=request,
        tabs=_tabs(context, words, "exports"),
        location=standing.location,
        job=job_lines(standing.job, words),
        sets=[set_view(one, words) for one in sets],
        files=[file_view(one, words) for one in files],
        place=pager(place),
    )


@router.get("/history", summary="Watched history")
def history(
    request: Request, context: Process, person: Reader, words: Speaking, page: Asked = None
) -> Response:
    """Which history files were found, and what became of them."""
    del person
    desk = ExportDesk(context)
    standing, counts = desk.history()
    place = paging(page, sum(counts.values()))
    files = desk.watched(limit=place.rows, offset=place.offset)
    return admin_page(
        "admin_history.html",
        words,
        title=words.say("history"),
        request=request,
        tabs=_tabs(context, words, "history"),
        location=standing.location,
        job=job_lines(standing.job, words),
        counts=[(words.say(f"state.{name}"), words.count(n)) for name, n in counts.items()],
        files=[watched_view(one, words) for one in files],
        place=pager(place),
    )


def _tabs(context: ProcessContext, words: Words, here: str) -> list[dict[str, Any]]:
    prefix = prefix_of(context.settings)
    paths = {"exports": "/admin/exports", "history": "/admin/exports/history"}
    return [
        {"href": prefix + path, "name": words.say(f"tab.{name}"), "active": name == here}
        for name, path in paths.items()
    ]
