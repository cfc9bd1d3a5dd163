"""The command line: what it does, what it says, and what it refuses in a sentence."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from cds_service.storage import migrations
from cds_service.storage.session import create_database_engine
from tests.support.commands import COLUMNS, done, history, run


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the simulated model live; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("starter")
    done(folder, "db", "upgrade")
    out = done(folder, "train", "--no-report")
    assert "Promoted. There was no champion." in out
    assert "On the held-out part" in out
    return folder


@pytest.fixture(scope="module")
def experienced(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder where a history was loaded twice: version 2 is live, 3 its challenger."""
    folder = tmp_path_factory.mktemp("experienced") / "var"
    shutil.copytree(starter, folder)
    file = history(folder / "first.csv")
    report = folder / "rows.csv"
    out = done(folder, "train", "--no-report", "--history", file, *COLUMNS, "--row-report", report)
    assert "Promoted. It replaces version 1, trained on simulated patients." in out
    assert len(pd.read_csv(report)) > 0
    other = history(folder / "second.csv", seed=4)
    out = done(folder, "train", "--no-report", "--history", other, *COLUMNS)
    assert "Registered as challenger: version 2 is live" in out
    assert "cds-service models promote 3" in out
    return folder


@pytest.fixture
def var(starter: Path, tmp_path: Path) -> Path:
    """A copy of `starter`."""
    return Path(shutil.copytree(starter, tmp_path / "var"))


@pytest.fixture
def used(experienced: Path, tmp_path: Path) -> Path:
    """A copy of `experienced`."""
    return Path(shutil.copytree(experienced, tmp_path / "var"))


def live(folder: Path) -> str:
    return str(json.loads(done(folder, "models", "show", "champion"))["version"])


def test_db_check_says_what_to_run_and_upgrade_can_be_run_again(tmp_path: Path) -> None:
    versions = (Path(migrations.__file__).parent / "versions").glob("0*.py")
    newest = max(path.name.partition("_")[0] for path in versions)
    assert "cds-service db upgrade" in run(tmp_path, "db", "check").sentence()
    for _ in range(2):
        assert f"Database at revision {newest}" in done(tmp_path, "db", "upgrade")
    assert "what this version needs" in done(tmp_path, "db", "check")


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("train",),
        ("evaluate",),
        ("retrain",),
        ("models", "list"),
        ("score", "--input", "x.csv", "--output", "y.csv"),
        ("ingest", "conditions", "x.json"),
        ("ingest", "hl7", "x.hl7"),
        ("mllp",),
        ("outcomes", "pull"),
    ],
)
def test_every_command_refuses_a_database_that_is_not_migrated(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert "run cds-service db upgrade" in run(tmp_path, *command).sentence()


def no_database(folder: Path) -> None:
    (folder / "cds.sqlite3").write_bytes(b"no database " * 100)


def folder_instead(folder: Path) -> None:
    (folder / "cds.sqlite3").mkdir()


def newer_database(folder: Path) -> None:
    done(folder, "db", "upgrade")
    engine = create_database_engine(f"sqlite:///{folder / 'cds.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (no_database, "cannot be reached or opened"),
        (folder_instead, "cannot be reached or opened"),
        (newer_database, "newer version"),
    ],
)
@pytest.mark.parametrize("command", ["check", "upgrade"])
def test_a_database_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, command: str, prepare: Callable[[Path], None], words: str
) -> None:
    prepare(tmp_path)
    assert words in run(tmp_path, "db", command).sentence()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CDS_DATABSE_URL": "x"}, "Did you mean CDS_DATABASE_URL?"),
        ({"CDS_PORT": "secret"}, "CDS_PORT"),
        ({"CDS_DATABASE_URL": "secret"}, "CDS_DATABASE_URL"),
        ({"CDS_DATABASE_URL": "mysql://secret@localhost/x"}, "SQLite or PostgreSQL"),
        ({"CDS_DATABASE_URL": "postgresql+secret://localhost/x"}, "postgresql+psycopg"),
        ({"CDS_DATABASE_URL": "postgresql+psycopg://u:secret@127.0.0.1:9/x"}, "be reached"),
        ({"CDS_DATABASE_URL": "sqlite:////dev/null/secret/x"}, "Not a directory"),
    ],
)
def test_bad_settings_are_a_sentence_that_repeats_no_secret(
    tmp_path: Path, variables: dict[str, str], words: str
) -> None:
    for command in ("check", "upgrade"):
        said = run(tmp_path, "db", command, **variables).sentence()
        assert words in said
        if "Not a directory" not in words:
            assert "secret" not in said


def test_whatever_fails_is_a_sentence_without_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_engine: object) -> None:
        raise RuntimeError("patient 4711")

    monkeypatch.setattr("cds_service.storage.session.upgrade", fail)
    said = run(tmp_path, "db", "upgrade").sentence()
    assert "RuntimeError" in said
    assert "test_commands.py" in said
    assert "4711" not in said


