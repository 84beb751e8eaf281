"""Row-level holding over generated batches: held rows and the rest are the whole, and both counts of every rule agree (GATE-2, GATE-4)."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expectations.gate import run_gate
from expectations.sql import any_of
from sync.gate import Status
from tests.expectations.parcel import context, parcel, person

TEXTS = st.none() | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=14)
ADDRESSES = TEXTS | st.builds("{}@{}.{}".format, *[st.text(alphabet="ab .@\u00a0é", max_size=4)] * 3)
ROW = st.fixed_dictionaries(
    {
        "email": ADDRESSES,
        "title": TEXTS,
        "account_ref": TEXTS,
        "crm_type": st.sampled_from(["Lead", "Contact", "robot", None]),
        "del_status": st.none() | st.integers(-2, 5),
        "crm_modified_at": st.sampled_from([None, "2026-11-01 10:00:00"]),
        "action": st.sampled_from(["insert", "update", "fill"]),
    }
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, max_size=12))
def test_held_rows_and_the_rest_are_the_whole(rows: list[dict[str, Any]]) -> None:
    """GATE-2: none lost, none in both. GATE-4: no rule's counts differ, whatever the values are."""
    con = parcel([person(n, **row) for n, row in enumerate(rows)])
    verdict = run_gate(con, context())
    held = {seq for (seq,) in con.execute(f"SELECT seq FROM ({verdict.held_query})").fetchall()}
    condition = any_of(hold.predicate for hold in verdict.holds) if verdict.holds else "FALSE"
    rest = {seq for (seq,) in con.execute(f"SELECT seq FROM staged WHERE ({condition}) IS NOT TRUE").fetchall()}
    assert held | rest == set(range(len(rows))) and not held & rest
    assert len(held) == verdict.held_rows
    unclear = {check.rule for check in verdict.checks if check.stops and not check.rule.startswith("column_gone")}
    assert unclear == set()
    assert all(check.status is not Status.NOT_EVALUATED for check in verdict.checks)
