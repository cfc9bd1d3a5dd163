"""SMART App Launch: somebody comes from a chart in the health record, and opens its explanation."""

import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from cds_service.context import ProcessContext
from cds_service.errors import BusyError
from cds_service.logs import LOGGER
from cds_service.security.clients import Backend, Client, SmartLaunch
from cds_service.security.id_tokens import ProviderAwayError, ProviderRefusedError
from cds_service.security.people import Launch
from cds_service.security.secrecy import normalise_base
from cds_service.security.smart import Granted, Registration, SmartServers
from cds_service.services.attempts import Attempts
from cds_service.services.authentication import LOGGED_ISSUER
from cds_service.services.backend_services import BackendError, assertion
from cds_service.services.explanation import ExplanationService
from cds_service.services.openid_sign_in import name_in, text_in
from cds_service.services.places import Place
from cds_service.services.sessions import SMART, Arrival, Chart, Sessions
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.people_store import PeopleStore
from fhir_mapping.addresses import read_url

CALLBACK: Final = "/launch/callback"
LASTS: Final = timedelta(minutes=10)
"""How long somebody may take at the health record."""
WAITING: Final = 8
"""Launches that a process waits for health records with: the threads of cards must not wait too."""
_LONGEST: Final = 4_000
"""Characters of `launch` and `iss`."""
_COOKIE: Final = "cds_launch_"
_STAFF = ("Practitioner", "PractitionerRole")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_ACTOR = 200


class LaunchError(Exception):
    """A launch that leads nowhere. `told` is the key of what people are told, `reason` is for log
    and audit trail; neither says anything of patient, token or code."""

    def __init__(self, told: str, reason: str | None = None, *, issuer: str | None = None) -> None:
        super().__init__(told)
        self.told = told
        self.reason = reason or told
        self.issuer = issuer
        """A FHIR server that nobody has registered, for whoever looks for a spelling."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody who is sent to the health record to show who they are."""

    address: str = field(repr=False)
    cookie: str
    """Name of the cookie that `kept` goes into; each launch has its own."""
    kept: str = field(repr=False)
    """What is checked when they come back, encrypted."""


