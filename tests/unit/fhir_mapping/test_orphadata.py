"""C20: Orphadata's cross-references, from invented files in the form of the real ones."""

from pathlib import Path

import pytest

from fhir_mapping.code_systems import ICD_10, ICD_10_CM, OMIM, ORPHANET
from fhir_mapping.codings import NormalCoding
from fhir_mapping.compositions import TerminologyError
from fhir_mapping.labels import classify
from fhir_mapping.orphadata import BROADER, EXACT, read_orphadata
from fhir_mapping.terminology import load_terminology
from tests.support.conditions import condition
from tests.support.terminology import disorder, orphadata

MARFAN = disorder("558", ("ICD-10", "Q87.4", "E"), ("OMIM", "154700", "E"), ("UMLS", "C1", "E"))


def who(code: str) -> NormalCoding:
    return NormalCoding(ICD_10, code)


def test_exact_references_to_icd_10_and_omim_are_taken(tmp_path: Path) -> None:
    rare = read_orphadata(orphadata(tmp_path / "p1.xml", [MARFAN]))
    assert rare.codes == {
        who("Q87.4"): "ORPHA:558",
        NormalCoding(OMIM, "OMIM:154700"): "ORPHA:558",
    }
    assert rare.version == "2026-06-23 07:57:31 1.3.42"
    assert rare.orpha_of(who("Q87.4")) == "ORPHA:558"
    assert rare.orpha_of(NormalCoding(ICD_10_CM, "Q87.4")) == "ORPHA:558"
    assert rare.orpha_of(NormalCoding(OMIM, "OMIM:154700")) == "ORPHA:558"
    assert rare.orpha_of(who("Q87.40")) is None
    assert rare.orpha_of(who("Q87")) is None
    assert rare.orpha_of(NormalCoding(OMIM, None)) is None
    assert rare.orpha_of(NormalCoding(ORPHANET, "ORPHA:1")) is None


def test_what_is_not_exact_validated_in_use_and_rare_is_left_out_and_counted(
    tmp_path: Path,
) -> None:
    file = orphadata(
        tmp_path / "p1.xml",
        [
            MARFAN,
            disorder("1", ("ICD-10", "E70.1", "NTBT"), ("ICD-10", "E71.1", "BTNT")),
            disorder("2", ("ICD-10", "E72.1", "E"), validated=False),
            disorder("3", ("ICD-10", "E73.1", "E"), flag=8208),
            disorder("4", ("ICD-10", "G20", "E"), name="NON RARE IN EUROPE: Invented", flag=1),
            disorder("5", ("ICD-10", "E74.-", "E")),
            disorder("6", ("ICD-10", "E75.1", "ND")),
        ],
    )
    rare = read_orphadata(file)
    assert set(rare.codes) == {who("Q87.4"), NormalCoding(OMIM, "OMIM:154700")}
    assert rare.left_out == {
        "relation NTBT": 1,
        "relation BTNT": 1,
        "not validated": 1,
        "not in use or not rare": 2,
        "no code of its system": 1,
        "relation ND": 1,
    }


def test_broader_diseases_and_subdivisions_count_only_where_a_site_says_so(tmp_path: Path) -> None:
    file = orphadata(
        tmp_path / "p1.xml",
        [disorder("586", ("ICD-10", "E84", "E")), disorder("7", ("ICD-10", "E71.1", "BTNT"))],
    )
    exact, broader = read_orphadata(file), read_orphadata(file, (EXACT, BROADER))
    for code, orpha in (("E84.0", "ORPHA:586"), ("E71.1", "ORPHA:7"), ("E71.10", "ORPHA:7")):
        assert exact.orpha_of(who(code)) is None
        assert broader.orpha_of(who(code)) == orpha
    assert broader.orpha_of(who("E8")) is None
    assert exact.content() != broader.content()


def test_of_two_disorders_of_one_code_the_disease_is_meant(tmp_path: Path) -> None:
    group = disorder("10", ("ICD-10", "E84", "E"), group="36540")
    first, second = disorder("20", ("ICD-10", "E84", "E")), disorder("30", ("ICD-10", "E84", "E"))
    for order in ([group, second, first], [first, second, group]):
        rare = read_orphadata(orphadata(tmp_path / "p1.xml", order))
        assert rare.codes == {who("E84"): "ORPHA:20"}


