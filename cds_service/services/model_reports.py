"""The report of each model version, kept when it is trained; `kept_reports` reads it."""

import json
import os
from datetime import datetime
from pathlib import Path

from cds_service.services.kept_reports import PAGE
from model.evaluation.html_report import html_report, report_record
from model.training.run import TrainingResult

RECORD = "report.json"


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
