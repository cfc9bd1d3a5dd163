"""Fixed words of the sign-in page in English; `sign_in_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Sign in",
    "name": "Name",
    "password": "Password",
    "submit": "Sign in",
    "provider": "Sign in with your organisation’s account",
    "provider.lead": "You are taken to the sign-in of your organisation and back.",
    "provider.away": (
        "The sign-in of your organisation does not answer. Try again in a minute; if it goes on, "
        "tell whoever runs this service."
    ),
    "provider.refused": (
        "Your organisation’s sign-in did not let you in here, or it took too long. Try again."
    ),
    "provider.no_role": (
        "You are known, but you have no role in this service. Ask whoever gives out roles in your "
        "organisation."
    ),
    "wrong": "Name or password is not right.",
    "blocked": "Too many attempts failed. Try again in {minutes} min.",
    "blocked.long": (
        "Too many attempts failed. Whoever runs this service can open the account again with a "
        "new password."
    ),
    "busy": "Too many people sign in at this moment. Try again in a minute.",
    "idle": "You were signed out, because nothing was done for a while or the time was over.",
    "out": "You are signed out.",
    "out.provider": "Your organisation’s sign-in may still be open in this browser.",
    "out.provider.end": "Sign out there too",
    "out.provider.none": "Your organisation’s sign-in cannot be ended from here.",
}
