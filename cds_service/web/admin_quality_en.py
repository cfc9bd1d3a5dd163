"""Fixed words of the quality page in English; `admin_quality_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Model quality",
    "start": "Judge now what has matured, under Runs",
    "lead": (
        "What was predicted, against what became known. Assessments are judged in chunks, once "
        "their outcome windows have passed; a late outcome judges a chunk anew."
    ),
    "contents": "On this page",
    "empty": "Nothing was judged yet",
    "empty.more": (
        "A chunk is judged once enough assessments have an outcome window that has passed. The "
        "job “evaluate” does it each day."
    ),
    "empty.runs": "To the jobs",
    "simulated": (
        "The live version learnt from simulated patients. Its figures say nothing of real ones."
    ),
    "earlier": "Earlier chunks",
    "later": "To the newest chunks",
    "choose": "Category",
    "choose.show": "Show",
    "category": "Category",
    "cases": "Cases",
    "rows": "Assessments",
    "group": "Group",
    "chunk": "Chunk (verified)",
    "chunk.label": "{day} ({share})",
    "live": "Live version",
    "newest": "Newest chunk",
    "newest.is": "{number}: {span}",
    "answered_by": "Answered mostly by version",
    "verified": "Verified (with outcome)",
    "of_verified": "{share} of assessments verified",
    # Who is verified.
    "verified.title": "Who is verified",
    "verified.lead": (
        "Only some patients get a diagnosis that counts, and cards change who does. Each figure on "
        "this page is to be read with this share."
    ),
    "verified.over_time": "Share verified",
    "verified.share": "Verified",
    "verified.by.category": "Verified by category predicted",
    "verified.by.risk": "Verified by tenth of the risk of acute illness, 1 is the lowest",
    "verified.by.card": "Verified by card",
    "never": (
        "Nobody of these groups has an outcome, so that their part of a weighted figure is a "
        "guess: {groups}."
    ),
    "by.category": "predicted",
    "by.risk": "tenth of risk",
    "by.card": "card",
    "by.all": "all",
    "level.card.shown": "shown",
    "level.card.not shown": "not shown",
    "level.disease.rare": "rare",
    "level.disease.common": "common",
    # Over time.
    "time.title": "Over time",
    "time.lead": (
        "Of the version that answered most of each chunk. AUROC, sensitivity and predictive value "
        "are of: {category}."
    ),
    "time.weighted": (
        "“Weighted” counts each verified assessment for those like it without outcome. “Naive” is "
        "of the verified alone. The dashed bounds hold whatever the others have."
    ),
    "weighted": "weighted",
    "naive": "naive",
    "bound.lower": "at worst",
    "bound.upper": "at best",
    # Versions.
    "versions.title": "Versions beside each other",
    "versions.lead": (
        "Weighted figures on the same assessments. What was not live scored along in the shadow. "
        "All but log loss are of: {category}."
    ),
    "role.live": "live: {version}",
    "role.before": "champion before: {version}",
    "role.challenger": "challenger: {version}",
    # Calibration.
    "calibration.title": "Calibration of the live version",
    "calibration.lead": (
        "Version {version} on its newest chunk, {span}: how often each category came about among "
        "the verified, in groups of alike predicted risk."
    ),
    "calibration.table": "Calibration by category; {share} of assessments verified",
    "metric.slope": "Slope (1 is right)",
    "metric.intercept": "Level, log-odds (0 is right)",
    "metric.observed_to_expected": "Observed to expected (1 is right)",
    # Groups.
    "groups.title": "Groups of patients",
    "groups.lead": "In the newest chunk, {span}. Groups of few people have no figures.",
    "groups.table": "{category} by group; {share} of assessments verified",
    "cohort.sex": "Sex",
    "cohort.age": "Age",
    "cohort.disease": "Disease",
    "cohort.source": "Source",
    "apart.lead": (
        "A card may change what becomes known. So the assessments it may have changed stand apart."
    ),
    "apart.table": "{category} where cards may have changed the truth; {share} verified",
    "apart.card_shown.yes": "A card was shown",
    "apart.card_shown.no": "No card was shown",
    "apart.accepted.yes": "The card was accepted",
    "apart.accepted.no": "The card was not accepted",
    "apart.prompted.yes": "The outcome was prompted by a suggestion",
    "apart.prompted.no": "The outcome was not prompted",
    "apart.reviewed.yes": "Decided by a reviewer",
    "apart.reviewed.no": "From the health record",
    # Feedback.
    "feedback.title": "Feedback",
    "feedback.lead": (
        "What clinicians did with the cards of the same assessments. It is no measure of truth: a "
        "card can be overridden and right."
    ),
    "feedback.over_time": "Cards accepted and overridden",
    "feedback.unit": "share of the cards shown",
    "feedback.table": "Cards of the newest chunk",
    "accepted": "accepted",
    "overridden": "overridden",
    "indicator": "Indicator",
    "indicator.all": "All",
    "indicator.info": "Info",
    "indicator.warning": "Warning",
    "indicator.critical": "Critical",
    "cards": "Cards",
    # Prevalence.
    "shift.title": "How common the categories are",
    "shift.lead": (
        "Estimated from the predictions of all assessments, so that it needs no outcome. An "
        "interval wholly beyond 1.25 times, or below 0.8 times, the share the model was made with "
        "counts as changed."
    ),
    "shift.chart": "{category}: share now to share when the model was made",
    "shift.unit": "with 98 % interval",
    "shift.same": "as when the model was made",
    "shift.table": "Estimated shares in the newest chunk",
    "shift.base": "When made",
    "shift.now": "Now",
    "shift.ratio": "Ratio",
    "shift.interval": "98 % interval",
    "shift.changed": "Changed",
    "shift.up": "more common",
    "shift.down": "less common",
    "shift.no": "not shown",
}
