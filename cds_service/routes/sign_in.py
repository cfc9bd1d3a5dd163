"""Signing in and out, and how long a session goes on."""

import re
import secrets
from math import ceil
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from cds_service.context import ProcessContext
from cds_service.errors import (
    BusyError,
    NotFoundError,
    SignInRefusedError,
    TooManyAttemptsError,
)
from cds_service.routes.dependencies import answer, process
from cds_service.routes.people import (
    Form,
    address_of,
    check_origin_and_token,
    cookie_name,
    drop_cookie,
    form,
    is_launched,
    launched_cookie_name,
    own_cookie,
    session_cookie,
    session_cookies,
    set_cookie,
    set_framed_cookie,
    signed_in,
    speaking,
)
from cds_service.security.id_tokens import ProviderAwayError, ProviderRefusedError
from cds_service.security.people import Person
from cds_service.services.openid_sign_in import CALLBACK, LASTS, NoRoleError, OpenIDSignIn
from cds_service.services.sessions import KNOWN_FOR, LONGEST, Sessions
from cds_service.services.sign_in import SignIn
from cds_service.web import sign_in_en, sign_in_es
from cds_service.web.pages import page, prefix_of, see_other
from cds_service.web.words import Table, Words

router = APIRouter()
WORDS: Table = {"en": sign_in_en.ENGLISH, "es": sign_in_es.SPANISH}
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
FORM_COOKIE = "cds_form"
"""Ties the sign-in form to the browser it was shown in: there is no session yet."""
PROVIDER_COOKIE = "cds_provider"
"""What is checked when somebody comes back from the provider, encrypted."""
_NEXT = re.compile(r"/(?![/\\])[!-~]{0,500}")
_LONG = 3600
"""Seconds from which on waiting is no advice."""


def next_path(text: str | None) -> str:
    """Where to go after signing in: a path of ours, else the start."""
    return text if text is not None and _NEXT.fullmatch(text) else "/"


@router.get("/sign-in", summary="The sign-in page")
async def sign_in_page(
    request: Request,
    context: Process,
    words: Speaking,
    next: Annotated[str | None, Query()] = None,  # noqa: A002  # The name in the address.
    told: Annotated[str | None, Query()] = None,
) -> Response:
    """Name and password of a local account."""
    said = words.say(told) if told in ("idle", "out") else None
    return _page(request, context, words, next_path(next), said, is_out=told == "out")


async def _sent(request: Request) -> Form:
    fields = await form(request)
    browser = _kept(request, FORM_COOKIE)
    await check_origin_and_token(request, f"form:{browser}")
    return fields


@router.post("/sign-in", summary="Sign in")
def sign_in(
    request: Request,
    context: Process,
    words: Speaking,
    fields: Annotated[Form, Depends(_sent)],
) -> Response:
    """Begin a session, and go where the person wanted to go."""
    if _provider(request) is not None:
        raise NotFoundError("Local accounts are not used here.")
    service: SignIn = request.app.state.sign_in
    target = next_path(fields.get("next"))
    try:
        cookie = service.by_password(
            fields.get("name", ""),
            fields.get("password", ""),
            address=address_of(request),
            replaces=session_cookie(request),
        )
    except SignInRefusedError as error:
        return _page(request, context, words, target, words.say("wrong"), error.status)
    except BusyError as error:
        return _page(request, context, words, target, words.say("busy"), error.status)
    except TooManyAttemptsError as error:
        return _blocked(request, context, words, error, target)
    return begin(context, cookie, target)


def begin(context: ProcessContext, cookie: str, target: str) -> Response:
    """Give the browser its session and send it to `target`."""
    settings = context.settings
    response = see_other(settings, target)
    seconds = int((LONGEST + KNOWN_FOR).total_seconds())
    set_cookie(response, settings, cookie_name(settings), cookie, seconds=seconds)
    drop_cookie(response, settings, own_cookie(settings, FORM_COOKIE))
    set_framed_cookie(response, settings, launched_cookie_name(settings), "", seconds=0)
    return response


@router.get("/sign-in/provider", summary="Go to the provider to sign in")
def depart(
    request: Request,
    context: Process,
    words: Speaking,
    next: Annotated[str | None, Query()] = None,  # noqa: A002  # The name in the address.
) -> Response:
    """Send the person to the provider of identities."""
    service = _provider(request)
    if service is None:
        raise NotFoundError("There is no provider.")
    target = next_path(next)
    try:
        departure = service.depart(target)
    except (ProviderAwayError, BusyError) as error:
        return _not_let_in(request, context, words, error, target)
    response = RedirectResponse(departure.address, 303, {"Cache-Control": "no-store"})
    seconds = int(LASTS.total_seconds())
    name = own_cookie(context.settings, PROVIDER_COOKIE)
    set_cookie(response, context.settings, name, departure.kept, seconds=seconds)
    return response


