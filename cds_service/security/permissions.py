"""Who may do what: the one place where roles and permissions meet.

Routes ask with `signed_in(Permission.X)`, templates with `can("x")`.
"""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a person does here; one may have several."""

    CLINICIAN = "clinician"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """Something a person may do."""

    TRIAGE = "triage"
    """Fill in the triage form, find a case again and give feedback on it."""
    EXPLANATION = "explanation"
    """Open the explanation of an assessment."""
    WHAT_IF = "what_if"
    """See what would have to change for another category."""
    REVIEW = "review"
    """Answer the cases of the review queue."""
    DASHBOARD = "dashboard"
    """See how the service and its models do: figures, never a patient."""
    ALERTS = "alerts"
    """Acknowledge and resolve alerts."""
    MODELS = "models"
    """Promote and roll back."""
    JOBS = "jobs"
    """Have a job of the schedule run now."""
    CLIENTS = "clients"
    """Set the mode of clients, pause and resume."""
    AUDIT = "audit"
    """Search the audit trail."""
    EXPORTS = "exports"
    """Download what is exported."""
    SANDBOX = "sandbox"
    """Play the health record; in development mode alone."""


_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CLINICIAN: frozenset({Permission.TRIAGE, Permission.EXPLANATION}),
    Role.REVIEWER: frozenset({Permission.REVIEW, Permission.EXPLANATION, Permission.WHAT_IF}),
    # Whoever runs the service needs no patient for it.
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.DASHBOARD,
            Permission.ALERTS,
            Permission.MODELS,
            Permission.JOBS,
            Permission.CLIENTS,
            Permission.AUDIT,
            Permission.EXPORTS,
        }
    ),
}


LAUNCHED = frozenset({Permission.EXPLANATION, Permission.WHAT_IF})
"""All that somebody may do whom a health record sent here, whatever their roles: it has shown one
patient to them, and this service knows them by its word alone."""


def permissions(
    roles: Iterable[Role], *, development: bool = False, launched: bool = False
) -> frozenset[Permission]:
    """Everything that people with these roles may do."""
    found: frozenset[Permission] = frozenset().union(*(_PERMISSIONS[role] for role in roles))
    if launched:
        return found & LAUNCHED
    return found | {Permission.SANDBOX} if development else found
