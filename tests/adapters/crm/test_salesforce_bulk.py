"""Everything large by Bulk API 2.0, from the job to the parcel (INIT-7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.crm.salesforce import SalesforceCrm
from adapters.sandbox.salesforce import Nastiness
from adapters.staging import Parcel, ParcelStore
from adapters.staging.facts import gather_facts
from sync.errors import Transient
from sync.fields import ObjectSchema
from sync.mapping import readings
from sync.mapping_salesforce import SALESFORCE
from sync.records import Condition, Filter, Kind, PageFormat, ReadRequest
from tests.adapters.crm.salesforce_bench import SalesforceBench, salesforce_benches
from tests.adapters.crm_contract import OpenBench, assert_once_each, contacts, lines, read


@pytest.fixture
def open_bench(tmp_path: Path) -> OpenBench:
    return salesforce_benches(tmp_path, bulk_from_rows=1, bulk_rows=25)


@contextmanager
def staged(crm: SalesforceCrm, kind: Kind, schema: ObjectSchema, folder: Path, position: str | None = None) -> Iterator[Parcel]:
    """One kind, whole, in a parcel with what planning looks at."""
    found = readings(kind, schema, SALESFORCE)
    fields = tuple(dict.fromkeys(reading.source for reading in found))
    request, store = ReadRequest(kind, fields), ParcelStore(folder)
    ref = store.create("acme", kind, "initial", fields, found, {})
    with store.open(ref, filling=True) as parcel:
        spool = parcel.spool()
        for stream in crm.streams(request):
            for page in crm.pages(request, stream, position):
                spool.add(page)
        spool.flush()
        spool.close()
    with store.open(ref) as parcel:
        gather_facts(parcel)
        yield parcel


def ask(parcel: Parcel, query: str) -> list[tuple[Any, ...]]:
    return list(parcel.execute(query).fetchall())


def test_pull_8_a_record_looks_the_same_whether_it_came_by_bulk_or_by_rest(open_bench: OpenBench, tmp_path: Path) -> None:
    """Else each record would be written anew by the first reconciliation. Awkward texts, numbers, days and instants included."""
    nasty = Nastiness(awkward_text=0.3, very_long_text=0.01, no_email=0.1)
    with open_bench(contacts=60, accounts=30, opportunities=30, nastiness=nasty) as bench:
        assert isinstance(bench, SalesforceBench)
        for kind in (Kind.ACCOUNT, Kind.CONTACT, Kind.OPPORTUNITY):
            schema = bench.adapter().describe([kind])[kind]
            with staged(bench.salesforce(), kind, schema, tmp_path / "bulk") as bulk:
                by_bulk = ask(bulk, "SELECT crm_id, row_hash, faulty FROM facts ORDER BY crm_id")
            with staged(bench.salesforce(bulk_from_rows=10**9, page_rows=2000), kind, schema, tmp_path / "rest") as rest:
                by_rest = ask(rest, "SELECT crm_id, row_hash, faulty FROM facts ORDER BY crm_id")
            assert by_bulk == by_rest
            assert {row[0] for row in by_bulk} == bench.ids(kind)
            assert not any(row[2] for row in by_bulk)


def test_init_7_a_read_goes_on_from_any_part_and_each_record_comes_once(open_bench: OpenBench) -> None:
    with open_bench(contacts=110) as bench:
        crm = bench.adapter()
        (stream,) = crm.streams(contacts())
        pages = list(crm.pages(contacts(), stream))
        assert [page.rows for page in pages] == [25, 25, 25, 25, 10]
        assert {page.format for page in pages} == {PageFormat.CSV}
        assert_once_each(read(bench.adapter(), contacts()), bench.ids(Kind.CONTACT))


def test_init_7_a_stopped_read_asks_for_no_part_twice(open_bench: OpenBench) -> None:
    """The position names the job and the locator of the next part."""
    with open_bench(contacts=110) as bench:
        assert isinstance(bench, SalesforceBench)
        crm = bench.adapter()
        (stream,) = crm.streams(contacts())
        first = next(iter(crm.pages(contacts(), stream)))
        bench.control.reset_calls()
        rest = list(bench.adapter().pages(contacts(), stream, first.position))
        assert sum(page.rows for page in rest) == 85
        assert len(bench.control.calls(method="POST", path_part="jobs/query")) == 0


def test_init_7_a_job_that_is_gone_is_made_anew(open_bench: OpenBench) -> None:
    """Its result is kept for seven days. What is staged twice is taken once."""
    with open_bench(contacts=60) as bench:
        crm = bench.adapter()
        (stream,) = crm.streams(contacts())
        list(crm.pages(contacts(), stream))
        gone = '{"by":"bulk","job":"750000000000001AAA","locator":"MTAw"}'
        assert sum(page.rows for page in bench.adapter().pages(contacts(), stream, gone)) == 60


def test_a_finished_job_is_taken_away(open_bench: OpenBench) -> None:
    with open_bench(contacts=30) as bench:
        assert isinstance(bench, SalesforceBench)
        read(bench.adapter(), contacts())
        assert len(bench.control.calls(method="DELETE", path_part="jobs/query")) == 1


@pytest.mark.parametrize(("end", "words"), [(("Failed", "InternalServerError"), "InternalServerError"), (("Aborted", None), "was aborted")])
def test_a_job_that_ends_badly_is_told_and_not_waited_for(open_bench: OpenBench, end: tuple[str, str | None], words: str) -> None:
    """Failed does not always say why; Aborted is an end too."""
    with open_bench(contacts=30) as bench:
        assert isinstance(bench, SalesforceBench)
        bench.control.set_bulk(end, slow_polls=3)
        with pytest.raises(Transient, match=words):
            read(bench.adapter(), contacts())


def test_init_1_an_object_that_bulk_does_not_take_comes_by_rest(open_bench: OpenBench) -> None:
    """INIT-7: also from where it stopped."""
    with open_bench(contacts=60) as bench:
        assert isinstance(bench, SalesforceBench)
        bench.control.keep_from_bulk("Contact")
        crm = bench.salesforce(page_rows=25)
        request, (stream,) = contacts(), crm.streams(contacts())
        pages = list(crm.pages(request, stream))
        assert_once_each([record for page in pages for record in lines(page)], bench.ids(Kind.CONTACT))
        assert {page.format for page in pages} == {PageFormat.NDJSON} and len(pages) >= 3
        assert len(bench.control.calls(method="POST", path_part="jobs/query")) == 1
        rest = list(crm.pages(request, stream, pages[0].position))
        assert sum(page.rows for page in rest) == 60 - pages[0].rows
        assert len(bench.control.calls(method="POST", path_part="jobs/query")) == 1


def test_init_9_a_filter_holds_for_bulk_too(open_bench: OpenBench) -> None:
    with open_bench(contacts=40) as bench:
        assert isinstance(bench, SalesforceBench)
        wanted = {bench.control.create("Contact", {"LastName": f"O'Brien {number}"}) for number in range(3)}
        where = Filter((Condition("LastName", "starts", "O'Brien"),))
        assert_once_each(read(bench.adapter(), contacts(where=where)), wanted)
        assert len(bench.control.calls(path_part="jobs/query")) > 0


def test_nul_and_line_breaks_do_not_break_a_record(open_bench: OpenBench, tmp_path: Path) -> None:
    with open_bench(contacts=30) as bench:
        assert isinstance(bench, SalesforceBench)
        victim = min(bench.ids(Kind.CONTACT))
        bench.control.write_raw("Contact", victim, {"Description": 'one\r\ntwo\n"three", four\x00 five', "Title": ""})
        schema = bench.adapter().describe([Kind.CONTACT])[Kind.CONTACT]
        with staged(bench.salesforce(), Kind.CONTACT, schema, tmp_path / "bulk") as parcel:
            found = ask(parcel, f"""SELECT "Description", "Title" FROM raw WHERE "Id" = '{victim}'""")
            assert found == [('one\r\ntwo\n"three", four five', None)]
            assert ask(parcel, "SELECT count(*) FROM raw") == [(30,)]


def test_a_session_that_ends_in_the_middle_of_a_download_is_renewed(open_bench: OpenBench) -> None:
    """The token is read when a call is sent."""
    with open_bench(contacts=110) as bench:
        crm, seen = bench.adapter(), 0
        for page in crm.pages(contacts(), crm.streams(contacts())[0]):
            seen += page.rows
            bench.expire_tokens()
        assert seen == 110
