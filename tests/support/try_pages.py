"""Pages of the tests' own, to try what all pages share."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.web.pages import page
from cds_service.web.words import LAYOUT, Words

router = APIRouter(prefix="/try")
Speaking = Annotated[Words, Depends(speaking(LAYOUT))]
Reviewer = Annotated[Person, Depends(signed_in(Permission.REVIEW))]


@router.get("/say")
def say(request: Request, words: Speaking, person: Reviewer, title: str = "Title") -> Response:
    """A page that repeats what it was given, as pages repeat names and comments."""
    del person
    return page("problem.html", words, title=title, request=request, message=title)


@router.post("/do")
def do(person: Reviewer, sent: Annotated[Form, Depends(form)]) -> dict[str, str]:
    """Tell who sent what."""
    return {"actor": person.actor, "text": sent.get("text", "")}


@router.get("/fail")
def fail() -> None:
    """Fail as nobody expects."""
    raise RuntimeError("hr=118")


@router.get("/framed")
def framed(request: Request, words: Speaking) -> Response:
    """A page that a health record may show inside its own."""
    return page(
        "problem.html",
        words,
        title="Framed",
        request=request,
        frames=("https://ehr.example",),
        message="x",
    )


@router.get("/pages")
def pages(
    request: Request, words: Speaking, person: Annotated[Person, Depends(signed_in())]
) -> Response:
    """A page for whoever is signed in."""
    del person
    return page("problem.html", words, title="Pages", request=request, message="x")
