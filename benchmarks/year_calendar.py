"""When what happens in the simulated year, and how the service is set up for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from benchmarks.year_world import Days, Events, World

STABLE, CUFFS, THERMOMETER = "stable", "cuffs", "thermometer"
NEW_DISEASE, RARE_DISEASE = "new-disease", "rare-disease"
BAD_CHALLENGER, WORSE_PROMOTION = "bad-challenger", "worse-promotion"
SELECTIVE = "selective-verification"
SCENARIOS: Final = (
    *(STABLE, CUFFS, THERMOMETER, NEW_DISEASE, RARE_DISEASE),
    *(BAD_CHALLENGER, WORSE_PROMOTION, SELECTIVE),
)

SETTINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        # The smallest chunks of inputs that are allowed: a week of this hospital.
        "input_chunk_rows": 300,
        # A hospital of 45 patients a day: three tenths of the outcomes that a large one has.
        "minimum_held_out": 600,
        "shadow_outcomes": 200,
        "watch_outcomes": 250,
        # Jobs that run every few minutes have nothing to do between two days of this calendar,
        # and those that look at every assessment there ever was run less often than they may.
        "schedule": {
            "outcomes-pull": "off",
            "export": "off",
            "history": "off",
            "search": "off",
            # These two by hand, without reports and with fewer replicates: see `Replay`.
            "refresh": "off",
            "evaluate": "off",
            "alerts": "1d",
            "inputs": "2d",
            "shadow": "7d",
            "release": "7d",
            "review": "14d",
            "recalibrate": "7d",
            "rare": "7d",
        },
    }
)
"""Of the service, where it differs from the defaults."""


@dataclass(frozen=True)
class Calendar:
    """Days of the year on which things begin and end."""

    days: int = 365
    per_day: float = 45.0
    history_rows: int = 8_000
    new_disease: int = 95
    cuffs: Days = (200, 228)
    fahrenheit: Days = (240, 247)
    unknown_unit: Days = (247, 253)
    rare_cases: tuple[int, ...] = (280, 281, 282, 283, 284)
    bad_challenger: int = 300
    """When a challenger is trained on scrambled labels."""
    worse_promotion: int = 305
    """When it is made live all the same."""

    @property
    def stable(self) -> int:
        """The first day on which something happens."""
        return min(self.cuffs[0], self.fahrenheit[0], self.new_disease)

    def needed(self, scenarios: Collection[str]) -> int:
        """Days until all of these scenarios have come to their end."""
        until = {
            STABLE: self.stable,
            CUFFS: self.cuffs[1],
            THERMOMETER: self.unknown_unit[1],
            BAD_CHALLENGER: self.bad_challenger + 2,
        }
        return max(until.get(one, self.days) for one in scenarios)

    def world(self, seed: int, scenarios: Collection[str]) -> World:
        """The hospital, in which only these scenarios happen."""
        return World(
            seed,
            per_day=self.per_day,
            days=self.needed(scenarios),
            history_rows=self.history_rows,
            events=Events(
                cuffs=self.cuffs if CUFFS in scenarios else None,
                fahrenheit=self.fahrenheit if THERMOMETER in scenarios else None,
                unknown_unit=self.unknown_unit if THERMOMETER in scenarios else None,
                new_disease=self.new_disease if NEW_DISEASE in scenarios else None,
                rare_cases=self.rare_cases if RARE_DISEASE in scenarios else (),
            ),
        )
