"""Signing in with the hospital's provider of identities: who becomes what here."""

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.security.id_tokens import ProviderAwayError, ProviderRefusedError
from cds_service.security.openid import OpenID, Relation
from cds_service.security.permissions import Role
from cds_service.services.attempts import Attempts
from cds_service.services.places import Place
from cds_service.services.sessions import Arrival, Sessions
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.people_store import PeopleStore

CALLBACK = "/sign-in/callback"
LASTS = timedelta(minutes=10)
"""How long somebody may take at the provider."""
WAITING = 8
"""Sign-ins that a process waits for the provider with: the threads of cards must not wait too."""
_MAX_NAME = 200


class NoRoleError(Exception):
    """The provider knows this person, and none of what it says is a role here."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody who is sent to the provider."""

    address: str
    kept: str
    """For a cookie: what is checked when they come back, encrypted."""


class OpenIDSignIn:
    """Rules of signing in with a provider; one a process."""

    def __init__(self, context: ProcessContext, openid: OpenID) -> None:
        self._context = context
        self._openid = openid
        self._sessions = Sessions(context)
        self._attempts = Attempts(context)
        self._places = threading.BoundedSemaphore(WAITING)

    @classmethod
    def of(cls, context: ProcessContext) -> "OpenIDSignIn | None":
        """That of the settings, if they name a provider."""
        settings = context.settings
        if settings.oidc_issuer is None or settings.oidc_client_id is None:
            return None
        secret = settings.oidc_client_secret
        relation = Relation(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            scopes=tuple(dict.fromkeys(("openid", *settings.oidc_scopes))),
            redirect_uri=settings.base_url + CALLBACK,
            allow_http=settings.development,
        )
        return cls(context, OpenID(relation, clock=context.clock))

    def close(self) -> None:
        """Close the connections."""
        self._openid.close()

    def depart(self, target: str) -> Departure:
        """Send somebody to the provider who wants to `target`. Raises `ProviderAwayError` and
        `BusyError`."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with Place(self._places):
            try:
                address = self._openid.address(state=state, nonce=nonce, verifier=verifier)
            except ProviderAwayError as error:
                LOGGER.warning("provider away", extra={"reason": error.reason})
                raise
        until = (self._context.clock() + LASTS).timestamp()
        kept = json.dumps([state, nonce, verifier, target, until])
        return Departure(address, self._context.secrecy.encrypt(kept.encode()).hex())

    def arrive(
        self, kept: str, answer: Mapping[str, str], *, address: str, replaces: str | None = None
    ) -> tuple[str, str]:
        """Somebody comes back with the provider's answer: what goes into the cookie of the session,
        and where they wanted to go.

        Raises `ProviderAwayError`, `ProviderRefusedError`, `NoRoleError`, `BusyError` and
        `TooManyAttemptsError`.
        """
        # Answers are free to invent, and each that is refused is written down.
        self._attempts.count(address)
        try:
            with Place(self._places):
                claims, target = self._identity(kept, answer)
        except ProviderAwayError as error:
            LOGGER.warning("provider away", extra={"reason": error.reason})
            raise
        except ProviderRefusedError as error:
            LOGGER.warning("sign-in refused", extra={"reason": error.reason})
            self._refuse("oidc:unknown", error.reason, address)
            raise
        settings = self._context.settings
        actor = f"oidc:{claims['sub']}"[:_MAX_NAME]
        roles = roles_of(claims, settings.oidc_roles_claim, settings.oidc_roles)
        if not roles:
            LOGGER.warning("sign-in refused", extra={"reason": "no role"})
            self._refuse(actor, "no role", address)
            raise NoRoleError
        arrival = Arrival(
            actor=actor,
            name=name_in(claims),
            roles=roles,
            how="openid",
            fhir_user=text_in(claims.get("fhirUser")),
        )
        with self._context.engine.begin() as connection:
            self._attempts.take_back(PeopleStore(connection), address)
            cookie = self._sessions.open_within(
                connection, arrival, address=address, replaces=replaces
            )
        return cookie, target

    def end_address(self) -> str | None:
        """Where the provider ends its own session and leads back, if it does.

        It is told who we are, not whose session it is: a token has no place in an address, and
        browsers leave the provider's cookies out of a form that we would send. So it asks (OpenID
        Connect RP-Initiated Logout 1.0, 2).
        """
        try:
            address = self._openid.provider().end_session_endpoint
        except ProviderAwayError:
            return None
        if address is None:
            return None
        back = f"{self._context.settings.base_url}/sign-in"
        asked = {"client_id": self._openid.relation.client_id, "post_logout_redirect_uri": back}
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    def _identity(self, kept: str, answer: Mapping[str, str]) -> tuple[Mapping[str, Any], str]:
        context = self._context
        try:
            fields = json.loads(context.secrecy.decrypt(bytes.fromhex(kept)))
            state, nonce, verifier, target, until = fields
        except ValueError:
            raise ProviderRefusedError("another browser, or too late") from None
        if context.clock().timestamp() > until:
            raise ProviderRefusedError("too late")
        if not context.secrecy.same(answer.get("state", ""), state):
            raise ProviderRefusedError("another state")
        provider = self._openid.provider()
        issuer = answer.get("iss")
        wanted = self._openid.relation.issuer
        if issuer != wanted and (issuer is not None or provider.states_issuer):
            # RFC 9207: else the code of one provider could be sent to another.
            raise ProviderRefusedError("another issuer")
        code = answer.get("code")
        if code is None or "error" in answer:
            raise ProviderRefusedError("the provider said no")
        claim = context.settings.oidc_roles_claim
        claims = self._openid.redeem(
            code,
            nonce=nonce,
            verifier=verifier,
            also=lambda found: claim_of(found, claim) is None,
        )
        return claims, str(target)

    def _refuse(self, actor: str, reason: str, address: str) -> None:
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=actor,
                action="refuse-sign-in",
                object_type="session",
                object_id=actor,
                detail={"reason": reason, "address": address},
            )


def claim_of(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or one inside others by a path with dots (`realm_access.roles`); `None`
    if it is not there."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def roles_of(
    claims: Mapping[str, Any], claim: str, meanings: Mapping[str, Role]
) -> frozenset[Role]:
    """The roles that a claim gives: one value, a list of them, or several parted by spaces."""
    value = claim_of(claims, claim)
    values = value if isinstance(value, list) else [value]
    if isinstance(value, str) and value not in meanings:
        values = value.split()
    return frozenset(meanings[one] for one in values if isinstance(one, str) and one in meanings)


def name_in(claims: Mapping[str, Any]) -> str:
    """What somebody is called, by what their ID token says."""
    for claim in ("name", "preferred_username", "email", "sub"):
        if (name := text_in(claims.get(claim))) is not None:
            return name
    raise AssertionError("every ID token has a subject")


def text_in(value: object) -> str | None:
    """A claim, if it is text; cut to what is kept."""
    return value[:_MAX_NAME] if isinstance(value, str) and value.strip() else None