class SmartLaunches:
    """Rules of launches; one a process."""

    def __init__(self, context: ProcessContext) -> None:
        settings = context.settings
        self._context = context
        self._servers = SmartServers(
            context.fhir,
            context.keys,
            allow_http=settings.fhir_allow_private,
            clock=context.clock,
        )
        self._sessions = Sessions(context)
        self._attempts = Attempts(context)
        self._places = threading.BoundedSemaphore(WAITING)

    def frames(self) -> list[str]:
        """Origins of all health records that show our pages inside their own: for pages that say
        nothing of anybody."""
        clients = self._context.directory.by_name.values()
        found = {origin for one in clients if one.settings.smart for origin in _smart(one).frames}
        return sorted(found)

    def depart(self, issuer: str | None, launch: str | None) -> Departure:
        """Send somebody who comes from a chart to sign in there. Raises `LaunchError`.

        `issuer` and `launch` are what the health record put into the address.
        """
        try:
            return self._departure(issuer, launch)
        except LaunchError as error:
            _tell(error)
            raise

    def _departure(self, issuer: str | None, launch: str | None) -> Departure:
        if not issuer or not launch or max(len(issuer), len(launch)) > _LONGEST:
            raise LaunchError("incomplete")
        url = read_url(issuer, allow_private=True)
        if url is None or url.query:
            raise LaunchError("unknown")
        base = normalise_base(issuer)
        client = self._client(base)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        registration = registration_of(_smart(client), base, self._context)
        try:
            with Place(self._places):
                address = self._servers.address(
                    registration, launch=launch, state=state, nonce=nonce, verifier=verifier
                )
        except ProviderAwayError as error:
            raise LaunchError("away", error.reason) from None
        except BusyError:
            raise LaunchError("busy") from None
        until = (self._context.clock() + LASTS).timestamp()
        kept = json.dumps([state, nonce, verifier, client.name, base, until])
        sealed = self._context.secrecy.encrypt(kept.encode()).hex()
        return Departure(address, cookie_of(state), sealed)

    def arrive(
        self, kept: str, answer: Mapping[str, str], *, address: str, replaces: str | None = None
    ) -> tuple[str, str]:
        """Somebody comes back: what goes into the cookie of their session, and where they are led.

        Raises `LaunchError`, and `TooManyAttemptsError` for an address that failed too often.
        """
        # Answers are free to invent, and each that is refused is written down.
        self._attempts.count(address)
        try:
            client, base, granted = self._granted(kept, answer)
            arrival = self._arrival(client, base, granted)
        except LaunchError as error:
            self._refuse(error, address)
            raise
        with self._context.engine.begin() as connection:
            self._attempts.take_back(PeopleStore(connection), address)
            cookie = self._sessions.open_within(
                connection, arrival, address=address, replaces=replaces
            )
        return cookie, self._target(arrival, cookie, granted.app_context)

    def latest(self, launch: Launch) -> str | None:
        """Where the newest assessment of the launched patient is explained, if there is one."""
        found = ExplanationService(self._context).latest(launch)
        return None if found is None else f"/assessments/{found}"

    def place_of(self, session: str) -> str:
        """Part of an address that only this session has: the page of another chart, in another
        frame of the same browser, is not to be led to this one."""
        return self._context.secrecy.sign("launch-page", session)[:22]

    def _granted(self, kept: str, answer: Mapping[str, str]) -> tuple[Client, str, Granted]:
        """What the health record grants to whoever was sent there."""
        context = self._context
        try:
            fields = json.loads(context.secrecy.decrypt(bytes.fromhex(kept)))
            state, nonce, verifier, name, base, until = fields
        except ValueError:
            raise LaunchError("state", "another browser, or too late") from None
        if context.clock().timestamp() > until:
            raise LaunchError("late")
        if not context.secrecy.same(answer.get("state", ""), state):
            raise LaunchError("state", "another state")
        client = self._client(base, name)
        registration = registration_of(_smart(client), base, self._context)
        code = answer.get("code")
        if code is None or "error" in answer:
            raise LaunchError("refused", "the health record said no")
        try:
            with Place(self._places):
                self._check_issuer(registration, answer.get("iss"))
                granted = self._servers.redeem(registration, code, nonce=nonce, verifier=verifier)
        except ProviderAwayError as error:
            raise LaunchError("away", error.reason) from None
        except ProviderRefusedError as error:
            raise LaunchError("refused", error.reason) from None
        except BackendError:
            raise LaunchError("setup", "our key cannot be used") from None
        except BusyError:
            raise LaunchError("busy") from None
        return client, base, granted

    def _check_issuer(self, registration: Registration, stated: str | None) -> None:
        """RFC 9207: else the code of one health record could be sent to another."""
        server = self._servers.server(registration.base)
        if stated is None and not server.states_issuer:
            return
        if stated != self._servers.issuer(registration):
            raise ProviderRefusedError("another issuer")

    def _arrival(self, client: Client, base: str, granted: Granted) -> Arrival:
        """Who this is here. Patients and their relatives are let in by no launch (C2)."""
        user = text_in(granted.claims.get("fhirUser"))
        if user is None or _type_of(user) not in _STAFF:
            raise LaunchError("nobody", "no practitioner")
        if granted.patient is None:
            raise LaunchError("no_patient")
        claims = granted.claims
        named = any(text_in(claims.get(one)) for one in ("name", "preferred_username"))
        return Arrival(
            actor=f"smart:{client.name}:{claims['sub']}"[:_MAX_ACTOR],
            name=name_in(claims) if named else "/".join(user.split("/")[-2:]),
            roles=frozenset(_smart(client).roles),
            how=SMART,
            fhir_user=user,
            chart=Chart(client.name, base, granted.patient),
        )

    def _target(self, arrival: Arrival, cookie: str, app_context: str | None) -> str:
        """The assessment whose card was followed, if it is one of this patient; else the newest."""
        person = self._sessions.person(cookie)
        if person is None or person.launch is None:
            raise LaunchError("setup", f"no session for {arrival.how}")
        if app_context is not None and _UUID.fullmatch(app_context):
            if ExplanationService(self._context).is_of(app_context, person.launch):
                return f"/assessments/{app_context}"
            LOGGER.warning("launch names another assessment")
        return f"/launch/patient/{self.place_of(person.session)}"

    def _client(self, base: str, name: str | None = None) -> Client:
        """The client of a FHIR server, if it has SMART launch; nothing else is ever asked."""
        for client in self._context.directory.by_name.values():
            settings = client.settings
            has_launch = settings.smart is not None and base in settings.fhir_servers
            if has_launch and name in (None, client.name):
                return client
        raise LaunchError("unknown", issuer=base)

    def _refuse(self, error: LaunchError, address: str) -> None:
        _tell(error)
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor="smart:unknown",
                action="refuse-sign-in",
                object_type="session",
                object_id="smart:unknown",
                detail={"reason": error.reason, "address": address},
            )


def cookie_of(state: str) -> str:
    """Name of the cookie of a launch: two charts may be opened at the same time."""
    return _COOKIE + sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _tell(error: LaunchError) -> None:
    told = {"reason": error.reason}
    if error.issuer is not None and LOGGED_ISSUER.fullmatch(error.issuer):
        told["issuer"] = error.issuer
    LOGGER.warning("launch refused", extra=told)


def _smart(client: Client) -> SmartLaunch:
    smart = client.settings.smart
    assert smart is not None  # noqa: S101  # Asked for before.
    return smart


def signer_of(smart: SmartLaunch, token_url: str = "") -> Backend | None:
    """How we sign who we are (SMART App Launch, asymmetric client authentication), if we do."""
    if smart.key_file is None:
        return None
    return Backend(
        token_url=token_url,
        client_id=smart.client_id,
        key_file=smart.key_file,
        key_id=smart.key_id,
        algorithm=smart.algorithm,
    )


def registration_of(smart: SmartLaunch, base: str, context: ProcessContext) -> Registration:
    """What was agreed with a health record, its secret read. Raises `LaunchError`."""
    secret, signs = None, signer_of(smart)
    if smart.secret_file is not None:
        try:
            secret = Path(smart.secret_file).read_text("utf-8").strip()
        except (OSError, ValueError):
            raise LaunchError("setup", "secret cannot be read") from None

    def sign(token_url: str) -> str:
        signer = signer_of(smart, token_url)
        assert signer is not None  # noqa: S101  # Else it is not asked for.
        return assertion(signer, context.clock())

    return Registration(
        base=base,
        client_id=smart.client_id,
        redirect_uri=context.settings.base_url + CALLBACK,
        issuer=smart.issuer,
        scopes=smart.scopes,
        secret=secret or None,
        assertion=None if signs is None else sign,
    )


def _type_of(user: str) -> str:
    """The type of resource that `fhirUser` names, by its whole URL or relative to the server."""
    parts = user.split("/")
    return parts[-2] if len(parts) > 1 else ""
