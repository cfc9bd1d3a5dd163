"""Fixed words of the runs page in English; `admin_runs_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Runs",
    "lead": "What works beside the answers: jobs of the schedule, training and searches.",
    "now": "Under way",
    "now.none": "Nothing is under way.",
    "now.one": "1 run is under way.",
    "now.more": "{n} runs are under way.",
    "now.at": "As of {at}.",
    "reload": "Look again",
    "run.by": "Begun {at} by {by}, {lasting} ago.",
    "run.starting": "starting",
    "run.silent": (
        "Nothing was heard of it since {at}: its process is most likely gone. A job is taken "
        "over by the next process; a command has to be repeated."
    ),
    "run.name": "{words} ({name})",
    "run.alerts": "Sending alerts",
    "run.outcomes-pull": "Asking for outcomes",
    "run.rare": "Updating heads of rare diseases",
    "run.shadow": "Scoring in shadow",
    "run.inputs": "Watching inputs",
    "run.release": "Advancing challengers",
    "run.evaluate": "Judging matured assessments",
    "run.review": "Filling the review queue",
    "run.export": "Exporting",
    "run.history": "Looking for history files",
    "run.compare": "Comparing versions",
    "run.recalibrate": "Recalibrating",
    "run.refresh": "Retraining",
    "run.search": "Searching for a better model",
    "run.train": "Training",
    "run.retrain": "Retraining and comparing",
    "jobs": "Jobs",
    "job": "Job",
    "job.every": "Every",
    "job.due": "Due",
    "job.last": "Last end",
    "job.lasted": "Took",
    "job.state": "State",
    "job.said": "What it said",
    "job.off": "switched off",
    "job.needs": "needs {name}",
    "job.never": "never ran",
    "job.failed.one": "failed once",
    "job.failed": "failed {n} times in a row",
    "start": "Run now",
    "start.asked": "now, asked for by {by}",
    "start.title": "Run now: {name}",
    "start.asks": "It is done by a process that runs the schedule, beside the answers.",
    "start.recalibrate": (
        "What open alerts and new outcomes ask for is trained, which may be nothing, or hours of "
        "work for this machine."
    ),
    "start.refresh": (
        "The live kind of model is trained again, which may be hours of work for this machine. It "
        "becomes live only after the gates and shadow, by approval or by the agreed change plan. "
        "Within seven days of the last time nothing is trained."
    ),
    "start.search": (
        "Every kind of model is trained and the best tuned: hours of work for this machine, up to "
        "what CDS_SEARCH_MINUTES allows. What is found becomes live only after the gates and "
        "shadow, by approval or by the agreed change plan."
    ),
    "start.sure": "I know that this takes long.",
    "start.cancel": "Cancel",
    "told.start": "Asked for. The schedule starts it within seconds.",
    "wrong.sure": "Tick that you know.",
    "wrong.start": (
        "This job is off, not set up, asked for already or under way. Nothing was changed."
    ),
    "last": "Last runs",
    "last.none": "Nothing has run yet.",
    "last.kept": "Of each kind the newest 30 are kept.",
    "begun": "Begun",
    "what": "What",
    "by": "By",
    "state": "State",
    "state.done": "done",
    "state.failed": "failed",
    "state.left": "left unfinished",
    "all": "all",
    "show": "Show",
    "english": "What a run said is shown as it was written, in English.",
    "lasting.s": "{s} s",
    "lasting.min": "{m} min {s} s",
    "lasting.h": "{h} h {m} min",
}
