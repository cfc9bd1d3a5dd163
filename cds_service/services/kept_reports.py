"""The reports of model versions as they are kept, read by who asks for them.

It loads nothing that trains or draws, so that a page can show them too.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from cds_service.context import Clock
from cds_service.errors import ServiceError
from cds_service.settings import Settings
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import DERIVED_FROM, ModelStore
from cds_service.storage.session import reading

PAGE = "report.html"


def report_folder(settings: Settings, version: str) -> Path:
    """Where the report of a version is kept."""
    return settings.data_dir / "reports" / version


class ModelReportService:
    """Reads reports; every read is audited."""

    def __init__(self, engine: Engine, settings: Settings, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock

    def page(self, version: str, *, actor: str) -> str:
        """The report of a version as one HTML page.

        Raises `ServiceError` if it has none: it was trained before there were reports, without
        one, or elsewhere.
        """
        with reading(self._engine) as connection:
            store = ModelStore(connection)
            alike = store.alike(version)
            row = store.version(alike[-1])
        paths = (report_folder(self._settings, name) / PAGE for name in alike)
        path = next((one for one in paths if one.is_file()), None)
        try:
            text = None if path is None else path.read_text("utf-8")
        except FileNotFoundError:
            text = None
        if text is None:
            parent = None if row is None else row["metrics"].get(DERIVED_FROM)
            if parent is not None:
                raise ServiceError(
                    f"Model version {alike[-1]} was made from version {parent} without training, "
                    f"by other priors, so it has no report: cds-service models show {version} has "
                    f"its figures, cds-service models report {parent} those of the training."
                )
            raise ServiceError(
                f"Model version {version} has no report here: it was trained with --no-report, by "
                "an earlier version of this program, or with another data folder (CDS_DATA_DIR)."
            )
        self._audit(version, actor, {"format": "html"})
        return text

    def _audit(self, version: str, actor: str, detail: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            AuditStore(connection).add(
                at=self._clock(),
                actor=actor,
                action="read-report",
                object_type="model",
                object_id=version,
                detail=detail,
            )
