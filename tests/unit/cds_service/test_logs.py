"""Log lines hold ids and places, never what an exception quotes."""

import json
import logging
import sys

from cds_service.logs import JsonFormatter


def test_a_line_is_json_with_its_extras() -> None:
    record = logging.makeLogRecord({"msg": "model loaded", "levelname": "INFO", "version": "3"})
    line = json.loads(JsonFormatter().format(record))
    assert (line["event"], line["level"], line["version"]) == ("model loaded", "INFO", "3")
    assert line["time"].endswith("Z")


def test_an_exception_is_its_type_and_place_only() -> None:
    try:
        raise ValueError("patient 4711 has 38.9")
    except ValueError:
        record = logging.makeLogRecord({"msg": "request failed", "exc_info": sys.exc_info()})
    text = JsonFormatter().format(record)
    assert "4711" not in text
    line = json.loads(text)
    assert line["exception"] == "ValueError"
    assert "test_logs.py" in line["at"]
