"""Every sentence of cards and of discovery in English; `hooks.wording_es` has the same keys.

Names of things are lower case, for the middle of a sentence. No adjectives that alarm, no causes:
a contribution moved the prediction, it did not make the patient ill (clinical rule C11).
"""

ENGLISH: dict[str, str] = {
    # Inputs and reasons.
    "feature.age": "age",
    "feature.heart_rate": "heart rate",
    "feature.body_temperature": "temperature",
    "feature.systolic_bp": "systolic pressure",
    "feature.diastolic_bp": "diastolic pressure",
    "feature.blood_pressure": "blood pressure",
    "feature.respiratory_rate": "respiratory rate",
    "feature.oxygen_saturation": "SpO2",
    "feature.sex": "sex",
    "feature.abo_group": "blood group",
    "feature.exercise_days": "exercise",
    "value.heart_rate": "{value}/min",
    "value.body_temperature": "{value} °C",
    "value.systolic_bp": "{value} mmHg",
    "value.diastolic_bp": "{value} mmHg",
    "value.blood_pressure": "{systolic}/{diastolic} mmHg",
    "value.respiratory_rate": "{value}/min",
    "value.oxygen_saturation": "{value}%",
    "value.abo_group": "{value}",
    "value.exercise_days": "on {value} days a month",
    "value.exercise_days.one": "on {value} day a month",
    "value.exercise_days.none": "on no day of the month",
    "age.years": "{value} years",
    "age.months": "{value} months",
    "age.days": "{value} d",
    "age.about": "about {age}",
    "sex.female": "female",
    "sex.male": "male",
    "sex.other": "other",
    "sex.unknown": "unknown",
    # Categories in the middle of a sentence.
    "category.not-ill": "no illness",
    "category.mild": "mild illness",
    "category.acute": "acute illness",
    "category.chronic": "chronic illness",
    "category.terminal": "advanced or life-limiting illness",
    # Numbers and times.
    "frequency": "{n} in 100",
    "frequency.below": "fewer than 1 in 100",
    "frequency.above": "more than 99 in 100",
    "short.frequency": "{n}",
    "short.frequency.below": "fewer than 1",
    "short.frequency.above": "more than 99",
    "ago.minutes": "{n} min ago",
    "ago.hours": "{n} h ago",
    "ago.days": "{n} d ago",
    "ago.months": "{n} months ago",
    "list.and": "{first} and {last}",
    "list.or": "{first} or {last}",
    "list.more": "{names} and {n} more",
    # What the model says.
    "estimate": "{category}: {frequency} with readings like these; usual here {usual}",
    "estimate.alone": "{category}: {frequency} with readings like these",
    "usual.simulated": "{usual} (simulated)",
    "terminal": "Pattern seen in advanced or life-limiting illness: consider goals of care",
    "exclusion": ("Acute illness unlikely: this rule misses at most 1 in {n} acute cases."),
    "set.named": "Readings like these fit {names}.",
    "set.open": "These readings do not tell the categories apart.",
    "reasons": "What moved the prediction of {category}:",
    "reason.for": "{reading}: speaks for it",
    "reason.against": "{reading}: speaks against it",
    "unusual": "Readings unusual for patients here: check the measurements and the patient.",
    "not_covered": "No estimate for {names}: the history of this model does not cover it.",
    # What the rules say.
    "red": "NEWS2 red score: {readings}",
    "red.acute": "NEWS2 red score: {readings}; acute illness {frequency}, usual here {usual}",
    "red.acute.alone": "NEWS2 red score: {readings}; acute illness {frequency}",
    "red.heading": "NEWS2 red score:",
    "red.below": "red at {limit} or below",
    "red.above": "red at {limit} or above",
    "news2": "Partial NEWS2 ({n} of 7): {score}.",
    # Readings.
    "reading": "{name} {value}",
    "reading.noted": "{text} ({notes})",
    "reading.missing": "{name} missing ({reason})",
    "reference": "reference {range}",
    "reference.age": "reference for this age {range}",
    # A reading as a reason: its level against the reference range, never an illness (a raised
    # pressure is no hypertension). The direction is that of `reason.for` and `reason.against`.
    "level.heart_rate.high": "fast heart rate {value}",
    "level.heart_rate.low": "slow heart rate {value}",
    "level.heart_rate.within": "heart rate {value}, within reference",
    "level.body_temperature.high": "raised temperature {value}",
    "level.body_temperature.low": "low temperature {value}",
    "level.body_temperature.within": "temperature {value}, within reference",
    "level.systolic_bp.high": "raised systolic pressure {value}",
    "level.systolic_bp.low": "low systolic pressure {value}",
    "level.systolic_bp.within": "systolic pressure {value}, within reference",
    "level.diastolic_bp.high": "raised diastolic pressure {value}",
    "level.diastolic_bp.low": "low diastolic pressure {value}",
    "level.diastolic_bp.within": "diastolic pressure {value}, within reference",
    "level.blood_pressure.high": "blood pressure {value}, above reference",
    "level.blood_pressure.low": "blood pressure {value}, below reference",
    "level.blood_pressure.within": "blood pressure {value}, within reference",
    "level.blood_pressure.high_low": "blood pressure {value}, systolic above, diastolic below",
    "level.blood_pressure.low_high": "blood pressure {value}, systolic below, diastolic above",
    "level.respiratory_rate.high": "fast respiratory rate {value}",
    "level.respiratory_rate.low": "slow respiratory rate {value}",
    "level.respiratory_rate.within": "respiratory rate {value}, within reference",
    "level.oxygen_saturation.low": "low SpO2 {value}",
    "level.oxygen_saturation.within": "SpO2 {value}, within reference",
    "level.sex.female": "female sex",
    "level.sex.male": "male sex",
    "level.sex.other": "sex recorded as other",
    "level.sex.unknown": "sex recorded as unknown",
    "preliminary": "preliminary",
    "readings": "Readings:",
    "readings.other": "Other readings: {readings}.",
    "readings.other.heading": "Other readings:",
    "readings.none": "No usable readings.",
    "extreme": "Extreme value, measure again: {readings}.",
    "maybe_not_latest": ("Newer readings may exist: the chart could not be read to its end."),
    "missing": "Missing: {names}.",
    "missing.heading": "Missing:",
    "missing.group": "{names} ({reason})",
    "missing.not_in_prefetch": "not sent",
    "missing.null_prefetch": "nothing on record",
    "missing.no_observation": "no reading",
    "missing.stale": "too old",
    "missing.unknown_unit": "unit missing or unknown",
    "missing.implausible": "value not possible",
    "missing.data_absent": "recorded as not available",
    "missing.wrong_status": "cancelled or not yet valid",
    "missing.wrong_patient": "of another patient",
    "missing.maybe_not_latest": "newer readings may exist",
    "missing.malformed": "could not be read",
    "missing.no_time": "without a time",
    "missing.future": "dated in the future",
    "missing.contradictory": "different results on record",
    "on_record": "On record before: {names}.",
    "rare": (
        "Rare disease on record: {names}. The model has seen few or no such patients: its "
        "estimate may not fit."
    ),
    "rare.alone": "Rare disease on record: {names}.",
    "rare.match": (
        "Readings like those of {n} confirmed cases of {name} here; 1 in {charts} charts read so."
    ),
    "rare.match.simulated": (
        "Readings like those of {n} simulated cases of {name}; 1 in {charts} simulated charts "
        "read so."
    ),
    "rare.name": "{name} ({code})",
    # Without a category.
    "none.age": "No category: this model is for ages {low} to {high}; the readings follow",
    "none.pregnant": "No category: this model is not for use in pregnancy; the readings follow",
    "none.insufficient_data": "No category, missing: {names}",
    "none.model_failed": "No category: the model gave no answer; the readings follow",
    "none.rare": "No category: rare disease on record; the readings follow",
    "none.maybe_not_latest": "No category: newer readings may exist; the readings follow",
    "why.age": (
        "This model was made for people of {low} to {high} years, so it gives no category."
    ),
    "why.pregnant": (
        "This model and NEWS2 were not made for pregnancy, so there is no category and no score."
    ),
    "why.insufficient_data": (
        "A category needs the age and two of heart rate, temperature and blood pressure."
    ),
    "why.model_failed": (
        "The model gave no answer for this patient; readings and NEWS2 do not depend on it."
    ),
    "why.withheld": "So the category found is not shown.",
    "no_adult_limits.child": "NEWS2 and adult limits are not used under 16 years.",
    "no_adult_limits.no_age": "The age is not known: NEWS2 and adult limits are not used.",
    # Last lines.
    "simulated": "Trained on simulated patients, not for care.",
    "sandbox": "Test environment: the answer is simulated, not for care.",
    "model": "Model {version}: decision support, not a diagnosis",
    "model.none": "This is decision support, not a diagnosis",
    "source": "Severity from vital signs",
    "source.simulated": "Severity from vital signs (simulated)",
    "link.model_card": "About this model",
    "link.explanation": "How this was estimated",
    # What a card is about.
    "topic.severityredreading": "Reading with a red NEWS2 score",
    "topic.severitynotill": "Not ill",
    "topic.severitymild": "Mild illness",
    "topic.severityacute": "Acute illness",
    "topic.severitychronic": "Chronic illness",
    "topic.severityadvanced": "Advanced or life-limiting illness",
    "topic.severitywithheld": "No category: newer readings may exist",
    "topic.severityraredisease": "No category: rare disease on record",
    "topic.severityoutofpopulation": "No category: outside the population of the model",
    "topic.severitynodata": "No category: too few readings",
    "topic.severitymodelfailed": "No category: no answer from the model",
    # Suggestion and override reasons.
    "suggestion": "Open a draft diagnosis: {category}",
    "suggestion.action": (
        "Create a provisional condition without code, category {category}, to be completed by you"
    ),
    "suggestion.action.alone": (
        "Open a draft diagnosis: {category} (provisional, without code, to be completed by you)"
    ),
    "override.cds-not-applicable": "PC CDS does not apply to patient",
    "override.action-completed": "Recommended action was already completed",
    "override.wrong-time-workflow": (
        "PC CDS delivered at wrong time in workflow or patient lifecycle"
    ),
    "override.recipient-does-not-trust": (
        "Recipient does not agree with or trust the recommended action"
    ),
    # A RiskAssessment.
    "risk.percent": "{n} %",
    "risk.percent.below": "under 1 %",
    "risk.percent.above": "over 99 %",
    "risk.estimate": "{percent} with readings like these; usual here {usual}.",
    "risk.estimate.alone": "{percent} with readings like these.",
    "risk.chosen": "Chosen by the operating thresholds",
    "risk.not_stated.red": "Not stated beside a red NEWS2 score.",
    "risk.not_stated.rare": "Not stated: a rare disease is on record.",
    "risk.not_stated.maybe_not_latest": "Not stated: newer readings may exist.",
    "risk.method": "Model {version} of severity from vital signs.",
    "risk.method.none": "Model of severity from vital signs.",
    "risk.not_used": "Not used: {names}.",
    "risk.resource": "a resource",
    "risk.not_assessed": "No assessment is made of this patient.",
    "risk.held_back": "The assessment was stored; nothing is told: {reason}.",
    "risk.held_back.paused": "the service is paused",
    "risk.held_back.no_permission": "these data may not be used for advice",
    "risk.held_back.silent_mode": "silent mode",
    "risk.held_back.simulated_model": "the model in use was trained on simulated patients",
    # Discovery.
    "discovery.disease-severity.title": "Disease severity from vital signs",
    "discovery.disease-severity.description": (
        "Estimates from age and the latest vital signs how likely a patient is not ill, mildly, "
        "acutely, chronically or advanced ill, says why, and reports readings with a red NEWS2 "
        "score. Decision support, not a diagnosis."
    ),
    "discovery.disease-severity.usage": (
        "Needs patient and vitals, as prefetch or by access to the FHIR server. The others are "
        "optional: encounter sets how old readings may be; conditions tells of a known pregnancy "
        "and of illness on record. No category is given outside {low} to {high} years or in known "
        "pregnancy."
    ),
    "discovery.disease-severity.extra": "Used too, if sent: {names}.",
    "discovery.simulated": ("The model in use was trained on simulated patients: not for care."),
    "discovery.record-problem.title": "Record of confirmed problems",
    "discovery.record-problem.description": (
        "Takes in the conditions added to the problem list, so that estimates can be compared "
        "with what was found. Never returns a card."
    ),
    "discovery.record-problem.usage": "Needs no prefetch.",
    "discovery.record-discharge.title": "Record of diagnoses at discharge",
    "discovery.record-discharge.description": (
        "Takes in the diagnoses of an encounter when it ends, so that estimates can be compared "
        "with what was found. Never returns a card."
    ),
    "discovery.record-discharge.usage": (
        "Uses the encounter and its diagnoses as prefetch, or reads them; neither is required."
    ),
}
