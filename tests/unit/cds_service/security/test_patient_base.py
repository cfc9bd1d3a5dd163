"""Which server a request may speak for (C3)."""

import pytest

from cds_service.security.clients import (
    DEVELOPMENT_CLIENT,
    Client,
    ClientSettings,
    patient_base,
)

HOME = "https://ehr.example/fhir"
OTHER = "https://other.example/fhir"
AGREED = Client("north", ClientSettings(fhir_servers=(HOME,)))
PLAIN = Client("plain")


@pytest.mark.parametrize(
    ("client", "named", "allowed", "base"),
    [
        (AGREED, None, (), HOME),
        (AGREED, "https://EHR.example:443/fhir/", (), "https://EHR.example:443/fhir/"),
        (AGREED, OTHER, (), f"client:north {OTHER}"),
        (AGREED, OTHER, (f"{OTHER}/",), OTHER),
        (PLAIN, None, (), "client:plain"),
        (PLAIN, HOME, (), f"client:plain {HOME}"),
        (DEVELOPMENT_CLIENT, HOME, (), HOME),
        (DEVELOPMENT_CLIENT, None, (), "client:development"),
    ],
)
def test_c3_only_a_server_that_was_agreed_is_believed(
    client: Client, named: str | None, allowed: tuple[str, ...], base: str
) -> None:
    assert patient_base(client, named, allowed) == base


def test_c3_two_clients_never_mean_the_same_patient_on_a_server_of_neither() -> None:
    mine = patient_base(PLAIN, OTHER, ())
    assert mine != patient_base(AGREED, OTHER, ())
    assert mine != patient_base(Client("other", ClientSettings(fhir_servers=(OTHER,))), OTHER, ())
