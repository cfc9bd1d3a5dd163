"""Fixed words that the pages of the dashboard share, in English; `admin_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "admin.pages": "Parts of the dashboard",
    "admin.overview": "Overview",
    "admin.quality": "Quality",
    "admin.inputs": "Inputs",
    "admin.models": "Models",
    "admin.runs": "Runs",
    "admin.alerts": "Alerts",
    "admin.clients": "Clients",
    "admin.audit": "Audit",
    "admin.exports": "Exports",
    "asleep.never": (
        "No process has run the schedule here yet, so nothing that is due will be done. Start one:"
    ),
    "asleep.since": (
        "No process seems to run the schedule: nothing was begun or ended since {at}, although "
        "something is due. Start one, or where cron does, wait for its turn:"
    ),
    "pager": "Pages of the list",
    "pager.of": "Page {number} of {pages} ({total} in all)",
    "pager.before": "← Before",
    "pager.after": "Next →",
}
