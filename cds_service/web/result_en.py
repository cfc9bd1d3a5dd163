"""Fixed words around a result in English, wherever one is shown; `result_es` has the same keys.

What is said of a patient is the card's wording (`hooks.wording_en`), never words of its own.
"""

ENGLISH: dict[str, str] = {
    "held": "The assessment is kept, and what the model estimates is not shown: {reason}.",
    "held.rules": "What follows comes from rules and reference ranges alone.",
    "indicator.info": "Information",
    "indicator.warning": "Warning",
    "indicator.critical": "Critical",
    "red": "Dangerous readings (NEWS2 red score)",
    "check": "Check first",
    "estimates": "Estimates",
    "estimates.category": "Category",
    "estimates.here": "With readings like these",
    "estimates.usual": "Usual here",
    "estimates.chosen": "named by the thresholds",
    "estimates.bar": "The bar is the estimate, the mark what is usual here.",
    "no_chart": "No health record was read: what the patient already had is not known here.",
    "missing": "What was missing",
    "missing.none": "Nothing.",
    "model_card": "About this model",
}
