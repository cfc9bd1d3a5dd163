"""`cds-service score`: a whole file at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_service.cli.console import (
    Columns,
    TimeColumn,
    Timezone,
    parse_columns,
    progress,
    require_folder,
)
from cds_service.context import now
from cds_service.errors import ServiceError
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 20_000
"""Rows scored between two steps of the progress bar."""


def score(
    source: Annotated[Path, typer.Option("--input", help="Delimited text or Parquet.")],
    target: Annotated[Path, typer.Option("--output", help="File to write: .csv or .parquet.")],
    column: Columns = None,
    time_column: TimeColumn = None,
    timezone: Timezone = None,
) -> None:
    """Score every row of a file with the champion.

    The rows come back cleaned, under canonical names, with probabilities, category, prediction
    set, atypicality, reasons and model version; `row` is the number in the input. Rows outside
    the population are not scored, and counted.
    """
    # Imported here, so that a serving process never loads what trains and evaluates.
    import pandas as pd

    from cds_service.services.models import ModelService
    from model.training.cleaning import clean_history
    from model.training.history import read_history

    if target.suffix not in (".csv", ".parquet"):
        raise ServiceError(f"{target.name} is of no kind that can be written: .csv or .parquet.")
    require_folder(target)
    columns = parse_columns(column)
    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    champion = ModelService(engine, settings, now).champion()
    if champion is None:
        raise ServiceError("There is no champion to score with: run cds-service train.")
    scorer = ModelService.load(champion)
    with progress() as bar:
        bar("reading", 0.0)
        raw = read_history(
            source,
            column_map=columns,
            time_column=time_column,
            timezone=timezone,
            require_severity=False,
        )
        cleaned = clean_history(
            raw,
            min_age=scorer.facts.min_age,
            max_age=scorer.facts.max_age,
            require_severity=False,
        )
        frame, parts = cleaned.frame, []
        for start in range(0, len(frame), CHUNK):
            bar("scoring", start / len(frame))
            parts.append(scorer.score_frame(frame.iloc[start : start + CHUNK]))
        scored = pd.concat([frame, pd.concat(parts)], axis=1)
        bar("writing", 0.99)
        _write(scored, target)
    typer.echo(cleaned.report.render_text())
    typer.echo(f"\n{len(scored)} rows scored with model version {champion['version']}: {target}")


def _write(frame: "pd.DataFrame", target: Path) -> None:
    """Under a temporary name first: a file that is there is whole."""
    temporary = target.with_name(f".{target.name}.partial")
    try:
        if target.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
        temporary.replace(target)
    except OSError as error:
        raise ServiceError(f"{target} cannot be written ({error.strerror or error}).") from None
    finally:
        temporary.unlink(missing_ok=True)
