"""Records that go, come back, become one or become others, and what a client can learn of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.sandbox.control_client import ControlError
from adapters.sandbox.salesforce import SalesforceControl
from tests.adapters.sandbox.salesforce.conftest import Client

Start = Callable[..., tuple[Client, SalesforceControl]]
NOON = datetime(2026, 8, 1, 12, 0, 5, tzinfo=UTC)


def gone(client: Client, start: datetime, end: datetime, name: str = "Contact") -> dict[str, Any]:
    bounds = {"start": start.isoformat(), "end": end.isoformat()}
    return dict(client.good("GET", f"sobjects/{name}/deleted/", params=bounds))


def test_deletions_are_told_by_the_minute_and_as_far_as_they_are_certain(start: Start) -> None:
    client, control = start(contacts=3, clock_fixed=NOON.timestamp())
    first, second, third = (row["Id"] for row in control.dump("Contact"))
    control.delete("Contact", first)
    control.advance_clock(120)
    control.delete("Contact", second, delay_s=300)
    control.advance_clock(60)
    told = gone(client, NOON - timedelta(minutes=5), NOON + timedelta(hours=1))
    assert [row["id"] for row in told["deletedRecords"]] == [first]
    assert told["latestDateCovered"] == "2026-08-01T12:02:05.000+0000"  # an open transaction began here
    control.advance_clock(300)
    covered = datetime.fromisoformat(told["latestDateCovered"])
    assert [row["id"] for row in gone(client, covered, NOON + timedelta(hours=1))["deletedRecords"]] == [second]
    control.undelete("Contact", first)
    assert [row["id"] for row in gone(client, NOON - timedelta(minutes=5), NOON + timedelta(hours=1))["deletedRecords"]] == [second]
    updated = client.good(
        "GET", "sobjects/Contact/updated", params={"start": NOON.isoformat(), "end": (NOON + timedelta(hours=1)).isoformat()}
    )
    assert (updated["ids"], third in updated["ids"]) == ([first], False)


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 59), (60, 0), (-31 * 86_400, 0)])
def test_a_window_that_is_too_short_or_too_old_is_refused(start: Start, start_s: int, end_s: int) -> None:
    client, _ = start(clock_fixed=NOON.timestamp())
    bounds = {"start": (NOON + timedelta(seconds=start_s)).isoformat(), "end": (NOON + timedelta(seconds=end_s)).isoformat()}
    assert client.refused("GET", "sobjects/Contact/deleted", params=bounds) == (400, "INVALID_REPLICATION_DATE")
    assert client.refused("GET", "sobjects/User/deleted", params=bounds)[1] == "INVALID_TYPE_FOR_OPERATION"


def test_a_log_that_begins_later_shows_a_gap(start: Start) -> None:
    client, control = start(contacts=2, clock_fixed=NOON.timestamp())
    control.delete("Contact", next(control.dump("Contact"))["Id"])
    control.advance_clock(3600)
    asked_from = NOON - timedelta(hours=1)
    assert datetime.fromisoformat(gone(client, asked_from, NOON + timedelta(hours=1))["earliestDateAvailable"]) < asked_from
    control.set_log_from(NOON.timestamp() + 60)
    told = gone(client, asked_from, NOON + timedelta(hours=1))
    assert (told["deletedRecords"], datetime.fromisoformat(told["earliestDateAvailable"]) > asked_from) == ([], True)


def test_an_emptied_recycle_bin_leaves_only_the_log(start: Start) -> None:
    client, control = start(contacts=2, clock_fixed=NOON.timestamp())
    first, second = (row["Id"] for row in control.dump("Contact"))
    for one in (first, second):
        control.delete("Contact", one)
    assert control.purge("Contact", [first]) == 1
    assert client.column("SELECT Id FROM Contact", everything=True) == [second]
    window = (NOON - timedelta(minutes=5), NOON + timedelta(minutes=5))
    assert {row["id"] for row in gone(client, *window)["deletedRecords"]} == {first, second}
    assert control.purge(log=True) == 1
    assert [row["id"] for row in gone(client, *window)["deletedRecords"]] == [first]
    with pytest.raises(ControlError, match="recycle bin"):
        control.undelete("Contact", first)


def test_an_account_takes_its_contacts_and_deals_along_and_brings_them_back(start: Start) -> None:
    client, control = start()
    account = control.create("Account", {"Name": "A"})
    contact = control.create("Contact", {"LastName": "B", "AccountId": account})
    lone = control.create("Contact", {"LastName": "C", "AccountId": account})
    control.delete("Contact", lone)
    deal = control.create("Opportunity", {"Name": "D", "AccountId": account})
    control.create("OpportunityContactRole", {"OpportunityId": deal, "ContactId": contact, "IsPrimary": True})
    control.delete("Account", account)
    names = ("Account", "Contact", "Opportunity", "OpportunityContactRole")
    assert [control.count(name) for name in names] == [{"living": 0, "deleted": n} for n in (1, 2, 1, 1)]
    control.undelete("Account", account)
    assert [control.count(name)["living"] for name in names] == [1, 1, 1, 1]
    assert client.column("SELECT Id FROM Contact WHERE IsDeleted = true", everything=True) == [lone]


def test_the_loser_of_a_merge_points_at_the_winner(start: Start) -> None:
    client, control = start(clock_fixed=NOON.timestamp())
    winner, loser = (control.create("Contact", {"LastName": name}) for name in ("Winner", "Loser"))
    task = control.create("Task", {"WhoId": loser})
    subscription = control.create("Subscription__c", {"Contact__c": loser})
    control.advance_clock(60)
    control.merge("Contact", winner, loser)
    soql = "SELECT Id, MasterRecordId, SystemModstamp FROM Contact WHERE IsDeleted = true AND MasterRecordId != null"
    (row,) = client.query(soql, everything=True)
    assert (row["Id"], row["MasterRecordId"], row["SystemModstamp"]) == (loser, winner, "2026-08-01T12:01:05.000+0000")
    for name, one, field in (("Task", task, "WhoId"), ("Subscription__c", subscription, "Contact__c"), ("Contact", winner, "Id")):
        held = control.stored(name, one)
        assert held is not None and (held[field], held["SystemModstamp"]) == (winner, "2026-08-01T12:01:05.000Z")


def test_a_converted_lead_points_at_what_became_of_it_and_is_closed(start: Start) -> None:
    client, control = start()
    control.create("Contact", {"LastName": "Known", "Id": "003Sb0000009999"})
    leads = [control.create("Lead", {"LastName": f"L{n}", "Company": "Co", "Email": f"l{n}@example.com"}) for n in range(2)]
    control.create("Task", {"WhoId": leads[0]})
    new = control.convert_lead(leads[0], opportunity=True)
    old = control.convert_lead(leads[1], contact="003Sb0000009999", account=new["account_id"])
    soql = "SELECT ConvertedContactId, ConvertedAccountId, ConvertedOpportunityId, IsConverted, ConvertedDate FROM Lead ORDER BY LastName"
    first, second = client.query(soql)
    assert (first["ConvertedContactId"], first["ConvertedOpportunityId"]) == (new["contact_id"], new["opportunity_id"])
    assert (second["ConvertedContactId"], second["ConvertedAccountId"]) == (old["contact_id"], new["account_id"])
    assert (second["IsConverted"], second["ConvertedOpportunityId"], len(second["ConvertedDate"])) == (True, None, 10)
    assert client.column("SELECT WhoId FROM Task") == [new["contact_id"]]
    assert client.column(f"SELECT Email FROM Contact WHERE Id = '{new['contact_id']}'") == ["l0@example.com"]
    assert client.refused("PATCH", f"sobjects/Lead/{leads[0]}", {"Title": "x"}) == (400, "CANNOT_UPDATE_CONVERTED_LEAD")
    with pytest.raises(ControlError, match="could be converted"):
        control.convert_lead(leads[0])


def test_a_late_commit_has_an_early_stamp(start: Start) -> None:
    client, control = start(contacts=1, clock_fixed=NOON.timestamp())
    (one,) = (row["Id"] for row in control.dump("Contact"))
    control.edit("Contact", one, {"Title": "late"}, delay_s=90)
    made = control.create("Contact", {"LastName": "late too"}, delay_s=90)
    soql = "SELECT Id FROM Contact WHERE SystemModstamp >= 2026-08-01T12:00:05Z AND SystemModstamp < 2026-08-01T12:00:06Z"
    control.advance_clock(89)
    assert client.column(soql) == []
    control.advance_clock(1)
    assert set(client.column(soql)) == {one, made}


def test_some_changes_move_only_the_systems_stamp_and_some_none(start: Start) -> None:
    client, control = start(clock_fixed=NOON.timestamp())
    one = control.create("Contact", {"LastName": "x", "Email": "x@example.com"})
    control.advance_clock(60)
    assert control.bounce("X@example.com") == 1
    row = control.stored("Contact", one)
    assert row is not None and row["IsEmailBounced"] and row["LastModifiedDate"] < row["SystemModstamp"] == "2026-08-01T12:01:05.000Z"
    control.advance_clock(60)
    control.edit("Contact", one, {"Title": "silent"}, silent=True)
    again = control.stored("Contact", one)
    assert again is not None and (again["Title"], again["SystemModstamp"]) == ("silent", row["SystemModstamp"])
    assert control.opt_out("x@example.com") == 1
    assert client.column("SELECT SystemModstamp FROM Contact WHERE HasOptedOutOfEmail = true") == ["2026-08-01T12:02:05.000+0000"]


def test_ids_that_are_none_are_taken_from_the_control_api_only(start: Start) -> None:
    client, control = start()
    assert client.query_refusal("SELECT Id FROM Contact WHERE Id = 'c1'") == "INVALID_QUERY_FILTER_OPERATOR"
    control.create("Contact", {"Id": "c1", "LastName": "odd"})
    assert client.column("SELECT LastName FROM Contact WHERE Id = 'c1'") == ["odd"]
    assert client.call("PATCH", "sobjects/Contact/c1", {"Title": "x"}).status_code == 204
