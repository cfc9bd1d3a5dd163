"""Which links to explanations were followed."""

from datetime import datetime

from sqlalchemy import Connection, delete

from cds_service.storage.rows import insert_once
from cds_service.storage.tables import USED_LINKS


class ExplanationLinkStore:
    """SQL of `used_links`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def use(self, link: str, *, at: datetime, ends_at: datetime) -> bool:
        """Use a link up (`link`: its hash); `False` if it was before. What is too old to be used
        anyway is forgotten."""
        self._connection.execute(delete(USED_LINKS).where(USED_LINKS.c.ends_at < at))
        return insert_once(self._connection, USED_LINKS, {"link": link, "ends_at": ends_at})
