"""SMART launch: from a chart in the health record to the explanation of its newest assessment."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, TooManyAttemptsError
from cds_service.routes.dependencies import process
from cds_service.routes.people import (
    address_of,
    cookie_name,
    drop_cookie,
    launched_cookie_name,
    session_cookie,
    set_framed_cookie,
    signed_in,
    speaking,
)
from cds_service.security.explanation_links import LAUNCH
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.sessions import LONGEST
from cds_service.services.smart_launch import (
    CALLBACK,
    LASTS,
    LaunchError,
    SmartLaunches,
    cookie_of,
)
from cds_service.web import launch_en, launch_es
from cds_service.web.pages import page, prefix_of
from cds_service.web.words import Table, Words

router = APIRouter()
WORDS: Table = {"en": launch_en.ENGLISH, "es": launch_es.SPANISH}
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Reader = Annotated[Person, Depends(signed_in(Permission.EXPLANATION))]
STATUS: Final = {
    "incomplete": HTTPStatus.BAD_REQUEST,
    "unknown": HTTPStatus.FORBIDDEN,
    "state": HTTPStatus.FORBIDDEN,
    "late": HTTPStatus.FORBIDDEN,
    "refused": HTTPStatus.FORBIDDEN,
    "nobody": HTTPStatus.FORBIDDEN,
    "no_patient": HTTPStatus.UNPROCESSABLE_ENTITY,
    "blocked": HTTPStatus.TOO_MANY_REQUESTS,
    "away": HTTPStatus.SERVICE_UNAVAILABLE,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "setup": HTTPStatus.SERVICE_UNAVAILABLE,
    "idle": HTTPStatus.OK,
    "out": HTTPStatus.OK,
    "chart": HTTPStatus.OK,
}
"""What can be told of a launch, and the status that says it to machines."""


@router.get(LAUNCH, summary="Start of a SMART launch")
def launch(
    request: Request,
    context: Process,
    iss: Annotated[str | None, Query()] = None,
    launch: Annotated[str | None, Query()] = None,
) -> Response:
    """Send somebody who comes from a chart to their health record, to show who they are."""
    try:
        departure = _service(request).depart(iss, launch)
    except LaunchError as error:
        return _lead(context, f"/launch/told/{error.told}")
    response = RedirectResponse(departure.address, 303, {"Cache-Control": "no-store"})
    _forbid_referrer(response)
    set_framed_cookie(
        response,
        context.settings,
        departure.cookie,
        departure.kept,
        seconds=int(LASTS.total_seconds()),
        path=CALLBACK,
    )
    return response


@router.get(CALLBACK, summary="Come back from the health record")
def arrive(request: Request, context: Process) -> Response:
    """Begin a session for the chart that is open there. Whatever came in the address is left behind
    with it: people are led on, also to what went wrong."""
    answer = dict(request.query_params)
    name = cookie_of(answer.get("state", ""))
    settings = context.settings
    try:
        cookie, target = _service(request).arrive(
            request.cookies.get(name, ""),
            answer,
            address=address_of(request),
            replaces=session_cookie(request),
        )
    except LaunchError as error:
        response = _lead(context, f"/launch/told/{error.told}")
    except TooManyAttemptsError:
        response = _lead(context, "/launch/told/blocked")
    else:
        response = _lead(context, target)
        seconds = int(LONGEST.total_seconds())
        set_framed_cookie(
            response, settings, launched_cookie_name(settings), cookie, seconds=seconds
        )
        # One browser, one person: whoever was signed in here before is not any more.
        drop_cookie(response, settings, cookie_name(settings))
    set_framed_cookie(response, settings, name, "", seconds=0, path=CALLBACK)
    return response


@router.get("/launch/patient/{place}", summary="The newest assessment of the chart that is open")
def patient(
    request: Request, context: Process, person: Reader, words: Speaking, place: str
) -> Response:
    """To its explanation, or a page that says that there is none yet."""
    service = _service(request)
    if person.launch is None:
        raise NotFoundError("This is for whoever comes from a health record.")
    if not context.secrecy.same(place, service.place_of(person.session)):
        return _lead(context, "/launch/told/chart")
    target = service.latest(person.launch)
    if target is not None:
        return _lead(context, target)
    return page(
        "launch.html",
        words,
        title=words.say("none.title"),
        request=request,
        message=words.say("none.yet"),
        again=f"/launch/patient/{place}",
    )


@router.get("/launch/told/{told}", summary="What came of a launch")
def tell(request: Request, words: Speaking, told: str) -> Response:
    """A plain sentence, also inside the frame of a health record."""
    status = STATUS.get(told)
    if status is None:
        raise NotFoundError("There is nothing to tell.")
    return page(
        "launch.html",
        words,
        title=words.say(f"{told}.title"),
        code=status,
        request=request,
        frames=_service(request).frames(),
        message=words.say(f"{told}.more"),
        again=None,
    )


def _service(request: Request) -> SmartLaunches:
    service: SmartLaunches = request.app.state.smart_launches
    return service


def _lead(context: ProcessContext, target: str) -> Response:
    response = RedirectResponse(
        prefix_of(context.settings) + target, 303, {"Cache-Control": "no-store"}
    )
    _forbid_referrer(response)
    return response


def _forbid_referrer(response: Response) -> None:
    """The address of this step is told to nobody: `launch` and `code` stand in it."""
    response.headers["Referrer-Policy"] = "no-referrer"
