"""The gate over real parcels, with Great Expectations at work (GATE-1 to GATE-5)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from expectations.gate import run_gate
from expectations.rules import Expectation, rules_for
from sync.fields import TEXT
from sync.gate import BatchContext, CheckResult, Status, Verdict
from sync.records import Kind
from tests.expectations.parcel import OPPORTUNITY, PERSON, SHORT, context, parcel, person


def result(verdict: Verdict, rule: str) -> CheckResult:
    return next(check for check in verdict.checks if check.rule == rule)


def held(con: duckdb.DuckDBPyConnection, verdict: Verdict) -> list[tuple[Any, ...]]:
    return con.execute(f"SELECT crm_id, rule, column_name, value FROM ({verdict.held_query}) ORDER BY seq, rule").fetchall()


def test_a_good_batch_passes_every_check() -> None:
    """GATE-1: the verdict that lets a batch go on."""
    verdict = run_gate(parcel([person(n) for n in range(5)]), context(blank_shares={"title": 1.0}, whole=True, known_rows=5))
    assert verdict.passed
    assert verdict.held_rows == 0 and verdict.holds == ()
    assert {check.status for check in verdict.checks} == {Status.PASSED}
    assert result(verdict, "id_present").evaluated == 5


GOOD: dict[str, dict[str, Any]] = {
    "plain": {"email": "a@example.com"},
    "no address": {"email": None},
    "empty address": {"email": ""},
    "blanks around": {"email": "  a@example.com "},
    "plus and dots": {"email": "first.last+news@mail.example.co.uk"},
    "unicode": {"email": "jürgen@bücher.example"},
    "japanese": {"email": "用户@例え.テスト"},
    "apostrophe": {"email": "o'neill@example.com"},
    "longest address": {"email": "a@" + "b" * 248 + ".com"},
    "text as long as its column": {"title": "x" * 10},
    "characters count, not bytes": {"title": "ä€" * 5},
    "no reference": {"account_ref": None},
    "empty reference": {"account_ref": ""},
    "unknown reference": {"account_ref": "never-seen"},
    "bounced": {"del_status": 2},
    "lead": {"crm_type": "Lead"},
}
BAD: dict[str, tuple[dict[str, Any], str, str, str | None]] = {
    "no id": ({"crm_id": None}, "id_present", "crm_id", None),
    "empty id": ({"crm_id": ""}, "id_well_formed", "crm_id", ""),
    "id with a line break": ({"crm_id": "a1\n"}, "id_well_formed", "crm_id", "a1\n"),
    "no at": ({"email": "nobody"}, "email_well_formed", "email", "nobody"),
    "two ats": ({"email": "a@b@example.com"}, "email_well_formed", "email", "a@b@example.com"),
    "two addresses": ({"email": "a@x.com;b@x.com"}, "email_well_formed", "email", "a@x.com;b@x.com"),
    "blank inside": ({"email": "a b@example.com"}, "email_well_formed", "email", "a b@example.com"),
    "no-break space inside": ({"email": "a\u00a0b@example.com"}, "email_well_formed", "email", "a\u00a0b@example.com"),
    "no dot": ({"email": "a@localhost"}, "email_well_formed", "email", "a@localhost"),
    "two dots": ({"email": "a@example..com"}, "email_well_formed", "email", "a@example..com"),
    "dot at the end": ({"email": "a@example.com."}, "email_well_formed", "email", "a@example.com."),
    "no name": ({"email": "@example.com"}, "email_well_formed", "email", "@example.com"),
    "with a display name": ({"email": "<a@example.com>"}, "email_well_formed", "email", "<a@example.com>"),
    "address too long": ({"email": "a@" + "b" * 249 + ".com"}, "email_length", "email", ("a@" + "b" * 249)[:200]),
    "text too long": ({"title": "x" * 11}, "text_fits", "title (10 characters at most)", "x" * 11),
    "second text too long": ({"title": "x", "city": "y" * 300}, "text_fits", "city (10 characters at most)", "y" * 200),
    "no stamp": ({"crm_modified_at": None}, "stamp_present", "crm_modified_at", None),
    "unknown type": ({"crm_type": "Robot"}, "crm_type_known", "crm_type", "Robot"),
    "unknown status": ({"del_status": 3}, "del_status_known", "del_status", "3"),
    "negative status": ({"del_status": -1}, "del_status_known", "del_status", "-1"),
    "reference with a blank": ({"account_ref": "a 1"}, "reference_well_formed", "account_ref", "a 1"),
}


def test_sound_values_are_never_held() -> None:
    """GATE-2: the good rows go on; a reference to a record that has not arrived yet is no fault (PULL-6)."""
    verdict = run_gate(parcel([person(n, **values) for n, values in enumerate(GOOD.values())]), context())
    assert [(check.rule, check.observed) for check in verdict.checks if check.failed] == []
    assert verdict.passed


def test_each_bad_row_is_held_with_its_reason_and_what_stood_there() -> None:
    """GATE-2: that row, with the reason; every rule's two counts agree, else the batch would be rejected."""
    con = parcel([person(n, **values) for n, (values, *_) in enumerate(BAD.values())] + [person(99)])
    verdict = run_gate(con, context())
    assert verdict.reasons == ()
    expected = [(values.get("crm_id", f"c{n}"), rule, column, value) for n, (values, rule, column, value) in enumerate(BAD.values())]
    assert held(con, verdict) == expected
    assert verdict.held_rows == len(BAD)
    assert all(check.reason and check.title for check in verdict.checks)


