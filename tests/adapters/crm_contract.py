"""The suite that every CRM adapter passes, calm and hostile, over real HTTP against its sandbox.

A dialect's test module gives a `Bench` (its sandbox, and its adapter to it) and derives a class from each of the two suites.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.crm import Crm
from sync.errors import AccessDenied, CredentialError, GapError, Transient
from sync.records import PULL_ORDER, Condition, Filter, Kind, Page, PageFormat, ReadRequest, Window

ALWAYS = Window()
EVERYBODY = Filter()
DAY = datetime(2026, 8, 1, tzinfo=UTC)
FAULTS = ("429 with Retry-After", "503 with HTML", "page with 200", "truncated", "damaged gzip", "reset")
WRITE_FAULTS = ("reset after commit", "time-out with late success", "answer cut short", "dies half-way", "reset", "busy", "session ends")


class Bench(ABC):
    """One sandbox with `contacts` contacts and nobody else at work, acted on in neutral words."""

    @abstractmethod
    def adapter(self, *, page_rows: int = 10, connections: int = 1, **settings: Any) -> Crm:
        """An adapter; waits cost no time. All adapters of one bench share one session."""

    @abstractmethod
    def ids(self, kind: Kind) -> set[str]:
        """The living records, as the sandbox stores them."""

    @abstractmethod
    def create(self, kind: Kind, record_id: str) -> None:
        """A colleague makes a record; the id is the one wished for."""

    @abstractmethod
    def stamp(self, kind: Kind, ids: Iterable[str], at: datetime) -> None:
        """A mass update: these records get this modified stamp."""

    @abstractmethod
    def delete(self, kind: Kind, record_id: str) -> None:
        """A colleague deletes a record."""

    @abstractmethod
    def add_field(self, kind: Kind, name: str) -> None:
        """An administrator adds a text field."""

    @abstractmethod
    def hide_field(self, kind: Kind, name: str) -> None:
        """An administrator takes a field from the syncing user."""

    @abstractmethod
    def deny(self, kind: Kind, action: str = "") -> None:
        """An administrator takes the kind (or one action on it) from the syncing user."""

    @abstractmethod
    def set_zone(self, zone: str) -> None:
        """The syncing user's time zone."""

    @abstractmethod
    def skew(self, seconds: float) -> None:
        """The CRM's clock goes wrong."""

    @abstractmethod
    def cap_pages(self, rows: int) -> None:
        """The CRM gives no more than this, whatever is asked."""

    @abstractmethod
    def expire_tokens(self, *, for_good: bool = False) -> None:
        """Access tokens grow old; `for_good`: the means of renewing them too."""

    @abstractmethod
    def steal_session(self) -> None:
        """Another program logs in as the syncing user, in the same way."""

    @abstractmethod
    def break_login(self, how: str) -> None:
        """`how`: wrong (the password was changed), expired or locked. Sessions end."""

    @abstractmethod
    def told_of_login(self, how: str) -> str:
        """What the operator reads then, as far as the CRM lets it be known."""

    @abstractmethod
    def mend_login(self) -> None:
        """The administrator puts it right, with the password that we have."""

    @abstractmethod
    def renewals(self) -> int:
        """How often tokens were asked for, by password or by any other means."""

    @abstractmethod
    def writes(self) -> int:
        """How often something was written."""

    @abstractmethod
    def fail(self, how: str, every: int) -> None:
        """From now on each so many-th read fails: one of FAULTS."""

    @abstractmethod
    def failures(self) -> int:
        """How often `fail` has struck."""

    @abstractmethod
    def person(self, kind: Kind, record_id: str, *addresses: str) -> None:
        """A colleague makes a person with these addresses, the first one the primary."""

    @abstractmethod
    def opted_out(self, kind: Kind, record_id: str) -> set[str]:
        """The addresses of this record that are out."""

    def out_after(self, *addresses: str, primary: str) -> set[str]:
        """What `opted_out` says of a record once these addresses of it were pushed as out. `primary`: the record's main address."""
        return {primary, *addresses}

    def values(self, kind: Kind) -> dict[str, Any]:
        """What rows of this kind hold here instead of the usual: names of fields are the CRM's own."""
        return {}

    def surname(self) -> str:
        """The CRM's name of the field with a person's last name."""
        return "last_name"

    @abstractmethod
    def values_of(self, kind: Kind, record_id: str) -> dict[str, Any]:
        """A record as the sandbox stores it."""

    @abstractmethod
    def landed(self, kind: Kind) -> list[str]:
        """The records that pushes of this kind have made, by id. Without any sandbox's own records of that sort."""

    @abstractmethod
    def refuse(self, kind: Kind, words: str) -> None:
        """The CRM refuses to make a record of this push kind whose text holds these words."""

    @abstractmethod
    def fail_writes(self, how: str, count: int = 1) -> None:
        """The next so many calls that write fail: one of WRITE_FAULTS."""

    @abstractmethod
    def object_name(self, kind: Kind) -> str:
        """The CRM's word."""

    @abstractmethod
    def filterable_field(self) -> str:
        """A text field of contacts that a filter may name."""

    @abstractmethod
    def read_elsewhere(self) -> set[str]:
        """Another process reads all contacts by the same session directory; the ids that it saw."""


