"""`cds-service clients`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cds_service.cli import client_options as options
from cds_service.cli.client_options import Given, parse_rights
from cds_service.cli.console import actor, parse_since
from cds_service.context import ProcessContext, now
from cds_service.errors import ServiceError
from cds_service.security.clients import DEVELOPMENT_CLIENT, Client, Mode
from cds_service.security.secrets import NewSecret
from cds_service.services.backend_services import public_jwks
from cds_service.services.checking import CheckService, endpoints
from cds_service.services.clients import ClientService
from cds_service.services.explaining import ExplainService
from cds_service.services.smart_launch import signer_of
from cds_service.settings import Settings, load_settings
from cds_service.storage.session import check as check_database
from cds_service.storage.session import create_database_engine

app = typer.Typer(help="Add EHRs and other senders; switch, pause and check them.")
secret_app = typer.Typer(help="Issue, revoke and list bearer secrets.", no_args_is_help=True)
app.add_typer(secret_app, name="secret")

Name = Annotated[str, typer.Argument(help="Name of the client.")]
RightsOption = Annotated[str, typer.Option(help="conditions,assess,read or some of them.")]


@app.callback(no_args_is_help=True)
def clients() -> None:
    """Add EHRs and other senders; switch, pause and check them."""


def _service() -> tuple[ClientService, Settings]:
    settings = load_settings()
    engine = create_database_engine(settings.database)
    check_database(engine)
    return ClientService(engine, settings, now), settings


def _write(
    context: typer.Context,
    name: Name,
    vendor: options.VendorOption = None,
    issuer: options.Issuer = None,
    jwks_url: options.JwksUrl = None,
    jwks_file: options.JwksFile = None,
    audience: options.Audience = None,
    tenant: options.Tenant = None,
    subject: options.Subject = None,
    fhir_server: options.FhirServer = None,
    alias: options.Alias = None,
    lookback_hours: options.LookbackHours = None,
    language: options.Language = None,
    sandbox: options.Sandbox = None,
    sandbox_cds_hooks: options.SandboxCdsHooks = False,
    category: options.Category = None,
    lowest_indicator: options.LowestIndicator = None,
    no_data: options.NoData = None,
    critical: options.Critical = None,
    silence_unchanged: options.SilenceUnchanged = None,
    override_hours: options.OverrideHours = None,
    care: options.Care = None,
    retraining: options.Retraining = None,
    allow_restricted: options.AllowRestricted = None,
    extra_input: options.ExtraInput = None,
    explanation_link: options.ExplanationLink = None,
    test_patient_tag: options.TestPatientTag = None,
    token_url: options.TokenUrl = None,
    backend_client_id: options.BackendClientId = None,
    backend_key_file: options.BackendKeyFile = None,
    backend_key_id: options.BackendKeyId = None,
    backend_algorithm: options.BackendAlgorithm = None,
    backend_scope: options.BackendScope = None,
    smart_client_id: options.SmartClientId = None,
    smart_secret_file: options.SmartSecretFile = None,
    smart_key_file: options.SmartKeyFile = None,
    smart_key_id: options.SmartKeyId = None,
    smart_algorithm: options.SmartAlgorithm = None,
    smart_issuer: options.SmartIssuer = None,
    smart_scope: options.SmartScope = None,
    smart_role: options.SmartRole = None,
    smart_frame: options.SmartFrame = None,
    unset: options.Unset = None,
    secret: options.Secret = None,
) -> None:
    """`clients add` and `clients set`, which take the same options."""
    given = Given({key: value for key, value in locals().items() if key != "context"})
    adding = context.info_name == "add"
    if adding and unset:
        raise typer.BadParameter("--unset belongs to clients set")
    if not adding and secret is not None:
        raise typer.BadParameter("use clients secret add")
    rights = parse_rights(secret) if secret is not None else []
    changes = given.changes(adding=adding)
    service, settings = _service()
    if not adding:
        if not changes and not unset:
            raise typer.BadParameter("nothing to set")
        client = service.change(name, changes, actor=actor(), unset=unset or [])
        typer.echo(f"{name}: set. Running processes see it within seconds.")
        _say_keys(client)
        return
    client, issued = service.add(name, changes, actor=actor(), rights=rights)
    typer.echo(f"{name} is added, in mode {client.settings.mode.value}.")
    _say_keys(client)
    if client.settings.issuer is not None:
        typer.echo("`aud` of its tokens, for each endpoint it calls:")
        for url in endpoints(settings.base_url):
            typer.echo(f"  {url}")
    if issued is not None:
        _show_secret(issued)
    if settings.development and name != DEVELOPMENT_CLIENT.name:
        typer.echo(
            "CDS_DEVELOPMENT is set: tokens are not asked for, and everybody is the client "
            f"{DEVELOPMENT_CLIENT.name}."
        )
    typer.echo(f"Next: cds-service clients check {name}")


app.command("add", help="Add a client; it starts silent, a sandbox live.")(_write)
app.command("set", help="Change the settings of a client.")(_write)


@app.command("list")
def list_clients() -> None:
    """Every client, its mode and how it proves who it is."""
    service, _ = _service()
    found = service.clients()
    if not found:
        typer.echo("There are no clients: outside development mode every call is 401.")
    rows = [["name", "mode", "vendor", "tokens", "secrets", "FHIR server", "added"]]
    for listed in found:
        settings = listed.client.settings
        mode = settings.mode.value + (" (sandbox)" if settings.sandbox else "")
        rows.append(
            [
                listed.client.name,
                mode,
                settings.vendor.value,
                settings.issuer or "none",
                str(listed.secrets),
                settings.fhir_servers[0] if settings.fhir_servers else "",
                f"{listed.created_at:%Y-%m-%d}",
            ]
        )
    if found:
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())
    if service.paused():
        typer.echo("All cards are paused: cds-service clients resume lifts it.")


@app.command("show")
def show(name: Name) -> None:
    """The settings of a client as JSON, keys by their ids."""
    service, _ = _service()
    settings: dict[str, Any] = service.client(name).settings.model_dump(mode="json")
    if settings["jwks"] is not None:
        keys = settings["jwks"].get("keys", [])
        settings["jwks"] = [key.get("kid") for key in keys if isinstance(key, dict)]
    typer.echo(json.dumps(settings, indent=2))


@app.command("remove")
def remove(name: Name) -> None:
    """Let a client in no more and revoke its secrets; what it sent stays."""
    service, _ = _service()
    revoked = service.remove(name, actor=actor())
    typer.echo(f"{name} is removed; secrets revoked: {revoked}.")


@app.command("mode")
def mode(
    name: Name,
    mode: Annotated[Mode, typer.Argument(help="silent, live or paused.")],
    approver: Annotated[
        str | None, typer.Option(help="Who answers for the cards; needed for live.")
    ] = None,
) -> None:
    """Show the cards of a client (live), only store them (silent), or pause it."""
    service, _ = _service()
    service.set_mode(name, mode, actor=actor(), approver=approver)
    typer.echo(f"{name} is {mode.value}. Running processes see it within seconds.")


@app.command("pause")
def pause(
    name: Annotated[str | None, typer.Argument(help="Client; without it, all.")] = None,
) -> None:
    """Show no cards, to one client or to all, within seconds."""
    service, _ = _service()
    service.pause(name, actor=actor())
    typer.echo(f"{name or 'All cards'}: paused. Running processes see it within seconds.")


@app.command("resume")
def resume(
    name: Annotated[str | None, typer.Argument(help="Client; without it, all.")] = None,
) -> None:
    """Lift a pause: a client goes back to the mode it had."""
    service, _ = _service()
    mode = service.resume(name, actor=actor())
    if mode is None:
        typer.echo("The pause of all cards is lifted; each client's own mode holds.")
    else:
        typer.echo(f"{name} is {mode.value} again.")


@app.command("check")
def check(name: Name) -> None:
    """Try everything a client needs, step by step; exit 1 if a step fails."""
    context = ProcessContext.create(load_settings())
    check_database(context.engine)
    failed = 0
    for step in CheckService(context).steps(name):
        typer.echo(f"{step.verdict.value:<5}  {step.sentence}")
        failed += step.failed
    context.fhir.close()
    if failed:
        raise ServiceError(f"{failed} of the steps for {name} failed.")
    typer.echo(f"{name}: everything that can be tried from here works.")


@app.command("jwks")
def jwks(name: Name) -> None:
    """Print the public keys by which the client's EHR knows us, as a JWKS."""
    service, _ = _service()
    settings = service.client(name).settings
    signers = [settings.backend, None if settings.smart is None else signer_of(settings.smart)]
    keys = [key for one in signers if one is not None for key in public_jwks(one)["keys"]]
    if not keys:
        raise ServiceError(f"{name} has no key of ours (--backend-key-file, --smart-key-file).")
    # One key may do for both.
    known = {json.dumps(key, sort_keys=True): key for key in keys}
    typer.echo(json.dumps({"keys": list(known.values())}, indent=2))