def test_values_that_could_not_be_read_hold_their_row_once() -> None:
    """GATE-2: two unreadable values, one held row, and both are named."""
    con = parcel([person(1), person(2)], unreadable=[(1, "birthdate", "31.02.2026", "date"), (1, "del_status", "many", "integer")])
    verdict = run_gate(con, context())
    assert held(con, verdict) == [("c2", "value_readable", "birthdate (date), del_status (integer)", "31.02.2026, many")]
    assert verdict.held_rows == 1


def test_a_row_that_breaks_several_rules_counts_once() -> None:
    """GATE-2, GATE-5: each rule tells its reason; the number of held rows is a number of rows."""
    con = parcel([person(1, email="nobody", title="x" * 11, del_status=9), person(2)])
    verdict = run_gate(con, context())
    assert verdict.held_rows == 1
    assert [rule for _, rule, *_ in held(con, verdict)] == ["del_status_known", "email_well_formed", "text_fits"]


def test_probabilities_outside_of_a_percentage_are_held() -> None:
    rows = [person(n, probability=value) for n, value in enumerate([0, 100, None, 101, -1])]
    verdict = run_gate(parcel(rows, OPPORTUNITY), context(kind=Kind.OPPORTUNITY, columns=OPPORTUNITY))
    assert result(verdict, "probability_is_percent").examples == ("c3", "c4")


def test_ids_repeated_stop_the_batch() -> None:
    """GATE-3."""
    verdict = run_gate(parcel([person(1), person(2), person(1)]), context())
    assert result(verdict, "id_repeated").status is Status.FAILED
    assert result(verdict, "id_repeated").failed == 2
    assert result(verdict, "id_repeated").examples == ("c1",)
    assert not verdict.passed


def test_rows_without_an_id_are_not_repeated_ids() -> None:
    """GATE-2: two records without an id are two held rows, no reason to stop."""
    verdict = run_gate(parcel([person(1), person(2, crm_id=None), person(3, crm_id=None)]), context())
    assert verdict.passed and verdict.held_rows == 2


@pytest.mark.parametrize("column", ["crm_id", "crm_modified_at"])
def test_a_mandatory_column_without_any_value_stops_the_batch(column: str) -> None:
    """GATE-3: a mandatory column gone."""
    verdict = run_gate(parcel([person(n, **{column: None}) for n in range(3)]), context())
    assert result(verdict, f"column_gone:{column}").status is Status.FAILED
    assert not verdict.passed


