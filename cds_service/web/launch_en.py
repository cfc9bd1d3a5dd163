"""Fixed words of SMART launch in English; `launch_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "none.title": "No assessment yet",
    "none.yet": (
        "No assessment of this patient is kept for your health record. One is made when the chart "
        "is opened there and vital signs are on record. Nothing here means that the patient is "
        "well."
    ),
    "none.again": "Look again",
    "incomplete.title": "Open this from the health record",
    "incomplete.more": (
        "This page opens from a patient's chart in the health record, which says whose chart it "
        "is. The link did not say so."
    ),
    "unknown.title": "Health record not known",
    "unknown.more": (
        "The health record that opened this page is not registered here. Tell whoever runs this "
        "service which one it is."
    ),
    "state.title": "This launch is no longer good",
    "state.more": (
        "It was begun in another window or too long ago, or it was used before. Go back to the "
        "chart and open it again."
    ),
    "late.title": "It took too long",
    "late.more": "A launch is good for ten minutes. Go back to the chart and open it again.",
    "refused.title": "The health record said no",
    "refused.more": (
        "The health record did not confirm who you are and whose chart this is. Go back to the "
        "chart and open it again; if it says no again, tell whoever runs this service."
    ),
    "nobody.title": "For staff only",
    "nobody.more": (
        "The health record does not name you as one of its practitioners. Explanations are for "
        "those who care for the patient."
    ),
    "no_patient.title": "No chart is open",
    "no_patient.more": (
        "The health record did not say whose chart is open. Open a patient's chart first, then "
        "this page from it."
    ),
    "blocked.title": "Too many attempts",
    "blocked.more": "Too many launches from here failed. Wait a quarter of an hour.",
    "away.title": "The health record does not answer",
    "away.more": (
        "It could not be asked who you are. Try again in a minute; if it stays like this, tell "
        "whoever runs this service."
    ),
    "busy.title": "Too many at once",
    "busy.more": "Too many people come from the health record right now. Try again in a minute.",
    "setup.title": "Not set up",
    "setup.more": (
        "This service cannot show your health record who it is. Tell whoever runs it; the fault "
        "is logged."
    ),
    "idle.title": "The session is over",
    "idle.more": (
        "You were signed out because nothing was done for a while, or the time was up. Go back to "
        "the chart and open this again."
    ),
    "out.title": "You are signed out",
    "out.more": "Go back to the health record. The chart opens this page again.",
    "chart.title": "Go back to the chart",
    "chart.more": (
        "This page belongs to one patient's chart, and it may be that another one was opened "
        "meanwhile. Open it again from the chart you mean."
    ),
}
