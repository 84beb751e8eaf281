"""Marketing lists over real HTTP, without Prefect's engine: a sandbox, a Market, and cycles of `flows.lists.follow_lists`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect import Task

import flows.changes
import flows.lists
import flows.pull
from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.records import CommitCounts, Finding, Kind
from tasks.report import noted_findings
from tasks.wiring import now
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

PULL = "[connectors.acme.pull]\nopportunities = false\nmarketing_lists = true\n"
_LINKS = {"contact": "contacts", "lead": "leads", "account": "accounts", "user": "users"}


@dataclass
class ListRoad:
    """One CRM and one Market. `cycle` is what a core sync does with lists; people come before, as in a core sync."""

    road: PullRoad
    crm: RunningSandbox
    schema: str = ""
    cycles: int = 0

    def people(self) -> None:
        """Everybody comes, as in the initial sync."""
        self.schema = self.road.schema()
        for kind in (Kind.USER, Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT):
            self.road.bring_in(self.road.extract(kind, self.schema), gate=False)

    def cycle(self, **options: Any) -> dict[Kind, CommitCounts]:
        """One cycle, as a run of its own; → what was committed of lists and of members."""
        self.cycles += 1
        self.road = PullRoad(self.road.config, run_id=f"cycle-{self.cycles}")
        changed = flows.lists.follow_lists(self.road.run, self.schema, now(), **options)
        committed = self.road.rows(
            "SELECT kind, counts FROM parcels WHERE run_id = :run AND kind LIKE 'list%' ORDER BY committed_at", run=self.road.run_id
        )
        assert changed == bool(committed)
        found: dict[Kind, CommitCounts] = {}
        for row in committed:
            kind, counts = Kind(row["kind"]), json.loads(row["counts"])
            before = asdict(found.get(kind, CommitCounts()))
            found[kind] = CommitCounts(**{name: counts.get(name, 0) + before[name] for name in before})
        return found

    def make_list(self, name: str, **members: list[str]) -> str:
        """A target list; `members`: contact=[…], lead=[…] and so on."""
        list_id = self.crm.control.create("ProspectLists", {"name": name, "list_type": "default"})
        for kind, ids in members.items():
            for one in ids:
                self.add(list_id, kind, one)
        return str(list_id)

    def add(self, list_id: str, kind: str, crm_id: str) -> None:
        self.crm.control.link("ProspectLists", list_id, _LINKS[kind], crm_id)

    def take_off(self, list_id: str, kind: str, crm_id: str) -> None:
        self.crm.control.unlink("ProspectLists", list_id, _LINKS[kind], crm_id)

    def ids(self, module: str, count: int) -> list[str]:
        return [row["id"] for row in self.crm.control.dump(module, deleted=False)][:count]

    def members(self, list_id: str) -> dict[str, tuple[bool, bool]]:
        """CRM id of everybody who is or was on the list → (is on it, has a Market row)."""
        query = """SELECT m.crm_id, m.left_at IS NULL AS present, m.market_id IS NOT NULL AS linked FROM marketing_list_members m
            JOIN marketing_lists USING (list_id) WHERE marketing_lists.crm_id = :id"""
        return {row["crm_id"]: (bool(row["present"]), bool(row["linked"])) for row in self.road.rows(query, id=list_id)}

    def the_list(self, list_id: str) -> dict[str, Any]:
        [row] = self.road.rows("SELECT * FROM marketing_lists WHERE crm_id = :id", id=list_id)
        return row

    def findings(self) -> tuple[Finding, ...]:
        return noted_findings(self.road.home, self.road.run)

    def calls(self) -> list[str]:
        """The paths of the data calls since the last look; calls inside of a bulk call are no calls of their own."""
        made = [call for call in self.crm.control.calls() if not call.get("in_bulk") and "oauth2" not in call["path"]]
        self.crm.control.reset_calls()
        return [call["path"].partition("/rest/")[2].partition("/")[2].partition("?")[0] for call in made]


def plainly(monkeypatch: pytest.MonkeyPatch, *, gate: bool = False) -> None:
    """Tasks are called as plain functions: what they do is meant here, not how Prefect runs them. Without the gate nothing is held."""
    for module in (flows.lists, flows.changes, flows.pull):
        for name, value in list(vars(module).items()):
            if isinstance(value, Task):
                monkeypatch.setattr(module, name, value.fn)
    if not gate:
        monkeypatch.setattr(flows.lists, "check_members", lambda *_: 0)
        monkeypatch.setattr(flows.pull, "check", lambda *_: 0)
        monkeypatch.setattr(flows.changes, "check", lambda *_: 0)


@contextmanager
def list_road(
    folder: Path,
    market_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    connector: str = PULL,
    more: str = OPEN_GATE,
    gate: bool = False,
    **settings: Any,
) -> Iterator[ListRoad]:
    """A calm CRM with a few people, and an empty Market."""
    plainly(monkeypatch, gate=gate)
    few = {"accounts": 2, "leads": 4, "contacts": 8, "opportunities": 0, "users": 3, "prospect_lists": 0, "campaigns": 0}
    with (
        start_sandbox(SugarSandboxSettings(**{"nastiness": CALM, **few, **settings})) as crm,
        pull_road(folder, market_url, crm.url, connector=connector, more=more) as road,
    ):
        yield ListRoad(road, crm)
