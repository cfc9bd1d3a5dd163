"""Where the service listens, what it keeps where, and how it reads charts and codes."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServingSettings(BaseSettings):
    """Settings of the process itself, which the others rest on."""

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

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA time zone, like Europe/Madrid") from None
        return name

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


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