def test_train_if_none_trains_once(var: Path) -> None:
    assert "Model version 1 is live; nothing to train." in done(var, "train", "--if-none")
    assert "It replaces the simulated version 1." in done(var, "train", "--no-report")
    assert live(var) == "2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--history", "nothing.csv"), "nothing.csv"),
        (("--history", "{file}"), "--column"),
        (("--history", "{file}", *COLUMNS, "--flag-rate", "5"), "flag rate"),
        (("--history", "{file}", *COLUMNS, "--min-age", "40", "--max-age", "30"), "ages"),
        (("--history", "{file}", *COLUMNS, "--min-age", "10"), "--min-age"),
        (("--history", "{file}", *COLUMNS, "--extra-input", "height"), "abo_group"),
        (("--history", "{file}", *COLUMNS, "--row-report", "/nowhere/x.csv"), "/nowhere"),
    ],
)
def test_train_refuses_in_a_sentence_and_registers_nothing(
    var: Path, arguments: tuple[str, ...], words: str
) -> None:
    file = history(var / "history.csv", 800)
    said = run(var, "train", *(a.format(file=file) for a in arguments)).sentence()
    assert words in said
    assert done(var, "models", "list").count("champion") == 1
    assert "history" not in done(var, "models", "list")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--history", "x.csv", "--column", "heart_rate"),
        ("train", "--seed", "-1"),
        ("train", "--seed", "7"),
        ("train", "--row-report", "x.csv"),
        ("train", "--column", "age=AGE"),
        ("train", "--extra-input", "abo_group"),
        ("evaluate", "--since", "yesterday"),
        ("serve", "--workers", "0"),
        ("models", "promote", "1"),
        ("models", "rollback"),
        ("unheard-of",),
    ],
)
def test_bad_options_are_a_usage_error(var: Path, arguments: tuple[str, ...]) -> None:
    ran = run(var, *arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert ran.err


def test_c19_a_history_without_a_category_replaces_nothing_unless_that_is_meant(var: Path) -> None:
    file = history(var / "four.csv", categories=4)
    out = done(var, "train", "--no-report", "--history", file, *COLUMNS)
    assert "Registered as challenger" in out
    assert "terminal" in out
    assert live(var) == "1"
    out = done(var, "train", "--no-report", "--history", file, *COLUMNS, "--allow-fewer-categories")
    assert "Promoted." in out
    assert live(var) == "3"


def test_models_are_listed_shown_promoted_and_rolled_back(used: Path) -> None:
    listed = done(used, "models", "list").splitlines()
    assert ["champion" in line for line in listed if "cli:" in line] == [False, True, False]
    shown = json.loads(done(used, "models", "show", "3"))
    assert shown["releases"] == []
    assert shown["metrics"]["held_out"]
    assert "is live" in done(used, "models", "promote", "3", "--reason", "looks better")
    champion = json.loads(done(used, "models", "show", "champion"))
    assert [r["reason"] for r in champion["releases"]] == ["looks better"]
    assert "live already" in run(used, "models", "promote", "3", "--reason", "x").sentence()
    assert "no model version 9" in run(used, "models", "show", "9").sentence()
    assert "no model version 9" in run(used, "models", "promote", "9", "--reason", "x").sentence()
    assert "reason" in run(used, "models", "rollback", "--reason", " ").sentence()
    assert "version 2 is live again" in done(used, "models", "rollback", "--reason", "worse")
    assert "version 1 is live again" in done(used, "models", "rollback", "--reason", "worse")
    said = run(used, "models", "rollback", "--reason", "worse").sentence()
    assert "no earlier model version" in said


def test_without_a_champion_a_sentence_says_what_to_run(tmp_path: Path) -> None:
    done(tmp_path, "db", "upgrade")
    file = history(tmp_path / "rows.csv", 20)
    score = ("score", "--input", file, "--output", tmp_path / "out.csv", *COLUMNS)
    for command in (("models", "show", "champion"), score, ("retrain",)):
        assert "cds-service train" in run(tmp_path, *command).sentence()
    assert "model" not in done(tmp_path, "models", "list").lower().replace("models", "")


def test_retrain_with_nothing_to_learn_from_is_a_sentence(var: Path) -> None:
    assert "nothing to learn from" in run(var, "retrain").sentence()


def test_retrain_on_history_alone_says_why_the_champion_stays(used: Path) -> None:
    out = done(used, "retrain", "--no-report", "--no-promote")
    assert "Not enough to decide" in out
    assert "Version 2 stays live." in out
    assert live(used) == "2"


def test_serve_on_a_port_in_use_says_so(var: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = run(var, "serve", CDS_PORT=port).sentence()
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "CDS_PORT" in said


def test_serve_on_a_host_that_is_not_here_says_so(var: Path) -> None:
    said = run(var, "serve", CDS_HOST="192.0.2.1", CDS_DEVELOPMENT_ANY_HOST="true").sentence()
    assert "cannot listen on 192.0.2.1" in said


def test_outside_development_serve_needs_keys(var: Path) -> None:
    (var / "secret-keys").unlink(missing_ok=True)
    url = "https://cds.example"
    said = run(var, "serve", CDS_DEVELOPMENT="false", CDS_PUBLIC_URL=url).sentence()
    assert "CDS_SECRET_KEYS" in said


def test_the_program_itself_ends_with_a_sentence_and_exit_1(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    environment |= {"CDS_DATA_DIR": str(tmp_path), "CDS_DEVELOPMENT": "true"}

    def program(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cds_service", *arguments],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    upgraded = program("db", "upgrade")
    assert (upgraded.returncode, upgraded.stderr) == (0, "")
    assert "Database at revision" in upgraded.stdout
    refused = program("db", "check", CDS_DATABSE_URL="x")
    assert refused.returncode == 1
    assert refused.stderr == (
        "cds-service: CDS_DATABSE_URL is not a setting of cds-service. "
        "Did you mean CDS_DATABASE_URL?\n"
    )
    helped = program("--help")
    assert helped.returncode == 0
    for name in ("serve", "train", "evaluate", "retrain", "score", "models", "ingest", "db"):
        assert name in helped.stdout


def test_c17_a_history_by_other_rules_is_not_learnt_from_again(var: Path) -> None:
    file = history(var / "old.csv")
    out = done(var, "train", "--no-report", "--history", file, *COLUMNS, "--label-version", "0")
    assert "Promoted." in out
    said = run(var, "retrain").sentence()
    assert "nothing to learn from" in said
    assert "label rules" in said
