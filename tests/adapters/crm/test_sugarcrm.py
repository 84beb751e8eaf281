"""Sugar's own traps: URL and version, one shared session, answers that may not be believed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.crm.sugarcrm import SugarCrm
from adapters.crm.sugarcrm_wire import split_url
from adapters.http import Patience
from adapters.sandbox.sugarcrm import Nastiness
from sync.crm import Crm
from sync.errors import ConfigError, ContractBroken, CredentialError, GapError, MarketsyncError, Transient
from sync.records import PULL_ORDER, Condition, Filter, Kind, ReadRequest, Window
from tests.adapters.crm.conftest import PASSWORD, SugarBench, no_wait
from tests.adapters.crm_contract import DAY, assert_once_each, contacts, lines, read
from tests.adapters.scripted_server import Step, page, scripted

Opener = Callable[..., Any]
DAY_LONG = timedelta(days=1)
TOKEN = Step(body=b'{"access_token": "a", "refresh_token": "r"}')


def guid(n: int) -> str:
    return f"{n:08x}-0000-4000-8000-000000000000"


def answer(*records: dict[str, Any], next_offset: int = -1) -> Step:
    return Step(body=json.dumps({"next_offset": next_offset, "records": records}, separators=(",", ":")).encode())


def record(n: int, stamp: str = "2026-08-01T00:00:00+00:00") -> dict[str, Any]:
    return {"id": guid(n), "date_modified": stamp}


def scripted_crm(url: str, tmp_path: Path, **settings: Any) -> SugarCrm:
    return SugarCrm("acme", url, "mkt_sync", lambda: PASSWORD, session_dir=tmp_path, connections=1, sleep=no_wait, **settings)


def read_scripted(tmp_path: Path, request: ReadRequest, *steps: Step) -> list[dict[str, Any]]:
    with scripted(TOKEN, *steps) as server:
        return read(scripted_crm(server.url, tmp_path), request)


@pytest.mark.parametrize(
    ("url", "version", "found"),
    [
        ("https://crm.example.org", "v11_24", ("https://crm.example.org/rest", "v11_24")),
        ("https://crm.example.org/", "11.10", ("https://crm.example.org/rest", "v11_10")),
        ("https://crm.example.org/rest/v11_8", "v11_24", ("https://crm.example.org/rest", "v11_8")),
        ("https://example.org/crm/rest", "v11_24", ("https://example.org/crm/rest", "v11_24")),
    ],
)
def test_the_url_may_be_given_with_or_without_the_service(url: str, version: str, found: tuple[str, str]) -> None:
    assert split_url(url, version) == found


@pytest.mark.parametrize(("url", "version"), [("https://example.org/service/v4_1/rest.php", "v11_24"), ("https://example.org", "newest")])
def test_an_unsupported_service_is_named(url: str, version: str) -> None:
    with pytest.raises(ConfigError):
        split_url(url, version)


@pytest.mark.parametrize("path", ["/rest/foo", "/rest/v11_24/Contacts"])
def test_an_address_that_goes_on_after_the_api_is_answered_with_its_root(path: str) -> None:
    """CONN-2"""
    with pytest.raises(ConfigError) as caught:
        split_url("https://crm.example.org:8443/sugar" + path, "v11_24")
    assert caught.value.todo.endswith(": https://crm.example.org:8443/sugar")


def test_a_version_that_is_too_new_gives_way_to_the_newest_that_the_instance_names(open_bench: Opener) -> None:
    with open_bench(contacts=11, release="v11_10") as bench:
        crm = bench.adapter(api_version="v11_24")
        assert_once_each(read(crm, contacts()), bench.ids(Kind.CONTACT))
        assert crm.probe([], []).api_version == "v11_10"


def test_a_version_that_the_instance_refuses_without_naming_another_is_told(tmp_path: Path) -> None:
    with (
        scripted(Step(301, b'{"error": "incorrect_version", "error_message": "no"}')) as server,
        pytest.raises(ConfigError, match="v11_24"),
    ):
        scripted_crm(server.url, tmp_path).now()


def test_an_unknown_platform_is_a_matter_of_configuration(open_bench: Opener) -> None:
    with open_bench() as bench, pytest.raises(ConfigError, match="platform"):
        bench.adapter(platform="other").now()


def test_a_wrong_client_id_is_told_apart_from_a_wrong_password(open_bench: Opener) -> None:
    """CONN-4."""
    with open_bench() as bench, pytest.raises(CredentialError, match="client id"):
        bench.adapter(client_id="other").now()


def test_an_empty_password_secret_is_not_tried(open_bench: Opener) -> None:
    """CONN-4."""
    with open_bench() as bench:
        with pytest.raises(ConfigError, match="empty"):
            bench.adapter(password=lambda: "").now()
        assert bench.renewals() == 0


def test_the_session_file_is_private_and_holds_no_password(open_bench: Opener) -> None:
    """CONN-4: after a good login and after a refused one."""
    with open_bench() as bench:
        bench.adapter().now()
        bench.break_login("wrong")
        with pytest.raises(CredentialError):
            bench.adapter().now()
        files = list(bench.session_dir.iterdir())
        assert {one.stat().st_mode & 0o777 for one in files} == {0o600}
        assert bench.session_dir.stat().st_mode & 0o777 == 0o700
        assert not any(PASSWORD.encode() in one.read_bytes() for one in files)
        assert not any(one.suffix not in (".json", ".lock") for one in files)


def test_a_damaged_session_file_costs_one_login(open_bench: Opener) -> None:
    with open_bench() as bench:
        bench.adapter().now()
        for one in bench.session_dir.glob("*.json"):
            one.write_text("{not json")
        assert bench.adapter().now()
        assert bench.renewals() == 2


def test_no_error_and_no_log_line_holds_a_password_or_token(open_bench: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """CONN-4: at the most talkative."""
    caplog.set_level(logging.DEBUG)
    with open_bench(contacts=3) as bench:
        crm = bench.adapter()
        crm.now()
        tokens = json.loads(next(bench.session_dir.glob("*.json")).read_text())
        said = []
        for how in ("503 with HTML", "reset"):
            bench.fail(how, 1)
            with pytest.raises(Transient) as caught:
                read(crm, contacts())
            said += [str(caught.value), repr(caught.value), repr(caught.value.__context__)]
        bench.break_login("locked")
        with pytest.raises(CredentialError) as dead:
            bench.adapter().now()
        said += [str(dead.value), repr(dead.value.__context__), caplog.text]
        assert not any(secret in text for text in said for secret in (PASSWORD, tokens["access"], tokens["refresh"]))


def test_sessions_that_are_refused_at_once_end_in_an_error_and_not_in_a_login_storm(tmp_path: Path) -> None:
    """CONN-4."""
    refused = Step(401, b'{"error": "invalid_grant", "error_message": "The access token provided is invalid."}')
    steps = [TOKEN, refused] * 8
    with scripted(*steps) as server:
        with pytest.raises(CredentialError, match="just opened") as caught:
            scripted_crm(server.url, tmp_path).now()
        assert "platform" in caught.value.todo
        assert len(server.seen) <= 9


def test_ties_are_read_where_equals_on_a_stamp_means_the_whole_day(open_bench: Opener) -> None:
    """PULL-3."""
    with open_bench(contacts=50, equals_on_datetime_matches_day=True) as bench:
        ids = sorted(bench.ids(Kind.CONTACT))
        bench.stamp(Kind.CONTACT, ids[:30], DAY)
        bench.stamp(Kind.CONTACT, ids[30:], DAY + timedelta(hours=1))
        assert_once_each(read(bench.adapter(page_rows=7), contacts(Window(DAY, DAY + timedelta(hours=2)))), set(ids))


@pytest.mark.parametrize(
    "steps",
    [
        (answer(record(1), record(2), next_offset=2),),
        (answer(record(2), record(1)),),
        (answer(record(1), record(1)),),
        (answer(record(1), next_offset=1), answer(record(0))),
        (answer(next_offset=20),),
        (Step(body=b'{"records": []}'),),
        (Step(body=b"[]"),),
        (Step(body=b'{"next_offset": -1, "records": [{"name": "no id"}]}'),),
    ],
    ids=["same page for ever", "order ignored", "record twice", "going back", "more but nothing", "no next_offset", "no page", "no id"],
)
def test_an_answer_that_can_not_be_right_stops_the_read(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    """PULL-3: a server that ignores filter or order must neither be read for ever nor lose records unseen."""
    with pytest.raises(ContractBroken):
        read_scripted(tmp_path, contacts(), *steps)


@pytest.mark.parametrize(
    "stamps",
    [
        ("2026-08-01T00:00:00",),
        ("2026-08-01T00:00:00.5+00:00",),
        ("yesterday",),
        ("2026-08-01T00:30:00+00:00", "2026-08-01T00:10:00+00:00"),
        ("2026-08-01T00:30:00+00:00", "2026-08-01T02:29:00+02:00"),
        ("2026-07-31T23:59:59+00:00",),
        ("2026-08-01T01:00:00+00:00",),
    ],
    ids=["no offset", "fraction", "no stamp", "order", "order as instants", "before the window", "at its upper bound"],
)
def test_stamps_that_are_no_instants_of_the_window_in_order_stop_the_read(tmp_path: Path, stamps: tuple[str, ...]) -> None:
    """PULL-1, PULL-3."""
    with pytest.raises(ContractBroken):
        read_scripted(tmp_path, contacts(Window(DAY, DAY + timedelta(hours=1))), answer(*(record(n, one) for n, one in enumerate(stamps))))


def test_stamps_in_order_as_instants_but_not_as_text_are_read(tmp_path: Path) -> None:
    """PULL-1."""
    stamps = ("2026-08-01T05:29:00+05:30", "2026-08-01T00:10:00+00:00", "2026-07-31T20:20:00-04:00")
    found = read_scripted(
        tmp_path, contacts(Window(DAY - timedelta(hours=1), None)), answer(*(record(n, one) for n, one in enumerate(stamps)))
    )
    assert len(found) == 3


def test_a_pretty_printed_page_becomes_one_line_per_record_without_changing_a_digit(tmp_path: Path) -> None:
    body = (
        b'{\r\n "next_offset": -1,\n "records": [{\n  "id": "1",\n'
        b'  "amount": 12345678901234567890.100000,\n  "name": "a\\nb &amp; c"\n }]\n}'
    )
    with scripted(TOKEN, Step(body=body)) as server:
        crm = scripted_crm(server.url, tmp_path)
        found = list(crm.pages(contacts(), crm.streams(contacts())[0]))
    assert found[0].body == b'{"id":"1","amount":12345678901234567890.100000,"name":"a\\nb &amp; c"}\n'


def test_records_pass_through_as_the_crm_wrote_them(tmp_path: Path) -> None:
    """Entities, escapes, odd spacing and big numbers are the parcel's business."""
    raw = b'{"id":"1", "a":"&lt;b&gt; \\u0000 \\u2028 \xc3\xa9" ,"n":1.10,"email":[{"opt_out":"0"}]}'
    with scripted(TOKEN, Step(body=b'{"next_offset":-1,"records":[' + raw + b"]}", packed=True)) as server:
        crm = scripted_crm(server.url, tmp_path)
        found = list(crm.pages(contacts(), crm.streams(contacts())[0]))
    assert found[0].body == raw + b"\n"
    assert 0 < found[0].received_bytes < 500


