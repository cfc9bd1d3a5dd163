"""A written change plan: what may become champion without a person, agreed beforehand.

A predetermined change control plan (FDA, final guidance of December 2024, section V) says which
modifications are made, how they are tested and who agreed. What it may never cover is fixed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as calendar_date
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cds_service.errors import ConfigurationError
from model.scorer import Scorer

QUARTER: Final = timedelta(days=91)
_SHOWN: Final = 12
"""Characters of the hash in the name of who promoted."""
ACTOR: Final = "change-plan:"


class PlanMargins(BaseModel):
    """How much worse a challenger may have been allowed to be; as the settings of the gates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log_loss: float = Field(ge=0)
    category: float = Field(ge=0)
    sensitivity: float = Field(ge=0, le=1)
    fairness: float = Field(ge=0, le=1)


class ChangePlan(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    author: str = Field(min_length=1)
    approved_by: str = Field(min_length=1)
    date: calendar_date
    expires: calendar_date
    allowed: tuple[Literal["refresh", "recalibration", "search"], ...] = Field(min_length=1)
    margins: PlanMargins
    promotions_per_quarter: int = Field(ge=1, le=12)

    @model_validator(mode="after")
    def _two_people_and_a_time(self) -> Self:
        if self.author.strip().casefold() == self.approved_by.strip().casefold():
            raise ValueError("author and approved_by must be two people")
        if self.expires <= self.date:
            raise ValueError("expires must be after date")
        if self.expires - self.date > timedelta(days=366):
            raise ValueError("a plan is agreed for a year at most")
        return self


@dataclass(frozen=True, slots=True)
class SignedPlan:
    """A plan and the hash of its file."""

    plan: ChangePlan
    sha256: str

    @property
    def actor(self) -> str:
        """Who promoted, where it was this plan."""
        return f"{ACTOR}{self.sha256[:_SHOWN]}"


def read_plan(path: Path) -> SignedPlan:
    """Read a plan. Raises `ConfigurationError` that names the file and each entry that is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The change plan {path} cannot be read ({error.strerror})."
        ) from None
    try:
        plan = ChangePlan.model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        wrong = "; ".join(f"{_place(one['loc'])}: {_message(one['msg'])}" for one in found)
        raise ConfigurationError(f"The change plan {path} is not one: {wrong}.") from None
    return SignedPlan(plan, sha256(content).hexdigest())


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "plan"


def _message(message: str) -> str:
    return message.removeprefix("Value error, ")


def why_not(
    signed: SignedPlan,
    challenger: Mapping[str, Any],
    old: Scorer,
    new: Scorer,
    margins: Mapping[str, float],
    *,
    now: datetime,
    promoted_lately: int,
) -> str | None:
    """Why a person must decide; `None` if the plan lets this challenger become champion.

    `margins` are those its gates were judged by, `promoted_lately` how many a plan promoted in the
    last `QUARTER`.
    """
    plan, today = signed.plan, now.date()
    if not plan.date <= today < plan.expires:
        return f"The plan holds from {plan.date} to before {plan.expires}."
    kind = challenger["detail"].get("kind")
    if kind not in plan.allowed:
        return f"The plan does not allow the kind {kind}."
    if promoted_lately >= plan.promotions_per_quarter:
        return f"The plan allows {plan.promotions_per_quarter} promotions in {QUARTER.days} days."
    for name, most in plan.margins.model_dump().items():
        if margins.get(name, float("inf")) > most:
            return f"The gates were judged by a margin of {name} wider than that of the plan."
    return _never(old, new)


def _never(old: Scorer, new: Scorer) -> str | None:
    """What no plan covers."""
    before, after = old.artefact, new.artefact
    if old.facts.simulated or new.facts.simulated:
        return "No plan covers the simulated starter model."
    if before.attributes["label_version"] != after.attributes["label_version"]:
        return "No plan covers other label rules."
    if set(before.columns) != set(after.columns):
        return "No plan covers other columns of the feature table."
    ages = [(one.facts.min_age, one.facts.max_age) for one in (old, new)]
    if ages[0] != ages[1]:
        return "No plan covers another population."
    if not set(old.classes) <= set(new.classes):
        return "No plan covers the loss of a category."
    return None
