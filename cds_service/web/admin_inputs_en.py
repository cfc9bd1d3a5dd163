"""Fixed words of the inputs page in English; `admin_inputs_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Inputs",
    "lead": (
        "What comes in, against what came before or what the model learnt from. Assessments are "
        "held against a reference in chunks."
    ),
    "contents": "On this page",
    "empty": "Nothing was watched yet",
    "empty.more": (
        "A chunk is complete with {rows} assessments. The job “inputs” looks for one each hour."
    ),
    "empty.runs": "To the jobs",
    "earlier": "Earlier chunks",
    "later": "To the newest chunks",
    "chunk": "Chunk",
    "newest": "Newest chunk",
    "newest.is": "{number}: {span}",
    "rows": "Assessments",
    "version": "Live version",
    "watched": "Quantities watched",
    "budget": "Alarm budget",
    "budget.is": "a false alarm in 1 of {n} chunks, over all of them together",
    "quantity": "Quantity",
    "quantity.distance": "{name}: distribution (D)",
    "quantity.missing": "{name}: missing",
    "quantity.stale": "{name}: too old",
    "quantity.implausible": "{name}: impossible",
    "quantity.unknown_unit": "{name}: unit unknown",
    "quantity.category": "Answers: {name}",
    "quantity.correlation": "{name}: with acute illness",
    "not_used": "Of no input",
    "input": "Input",
    "state": "State",
    "alarm": "alarm",
    "beyond": "beyond once",
    "within": "within",
    "not_judged": "not judged yet",
    "value": "Now",
    "was": "Reference",
    "limits": "Limits",
    "limits.to": "up to {high}",
    "limits.between": "{low} to {high}",
    "held_against": "Held against",
    "against.local": "{n} local chunks, {span}",
    "against.learnt": "what the model learnt from",
    # Beyond.
    "beyond.title": "Beyond a limit",
    "beyond.lead": (
        "An alarm takes two chunks running, or one where readings suddenly cannot be used. If the "
        "change is meant to stay, take it as the new reference: cds-service monitor --accept."
    ),
    "beyond.none": "In the newest chunk everything is within its limits, or cannot be judged yet.",
    "beyond.table": "Quantities beyond a limit in the newest chunk",
    "beyond.all": "All quantities of the newest chunk",
    # Drift.
    "drift.title": "Drift of each input",
    "drift.lead": (
        "D is the largest difference between two cumulative distributions: 0 where they are the "
        "same, 1 where they have nothing in common. The dashed line is the limit of the alarm."
    ),
    "distance": "D",
    "limit": "limit of the alarm",
    # Histograms.
    "histograms.title": "Distributions",
    "histograms.lead": (
        "Bars are the newest chunk, the line is the reference. Bins of few people are left out. "
        "The population stability index (PSI) is shown because people ask for it; it raises no "
        "alarm."
    ),
    "histogram.told": "now {now}, reference {was}; PSI {psi}",
    "bin": "Value",
    "bin.under": "under {high}",
    "bin.from": "{low} and over",
    "now": "newest chunk",
    "reference": "reference",
    # Rates.
    "rates.title": "Missing and not usable",
    "rates.lead": (
        "Missing and too old are shares of the assessments; impossible and unknown unit are shares "
        "of the readings that came. A gap is never filled with a normal value."
    ),
    "rate.missing": "missing",
    "rate.stale": "too old",
    "rate.implausible": "impossible",
    "rate.unknown_unit": "unit unknown",
    # Answers.
    "answers.title": "What was answered",
    "answers.lead": "How many charts had enough to be answered, and what the live version said.",
    "answers.chart": "Categories answered",
    "situations": "Charts looked at",
    "situation.scored": "answered",
    "situation.insufficient_data": "not enough readings",
    "situation.model_failed": "the model failed",
    # Codes.
    "codes.title": "Codes and units never seen before",
    "codes.lead": "A source has changed what it sends. The newest come first.",
    "codes.none": "In these chunks no code and no unit came for the first time.",
    "codes.more": "{n} more are not listed; the alerts tell of each.",
    "codes.table": "First seen in these chunks",
    "code.kind": "What",
    "code.text": "As it was sent",
    "code.codes": "code",
    "code.units": "unit",
    "code.empty": "(empty)",
    # Skew.
    "skew.title": "Training and serving agree",
    "skew.lead": (
        "What was stored of each assessment is computed again as training would compute it. A "
        "difference is a fault of the service, not a change among patients."
    ),
    "skew.none": "In these chunks nothing differed.",
    "skew.fault": "The newest chunk differs: the service, or the files of a version, are at fault.",
    "skew.unreadable": "The files of these versions cannot be read: {versions}.",
    "skew.chart": "Assessments that differ",
    "skew.inputs": "inputs",
    "skew.answers": "answers",
    "skew.which": "Which inputs",
    "skew.derived": "derived columns",
    "skew.table": "Chunks in which something differed",
    # Clients.
    "clients.title": "By client",
    "clients.lead": "Clients that sent enough of the newest chunk.",
    "client": "Client",
    # Outcomes.
    "outcomes.title": "Inputs and outcomes",
    "outcomes.lead": (
        "Rank correlation of each input with acute illness, once the outcome windows have passed."
    ),
    "outcomes.table": "Chunk {number}; {verified} assessments verified",
}