def test_a_stream_without_records_is_one_empty_page_at_its_end(tmp_path: Path) -> None:
    with scripted(TOKEN, answer()) as server:
        crm = scripted_crm(server.url, tmp_path)
        found = list(crm.pages(contacts(), crm.streams(contacts())[0]))
    assert [(one.rows, one.body, one.position) for one in found] == [(0, b"", None)]


def test_a_login_page_in_place_of_the_service_means_a_wrong_url(tmp_path: Path) -> None:
    """CONN-3."""
    with scripted(page(200, "<html>Log in</html>")) as server, pytest.raises(ConfigError, match="does not answer like the CRM"):
        scripted_crm(server.url, tmp_path).now()


def test_plain_http_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """CONN-2."""
    with pytest.raises(ConfigError, match="plain http"):
        scripted_crm("http://crm.example.org", tmp_path)


@pytest.mark.parametrize(
    "where",
    [Condition("no_such_field", "equals", "x"), Condition("last_name", "resembles", "x"), Condition("date_entered", "gte", "soon")],
    ids=["field", "operator", "value"],
)
def test_a_filter_that_the_crm_does_not_understand_is_a_matter_of_configuration(open_bench: Opener, where: Condition) -> None:
    """FILT-1."""
    with open_bench(contacts=1) as bench:
        crm = bench.adapter()
        with pytest.raises(ConfigError, match=r"filter|refused"):
            read(crm, contacts(where=Filter((where,))))
        with pytest.raises(ConfigError):
            crm.count(Kind.CONTACT, where=Filter((where,)))


