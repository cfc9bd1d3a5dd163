"""The sandbox: it is routed in development mode alone."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from cds_service.errors import NotFoundError
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.sandbox import SandboxService, Visit
from cds_service.services.sandbox_patients import (
    BY_KEY,
    DIAGNOSIS_BY_CODE,
    PATIENTS,
    SandboxPatient,
)
from cds_service.web import sandbox_en, sandbox_es, sandbox_form, sandbox_view
from cds_service.web.pages import page, see_other
from cds_service.web.words import RESULT, Words, beside

router = APIRouter(prefix="/sandbox")
WORDS = beside(RESULT, sandbox_en.ENGLISH, sandbox_es.SPANISH)
Player = Annotated[Person, Depends(signed_in(Permission.SANDBOX))]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Sent = Annotated[Form, Depends(form)]
_ADULT = 18


@router.get("", summary="Invented patients")
def patients(request: Request, words: Speaking, _player: Player) -> Response:
    """Whose chart to open, and what the service offers."""
    discovery = _service(request).discovery(_address(request), words.language)
    return page(
        "sandbox.html",
        words,
        title=words.say("title"),
        request=request,
        patients=[_patient(one, words) for one in PATIENTS],
        services=sandbox_view.services(discovery),
        discovery=sandbox_view.exchange(discovery, words),
    )


@router.get("/patients/{key}", summary="The chart of an invented patient")
def chart(request: Request, words: Speaking, _player: Player, key: str) -> Response:
    """The chart before it is opened."""
    patient = _known(key)
    return _chart(request, words, patient, sandbox_form.fields_of(patient.readings, words))


@router.post("/patients/{key}", summary="Open the chart")
def open_chart(
    request: Request, words: Speaking, _player: Player, key: str, sent: Sent
) -> Response:
    """Call the hook with the readings as they were changed."""
    patient = _known(key)
    typed = sandbox_form.read(sent)
    if typed.wrong:
        return _chart(request, words, patient, typed, code=422)
    visit = _service(request).open(_address(request), patient, typed.readings, words.language)
    return _back(request, visit.id, "card")


@router.get("/visits/{identifier}", summary="A chart that was opened")
def opened(request: Request, words: Speaking, _player: Player, identifier: str) -> Response:
    """The card, and everything that went over the wire."""
    visit = _service(request).visit(identifier)
    if visit is None:
        return _start(request)
    typed = sandbox_form.fields_of(visit.readings, words)
    return _chart(request, words, visit.patient, typed, visit=visit)


@router.post("/visits/{identifier}/accept", summary="Accept the suggestion of a card")
def accept(request: Request, _player: Player, identifier: str, sent: Sent) -> Response:
    """Tell the service that it was accepted."""
    service = _service(request)
    visit = service.visit(identifier)
    if visit is None:
        return _start(request)
    service.accept(_address(request), visit, _number(sent.get("card", "")) or 0)
    return _back(request, identifier, "told")


@router.post("/visits/{identifier}/override", summary="Override a card")
def override(request: Request, _player: Player, identifier: str, sent: Sent) -> Response:
    """Tell the service that it was dismissed, and why."""
    service = _service(request)
    visit = service.visit(identifier)
    if visit is None:
        return _start(request)
    reason = _number(sent.get("reason", ""))
    comment = sent.get("comment", "").strip()
    card = _number(sent.get("card", "")) or 0
    service.override(_address(request), visit, card, reason, comment)
    return _back(request, identifier, "told")


@router.post("/visits/{identifier}/diagnosis", summary="Send a diagnosis back")
def diagnosis(request: Request, _player: Player, identifier: str, sent: Sent) -> Response:
    """Put it on the problem list: the hook is called."""
    service = _service(request)
    visit = service.visit(identifier)
    if visit is None:
        return _start(request)
    problem = DIAGNOSIS_BY_CODE.get(sent.get("code", ""))
    if problem is None:
        raise NotFoundError("There is no such diagnosis here.")
    service.diagnose(_address(request), visit, problem)
    return _back(request, identifier, "outcome")


def _chart(
    request: Request,
    words: Words,
    patient: SandboxPatient,
    typed: sandbox_form.Typed,
    *,
    visit: Visit | None = None,
    code: int = 200,
) -> Response:
    values: dict[str, Any] = {"told": None, "fault": None, "cards": [], "draft": None, "wire": []}
    values |= {"became": [], "diagnoses": []}
    if visit is not None:
        values |= _answer(request, words, visit)
    return page(
        "sandbox_chart.html",
        words,
        title=f"{patient.name} · {words.say('title')}",
        code=code,
        request=request,
        patient=_patient(patient, words),
        typed=typed,
        lines=sandbox_form.lines(typed, words),
        visit=visit,
        **values,
    )


def _answer(request: Request, words: Words, visit: Visit) -> dict[str, Any]:
    """What the page shows of a visit beside its chart."""
    feedback = [one for one in visit.later if one.name in ("accepted", "overridden")]
    told = None
    if feedback:
        last = feedback[-1]
        key = f"card.taken.{last.name}" if last.is_good else "card.refused"
        told = {"is_good": last.is_good, "text": words.say(key)}
    became: list[str] = []
    if any(one.name == "diagnosis" for one in visit.later):
        found = _service(request).became(visit)
        became = (
            [words.say("became.unknown")] if found is None else sandbox_view.became(found, words)
        )
    is_bad = not visit.opened.is_good
    return {
        "told": told,
        "fault": (sandbox_view.fault(visit.opened) or words.say("wire.none")) if is_bad else None,
        "cards": sandbox_view.cards(visit, words),
        "draft": sandbox_view.draft(visit),
        "became": became,
        "diagnoses": sandbox_view.diagnoses(words),
        "wire": sandbox_view.exchanges([*reversed(visit.later), visit.opened], words),
    }


def _patient(patient: SandboxPatient, words: Words) -> dict[str, Any]:
    young = ".child" if patient.age < _ADULT else ""
    sex = words.say(f"sex.{patient.sex}{young}")
    age = words.wording.age(patient.age)
    problems = [words.say(f"problem.{one.code}") for one in patient.problems]
    return {
        "key": patient.key,
        "name": patient.name,
        "age": words.say("patient.age", age=age, sex=sex),
        "story": words.say(f"story.{patient.key}"),
        "place": words.say(f"chart.place.{patient.encounter}"),
        "problems": [*problems, *([words.say("chart.pregnant")] if patient.pregnant else [])],
    }


def _service(request: Request) -> SandboxService:
    service: SandboxService = request.app.state.sandbox
    return service


def _address(request: Request) -> str:
    """Where this service was reached: what is sent comes in by the same door."""
    host, port = request.scope.get("server") or (None, None)
    if host is None or port is None:
        address: str = request.app.state.context.settings.base_url
        return address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _known(key: str) -> SandboxPatient:
    patient = BY_KEY.get(key)
    if patient is None:
        raise NotFoundError("There is no such invented patient.")
    return patient


def _back(request: Request, identifier: str, part: str) -> Response:
    settings = request.app.state.context.settings
    return see_other(settings, f"/sandbox/visits/{identifier}#{part}")


def _start(request: Request) -> Response:
    """To the list: the visit is not known any more, since the service was started again."""
    return see_other(request.app.state.context.settings, "/sandbox")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 4 else None
