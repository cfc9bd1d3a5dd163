"""What routes share: the process, the caller, the body, and how an answer is written."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import msgspec
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from cds_service.context import ProcessContext
from cds_service.errors import TooLargeError
from cds_service.routes.counting import CLIENT
from cds_service.security.clients import Client, Right
from cds_service.services.authentication import Authenticator, carries_secret

MAX_BODY = 20_000_000
"""Bytes of a request body; whole charts of the largest synthetic patients are 1 MB."""

_encoder = msgspec.json.Encoder()


# Dependencies are `async` where they do not block: a plain function would take a thread each.
async def process(request: Request) -> ProcessContext:
    """The process this request runs in."""
    context: ProcessContext = request.app.state.context
    return context


async def deadline(request: Request) -> float:
    """When the call must be answered (`time.monotonic`): its time runs from when it came in."""
    context = await process(request)
    return monotonic() + context.settings.request_seconds


async def client(request: Request) -> Client:
    """The CDS client of a call to `/cds-services…`, by its JWT; in development mode everybody is
    the development client. Raises `UnauthorizedError`."""
    context = await process(request)
    if context.settings.development:
        return _noted(request, context.directory.development)
    # Keys may have to be fetched, and the token is remembered in the database.
    found = await run_in_threadpool(
        _authenticator(request).cds_client,
        request.headers.get("authorization"),
        request.scope["path"],
    )
    return _noted(request, found)


def fhir_client(right: Right) -> Callable[[Request], Awaitable[Client]]:
    """A dependency: the client of a call to `/fhir/…`, by its JWT or a bearer secret with `right`.

    In development mode a bearer secret is held to as elsewhere, so that it can be tried; any other
    caller is the development client. Raises `UnauthorizedError` and `ForbiddenError`.
    """

    async def caller(request: Request) -> Client:
        context = await process(request)
        authorization = request.headers.get("authorization")
        if context.settings.development and not carries_secret(authorization):
            return _noted(request, context.directory.development)
        found = await run_in_threadpool(
            _authenticator(request).fhir_client, authorization, request.scope["path"], right
        )
        return _noted(request, found)

    return caller


def _noted(request: Request, client: Client) -> Client:
    """The client, whose calls are counted."""
    setattr(request.state, CLIENT, client.name)
    return client


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


async def body(request: Request) -> bytes:
    """The whole request body. Raises `TooLargeError`."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY:
        raise TooLargeError(f"The body is larger than {MAX_BODY} bytes.")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLargeError(f"The body is larger than {MAX_BODY} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def answer(content: Any, *, status: int = 200, media_type: str = "application/json") -> Response:
    """A JSON response; bytes are taken as JSON already. It is about a patient or about a caller, so
    no browser and no proxy may keep it."""
    data = content if isinstance(content, bytes) else _encoder.encode(content)
    headers = {"Cache-Control": "no-store"}
    return Response(data, status_code=status, media_type=media_type, headers=headers)