def test_a_window_without_changes_costs_one_call(open_bench: Opener) -> None:
    """FLOW-4."""
    with open_bench(contacts=20) as bench:
        crm = bench.adapter(connections=4)
        crm.now()
        before = bench.sandbox.control.call_count()
        assert read(crm, contacts(Window(DAY + timedelta(days=3000), None))) == []
        assert bench.sandbox.control.call_count() - before == 1


def test_the_page_size_that_the_server_allows_is_learnt(open_bench: Opener) -> None:
    with open_bench(contacts=30) as bench:
        bench.cap_pages(10)
        read(bench.adapter(page_rows=500), contacts())
        asked = [one["summary"]["max_num"] for one in bench.sandbox.control.calls(module="Contacts")]
        assert asked == [10, 10, 10]


def test_an_unaware_instant_is_a_mistake_of_the_caller(open_bench: Opener) -> None:
    """PULL-1."""
    with open_bench() as bench, pytest.raises(ValueError, match="time zone"):
        bench.adapter().streams(contacts(Window(datetime(2026, 1, 1), None)))


def test_a_release_without_a_metadata_hash_is_fingerprinted_by_its_description(tmp_path: Path) -> None:
    """PULL-4."""
    missing = Step(404, b'{"error": "no_method", "error_message": "no route"}')
    first, second = (Step(body=b'{"modules": {"Contacts": {"fields": {"%s": {"type": "varchar"}}}}}' % one) for one in (b"a", b"b"))
    with scripted(TOKEN, missing, first, missing, first, missing, second) as server:
        crm = scripted_crm(server.url, tmp_path)
        found = [crm.fingerprint([Kind.CONTACT]) for _ in range(3)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("kind", PULL_ORDER)
def test_awkward_records_come_once_each(open_bench: Opener, kind: Kind) -> None:
    """PULL-3: odd ids, deleted and mass-updated records, malformed values, very long text."""
    with open_bench(
        contacts=300, leads=300, accounts=200, opportunities=50, users=20, nastiness=Nastiness(odd_id=0.2, deleted=0.1)
    ) as bench:
        crm, fields = bench.adapter(page_rows=40, connections=4), ("name", "email", "description")
        for window in (Window(), Window(datetime(2000, 1, 1, tzinfo=UTC), crm.now() + DAY_LONG)):
            assert_once_each(read(crm, ReadRequest(kind, fields, window)), bench.ids(kind))


def test_hidden_modules_are_named_when_described(open_bench: Opener) -> None:
    """CONN-3."""
    with open_bench() as bench:
        bench.deny(Kind.ACCOUNT)
        with pytest.raises(MarketsyncError, match="Accounts"):
            bench.adapter().describe([Kind.ACCOUNT, Kind.CONTACT])


def test_traffic_is_counted_for_reports(open_bench: Opener) -> None:
    with open_bench(contacts=20) as bench:
        crm = bench.sugar(patience=Patience(attempts=4))
        bench.fail("503 with HTML", 2)
        pages = [one for stream in crm.streams(contacts()) for one in crm.pages(contacts(), stream)]
        assert sum(len(lines(one)) for one in pages) == 20
        assert crm.traffic.retries == bench.failures() > 0
        assert crm.traffic.received_bytes > sum(one.received_bytes for one in pages)
        crm.close()
        assert crm.now().tzinfo is UTC


def test_the_adapter_fulfils_the_protocol(open_bench: Opener) -> None:
    with open_bench() as bench:
        assert isinstance(bench, SugarBench)
        crm: Crm = bench.sugar()
        with pytest.raises(GapError):
            list(crm.pages(contacts(), crm.streams(contacts())[0], '{"by":"offset"}'))


def test_a_record_is_found_in_the_browser_where_the_instance_is(open_bench: Opener) -> None:
    with open_bench() as bench:
        assert isinstance(bench, SugarBench)
        crm = bench.sugar()
        assert crm.place_of(Kind.LEAD, "a/b c") == f"{bench.sandbox.url}/#Leads/a%2Fb%20c"
        assert crm.place_of(Kind.LIST_MEMBER, "x") == ""
