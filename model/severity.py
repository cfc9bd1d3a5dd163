"""The five severity categories."""

from enum import StrEnum


class Severity(StrEnum):
    """A severity category; the value is its code on every wire and in every file."""

    NOT_ILL = "not-ill"
    MILD = "mild"
    ACUTE = "acute"
    CHRONIC = "chronic"
    TERMINAL = "terminal"

    @property
    def column(self) -> str:
        """The code as it appears inside column names (`probability_not_ill`)."""
        return self.value.replace("-", "_")


SEVERITIES: tuple[Severity, ...] = tuple(Severity)
"""Column order of every probability array of the project."""

OUTCOME_ORDER: tuple[Severity, ...] = (
    Severity.TERMINAL,
    Severity.ACUTE,
    Severity.CHRONIC,
    Severity.MILD,
    Severity.NOT_ILL,
)
"""Which category an outcome takes when several apply (clinical rule C16)."""


def parse_severity(text: object) -> Severity | None:
    """Read a category as people write it: case, space, `_` and `-` are alike.

    Returns `None` for anything that is not one of the five codes.
    """
    if not isinstance(text, str):
        return None
    code = "-".join(text.strip().lower().replace("_", " ").replace("-", " ").split())
    if code == "notill":
        code = "not-ill"
    try:
        return Severity(code)
    except ValueError:
        return None