@pytest.mark.parametrize("column", ["crm_id", "crm_modified_at"])
def test_a_mandatory_column_that_is_not_there_stops_the_batch(column: str) -> None:
    """GATE-3: and it is said in words, whatever the context promised."""
    columns = {name: kind for name, kind in PERSON.items() if name != column}
    con = parcel([] if column == "crm_id" else [person(1)], columns)
    if column == "crm_id":
        con.execute("INSERT INTO rows_to_write (seq, action) VALUES (0, 'insert')")
    verdict = run_gate(con, context())
    assert result(verdict, f"column_gone:{column}").observed == f"the batch has no column {column}"
    assert result(verdict, f"column_gone:{column}").status is Status.FAILED
    assert not verdict.passed


def test_users_need_no_stamp() -> None:
    """INIT-4: users come whole, so the date of their last change is not mandatory."""
    columns = {"crm_id": TEXT, "email": TEXT}
    verdict = run_gate(parcel([person(1), person(2, email="x")], columns), context(kind=Kind.USER, columns=columns))
    assert verdict.passed and verdict.held_rows == 1


@pytest.mark.parametrize(("bad", "passed"), [(2, True), (3, False)])
def test_more_than_the_allowed_share_of_held_rows_stops_the_batch(bad: int, passed: bool) -> None:
    """GATE-3: two of ten is exactly the limit of 0.2."""
    rows = [person(n, email="nobody" if n < bad else "a@example.com") for n in range(10)]
    verdict = run_gate(parcel(rows), context(max_held_share=0.2))
    assert verdict.passed is passed
    assert verdict.held_rows == bad


def test_rows_held_before_are_held_again_but_do_not_stop_the_batch() -> None:
    """GATE-2, GATE-3: the share is one of new rows."""
    rows = [person(n, email="nobody" if n < 5 else "a@example.com") for n in range(10)]
    verdict = run_gate(parcel(rows), context(max_held_share=0.2, held_before=frozenset(f"c{n}" for n in range(5))))
    assert verdict.passed and verdict.held_rows == 5
    assert "5 more were in quarantine before" in result(verdict, "held_share").observed


@pytest.mark.parametrize(("blank", "passed"), [(6, True), (7, False)])
def test_mass_blanking_of_a_column_stops_the_batch(blank: int, passed: bool) -> None:
    """GATE-3: a tenth was blank before, half more is allowed: six of ten. Great Expectations and the decision agree at the limit."""
    rows = [person(n, title=None if n < blank else "boss") for n in range(10)]
    verdict = run_gate(parcel(rows), context(blank_shares={"title": 0.1}))
    assert verdict.passed is passed
    assert ("title" in result(verdict, "mass_blanking").observed) is not passed


def test_new_records_may_be_blank() -> None:
    """GATE-3: only updates take values away."""
    verdict = run_gate(parcel([person(n, action="insert") for n in range(10)]), context(blank_shares={"title": 0.0}))
    assert verdict.passed


def test_columns_that_an_update_leaves_alone_are_not_blanked() -> None:
    """CONSENT-6, ADDR-1: no value for the delivery status means that it stays."""
    verdict = run_gate(parcel([person(n, del_status=None) for n in range(10)]), context(blank_shares={"del_status": 0.0}))
    assert verdict.passed


def test_a_collapsed_row_count_stops_a_whole_read() -> None:
    """GATE-3."""
    verdict = run_gate(parcel([person(1)]), context(whole=True, rows_read=1, previous_rows=1000))
    assert result(verdict, "row_count").status is Status.FAILED
    assert not verdict.passed


def test_a_batch_without_rows_passes() -> None:
    """FLOW-4: nothing to write is nothing to check."""
    verdict = run_gate(parcel([]), context(rows_read=0, blank_shares={"title": 0.1}))
    assert verdict.passed
    assert result(verdict, "id_present").observed == "nothing to check"
    assert parcel([]).execute(verdict.held_query).fetchall() == []


