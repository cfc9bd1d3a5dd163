"""How an encounter ended, as far as it is recorded."""

from collections.abc import Mapping
from typing import Any, Final

DISCHARGE_DISPOSITION: Final = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
HOME: Final = "home"


def ended_at_home(encounter: Mapping[str, Any]) -> bool | None:
    """Whether the patient went home, by `Encounter.hospitalization.dischargeDisposition` (R4).

    `None` where no code of FHIR's own system is recorded. Never raises.
    """
    stay = encounter.get("hospitalization")
    disposition = stay.get("dischargeDisposition") if isinstance(stay, Mapping) else None
    codings = disposition.get("coding") if isinstance(disposition, Mapping) else None
    codes = [
        coding.get("code")
        for coding in (codings if isinstance(codings, list) else [])
        if isinstance(coding, Mapping) and coding.get("system") == DISCHARGE_DISPOSITION
    ]
    return None if not codes else codes[0] == HOME
