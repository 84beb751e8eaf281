"""Counts, CRM against Market, over real HTTP: INIT-6, INIT-9, PULL-7. What happens "meanwhile" happens between extract and commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.errors import VerificationFailed
from sync.records import Kind
from tasks.report import kept_verification
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

ONLY_CONTACTS = "[connectors.acme.pull]\nusers = {users}\naccounts = false\nleads = false\ncontacts = true\nopportunities = false\n"


@contextmanager
def opened(folder: Path, more: str = "", users: str = "false", contacts: int = 6) -> Iterator[tuple[PullRoad, RunningSandbox]]:
    settings = SugarSandboxSettings(
        accounts=0, leads=0, contacts=contacts, opportunities=0, users=2, prospect_lists=0, campaigns=0, nastiness=CALM
    )
    pull = ONLY_CONTACTS.format(users=users)
    with (
        start_sandbox(settings) as sandbox,
        pull_road(folder, f"sqlite:///{folder / 'market.sqlite'}", sandbox.url, connector=f"{pull}{more}", more=OPEN_GATE) as road,
    ):
        yield road, sandbox


def lines(road: PullRoad) -> str:
    road.verify()
    return "\n".join(words for line in kept_verification(road.home, road.run) for words in line.lines)


def test_init_6_equal_counts_verify_without_a_word(tmp_path: Path) -> None:
    with opened(tmp_path) as (road, _):
        schema = road.schema()
        road.bring_in(road.extract(Kind.CONTACT, schema), gate=False)
        assert lines(road) == ""


def test_init_6_and_9_what_the_filter_leaves_out_is_explained(tmp_path: Path) -> None:
    more = '[connectors.acme.filters]\ncontacts = [{ field = "last_name", op = "equals", value = "Keeper" }]\n'
    with opened(tmp_path, more) as (road, sandbox):
        for number in range(2):
            sandbox.control.create("Contacts", {"id": f"kept-{number}", "last_name": "Keeper"})
        schema = road.schema()
        assert road.bring_in(road.extract(Kind.CONTACT, schema), gate=False).inserted == 2
        assert lines(road) == "6 filtered out by the sync filter"


def test_init_6_what_is_held_is_explained(tmp_path: Path) -> None:
    with opened(tmp_path) as (road, sandbox):
        sandbox.control.write_raw("Contacts", next(sandbox.control.dump("Contacts"))["id"], {"birthdate": "0000-00-00"})
        schema = road.schema()
        assert road.bring_in(road.extract(Kind.CONTACT, schema)).held == 1
        assert lines(road) == "1 held in quarantine"


def test_init_6_what_arrives_and_what_goes_while_we_read_is_explained(tmp_path: Path) -> None:
    with opened(tmp_path) as (road, sandbox):
        schema = road.schema()
        ref = road.extract(Kind.CONTACT, schema)
        for _ in range(3):
            sandbox.control.create("Contacts", {"last_name": "Newcomer"})
        road.bring_in(ref, gate=False)
        assert "3 arrived while the sync was reading" in lines(road)
        for record in list(sandbox.control.dump("Contacts"))[:2]:
            sandbox.control.delete("Contacts", record["id"])
        road.verify()


def test_init_6_only_deletions_are_explained_too(tmp_path: Path) -> None:
    with opened(tmp_path) as (road, sandbox):
        schema = road.schema()
        ref = road.extract(Kind.CONTACT, schema)
        sandbox.control.delete("Contacts", next(sandbox.control.dump("Contacts"))["id"])
        road.bring_in(ref, gate=False)
        assert lines(road) == "1 deleted in the CRM meanwhile"


def test_init_6_records_that_vanish_without_a_trace_fail_the_run(tmp_path: Path) -> None:
    """Team security takes them from the syncing user: nobody deleted them."""
    with opened(tmp_path) as (road, sandbox):
        schema = road.schema()
        road.bring_in(road.extract(Kind.CONTACT, schema), gate=False)
        sandbox.control.hide_rows("mkt_sync", "Contacts", [next(sandbox.control.dump("Contacts"))["id"]])
        with pytest.raises(VerificationFailed, match="1 too many in Market, and nothing explains it"):
            road.verify()


def test_init_6_records_that_were_never_read_fail_the_run(tmp_path: Path) -> None:
    with opened(tmp_path) as (road, sandbox):
        sandbox.control.hide_rows("mkt_sync", "Contacts", [next(sandbox.control.dump("Contacts"))["id"]])
        schema = road.schema()
        road.bring_in(road.extract(Kind.CONTACT, schema), gate=False)
        sandbox.control.hide_rows("mkt_sync", "Contacts", [], hidden=True)
        sandbox.control.hide_rows("mkt_sync", "Contacts", [each["id"] for each in sandbox.control.dump("Contacts")], hidden=False)
        with pytest.raises(VerificationFailed, match="1 missing in Market, and nothing explains it"):
            road.verify()


def test_pull_7_an_unknown_owner_is_fetched_else_null_and_reported(tmp_path: Path) -> None:
    with opened(tmp_path, users="true") as (road, sandbox):
        schema = road.schema()
        owner = sandbox.control.create("Users", {"user_name": "newcomer", "last_name": "Newcomer", "status": "Active"})
        first, second = (each["id"] for each in list(sandbox.control.dump("Contacts"))[:2])
        sandbox.control.write_raw("Contacts", first, {"assigned_user_id": owner})
        sandbox.control.write_raw("Contacts", second, {"assigned_user_id": "nobody"})
        road.bring_in(road.extract(Kind.CONTACT, schema), schema)
        owners = {row["crm_id"]: row for row in road.rows("SELECT crm_id, owner_id, owner_ref FROM contacts")}
        [known] = road.rows("SELECT user_id FROM users WHERE crm_id = :id", id=owner)
        assert owners[first]["owner_id"] == known["user_id"]
        assert (owners[second]["owner_id"], owners[second]["owner_ref"]) == (None, "nobody")
        noted = (road.home.run_dir(road.run_id) / "findings.jsonl").read_text()
        assert "unknown owner" in noted
        assert road.market.cursors.read("acme", Kind.USER) is None, "fetching single users moves no cursor (PULL-2)"
