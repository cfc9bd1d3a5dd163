"""Fixed words of the sign-in page in English; `sign_in_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Sign in",
    "name": "Name",
    "password": "Password",
    "submit": "Sign in",
    "provider": "Sign in with your organisation’s account",
    "provider.lead": "You are taken to the sign-in of your organisation and back.",
    "closed": (
        "Nobody can sign in yet. Whoever runs this service adds accounts or connects a provider."
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
}
