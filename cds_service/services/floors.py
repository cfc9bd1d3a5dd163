"""Business floors: a figure below one raises an alert and blocks nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cds_service.services.alerts import Finding, raise_alert
from cds_service.settings import Settings

BUSINESS_FLOOR = "business_floor"
_WORDS = {
    "acute_sensitivity": "sensitivity for acute",
    "acute_ppv": "positive predictive value for acute",
    "macro_auroc": "mean AUROC of the categories",
}


@dataclass(frozen=True, slots=True)
class FloorFigure:
    """A figure that the site has set a floor for."""

    name: str
    value: float | None
    """`None`: too few cases for a figure."""
    floor: float

    @property
    def below(self) -> bool:
        """Whether it is below its floor; an unknown figure is not."""
        return self.value is not None and self.value < self.floor

    def __str__(self) -> str:
        words = _WORDS[self.name]
        if self.value is None:
            return f"{words}: not enough cases to compare with the floor of {self.floor:g}"
        place = "below" if self.below else "not below"
        return f"{words} {self.value:.3f} is {place} the floor of {self.floor:g}"


def floor_figures(
    settings: Settings, records: Sequence[Mapping[str, Any]]
) -> tuple[FloorFigure, ...]:
    """The figures of a set of metrics (`as_records`) that have a floor at this site."""
    floors = {
        "acute_sensitivity": settings.floor_acute_sensitivity,
        "acute_ppv": settings.floor_acute_ppv,
        "macro_auroc": settings.floor_macro_auroc,
    }
    areas = [r["value"] for r in records if r["metric"] == "auroc" and r["value"] is not None]
    figures = {
        "acute_sensitivity": _figure(records, "recall"),
        "acute_ppv": _figure(records, "precision"),
        "macro_auroc": sum(areas) / len(areas) if areas else None,
    }
    return tuple(
        FloorFigure(name, figures[name], floor)
        for name, floor in floors.items()
        if floor is not None
    )


def raise_alerts(
    connection: Connection,
    figures: Sequence[FloorFigure],
    *,
    at: datetime,
    found_by: str,
    model_version: str,
) -> None:
    """An alert for each figure below its floor, in the caller's transaction.

    One that is open for the same figure, version and command is not raised a second time.
    """
    for figure in figures:
        if figure.below:
            raise_alert(
                connection,
                Finding(
                    kind=BUSINESS_FLOOR,
                    key=f"{BUSINESS_FLOOR}:{model_version}:{figure.name}:{found_by}",
                    severity="warning",
                    model_version=model_version,
                    message=f"Model version {model_version}: {figure} ({found_by}).",
                    detail={
                        "figure": figure.name,
                        "value": figure.value,
                        "floor": figure.floor,
                        "found_by": found_by,
                    },
                ),
                at=at,
            )


def _figure(records: Sequence[Mapping[str, Any]], name: str) -> float | None:
    for record in records:
        if (record["metric"], record["category"]) == (name, "acute"):
            value: float | None = record["value"]
            return value
    return None
