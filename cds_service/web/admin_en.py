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
    "pager": "Pages of the list",
    "pager.of": "Page {number} of {pages} ({total} in all)",
    "pager.before": "← Before",
    "pager.after": "Next →",
}
