"""What commands share: who runs them, progress bars, and how options are read."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cds_service.errors import ServiceError

Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="What the file calls a column: heart_rate=HR."),
]
TimeColumn = Annotated[str | None, typer.Option(help="Short for --column recorded_at=NAME.")]
Timezone = Annotated[str | None, typer.Option(help="IANA zone of times that state no offset.")]
ProgressCallback = Callable[[str, float], None]
"""Called with the step that runs and the share of the whole that is done, 0 to 1."""


def actor() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # In a container the user may be a number that no name belongs to.
        return f"cli:{os.getuid()}"


def require_folder(path: Path) -> None:
    """Refuse a file that cannot be written before hours of work, not after.

    Raises `ServiceError`.
    """
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ServiceError(f"{path} cannot be written: {folder} is no folder to write a file in.")


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A progress bar on standard error."""
    bar = Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("Starting", total=1.0)

        def report(step: str, share: float) -> None:
            bar.update(task, description=step, completed=share)

        yield report
        bar.update(task, description="Done", completed=1.0)


def parse_columns(pairs: list[str] | None) -> dict[str, str]:
    """Read `--column heart_rate=HR` options. Raises `typer.BadParameter`."""
    columns = {}
    for pair in pairs or []:
        name, separator, column = pair.partition("=")
        if not separator or not name.strip() or not column.strip():
            raise typer.BadParameter(f"'{pair}' is not NAME=COLUMN, like heart_rate=HR")
        columns[name.strip()] = column.strip()
    return columns


def parse_since(text: str | None) -> datetime | None:
    """Read an ISO 8601 date or time; without an offset it is UTC. Raises `typer.BadParameter`."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not an ISO 8601 date or time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
