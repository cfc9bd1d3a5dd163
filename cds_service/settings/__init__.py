"""Settings: environment variables with the prefix CDS_, each described by its group."""

import difflib
import os
from collections.abc import Mapping

from pydantic import ValidationError

from cds_service.errors import ConfigurationError
from cds_service.settings.alerting import AlertingSettings
from cds_service.settings.learning import LearningSettings
from cds_service.settings.moving import MovingSettings
from cds_service.settings.people import PeopleSettings
from cds_service.settings.secret_keys import read_secret_keys
from cds_service.settings.serving import is_loopback

__all__ = ["Settings", "is_loopback", "load_settings", "read_secret_keys"]


class Settings(PeopleSettings, MovingSettings, AlertingSettings, LearningSettings):
    """Everything an operator can set. The clock is not among it."""


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


def _variable(location: tuple[int | str, ...]) -> str:
    return f"CDS_{str(location[0]).upper()}: " if location else ""
