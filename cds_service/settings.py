"""Settings: environment variables with the prefix CDS_, each described here."""

import base64
import difflib
import json
import os
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cds_service.alert_settings import mail_address, quiet_hours, webhook_key
from cds_service.errors import ConfigurationError
from cds_service.location_urls import location_url
from cds_service.periods import DEFAULT_PERIODS, parse_period, parse_time
from cds_service.security.permissions import Role
from cds_service.security.pseudonyms import export_key
from fhir_mapping.addresses import read_url

KEY_BYTES = 32
"""Length of a secret key: AES-256 and HMAC-SHA-256."""


class Settings(BaseSettings):
    """Everything an operator can set. The clock is not among it."""

    model_config = SettingsConfigDict(env_prefix="CDS_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    public_url: str | None = Field(
        None,
        description="URL under which clients reach the service; https outside development. "
        "Default in development: the address it listens on.",
    )
    data_dir: Path = Field(
        Path("var"), description="Folder for models, history, secret keys and SQLite."
    )
    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL; postgresql+psycopg://… in production. "
        "Default: SQLite in CDS_DATA_DIR.",
    )
    mlflow_tracking_uri: str | None = Field(
        None,
        description="MLflow tracking server for runs and versions. Default: SQLite in "
        "CDS_DATA_DIR. MLflow's own variable MLFLOW_TRACKING_URI is not read.",
    )
    secret_keys: SecretStr | None = Field(
        None,
        description="JSON list of base64 keys of 32 bytes, newest first, which key patient "
        "hashes and encrypt identifiers. Default: the file secret-keys in CDS_DATA_DIR, "
        "written (mode 600) by the first start in development.",
    )
    development: bool = Field(
        False,
        description="Answer without authentication as the client `development`; only on a "
        "loopback address. Set by `make run`, never in production.",
    )
    development_any_host: bool = Field(
        False,
        description="Allow development mode on an address, or under a public URL, that is not "
        "loopback.",
    )
    cors_origins: tuple[str, ...] = Field(
        (), description="JSON list of browser origins that may call the service."
    )
    language: Literal["en", "es"] = Field("en", description="Language of the cards.")
    lookback_hours: float | None = Field(
        None,
        gt=0,
        le=24,
        description="How old a reading may be. Default: 12 in emergency and inpatient "
        "encounters, else 24; a site can be stricter, never laxer.",
    )
    allowed_fhir_servers: tuple[str, ...] = Field(
        (),
        description="JSON list of FHIR base URLs that may be read with a request's own token. "
        "Those named by `clients add --fhir-server` are allowed to that client beside these.",
    )
    fhir_allow_private: bool = Field(
        False,
        description="Read FHIR servers and JWKS on private, loopback and link-local addresses too.",
    )
    fhir_follow_redirects: bool = Field(
        False,
        description="Follow redirects of a FHIR server to itself, below its base URL. Others are "
        "never followed.",
    )
    request_seconds: float = Field(
        8.0,
        gt=0,
        le=60,
        description="Time budget of one CDS call, s. What the FHIR server has not answered by then "
        "is missing, or the answer is 504.",
    )
    fhir_max_pages: int = Field(
        5, ge=1, le=100, description="Pages of one search that are read before it counts as cut."
    )
    mllp_host: str = Field("127.0.0.1", description="Address `cds-service mllp` listens on.")
    mllp_port: int = Field(2575, ge=1, le=65535, description="Port `cds-service mllp` listens on.")
    outcome_pull_seconds: float = Field(
        300,
        ge=0,
        description="How often `serve` asks for the outcomes that are due, s; 0: never, because "
        "`cds-service outcomes pull` runs by itself. Replicas share the work.",
    )
    time_zone: str | None = Field(
        None,
        description="IANA time zone of the site, like Europe/Madrid: where the day of a diagnosis "
        "without a time ends, and of HL7 v2 times without an offset. Default: days end in UTC, "
        "which west of it makes diagnoses of the evening look older than their assessment.",
    )
    icd10_variants: dict[str, Literal["icd-10-cm", "icd-10"]] = Field(
        {},
        description="JSON object: system URI of a national ICD-10 variant to the code system whose "
        "rules its codes follow.",
    )
    orphadata_file: Path | None = Field(
        None, description="Orphadata nomenclature file that maps ICD-10 and OMIM to ORPHAcodes."
    )
    orphadata_relations: tuple[Literal["E", "BTNT"], ...] = Field(
        ("E",),
        description="JSON list of the relations taken from CDS_ORPHADATA_FILE: E, exact; BTNT, the "
        "rare disease is broader than the code, whose subdivisions then count too.",
    )
    terminology_dir: Path | None = Field(
        None, description="Folder of FHIR ValueSets and ConceptMaps that replace the shipped ones."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged (JSON lines on standard error)."
    )
    minimum_outcomes: int = Field(
        100,
        ge=1,
        description="Outcomes below which `evaluate` says so instead of printing figures.",
    )
    minimum_held_out: int = Field(
        2000,
        ge=1,
        description="Held-out outcomes below which `retrain` cannot decide and the champion stays.",
    )
    input_chunk_rows: int = Field(
        500,
        ge=300,
        description="Assessments in a chunk of the input watch.",
    )
    reference_chunks: int = Field(
        10,
        ge=5,
        description="Local chunks that later ones are held against; below five nothing but unseen "
        "codes and units raises an alert.",
    )
    input_reference: Literal["local", "training"] = Field(
        "local",
        description="What distances of inputs are taken from: `local`, the first "
        "CDS_REFERENCE_CHUNKS chunks seen here, and until there are as many the rows that the live "
        "version learnt from; `training`, always those rows.",
    )
    gate_log_loss: float = Field(
        0.003, ge=0, description="How much worse the log loss of a challenger may be, nat."
    )
    gate_category: float = Field(
        0.03,
        ge=0,
        description="How much worse its log loss of one category against the rest may be, as a "
        "share of the entropy of the category.",
    )
    gate_sensitivity: float = Field(
        0.05,
        ge=0,
        le=1,
        description="How much lower its sensitivity for acute illness may be, at the champion's "
        "flag rate.",
    )
    gate_fairness: float = Field(
        0.05,
        ge=0,
        le=1,
        description="How much more that sensitivity may differ between sexes or between ages than "
        "with the champion, if a group is found less often.",
    )
    gate_latency_ratio: float = Field(
        2.0,
        ge=1,
        description="How many times the champion's median its median time of an answer may be; "
        "below 5 ms it may be anything.",
    )
    gate_latency_ms: float = Field(
        50.0, gt=0, description="95th percentile of the time of an answer that it may have, ms."
    )
    training_window_days: int = Field(
        1095,
        ge=30,
        description="How old rows may be that `retrain` learns from, d; rows without a time always "
        "count.",
    )
    retrain_new_outcomes: int = Field(
        2000,
        ge=0,
        description="New outcomes since the champion from which a refresh is due; 0: never for "
        "that reason.",
    )
    search_minutes: float = Field(
        240, gt=0, description="How long the search of every third month may take, min."
    )
    shadow_days: int = Field(
        14,
        ge=0,
        le=365,
        description="How long a challenger of the schedule stays in shadow after its gates, d; 0: "
        "it waits for approval at once.",
    )
    shadow_outcomes: int = Field(
        300,
        ge=50,
        description="Outcomes of its time in shadow that it must be judged on.",
    )
    watch_outcomes: int = Field(
        500,
        ge=50,
        description="Outcomes after a promotion at which the new version is held against the old "
        "one; again at twice as many.",
    )
    change_plan: Path | None = Field(
        None,
        description="JSON file of a written change plan, by which a challenger may be promoted "
        "without a person. Default: none may.",
    )
    floor_acute_sensitivity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Sensitivity for acute illness below which an alert is raised. Floors block no "
        "better model.",
    )
    floor_acute_ppv: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Positive predictive value for acute illness below which an alert is raised.",
    )
    floor_macro_auroc: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Mean AUROC of the categories below which an alert is raised.",
    )
    alert_webhook_url: SecretStr | None = Field(
        None,
        description="Where news of alerts is posted, signed as Standard Webhooks; https outside "
        "development.",
    )
    alert_webhook_secret: SecretStr | None = Field(
        None,
        description="Key of the signature: base64 of 24 to 64 bytes, with or without `whsec_`.",
    )
    alert_email_to: tuple[str, ...] = Field(
        (), description="JSON list of the e-mail addresses that get news of alerts."
    )
    alert_email_from: str | None = Field(
        None, description="Address that news of alerts is sent from."
    )
    alert_least_severity: Literal["info", "warning", "critical"] = Field(
        "info", description="Alerts below it go to no webhook and no e-mail; they are listed."
    )
    alert_quiet_hours: str | None = Field(
        None,
        description="Part of the day, like 22:00-07:00, in CDS_TIME_ZONE, in which only news of "
        "critical alerts is sent; the rest follows when it ends.",
    )
    smtp_host: str | None = Field(None, description="Mail server that takes the e-mails.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_user: str | None = Field(None, description="User there, if it asks for one.")
    smtp_password: SecretStr | None = Field(None, description="Password of that user.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the mail server is spoken to; none only on a loopback address.",
    )
    export_url: str | None = Field(
        None,
        description="Folder, or s3://, abfs:// or gs:// URL, that `cds-service export` writes to.",
    )
    export_storage_options: SecretStr | None = Field(
        None,
        description="JSON object with options of fsspec for object storage, such as credentials; "
        "default: those of the environment.",
    )
    export_key: SecretStr | None = Field(
        None,
        description="base64 of 32 bytes, under which patients and assessments are named in "
        "exports. Default: derived from the oldest of CDS_SECRET_KEYS.",
    )
    history_watch_url: str | None = Field(
        None,
        description="Folder, or s3://, abfs:// or gs:// URL, where history files are dropped for "
        "`cds-service ingest history --watched`.",
    )
    history_watch_storage_options: SecretStr | None = Field(
        None, description="For it what CDS_EXPORT_STORAGE_OPTIONS is for exports."
    )

    schedule: dict[str, str] = Field(
        {},
        description="JSON object: job of `cds-service schedule` to how often it runs (90s, 5min, "
        "1h, 1d, 1w, 1mo) or off; the others keep their defaults.",
    )
    schedule_time: str = Field(
        "02:00",
        description="Time of day, by CDS_TIME_ZONE, of jobs that run every some days or months.",
    )
    schedule_day: int = Field(
        1, ge=1, le=28, description="Day of the month of jobs that run every some months."
    )

    review_daily: int = Field(
        20,
        ge=0,
        le=1000,
        description="Assessments a day that reviewers are asked about because they teach most.",
    )
    review_audit_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of assessments that reviewers are asked about at random.",
    )
    review_days: int = Field(
        60,
        ge=31,
        le=365,
        description="Days after which nobody is asked about an assessment, and after which an "
        "unanswered question is closed; the random ones stay.",
    )

    @field_validator("schedule")
    @classmethod
    def _known_jobs(cls, periods: dict[str, str]) -> dict[str, str]:
        for job, period in periods.items():
            if job not in DEFAULT_PERIODS:
                raise ValueError(f"there is no job {job}; there are {', '.join(DEFAULT_PERIODS)}")
            try:
                parse_period(period)
            except ValueError as error:
                raise ValueError(f"{job} {error}") from None
        return periods

    @field_validator("schedule_time")
    @classmethod
    def _time_of_day(cls, text: str) -> str:
        parse_time(text)
        return text

    oidc_issuer: str | None = Field(
        None,
        description="OpenID Connect provider that people sign in with, exactly as it names itself; "
        "without one there are local accounts.",
    )
    oidc_client_id: str | None = Field(None, description="What the provider calls this service.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Secret agreed with the provider; without one PKCE alone protects."
    )
    oidc_scopes: tuple[str, ...] = Field(
        ("profile",), description="JSON list of the scopes that are asked for beside openid."
    )
    oidc_roles_claim: str = Field(
        "roles",
        description="Claim of the ID token, or of userinfo, that gives the roles; a path with dots "
        "leads inside (realm_access.roles).",
    )
    oidc_roles: dict[str, Role] = Field(
        {},
        description="JSON object: value of that claim to role here (clinician, reviewer, "
        "administrator); whoever has none of them is not let in.",
    )
    session_minutes: float = Field(
        15,
        gt=0,
        le=720,
        description="Minutes without anything done after which a person is signed out; after 12 "
        "hours everybody is.",
    )

    evaluation_chunk_rows: int = Field(
        500,
        ge=100,
        description="Index assessments with which a chunk of `evaluate` closes.",
    )
    evaluation_chunk_days: float = Field(
        30,
        gt=0,
        description="Days after which such a chunk closes with fewer, if it has 100; else it "
        "closes with the 100th.",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA time zone, like Europe/Madrid") from None
        return name

    @field_validator("alert_webhook_secret")
    @classmethod
    def _webhook_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            webhook_key(secret.get_secret_value())
        return secret

    @field_validator("alert_quiet_hours")
    @classmethod
    def _quiet_hours(cls, text: str | None) -> str | None:
        if text is not None:
            quiet_hours(text)
        return text

    @field_validator("alert_email_to", "alert_email_from")
    @classmethod
    def _addresses(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for address in (given,) if isinstance(given, str) else given or ():
            mail_address(address)
        return given

    @field_validator("export_storage_options", "history_watch_storage_options")
    @classmethod
    def _json_object(cls, text: SecretStr | None) -> SecretStr | None:
        try:
            if text is not None and not isinstance(json.loads(text.get_secret_value()), dict):
                raise ValueError
        except ValueError:
            raise ValueError("must be a JSON object") from None
        return text

    @field_validator("export_key")
    @classmethod
    def _export_key(cls, text: SecretStr | None) -> SecretStr | None:
        if text is not None:
            export_key(text.get_secret_value())
        return text

    @model_validator(mode="after")
    def _locations(self) -> Self:
        for name in ("export_url", "history_watch_url"):
            url = getattr(self, name)
            try:
                if url is not None:
                    location_url(url, development=self.development)
            except ValueError as error:
                raise ValueError(f"CDS_{name.upper()} {error}") from None
        return self

    @model_validator(mode="after")
    def _alerts_can_be_sent(self) -> Self:
        if (self.alert_webhook_url is None) != (self.alert_webhook_secret is None):
            raise ValueError("CDS_ALERT_WEBHOOK_URL and CDS_ALERT_WEBHOOK_SECRET belong together")
        if self.alert_webhook_url is not None:
            url = self.alert_webhook_url.get_secret_value()
            if read_url(url, allow_private=self.development) is None:
                raise ValueError(
                    "CDS_ALERT_WEBHOOK_URL must be an absolute https URL without user or password "
                    "(http is for development)"
                )
        if self.alert_email_to and (self.alert_email_from is None or self.smtp_host is None):
            raise ValueError("CDS_ALERT_EMAIL_TO needs CDS_ALERT_EMAIL_FROM and CDS_SMTP_HOST")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("CDS_SMTP_USER and CDS_SMTP_PASSWORD belong together")
        if self.smtp_tls == "none" and not is_loopback(self.smtp_host or "localhost"):
            raise ValueError(
                "CDS_SMTP_TLS may be none only where CDS_SMTP_HOST is a loopback address"
            )
        return self

    @model_validator(mode="after")
    def _provider(self) -> Self:
        if self.oidc_issuer is None:
            return self
        if read_url(self.oidc_issuer, allow_private=self.development) is None:
            raise ValueError(
                "CDS_OIDC_ISSUER must be an absolute https URL (http is for development)"
            )
        if self.oidc_client_id is None or not self.oidc_roles:
            raise ValueError("CDS_OIDC_ISSUER needs CDS_OIDC_CLIENT_ID and CDS_OIDC_ROLES")
        return self

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.development and not self.development_any_host and not is_loopback(self.host):
            raise ValueError(
                "CDS_DEVELOPMENT answers without authentication, so CDS_HOST must be a loopback "
                "address (127.0.0.1), or CDS_DEVELOPMENT_ANY_HOST must be true"
            )
        if self.public_url is not None:
            url = urlsplit(self.public_url)
            if (
                self.development
                and not self.development_any_host
                and not is_loopback(url.hostname or "")
            ):
                # A proxy on this machine would let in the whole network.
                raise ValueError(
                    "CDS_DEVELOPMENT answers without authentication, so CDS_PUBLIC_URL must be on "
                    "a loopback address, or CDS_DEVELOPMENT_ANY_HOST must be true"
                )
            if url.scheme not in ("http", "https") or not url.netloc or url.query or url.fragment:
                raise ValueError("CDS_PUBLIC_URL must be an absolute http(s) URL")
            if url.scheme != "https" and not self.development:
                raise ValueError("CDS_PUBLIC_URL must be https outside development mode")
        return self

    @property
    def base_url(self) -> str:
        """Public URL without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'cds.sqlite3'}"

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.data_dir / 'mlflow.sqlite3'}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment.

    Raises `ConfigurationError`, in words for an operator, for an unknown `CDS_` variable (with
    the nearest known name) and for a value that is not valid. No value is repeated in the error.
    """
    names = os.environ if environ is None else environ
    known = {f"CDS_{name.upper()}" for name in Settings.model_fields} | {"CDS_TEST_REQUIRE"}
    for name in sorted(names):
        if name.upper().startswith("CDS_") and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{name} is not a setting of cds-service.{hint}")
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(
                f"{_variable(issue['loc'])}{issue['msg'].removeprefix('Value error, ')}"
                for issue in error.errors(include_input=False, include_url=False)
            )
        ) from None
    except ValueError:
        # pydantic-settings could not read a list; its message would repeat the value.
        raise ConfigurationError(
            "CDS_CORS_ORIGINS, CDS_ALLOWED_FHIR_SERVERS, CDS_ALERT_EMAIL_TO, CDS_OIDC_SCOPES and "
            'CDS_ORPHADATA_RELATIONS must be JSON lists, like ["https://ehr.example"], and '
            "CDS_ICD10_VARIANTS, CDS_OIDC_ROLES and CDS_SCHEDULE JSON objects"
        ) from None


def read_secret_keys(settings: Settings) -> list[bytes]:
    """The secret keys, newest first, each of 32 bytes.

    In development the file `secret-keys` is written if there is none. Raises
    `ConfigurationError` if there is no key, or one that is not 32 bytes of base64.
    """
    path = settings.data_dir / "secret-keys"
    if settings.secret_keys is not None:
        text, origin = settings.secret_keys.get_secret_value(), "CDS_SECRET_KEYS"
    else:
        if settings.development:
            _write_first_key(path)
        try:
            text, origin = path.read_text("utf-8"), str(path)
        except FileNotFoundError:
            raise ConfigurationError(
                "CDS_SECRET_KEYS is not set: give a JSON list of base64 keys of 32 bytes, newest "
                "first, for example from: openssl rand -base64 32"
            ) from None
    try:
        keys = [base64.b64decode(key, validate=True) for key in json.loads(text)]
    except (ValueError, TypeError):
        raise ConfigurationError(f"{origin} is not a JSON list of base64 keys") from None
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigurationError(f"{origin}: every key must be {KEY_BYTES} bytes of base64")
    return keys


def _write_first_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        json.dump([base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()], file)


def _variable(location: tuple[int | str, ...]) -> str:
    return f"CDS_{str(location[0]).upper()}: " if location else ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
