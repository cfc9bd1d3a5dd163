"""How many calls came, how they ended and how long they took."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from cds_service.storage.tables.columns import UTCDateTime


class CallCountRow(SQLModel, table=True):
    """Calls of one client to one service in one hour that ended alike and took about as long.

    Every process adds to it; nothing in it is about a patient.
    """

    __tablename__ = "call_counts"

    hour: datetime = Field(sa_type=UTCDateTime, primary_key=True)
    """Its start, UTC."""
    client: str = Field(primary_key=True)
    """Empty where nobody was let in."""
    service: str = Field(primary_key=True)
    """As `services/call_counts` names it."""
    status: int = Field(primary_key=True)
    """Of HTTP; 499 where the caller went away before the answer."""
    bucket: int = Field(primary_key=True)
    """Of the time it took: `services/latency`."""
    calls: int
    last_at: datetime = Field(sa_type=UTCDateTime)
    """When the newest of them was answered."""
