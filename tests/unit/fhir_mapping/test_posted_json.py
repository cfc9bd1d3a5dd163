"""The JSON of what is posted."""

import pytest

from fhir_mapping.errors import PostedError
from fhir_mapping.posted_json import decode_object


def test_reads_an_object() -> None:
    assert decode_object(b' {"a": {"b": [1, 2.5, "\xc3\xb1", null]}} ') == {
        "a": {"b": [1, 2.5, "ñ", None]}
    }
    assert decode_object(b'{"a": {"x": 1}, "b": {"x": 1}}') == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"[1]", "must be a FHIR resource"),
        (b"1", "must be a FHIR resource"),
        (b'{"a": 1,}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": Infinity}', "not JSON"),
        (b'{"a": 1e400}', "not JSON"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not JSON"),
        (b'{"a": "\\udc00"}', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', "twice"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "not JSON"),
    ],
)
def test_everything_else_is_refused_without_repeating_it(body: bytes, words: str) -> None:
    with pytest.raises(PostedError) as caught:
        decode_object(body)
    assert words in str(caught.value)
    assert caught.value.status == 400
