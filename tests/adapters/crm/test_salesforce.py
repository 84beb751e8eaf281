"""What only Salesforce does: its ways to log in, its stamps, deletions, merges, conversions, and what its answers mean."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.crm.salesforce import SalesforceCrm
from adapters.crm.salesforce_login import Secrets
from adapters.crm.salesforce_paging import Place, halved, lines_of
from adapters.crm.salesforce_wire import QueryTimeout, quota_of
from adapters.http import Patience
from adapters.http_messages import Answer
from sync.errors import AccessDenied, ConfigError, CredentialError, GapError, QuotaExhausted, Transient
from sync.lists import MEMBER_FIELDS
from sync.login import Login, LoginWay
from sync.push import Quota
from sync.records import Condition, Filter, Kind, ReadRequest, Removal, Window
from tests.adapters.crm.conftest import no_wait
from tests.adapters.crm.salesforce_bench import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, SalesforceBench, salesforce_benches
from tests.adapters.crm_contract import DAY, OpenBench, contacts, key, read
from tests.adapters.scripted_server import Step, page, scripted

JSON = (("Content-Type", "application/json"),)


@pytest.fixture
def open_bench(tmp_path: Path) -> OpenBench:
    return salesforce_benches(tmp_path)


def said(status: int, code: str, message: str = "", **headers: str) -> Step:
    """A refusal in Salesforce's words."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Step(status, json.dumps([{"errorCode": code, "message": message}]).encode(), (*JSON, *named))


def granted(instance: str = "") -> Step:
    return Step(
        body=json.dumps({"access_token": "a token", "instance_url": instance, "id": "https://x/id/00D/005000000000001AAA"}).encode()
    )


def rows(*ids: str, at: str = "2026-08-01T00:00:00.000+0000", done: bool = True) -> Step:
    records = [{"attributes": {}, "Id": one, "SystemModstamp": at, "Title": None} for one in ids]
    return Step(body=json.dumps({"totalSize": len(ids), "done": done, "records": records}).encode())


def to(url: str, folder: Path, **settings: Any) -> SalesforceCrm:
    login, secrets = Login(LoginWay.CLIENT_CREDENTIALS, USER, CLIENT_ID), Secrets(client_secret=lambda: CLIENT_SECRET)
    return SalesforceCrm(
        "acme", url, session_dir=folder, login=login, secrets=secrets, patience=Patience(attempts=3), sleep=no_wait, **settings
    )


