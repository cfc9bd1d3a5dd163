"""Who agreed to which version of the data-use policy."""

from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from cds_service.storage.tables import POLICY_CONSENTS


class ConsentStore:
    """SQL of `policy_consents`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def given_at(self, actor: str, version: str) -> datetime | None:
        """When somebody agreed to a version; `None` if never."""
        query = select(POLICY_CONSENTS.c.at).where(
            POLICY_CONSENTS.c.actor == actor, POLICY_CONSENTS.c.version == version
        )
        return self._connection.execute(query).scalar_one_or_none()

    def add(self, actor: str, version: str, at: datetime) -> bool:
        """Keep that somebody agreed; `False` if that is kept already."""
        if self.given_at(actor, version) is not None:
            return False
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    insert(POLICY_CONSENTS), {"actor": actor, "version": version, "at": at}
                )
        except IntegrityError:  # Sent twice at once.
            return False
        return True