@app.command("explain")
def explain(
    file: Annotated[Path, typer.Argument(help="A saved patient-view request (JSON).")],
    client: Annotated[
        str | None, typer.Option(help="As which client it would be read; else as development.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="Time of the call (ISO 8601), by default that of the file."),
    ] = None,
) -> None:
    """Say of a saved request what is used, what is skipped and why, without values."""
    moment = parse_since(at)
    context = ProcessContext.create(load_settings())
    check_database(context.engine)
    for line in ExplainService(context).lines(file, client, moment):
        typer.echo(line)


@secret_app.command("add")
def add_secret(name: Name, rights: RightsOption = "read") -> None:
    """Issue a secret; it is shown once."""
    chosen = parse_rights(rights)
    service, _ = _service()
    _show_secret(service.add_secret(name, chosen, actor=actor()))


@secret_app.command("revoke")
def revoke_secret(
    name: Name, secret_id: Annotated[str, typer.Argument(help="Its public first part.")]
) -> None:
    """Revoke a secret; running processes refuse it within seconds."""
    service, _ = _service()
    service.revoke_secret(name, secret_id, actor=actor())
    typer.echo(f"Secret {secret_id} of {name} is revoked.")


@secret_app.command("list")
def list_secrets(name: Name) -> None:
    """Secrets of a client: id, rights, since when, revoked when."""
    service, _ = _service()
    for row in service.secrets(name):
        revoked = row["revoked_at"]
        state = "valid" if revoked is None else f"revoked {revoked:%Y-%m-%d %H:%M}"
        rights = ",".join(row["rights"])
        typer.echo(f"{row['id']}  {rights}  {row['created_at']:%Y-%m-%d %H:%M}  {state}")


def _show_secret(secret: NewSecret) -> None:
    typer.echo(f"Bearer secret {secret.id}, shown this once and kept nowhere:")
    typer.echo(secret.text)


def _say_keys(client: Client) -> None:
    settings = client.settings
    if settings.issuer is None:
        typer.echo("It has no --issuer, so it cannot call /cds-services with tokens.")
