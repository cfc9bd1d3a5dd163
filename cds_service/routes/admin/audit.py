"""The audit trail, searched."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from cds_service.context import ProcessContext
from cds_service.routes.dependencies import process
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.audit_trail import AuditTrail
from cds_service.web import admin_audit_en, admin_audit_es
from cds_service.web.admin_audit_page import LONGEST, event_view, read_search
from cds_service.web.admin_page import admin_page, admin_words
from cds_service.web.paging import PAGE_ROWS, number_of
from cds_service.web.words import Table, Words

router = APIRouter(prefix="/admin/audit")
WORDS: Table = admin_words(admin_audit_en.ENGLISH, admin_audit_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Auditor = Annotated[Person, Depends(signed_in(Permission.AUDIT))]
Asked = Annotated[str | None, Query()]


@router.get("", summary="The audit trail")
def audit(
    request: Request,
    context: Process,
    person: Auditor,
    words: Speaking,
    since: Asked = None,
    until: Asked = None,
    action: Asked = None,
    actor: Asked = None,
    kind: Asked = None,
    id: Asked = None,  # noqa: A002  # the name of the field
    before: Asked = None,
) -> Response:
    """The newest events that fit, and a link to those before them."""
    fields = {
        "since": since,
        "until": until,
        "action": action,
        "actor": actor,
        "kind": kind,
        "id": id,
    }
    # PostgreSQL takes no NUL.
    asked = {
        name: (text or "").replace("\0", "").strip()[:LONGEST] for name, text in fields.items()
    }
    search, wrong = read_search(asked, context.clock(), context.zone)
    trail = AuditTrail(context)
    number = number_of(before)
    found = (
        None
        if search is None
        else trail.search(search, actor=person.actor, limit=PAGE_ROWS, before=number)
    )
    kept = {name: text for name, text in asked.items() if text}
    actions, kinds = trail.names()
    return admin_page(
        "admin_audit.html",
        words,
        title=words.say("title"),
        request=request,
        code=422 if wrong else 200,
        asked=asked,
        wrong=None if wrong is None else words.say(wrong),
        wrong_field=None if wrong is None else wrong.partition(".")[2],
        actions=actions,
        kinds=kinds,
        longest=LONGEST,
        events=[] if found is None else [event_view(one, context.zone) for one in found.events],
        older=None
        if found is None or found.before is None
        else "?" + urlencode(kept | {"before": str(found.before)}),
        newest=None if number is None else "?" + urlencode(kept),
    )
