"""Fixed words of the page of the audit trail in English; `admin_audit_es` has the same keys."""

ENGLISH: dict[str, str] = {
    "title": "Audit trail",
    "lead": "Who did what to which object. No values of patients are in it. Searching it stands in "
    "it too. Without a first day the seven days before are looked through.",
    "since": "From (day)",
    "until": "To (day)",
    "actor": "Who (how the name begins)",
    "actor.head": "Who",
    "action": "Action",
    "kind": "Kind of object",
    "id": "Id of the object",
    "search": "Search",
    "clear": "Start again",
    "events": "Events, the newest first",
    "at": "Time",
    "object": "Object",
    "detail": "Detail",
    "empty": "No event fits. Look through more days, or for less.",
    "older": "Older events →",
    "newest": "← The newest",
    "english": "Names of actions and objects are those of the table audit_events, in English.",
    "wrong.since": "The first day cannot be read. Write it like 2026-03-01.",
    "wrong.until": "The last day cannot be read, or lies before the first. Write it like "
    "2026-03-01.",
}
