"""Fixed words of the explanation page in English; `explanation_es` has the same keys.

What is said of a patient is the card's wording (`hooks.wording_en`), never words of its own.
"""

ENGLISH: dict[str, str] = {
    "title": "How this was estimated",
    "at": "Assessed at {at}",
    "unanswered": "This case waits for your answer in the review queue. What was predicted is "
    "shown once it is answered, so that it cannot lead you; what follows comes from rules and "
    "reference ranges alone.",
    # What the model says.
    "set": "What cannot be excluded",
    "set.lead": "The full prediction set: every category that readings like these leave open.",
    # Inputs.
    "inputs": "What was used",
    "inputs.input": "Input",
    "inputs.value": "Value used",
    "inputs.received": "As received",
    "inputs.reference": "Reference",
    "inputs.age": "Measured",
    "inputs.points": "NEWS2 points",
    "inputs.notes": "Remark",
    "received.of": "{value} (LOINC {code})",
    "flag.extreme": "extreme, measure again",
    "flag.preliminary": "preliminary",
    "flag.maybe_not_latest": "newer readings may exist",
    "missing.lead": "Missing is never filled in with a normal value.",
    "skipped": "What came and was not used",
    "skipped.line": "{name}: {why}",
    "skipped.lines": "{name}: {why} ({n} times)",
    "skipped.not_used": "of no use to the model",
    "skipped.superseded": "a newer reading was used",
    "skipped.unpaired": "not of the pair of pressures that was used",
    "skipped.operation_outcome": "an error message in its place",
    "skipped.wrong_type": "not what was asked for",
    "kind.Patient": "Patient record",
    "kind.Observation": "Observation",
    "kind.Encounter": "Encounter",
    "kind.Condition": "Condition",
    "kind.OperationOutcome": "Answer of the health record",
    "kind.other": "Something else",
    # Reasons.
    "reasons": "What moved the prediction of {category}",
    "reasons.lead": "Not what made the patient ill. The longer the bar, the further it moved the "
    "prediction.",
    "reasons.reading": "Reading",
    "reasons.bar": "◀ speaks against · speaks for ▶",
    "reasons.direction": "Direction",
    "reasons.amount": "Log-odds",
    "for": "speaks for it",
    "against": "speaks against it",
    "build": "How the estimate of {category} builds up",
    "build.lead": "From where the model starts, one reading after the other, to the estimate. "
    "The log-odds add up exactly. What is computed from two readings, such as pulse rate over "
    "pressure, counts half for each.",
    "build.step": "Step",
    "build.bar": "less likely ◀ ▶ more likely",
    "build.amount": "Log-odds",
    "build.frequency": "Then",
    "build.start": "Start, before any reading counts",
    "build.end": "Estimate",
    "build.stored": "The model that answered cannot be asked any more, or answers differently now. "
    "The reasons are those that were stored; the start is what they leave of the stored estimate.",
    # Over time.
    "time": "Readings over time",
    "time.lead": "Readings of this patient that assessments used ({n} in all). The band is the "
    "reference range; a ring marks what this assessment used.",
    "time.none": "No reading of this patient was used more than once so far.",
    "time.label": "{name}: {n} readings, from {first} to {last}",
    "time.table": "As a table",
    "time.at": "Time",
    "time.value": "Value",
    "time.here": "used here",
    # For another category.
    "change": "What would have to change for another category",
    "change.lead": "Everything else as it was, one reading changed as little as it takes, within "
    "plausible values. It shows how the model decides; it is no advice for this patient.",
    "change.now": "The prediction now: {category}.",
    "change.reading": "Reading",
    "change.is": "As it was",
    "change.to": "If it had been",
    "change.then": "Then",
    "change.would": "the prediction would be: {category}",
    "change.none": "No single reading within plausible values changes the prediction.",
    # The model.
    "model": "The model",
    "model.version": "Version {version}",
    # The link on a card.
    "link.gone": "This link is no longer good",
    "link.gone.more": "A link on a card opens once, within ten minutes, for whoever opened "
    "the chart. Open the chart again for another.",
}
