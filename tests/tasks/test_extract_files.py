"""INIT-8: records from files that somebody exported from the CRM walk the same road as those that come over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.errors import ConfigError
from sync.exported_files import ExportedFiles
from sync.records import PULL_ORDER, Kind, ReadRequest
from tasks.extract_files import check_files, extract_file
from tasks.report import kept_verification, noted_findings
from tasks.wiring import open_crm
from tests.adapters.staging.exports import Record, write_csv, write_parquet
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

FEW: dict[str, Any] = {"accounts": 12, "leads": 40, "contacts": 50, "opportunities": 20, "users": 4, "prospect_lists": 0, "campaigns": 0}
BOOKS = frozenset({"created_at", "updated_at", "opt_out_date", "user_id", "account_id", "contact_id", "opportunity_id", "owner_id"})
Write = Callable[[Path, Sequence[Record]], Path]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """Shared: no test writes to it."""
    with start_sandbox(SugarSandboxSettings(**FEW)) as running:
        yield running


@contextmanager
def road(folder: Path, sandbox: RunningSandbox, *, connector: str = "") -> Iterator[PullRoad]:
    with pull_road(folder, f"sqlite:///{folder / 'market.db'}", sandbox.url, connector=connector, more=OPEN_GATE) as found:
        yield found


@pytest.fixture(scope="module")
def over_http(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PullRoad]:
    """A Market that was filled over HTTP; no test writes to it."""
    with road(tmp_path_factory.mktemp("http"), sandbox) as one:
        one.pull()
        yield one


def exported(one: PullRoad, kind: Kind) -> list[dict[str, Any]]:
    """What an administrator of the CRM exports: every field of every living record."""
    crm = open_crm(one.config, one.connector)
    request = ReadRequest(kind, crm.describe([kind])[kind].names())
    lines = [line for stream in crm.streams(request) for page in crm.pages(request, stream) for line in page.body.splitlines()]
    return [json.loads(line) for line in lines]


def export(one: PullRoad, folder: Path, *kinds: Kind, write: Write = write_csv, ending: str = ".csv") -> Path:
    folder.mkdir(exist_ok=True)
    for kind in kinds:
        write(folder / f"{kind.plural}{ending}", exported(one, kind))
    return folder


def checked(one: PullRoad, schema: str, folder: Path, exported_at: str | None = None) -> ExportedFiles:
    found: ExportedFiles = check_files.fn(one.run, PULL_ORDER, schema, str(folder), exported_at)
    return found


def pull(one: PullRoad, folder: Path, exported_at: str | None = None, *, gate: bool = True) -> None:
    """As `flows.initial_sync` does it."""
    schema = one.schema()
    files = checked(one, schema, folder, exported_at)
    refs = {
        kind: extract_file.fn(one.run, kind, "initial", schema, files) if kind in files.kinds else one.extract(kind, schema)
        for kind in PULL_ORDER
    }
    for ref in refs.values():
        one.bring_in(ref, schema, gate=gate)


def refused(one: PullRoad, folder: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        checked(one, one.schema(), folder)
    assert raised.value.where == str(folder.resolve()) and raised.value.todo
    return raised.value.what


def market_of(one: PullRoad, without: frozenset[str] = BOOKS) -> dict[str, list[dict[str, Any]]]:
    """Everything that Market holds of the CRM, in the order of the CRM's ids; its own keys as the CRM's ids of what they mean."""
    owner = "(SELECT u.crm_id FROM users u WHERE u.user_id = t.owner_id) AS owner_of"
    account = "(SELECT a.crm_id FROM accounts a WHERE a.account_id = t.account_id) AS account_of"
    person = "(SELECT c.crm_id FROM contacts c WHERE c.contact_id = t.contact_id) AS person_of"
    more = {"users": "", "accounts": f", {owner}", "contacts": f", {owner}, {account}", "opportunities": f", {owner}, {account}, {person}"}
    found = {table: one.rows(f"SELECT t.*{terms} FROM {table} t ORDER BY crm_id") for table, terms in more.items()}
    found["quarantine"] = one.rows("SELECT kind, crm_id, rule FROM quarantine ORDER BY kind, crm_id, rule")
    found["crm_links"] = one.rows("SELECT kind, crm_id, living FROM crm_links ORDER BY kind, crm_id")
    return {table: [{name: value for name, value in row.items() if name not in without} for row in rows] for table, rows in found.items()}


def findings(one: PullRoad) -> dict[str, str]:
    return {each.topic: each.message for each in noted_findings(one.home, one.run)}


def cursor(one: PullRoad, kind: Kind) -> datetime:
    found = one.market.cursors.read(one.connector, kind)
    assert found is not None
    return found.at


def lead(number: int, **more: Any) -> dict[str, Any]:
    """The least that a file of leads has to tell."""
    stamp = f"2026-05-{number:02}T10:00:00+00:00"
    return {"id": f"lead-{number}", "last_name": f"Nobody {number}", "date_modified": stamp, "email_opt_out": "0", **more}


PEOPLE_AND_OWNERS = (Kind.USER, Kind.LEAD, Kind.CONTACT)


@pytest.mark.parametrize(("write", "ending"), [(write_csv, ".csv.gz"), (write_parquet, ".parquet")])
def test_init_8_market_is_the_same_from_files_as_over_http(
    tmp_path: Path, sandbox: RunningSandbox, over_http: PullRoad, write: Write, ending: str
) -> None:
    """Some files as they are, people's compressed; and all of them as Parquet."""
    with road(tmp_path / "files", sandbox) as from_files:
        folder = export(from_files, tmp_path / "export", *PEOPLE_AND_OWNERS, write=write, ending=ending)
        rest = [kind for kind in PULL_ORDER if kind not in PEOPLE_AND_OWNERS]
        export(from_files, folder, *rest, write=write, ending=ending.removesuffix(".gz"))
        before = len(sandbox.control.calls(path_part="/filter"))
        pull(from_files, folder)
        asked = [one["summary"] for one in sandbox.control.calls(path_part="/filter")[before:]]
        assert all("$in" in json.dumps(one["filter"]) for one in asked), "only unknown owners are asked for, by id"
        assert market_of(from_files) == market_of(over_http)
        from_files.verify()


