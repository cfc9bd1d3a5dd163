"""HL7 v2 messages that were taken, so that the same one again changes nothing.

They share the table of used tokens: both are things that are accepted once, and forgotten later.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import USED_TOKENS


class MessageStore:
    """SQL of taken messages of one client."""

    def __init__(self, connection: Connection, client: str) -> None:
        self._connection = connection
        self._issuer = f"hl7v2:{client}"

    def known(self, hashes: Sequence[str]) -> set[str]:
        """Which of these keyed hashes were taken before."""
        found: set[str] = set()
        for start in range(0, len(hashes), IN_LIST):
            query = select(USED_TOKENS.c.jti_hash).where(
                USED_TOKENS.c.issuer == self._issuer,
                USED_TOKENS.c.jti_hash.in_(hashes[start : start + IN_LIST]),
            )
            found |= set(self._connection.execute(query).scalars())
        return found

    def remember(self, hashes: Collection[str], now: datetime, until: datetime) -> None:
        """Keep the hashes of messages that were taken, and forget those that are old enough.

        Raises `IntegrityError` for a known one.
        """
        if hashes:
            # A listener that shares its database with no server would keep them for ever.
            self._connection.execute(
                delete(USED_TOKENS).where(
                    USED_TOKENS.c.issuer == self._issuer, USED_TOKENS.c.expires_at < now
                )
            )
            self._connection.execute(
                insert(USED_TOKENS),
                [
                    {"issuer": self._issuer, "jti_hash": one, "expires_at": until}
                    for one in sorted(hashes)
                ],
            )
