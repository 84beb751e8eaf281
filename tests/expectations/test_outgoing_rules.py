"""The gate over batches that wait to be sent, with Great Expectations at work: every rule both ways (GATE-1 to GATE-4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.staging import Parcel, outgoing
from expectations.gate import run_gate
from expectations.outgoing_rules import outgoing_rules
from sync.gate import Status, Verdict
from sync.push import Outgoing, Target
from sync.records import PUSHED, Kind
from tests.expectations.parcel import context
from tests.outgoing_rows import AT, COUNTERS, VALUES, row, staged

LENGTHS = {"subject": 10, "title": 10, "campaign": 20, "page": 20, "event": 20, "last_name": 10, "page_views.title": 10}
CHOICES = {"lead_source": frozenset({"Web", "Fair"}), "interests": frozenset({"a", "b"})}
REQUIRED = ("last_name",)
FIELDS = {"last_name": "Ada"}


@dataclass(frozen=True)
class Judged:
    """`held`: (outbox_id, rule, column, value) of every held row and rule; `sent`: what may go."""

    verdict: Verdict
    held: tuple[tuple[Any, ...], ...]
    sent: tuple[Outgoing, ...]

    @property
    def rules(self) -> set[str]:
        return {check.rule for check in self.verdict.checks if check.status is not Status.PASSED}


@contextmanager
def parcel_of(folder: Path, kind: Kind, rows: Sequence[Outgoing]) -> Iterator[Parcel]:
    store, ref = staged(folder, kind, rows)
    with store.open(ref) as parcel:
        outgoing.keep_limits(parcel, LENGTHS, CHOICES, REQUIRED if kind is Kind.NEW_LEAD else ())
        yield parcel


def judge(kind: Kind, *rows: Outgoing, **changes: Any) -> Judged:
    with TemporaryDirectory() as folder, parcel_of(Path(folder), kind, rows) as parcel:
        verdict = run_gate(parcel, context(kind=kind, columns={}, **changes), outgoing_rules(kind))
        held = parcel.execute(
            f"SELECT CAST(crm_id AS BIGINT), rule, column_name, value FROM ({verdict.held_query}) ORDER BY ALL"
        ).fetchall()
        parcel.execute(f"CREATE OR REPLACE TABLE set_aside AS {verdict.held_query}")
        parcel.tell("state", outgoing.CHECKED)
        return Judged(verdict, tuple(held), outgoing.outgoing(parcel))


@pytest.mark.parametrize("kind", PUSHED)
def test_gate_1_good_rows_of_every_kind_pass(kind: Kind) -> None:
    rows = [row(kind, number) for number in range(1, 4)]
    judged = judge(kind, *rows)
    assert judged.rules == set()
    assert judged.sent == tuple(rows)
    assert not {check.rule for check in judged.verdict.checks} & {"mass_blanking", "row_count"}, "what is sent has no history"


@pytest.mark.parametrize("kind", [Kind.OPENED, Kind.CLICKED])
def test_gate_1_counters_of_a_campaign_are_about_nobody(kind: Kind) -> None:
    assert judge(kind, row(kind, of=COUNTERS)).rules == set()


def test_an_empty_batch_passes() -> None:
    assert judge(Kind.SENT).verdict.passed


LONG = "a@" + "b" * 248 + ".com"
GOOD: Mapping[str, tuple[Kind, Outgoing]] = {
    "an opt-out needs no address": (Kind.OPT_OUT, row(Kind.OPT_OUT, address=None)),
    "an opt-out needs no key": (Kind.OPT_OUT, replace(row(Kind.OPT_OUT), push_key="")),
    "the longest address": (Kind.SENT, row(Kind.SENT, address=LONG)),
    "an update that empties the address": (Kind.UPDATE, row(Kind.UPDATE, address="")),
    "an update of the address alone": (Kind.UPDATE, row(Kind.UPDATE, fields={}, address="a@example.com")),
    "a field that is emptied": (Kind.UPDATE, row(Kind.UPDATE, fields={"title": None, "lead_source": None})),
    "a drop-down that is emptied": (Kind.UPDATE, row(Kind.UPDATE, fields={"lead_source": ""})),
    "several choices": (Kind.UPDATE, row(Kind.UPDATE, fields={"interests": ["a", "b"]})),
    "a text as long as its field": (Kind.TASK, row(Kind.TASK, subject="\u00e4\u20ac" * 5)),
    "a mail without a subject": (Kind.SENT, row(Kind.SENT, subject=None)),
    "a bounced mail": (Kind.SENT, row(Kind.SENT, delivery_status="bounced")),
    "a task without a date": (Kind.TASK, row(Kind.TASK, due_at=None)),
    "a time with a fraction": (Kind.SENT, row(Kind.SENT, sent_at="2026-11-24T10:00:00.123456Z")),
    "an answer with the name of a time": (Kind.COMPLETION, row(Kind.COMPLETION, answers={"at": "never", "pages": "many"})),
    "a record that is there needs no key": (Kind.SENT, replace(row(Kind.SENT), push_key="", remote_id="made")),
}


def numbered(number: int, one: Outgoing) -> Outgoing:
    """Row 1 as another row, about somebody else where nothing else is said of whom it is about."""
    default = row(one.kind, 1)
    address = one.values.get("address")
    values = {**one.values, "address": f"person{number}@example.com"} if address == "person1@example.com" else one.values
    key = f"key-{number}" if one.push_key == default.push_key else one.push_key
    targets = (Target(Kind.CONTACT, f"c{number}"),) if one.targets and one.targets == default.targets else one.targets
    return replace(one, outbox_id=number, values=values, push_key=key, targets=targets)


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in GOOD.values()}))
def test_gate_1_what_is_well_passes(kind: Kind) -> None:
    cases = [one for of, one in GOOD.values() if of is kind]
    assert judge(kind, *(numbered(number, one) for number, one in enumerate(cases, 1))).held == ()


BAD: Mapping[str, tuple[Kind, Outgoing, str, str | None, str | None]] = {
    "a person without a CRM record": (Kind.SENT, replace(row(Kind.SENT), targets=()), "target_present", None, None),
    "an empty CRM id": (Kind.SCORE, replace(row(Kind.SCORE), targets=(Target(Kind.LEAD, ""),)), "target_well_formed", "lead", ""),
    "the second CRM id is none": (
        Kind.SCORE,
        replace(row(Kind.SCORE), targets=(Target(Kind.LEAD, "l1"), Target(Kind.CONTACT, "c\u00a01"))),
        "target_well_formed",
        "contact",
        "c\u00a01",
    ),
    "a record that is no person": (
        Kind.TASK,
        replace(row(Kind.TASK), targets=(Target(Kind.ACCOUNT, "a1"),)),
        "target_well_formed",
        "account",
        "a1",
    ),
    "nothing to name the record by": (Kind.VISIT, replace(row(Kind.VISIT), push_key=""), "push_key_present", "push_key", ""),
    "a key with a blank": (Kind.VISIT, replace(row(Kind.VISIT), push_key="a 1"), "push_key_present", "push_key", "a 1"),
    "a mail to no address": (Kind.SENT, row(Kind.SENT, address=None), "address_present", "address", None),
    "a new lead with a blank address": (Kind.NEW_LEAD, row(Kind.NEW_LEAD, address=" \t"), "address_present", "address", " \t"),
    "no address at all": (Kind.NEW_LEAD, row(Kind.NEW_LEAD, of={"fields": FIELDS}, address=None), "address_present", "address", None),
    "an address that is none": (Kind.NEW_LEAD, row(Kind.NEW_LEAD, address="nobody"), "email_well_formed", "address", "nobody"),
    "an update to an address that is none": (Kind.UPDATE, row(Kind.UPDATE, address="a@b"), "email_well_formed", "address", "a@b"),
    "an address too long": (Kind.SENT, row(Kind.SENT, address=f"a{LONG}"), "email_length", "address", f"a{LONG}"[:200]),
    "a task without a subject": (Kind.TASK, row(Kind.TASK, subject=None), "value_present", "subject", None),
    "a subject of blanks": (Kind.TASK, row(Kind.TASK, subject=" \t"), "value_present", "subject", " \t"),
    "a mail of no time": (Kind.SENT, row(Kind.SENT, sent_at=None), "value_present", "sent_at", None),
    "a delivery that nobody knows": (Kind.SENT, row(Kind.SENT, delivery_status=None), "value_present", "delivery_status", None),
    "a visit of no time": (Kind.VISIT, row(Kind.VISIT, of={}), "value_present", "started_at", None),
    "counters of no campaign": (Kind.OPENED, row(Kind.OPENED, of=COUNTERS, campaign=None), "value_present", "campaign", None),
    "counters that count nothing": (Kind.CLICKED, row(Kind.CLICKED, of=COUNTERS, clicks=None), "value_present", "clicks", None),
    "a score that is none": (Kind.SCORE, row(Kind.SCORE, score=float("nan")), "number_readable", "score", "nan"),
    "an endless score": (Kind.SCORE, row(Kind.SCORE, score=float("-inf")), "number_readable", "score", "-inf"),
    "a score in words": (Kind.SCORE, row(Kind.SCORE, score="high"), "number_readable", "score", "high"),
    "a field that is no number": (Kind.UPDATE, row(Kind.UPDATE, fields={"revenue": float("inf")}), "number_readable", "revenue", "inf"),
    "a day that is none": (
        Kind.SENT,
        row(Kind.SENT, sent_at="2026-02-30T10:00:00Z"),
        "instant_readable",
        "sent_at",
        "2026-02-30T10:00:00Z",
    ),
    "a time in words": (Kind.TASK, row(Kind.TASK, due_at="infinity"), "instant_readable", "due_at", "infinity"),
    "a view at no time": (
        Kind.VISIT,
        row(Kind.VISIT, page_views=[{"key": "k", "at": AT}, {"key": "l", "at": "soon"}]),
        "instant_readable",
        "page_views.at",
        "soon",
    ),
    "a status that we do not know": (Kind.SENT, row(Kind.SENT, delivery_status="lost"), "word_known", "delivery_status", "lost"),
    "a priority that we do not know": (Kind.TASK, row(Kind.TASK, priority="urgent"), "word_known", "priority", "urgent"),
    "a subject too long": (Kind.TASK, row(Kind.TASK, subject="x" * 11), "value_fits", "subject (10 characters at most)", "x" * 11),
    "a field too long": (
        Kind.UPDATE,
        row(Kind.UPDATE, fields={"title": "y" * 300}),
        "value_fits",
        "title (10 characters at most)",
        "y" * 200,
    ),
    "a page title too long": (
        Kind.VISIT,
        row(Kind.VISIT, page_views=[{"title": "x" * 11, "at": AT}]),
        "value_fits",
        "page_views.title (10 characters at most)",
        "x" * 11,
    ),
    "no choice of the CRM's": (Kind.UPDATE, row(Kind.UPDATE, fields={"lead_source": "web"}), "choice_known", "lead_source", "web"),
    "one of several choices": (Kind.UPDATE, row(Kind.UPDATE, fields={"interests": ["a", "c"]}), "choice_known", "interests", "c"),
    "a new lead without a name": (Kind.NEW_LEAD, row(Kind.NEW_LEAD, fields={}), "required_present", "last_name", None),
    "a new lead with a blank name": (Kind.NEW_LEAD, row(Kind.NEW_LEAD, fields={"last_name": " "}), "required_present", "last_name", None),
    "an update of nothing": (Kind.UPDATE, row(Kind.UPDATE, fields={}), "something_to_write", None, None),
}


@pytest.mark.parametrize("kind", sorted({case[0] for case in BAD.values()}))
def test_gate_2_bad_rows_are_held_each_with_its_reason_and_the_good_one_goes(kind: Kind) -> None:
    cases = [case[1:] for case in BAD.values() if case[0] is kind]
    good = row(kind, 99)
    judged = judge(kind, *(numbered(number, case[0]) for number, case in enumerate(cases, 1)), good)
    assert judged.held == tuple((number, *case[1:]) for number, case in enumerate(cases, 1))
    assert judged.rules == {case[1] for case in cases} and judged.verdict.passed
    assert judged.sent == (good,)


@pytest.mark.parametrize("kind", [Kind.OPT_OUT, Kind.SENT])
def test_gate_3_a_row_that_comes_twice_stops_the_batch(kind: Kind) -> None:
    judged = judge(kind, row(kind, 1), replace(row(kind, 2), outbox_id=1))
    assert "outgoing_once" in judged.rules and not judged.verdict.passed
    assert "nothing of it was sent" in str(judged.verdict.rejection("report"))


def test_gate_3_two_records_may_not_be_made_with_one_key_push_3() -> None:
    """The CRM would take the second for the first and keep one; a record that is there already has no use for its key."""
    same = [replace(row(Kind.TASK, number), push_key="same") for number in (1, 2)]
    assert judge(Kind.TASK, *same).rules == {"push_key_once"}
    none = [replace(each, push_key="", remote_id=f"r{each.outbox_id}") for each in same]
    assert judge(Kind.TASK, *none).rules == set()


def test_gate_2_rows_that_would_overwrite_one_another_are_held() -> None:
    judged = judge(Kind.SENT, *(replace(row(Kind.SENT, number), remote_id="made") for number in (1, 2)), row(Kind.SENT, 3))
    assert [(held[0], held[1]) for held in judged.held] == [(1, "remote_id_once"), (2, "remote_id_once")]


def about_one(kind: Kind, **values: Any) -> list[Outgoing]:
    return [replace(row(kind, number, **values), targets=(Target(Kind.CONTACT, "c1"),)) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("kind", "rows", "held"),
    [
        (Kind.SENT, about_one(Kind.SENT), [2, 3]),
        (Kind.TASK, [*about_one(Kind.TASK)[:1], row(Kind.TASK, 2), *about_one(Kind.TASK)[2:]], [3]),
        (Kind.COMPLETION, about_one(Kind.COMPLETION), [2, 3]),
        (Kind.REGISTRATION, about_one(Kind.REGISTRATION), [2, 3]),
        (Kind.VISIT, about_one(Kind.VISIT), []),
        (Kind.CLICKED, about_one(Kind.CLICKED), []),
        (Kind.OPT_OUT, about_one(Kind.OPT_OUT), []),
        (Kind.UPDATE, about_one(Kind.UPDATE), []),
        (Kind.SCORE, [*about_one(Kind.SCORE)[:2], *about_one(Kind.SCORE, field="other_c")[2:]], [1]),
        (Kind.OPENED, [row(Kind.OPENED, number, of=COUNTERS, opens=number) for number in (1, 2, 3)], [1, 2]),
        (Kind.NEW_LEAD, [row(Kind.NEW_LEAD, n, address=a) for n, a in enumerate(("a@x.example", " A@X.example", "b@x.example"))], [1]),
    ],
)
def test_gate_2_nothing_is_told_twice_in_one_batch(kind: Kind, rows: Sequence[Outgoing], held: list[int]) -> None:
    """Of a score the last word counts; of what happened, the first row; of two new leads with one address, one is made."""
    judged = judge(kind, *rows)
    assert [each[0] for each in judged.held] == held
    assert {each[1] for each in judged.held} <= {"same_thing_once", "address_once"}
    assert judged.verdict.passed


def test_gate_2_limits_hold_for_the_kind_of_record_that_is_written() -> None:
    lead, contact = (
        replace(row(Kind.UPDATE, n, fields={"title": "x" * 8}), targets=(Target(k, "c"),)) for n, k in enumerate((Kind.LEAD, Kind.CONTACT))
    )
    with TemporaryDirectory() as folder:
        store, ref = staged(Path(folder), Kind.UPDATE, [lead, contact])
        with store.open(ref) as parcel:
            assert outgoing.record_kinds(parcel) == (Kind.CONTACT, Kind.LEAD)
            assert outgoing.names(parcel) == ("title",)
            outgoing.keep_limits(parcel, {"title": 3}, {})
            outgoing.forget_limits(parcel)
            outgoing.keep_limits(parcel, {"title": 5}, {}, of=Kind.CONTACT)
            outgoing.keep_limits(parcel, {"title": 9}, {"title": frozenset({"Dr"})}, of=Kind.LEAD)
            verdict = run_gate(parcel, context(kind=Kind.UPDATE, columns={}), outgoing_rules(Kind.UPDATE))
            assert parcel.execute(f"SELECT crm_id, rule FROM ({verdict.held_query}) ORDER BY ALL").fetchall() == [
                ("0", "choice_known"),
                ("1", "value_fits"),
            ]


def test_gate_3_too_many_held_rows_stop_the_batch_but_for_those_that_were_held_before() -> None:
    bad = [row(Kind.TASK, number, subject=None) for number in (1, 2)]
    rows = [*bad, *(row(Kind.TASK, number) for number in range(3, 11))]
    assert judge(Kind.TASK, *rows, max_held_share=0.1).rules == {"value_present", "held_share"}
    again = judge(Kind.TASK, *rows, max_held_share=0.1, held_before=frozenset({"1", "2"}))
    assert again.verdict.passed and len(again.sent) == 8
    assert "held back before" in next(check.observed for check in again.verdict.checks if check.rule == "held_share")


def test_gate_4_a_check_that_can_not_be_evaluated_stops_the_batch() -> None:
    with TemporaryDirectory() as folder, parcel_of(Path(folder), Kind.TASK, [row(Kind.TASK)]) as parcel:
        parcel.execute("DROP TABLE lengths")
        verdict = run_gate(parcel, context(kind=Kind.TASK, columns={}), outgoing_rules(Kind.TASK))
    assert not verdict.passed
    assert {check.rule for check in verdict.checks if check.status is Status.NOT_EVALUATED} == {"value_fits"}


ANY = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(max_size=12)
    | st.sampled_from(["Web", AT, "2026-11-31"])
)
ADDRESSES = st.none() | st.builds("{}@{}.{}".format, *[st.text(alphabet="ab .@\u00a0\u00e9", max_size=4)] * 3)
TARGETS = st.lists(
    st.builds(Target, st.sampled_from([Kind.LEAD, Kind.CONTACT, Kind.USER]), st.text(alphabet="ab \t", max_size=3)), max_size=2
)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Kind, list[Outgoing]]:
    """Batches in which some values are replaced by others of any type."""
    kind = draw(st.sampled_from(PUSHED))
    rows = []
    for number in range(draw(st.integers(0, 12))):
        names = sorted({*VALUES[kind], "fields.title", "fields.lead_source"} - {"fields"})
        other = draw(st.dictionaries(st.sampled_from(names), ANY, max_size=3)) | draw(
            st.fixed_dictionaries({}, optional={"address": ADDRESSES})
        )
        fields = {name.removeprefix("fields."): value for name, value in other.items() if name.startswith("fields.")}
        values = {name: value for name, value in other.items() if not name.startswith("fields.")}
        if kind in (Kind.NEW_LEAD, Kind.UPDATE):
            values["fields"] = {**VALUES[kind]["fields"], **fields}
        one = row(kind, number, **values)
        keys = draw(
            st.fixed_dictionaries({}, optional={"push_key": st.sampled_from(["", "k", "k k"]), "remote_id": st.sampled_from(["", "r"])})
        )
        rows.append(replace(one, **keys, targets=tuple(draw(TARGETS))) if draw(st.booleans()) else one)
    return kind, rows


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(batches())
def test_gate_2_held_rows_and_those_that_go_are_the_whole(batch: tuple[Kind, list[Outgoing]]) -> None:
    """None lost, none in both. GATE-4: no rule's two counts differ, whatever the values are."""
    kind, rows = batch
    judged = judge(kind, *rows)
    held, sent = {each[0] for each in judged.held}, {each.outbox_id for each in judged.sent}
    assert held | sent == set(range(len(rows))) and not held & sent
    assert len(held) == judged.verdict.held_rows
    assert {check.rule for check in judged.verdict.checks if check.stops} <= {"push_key_once"}
    assert all(check.status is not Status.NOT_EVALUATED for check in judged.verdict.checks)