def test_init_8_kinds_without_a_file_are_read_from_the_crm(tmp_path: Path, sandbox: RunningSandbox, over_http: PullRoad) -> None:
    with road(tmp_path / "files", sandbox) as mixed:
        pull(mixed, export(mixed, tmp_path / "export", Kind.CONTACT, Kind.ACCOUNT))
        assert market_of(mixed) == market_of(over_http)
        mixed.verify()


def test_init_8_addresses_and_opt_outs_may_be_plain_columns(tmp_path: Path, sandbox: RunningSandbox, over_http: PullRoad) -> None:
    """CONSENT: nobody who is out in the CRM is in after an import."""
    plain = {Kind.LEAD: "leads", Kind.CONTACT: "contacts"}
    with road(tmp_path / "files", sandbox) as from_files:
        (folder := tmp_path / "export").mkdir()
        for kind, name in plain.items():
            records = exported(from_files, kind)
            write_csv(folder / f"{name}.csv", [{key: value for key, value in one.items() if key != "email"} for one in records])
        pull(from_files, folder)
        without = BOOKS | {"email_addresses"}
        ours, theirs = market_of(from_files, without)["contacts"], market_of(over_http, without)["contacts"]
        assert any(one["opt_out"] for one in theirs)
        assert ours == theirs
        from_files.verify()


def test_init_8_every_mistake_of_every_file_is_told_at_once(tmp_path: Path, sandbox: RunningSandbox) -> None:
    (folder := tmp_path / "export").mkdir()
    (folder / "leads.csv").write_bytes(b"id,Id,last_nmae,email_opt_out,\n1,2,b,0,c\n2,b\n")
    (folder / "contacts.csv").write_bytes(b"last_name,email1\nNobody,a@example.org\n")
    (folder / "accounts.parquet").write_bytes(b"nothing")
    (folder / "users.csv").write_bytes(b"")
    (folder / "acounts.csv").write_bytes(b"id\n")
    with road(tmp_path, sandbox) as one:
        told = refused(one, folder)
    for expected in (
        'leads.csv: column "id" stands there 2 times',
        "leads.csv: column 5 has no name",
        'leads.csv: Leads has no field "last_nmae"; did you mean "last_name"',
        'leads.csv: there is no column "date_modified"; without it it is not known where the next sync starts',
        "leads.csv: line 3: too few values",
        'contacts.csv: there is no column "id"; without it nothing can be matched',
        'contacts.csv: there is no column "email_opt_out" or "email"; without it people who opted out',
        "accounts.parquet: it is no Parquet file",
        "users.csv: it is empty",
        'acounts.csv: its name says of no object that is pulled what it holds; did you mean "accounts"',
    ):
        assert expected in told
    assert "Nobody" not in told and "@" not in told


