"""A parcel of outgoing rows: what goes in comes out, what is held or done does not (GATE-1, FLOW-3, PUSH-4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.staging import outgoing
from adapters.staging.outgoing_json import clean, from_json, to_json
from sync.errors import GateRejected
from sync.push import Outcome, Receipt, Target
from sync.records import PUSHED, Kind
from tests.outgoing_rows import row, staged

TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8) | st.sampled_from(["$decimal", "$object"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.decimals(allow_nan=False) | TEXT
VALUES = st.dictionaries(TEXT, st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)))


def pass_gate(parcel: Any, *held: int) -> None:
    """As if the gate had let the batch go on, but for these rows."""
    query = "SELECT seq, crm_id, 'value_present', 'why', 'subject', NULL FROM staged WHERE outbox_id IN (SELECT unnest(?))"
    parcel.execute(f"INSERT INTO set_aside {query}", [list(held)])
    parcel.tell("state", outgoing.CHECKED)


@pytest.mark.parametrize("kind", PUSHED)
def test_rows_come_out_as_they_went_in_and_in_order(tmp_path: Path, kind: Kind) -> None:
    rows = [row(kind, number) for number in (3, 1, 2)]
    rows[1] = replace(rows[1], version=7, push_key="", remote_id="made-before", repeated=True)
    rows[2] = replace(rows[2], targets=(Target(Kind.LEAD, "l1"), Target(Kind.CONTACT, "c1")))
    store, ref = staged(tmp_path, kind, rows)
    with store.open(ref) as parcel:
        pass_gate(parcel)
        assert outgoing.outgoing(parcel) == tuple(rows)
        assert outgoing.outbox_ids(parcel) == (3, 1, 2)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_every_value_survives_the_parcel(values: dict[str, Any]) -> None:
    """Decimals keep their digits, None stays None; a name of a visitor's choice is none of ours."""
    back = from_json(to_json(clean(values)))
    assert back == values
    assert str(back) == str(values), "1, 1.0 and Decimal('1') are equal, but not the same"


def test_what_no_crm_takes_is_taken_out_of_texts(tmp_path: Path) -> None:
    """NUL characters as on the way from the CRM; halves of characters, which JSON can bring, are replaced."""
    store, ref = staged(tmp_path, Kind.TASK, [row(Kind.TASK, subject="a\x00b\ud800c\n\u00e9\U0001f600", description=("x", "y\x00"))])
    with store.open(ref) as parcel:
        pass_gate(parcel)
        values = outgoing.outgoing(parcel)[0].values
    assert values["subject"] == "ab\ufffdc\n\u00e9\U0001f600"
    assert values["description"] == ["x", "y"]


def test_a_value_that_is_none_is_a_mistake_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        staged(tmp_path, Kind.TASK, [row(Kind.TASK, subject=object())])


@pytest.mark.parametrize("state", [None, "rejected"])
def test_gate_1_nothing_leaves_a_parcel_that_has_not_passed_its_checks(tmp_path: Path, state: str | None) -> None:
    store, ref = staged(tmp_path, Kind.TASK, [row(Kind.TASK)])
    with store.open(ref) as parcel:
        if state:
            parcel.tell("state", state)
        with pytest.raises(GateRejected, match="has not passed its checks"):
            outgoing.outgoing(parcel)


def test_flow_3_what_has_a_receipt_is_not_sent_again_when_the_step_is_repeated(tmp_path: Path) -> None:
    """A postponed row was not looked at by the CRM: it is still to be sent."""
    store, ref = staged(tmp_path, Kind.TASK, [row(Kind.TASK, number) for number in range(1, 6)])
    with store.open(ref) as parcel:
        pass_gate(parcel, 5)
        first = [Receipt(1, 1, Outcome.ACCEPTED, "t1"), Receipt(2, 1, Outcome.REFUSED, said="no\x00", final=True)]
        outgoing.keep_receipts(parcel, [*first, Receipt(3, 1, Outcome.POSTPONED)])
    with store.open(ref) as parcel:
        assert [each.outbox_id for each in outgoing.outgoing(parcel)] == [3, 4]
        outgoing.keep_receipts(parcel, [Receipt(3, 1, Outcome.ACCEPTED, "t3"), Receipt(4, 1, Outcome.ACCEPTED, "t4")])
        assert outgoing.outgoing(parcel) == ()
        assert outgoing.receipts(parcel) == (
            Receipt(1, 1, Outcome.ACCEPTED, "t1"),
            Receipt(2, 1, Outcome.REFUSED, said="no", final=True),
            Receipt(3, 1, Outcome.ACCEPTED, "t3"),
            Receipt(4, 1, Outcome.ACCEPTED, "t4"),
        )


def test_push_4_a_held_row_has_a_receipt_in_the_crms_stead(tmp_path: Path) -> None:
    store, ref = staged(tmp_path, Kind.TASK, [replace(row(Kind.TASK, number), version=number) for number in (1, 2, 3)])
    with store.open(ref) as parcel:
        assert outgoing.refused_by_gate(parcel) == ()
        pass_gate(parcel, 2, 3)
        parcel.execute(
            "INSERT INTO set_aside SELECT seq, crm_id, 'same_thing_once', 'Said twice.', NULL, NULL FROM staged WHERE outbox_id = 3"
        )
        parcel.execute(
            "INSERT INTO set_aside SELECT seq, crm_id, 'value_fits', 'why', 'place (2 characters at most)', 'xyz' FROM staged WHERE seq = 1"
        )
        assert outgoing.refused_by_gate(parcel) == (
            Receipt(2, 2, Outcome.REFUSED, said="held back: place (2 characters at most) is too long: xyz; subject is missing"),
            Receipt(3, 3, Outcome.REFUSED, said="held back: Said twice.; subject is missing", final=True),
        )


def test_staging_again_starts_afresh(tmp_path: Path) -> None:
    """FLOW-3: a step that is repeated leaves nothing of its first try."""
    store, ref = staged(tmp_path, Kind.TASK, [row(Kind.TASK, 1)])
    with store.open(ref) as parcel:
        pass_gate(parcel)
        outgoing.keep_receipts(parcel, [Receipt(1, 1, Outcome.ACCEPTED, "t1")])
    store, again = staged(tmp_path, Kind.TASK, [row(Kind.TASK, 2)])
    assert (again.path, again.parcel_id == ref.parcel_id) == (ref.path, False)
    with store.open(again) as parcel:
        assert (outgoing.receipts(parcel), outgoing.outbox_ids(parcel), parcel.told("state")) == ((), (2,), None)


def test_an_empty_batch_is_a_batch(tmp_path: Path) -> None:
    store, ref = staged(tmp_path, Kind.TASK, [])
    with store.open(ref) as parcel:
        pass_gate(parcel)
        assert outgoing.outgoing(parcel) == ()
