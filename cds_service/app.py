"""The web application."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, Request, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cds_service.context import ProcessContext
from cds_service.errors import FormKeptError, ServiceError, SignInNeededError
from cds_service.logs import LOGGER
from cds_service.routes import (
    admin,
    cds,
    explanations,
    fhir,
    fhir_assess,
    fhir_conditions,
    health,
    home,
    launch,
    models,
    review,
    sandbox,
    sign_in,
    subscriptions,
    triage,
    triage_keeping,
)
from cds_service.routes.counting import CountedCalls
from cds_service.routes.dependencies import answer
from cds_service.routes.problems import problem_page, wants_page
from cds_service.services.authentication import Authenticator
from cds_service.services.call_counts import CallCounts
from cds_service.services.openid_sign_in import OpenIDSignIn
from cds_service.services.outcome_puller import OutcomePuller
from cds_service.services.sandbox import SandboxService
from cds_service.services.sign_in import SignIn
from cds_service.services.smart_launch import SmartLaunches
from cds_service.storage import session
from fhir_mapping.code_systems import ICD_10_CM
from fhir_mapping.codings import NormalCoding
from fhir_mapping.errors import MappingError
from hooks.errors import HookError
from hooks.protocol import operation_outcome

THREADS = 64
"""Threads that answer. At most half of them wait for FHIR servers (`services/places`) and a quarter
for keys (`security/keys`): the rest is left to calls that wait for nobody."""

AFTERWARDS = 4
"""Threads beside those, which keep what came with a chart once its answer is out. They wait for
other writers, and answers must not wait for them."""


def create_app(context: ProcessContext) -> FastAPI:
    """Build the application around a process context.

    Its start refuses (`ConfigurationError`) unless the database is exactly at the revision this
    version needs and the site's terminology can be used.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        session.check(context.engine)
        current_default_thread_limiter().total_tokens = THREADS
        app.state.afterwards = CapacityLimiter(AFTERWARDS)
        # A fault in a site's files is told now, not at the first Condition; and the table of
        # chronic conditions is read now, not while the first chart waits.
        context.terminology.is_chronic(NormalCoding(ICD_10_CM, "I10"))
        context.champion.start()
        context.directory.start()
        # What is loaded now lives as long as the process: keeping it out of every later
        # collection takes the longest pauses out of the answers.
        fhir_servers = context.fhir
        puller = OutcomePuller(context)
        puller.start()
        calls.start()
        gc.collect()
        gc.freeze()
        yield
        puller.stop()
        calls.stop()
        fhir_servers.close()
        if openid is not None:
            openid.close()
        context.directory.stop()
        context.champion.stop()
        context.engine.dispose()

    calls = CallCounts(context)
    # The interactive API pages would load scripts from a CDN, which hospital networks block.
    app = FastAPI(
        title="cds-service",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.authenticator = Authenticator(context)
    app.state.sign_in = SignIn(context)
    app.state.openid_sign_in = openid = OpenIDSignIn.of(context)
    app.state.smart_launches = SmartLaunches(context)
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(HookError, _hook_error)
    app.add_exception_handler(MappingError, _mapping_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.include_router(cds.router)
    for router in (fhir.router, fhir_assess.router, fhir_conditions.router):
        app.include_router(router, dependencies=[Depends(fhir.json_accepted)])
    app.include_router(subscriptions.router)
    app.include_router(health.router)
    app.include_router(models.router)
    app.include_router(home.router)
    app.include_router(sign_in.router)
    app.include_router(launch.router)
    app.include_router(triage.router)
    app.include_router(triage_keeping.router)
    app.include_router(explanations.router)
    app.include_router(review.router)
    for router in admin.ROUTERS:
        app.include_router(router)
    if context.settings.development:
        app.state.sandbox = SandboxService(context)
        app.include_router(sandbox.router)
    app.add_middleware(_LastResort)
    if context.settings.cors_origins:
        # Around the last resort: a browser hides an error without the CORS header (R68).
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(context.settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            # A hospital's EHR in the cloud calls a service in the hospital's own network: some
            # browsers ask for that too. Only the origins on the list are told yes.
            allow_private_network=True,
            max_age=600,
        )
    # Around all others, so that the last word on each call is counted.
    app.add_middleware(CountedCalls, counts=calls)
    return app


class _LastResort:
    """Turns what nobody expected into a 500 with an OperationOutcome, never an empty card list."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            LOGGER.info("the client went away")
        except Exception as fault:
            LOGGER.exception("request failed")
            if started:
                raise
            told = (500, "exception", "The service failed; the fault is logged.")
            if isinstance(fault, (OperationalError, PoolTimeoutError)):
                told = (503, "transient", "The database cannot be reached or is too busy.")
            # The router below noted in the scope which application this is.
            request = Request(scope)
            response = (
                problem_page(request, told[0])
                if "app" in scope and wants_page(request)
                else _outcome(scope["path"], *told)
            )
            await response(scope, receive, send)


def _outcome(
    path: str,
    status: int,
    code: str,
    diagnostics: str,
    element: str | None = None,
    **headers: str,
) -> Response:
    """An OperationOutcome: as FHIR under `/fhir`, elsewhere as the JSON that CDS Hooks speaks."""
    is_fhir = path == "/fhir" or path.startswith("/fhir/")
    response = answer(
        operation_outcome("error", code, diagnostics, expression=element),
        status=status,
        media_type=fhir.FHIR_JSON if is_fhir else "application/json",
    )
    response.headers.update(headers)
    return response


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101  # Starlette's handler type is this wide
    if wants_page(request):
        if isinstance(error, SignInNeededError) and request.method == "GET":
            address = sign_in.sign_in_address(request)
            return RedirectResponse(address, 303, {"Cache-Control": "no-store"})
        if isinstance(error, FormKeptError):
            return triage_keeping.kept_page(request, error)
        return problem_page(request, error.status, error)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    path = request.scope["path"]
    return _outcome(path, error.status, error.code, error.diagnostics, error.element, **headers)


async def _hook_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HookError)  # noqa: S101  # as above
    path = request.scope["path"]
    return _outcome(path, error.status, error.code, str(error), error.element)


async def _mapping_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MappingError)  # noqa: S101  # as above
    path = request.scope["path"]
    return _outcome(path, error.status, error.code, str(error), error.element)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    if wants_page(request):
        page = problem_page(request, error.status_code)
        page.headers.update(error.headers or {})
        return page
    code = "not-found" if error.status_code == HTTPStatus.NOT_FOUND else "not-supported"
    words = HTTPStatus(error.status_code).phrase + "."
    response = _outcome(request.scope["path"], error.status_code, code, words)
    response.headers.update(error.headers or {})
    return response
