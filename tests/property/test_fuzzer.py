"""The short form of `make fuzz`: bodies, whole and spoilt, against every address."""

from tests.support.fuzzer import TARGETS, fuzz
from tests.support.service import Service


def test_no_body_gets_more_than_a_clear_answer(service: Service) -> None:
    report = fuzz(service.http, 1_500, seed=11)
    assert report.faults == []
    assert {path for path, _ in report.statuses} == {path for path, _, _ in TARGETS}
    assert report.cards >= 500
    # The service is unharmed.
    assert service.http.get("/health/ready").status_code == 200


def test_every_address_takes_the_body_that_is_spoilt(service: Service) -> None:
    for path, builder, _ in TARGETS:
        response = service.http.post(path, json=builder())
        assert response.status_code in (200, 201), (path, response.text)
