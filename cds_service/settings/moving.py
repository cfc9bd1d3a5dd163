"""Where data goes and comes from by itself, and when jobs run."""

import json
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from cds_service.location_urls import location_url
from cds_service.periods import DEFAULT_PERIODS, parse_period, parse_time
from cds_service.security.pseudonyms import export_key
from cds_service.settings.serving import ServingSettings


class MovingSettings(ServingSettings):
    """Settings of exports, of watched history and of the schedule."""

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
