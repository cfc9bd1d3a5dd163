"""The start page, and the files that pages are made of."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cds_service.errors import NotFoundError
from cds_service.routes.people import signed_in, speaking
from cds_service.security.people import Person
from cds_service.web.pages import page, pages_for, see_other
from cds_service.web.static_files import static_file
from cds_service.web.words import LAYOUT, Words

router = APIRouter()
Somebody = Annotated[Person, Depends(signed_in())]
Speaking = Annotated[Words, Depends(speaking(LAYOUT))]
_A_YEAR = 365 * 24 * 3600


@router.get("/", summary="The start page")
def home(request: Request, person: Somebody, words: Speaking) -> Response:
    """The first page that is open to whoever is signed in: the sandbox in development mode."""
    settings = request.app.state.context.settings
    if person.launch is not None:
        return see_other(settings, "/launch/told/chart")
    entries = pages_for(request)
    if entries:
        return see_other(settings, entries[0].path)
    return page("home.html", words, title=words.say("home.title"), request=request)


@router.get("/static/{name}", summary="A style, script or picture of the pages")
def static(name: str, v: str = "") -> Response:
    """Our own file; whoever asks for it by its content (`v`) may keep it for a year."""
    try:
        file = static_file(name)
    except KeyError:
        raise NotFoundError("There is no such file.") from None
    is_this = v == file.version
    return Response(
        file.content,
        media_type=file.media_type,
        headers={
            "Cache-Control": f"public, max-age={_A_YEAR}, immutable" if is_this else "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": "default-src 'none'",
        },
    )
