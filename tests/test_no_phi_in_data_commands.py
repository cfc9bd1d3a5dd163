"""No command that reads files of patients says a patient value."""

import gzip
import json
import re
from pathlib import Path

from tests.support.builders import bundle
from tests.support.cohorts import small_cohort
from tests.support.hl7v2 import dg1, merge, message, prb
from tests.support.marked import leaks, marked_condition
from tests.support.process import command
from tests.support.service import new_context

# Runs each command line of a JSON list in one process, and prints how it ended.
COMMANDS = """
import functools, json, sys, model.training.design as design
design.TrainingSettings = functools.partial(
    design.TrainingSettings, estimators=("logistic",), balancings=("none",), folds=2,
    bootstrap_replicates=20,
)
from cds_service.__main__ import main
from cds_service.cli import ingest as command
ingest = command.ingest_conditions
def failing_ingest(context, paths, **options):
    if paths[0].name == "fault.json":
        raise RuntimeError(paths[0].read_text())
    return ingest(context, paths, **options)
command.ingest_conditions = failing_ingest
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as exit:
        print("ended with", exit.code or 0, arguments, file=sys.stderr)
sys.exit()
"""


def marked_history(path: Path) -> Path:
    """History with marks in every place a patient could be read from."""
    frame = small_cohort(1_200, 3)
    frame["patient_id"] = "xqz-" + frame["patient_id"]
    frame["notes"] = "Xqz says it hurts"
    frame["address"] = "Xqzstreet 12"
    frame["recorded_at"] = "2024-03-01T12:00:00Z"
    cells = frame.astype("object")
    for row, (column, cell) in enumerate(
        [
            ("heart_rate", "137.31337 xqz"),
            ("heart_rate", "137.31337"),
            ("body_temperature", "38.76543"),
            ("systolic_bp", "<151.24680"),
            ("severity", "xqz"),
            ("recorded_at", "xqz"),
            ("sex", "xqz"),
            ("age", "1961-07-23"),
        ]
    ):
        cells.loc[row, column] = cell
    cells.to_csv(path, index=False)
    return path


def marked_messages() -> str:
    """HL7 v2 with marks in every place that is read."""
    name = "xqz-patient-4711^^^HOSP^MR"
    return "".join(
        [
            "PID|1||xqz\r",
            message(dg1("xqz^xqz^xqz", at="xqz", kind="xqz", identifier="xqz"), patient=name),
            message(prb("xqz^xqz^99XQZ", action="xqz", confirmation="xqz"), event="PPR^PC1"),
            message(dg1(), patient="xqz^^^xqz^xqz", visit="xqz", disposition="xqz"),
            message(dg1(), event="XQZ^XQZ"),
            message(dg1(), charset="xqz"),
            message(dg1("I10^^I10C"), sent="xqz", control_id="xqz"),
            merge(into="xqz^^^H^SS", old="xqz^^^H^SS"),
        ]
    )


def test_no_command_says_a_patient_value(tmp_path: Path) -> None:
    new_context(tmp_path).engine.dispose()
    history = marked_history(tmp_path / "history.csv")
    text = history.read_text()
    files = {
        "open.csv": text.replace("Xqzstreet", '"Xqzstreet', 1),
        "zones.csv": text.replace("2024-03-01T12:00:00Z", "2024-03-01T12:00:00"),
        "times.csv": text.replace("2024-03-01T12:00:00Z", "xqz o'clock"),
        "headless.csv": text.partition("\n")[2],
        "lacking.csv": text.replace("heart_rate", "pulse", 1),
        "categories.csv": re.sub("not-ill|mild|acute|chronic|terminal", "xqz", text),
        "whole.json": json.dumps(bundle(marked_condition(), marked_condition(id="xqz-2"))),
        "broken.json": json.dumps(bundle(marked_condition()))[:-30],
        "lines.ndjson": json.dumps(marked_condition()) + "\nxqz-patient-4711 137.31337\n",
        "list.json": json.dumps(["xqz"]),
        "odd.json": json.dumps(
            bundle(
                marked_condition(xqz="xqz", severity="xqz", recordedDate="xqz"),
                marked_condition(subject="Group/xqz"),
                marked_condition(code={"text": "xqz"}),
                marked_condition(meta={"security": [{"code": "V"}]}),
                {"resourceType": "Condition", "subject": "xqz", "code": ["xqz"]},
            )
        ),
        "fault.json": json.dumps(marked_condition()),
        "odd.hl7": marked_messages(),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "damaged.json.gz").write_bytes(gzip.compress(text.encode())[:-20])
    rows, scored = tmp_path / "rows.csv", tmp_path / "scored.csv"
    fails = [
        *(["train", "--history", str(tmp_path / name)] for name in files if name.endswith(".csv")),
        ["train", "--history", str(history), "--column", "heart_rate=none"],
        ["score", "--input", str(tmp_path / "lacking.csv"), "--output", str(scored)],
        *(
            ["ingest", "conditions", str(tmp_path / name)]
            for name in ("broken.json", "list.json", "damaged.json.gz")
        ),
        ["ingest", "conditions", str(tmp_path / "fault.json")],
    ]
    works = [
        ["train", "--history", str(history), "--row-report", str(rows)],
        ["score", "--input", str(history), "--output", str(scored)],
        ["ingest", "conditions", str(tmp_path / "whole.json")],
        ["ingest", "conditions", str(tmp_path / "odd.json")],
        ["ingest", "conditions", str(tmp_path / "lines.ndjson")],
        ["ingest", "hl7", str(tmp_path / "odd.hl7")],
        ["evaluate"],
        ["models", "show", "champion"],
    ]
    lines = json.dumps([*works, *fails])
    ran = command(tmp_path, lines, faults=COMMANDS, CDS_LOG_LEVEL="DEBUG")
    ended = re.findall(r"^ended with (\d) ", ran.stderr, re.MULTILINE)
    assert ended == ["0"] * len(works) + ["1"] * len(fails), ran.stderr
    assert "2 Conditions stored" in ran.stdout
    assert "invalid" in ran.stdout
    assert "unexpected RuntimeError" in ran.stderr
    assert not leaks(ran.stdout)
    assert not leaks(ran.stderr)
    # Beside what is said: what is written for people to read, and kept with the model.
    assert len(rows.read_text().splitlines()) > 5
    assert not leaks(rows.read_text())
    for path in (tmp_path / "models").rglob("*.json"):
        assert not leaks(path.read_text()), path
    # The scored file is the user's own data, with its patients.
    assert leaks(scored.read_text())
