"""Fixed words of the overview in English; `admin_overview_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Overview",
    "version": "Live version",
    "version.none": "No model is live.",
    "alerts": "Open alerts",
}
