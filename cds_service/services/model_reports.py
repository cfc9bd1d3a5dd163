"""The report of each model version: kept when it is trained, read by who asks for it."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from cds_service.context import Clock
from cds_service.errors import ServiceError
from cds_service.settings import Settings
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.evaluation.html_report import html_report, report_record
from model.training.run import TrainingResult

PAGE, RECORD = "report.html", "report.json"


def report_folder(settings: Settings, version: str) -> Path:
    """Where the report of a version is kept."""
    return settings.data_dir / "reports" / version


def keep_report(
    result: TrainingResult, folder: Path, *, version: str, at: datetime, looks: int | None
) -> bool:
    """Write the page and its record into `folder`; whether there was anything to write.

    A run without a study, or with nobody held out, has no report. Both files are written under
    another name and then moved, the page last. Raises `OSError`.
    """
    if result.report.get("study") is None:
        return False
    record = report_record(
        result.report,
        result.scorer.artefact.attributes,
        version=version,
        created_at=at.isoformat(),
        looks=looks,
    )
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for name, text in ((RECORD, content), (PAGE, html_report(record))):
        unfinished = folder / f".{name}.unfinished-{os.getpid()}"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(folder / name)
    return True


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
            alike = ModelStore(connection).alike(version)
        paths = (report_folder(self._settings, name) / PAGE for name in alike)
        path = next((one for one in paths if one.is_file()), None)
        try:
            text = None if path is None else path.read_text("utf-8")
        except FileNotFoundError:
            text = None
        if text is None:
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
