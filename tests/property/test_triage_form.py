"""Whatever is typed, the triage form answers: with what was entered, or with what is wrong."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cds_service.services.triage_form import FIELDS, NUMBER, read_form
from fhir_mapping.codes import UCUM
from fhir_mapping.units import convert
from model.features import is_possible

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PIECES = st.sampled_from(
    ["", "0", "7", "68", "118", "38,6", "38.6", "101.3", "1e3", "-9", "998", "nan", "٣", "female",
     "Cel", "[degF]", "1957-04-02", "0000-00-00", "9999-12-31", "AB", "1", "<b>", "\0", "½"]
)  # fmt: skip
FORMS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), PIECES | st.text())


@given(FORMS)
def test_nothing_that_is_typed_is_a_fault_and_nothing_impossible_is_taken(
    fields: dict[str, str],
) -> None:
    read = read_form(fields, NOW)
    assert (read.entered is None) == bool(read.problems)
    named = [problem.field for problem in read.problems]
    assert named == sorted(set(named), key=FIELDS.index)
    if read.entered is not None:
        for name in NUMBER:
            quantity = getattr(read.entered, name)
            if quantity is not None:
                value = convert(name, quantity.value, quantity.unit, UCUM, quantity.unit)
                assert value is not None
                assert is_possible(name, value)
