"""The contact of an opportunity, which stands on a link and in no field (field-mappings: `contact_id`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.crm.sugarcrm import SugarCrm
from adapters.crm.sugarcrm_opportunities import CONTACT, MOST_PARTS, PRIMARY_ROLE
from adapters.http import Patience
from adapters.sandbox.sugarcrm import FaultRule
from sync.crm import Crm
from sync.errors import AccessDenied, ContractBroken, CredentialError, MarketsyncError, Transient
from sync.records import Kind, Page, ReadRequest
from tests.adapters.crm.conftest import PASSWORD, SugarBench, no_wait
from tests.adapters.scripted_server import Step, scripted

Opener = Callable[..., Any]
WITH = ReadRequest(Kind.OPPORTUNITY, ("name", CONTACT.name))
WITHOUT = ReadRequest(Kind.OPPORTUNITY, ("name",))
TOKEN = Step(body=b'{"access_token": "a", "refresh_token": "r"}')
ONE_RECORD = b'{"id":"00000001-0000-4000-8000-000000000000","date_modified":"2026-08-01T00:00:00+00:00"}'
ONE_PAGE = Step(body=b'{"next_offset":-1,"records":[%b]}' % ONE_RECORD)


def pages(crm: Crm, request: ReadRequest) -> list[Page]:
    return [page for stream in crm.streams(request) for page in crm.pages(request, stream)]


def contacts_of(crm: Crm, request: ReadRequest = WITH) -> dict[str, str | None]:
    found = [json.loads(line) for page in pages(crm, request) for line in page.body.splitlines()]
    assert len({each["id"] for each in found}) == len(found)
    return {each["id"]: each[CONTACT.name] for each in found}


def primary(bench: SugarBench) -> dict[str, str | None]:
    """What the sandbox has: the contact with the primary role of every living opportunity."""
    joins = bench.sandbox.control.joins("opportunities_contacts")
    named = {left: right for left, right, role in joins if role == PRIMARY_ROLE}
    return {record_id: named.get(record_id) for record_id in bench.ids(Kind.OPPORTUNITY)}


def bulk_calls(bench: SugarBench) -> int:
    return len([one for one in bench.sandbox.control.calls(path_part="/bulk") if not one["in_bulk"]])


def inside(status: int, **rule: Any) -> FaultRule:
    return FaultRule("status", path="/link/contacts", status=status, inside_bulk=True, **rule)


def bulk_of(*parts: dict[str, Any]) -> Step:
    return Step(body=json.dumps(list(parts)).encode())


def linked(*records: dict[str, Any], next_offset: int = -1) -> dict[str, Any]:
    return {"status": 200, "status_text": "OK", "headers": [], "contents": {"next_offset": next_offset, "records": list(records)}}


def scripted_contacts(tmp_path: Path, *answers: Step) -> list[str | None]:
    """What one opportunity gets when the bulk calls are answered so, one after the other."""
    with scripted(TOKEN, ONE_PAGE, *answers) as server:
        settings: dict[str, Any] = {"session_dir": tmp_path, "connections": 1, "sleep": no_wait, "patience": Patience(attempts=3)}
        crm = SugarCrm("acme", server.url, "mkt_sync", lambda: PASSWORD, **settings)
        return list(contacts_of(crm).values())


@pytest.mark.parametrize("opportunities", [0, 1, MOST_PARTS - 1, MOST_PARTS, MOST_PARTS + 1, 2 * MOST_PARTS])
def test_every_opportunity_brings_its_primary_contact_for_one_call_per_fifty(open_bench: Opener, opportunities: int) -> None:
    with open_bench(contacts=20, opportunities=opportunities) as bench:
        assert contacts_of(bench.adapter(page_rows=1000)) == primary(bench)
        assert bulk_calls(bench) == -(-opportunities // MOST_PARTS)


def test_opportunities_without_contacts_have_none(open_bench: Opener) -> None:
    with open_bench(contacts=20, opportunities=30) as bench:
        found = contacts_of(bench.adapter(page_rows=7))
        assert None in found.values()
        assert found == primary(bench)


def test_what_is_not_asked_for_costs_nothing_and_changes_nothing(open_bench: Opener) -> None:
    with open_bench(contacts=20, opportunities=60) as bench:
        plain = pages(bench.adapter(page_rows=25), WITHOUT)
        assert bulk_calls(bench) == 0
        told = pages(bench.adapter(page_rows=25), WITH)
        assert [one.position for one in told] == [one.position for one in plain]
        for before, after in zip(plain, told, strict=True):
            assert after.received_bytes > before.received_bytes
            bare = [line.rpartition(b',"contact_id":')[0] + b"}" for line in after.body.splitlines()]
            assert bare == before.body.splitlines()


def test_without_a_primary_one_the_contact_known_longest_counts_and_a_primary_one_takes_its_place(open_bench: Opener) -> None:
    with open_bench(contacts=5, opportunities=1) as bench:
        control, (deal,) = bench.sandbox.control, bench.ids(Kind.OPPORTUNITY)
        for left, right, _ in control.joins("opportunities_contacts"):
            control.unlink("Opportunities", left, "contacts", right)
        by_age = sorted((row["date_entered"], row["id"]) for row in control.dump("Contacts"))
        youngest, middle, oldest = by_age[-1][1], by_age[2][1], by_age[0][1]
        for contact in (youngest, middle, oldest):
            control.link("Opportunities", deal, "contacts", contact, role="Influencer")
        assert contacts_of(bench.adapter()) == {deal: oldest}
        control.link("Opportunities", deal, "contacts", youngest, role=PRIMARY_ROLE)
        assert contacts_of(bench.adapter()) == {deal: youngest}


def test_the_primary_contact_is_found_behind_a_hundred_others(open_bench: Opener) -> None:
    with open_bench(contacts=120, opportunities=1) as bench:
        control, (deal,) = bench.sandbox.control, bench.ids(Kind.OPPORTUNITY)
        everybody = sorted(bench.ids(Kind.CONTACT))
        for contact in everybody:
            control.link("Opportunities", deal, "contacts", contact, role="Other")
        control.link("Opportunities", deal, "contacts", everybody[-1], role=PRIMARY_ROLE)
        assert contacts_of(bench.adapter()) == {deal: everybody[-1]}


@pytest.mark.parametrize("status", [429, 500, 503, 401])
def test_a_part_that_fails_for_now_is_asked_again_alone(open_bench: Opener, status: int) -> None:
    with open_bench(contacts=20, opportunities=60) as bench:
        bench.sandbox.control.set_faults(inside(status, every=9, count=8))
        assert contacts_of(bench.adapter(page_rows=100)) == primary(bench)
        assert bench.failures() > 0
        reads = bench.sandbox.control.calls(path_part="/link/contacts")
        assert len([one for one in reads if one["in_bulk"]]) == 60


def test_a_part_that_fails_for_ever_is_transient_and_gives_no_page(open_bench: Opener) -> None:
    with open_bench(contacts=20, opportunities=10) as bench:
        bench.sandbox.control.set_faults(inside(503))
        with pytest.raises(Transient, match="503"):
            pages(bench.adapter(), WITH)
        assert bulk_calls(bench) == 4


def test_an_outer_call_that_fails_is_repeated_and_a_token_that_ends_is_renewed(open_bench: Opener) -> None:
    with open_bench(contacts=20, opportunities=60) as bench:
        # A rule does not see what a rule before it has hit: each takes the next call.
        bench.sandbox.control.set_faults(*(FaultRule(kind, path="/bulk$", nth=1) for kind in ("status", "truncate", "expire_token")))
        assert contacts_of(bench.adapter(page_rows=100)) == primary(bench)
        assert bench.failures() == 3


def test_an_opportunity_that_is_gone_when_its_link_is_read_has_no_contact(open_bench: Opener) -> None:
    with open_bench(contacts=20, opportunities=20) as bench:
        bench.sandbox.control.set_faults(inside(404, nth=3))
        found, known = contacts_of(bench.adapter(page_rows=100)), primary(bench)
        third = sorted(found)[2]
        assert found == {**known, third: None}


def test_some_links_that_may_not_be_read_are_told_in_the_log(open_bench: Opener, caplog: pytest.LogCaptureFixture) -> None:
    with open_bench(contacts=20, opportunities=20) as bench, caplog.at_level(logging.WARNING):
        bench.sandbox.control.set_faults(inside(403, nth=3))
        found, known = contacts_of(bench.adapter(page_rows=100)), primary(bench)
        assert found == {**known, sorted(found)[2]: None}
    assert "1 opportunities" in caplog.text


def test_no_link_that_may_be_read_is_a_right_that_is_missing(open_bench: Opener) -> None:
    """CONN-3."""
    with open_bench(contacts=20, opportunities=20) as bench:
        bench.deny(Kind.CONTACT)
        with pytest.raises(AccessDenied, match="contacts of opportunities"):
            pages(bench.adapter(), WITH)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"status": 422, "contents": {"error": "invalid_parameter", "error_message": "no"}}, ContractBroken),
        ({"status": 503, "contents": "<html>Please wait</html>"}, Transient),
        ({"status": 200, "contents": "<html>Please wait</html>"}, Transient),
        ({"status": 401, "contents": {"error": "invalid_grant", "error_message": "no"}}, CredentialError),
    ],
)
def test_a_part_that_no_patience_cures_says_what_it_is(tmp_path: Path, part: dict[str, Any], error: type[MarketsyncError]) -> None:
    with pytest.raises(error, match=r"."):
        scripted_contacts(tmp_path, bulk_of(part))


@pytest.mark.parametrize("body", [b"[]", b'{"error": "x"}', b'[{"status": 200}]'])
def test_an_answer_that_is_no_list_of_as_many_parts_is_not_believed(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(ContractBroken, match="bulk call of 1 parts"):
        scripted_contacts(tmp_path, Step(body=body))


def test_contents_may_come_as_text_and_the_status_too(tmp_path: Path) -> None:
    contents = json.dumps({"next_offset": -1, "records": [{"id": "c1", "opportunity_role": PRIMARY_ROLE}]})
    assert scripted_contacts(tmp_path, bulk_of({"status": "200", "contents": contents})) == ["c1"]


def test_a_page_for_people_in_place_of_one_part_is_asked_again(tmp_path: Path) -> None:
    busy = bulk_of({"status": 200, "contents": "<html>Please wait</html>"})
    assert scripted_contacts(tmp_path, busy, bulk_of(linked({"id": "c1"}))) == ["c1"]


def test_a_long_link_is_read_to_its_end(tmp_path: Path) -> None:
    first = bulk_of(linked({"id": "c2", "date_entered": "2026-01-02T00:00:00+00:00"}, next_offset=100))
    second = bulk_of(linked({"id": "c1", "date_entered": "2026-01-01T22:00:00-03:00"}))
    assert scripted_contacts(tmp_path, first, second) == ["c2"], "22:00 at -03:00 is later than midnight UTC"


def test_the_schema_describes_the_contact_unless_the_link_is_hidden(open_bench: Opener) -> None:
    """INIT-3."""
    with open_bench() as bench:
        assert bench.adapter().describe([Kind.OPPORTUNITY])[Kind.OPPORTUNITY].get("contact_id") == CONTACT
        bench.control("fields/hide", user="mkt_sync", module="Opportunities", name="contacts")
        assert bench.adapter().describe([Kind.OPPORTUNITY])[Kind.OPPORTUNITY].get("contact_id") is None
