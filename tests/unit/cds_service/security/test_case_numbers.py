"""Numbers that people write on paper and read to each other."""

import pytest

from cds_service.security.case_numbers import new_case_number, read_case_number


def test_a_new_number_is_read_however_it_is_typed() -> None:
    numbers = {new_case_number() for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        for typed in (number, number.lower(), number.replace("-", ""), f" {number} "):
            assert read_case_number(typed) == number


def test_a_one_may_be_typed_as_a_letter_that_looks_like_it() -> None:
    number = next(one for one in iter(new_case_number, "") if "1" in one)
    assert read_case_number(number.replace("1", "I")) == number
    assert read_case_number(number.replace("1", "l")) == number


def test_every_single_slip_and_every_swap_of_neighbours_is_noticed() -> None:
    signs = "123456789ABCDEFGHJKMNPQRSTVWXYZ"
    for _ in range(20):
        plain = new_case_number().replace("-", "")
        for place, sign in enumerate(plain):
            for other in signs.replace(sign, ""):
                assert read_case_number(plain[:place] + other + plain[place + 1 :]) is None
        for place in range(len(plain) - 1):
            swapped = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
            if swapped != plain:
                assert read_case_number(swapped) is None


@pytest.mark.parametrize("text", ["", "K7M4", "K7M4-9QXE-1", "O000-0000", "K7M4-9Q\0X", "ñ" * 8])
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_case_number(text) is None