def test_init_8_names_are_taken_whatever_their_case_and_remarks_of_the_crm_are_passed_over(tmp_path: Path, sandbox: RunningSandbox) -> None:
    (folder := tmp_path / "export").mkdir()
    shouted = {"ID": "1", "Last_Name": "Nobody", "DATE_MODIFIED": "2026-05-01T10:00:00Z", "Email_Opt_Out": "1", "_acl": "x"}
    write_csv(folder / "Leads.CSV", [shouted])
    with road(tmp_path, sandbox) as one:
        schema = one.schema()
        files = checked(one, schema, folder)
        assert files.kinds == (Kind.LEAD,)
        one.bring_in(extract_file.fn(one.run, Kind.LEAD, "initial", schema, files))
        (found,) = one.rows("SELECT crm_id, last_name, opt_out FROM contacts")
        assert (found["crm_id"], found["last_name"], bool(found["opt_out"])) == ("1", "Nobody", True)


def staged(one: PullRoad, folder: Path, records: Sequence[Mapping[str, Any]], exported_at: str | None = None) -> PullRoad:
    folder.mkdir(exist_ok=True)
    write_csv(folder / "leads.csv", records)
    schema = one.schema()
    one.bring_in(extract_file.fn(one.run, Kind.LEAD, "initial", schema, checked(one, schema, folder, exported_at)), gate=False)
    return one


@pytest.mark.parametrize(
    ("stamps", "exported_at", "starts"),
    [
        (["2026-05-01T10:00:00Z", "2026-05-03T10:00:00Z"], None, "2026-05-02T10:00:00+00:00"),
        (["2026-05-03T10:00:00Z"], "2026-05-03T08:00:00Z", "2026-05-03T08:00:00+00:00"),
        (["2026-05-03T10:00:00Z"], "2026-05-20T08:00:00+02:00", "2026-05-03T10:00:00+00:00"),
        (["2026-05-03 10:00:00"], None, "2026-05-01T20:00:00+00:00"),
        (["2026-05-03 10:00:00"], "2026-05-03T08:00:00Z", "2026-05-02T20:00:00+00:00"),
        (["2026-05-03T10:00:00Z", "2099-01-01T00:00:00Z"], None, "2026-05-02T10:00:00+00:00"),
    ],
    ids=["newest less a day", "told", "newest before told", "local time at worst", "local time at worst, told", "a stamp of the future"],
)
def test_init_8_pull_2_the_cursor_starts_where_no_change_is_lost(
    tmp_path: Path, sandbox: RunningSandbox, stamps: list[str], exported_at: str | None, starts: str
) -> None:
    with road(tmp_path, sandbox) as one:
        records = [lead(number, date_modified=stamp) for number, stamp in enumerate(stamps, 1)]
        assert cursor(staged(one, tmp_path / "export", records, exported_at), Kind.LEAD) == datetime.fromisoformat(starts)


def test_init_8_times_without_an_offset_are_taken_as_utc_and_told(tmp_path: Path, sandbox: RunningSandbox) -> None:
    with road(tmp_path, sandbox) as one:
        staged(one, tmp_path / "export", [lead(1, date_modified="2026-05-03 10:00:00"), lead(2)])
        assert "1 records of leads.csv" in findings(one)["time zone not told"]
        (found,) = one.rows("SELECT crm_modified_at FROM contacts WHERE crm_id = 'lead-1'")
        assert str(found["crm_modified_at"]).startswith("2026-05-03 10:00:00")


def test_init_8_fields_that_the_file_lacks_blank_nothing_and_are_told(tmp_path: Path, sandbox: RunningSandbox) -> None:
    with road(tmp_path, sandbox) as one:
        staged(one, tmp_path / "export", [lead(1, title="Engineer")])
        write_csv(tmp_path / "export" / "leads.csv", [lead(1, last_name="Somebody", date_modified="2026-06-01T00:00:00Z")])
        schema = one.schema()
        one.bring_in(extract_file.fn(one.run, Kind.LEAD, "second", schema, checked(one, schema, tmp_path / "export")))
        (found,) = one.rows("SELECT last_name, title FROM contacts WHERE crm_id = 'lead-1'")
        assert found == {"last_name": "Somebody", "title": "Engineer"}
        assert "leads.csv lacks" in findings(one)["fields not in the file"]


