"""No patient is ever in two parts, and parts do not move when rows are added."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.splits import HELD_OUT, PARTS, RESERVED, part_of, split, unseen_by

_ROWS = st.lists(st.tuples(st.integers(0, 25), st.integers(2000, 2012)), min_size=1, max_size=60)


def _frame(rows: list[tuple[int, int]], *, dated: bool) -> pd.DataFrame:
    frame = pd.DataFrame({"patient_id": [f"p{patient}" for patient, _ in rows]})
    if dated:
        frame["recorded_at"] = pd.to_datetime([f"{year}-01-01" for _, year in rows], utc=True)
    return frame


@settings(max_examples=100, deadline=None)
@given(rows=_ROWS, dated=st.booleans(), shared=st.booleans())
def test_no_patient_is_in_two_parts(rows: list[tuple[int, int]], dated: bool, shared: bool) -> None:
    frame = _frame(rows, dated=dated)
    found = split(frame, learn_newest=shared)
    inside = np.isin(found.part, PARTS)
    parts = pd.Series(found.part[inside]).groupby(frame["patient_id"].to_numpy()[inside]).nunique()
    assert (parts <= 1).all()


@settings(max_examples=100, deadline=None)
@given(rows=_ROWS, more=_ROWS)
def test_parts_stay_when_rows_are_added(
    rows: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    before = split(_frame(rows, dated=False)).part
    after = split(_frame(rows + more, dated=False)).part
    assert (before == after[: len(rows)]).all()


@settings(max_examples=100, deadline=None)
@given(rows=_ROWS, shared=st.booleans())
def test_what_the_hash_holds_out_is_never_learnt_from(
    rows: list[tuple[int, int]], shared: bool
) -> None:
    frame = _frame(rows, dated=True)
    found = split(frame, learn_newest=shared)
    by_hash = np.array([part_of(patient) == HELD_OUT for patient in frame["patient_id"]])
    assert not np.isin(found.part[by_hash], PARTS[:-1]).any()
    assert not by_hash[found.part == "train"].any()
    assert by_hash[found.part == RESERVED].all()


@settings(max_examples=100, deadline=None)
@given(rows=_ROWS, more=_ROWS, shared=st.booleans())
def test_unseen_rows_are_of_patients_in_no_learning_part(
    rows: list[tuple[int, int]], more: list[tuple[int, int]], shared: bool
) -> None:
    frame = _frame(rows, dated=True)
    found = split(frame, learn_newest=shared)
    learnt = np.isin(found.part, PARTS[:-1])
    newest = frame["recorded_at"][learnt].max() if learnt.any() else None
    shared_from = found.cutoff if found.shared else None
    # Rows that came since the model was trained make nobody unseen who was learnt from.
    later = _frame(rows + more, dated=True)
    unseen = unseen_by(later, newest, shared_from=shared_from)
    seen = set(frame["patient_id"][learnt])
    assert not seen & set(later["patient_id"][unseen])
