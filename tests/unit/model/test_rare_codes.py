"""One disease, one spelling."""

import pytest

from model.rare_codes import codes_of, in_order, normal_rare_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("558", "ORPHA:558"),
        (" 558 ", "ORPHA:558"),
        ("558.0", "ORPHA:558"),
        ("00558", "ORPHA:558"),
        ("ORPHA:558", "ORPHA:558"),
        ("orpha 558", "ORPHA:558"),
        ("ORPHA558", "ORPHA:558"),
        ("ORPHAcode: 558", "ORPHA:558"),
        ("Orphanet_558", "ORPHA:558"),
        ("ORDO:Orphanet_558", "ORPHA:558"),
        ("http://www.orpha.net/ORDO/Orphanet_558", "ORPHA:558"),
        ("https://www.orpha.net/en/disease/detail/558", "ORPHA:558"),
        ("https://www.orpha.net/consor/cgi-bin/OC_Exp.php?Lng=EN&Expert=558", "ORPHA:558"),
        ("OMIM:154700", "OMIM:154700"),
        ("MIM #154700", "OMIM:154700"),
        ("https://www.omim.org/entry/154700", "OMIM:154700"),
        # A number alone is an ORPHAcode, however long it may be.
        ("154700", "ORPHA:154700"),
        ("E24.0", None),
        ("Q87.4", None),
        ("OMIM:15470", None),
        ("none", None),
        ("0", None),
        ("", None),
        (558, None),
        (None, None),
    ],
)
def test_codes_in_every_spelling(text: object, code: str | None) -> None:
    assert normal_rare_code(text) == code
    # What is in our spelling already stays as it is.
    assert normal_rare_code(code) == code


def test_a_cell_may_hold_several() -> None:
    assert codes_of("OMIM:154700|558|ORPHA:586|ORPHA:558") == (
        "ORPHA:558",
        "ORPHA:586",
        "OMIM:154700",
    )
    assert codes_of(None) == codes_of("") == codes_of("none") == ()


def test_the_order_is_by_number_and_not_by_letter() -> None:
    assert in_order(["ORPHA:1000", "OMIM:100050", "ORPHA:99", "ORPHA:99"]) == (
        "ORPHA:99",
        "ORPHA:1000",
        "OMIM:100050",
    )
