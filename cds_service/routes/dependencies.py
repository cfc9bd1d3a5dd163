"""What routes share: the process, the caller, the body, and how an answer is written."""

from typing import Any

import msgspec
from fastapi import Request, Response

from cds_service.context import ProcessContext
from cds_service.errors import TooLargeError, UnauthorizedError
from cds_service.security.clients import DEVELOPMENT_CLIENT, Client

MAX_BODY = 20_000_000
"""Bytes of a request body; whole charts of the largest synthetic patients are 1 MB."""

_encoder = msgspec.json.Encoder()


# Dependencies are `async` where they do not block: a plain function would take a thread each.
async def process(request: Request) -> ProcessContext:
    """The process this request runs in."""
    context: ProcessContext = request.app.state.context
    return context


async def client(request: Request) -> Client:
    """The calling client. Outside development mode nobody is known yet, so everybody gets 401."""
    if (await process(request)).settings.development:
        return DEVELOPMENT_CLIENT
    raise UnauthorizedError


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
    """A JSON response; bytes are taken as JSON already."""
    data = content if isinstance(content, bytes) else _encoder.encode(content)
    return Response(data, status_code=status, media_type=media_type)
