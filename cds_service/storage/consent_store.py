"""Who agreed to which version of the data-use policy."""

from datetime import datetime

from sqlalchemy import Connection, select

from cds_service.storage.rows import insert_once
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
        consent = {"actor": actor, "version": version, "at": at}
        return insert_once(self._connection, POLICY_CONSENTS, consent)