def broken(context: BatchContext, **changes: Any) -> Sequence[Any]:
    return [replace(rule, **changes) if rule.name == "email_length" else rule for rule in rules_for(context.kind, context.columns)]


@pytest.mark.parametrize(
    "expectation",
    [
        Expectation("ExpectColumnValuesToNotBeNull", {"column": "no_such_column"}),
        Expectation("ExpectNoSuchThing", {}),
        Expectation("ExpectColumnValuesToNotBeNull", {"no_such_argument": 1}),
        Expectation("ExpectColumnValueLengthsToBeBetween", {"column": "del_status", "max_value": 3}),
        Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": "SELECT nothing FROM {batch}"}),
    ],
)
def test_an_expectation_that_can_not_be_evaluated_counts_as_failed(expectation: Expectation) -> None:
    """GATE-4."""
    verdict = run_gate(parcel([person(1)]), context(), broken(context(), expectation=expectation))
    assert result(verdict, "email_length").status is Status.NOT_EVALUATED
    assert not verdict.passed


def test_a_condition_that_can_not_be_run_counts_as_failed_and_leaves_the_others_their_counts() -> None:
    """GATE-4."""
    verdict = run_gate(parcel([person(1), person(2, email="x")]), context(), broken(context(), bad_rows="no_such_column > 3"))
    assert result(verdict, "email_length").status is Status.NOT_EVALUATED
    assert result(verdict, "email_well_formed").status is Status.HELD
    assert not verdict.passed


def test_counts_that_disagree_count_as_failed() -> None:
    """GATE-4: the quarantine would hold other rows than the check found."""
    verdict = run_gate(parcel([person(1)]), context(), broken(context(), bad_rows="email IS NOT NULL"))
    assert result(verdict, "email_length").status is Status.FAILED
    assert "must agree" in result(verdict, "email_length").observed
    assert verdict.holds == ()


def test_a_parcel_that_can_not_be_read_is_rejected() -> None:
    """GATE-4: no check could be evaluated, and none is taken for passed."""
    con = parcel([person(1)])
    con.execute("DROP TABLE rows_to_write")
    verdict = run_gate(con, context())
    assert not verdict.passed
    assert result(verdict, "id_present").status is Status.NOT_EVALUATED


def test_a_persons_data_stays_out_of_the_verdict_and_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """GATE-5: the verdict and the log know CRM ids; values stand in the quarantine only, even when a check crashes over one."""
    con = parcel([person(1, email="very-private"), person(2, title="very-private-too")])
    crash = Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": "SELECT CAST(email AS INTEGER) AS n FROM {batch}"})
    verdict = run_gate(con, context(), broken(context(), expectation=crash))
    assert result(verdict, "email_length").status is Status.NOT_EVALUATED
    assert "very-private" not in repr(verdict) + caplog.text
    assert result(verdict, "text_fits").examples == ("c2",)


def test_columns_with_strange_names_are_checked_like_others() -> None:
    """INIT-2: replicated columns carry the CRM's names; quotes, braces and colons in them change no query."""
    strange = 'odd "name" {batch} :x \' %'
    columns = {**PERSON, strange: SHORT}
    con = parcel([person(1, **{strange: "y" * 11}), person(2)], columns)
    verdict = run_gate(con, context(columns=columns, blank_shares={strange: 0.0}))
    assert held(con, verdict) == [("c1", "text_fits", f"{strange} (10 characters at most)", "y" * 11)]
    assert verdict.passed


def test_several_parcels_can_be_checked_at_once() -> None:
    """INIT-1: reading runs ahead in parallel, so checks meet."""
    verdicts: dict[int, Verdict] = {}

    def check(bad: int) -> None:
        verdicts[bad] = run_gate(parcel([person(n, email="x" if n < bad else None) for n in range(5)]), context())

    threads = [threading.Thread(target=check, args=(bad,)) for bad in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {bad: verdict.held_rows for bad, verdict in verdicts.items()} == {0: 0, 1: 1, 2: 2, 3: 3}
