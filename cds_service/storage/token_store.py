"""JWTs that were accepted (R63)."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import IntegrityError

from cds_service.storage.tables import USED_TOKENS


class TokenStore:
    """SQL of used tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, issuer: str, jti_hash: str, expires_at: datetime) -> bool:
        """Remember a token; `False` if it is there already, and the transaction is over then.

        The insert is the check, so that of two processes one alone can be first.
        """
        row = {"issuer": issuer, "jti_hash": jti_hash, "expires_at": expires_at}
        try:
            self._connection.execute(insert(USED_TOKENS), row)
        except IntegrityError:
            return False
        return True

    def purge(self, before: datetime) -> None:
        """Forget tokens that had expired by then."""
        self._connection.execute(delete(USED_TOKENS).where(USED_TOKENS.c.expires_at < before))