def key_pair() -> tuple[str, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode(), public.decode()


# -- logging in -------------------------------------------------------------------------------------------------------


def test_conn_4_a_signed_assertion_logs_in_and_another_key_does_not(open_bench: OpenBench) -> None:
    private, public = key_pair()
    with open_bench(contacts=3, certificate=public) as bench:
        assert isinstance(bench, SalesforceBench)
        good = bench.salesforce(way=LoginWay.JWT, secrets=Secrets(private_key=lambda: private))
        assert len(read(good, contacts())) == 3
        bench.expire_tokens(for_good=True)
        with pytest.raises(CredentialError, match="signed assertion is refused"):
            bench.salesforce(way=LoginWay.JWT, secrets=Secrets(private_key=lambda: key_pair()[0])).now()


def test_conn_4_a_key_that_is_none_is_the_operators_affair(open_bench: OpenBench) -> None:
    with open_bench() as bench:
        assert isinstance(bench, SalesforceBench)
        with pytest.raises(ConfigError, match="private key can't be read"):
            bench.salesforce(way=LoginWay.JWT, secrets=Secrets(private_key=lambda: "no key")).now()
        with pytest.raises(ConfigError, match="needs private_key"):
            bench.salesforce(way=LoginWay.JWT, secrets=Secrets()).now()
        assert bench.renewals() == 0


def test_conn_4_the_security_token_is_part_of_the_password(open_bench: OpenBench) -> None:
    with open_bench(contacts=2, security_token="T0ken") as bench:
        assert isinstance(bench, SalesforceBench)
        kept = {"password": lambda: PASSWORD, "client_secret": lambda: CLIENT_SECRET}
        with pytest.raises(CredentialError, match="security token is wrong"):
            bench.salesforce(way=LoginWay.PASSWORD, secrets=Secrets(**kept)).now()
        whole = Secrets(**kept, security_token=lambda: "T0ken")
        assert len(read(bench.salesforce(way=LoginWay.PASSWORD, secrets=whole), contacts())) == 2


def test_conn_4_a_rotated_refresh_token_is_kept_before_anybody_uses_the_session(open_bench: OpenBench) -> None:
    """The one that was configured works once; the next process goes on with the one that came."""
    with open_bench(contacts=2, rotate_refresh_tokens=True) as bench:
        assert isinstance(bench, SalesforceBench)
        form = {"grant_type": "password", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USER, "password": PASSWORD}
        first = requests.post(f"{bench.sandbox.url}/services/oauth2/token", data=form, timeout=10).json()["refresh_token"]
        kept = Secrets(refresh_token=lambda: first, client_secret=lambda: CLIENT_SECRET)
        for _ in range(3):
            crm = bench.salesforce(way=LoginWay.REFRESH_TOKEN, secrets=kept)
            assert len(read(crm, contacts())) == 2
            bench.control.expire_tokens()
        with pytest.raises(CredentialError, match="refresh token has expired or was revoked"):
            fresh = Secrets(refresh_token=lambda: "another one", client_secret=lambda: CLIENT_SECRET)
            bench.salesforce(way=LoginWay.REFRESH_TOKEN, secrets=fresh).now()


def test_conn_4_calls_go_to_the_instance_that_the_login_names(open_bench: OpenBench) -> None:
    with open_bench(contacts=2, instance_host="localhost") as bench:
        assert len(read(bench.adapter(), contacts())) == 2


def test_conn_4_a_session_that_never_heals_is_told_and_not_renewed_for_ever(tmp_path: Path) -> None:
    with scripted(granted(), said(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")) as server:
        with pytest.raises(AccessDenied, match="restricted sessions"):
            to(server.url, tmp_path).now()
        assert [path for _, path in server.seen].count("/services/oauth2/token") == 1


def test_conn_4_sessions_that_end_at_once_are_no_endless_loop(tmp_path: Path) -> None:
    def other(number: int) -> Step:
        return Step(body=json.dumps({"access_token": f"token {number}", "instance_url": ""}).encode())

    dead = said(401, "INVALID_SESSION_ID", "Session expired or invalid")
    steps = [step for number in range(9) for step in (other(number), dead)]
    with scripted(*steps) as server, pytest.raises(CredentialError, match="sessions that it has just opened"):
        to(server.url, tmp_path).now()


# -- what answers mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "quota"),
    [
        ("api-usage=25/15000", Quota(14975, 15000)),
        ("api-usage=25/15000; per-app-api-usage=17/250(appName=x)", Quota(14975, 15000)),
        ("per-app-api-usage=17/250(appName=x);api-usage=16000/15000", Quota(0, 15000)),
        ("something new", None),
        ("", None),
    ],
)
def test_the_allowance_is_read_whatever_stands_beside_it(header: str, quota: Quota | None) -> None:
    assert quota_of(Answer(200, {"Sforce-Limit-Info": header}, b"[]")) == quota


def test_a_day_without_calls_is_told_from_a_busy_second(open_bench: OpenBench, tmp_path: Path) -> None:
    """REQUEST_LIMIT_EXCEEDED: the first needs hours, the second seconds."""
    with open_bench(contacts=1) as bench:
        assert isinstance(bench, SalesforceBench)
        crm = bench.adapter()
        crm.now()
        bench.control.set_quota(10, used=10)
        with pytest.raises(QuotaExhausted):
            crm.count(Kind.CONTACT)
    busy = said(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
    with scripted(granted(), busy, Step(body=b'{"totalSize": 7, "done": true, "records": []}')) as server:
        assert to(server.url, tmp_path).count(Kind.CONTACT) == 7


@pytest.mark.parametrize("trouble", [Step(406, b""), page(420), page(503), said(500, "UNKNOWN_EXCEPTION", "ErrorId 1"), Step(200, b"")])
def test_an_edge_server_that_is_in_trouble_is_asked_again(tmp_path: Path, trouble: Step) -> None:
    with scripted(granted(), trouble, Step(body=b'{"totalSize": 7, "done": true, "records": []}')) as server:
        assert to(server.url, tmp_path).count(Kind.CONTACT) == 7


def test_pull_3_a_query_that_takes_too_long_is_asked_in_halves(tmp_path: Path) -> None:
    late = said(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
    window = Window(DAY, DAY + timedelta(hours=2))
    with scripted(granted(), late, rows("003A"), rows("003B", at="2026-08-01T01:30:00.000+0000")) as server:
        found = read(to(server.url, tmp_path), ReadRequest(Kind.CONTACT, ("Title",), window))
    assert [one["Id"] for one in found] == ["003A", "003B"]
    asked = [path for _, path in server.seen if "/query" in path]
    assert "2026-08-01T01%3A00%3A00Z" in asked[1] and "SystemModstamp+%3E%3D+2026-08-01T01%3A00%3A00Z" in asked[2]
    assert halved(Place("time", low="2026-08-01T00:00:00Z", high="2026-08-01T00:00:01Z"), DAY) is None


def test_pull_3_a_short_page_that_is_not_the_end_is_gone_on_from_by_key(tmp_path: Path) -> None:
    """A locator dies after two days and a user has ten of them; wide rows make short pages."""
    with scripted(granted(), rows("003A", done=False), rows("003B")) as server:
        found = read(to(server.url, tmp_path), ReadRequest(Kind.CONTACT, ("Title",), Window(DAY, DAY + timedelta(hours=2))))
    assert [one["Id"] for one in found] == ["003A", "003B"]
    assert all("nextRecordsUrl" not in path and "/query/01g" not in path for _, path in server.seen)


def test_rest_writes_values_as_bulk_does() -> None:
    """Else a record would count as changed as soon as it is read on the other road (PULL-8)."""
    body = b'{"A":"2026-01-02T03:04:05.000+0000","B":3.5E8,"C":1.25E-3,"D":"at 2026-01-02T03:04:05.000+0000, \\"x\\":1E5,","E":0.0}'
    assert lines_of(body, [body]) == (
        b'{"A":"2026-01-02T03:04:05.000Z","B":350000000.0,"C":0.00125,"D":"at 2026-01-02T03:04:05.000+0000, \\"x\\":1E5,","E":0.0}\n'
    )


# -- reading ----------------------------------------------------------------------------------------------------------


def test_pull_1_a_stamp_that_becomes_visible_late_is_within_the_overlap(open_bench: OpenBench) -> None:
    """A transaction of minutes has the stamp of its beginning."""
    with open_bench(contacts=3) as bench:
        assert isinstance(bench, SalesforceBench)
        crm = bench.adapter()
        late = bench.control.create("Contact", {"LastName": "Late"}, delay_s=300)
        cursor = crm.now()
        assert late not in {key(one) for one in read(crm, contacts(Window(cursor - crm.overlap)))}
        bench.control.advance_clock(310)
        assert late in {key(one) for one in read(crm, contacts(Window(cursor - crm.overlap)))}


def test_del_1_match_8_one_read_tells_of_changes_deletions_and_merges(open_bench: OpenBench) -> None:
    """FLOW-4: one call."""
    with open_bench(contacts=8) as bench:
        assert isinstance(bench, SalesforceBench)
        crm, ids = bench.adapter(), sorted(bench.ids(Kind.CONTACT))
        window = Window(crm.now() - timedelta(minutes=5))
        bench.control.delete("Contact", ids[0])
        bench.control.merge("Contact", ids[1], ids[2])
        bench.control.edit("Contact", ids[3], {"Title": "changed"})
        before = bench.control.http_calls()
        request = ReadRequest(Kind.CONTACT, ("Title",), window, removals=True)
        (only,) = [page for stream in crm.streams(request) for page in crm.pages(request, stream)]
        assert bench.control.http_calls() - before == 1
        assert {one.crm_id: one.merged_into for one in only.removed} == {ids[0]: None, ids[2]: ids[1]}
        assert {json.loads(line)["Id"] for line in only.body.splitlines()} == {ids[1], ids[3]}
        bench.control.undelete("Contact", ids[0])
        assert ids[0] in {key(one) for one in read(crm, request)}


def test_del_1_a_long_window_asks_the_log_of_deletions_too(open_bench: OpenBench) -> None:
    """The recycle bin may have been emptied meanwhile."""
    with open_bench(contacts=6) as bench:
        assert isinstance(bench, SalesforceBench)
        crm, victim = bench.adapter(), min(bench.ids(Kind.CONTACT))
        begin = crm.now()
        bench.control.advance_clock(3600)
        bench.control.delete("Contact", victim)
        bench.control.purge("Contact", [victim])
        bench.control.advance_clock(2 * 86400)
        request = ReadRequest(Kind.CONTACT, ("Title",), Window(begin, begin + timedelta(days=2)), removals=True)
        removed = [gone for stream in crm.streams(request) for page in crm.pages(request, stream) for gone in page.removed]
        assert [gone.crm_id for gone in removed] == [victim]
        assert isinstance(removed[0], Removal) and removed[0].at is not None and removed[0].at.tzinfo is UTC


def test_del_1_users_have_no_log_of_deletions_and_are_read_over_a_long_window_all_the_same(open_bench: OpenBench) -> None:
    """They are never deleted; the CRM refuses the question, and a run after an outage of days would fail at it each time."""
    with open_bench(contacts=0) as bench:
        assert isinstance(bench, SalesforceBench)
        crm = bench.adapter()
        now = crm.now()
        bench.control.touch("User", [min(bench.ids(Kind.USER))])
        request = ReadRequest(Kind.USER, ("Title",), Window(now - timedelta(days=2), now + timedelta(minutes=1)), removals=True)
        assert len(read(crm, request)) == 1
        assert bench.control.calls(path_part="/deleted/") == []


def test_a_log_of_deletions_that_begins_too_late_is_a_gap(open_bench: OpenBench) -> None:
    """What was deleted before it begins nobody can say: the object has to be read afresh."""
    with open_bench(contacts=2) as bench:
        assert isinstance(bench, SalesforceBench)
        crm = bench.adapter()
        now = crm.now()
        bench.control.set_log_from(now.timestamp() - 3600)
        request = ReadRequest(Kind.CONTACT, ("Title",), Window(now - timedelta(days=5), now), removals=True)
        with pytest.raises(GapError):
            read(crm, request)


def test_match_7_a_converted_lead_points_to_its_contact(open_bench: OpenBench) -> None:
    with open_bench() as bench:
        assert isinstance(bench, SalesforceBench)
        lead = min(bench.ids(Kind.LEAD))
        told = bench.control.convert_lead(lead)
        request = ReadRequest(Kind.LEAD, ("IsConverted", "ConvertedContactId"), ids=(lead,))
        (found,) = read(bench.adapter(), request)
        assert (found["IsConverted"], found["ConvertedContactId"]) == (True, told["contact_id"])


def test_consent_6_a_hidden_opt_out_is_not_described_and_what_is_read_goes_on(open_bench: OpenBench) -> None:
    with open_bench(contacts=3) as bench:
        bench.hide_field(Kind.CONTACT, "HasOptedOutOfEmail")
        crm = bench.adapter()
        fields = crm.describe([Kind.CONTACT])[Kind.CONTACT].names()
        assert "HasOptedOutOfEmail" not in fields
        assert len(read(crm, ReadRequest(Kind.CONTACT, fields))) == 3


def test_consent_6_a_field_that_is_hidden_in_the_middle_of_a_run_is_not_taken_for_empty(open_bench: OpenBench) -> None:
    """INVALID_FIELD: the object is described anew by the next run."""
    with open_bench(contacts=3) as bench:
        crm = bench.adapter()
        fields = crm.describe([Kind.CONTACT])[Kind.CONTACT].names()
        bench.hide_field(Kind.CONTACT, "HasOptedOutOfEmail")
        with pytest.raises(Transient, match="no longer shows HasOptedOutOfEmail of Contact"):
            read(crm, ReadRequest(Kind.CONTACT, fields))


def test_compound_fields_are_left_to_their_parts(open_bench: OpenBench) -> None:
    with open_bench() as bench:
        names = bench.adapter().describe([Kind.CONTACT, Kind.ACCOUNT])
        assert {"MailingAddress", "OtherAddress"}.isdisjoint(names[Kind.CONTACT].names())
        assert {"MailingStreet", "Name", "FirstName"} <= set(names[Kind.CONTACT].names())
        assert "BillingStreet" in names[Kind.ACCOUNT].names()


def test_filt_1_a_filter_that_the_crm_does_not_understand_is_the_operators_affair(open_bench: OpenBench) -> None:
    with open_bench(contacts=1) as bench:
        crm = bench.adapter()
        for field in ("NoSuchField", "Nick' OR Id != '"):
            with pytest.raises(ConfigError):
                crm.count(Kind.CONTACT, where=Filter((Condition(field, "equals", "x"),)))


def test_filt_1_a_value_stays_within_its_quotes(open_bench: OpenBench) -> None:
    names = ("O'Brien", "100%", "back\\slash", 'a "quote"', "two\nlines", "under_score", "x' OR Name != '")
    with open_bench(contacts=2) as bench:
        assert isinstance(bench, SalesforceBench)
        wanted = {name: bench.control.create("Contact", {"LastName": name}) for name in names}
        crm = bench.adapter(page_rows=100)
        for name, op in itertools.product(names, ("equals", "starts", "contains", "in")):
            where = Filter((Condition("LastName", op, (name,) if op == "in" else name),))
            assert {key(one) for one in read(crm, contacts(where=where))} == {wanted[name]}, (name, op)


def test_filt_1_days_instants_numbers_and_truths_are_written_bare(open_bench: OpenBench) -> None:
    with open_bench(opportunities=4) as bench:
        crm = bench.adapter()
        for condition in (
            Condition("CloseDate", "gte", "2000-01-01"),
            Condition("SystemModstamp", "gt", "2000-01-01T00:00:00Z"),
            Condition("Amount", "gte", 0),
            Condition("Probability", "in", ("10", "20", "50", "60", "70", "75", "80", "90", "100", "0", "25", "40")),
            Condition("IsWon", "in", ("true", "false")),
            Condition("IsDeleted", "equals", False),
        ):
            assert crm.count(Kind.OPPORTUNITY, where=Filter((condition,))) >= 0


def test_a_read_of_hundreds_of_fields_goes_around_the_longest_address(open_bench: OpenBench) -> None:
    with open_bench(contacts=3) as bench:
        assert isinstance(bench, SalesforceBench)
        names = [f"A_field_with_quite_a_long_name_{number:03d}__c" for number in range(250)]
        for name in names:
            bench.control.add_field("Contact", f"{name} string(20)")
        found = read(bench.adapter(), ReadRequest(Kind.CONTACT, tuple(names), Window(datetime(2000, 1, 1, tzinfo=UTC))))
        assert len(found) == 3 and set(names) <= set(found[0])


# -- lists ------------------------------------------------------------------------------------------------------------


def test_list_1_campaign_members_come_with_what_they_are_and_the_end_of_each_campaign(open_bench: OpenBench) -> None:
    with open_bench(contacts=5, campaigns=3, members_per_campaign=4) as bench:
        assert isinstance(bench, SalesforceBench)
        campaigns = [row["Id"] for row in bench.control.dump("Campaign", deleted=False)]
        told = read(bench.adapter(), ReadRequest(Kind.LIST_MEMBER, MEMBER_FIELDS, ids=tuple(campaigns)))
        members = {(row["CampaignId"], row["ContactId"] or row["LeadId"]) for row in bench.control.dump("CampaignMember", deleted=False)}
        assert {(one["list_id"], one["id"]) for one in told if "id" in one} == members
        ends = {(one["list_id"], one["member_kind"]) for one in told if one.get("state") == "complete"}
        assert ends == {(one, kind) for one in campaigns for kind in ("contact", "lead")}


def test_list_2_members_that_may_not_be_read_are_not_taken_for_none(open_bench: OpenBench) -> None:
    with open_bench(campaigns=1, members_per_campaign=2) as bench:
        assert isinstance(bench, SalesforceBench)
        bench.control.deny("CampaignMember")
        (campaign,) = [row["Id"] for row in bench.control.dump("Campaign", deleted=False)]
        told = read(bench.adapter(), ReadRequest(Kind.LIST_MEMBER, MEMBER_FIELDS, ids=(campaign,)))
        assert {one["state"] for one in told} == {"denied"}


def test_queries_that_time_out_for_good_are_told(tmp_path: Path) -> None:
    with scripted(granted(), said(400, "QUERY_TIMEOUT", "too long")) as server, pytest.raises(QueryTimeout):
        read(to(server.url, tmp_path), ReadRequest(Kind.USER, ("Username",), ids=("005000000000001AAA",)))
