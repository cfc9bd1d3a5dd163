"""The person in front of a page."""

from dataclasses import dataclass, field
from typing import Final

from cds_service.security.permissions import Permission, Role, permissions

DEVELOPMENT: Final = "development"
"""Who everybody is in development mode."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a session is bound to that a health record opened."""

    client: str
    """The client whose health record it is."""
    patient_keys: tuple[str, ...] = field(repr=False)
    """Of the patient whose chart is open there: keyed hashes, newest first."""
    frames: tuple[str, ...] = ()
    """Origins that may show our pages inside their own."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    name: str
    """As it is shown."""
    actor: str
    """As it stands in the audit trail: `user:ana`, `oidc:248289761001`, `smart:ward:7`,
    `development`."""
    roles: frozenset[Role]
    session: str
    """Key of the session, not the secret that opens it."""
    csrf: str
    """Token that every form of this session sends back."""
    fhir_user: str | None = None
    """Who the health record says this is (`Practitioner/1`), where it says so."""
    development: bool = False
    launch: Launch | None = None
    """Somebody whom a health record sent, for one patient."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything this person may do."""
        return permissions(
            self.roles, development=self.development, launched=self.launch is not None
        )

    def may(self, permission: Permission) -> bool:
        """Whether this person may do that."""
        return permission in self.permissions

    def __repr__(self) -> str:
        return f"Person(actor={self.actor!r})"
