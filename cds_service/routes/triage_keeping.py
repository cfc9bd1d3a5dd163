"""A triage form whose session is over before it is sent: kept in the page until its author is
back."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from cds_service.errors import (
    BadFormError,
    FormKeptError,
    FormRefusedError,
    SignInNeededError,
    TooLargeError,
)
from cds_service.routes.dependencies import process
from cds_service.routes.people import (
    CSRF_FIELD,
    SignedIn,
    cookie_name,
    form,
    is_own_origin,
    language_of,
    signed_in,
    speaking,
)
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.kept_forms import KEPT_FOR, KeptForms
from cds_service.services.sessions import Sessions
from cds_service.services.triage_form import AGAIN, typed
from cds_service.web import triage_en, triage_es
from cds_service.web.pages import page
from cds_service.web.words import LANGUAGE_NAMES, Table, Words

router = APIRouter(prefix="/triage")
WORDS: Table = {"en": triage_en.ENGLISH, "es": triage_es.SPANISH}
SEALED: Final = "sealed"
"""The field that holds what was kept."""
_UNIT = "temperature_unit"
"""Chosen before anybody types."""


class KeepsForm(SignedIn):
    """As `signed_in`, but what was typed into the triage form is not lost when nobody is signed in
    any more: raises `FormKeptError` with it, sealed for its author. Nothing is done with it."""

    async def __call__(self, request: Request) -> Person:
        """The person, or an error."""
        try:
            return await super().__call__(request)
        except SignInNeededError:
            sealed = await _sealed(request)
            if sealed is None:
                raise
            raise FormKeptError(sealed) from None


class OpensForm(SignedIn):
    """As `signed_in`, for a page that opens what was kept. That page was made when nobody was
    signed in, so it has no token of a session; nothing is done but to show the form, and only to
    the one who typed it. Its origin is checked as ever."""

    async def __call__(self, request: Request) -> Person:
        """The person, or an error."""
        try:
            return await super().__call__(request)
        except SignInNeededError:
            context = await process(request)
            sealed = await _sent(request, SEALED)
            if not KeptForms(context).is_good(sealed):
                raise
            raise FormKeptError(sealed, is_asked_again=True) from None

    async def check_sent(self, request: Request, person: Person) -> None:
        """The origin alone."""
        del person
        if not is_own_origin(request, (await process(request)).settings):
            raise FormRefusedError


@router.post("/kept", summary="Keep what was typed if the session is over")
def keep(
    person: Annotated[Person, Depends(KeepsForm(Permission.TRIAGE, is_activity=False))],
) -> Response:
    """What the page sends by itself when its time is over: nothing is assessed by it. While the
    session goes on, nothing happens."""
    del person
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


@router.get("/signed-in", summary="Signed in beside the page that holds the form")
def back_there(
    request: Request,
    _person: Annotated[Person, Depends(signed_in(Permission.TRIAGE))],
    words: Annotated[Words, Depends(speaking(WORDS))],
) -> Response:
    """Says that the form is in the other tab."""
    return page("triage_signed_in.html", words, title=words.say("signed_in"), request=request)


def kept_page(request: Request, error: FormKeptError) -> Response:
    """Says that nobody is signed in, leads to signing in beside this page, and back to the form."""
    words = Words(language_of(request), WORDS)
    return page(
        "triage_kept.html",
        words,
        title=words.say("kept"),
        code=error.status,
        request=request,
        sealed=error.sealed,
        is_asked_again=error.is_asked_again,
        minutes=int(KEPT_FOR.total_seconds() // 60),
        # Whoever left for the other language would leave what is kept.
        languages=[{"code": words.language, "name": LANGUAGE_NAMES[words.language], "href": ""}],
    )


async def _sealed(request: Request) -> str | None:
    """What was typed, sealed for whoever the form was of; only a form of ours, with the token of
    the session whose cookie came with it, is taken."""
    context = await process(request)
    cookie = request.cookies.get(cookie_name(context.settings))
    if request.method != "POST" or cookie is None or not is_own_origin(request, context.settings):
        return None
    token = await _sent(request, CSRF_FIELD)
    actor = await run_in_threadpool(Sessions(context).author, cookie, token)
    if actor is None:
        return None
    fields = await form(request)
    # "Measured again" is said of now.
    given = {name: text for name, text in typed(fields).items() if not name.startswith(AGAIN)}
    if not set(given) - {_UNIT}:
        return None
    rest = {name: fields.get(name, "")[:40] for name in ("number", "is_again", "sent")}
    return KeptForms(context).seal(actor, given | rest)


async def _sent(request: Request, name: str) -> str:
    try:
        return (await form(request)).get(name, "")
    except (BadFormError, TooLargeError):
        return ""
