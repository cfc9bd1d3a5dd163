"""Every call of a client is counted on its way out."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cds_service.services.call_counts import NOBODY, WENT_AWAY, CallCounts, service_of

CLIENT = "cds_client"
"""Name in the state of a request: who calls, once it is known."""


class CountedCalls:
    """Notes how a call ended and how long it took until the last byte of its answer."""

    def __init__(self, app: ASGIApp, counts: CallCounts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = service_of(scope["path"]) if scope["type"] == "http" else None
        if service is None or scope["method"] == "OPTIONS":  # What a browser asks beforehand.
            await self._app(scope, receive, send)
            return
        # Routers hand copies of the scope on; what is inside is shared.
        state = scope.setdefault("state", {})
        status, ended, began = WENT_AWAY, None, perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status, ended
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body", False):
                ended = perf_counter()

        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = (ended or perf_counter()) - began
            self._counts.note(service, state.get(CLIENT, NOBODY), status, seconds)
