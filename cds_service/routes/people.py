"""What routes of pages share: who is signed in, the form that was sent, the reader's language."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from cds_service.context import ProcessContext
from cds_service.errors import (
    BadFormError,
    FormRefusedError,
    NotPermittedError,
    SignInNeededError,
    TooLargeError,
)
from cds_service.routes.dependencies import process
from cds_service.security.people import DEVELOPMENT, Person
from cds_service.security.permissions import Permission, Role
from cds_service.services.sessions import Sessions
from cds_service.settings import Settings, is_loopback
from cds_service.web.pages import LANGUAGE_COOKIE, prefix_of
from cds_service.web.words import Table, Words
from hooks.wording import Language, choose_language

MAX_FORM = 200_000
"""Bytes of a form."""
MAX_FIELDS = 1_000
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
_SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, 9.2.1)."""

Form = dict[str, str]
"""Fields of a form by name; of a name that comes twice the last."""


class SignedIn:
    """What `signed_in` makes."""

    def __init__(self, permission: Permission | None, *, is_activity: bool = True) -> None:
        self.permission = permission
        self._is_activity = is_activity

    async def __call__(self, request: Request) -> Person:
        """The person, or an error."""
        person = await person_of(request, is_activity=self._is_activity)
        if person is None:
            raise SignInNeededError
        try:
            if request.method not in _SAFE:
                await self.check_sent(request, person)
            if self.permission is not None and not person.may(self.permission):
                raise NotPermittedError(self.permission.value)
        except (FormRefusedError, NotPermittedError) as error:
            wanted = "form" if isinstance(error, FormRefusedError) else error.permission
            sessions = Sessions(await process(request))
            await run_in_threadpool(sessions.refused, person, wanted, request.scope["path"])
            raise
        return person

    async def check_sent(self, request: Request, person: Person) -> None:
        """Raise `FormRefusedError` unless what changes something comes from a page of ours."""
        await check_origin_and_token(request, person.session)


def signed_in(permission: Permission | None = None, *, is_activity: bool = True) -> SignedIn:
    """A dependency: the person who is signed in and has this permission (without one: anybody).

    What a page asks for by itself, such as progress, is no activity: it keeps no session alive.

    What changes something (any method but GET and HEAD) must come from a page of ours: its origin
    and the token of the session are checked, so no route can forget that. Raises
    `SignInNeededError`, `NotPermittedError` and `FormRefusedError`.
    """
    return SignedIn(permission, is_activity=is_activity)


async def person_of(request: Request, *, is_activity: bool = True) -> Person | None:
    """Who is signed in, if anybody; kept in `request.state.person` for the layout."""
    context = await process(request)
    person = None
    sessions = Sessions(context)
    for cookie in session_cookies(request):
        person = await run_in_threadpool(sessions.person, cookie, is_activity=is_activity)
        if person is not None:
            break
    if person is None:
        person = _developer(request, context)
    request.state.person = person
    return person


def session_cookie(request: Request) -> str | None:
    """What the browser sent of its session."""
    return next(iter(session_cookies(request)), None)


def session_cookies(request: Request) -> list[str]:
    """The same, of a session that was signed in and of a launched one. Each takes the place of the
    other; what is left of one that is over does no harm."""
    settings = request.app.state.context.settings
    names = (cookie_name(settings), launched_cookie_name(settings))
    return [request.cookies[name] for name in names if name in request.cookies]


def is_launched(request: Request) -> bool:
    """Whether whoever is not signed in any more came from a health record."""
    settings = request.app.state.context.settings
    return (
        launched_cookie_name(settings) in request.cookies
        and cookie_name(settings) not in request.cookies
    )


def own_cookie(settings: Settings, name: str) -> str:
    """A cookie's name with the prefix `__Host-`, which keeps other hosts of the domain from setting
    it (RFC 6265bis, 4.1.3.2); it needs https and the whole host."""
    is_whole_host = not settings.development and not prefix_of(settings)
    return f"__Host-{name}" if is_whole_host else name


def cookie_name(settings: Settings) -> str:
    """The cookie of the session."""
    return own_cookie(settings, "cds_session")


def launched_cookie_name(settings: Settings) -> str:
    """The cookie of a session that a health record launched."""
    return own_cookie(settings, "cds_launched")