OpenBench = Callable[..., AbstractContextManager[Bench]]


def lines(page: Page) -> list[dict[str, Any]]:
    """The records of a page; also proves that it holds as many as it says."""
    if page.format is PageFormat.CSV:
        found: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(page.body.decode(), newline="")))
    else:
        found = [json.loads(line) for line in page.body.splitlines()]
    assert len(found) == page.rows
    return found


def read(crm: Crm, request: ReadRequest) -> list[dict[str, Any]]:
    """Everything, stream after stream."""
    return [record for stream in crm.streams(request) for page in crm.pages(request, stream) for record in lines(page)]


def contacts(window: Window = ALWAYS, where: Filter = EVERYBODY, ids: tuple[str, ...] = ()) -> ReadRequest:
    return ReadRequest(Kind.CONTACT, ("title", "description"), window, where, ids)


def key(record: dict[str, Any]) -> str:
    """The id, as any of the CRMs spells the field."""
    return str(next(record[name] for name in ("id", "Id", "contactid") if name in record))


def assert_once_each(records: list[dict[str, Any]], expected: set[str]) -> None:
    counted = Counter(key(record) for record in records)
    assert {one: n for one, n in counted.items() if n > 1} == {}
    assert set(counted) == expected


class CalmSuite:
    """The CRM behaves; what is asked is what comes."""

    @pytest.mark.parametrize("rows", [0, 1, 10, 11, 40, 41])
    @pytest.mark.parametrize("connections", [1, 4])
    def test_the_initial_read_gives_each_record_once_whatever_the_page_size(
        self, open_bench: OpenBench, rows: int, connections: int
    ) -> None:
        """PULL-3, INIT-5: also when the number of records is a multiple of the page size."""
        with open_bench(contacts=rows) as bench:
            crm = bench.adapter(connections=connections)
            assert_once_each(read(crm, contacts()), bench.ids(Kind.CONTACT))
            assert len(bench.ids(Kind.CONTACT)) == rows

    def test_records_with_odd_ids_fall_into_exactly_one_stream(self, open_bench: OpenBench) -> None:
        """PULL-3: ids are not always GUIDs."""
        odd = ("1", "-dash", "0", "9z", "Zeta", "abc", "f", "g", "seed_sally_id", "~tilde", "über")
        with open_bench(contacts=12) as bench:
            for one in odd:
                bench.create(Kind.CONTACT, one)
            crm = bench.adapter(connections=4, page_rows=3)
            assert_once_each(read(crm, contacts()), bench.ids(Kind.CONTACT))

    def test_thousands_of_records_with_one_stamp_are_paged_within_it(self, open_bench: OpenBench) -> None:
        """PULL-3."""
        with open_bench(contacts=1230) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            bench.stamp(Kind.CONTACT, ids[:1200], DAY)
            bench.stamp(Kind.CONTACT, ids[1200:], DAY + timedelta(seconds=1))
            window = Window(DAY, DAY + timedelta(seconds=2))
            assert_once_each(read(bench.adapter(page_rows=100), contacts(window)), set(ids))

    def test_the_window_holds_its_lower_bound_and_not_its_upper_one(self, open_bench: OpenBench) -> None:
        """PULL-1."""
        with open_bench(contacts=4) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            for offset, one in zip((-1, 0, 59, 60), ids, strict=True):
                bench.stamp(Kind.CONTACT, [one], DAY + timedelta(seconds=offset))
            window = Window(DAY, DAY + timedelta(seconds=60))
            assert_once_each(read(bench.adapter(), contacts(window)), set(ids[1:3]))

    @pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"])
    def test_the_users_time_zone_changes_nothing(self, open_bench: OpenBench, zone: str) -> None:
        """PULL-1: stamps come with an offset and are compared as instants; bounds are sent in UTC."""
        with open_bench(contacts=30) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            for n, one in enumerate(ids):
                bench.stamp(Kind.CONTACT, [one], DAY + timedelta(hours=n))
            bench.set_zone(zone)
            window = Window(DAY + timedelta(hours=3), DAY + timedelta(hours=28))
            assert_once_each(read(bench.adapter(page_rows=4), contacts(window)), set(ids[3:28]))

    def test_a_long_window_is_shared_among_connections_without_gap_or_overlap(self, open_bench: OpenBench) -> None:
        """PULL-3: the catch-up after an outage."""
        with open_bench(contacts=60) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            for n, one in enumerate(ids):
                bench.stamp(Kind.CONTACT, [one], DAY + timedelta(hours=2 * n))
            crm, request = bench.adapter(connections=4, page_rows=5), contacts(Window(DAY, DAY + timedelta(hours=120)))
            assert len(crm.streams(request)) == 4
            assert_once_each(read(crm, request), set(ids))

    def test_records_edited_while_paging_are_neither_lost_nor_repeated(self, open_bench: OpenBench) -> None:
        """PULL-3: an edited record leaves this window and is in the next one; all others come once."""
        with open_bench(contacts=60) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            bench.stamp(Kind.CONTACT, ids, DAY)
            upper = DAY + timedelta(minutes=1)
            crm, request = bench.adapter(page_rows=7), contacts(Window(DAY, upper))
            seen: list[dict[str, Any]] = []
            for n, page in enumerate(crm.pages(request, crm.streams(request)[0])):
                seen += lines(page)
                bench.stamp(Kind.CONTACT, [ids[n], ids[-1 - n]], upper + timedelta(seconds=n))
            later = read(crm, contacts(Window(upper, None)))
            assert max(Counter(map(key, seen)).values()) == 1
            assert {key(one) for one in seen} | {key(one) for one in later} == set(ids)

    def test_an_initial_read_is_not_disturbed_by_edits(self, open_bench: OpenBench) -> None:
        """PULL-3."""
        with open_bench(contacts=60) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            crm = bench.adapter(page_rows=7)
            seen: list[dict[str, Any]] = []
            for n, page in enumerate(crm.pages(contacts(), crm.streams(contacts())[0])):
                seen += lines(page)
                bench.stamp(Kind.CONTACT, ids[: n * 7], DAY + timedelta(seconds=n))
            assert_once_each(seen, set(ids))

    @pytest.mark.parametrize("window", [Window(), Window(DAY, DAY + timedelta(days=2))], ids=["everything", "window"])
    def test_a_read_goes_on_from_any_position(self, open_bench: OpenBench, window: Window) -> None:
        """INIT-7: a position survives a restart; what was read before is not read again."""
        with open_bench(contacts=55) as bench:
            ids = sorted(bench.ids(Kind.CONTACT))
            for n, one in enumerate(ids):
                bench.stamp(Kind.CONTACT, [one], DAY + timedelta(minutes=n // 20))
            request, first = contacts(window), bench.adapter(page_rows=10)
            stream = first.streams(request)[0]
            pages = list(first.pages(request, stream))
            for n, page in enumerate(pages[:-1]):
                assert page.position is not None
                rest = list(bench.adapter(page_rows=10).pages(request, stream, page.position))
                assert [one.body for one in rest] == [one.body for one in pages[n + 1 :]]
            assert pages[-1].position is None

    def test_a_damaged_position_asks_for_a_fresh_read(self, open_bench: OpenBench) -> None:
        with open_bench(contacts=1) as bench:
            crm = bench.adapter()
            with pytest.raises(GapError):
                list(crm.pages(contacts(), crm.streams(contacts())[0], "no position"))

    def test_a_server_that_gives_smaller_pages_than_asked_is_read_to_the_end(self, open_bench: OpenBench) -> None:
        """PULL-3: a short page is not the end."""
        with open_bench(contacts=40) as bench:
            bench.cap_pages(7)
            assert_once_each(read(bench.adapter(page_rows=100), contacts()), bench.ids(Kind.CONTACT))

    def test_named_records_come_once_each_and_unknown_names_are_skipped(self, open_bench: OpenBench) -> None:
        with open_bench(contacts=450) as bench:
            wanted = sorted(bench.ids(Kind.CONTACT))[:430]
            asked = (*wanted, wanted[0], "no-such-record")
            assert_once_each(read(bench.adapter(page_rows=60), contacts(ids=asked)), set(wanted))

    @pytest.mark.parametrize(
        ("op", "value", "keeps"),
        [
            ("equals", "beta", {"b"}),
            ("not_equals", "beta", {"a", "c"}),
            ("in", ("alpha", "beta"), {"a", "b"}),
            ("not_in", ("alpha", "beta"), {"c"}),
            ("starts", "al", {"a"}),
            ("contains", "amm", {"c"}),
            ("gte", "beta", {"b", "c"}),
            ("lt", "beta", {"a"}),
            ("not_null", None, {"a", "b", "c"}),
        ],
    )
    def test_a_filter_decides_what_is_asked(self, open_bench: OpenBench, op: str, value: Any, keeps: set[str]) -> None:
        """FILT-1, INIT-9: read and count agree."""
        with open_bench(contacts=0) as bench:
            for one in ("a-alpha", "b-beta", "c-gamma"):
                bench.create(Kind.CONTACT, one)
            where, crm = Filter((Condition(bench.filterable_field(), op, value),)), bench.adapter(connections=4)
            assert {key(one)[0] for one in read(crm, contacts(where=where))} == keeps
            assert crm.count(Kind.CONTACT, where=where) == len(keeps)

    def test_living_and_deleted_records_are_counted_apart(self, open_bench: OpenBench) -> None:
        """INIT-6."""
        with open_bench(contacts=12) as bench:
            since = bench.adapter().now()
            bench.delete(Kind.CONTACT, min(bench.ids(Kind.CONTACT)))
            crm = bench.adapter()
            assert (crm.count(Kind.CONTACT), crm.count_deleted(Kind.CONTACT, since)) == (11, 1)
            assert crm.count(Kind.CONTACT, created_from=since + timedelta(days=365)) == 0

    def test_deleted_records_are_not_read_as_living_ones(self, open_bench: OpenBench) -> None:
        with open_bench(contacts=5) as bench:
            bench.delete(Kind.CONTACT, min(bench.ids(Kind.CONTACT)))
            assert_once_each(read(bench.adapter(), contacts()), bench.ids(Kind.CONTACT))

    def test_fields_come_by_name_and_type_and_hidden_ones_not_at_all(self, open_bench: OpenBench) -> None:
        """INIT-2."""
        with open_bench(contacts=0) as bench:
            field = bench.filterable_field()
            before = bench.adapter().describe([Kind.CONTACT])[Kind.CONTACT]
            bench.hide_field(Kind.CONTACT, field)
            after = bench.adapter().describe([Kind.CONTACT])[Kind.CONTACT]
            pairs = [(spec.name, spec.crm_type) for spec in before.fields]
            assert pairs == sorted(pairs)
            assert set(before.names()) - set(after.names()) == {field}

    def test_a_new_field_changes_the_fingerprint_and_nothing_else_does(self, open_bench: OpenBench) -> None:
        """PULL-4."""
        with open_bench(contacts=1) as bench:
            crm = bench.adapter()
            first = crm.fingerprint([Kind.CONTACT])
            bench.stamp(Kind.CONTACT, bench.ids(Kind.CONTACT), DAY)
            assert crm.fingerprint([Kind.CONTACT]) == first
            bench.add_field(Kind.CONTACT, "shoe_size_c")
            assert crm.fingerprint([Kind.CONTACT]) != first
            assert "shoe_size_c" in crm.describe([Kind.CONTACT])[Kind.CONTACT].names()

    def test_the_clock_is_the_crms_own(self, open_bench: OpenBench) -> None:
        """PULL-1."""
        with open_bench(contacts=0) as bench:
            bench.skew(-7200)
            behind_s = (datetime.now(UTC) - bench.adapter().now()).total_seconds()
            assert 7195 < behind_s < 7205

    def test_a_check_names_user_clock_zone_version_and_rights_and_changes_nothing(self, open_bench: OpenBench) -> None:
        """CONN-3."""
        with open_bench(contacts=1) as bench:
            before = bench.writes()
            found = bench.adapter().probe(list(PULL_ORDER), [Kind.LEAD, Kind.CONTACT])
            assert found.ok
            assert found.user_name
            assert found.user_id
            assert found.api_version
            assert abs((found.server_time - datetime.now(UTC)).total_seconds()) < 5
            assert [line.todo for line in found.lines if line.todo] == []
            assert bench.writes() == before

    def test_a_check_says_which_right_is_missing_and_what_to_do(self, open_bench: OpenBench) -> None:
        """CONN-3."""
        with open_bench(contacts=1) as bench:
            bench.deny(Kind.LEAD)
            bench.set_zone("Asia/Kathmandu")
            found = bench.adapter().probe([Kind.LEAD, Kind.CONTACT], [Kind.LEAD])
            bad = [line for line in found.lines if not line.ok]
            assert {line.subject for line in bad} == {f"read {bench.object_name(Kind.LEAD)}", f"write {bench.object_name(Kind.LEAD)}"}
            assert all(bench.object_name(Kind.LEAD) in line.todo for line in bad)
            assert found.time_zone == "Asia/Kathmandu"
            assert any(line.subject == "time zone" and "UTC" in line.todo for line in found.lines)


class HostileSuite:
    """The CRM, its gateway, its administrator or another program get in the way."""

    @pytest.mark.parametrize("for_good", [False, True], ids=["token", "token and its renewal"])
    def test_a_session_that_ends_in_the_middle_of_a_read_is_renewed(self, open_bench: OpenBench, for_good: bool) -> None:
        """CONN-4."""
        with open_bench(contacts=50) as bench:
            crm, seen = bench.adapter(), []
            for page in crm.pages(contacts(), crm.streams(contacts())[0]):
                seen += lines(page)
                bench.expire_tokens(for_good=for_good)
            assert_once_each(seen, bench.ids(Kind.CONTACT))

    def test_a_session_taken_by_another_login_is_opened_again(self, open_bench: OpenBench) -> None:
        with open_bench(contacts=30) as bench:
            crm, seen = bench.adapter(), []
            for page in crm.pages(contacts(), crm.streams(contacts())[0]):
                seen += lines(page)
                bench.steal_session()
            assert_once_each(seen, bench.ids(Kind.CONTACT))

    def test_many_threads_renew_an_old_session_once(self, open_bench: OpenBench) -> None:
        """CONN-4: no login storm."""
        with open_bench(contacts=30) as bench:
            crm = bench.adapter(connections=8)
            crm.now()
            bench.expire_tokens()
            before, failed = bench.renewals(), []
            barrier = threading.Barrier(8)

            def work() -> None:
                barrier.wait()
                try:
                    crm.count(Kind.CONTACT)
                except Exception as trouble:
                    failed.append(trouble)
                    raise

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failed == []
            assert bench.renewals() - before == 1

    def test_two_processes_share_one_session(self, open_bench: OpenBench) -> None:
        """CONN-4: the second login would end the first session."""
        with open_bench(contacts=25) as bench:
            crm, seen = bench.adapter(), []
            for page in crm.pages(contacts(), crm.streams(contacts())[0]):
                seen += lines(page)
                if page.position is not None:
                    assert bench.read_elsewhere() == bench.ids(Kind.CONTACT)
            assert_once_each(seen, bench.ids(Kind.CONTACT))
            assert bench.renewals() == 1

    @pytest.mark.parametrize("how", ["wrong", "expired", "locked"])
    def test_a_dead_credential_is_tried_once_and_remembered(self, open_bench: OpenBench, how: str) -> None:
        """CONN-4: later runs stop without asking, so they do not lock the account."""
        with open_bench(contacts=1) as bench:
            bench.adapter().now()
            bench.break_login(how)
            asked = []
            for _ in range(3):
                before = bench.renewals()
                with pytest.raises(CredentialError, match=bench.told_of_login(how)) as caught:
                    bench.adapter().now()
                assert caught.value.todo
                asked.append(bench.renewals() - before)
            assert asked[0] <= 2  # one renewal of the old session, one login
            assert asked[1:] == [0, 0]

    def test_a_new_password_or_a_check_tries_again(self, open_bench: OpenBench) -> None:
        """CONN-4: no redeploy; CONN-3: the check logs in."""
        with open_bench(contacts=1) as bench:
            bench.break_login("locked")
            with pytest.raises(CredentialError):
                bench.adapter().now()
            for _ in range(2):
                with pytest.raises(CredentialError):
                    bench.adapter(password=lambda: "another one").now()
            assert bench.renewals() == 2
            bench.mend_login()
            assert bench.adapter().probe([], []).ok
            assert bench.adapter().now()

    @pytest.mark.parametrize("how", FAULTS)
    @pytest.mark.parametrize("window", [Window(), Window(DAY, DAY + timedelta(hours=1))], ids=["everything", "window"])
    def test_a_troubled_gateway_loses_and_repeats_nothing(self, open_bench: OpenBench, how: str, window: Window) -> None:
        """PULL-3."""
        with open_bench(contacts=60) as bench:
            bench.stamp(Kind.CONTACT, bench.ids(Kind.CONTACT), DAY)
            crm = bench.adapter(page_rows=10)
            crm.now()
            bench.fail(how, 2)
            assert_once_each(read(crm, contacts(window)), bench.ids(Kind.CONTACT))
            assert bench.failures() >= 3

    @pytest.mark.parametrize("how", ["503 with HTML", "reset"])
    def test_trouble_without_end_is_transient_and_ends(self, open_bench: OpenBench, how: str) -> None:
        with open_bench(contacts=10) as bench:
            crm = bench.adapter()
            crm.now()
            bench.fail(how, 1)
            with pytest.raises(Transient):
                read(crm, contacts())

    def test_a_kind_that_the_user_may_not_read_is_named_with_the_user_and_the_right(self, open_bench: OpenBench) -> None:
        """CONN-3."""
        with open_bench(contacts=1) as bench:
            bench.deny(Kind.CONTACT, "list")
            with pytest.raises(AccessDenied, match=bench.object_name(Kind.CONTACT)) as caught:
                read(bench.adapter(), contacts())
            assert "mkt_sync" in caught.value.what
            assert bench.object_name(Kind.CONTACT) in caught.value.todo
