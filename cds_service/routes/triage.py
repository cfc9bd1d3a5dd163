"""The triage pages: a form instead of a chart, for people who are signed in."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.routes.dependencies import process
from cds_service.routes.people import Form, form, signed_in, speaking
from cds_service.routes.triage_keeping import SEALED, KeepsForm, OpensForm
from cds_service.security.case_numbers import read_case_number
from cds_service.security.clients import held_back
from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.services.kept_forms import KeptForms
from cds_service.services.reviewing import UNDETERMINED, Answer
from cds_service.services.triage import LONGEST_COMMENT, Case, TriageService
from cds_service.services.triage_form import (
    CELSIUS,
    Problem,
    another_person,
    read_form,
    typed,
)
from cds_service.web import triage_en, triage_es
from cds_service.web.pages import page, prefix_of, see_other
from cds_service.web.triage_page import shown_fields, shown_problems
from cds_service.web.triage_policy import DATE, TEXTS, VERSION
from cds_service.web.words import RESULT, Words, beside, written
from hooks.disease_severity import Situation
from hooks.result_text import ResultText, result_text, rules_text
from hooks.suggestions import override_reasons
from model.features import ABO_GROUPS, SEXES
from model.severity import SEVERITIES

router = APIRouter(prefix="/triage")
WORDS = beside(RESULT, triage_en.ENGLISH, triage_es.SPANISH)
Process = Annotated[ProcessContext, Depends(process)]
Speaking = Annotated[Words, Depends(speaking(WORDS))]
Clinician = Annotated[Person, Depends(signed_in(Permission.TRIAGE))]
Sent = Annotated[Form, Depends(form)]


def agreed(context: Process, person: Clinician) -> TriageService:
    """The service, for whoever agreed to the data-use policy; everybody else is asked first."""
    service = TriageService(context)
    if service.agreed_at(person, VERSION) is None:
        policy = prefix_of(context.settings) + "/triage/policy"
        raise HTTPException(303, headers={"Location": policy, "Cache-Control": "no-store"})
    return service


Agreed = Annotated[TriageService, Depends(agreed)]


def opened(service: Agreed, person: Clinician, identifier: str) -> Case:
    """The case in the address."""
    return _case(service, identifier, person)


Opened = Annotated[Case, Depends(opened)]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UNREADABLE = 422
PAUSED = "paused"


@router.get("", summary="The triage form")
def triage(
    request: Request,
    context: Process,
    person: Clinician,
    service: Agreed,
    words: Speaking,
    again: Annotated[str | None, Query()] = None,
) -> Response:
    """An empty form with a new case number; `again` is an assessment whose case is measured again.
    Whoever has not agreed to the data-use policy is asked first."""
    if again is None:
        return _form(request, context, words, number=service.new_number())
    case = _case(service, again, person)
    return _form(request, context, words, number=case.number, is_again=True)


@router.post("", summary="Assess what was entered")
def assess(
    request: Request,
    context: Process,
    person: Annotated[Person, Depends(KeepsForm(Permission.TRIAGE))],
    service: Agreed,
    words: Speaking,
    fields: Sent,
) -> Response:
    """Check the form; what is right is assessed, and its result shown."""
    number = read_case_number(fields.get("number", "")) or service.new_number()
    read = read_form(fields, context.clock())
    sent, given, problems = fields.get("sent", ""), typed(fields), read.problems
    is_again = fields.get("is_again") == "1"
    if read.entered is not None and service.is_another_person(number, read.entered):
        asked = another_person(given)
        is_again, problems = True, () if asked is None else (asked,)
    if read.entered is None or problems:
        return _form(
            request,
            context,
            words,
            number=number,
            is_again=is_again,
            given=given,
            problems=problems,
            sent=sent if _UUID.fullmatch(sent) else None,
        )
    found = service.assess(
        read.entered,
        number=number,
        sent=sent if _UUID.fullmatch(sent) else str(uuid4()),
        person=person,
        language=words.language,
    )
    return see_other(context.settings, f"/triage/results/{found}")


@router.post("/back", summary="Back to a form that was kept")
def reopen(
    request: Request,
    context: Process,
    person: Annotated[Person, Depends(OpensForm(Permission.TRIAGE))],
    words: Speaking,
    fields: Sent,
) -> Response:
    """The form with what this person had typed before the session was over."""
    kept = KeptForms(context).open(fields.get(SEALED, ""), person)
    service = TriageService(context)
    if kept is None:
        told = words.say("kept.gone")
        return _form(request, context, words, number=service.new_number(), told=told)
    sent = kept.fields.get("sent", "")
    return _form(
        request,
        context,
        words,
        number=read_case_number(kept.fields.get("number", "")) or service.new_number(),
        is_again=kept.fields.get("is_again") == "1",
        given=typed(kept.fields),
        sent=sent if _UUID.fullmatch(sent) else None,
        told=words.say("kept.is_back", at=written(kept.at, context.zone)),
    )


@router.get("/results/{identifier}", summary="The result of an assessment")
def result(
    request: Request,
    context: Process,
    words: Speaking,
    case: Opened,
    told: Annotated[str | None, Query()] = None,
) -> Response:
    """What is said of the readings; read again in either language, and audited."""
    said = words.say(f"told.{told}") if told in ("feedback", "outcome") else None
    return _result(request, context, words, case, told=said)


@router.post("/results/{identifier}/feedback", summary="Say that an answer was wrong")
def feedback(
    request: Request,
    context: Process,
    person: Clinician,
    service: Agreed,
    words: Speaking,
    fields: Sent,
    case: Opened,
) -> Response:
    """Keep it as feedback on the card."""
    reasons = {reason["code"]: reason for reason in _reasons(context, case, words)}
    reason, comment = reasons.get(fields.get("reason", "")), fields.get("comment", "")
    if reason is None and not comment.strip():
        wrong = {"feedback": words.say("feedback.needed")}
        return _result(request, context, words, case, wrong=wrong)
    service.was_wrong(case, reason=reason, comment=comment, person=person)
    return see_other(context.settings, f"/triage/results/{case.id}?told=feedback#told")


@router.post("/results/{identifier}/outcome", summary="Confirm what a case turned out to be")
def outcome(
    request: Request,
    context: Process,
    person: Clinician,
    service: Agreed,
    words: Speaking,
    fields: Sent,
    case: Opened,
) -> Response:
    """Keep the confirmed category as the outcome of the case."""
    chosen = fields.get("category", "")
    if chosen not in (UNDETERMINED, *(severity.value for severity in SEVERITIES)):
        wrong = {"outcome": words.say("outcome.needed")}
        return _result(request, context, words, case, wrong=wrong)
    service.confirm(case, Answer.of(chosen), person)
    return see_other(context.settings, f"/triage/results/{case.id}?told=outcome#told")


@router.post("/find", summary="Find a case by its number")
def find(
    request: Request,
    context: Process,
    person: Clinician,
    service: Agreed,
    words: Speaking,
    fields: Sent,
) -> Response:
    """Lead to the newest result of the case. The number is never part of an address."""
    number = read_case_number(fields.get("number", ""))
    told = "find.wrong"
    if number is not None:
        try:
            return see_other(context.settings, f"/triage/results/{service.find(number, person)}")
        except NotFoundError:
            told = "find.none"
    return _form(
        request,
        context,
        words,
        number=service.new_number(),
        not_found=words.say(told),
        code=_UNREADABLE if number is None else NotFoundError.status,
    )


@router.get("/find", summary="Back to the form")
@router.get("/back", summary="Back to the form")
@router.get("/results/{identifier}/feedback", summary="Back to the result")
@router.get("/results/{identifier}/outcome", summary="Back to the result")
def back(request: Request, context: Process, _person: Clinician, words: Speaking) -> Response:
    """What was wrong with a form stands at the address it was sent to: whoever loads that again,
    chooses the other language there or signs in anew comes back to its page."""
    path = str(request.scope["path"]).rpartition("/")[0]
    return see_other(context.settings, f"{path}?lang={words.language}")


@router.get("/policy", summary="The data-use policy")
def policy(request: Request, context: Process, person: Clinician, words: Speaking) -> Response:
    """The text with its version and date, and the question whether the reader agrees."""
    return _policy(request, context, person, words)


@router.post("/policy", summary="Agree to the data-use policy")
def agree(
    request: Request, context: Process, person: Clinician, words: Speaking, fields: Sent
) -> Response:
    """Keep that this person agreed to this version."""
    # What was read is what is agreed to, even if another version came out meanwhile.
    if fields.get("agree") != VERSION:
        return _policy(request, context, person, words, told=words.say("policy.needed"))
    TriageService(context).agree(person, VERSION)
    return see_other(context.settings, "/triage")


def _case(service: TriageService, identifier: str, person: Person) -> Case:
    if not _UUID.fullmatch(identifier):
        raise NotFoundError("There is no such case.")
    return service.case(identifier, person)


def _form(
    request: Request,
    context: ProcessContext,
    words: Words,
    *,
    number: str,
    is_again: bool = False,
    given: Mapping[str, str] | None = None,
    problems: tuple[Problem, ...] = (),
    sent: str | None = None,
    not_found: str | None = None,
    told: str | None = None,
    code: int = 200,
) -> Response:
    scorer, client = context.champion.scorer, context.directory.triage
    held = None
    if scorer is not None:
        held = held_back(client, scorer.facts, paused=context.directory.paused)
    values = {"temperature_unit": CELSIUS} | dict(given or {})
    return page(
        "triage.html",
        words,
        title=words.say("title"),
        request=request,
        code=_UNREADABLE if problems else code,
        number=number,
        is_again=is_again,
        sent=sent or str(uuid4()),
        typed=values,
        fields=shown_fields(values, problems, words),
        problems=shown_problems(problems, words),
        sexes=SEXES,
        abo_groups=ABO_GROUPS,
        not_found=not_found,
        told=told,
        not_ready=scorer is None,
        simulated=scorer is not None and scorer.facts.simulated,
        held=None if held is None else words.wording.say(f"risk.held_back.{held}"),
    )


def _result(
    request: Request,
    context: ProcessContext,
    words: Words,
    case: Case,
    *,
    told: str | None = None,
    wrong: Mapping[str, str] | None = None,
) -> Response:
    return page(
        "triage_result.html",
        words,
        title=words.say("result"),
        request=request,
        code=_UNREADABLE if wrong else 200,
        case=case,
        text=_text(context, case, words),
        no_chart=True,
        at=written(case.at, context.zone),
        others=[
            {"id": one["id"], "at": written(one["prediction_time"], context.zone)}
            for one in case.others
        ],
        held=None if case.held is None else words.wording.say(f"risk.held_back.{case.held}"),
        reasons=_reasons(context, case, words),
        categories=[(one.value, words.category(one.value)) for one in SEVERITIES],
        undetermined=UNDETERMINED,
        confirmed=_confirmed(case, words),
        longest_comment=LONGEST_COMMENT,
        told=told,
        wrong={"feedback": None, "outcome": None} | dict(wrong or {}),
        next_sent=str(uuid4()),
    )


def _text(context: ProcessContext, case: Case, words: Words) -> ResultText | None:
    """What is shown: all of it, what rules say, or nothing where everything is paused (C13)."""
    if case.held is None:
        return result_text(case.findings, words.wording, context.directory.triage.policy)
    return None if case.held == PAUSED else rules_text(case.findings, words.wording)


def _reasons(context: ProcessContext, case: Case, words: Words) -> list[dict[str, str]]:
    if case.card is None:
        return []
    return override_reasons(
        case.findings.category,
        words.wording,
        public_url=context.settings.base_url,
        scored=case.findings.situation is Situation.SCORED,
    )


def _confirmed(case: Case, words: Words) -> str | None:
    if case.confirmed is None:
        return None
    category = case.confirmed.category
    values: dict[str, Any] = {
        "category": words.say("outcome.undetermined")
        if category is None
        else words.category(category),
        "by": case.confirmed.by,
        "at": case.confirmed.at.date().isoformat(),
    }
    return words.say("outcome.is", **values)


def _policy(
    request: Request,
    context: ProcessContext,
    person: Person,
    words: Words,
    told: str | None = None,
) -> Response:
    agreed = TriageService(context).agreed_at(person, VERSION)
    return page(
        "triage_policy.html",
        words,
        title=words.say("policy"),
        request=request,
        code=_UNREADABLE if told else 200,
        version=VERSION,
        date=DATE,
        sections=TEXTS[words.language],
        agreed=None if agreed is None else agreed.date().isoformat(),
        told=told,
    )
