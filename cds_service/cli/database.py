"""`cds-service db`: migrations."""

import typer

from cds_service.settings import load_settings
from cds_service.storage import session

app = typer.Typer(help="Migrate and check the database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade() -> None:
    """Bring the database up to date; safe to run again."""
    engine = session.create_database_engine(load_settings().database)
    session.upgrade(engine)
    revision, _ = session.current_revision(engine)
    typer.echo(f"Database at revision {revision}.")


@app.command("check")
def check() -> None:
    """Say whether the database is exactly what this version needs; exit 1 if not."""
    session.check(session.create_database_engine(load_settings().database))
    typer.echo("The database is what this version needs.")
