"""The `record-discharge` service: the diagnoses of an encounter, when it ends, become outcomes."""

from collections.abc import Mapping

SERVICE_ID = "record-discharge"
HOOK = "encounter-discharge"
PREFETCH: Mapping[str, str] = {
    "encounter": "Encounter/{{context.encounterId}}",
    "conditions": "Condition?patient={{context.patientId}}&category=encounter-diagnosis",
}
"""Neither is required: there is nobody to advise, and a diagnosis that is missing now comes with a
later pull. `patient` and `category` is a search every US Core server supports; the context of
`encounter-discharge` has no Conditions (R14)."""
