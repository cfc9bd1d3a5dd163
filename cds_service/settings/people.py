"""How people sign in."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from cds_service.security.permissions import Role
from cds_service.settings.serving import ServingSettings
from fhir_mapping.addresses import read_url


class PeopleSettings(ServingSettings):
    """Settings of the sign-in and of sessions."""

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