def set_cookie(
    response: Response, settings: Settings, name: str, value: str, *, seconds: int | None = None
) -> None:
    """A cookie that no script can read and that no other site's forms carry along; without
    `seconds` it lives as long as the browser runs."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=prefix_of(settings) or "/",
        secure=not settings.development,
        httponly=True,
        samesite="lax",
    )


def set_framed_cookie(
    response: Response,
    settings: Settings,
    name: str,
    value: str,
    *,
    seconds: int,
    path: str = "",
) -> None:
    """A cookie that reaches us inside the frame of a health record too, and there alone: browsers
    keep one for each site that frames us (`Partitioned`; CHIPS, draft-cutler-httpbis-partitioned-
    cookies). Over http, in development, browsers keep no such cookie: there it works in a tab."""
    where = prefix_of(settings) + path or "/"
    how = "SameSite=Lax" if settings.development else "Secure; SameSite=None; Partitioned"
    # Starlette knows `Partitioned` from Python 3.14 on only. Values are ours: hex, base64url, dots.
    line = f"{name}={value}; HttpOnly; Max-Age={seconds}; Path={where}; {how}"
    response.headers.append("set-cookie", line)


def drop_cookie(response: Response, settings: Settings, name: str) -> None:
    """Take a cookie back."""
    set_cookie(response, settings, name, "", seconds=0)


def address_of(request: Request) -> str:
    """Where the request comes from; the proxy says so if it is trusted to (uvicorn)."""
    return "unknown" if request.client is None else request.client.host


def _developer(request: Request, context: ProcessContext) -> Person | None:
    settings = context.settings
    if not settings.development:
        return None
    # A page elsewhere whose name was made to lead to this machine is not let in (DNS rebinding).
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    ours = urlsplit(settings.base_url).hostname
    if not settings.development_any_host and not is_loopback(host) and host != ours:
        return None
    return Person(
        name=DEVELOPMENT,
        actor=DEVELOPMENT,
        roles=frozenset(Role),
        session=DEVELOPMENT,
        csrf=context.secrecy.sign("csrf", DEVELOPMENT),
        development=True,
    )


async def check_origin_and_token(request: Request, session: str) -> None:
    """Raise `FormRefusedError` unless the request comes from a page of ours and carries the token
    of the session, in the field `csrf` of its form or in the header `X-CSRF-Token`."""
    context = await process(request)
    if not is_own_origin(request, context.settings):
        raise FormRefusedError
    token = request.headers.get(CSRF_HEADER)
    if token is None:
        token = (await form(request)).get(CSRF_FIELD, "")
    if not context.secrecy.is_signed("csrf", session, token):
        raise FormRefusedError


def is_own_origin(request: Request, settings: Settings) -> bool:
    """Whether the request says that it comes from a page of this service.

    Every browser says so with what changes something (Fetch, "Origin header"); what says nothing is
    not let in. In development the address that was called counts too.
    """
    origin = request.headers.get("origin", "")
    public = urlsplit(settings.base_url)
    own = {f"{public.scheme}://{public.netloc}"}
    if settings.development:
        own.add(f"http://{request.headers.get('host', '')}")
    return origin in own


async def form(request: Request) -> Form:
    """The form of the request; read once, however often it is asked for.

    Raises `BadFormError` for what is no form and `TooLargeError`.
    """
    read: Form | None = getattr(request.state, "form", None)
    if read is None:
        read = request.state.form = await _read_form(request)
    return read


async def _read_form(request: Request) -> Form:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise BadFormError("This is no form.")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_FORM:
            raise TooLargeError(f"The form is larger than {MAX_FORM} bytes.")
        chunks.append(chunk)
    try:
        pairs = parse_qsl(
            b"".join(chunks).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise BadFormError("The form cannot be read.") from None
    # PostgreSQL takes no NUL, and nobody types one.
    return {name: value.replace("\0", "") for name, value in pairs}


def language_of(request: Request) -> Language:
    """The language of `?lang=`, else the one chosen before, else the one the browser asks for, else
    that of the settings."""
    wanted = (
        request.query_params.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language"),
    )
    settings: Settings = request.app.state.context.settings
    for text in wanted:
        if (language := choose_language(text)) is not None:
            return language
    return settings.language


def speaking(table: Table) -> Callable[[Request], Awaitable[Words]]:
    """A dependency: the words of a page in the reader's language."""

    async def words(request: Request) -> Words:
        context: ProcessContext = request.app.state.context
        return Words(language_of(request), table, zone=context.zone)

    return words
