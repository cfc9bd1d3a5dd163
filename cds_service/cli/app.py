"""The command tree. Each command parses, calls one service and prints what it says."""

import typer

from cds_service.cli import (
    alerts,
    clients,
    database,
    evaluation,
    export,
    ingest,
    lifecycle,
    mllp,
    model_cards,
    model_export,
    models,
    monitor,
    outcomes,
    rare,
    review,
    schedule,
    score,
    serve,
    terminology,
    training,
    users,
)

app = typer.Typer(
    name="cds-service",
    help="Clinical decision support over CDS Hooks and FHIR R4.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("mllp")(mllp.mllp)
app.command("train")(training.train)
app.command("evaluate")(evaluation.evaluate)
app.command("monitor")(monitor.monitor)
app.command("retrain")(training.retrain)
app.command("schedule")(schedule.schedule)
app.command("score")(score.score)
app.command("export")(export.export)
models.app.command("card")(model_cards.card)
models.app.command("card-set")(model_cards.card_set)
models.app.command("export")(model_export.export)
models.app.command("advance")(lifecycle.advance)
models.app.command("challengers")(lifecycle.challengers)
models.app.command("approve")(lifecycle.approve)
models.app.command("withdraw")(lifecycle.withdraw)
models.app.command("digest")(lifecycle.digest)
app.add_typer(models.app, name="models")
app.add_typer(alerts.app, name="alerts")
app.add_typer(ingest.app, name="ingest")
app.add_typer(outcomes.app, name="outcomes")
app.add_typer(clients.app, name="clients")
app.add_typer(rare.app, name="rare")
app.add_typer(users.app, name="users")
app.add_typer(review.app, name="review")
app.add_typer(terminology.app, name="terminology")
app.add_typer(database.app, name="db")
