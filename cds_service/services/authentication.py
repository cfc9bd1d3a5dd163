"""Who calls: the client that a JWT or a bearer secret belongs to."""

import re
import threading
from datetime import datetime, timedelta

from cds_service.context import ProcessContext
from cds_service.errors import ForbiddenError, UnauthorizedError
from cds_service.logs import LOGGER
from cds_service.security import secrets
from cds_service.security.clients import Client, Right
from cds_service.security.keys import TokenRefusedError
from cds_service.security.tokens import TokenVerifier, Use, issuer_of
from cds_service.storage.token_store import TokenStore

FEEDBACK = "/feedback"
FHIR = "/fhir"
PURGE_EVERY = timedelta(minutes=1)
KEPT_LONGER = timedelta(minutes=5)
"""By which the clocks of replicas may differ: none forgets a token that another would accept."""
LOGGED_ISSUER = re.compile(r"https?://[A-Za-z0-9.:/_~-]{1,200}")


class Authenticator:
    """Lets clients in, or raises `UnauthorizedError` that says nothing more (R64).

    One a process: it knows when it last tidied up.
    """

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._verifier = TokenVerifier(context.keys)
        self._lock = threading.Lock()
        self._purged: datetime | None = None

    def cds_client(self, authorization: str | None, path: str) -> Client:
        """The client of a call to `/cds-services…`, by its JWT (R57 to R66).

        `authorization` is the header as sent, `path` that of the URL called.
        """
        token = _bearer(authorization)
        if secrets.id_of(token) is not None:
            raise _refused(None, None, "secret_instead_of_token")
        return self._by_token(token, path)

    def fhir_client(self, authorization: str | None, path: str, right: Right) -> Client:
        """The client of a call to `/fhir/…`, by its JWT or a bearer secret with this right.

        Raises `ForbiddenError` where the secret is valid and its rights do not hold this one.
        """
        token = _bearer(authorization)
        if token.startswith(secrets.PREFIX):
            client = self._context.directory.by_secret(token)
            if client is None:
                raise _refused(None, None, "unknown_secret")
        else:
            client = self._by_token(token, path)
        if right not in client.rights:
            LOGGER.warning("right missing", extra={"client": client.name, "right": right.value})
            raise ForbiddenError(f"This bearer secret does not have the right `{right.value}`.")
        return client

    def _by_token(self, token: str, path: str) -> Client:
        directory = self._context.directory
        try:
            return self._verifier.verify(
                token,
                clients=lambda issuer: directory.by_issuer.get(issuer, ()),
                audiences=audiences(self._context.settings.base_url, path),
                now=self._context.clock(),
                first_use=self._first_use,
            )
        except TokenRefusedError as error:
            issuer = issuer_of(token)
            names = [client.name for client in directory.by_issuer.get(issuer or "", ())]
            raise _refused(issuer, ", ".join(names) or None, error.reason) from None

    def _first_use(self, use: Use) -> bool:
        now = self._context.clock()
        with self._context.engine.connect() as connection, connection.begin() as transaction:
            store = TokenStore(connection)
            if not store.add(use.issuer, use.jti_hash, use.expires_at + KEPT_LONGER):
                transaction.rollback()
                return False
            if self._is_time_to_purge(now):
                store.purge(now)
        return True

    def _is_time_to_purge(self, now: datetime) -> bool:
        with self._lock:
            if self._purged is not None and now - self._purged < PURGE_EVERY:
                return False
            self._purged = now
            return True


def carries_secret(authorization: str | None) -> bool:
    """Whether the header holds a bearer secret of ours, valid or not."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    return scheme.lower() == "bearer" and token.strip().startswith(secrets.PREFIX)


def audiences(base_url: str, path: str) -> tuple[str, ...]:
    """What `aud` may be for a call of `path`: the URL called, under its public address (R59, R66).

    For feedback the URL of the service too; below `/fhir` its base, because ids are no audience.
    """
    urls = [base_url + path]
    if path.startswith("/cds-services/") and path.rstrip("/").endswith(FEEDBACK):
        urls.append(base_url + path.rstrip("/").removesuffix(FEEDBACK))
    if path == FHIR or path.startswith(FHIR + "/"):
        urls.append(base_url + FHIR)
    return tuple(urls)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _refused(None, None, "no_token")
    return token.strip()


def _refused(issuer: str | None, client: str | None, reason: str) -> UnauthorizedError:
    """Say in the log why: issuer and client, never the token (R64)."""
    told = {"reason": reason}
    if client is not None:
        told["client"] = client
    if issuer is not None and LOGGED_ISSUER.fullmatch(issuer):
        told["issuer"] = issuer
    LOGGER.warning("not let in", extra=told)
    return UnauthorizedError()
