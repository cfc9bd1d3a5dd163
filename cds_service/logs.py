"""Logs: JSON lines with ids, names and counts. Never a patient value, a token or a body."""

import json
import logging
import sys
import time
from types import TracebackType
from typing import Any

LOGGER = logging.getLogger("cds_service")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Of an exception only its type and place are written: its message
    may quote what it failed on."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["at"] = place(record.exc_info[2])
        return json.dumps(line, default=str)


def place(trace: TracebackType | None) -> str | None:
    """Where an exception was raised: file, line and function."""
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{code.co_filename}:{trace.tb_lineno} {code.co_name}"


def configure_logs(level: str) -> None:
    """Write JSON lines to standard error at `level`; uvicorn's access log stays off, because
    request targets are not ours to repeat."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True
    # httpx logs URLs, httpcore the headers of every answer: both may name a patient.
    for name in ("alembic", "mlflow", "git", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
