"""Every fixed word of the model card in English; `model_card_es` has the same keys.

It states facts and limits, and claims nothing of any authority. `terminal` is no word for people
who give care (clinical rule C11): categories are named as on the card of a patient.
"""

ENGLISH: dict[str, str] = {
    # The page.
    "title": "Model card, version {version}",
    "heading": "Model card",
    "version": "Version {version}",
    "contents": "On this page",
    "as_json": "The same as JSON",
    "device": "Not a medical device, cleared nowhere. Decision support, not a diagnosis.",
    "simulated": "Trained on simulated patients, not for care.",
    "simulated.more": "The figures below say nothing about real patients.",
    "live": "In use since {date}",
    "not_live": "Not in use",
    "footer": (
        "Counts under {smallest} are not shown, and totals are rounded to {rounded}, so that "
        "nobody can be found among them."
    ),
    "not_found": "There is no such model version.",
    "not_found.heading": "Not found",
    "unreadable": "The files of this model version are missing or were changed.",
    "unreadable.heading": "This model card cannot be shown",
    # Values.
    "yes": "yes",
    "no": "no",
    "years": "{low} to {high} years",
    "range": "{low} to {high} {unit}",
    # Sections.
    "summary": "At a glance",
    "data": "Data",
    "people": "People",
    "inputs": "Inputs",
    "choice": "How it was chosen",
    "limits": "Limits",
    "performance": "Held-out figures",
    "thresholds": "Operating thresholds",
    "guarantee": "What a prediction set promises",
    "local": "Figures from this site",
    "attributes": "The 31 source attributes",
    "origin": "Origin",
    # At a glance.
    "trained_on": "Trained on",
    "trained_on.simulated": "simulated patients",
    "trained_on.history": "history",
    "population": "For",
    "population.pregnancy": "Not validated in pregnancy",
    "pregnancy.more": (
        "Known pregnancy gets no category; a pregnancy that nobody has recorded is not seen."
    ),
    "categories": "Categories",
    "not_covered": "Not covered: no probability is given",
    "kind": "Kind",
    "kind.xgboost": "gradient-boosted trees (XGBoost)",
    "kind.lightgbm": "gradient-boosted trees (LightGBM)",
    "kind.logistic": "multinomial logistic regression",
    "created": "Trained",
    "checksum": "Checksum (SHA-256)",
    "label_version": "Rules of the categories",
    "code_version": "Version of the program",
    "packages": "Packages",
    "seed": "Seed of the random numbers",
    "sources": "Sources (SHA-256)",
    # Data.
    "data.lead": (
        "Each patient belongs to one part, so that nobody is on two sides: one part trains, one "
        "tunes temperature and thresholds, one calibrates the prediction sets, and one is held out "
        "for the figures."
    ),
    "data.caption": "Rows by category and part",
    "category": "Category",
    "part.train": "Training",
    "part.tuning": "Tuning",
    "part.calibration": "Calibration",
    "part.held_out": "Held out",
    "rows.given": "Rows given",
    "rows.without_category": "without a category",
    "rows.out_of_population": "outside the population",
    "rows.used": "Rows used",
    "patients": "Patients",
    "trained_through": "Newest row learnt from",
    "held_out_from": "Held out from",
    "no_dates": "no dates: held out by patient alone",
    "rows_without_patient": "Rows without a patient id, each counted as a patient",
    # People.
    "people.lead": "Rows of the data by age, sex and rare disease.",
    "people.not_recorded": "Not recorded with this version.",
    "people.age": "Age (years)",
    "people.sex": "Sex",
    "people.rows": "Rows",
    "people.rare": "Rare disease (ORPHAcode)",
    "people.rare.none": "No rare diseases are coded in the data.",
    "people.rare.others": "Rare diseases with too few rows to be named: {n}",
    # Inputs.
    "inputs.lead": "What it reads, in the unit and within the limits it is read in.",
    "inputs.caption": "Inputs",
    "input": "Input",
    "unit": "Unit (UCUM)",
    "possible": "Possible, else not used",
    "columns": "Computed from them: {names}.",
    # Choice.
    "choice.lead": (
        "The candidates were compared on rows they were not fitted to, within the training part. "
        "The log loss is lower the better. A kind whose reasons cannot be exact within the time of "
        "an answer is not served; of the others the simplest within one standard error of the best "
        "is chosen."
    ),
    "choice.caption": "Candidates compared",
    "candidate": "Candidate",
    "log_loss": "Log loss",
    "behind": "Behind the best (standard error)",
    "chosen": "chosen",
    "calibration": (
        "Calibrated by temperature: the scores are divided by {temperature}, found on the tuning "
        "part."
    ),
    # Performance.
    "performance.lead": (
        "On patients the model never saw, with 95 % intervals drawn by patient. A figure that "
        "rests on too few rows is left out."
    ),
    "performance.overall": "All categories together",
    "performance.by_category": "By category",
    "figure": "Figure",
    "value": "Value [95 % interval]",
    "rests_on": "Rows",
    "metric.log_loss": "Log loss (nat; lower is better)",
    "metric.log_loss_of_frequencies": "Log loss of the frequencies alone",
    "metric.brier": "Brier score (0 to 2; lower is better)",
    "metric.calibration_error": "Expected calibration error",
    "metric.macro_f1": "Macro-F1 of the decisions",
    "metric.balanced_accuracy": "Balanced accuracy of the decisions",
    "metric.set_size": "Categories in a prediction set",
    "metric.prevalence": "Share of rows",
    "metric.flag_rate": "Share decided",
    "metric.recall": "Found (sensitivity)",
    "metric.precision": "Right when decided (PPV)",
    "metric.auroc": "AUROC",
    "metric.average_precision": "Average precision",
    "metric.set_coverage": "In its prediction set",
    "metric.observed_to_expected": "Observed to expected",
    # Groups.
    "groups": "By sex and age",
    "groups.lead": (
        "On the held-out part. A difference between groups may come from who is in them; where a "
        "group is too small, nothing is shown."
    ),
    "groups.caption": "{category} by sex and age (years)",
    "group": "Group",
    # Thresholds.
    "thresholds.lead": (
        "A category is flagged from this probability on. It was set on the tuning part for a "
        "stated share of charts to flag."
    ),
    "thresholds.caption": "Operating thresholds and what they did on the tuning part",
    "threshold": "Threshold",
    "flagged": "Flagged (wanted)",
    "sensitivity": "Sensitivity",
    "ppv": "PPV",
    "nne": "Charts to open to find one",
    # Guarantee.
    "guarantee.lead": (
        "A prediction set holds the true category in {coverage} of 100 cases of each category, if "
        "patients are like those it was calibrated on. With fewer than {minimum} calibration cases "
        "that is not demonstrable, and the category is never excluded."
    ),
    "guarantee.caption": "The promise for each category",
    "cases": "Calibration cases",
    "promise": "Promise",
    "demonstrable": "{coverage} of 100",
    "not_demonstrable": "not demonstrable",
    # Local.
    "local.lead": (
        "Of {date}: about {n} assessments with a later outcome; {share} without one. Truth is "
        "selected: only some patients get diagnoses, and cards may change who does."
    ),
    "local.groups": (
        "By sex and age: the newest chunk of about {n} assessments whose outcomes are in, {begin} "
        "to {end}."
    ),
    "local.none": "No evaluation on outcomes of this site is stored yet.",
    # Attributes.
    "attributes.lead": (
        "In the order of 45 CFR 170.315(b)(11)(iv)(B). What the run knows is filled in by it; what "
        "only people can know is asked of them."
    ),
    "open": "To be filled in by {role}.",
    "open.count": "{n} of {of} still wait for people to fill them in.",
    "written": "Written {date}:",
    "other_language": "Written in Spanish only, {date}:",
    "asked_of.developer": "whoever trained it and answers for it",
    "asked_of.clinical": "the clinician who answers for its use here",
    "asked_of.evaluator": "whoever tests it on other data",
    "asked_of.administrator": "the administrator of the service",
    "group.details": "Details and output",
    "group.purpose": "Purpose",
    "group.out-of-scope": "Cautioned out-of-scope use",
    "group.development": "Development and inputs",
    "group.fairness": "Fairness in development",
    "group.external": "External validation",
    "group.performance": "Quantitative measures of performance",
    "group.maintenance": "Ongoing maintenance",
    "group.updates": "Updates",
    "asks.developer": "Developer, with contact",
    "asks.funding": "Funding of the development",
    "asks.output-value": "What it puts out",
    "asks.output-type": "Type of output",
    "asks.intended-use": "Intended use",
    "asks.intended-population": "Intended patients",
    "asks.intended-users": "Intended users",
    "asks.decision-role": "Role in decisions",
    "asks.cautioned-uses": "Where caution is due",
    "asks.known-risks": "Known risks and limits",
    "asks.inclusion-criteria": "Rows that were taken in and left out",
    "asks.demographic-inputs": "Demographic variables used as inputs",
    "asks.demographic-representativeness": "Who the data stand for",
    "asks.training-relevance": "Relevance of the data to the setting of use",
    "asks.fairness-approach": "How its output is kept fair",
    "asks.bias-management": "How bias is managed",
    "asks.external-data": "Data of external validation",
    "asks.external-party": "Who validated it",
    "asks.external-representativeness": "Who the external data stand for",
    "asks.external-process": "How it was validated",
    "asks.internal-validity": "Validity on data of the same source",
    "asks.internal-fairness": "Fairness on data of the same source",
    "asks.external-validity": "Validity on other data",
    "asks.external-fairness": "Fairness on other data",
    "asks.outcome-references": "Evaluations of its effect on outcomes",
    "asks.validity-monitoring": "How and how often validity is watched",
    "asks.local-validity": "Validity on local data",
    "asks.fairness-monitoring": "How and how often fairness is watched",
    "asks.local-fairness": "Fairness on local data",
    "asks.update-process": "How and how often it is updated",
    "asks.correction-frequency": "How often it is corrected when a risk is found",
    "says.output-value": (
        "For each covered category a calibrated probability, told beside how usual it is here: "
        "{categories}. One category chosen by thresholds, the set of categories that cannot be "
        "excluded, what moved the prediction, and how unusual the readings are."
    ),
    "says.output-type": (
        "Prediction and classification. It recommends no test and no treatment; the suggestion on "
        "a card opens a draft diagnosis without a code, for the clinician to complete."
    ),
    "says.intended-population": (
        "People of {low} to {high} years who are not known to be pregnant, with an age and two of "
        "heart rate, temperature and blood pressure."
    ),
    "says.intended-users": (
        "Clinicians who open a chart and can see to the patient. Patients and relatives get no "
        "card."
    ),
    "says.decision-role": (
        "It informs; the clinician decides. Nothing is done by itself, and a reading with a red "
        "NEWS2 score is told whatever the model says."
    ),
    "says.cautioned.simulated": "Trained on simulated patients: not for care of anybody.",
    "says.cautioned.population": (
        "Not for people under {low} or over {high} years. Not validated in pregnancy: known "
        "pregnancy gets no category, and one that nobody has recorded is not seen."
    ),
    "says.cautioned.tasks": (
        "Not to rule out an illness, to discharge, to rank patients by itself, or to decide on the "
        "goals of care."
    ),
    "says.cautioned.not_covered": "No probability for {names}: the data do not cover it.",
    "says.known-risks": (
        "Vital signs do not show many illnesses: an infarct, a stroke or an appendicitis can have "
        "normal readings. Most chronic and rare diseases cannot be told from them. Readings that "
        "are old, borrowed or badly measured mislead it."
    ),
    "says.known-risks.selected": (
        "Truth is selected: only some patients get diagnoses, and cards may change who does."
    ),
    "says.known-risks.guarantee": (
        "For {names} the promise of the prediction set is not demonstrable."
    ),
    "says.inclusion-criteria": (
        "Taken in: rows with one of the five categories and an age of {low} to {high} years, about "
        "{used} of {given}. Left out: about {without} without a category and {outside} outside the "
        "ages. A category with too few patients is not covered. Categories by rules of version "
        "{labels}."
    ),
    "says.demographic-inputs": (
        "Date of birth: yes, as the age. Sex: {sex}. Race, ethnicity, language, sexual "
        "orientation, gender identity, social determinants of health and health status "
        "assessments: no."
    ),
    "says.demographic-representativeness": (
        "By age and sex as under People. Race, ethnicity, language, sexual orientation, gender "
        "identity and social determinants of health are not in the data."
    ),
    "says.demographic-representativeness.none": "Not recorded with this version.",
    "says.training-relevance.simulated": "Simulated patients stand for no setting.",
    "says.training-relevance": (
        "Trained on history that was given to this service; whether those patients are like the "
        "ones met here is for people to say."
    ),
    "says.bias-management": (
        "Rows of one patient are never on two sides. A missing reading stays missing. Where rows "
        "were weighted or resampled in training, the true frequencies are restored before "
        "calibration, and calibration and figures rest on rows as they came."
    ),
    "says.internal-validity": (
        "On about {n} held-out rows: log loss {log_loss}, of the frequencies alone {constant}; "
        "AUROC of acute illness {auroc}. All figures stand under Held-out figures."
    ),
    "says.internal-fairness": (
        "Ranking, sensitivity and calibration by sex and age stand under By sex and age, on the "
        "held-out part."
    ),
    "says.not_measured": "Not measured with this version.",
    "says.validity-monitoring": (
        "Each assessment is compared with the diagnoses that come later (cds-service evaluate). "
        "How often, and who looks, is for the site to say."
    ),
    "says.local-validity": (
        "On about {n} outcomes of this site, {date}: log loss {log_loss}, of the frequencies alone "
        "{constant}; AUROC of acute illness {auroc}."
    ),
    "says.local-validity.few": "On {date} there were too few outcomes of this site for figures.",
    "says.local-validity.none": "No evaluation on outcomes of this site is stored yet.",
    "says.local-fairness": (
        "Ranking, sensitivity and calibration by sex and age, on assessments of this site from "
        "{begin} to {end}, {share} of them with an outcome, stand under Figures from this site."
    ),
    "says.local-fairness.none": "No chunk of assessments of this site has been judged yet.",
    "says.update-process": (
        "A new version is trained on history and confirmed outcomes (cds-service retrain). It "
        "replaces this one by itself only if it is shown not to be worse on patients neither has "
        "learnt from; else a named person decides."
    ),
}
