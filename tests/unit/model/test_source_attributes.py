"""The 31 source attributes of 45 CFR 170.315(b)(11)(iv)(B)."""

from collections import Counter

from model.source_attributes import SOURCE_ATTRIBUTE, SOURCE_ATTRIBUTES, Group


def test_they_are_31_in_nine_groups_of_the_size_the_rule_has() -> None:
    sizes = Counter(one.group for one in SOURCE_ATTRIBUTES)

    assert [sizes[group] for group in Group] == [4, 4, 2, 4, 2, 4, 5, 4, 2]
    assert len(SOURCE_ATTRIBUTES) == len(SOURCE_ATTRIBUTE) == 31


def test_each_has_a_paragraph_of_its_own_in_order() -> None:
    paragraphs = [one.paragraph for one in SOURCE_ATTRIBUTES]

    assert len(set(paragraphs)) == 31
    assert paragraphs[0] == "(1)(i)"
    assert paragraphs[22:27] == ["(7)(iii)", "(7)(iv)", "(7)(v)", "(8)(i)", "(8)(ii)"]
    assert paragraphs[-1] == "(9)(ii)"


def test_nothing_is_left_to_nobody() -> None:
    assert all(one.by_run or one.by_people is not None for one in SOURCE_ATTRIBUTES)
