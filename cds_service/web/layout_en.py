"""Fixed words that all pages share, in English; `layout_es` has the same keys."""

ENGLISH: dict[str, str] = {
    # Around every page.
    "skip": "Skip to the content",
    "language": "Language",
    "layout.pages": "Pages",
    "layout.home": "Start",
    "layout.development": (
        "Development mode: everybody is signed in as “development”, with every role. Never for "
        "care."
    ),
    "layout.signed_in": "Signed in as {name}",
    "layout.sign_out": "Sign out",
    "layout.sign_in": "Sign in",
    "layout.ends": "Are you still there?",
    "layout.ends.more": (
        "Nothing was done for a while. In less than a minute you are signed out, and what you "
        "entered here is lost."
    ),
    "layout.ends.stay": "Stay signed in",
    "layout.footer": "Decision support, not a diagnosis. Not a medical device, cleared nowhere.",
    "nav.sandbox": "Sandbox",
    "nav.triage": "Triage",
    "nav.review": "Review",
    "nav.admin": "Dashboard",
    "role.clinician": "clinician",
    "role.reviewer": "reviewer",
    "role.administrator": "administrator",
    # Where no page is.
    "home.title": "Start",
    "home.none": "None of the pages is open to you. Whoever runs this service gives out roles.",
    "home.lead": "What is open to you:",
    # When something is wrong.
    "problem.400": "This could not be read",
    "problem.400.more": "What the page sent is not what it should send. Go back and try again.",
    "problem.401": "Please sign in",
    "problem.401.more": "This page is for people who are signed in.",
    "problem.403": "This is not open to you",
    "problem.403.more": "Your role does not include it. Whoever runs this service gives out roles.",
    "problem.form": "This form is no longer valid",
    "problem.form.more": (
        "It is too old, or it came from another page than ours. Nothing was done. Open the page "
        "again and repeat it."
    ),
    "problem.404": "Not found",
    "problem.404.more": "There is no such page.",
    "problem.405": "Not like this",
    "problem.405.more": "This address is not asked for in this way.",
    "problem.413": "Too much",
    "problem.413.more": "More was sent than any page of this service sends.",
    "problem.429": "Too many attempts",
    "problem.429.more": "Wait a while, then try again.",
    "problem.500": "Something failed",
    "problem.500.more": (
        "The fault is logged. Try again; if it fails again, tell whoever runs this service."
    ),
    "problem.503": "Not available right now",
    "problem.503.more": "Something this page needs is away or too busy. Try again in a minute.",
    "problem.start": "To the start",
    # Values.
    "hidden": "under {smallest}",
    "none": "–",
    "not_recorded": "not recorded",
    "about": "about {n}",
    "bounds": "[{lower}, {upper}]",
}