@router.get(CALLBACK, summary="Come back from the provider")
def arrive(request: Request, context: Process, words: Speaking) -> Response:
    """Begin a session for whoever the provider says this is."""
    service = _provider(request)
    if service is None:
        raise NotFoundError("There is no provider.")
    try:
        cookie, target = service.arrive(
            _kept(request, PROVIDER_COOKIE),
            dict(request.query_params),
            address=address_of(request),
            replaces=session_cookie(request),
        )
    except (ProviderAwayError, ProviderRefusedError, NoRoleError, BusyError) as error:
        response = _not_let_in(request, context, words, error, "/")
    except TooManyAttemptsError as error:
        response = _blocked(request, context, words, error, "/")
    else:
        response = begin(context, cookie, target)
    drop_cookie(response, context.settings, own_cookie(context.settings, PROVIDER_COOKIE))
    return response


@router.get("/sign-in/provider/out", summary="Sign out at the provider too")
def leave_provider(request: Request, context: Process, words: Speaking) -> Response:
    """Send the person to where the provider ends its own session."""
    service = _provider(request)
    address = None if service is None else service.end_address()
    if address is None:
        return _page(request, context, words, "/", words.say("out.provider.none"))
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


@router.post("/sign-out", summary="Sign out")
def sign_out(context: Process, person: Annotated[Person, Depends(signed_in())]) -> Response:
    """End the session."""
    Sessions(context).end(person)
    settings = context.settings
    target = "/sign-in?told=out" if person.launch is None else "/launch/told/out"
    response = see_other(settings, target)
    drop_cookie(response, settings, cookie_name(settings))
    set_framed_cookie(response, settings, launched_cookie_name(settings), "", seconds=0)
    return response


@router.get("/session", summary="How long the session goes on")
def session(request: Request, context: Process) -> Response:
    """Seconds left; asking keeps no session alive."""
    sessions = Sessions(context)
    left = [sessions.seconds_left(cookie) for cookie in session_cookies(request)]
    return answer({"seconds": max(left, default=0)})


@router.post("/session", summary="Go on with the session")
def stay(
    request: Request, context: Process, person: Annotated[Person, Depends(signed_in())]
) -> Response:
    """Somebody is still there."""
    del person
    return session(request, context)


def sign_in_address(request: Request) -> str:
    """The sign-in page, for somebody who wanted another one first; whoever came from a health
    record goes back there."""
    settings = request.app.state.context.settings
    if is_launched(request):
        return f"{prefix_of(settings)}/launch/told/idle"
    path: str = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    wanted = quote(path) + (f"?{query}" if query else "")
    asked = {} if wanted == "/" else {"next": wanted}
    if session_cookie(request) is not None:
        asked["told"] = "idle"
    return f"{prefix_of(settings)}/sign-in" + (f"?{urlencode(asked)}" if asked else "")


def _kept(request: Request, name: str) -> str:
    """What this browser brings back in one of our cookies beside that of the session."""
    return request.cookies.get(own_cookie(request.app.state.context.settings, name), "")


def _provider(request: Request) -> OpenIDSignIn | None:
    service: OpenIDSignIn | None = request.app.state.openid_sign_in
    return service


def _not_let_in(
    request: Request, context: ProcessContext, words: Words, error: Exception, target: str
) -> Response:
    """The sign-in page with what is in the way."""
    key, status = {
        ProviderAwayError: ("provider.away", 503),
        ProviderRefusedError: ("provider.refused", 403),
        NoRoleError: ("provider.no_role", 403),
        BusyError: ("busy", 503),
    }[type(error)]
    return _page(request, context, words, target, words.say(key), status)


def _blocked(
    request: Request,
    context: ProcessContext,
    words: Words,
    error: TooManyAttemptsError,
    target: str,
) -> Response:
    """The sign-in page with how long to wait."""
    minutes = ceil(error.seconds / 60)
    said = words.say("blocked", minutes=minutes)
    if error.seconds > _LONG:
        said = words.say("blocked.long")
    response = _page(request, context, words, target, said, error.status)
    response.headers["Retry-After"] = str(error.seconds)
    return response


def _page(
    request: Request,
    context: ProcessContext,
    words: Words,
    target: str,
    told: str | None,
    code: int = 200,
    *,
    is_out: bool = False,
) -> Response:
    settings = context.settings
    known = _kept(request, FORM_COOKIE)
    browser = known if re.fullmatch(r"[\w-]{43}", known) else secrets.token_urlsafe(32)
    response = page(
        "sign_in.html",
        words,
        title=words.say("title"),
        code=code,
        request=request,
        told=told,
        is_wrong=code >= 400,
        token=context.secrecy.sign("csrf", f"form:{browser}"),
        next=target,
        provider=_provider(request) is not None,
        is_out=is_out,
    )
    set_cookie(response, settings, own_cookie(settings, FORM_COOKIE), browser)
    return response
