"""The 31 source attributes of a predictive decision support intervention.

45 CFR 170.315(b)(11)(iv)(B) (ONC, HTI-1 final rule, 2024) in its order. They bind developers of
certified health records in the US; here they are the table of contents of a model card. What a run
knows is filled in by it; what only people know is asked of them by name of their role.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who is asked for what a run cannot know."""

    DEVELOPER = "developer"
    """Whoever answers for the model: who trained it and put it into service."""
    CLINICAL = "clinical"
    """The clinician who answers for its use at the site."""
    EVALUATOR = "evaluator"
    """Whoever tests it on other data than its own."""
    ADMINISTRATOR = "administrator"
    """Whoever runs the service."""


class Group(StrEnum):
    """The nine paragraphs of (iv)(B)."""

    DETAILS = "details"
    PURPOSE = "purpose"
    OUT_OF_SCOPE = "out-of-scope"
    DEVELOPMENT = "development"
    FAIRNESS = "fairness"
    EXTERNAL = "external"
    PERFORMANCE = "performance"
    MAINTENANCE = "maintenance"
    UPDATES = "updates"


@dataclass(frozen=True, slots=True)
class SourceAttribute:
    """One thing a reader is owed about a model."""

    id: str
    group: Group
    paragraph: str
    """Within (b)(11)(iv)(B)."""
    by_run: bool
    """Whether the run, the program or its stored evaluations say something of it."""
    by_people: Role | None
    """Who is asked for it, or for what the run cannot know of it; `None` if nothing is open."""


def _group(
    group: Group, number: int, *rows: tuple[str, bool, Role | None]
) -> tuple[SourceAttribute, ...]:
    numerals = ("i", "ii", "iii", "iv", "v")
    return tuple(
        SourceAttribute(name, group, f"({number})({numeral})", by_run, role)
        for (name, by_run, role), numeral in zip(rows, numerals, strict=False)
    )


SOURCE_ATTRIBUTES: tuple[SourceAttribute, ...] = (
    *_group(
        Group.DETAILS,
        1,
        ("developer", False, Role.DEVELOPER),
        ("funding", False, Role.DEVELOPER),
        ("output-value", True, None),
        ("output-type", True, None),
    ),
    *_group(
        Group.PURPOSE,
        2,
        ("intended-use", False, Role.CLINICAL),
        ("intended-population", True, None),
        ("intended-users", True, None),
        ("decision-role", True, None),
    ),
    *_group(
        Group.OUT_OF_SCOPE,
        3,
        ("cautioned-uses", True, None),
        ("known-risks", True, None),
    ),
    *_group(
        Group.DEVELOPMENT,
        4,
        ("inclusion-criteria", True, None),
        ("demographic-inputs", True, None),
        ("demographic-representativeness", True, None),
        ("training-relevance", True, Role.CLINICAL),
    ),
    *_group(
        Group.FAIRNESS,
        5,
        ("fairness-approach", False, Role.DEVELOPER),
        ("bias-management", True, None),
    ),
    *_group(
        Group.EXTERNAL,
        6,
        ("external-data", False, Role.EVALUATOR),
        ("external-party", False, Role.EVALUATOR),
        ("external-representativeness", False, Role.EVALUATOR),
        ("external-process", False, Role.EVALUATOR),
    ),
    *_group(
        Group.PERFORMANCE,
        7,
        ("internal-validity", True, None),
        ("internal-fairness", True, None),
        ("external-validity", False, Role.EVALUATOR),
        ("external-fairness", False, Role.EVALUATOR),
        ("outcome-references", False, Role.DEVELOPER),
    ),
    *_group(
        Group.MAINTENANCE,
        8,
        ("validity-monitoring", True, Role.ADMINISTRATOR),
        ("local-validity", True, None),
        ("fairness-monitoring", False, Role.ADMINISTRATOR),
        ("local-fairness", True, None),
    ),
    *_group(
        Group.UPDATES,
        9,
        ("update-process", True, Role.ADMINISTRATOR),
        ("correction-frequency", False, Role.ADMINISTRATOR),
    ),
)
"""4 + 4 + 2 + 4 + 2 + 4 + 5 + 4 + 2 = 31."""

SOURCE_ATTRIBUTE: dict[str, SourceAttribute] = {one.id: one for one in SOURCE_ATTRIBUTES}
