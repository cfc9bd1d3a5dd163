"""Where news of alerts goes, and when."""

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from cds_service.alert_settings import mail_address, quiet_hours, webhook_key
from cds_service.settings.serving import ServingSettings, is_loopback
from fhir_mapping.addresses import read_url


class AlertingSettings(ServingSettings):
    """Settings of the webhook and the e-mails."""

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
