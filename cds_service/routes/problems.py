"""What went wrong, as a page for people; machines get an OperationOutcome (`cds_service.app`)."""

from fastapi import Request, Response

from cds_service.errors import FormRefusedError
from cds_service.routes.people import language_of
from cds_service.web.pages import page
from cds_service.web.words import Words

_MACHINES = ("/cds-services", "/fhir", "/health", "/static")
"""Where no pages are: what is asked for there is data, whoever asks."""
_SERVER_ERROR = 500


def wants_page(request: Request) -> bool:
    """Whether somebody looks at this with a browser."""
    path = request.scope["path"]
    if any(path == top or path.startswith(top + "/") for top in _MACHINES):
        return False
    return "text/html" in request.headers.get("accept", "")


def problem_page(request: Request, status: int, error: Exception | None = None) -> Response:
    """A plain page that says what is wrong and leads back to the start."""
    words = Words(language_of(request), {"en": {}, "es": {}})
    key = "problem.form" if isinstance(error, FormRefusedError) else f"problem.{status}"
    if not words.has(key):
        key = "problem.400" if status < _SERVER_ERROR else "problem.500"
    return page(
        "problem.html",
        words,
        title=words.say(key),
        code=status,
        request=request,
        message=words.say(f"{key}.more"),
    )
