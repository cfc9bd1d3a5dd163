"""Fixed words of the models page in English; `admin_models_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Models",
    "lead": (
        "Which version answers, which are on their way, and who decided so. Promotions, rollbacks "
        "and refusals need a reason; they are audited as those of the commands are."
    ),
    "english": "Reasons and sentences are shown as they were written or kept.",
    "live": "Live",
    "live.none": "No version is live. Train one first: cds-service train.",
    "version": "Version",
    "kind": "Kind",
    "data": "Data",
    "since": "Live since",
    "since.is": "{at}, by {actor}",
    "reason": "Reason",
    "watch": "Watch of the promotion",
    "watch.watching": "under way, {n} of 2 looks taken",
    "watch.kept": "kept, after {n} looks",
    "watch.rolled_back": "rolled back, after {n} looks",
    "watch.replaced": "replaced by another promotion",
    "card": "Model card",
    "card.of": "Model card of version {version}",
    "report": "Report",
    "report.of": "Report of version {version}",
    "report.none": "no report here",
    "data.simulated": "simulated patients",
    "data.history": "history",
    "kind.xgboost": "boosted trees (XGBoost)",
    "kind.lightgbm": "boosted trees (LightGBM)",
    "kind.logistic": "logistic regression",
    "kind.random_forest": "random forest",
    # Stages.
    "stage.live": "live",
    "stage.was_live": "was live",
    "stage.registered": "registered",
    "stage.gate": "before the gates",
    "stage.refused": "refused by the gates",
    "stage.undecided": "not enough to decide",
    "stage.shadow": "in shadow",
    "stage.waiting": "waiting for approval",
    "stage.promoted": "was promoted",
    "stage.withdrawn": "withdrawn",
    # Challengers.
    "way": "On their way",
    "way.none": "No challenger is on its way.",
    "way.ended": "Challengers at the end of their way",
    "way.stage": "Stage",
    "way.origin": "Asked for by",
    "way.against": "Held against",
    "way.at": "Made",
    "way.until": "In shadow until",
    "way.why": "Why it stands there",
    "origin.refresh": "the schedule",
    "origin.search": "a search",
    "origin.recalibration": "recalibration",
    "origin.alert": "an alert",
    "origin.outcomes": "new outcomes",
    "origin.manual": "a person",
    "approve": "Approve",
    "approve.of": "Approve version {version}",
    "withdraw": "Refuse",
    "withdraw.of": "Refuse version {version}",
    "compare": "Compare",
    "compare.live": "Compare version {version} with the live one",
    # Versions.
    "versions": "Versions",
    "versions.none": "No version is registered yet.",
    "state": "State",
    "at": "Made",
    "by": "By",
    "note": "Note",
    "do": "What you can do",
    "promote": "Make live",
    "promote.of": "Make version {version} live",
    "rollback": "Roll back",
    "rollback.to": "Roll back to version {version}",
    # Releases.
    "releases": "Releases",
    "releases.none": "Nothing was released yet.",
    "release.at": "When",
    "release.action": "What",
    "release.by": "By",
    "action.promote": "made live",
    "action.rollback": "rolled back to",
    "action.rare-update": "heads of rare diseases updated",
    # Compare.
    "pair": "Compare two versions",
    "pair.first": "Version to hold against",
    "pair.second": "Version to judge",
    "pair.show": "Compare",
    "pair.title": "Version {second} against version {first}",
    "pair.same": "Choose two different versions.",
    "pair.gates": "What the gates said",
    "pair.turned": (
        "It was version {first} that was judged, against version {second}; figures are to be read "
        "that way round."
    ),
    "pair.paired": (
        "Both answered the same held-out patients, whom neither has learnt from. Differences are "
        "paired by patient, one-sided with 95 % confidence."
    ),
    "pair.none": "These two were not compared on the same held-out patients yet.",
    "ask": "Compare now",
    "ask.again": "Compare again now",
    "ask.lead": (
        "Both answer the held-out patients neither has learnt from. It takes a minute or more, "
        "beside the answers, and counts as a look at these patients."
    ),
    "ask.waiting": "Asked for at {at} by {by}; not done yet.",
    "ask.where": "See it under Runs",
    "ask.reload": "Look again",
    "ask.failed": "The comparison that {by} asked for at {at} failed:",
    "ask.off": (
        "Comparisons are switched off in the schedule (CDS_SCHEDULE). What is asked for waits "
        "until somebody runs the job:"
    ),
    "ask.command": "The same by command:",
    "pair.chunk": "On the same assessments: chunk {number}, {span}; {share} verified, weighted",
    "pair.held_out": "Each on its own held-out part, when it was made: not the same patients",
    "pair.of": "Version {version}",
    "figure": "Figure",
    "gate": "Gate",
    "gate.answer": "Answer",
    "gate.says": "What it says",
    "gate.categories": "no category lost",
    "gate.outcomes": "enough outcomes",
    "gate.log_loss": "log loss",
    "gate.category_log_loss": "log loss of each category",
    "gate.sensitivity": "sensitivity for acute",
    "gate.best_of_past_year": "best of the past year",
    "gate.fairness": "fairness gap",
    "gate.rare_floor": "rare diseases",
    "gate.latency": "latency",
    "gate.explanation": "explanation",
    "passed.True": "passed",
    "passed.False": "refused",
    "passed.None": "not judged",
    "compared.at": "Compared",
    "compared.against": "Held against version",
    "compared.outcome": "Outcome",
    "compared.rows": "Held-out rows",
    "compared.looks": "Looks at these rows before",
    "outcome.promoted-ok": "not worse: may be promoted",
    "outcome.refused": "refused",
    "outcome.not-enough": "not enough to decide",
    # A change.
    "change.promote": "Make version {version} live",
    "change.rollback": "Roll back to version {version}",
    "change.approve": "Approve version {version}",
    "change.withdraw": "Refuse version {version}",
    "change.promote.more": (
        "Version {version} answers instead of version {live} within seconds, for every client."
    ),
    "change.rollback.more": (
        "Version {version} answers again instead of version {live} within seconds, for every "
        "client."
    ),
    "change.approve.more": (
        "Version {version} answers instead of version {live} within seconds, for every client."
    ),
    "change.withdraw.more": "Version {version} goes no further. Version {live} stays live.",
    "change.no_live": "none",
    "change.last": "The last comparison",
    "change.reason": "Reason",
    "change.reason.more": "It is kept in the audit trail with your name. No patient belongs here.",
    "change.sure": "I have read what is said above, and mean it.",
    "change.fewer": "The champion may lose a category.",
    "change.cancel": "Cancel",
    "warn.never": "This version was never compared with another.",
    "warn.against": "The last comparison does not speak for it.",
    "warn.other": (
        "It was compared with version {then}; now version {now} is live, which is another."
    ),
    "told.promote": "The version is live.",
    "told.rollback": "The earlier version is live again.",
    "told.approve": "The version is approved and live.",
    "told.withdraw": "The version goes no further.",
    "wrong.reason": "Give a reason.",
    "wrong.sure": "Tick that you mean it.",
    "problem.changed": (
        "Another version is live than when you opened this page. Nothing was done; look again."
    ),
    "problem.no_reason": "Give a reason.",
    "problem.live_already": "This version is live already.",
    "problem.lost": (
        "This version does not know every category that the live one does. Tick below if that is "
        "meant."
    ),
    "problem.unreadable": (
        "The files of the live version cannot be read, so that nobody can say which categories "
        "would be lost. Tick below to replace it all the same."
    ),
    "problem.none_earlier": "There is no earlier version to go back to.",
    "problem.not_live": "Somebody else was faster: another version is live. Nothing was done.",
    "problem.stage": "Somebody else was faster: it is not waiting any more. Nothing was done.",
    "problem.not_waiting": "This version does not wait for approval.",
    "problem.ended": "This version is at the end of its way already.",
    "problem.no_challenger": "This version is no challenger.",
    "problem.no_version": "There is no such version.",
    "problem.damaged": "The files of this version are damaged or gone. Nothing was done.",
    "problem.rule": "The rules do not allow this. Nothing was done.",
}