def test_init_8_deleted_records_of_a_file_do_not_live_again(tmp_path: Path, sandbox: RunningSandbox) -> None:
    with road(tmp_path, sandbox) as one:
        staged(one, tmp_path / "export", [lead(1, deleted="0"), lead(2, deleted="1")])
        assert [row["crm_id"] for row in one.rows("SELECT crm_id FROM contacts")] == ["lead-1"]
        assert "1 records" in findings(one)["deleted records in the file"]


def test_init_9_the_sync_filter_holds_for_files(tmp_path: Path, sandbox: RunningSandbox) -> None:
    only_new = 'filters = { leads = [{ field = "status", op = "equals", value = "New" }] }'
    with road(tmp_path / "http", sandbox, connector=only_new) as over_http, road(tmp_path / "files", sandbox, connector=only_new) as one:
        over_http.pull()
        pull(one, export(one, tmp_path / "export", Kind.LEAD))
        assert market_of(one) == market_of(over_http)
        assert "do not meet the sync filter" in findings(one)["filtered out of the file"]
        one.verify()
        (tmp_path / "export" / "leads.csv").write_bytes(b"id,date_modified,email_opt_out\n1,2026-05-01T00:00:00Z,0\n")
        assert 'leads.csv: there is no column "status", which the sync filter needs' in refused(one, tmp_path / "export")


def test_init_7_a_file_that_is_staged_is_not_read_again_and_one_that_changed_is(tmp_path: Path, sandbox: RunningSandbox) -> None:
    (folder := tmp_path / "export").mkdir()
    write_csv(folder / "leads.csv", [lead(1)])
    with road(tmp_path, sandbox) as one:
        schema = one.schema()
        files = checked(one, schema, folder)
        first, second = (extract_file.fn(one.run, Kind.LEAD, "initial", schema, files) for _ in range(2))
        assert first.parcel_id == second.parcel_id
        write_csv(folder / "leads.csv", [lead(1), lead(2)])
        third = extract_file.fn(one.run, Kind.LEAD, "initial", schema, checked(one, schema, folder))
        assert third.parcel_id != first.parcel_id
        with one.home.parcels.open(third) as parcel:
            assert parcel.rows() == 2


def test_init_6_what_was_made_and_deleted_since_the_export_is_explained_and_nothing_else(tmp_path: Path) -> None:
    with start_sandbox(SugarSandboxSettings(**FEW, nastiness=CALM)) as sandbox, road(tmp_path, sandbox) as one:
        began = datetime.now(UTC) - timedelta(seconds=5)
        folder = export(one, tmp_path / "export", *PULL_ORDER)
        sandbox.control.create("Leads", {"last_name": "Somebody new"})
        sandbox.control.delete("Contacts", exported(one, Kind.CONTACT)[0]["id"])
        pull(one, folder, began.isoformat(), gate=False)
        one.verify()
        told = {line.kind: " ".join(line.lines) for line in kept_verification(one.home, one.run)}
        assert "1 arrived" in told[Kind.LEAD] and "1 deleted" in told[Kind.CONTACT]


def test_init_8_when_the_export_began_needs_an_offset_and_files(tmp_path: Path, sandbox: RunningSandbox) -> None:
    with road(tmp_path, sandbox) as one:
        schema = one.schema()
        with pytest.raises(ConfigError, match="no point in time with an offset"):
            checked(one, schema, tmp_path, "2026-05-01T10:00:00")
        with pytest.raises(ConfigError, match="no files are named"):
            check_files.fn(one.run, PULL_ORDER, schema, None, "2026-05-01T10:00:00Z")
        assert check_files.fn(one.run, PULL_ORDER, schema, None) == ExportedFiles()


def test_init_9_a_filter_that_can_not_work_stops_before_anything_is_read(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """FILT-1."""
    wrong = 'filters = { leads = [{ field = "statsu", op = "equals", value = "New" }] }'
    with road(tmp_path, sandbox, connector=wrong) as one:
        with pytest.raises(ConfigError, match='no field "statsu"; did you mean "status"') as raised:
            one.schema()
        assert raised.value.where == "connectors.acme.filters.leads"
