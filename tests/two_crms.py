"""Two SugarCRMs that feed one Market, a day of work on both sides, and what must be the same however the runs were spread over time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flows.core_sync
import flows.push
from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from adapters.staging.outgoing import CHECKED
from sync.push_settings import PushOptions
from sync.records import ParcelRef, RunRef
from tasks.operate import CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.runs import begin_following, only_run
from tasks.wiring import installation, now
from tests.core_road import without_engine
from tests.flows.place import PASSWORD, PASSWORD_VARIABLE, USER
from tests.pull_road import PullRoad
from tests.push_road import KINDS, Marketing

CONNECTORS = ("acme", "hub")
FLOWS = (CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW)
ROUND_S = 1_200
CHANGED, TASKS = 6, 5
NEW_LEAD = "Person of {} "
_FEW = {"accounts": 8, "leads": 12, "contacts": 24, "opportunities": 5, "users": 4, "prospect_lists": 0, "campaigns": 0}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class TwoCrms:
    """One installation with two connectors. Flows run without Prefect's engine inside `tests.core_road.without_engine`."""

    config: str
    sandboxes: dict[str, RunningSandbox]

    def road(self, connector: str) -> PullRoad:
        return PullRoad(self.config, connector, f"initial-{connector}")

    def run(self, flow: str, connector: str) -> None:
        """One run of a recurring flow, from its lock to its end."""
        run = RunRef(f"run-{next(_numbers)}", flow, connector, self.config)
        with only_run(run):
            kinds = begin_following(run)
            if flow == CORE_FLOW:
                flows.core_sync._follow(run, kinds, now())
            else:
                flows.push.push(run, KINDS[flow], now())

    def day(self, number: int) -> None:
        """What marketing did, and what colleagues change in both CRMs meanwhile: always the same on a day of that number."""
        for connector in CONNECTORS:
            self._marketing(connector, number)
            self.change(connector, f"day {number}")

    def change(self, connector: str, word: str) -> None:
        control = self.sandboxes[connector].control
        for record in self._contacts(connector)[:CHANGED]:
            control.edit("Contacts", record, {"title": f"{word} of {connector}"})

    def advance(self) -> None:
        for each in self.sandboxes.values():
            each.control.advance_clock(ROUND_S)

    def _marketing(self, connector: str, number: int) -> None:
        does = Marketing(installation(self.config).market, connector)
        campaign = does.campaign(f"{connector}{number}")
        people = self._people(connector)
        for person in people[:TASKS]:
            does.task(person, f"Call {number} of {connector}")
            does.mail(person, campaign, subject=f"News {number}")
            does.score(person, number * 10) if number == 1 else None
        does.opt_out(people[TASKS + number])
        does.person(f"new-{number}@{connector}.example", first_name="New", last_name=f"{NEW_LEAD.format(connector)}{number}")

    def _people(self, connector: str) -> list[int]:
        """Market keys of people with one contact in that CRM; the same ones in every Market over these CRMs."""
        query = "SELECT market_id, crm_id FROM crm_links WHERE connector = :connector AND kind = 'contact' AND living ORDER BY crm_id"
        rows = self.road(connector).rows(query, connector=connector)
        return [int(row["market_id"]) for row in rows if row["crm_id"] in self._contacts(connector)][:12]

    def _contacts(self, connector: str) -> list[str]:
        return sorted(str(row["id"]) for row in self.sandboxes[connector].control.dump("Contacts", deleted=False) if row["email"])

    # -- what must be the same --------------------------------------------------------------------------------------

    def market(self) -> dict[str, Counter[tuple[Any, ...]]]:
        """What Market holds, without its own keys, stamps of our clock, and keys that the CRMs made up."""
        road = self.road(CONNECTORS[0])
        return {name: Counter(tuple(row.values()) for row in road.rows(query)) for name, query in _HELD.items()}

    def crm(self) -> dict[tuple[str, str], Counter[tuple[Any, ...]]]:
        """What the CRMs hold of what was pushed and changed."""
        return {
            (connector, module): Counter(tuple(map(str, map(row.get, fields))) for row in sandbox.control.dump(module, deleted=False))
            for connector, sandbox in self.sandboxes.items()
            for module, fields in _PUSHED.items()
        }


_HELD = {
    "people": "SELECT c.connector, c.crm_type, c.email, c.first_name, c.last_name, c.title, c.opt_out, c.deleted_date IS NULL AS lives, "
    "a.account_name FROM contacts c LEFT JOIN accounts a ON a.account_id = c.account_id",
    "accounts": "SELECT connector, account_name, deleted_date IS NULL AS lives FROM accounts",
    "users": "SELECT connector, email, user_name FROM users",
    "opportunities": "SELECT o.connector, o.crm_id, a.account_name "
    "FROM opportunities o LEFT JOIN accounts a ON a.account_id = o.account_id",
    "links": "SELECT connector, kind, living, count(*) AS many FROM crm_links GROUP BY connector, kind, living",
    "outbox": "SELECT connector, kind, state, count(*) AS many FROM outbox GROUP BY connector, kind, state",
    "ledger": "SELECT source, old, new, count(*) AS many FROM consent_ledger GROUP BY source, old, new",
    "guarded": "SELECT address FROM guarded_watch",
    "held": "SELECT connector, kind, count(*) AS many FROM quarantine GROUP BY connector, kind",
}
_PUSHED = {
    "Tasks": ("name", "parent_type"),
    "Leads": ("last_name", "email1", "converted"),
    "Contacts": ("id", "title"),
}


@contextmanager
def unchecked() -> Iterator[None]:
    """Without Prefect's engine, and without the gate: what comes and goes here is good, and a batch costs a quarter of a second less."""
    with without_engine(gate=False), pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows.push, "check_outgoing", _pass)
        yield


def _pass(run: RunRef, ref: ParcelRef) -> None:
    with installation(run.config).parcels.open(ref) as parcel:
        parcel.tell("state", CHECKED)


@contextmanager
def two_crms(folder: Path, market_url: str) -> Iterator[TwoCrms]:
    """Both CRMs are always the same ones, and everything is pushed. Nothing is synced yet; PASSWORD_VARIABLE has to hold PASSWORD."""
    folder.mkdir(parents=True, exist_ok=True)
    push = "".join(f"{option} = true\n" for option in PushOptions.__dataclass_fields__)
    text = f'data_dir = "{folder / "data"}"\n[market]\nurl = "{market_url}"\n[gate]\nmin_rows_for_share = 1000000\n'
    with ExitStack() as stack:
        sandboxes = {}
        for seed, connector in enumerate(CONNECTORS, start=1):
            settings = SugarSandboxSettings(
                seed=seed, clock_fixed=1_790_000_000.0, nastiness=CALM, user_name=USER, password=PASSWORD, **_FEW
            )
            sandboxes[connector] = stack.enter_context(start_sandbox(settings))
            text += f'[connectors.{connector}]\ncrm = "sugarcrm"\nurl = "{sandboxes[connector].url}"\nusername = "{USER}"\n'
            text += f'password = {{ env = "{PASSWORD_VARIABLE}" }}\n[connectors.{connector}.push]\n{push}'
        config = folder / "marketsync.toml"
        config.write_text(text)
        yield TwoCrms(str(config), sandboxes)
        installation(str(config)).market.close()
