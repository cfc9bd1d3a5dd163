"""Whether the process can answer."""

from sqlalchemy.exc import SQLAlchemyError

from cds_service.context import ProcessContext
from cds_service.storage.session import current_revision


def problems(context: ProcessContext) -> list[str]:
    """Why the process is not ready; empty if it is."""
    found = []
    try:
        revision, head = current_revision(context.engine)
        if revision != head:
            found.append("the database is not at the revision this version needs")
    except SQLAlchemyError:
        found.append("the database cannot be reached")
    if context.champion.scorer is None:
        found.append("no model is loaded")
    return found