def test_another_language_and_an_older_form_are_read(tmp_path: Path) -> None:
    spanish = MARFAN.replace("(some words about it)", "(correspondencia exacta)")
    older = spanish.replace("OrphaCode>", "OrphaNumber>").replace("21527", "").replace("21611", "")
    rare = read_orphadata(orphadata(tmp_path / "es.xml", [older]))
    assert rare.orpha_of(who("Q87.4")) == "ORPHA:558"


BOMB = """
<!DOCTYPE JDBOR [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>"""
OUTSIDE = '\n<!DOCTYPE JDBOR [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("content", "element", "message"),
    [
        (b"", "", "no well-formed XML"),
        (b"PK\x03\x04", "", "no well-formed XML"),
        (b"<JDBOR><DisorderList>", "", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="EBCDIC-X"?><JDBOR/>', "", "encoding"),
        (b"<html></html>", "html", "is not JDBOR"),
        (b"<JDBOR><DisorderList/></JDBOR>", "JDBOR.DisorderList", "holds no Disorder"),
        (
            b"<JDBOR><DisorderList>\n<Disorder><Name>x</Name></Disorder></DisorderList></JDBOR>",
            "Disorder.OrphaCode",
            r"missing or no ORPHAcode \(line 2\)",
        ),
        (
            b"<JDBOR><DisorderList><Disorder><OrphaCode>1</OrphaCode></Disorder></DisorderList>"
            b"</JDBOR>",
            "JDBOR.DisorderList",
            "maps no code",
        ),
        (
            b"<JDBOR><ExternalReference><DisorderMappingRelation/></ExternalReference></JDBOR>",
            "JDBOR.ExternalReference.DisorderMappingRelation",
            "stands outside",
        ),
    ],
)
def test_a_file_that_is_none_is_named_with_line_and_element(
    tmp_path: Path, content: bytes, element: str, message: str
) -> None:
    path = tmp_path / "p1.xml"
    path.write_bytes(content)
    with pytest.raises(TerminologyError, match=message) as error:
        read_orphadata(path)
    assert str(path) in str(error.value)
    assert "line" in str(error.value)
    assert error.value.element == element


@pytest.mark.parametrize("head", [BOMB, OUTSIDE])
def test_entities_are_refused_before_they_are_used(tmp_path: Path, head: str) -> None:
    path = orphadata(tmp_path / "p1.xml", [MARFAN.replace("Invented", "&x;&b;")], head=head)
    with pytest.raises(TerminologyError, match="declares an entity"):
        read_orphadata(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TerminologyError, match=r"nowhere\.xml: cannot be read"):
        load_terminology(orphadata=tmp_path / "nowhere.xml")


def test_c20_an_exactly_mapped_code_makes_a_condition_rare(tmp_path: Path) -> None:
    site = load_terminology(orphadata=orphadata(tmp_path / "p1.xml", [MARFAN]))
    shipped = load_terminology()

    def rare(*codings: tuple[str, str]) -> tuple[str | None, str | None]:
        sent = condition(codings=codings)
        found = (classify(sent, terminology=one).rare_code for one in (site, shipped))
        return next(found), next(found)

    assert rare((ICD_10, "Q874")) == ("ORPHA:558", None)
    assert rare((ICD_10_CM, "Q87.4")) == ("ORPHA:558", None)
    assert rare((OMIM, "154700")) == ("ORPHA:558", "OMIM:154700")
    assert rare((OMIM, "219700")) == ("OMIM:219700", "OMIM:219700")
    assert rare((ICD_10, "I10")) == (None, None)
    # What Orphanet itself says goes first.
    assert rare((ICD_10, "Q87.4"), ("http://www.orpha.net", "586"))[0] == "ORPHA:586"
    assert rare((ORPHANET, "586"), (ORPHANET, "558"), (OMIM, "219700"))[1] == "ORPHA:586"


def test_a_variant_of_icd_10_is_looked_up_by_its_rules(tmp_path: Path) -> None:
    german = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
    file = orphadata(tmp_path / "p1.xml", [MARFAN])
    sent = condition(codings=[(german, "Q87.4")])
    with_variant = load_terminology(icd10_variants={german: "icd-10"}, orphadata=file)
    assert classify(sent, terminology=with_variant).rare_code == "ORPHA:558"
    assert classify(sent, terminology=load_terminology(orphadata=file)).rare_code is None
