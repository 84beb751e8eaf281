"""A SugarCRM and a Salesforce that feed one Market: their people are one person where the rules say so, and neither hears an echo."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flows.core_sync
import flows.push
from adapters.sandbox.salesforce import CALM as CALM_SALESFORCE
from adapters.sandbox.salesforce import RunningSandbox as RunningSalesforce
from adapters.sandbox.salesforce import SalesforceSandboxSettings
from adapters.sandbox.salesforce import start_sandbox as start_salesforce
from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.push_settings import PushOptions
from sync.records import RunRef
from tasks.operate import CORE_FLOW, TIME_SENSITIVE_FLOW
from tasks.runs import begin_following, only_run
from tasks.wiring import installation, now
from tests.core_road import initial
from tests.flows.place import PASSWORD, PASSWORD_VARIABLE, USER
from tests.pull_road import PullRoad
from tests.push_road import KINDS, Marketing
from tests.two_crms import unchecked

ANN, BOB = "ann@shared.example", "bob@shared.example"
SUGAR, SALES = "sugar", "sales"
SECRET = "SALESFORCE_SECRET"
_numbers = itertools.count(1)
_NOBODY = dict.fromkeys(("accounts", "leads", "contacts", "opportunities", "campaigns"), 0)


@dataclass(frozen=True)
class Both:
    """One installation. In both CRMs there are Ann and Bob, as contacts with the same addresses; their initial syncs are done."""

    config: str
    sugar: RunningSandbox
    sales: RunningSalesforce
    ids: dict[str, tuple[str, str]]

    def road(self, connector: str = SUGAR) -> PullRoad:
        return PullRoad(self.config, connector, f"initial-{connector}")

    def run(self, flow: str, connector: str) -> None:
        run = RunRef(f"run-{next(_numbers)}", flow, connector, self.config)
        with only_run(run):
            kinds = begin_following(run)
            if flow == CORE_FLOW:
                flows.core_sync._follow(run, kinds, now())
            else:
                flows.push.push(run, KINDS[flow], now())

    def cycle(self) -> None:
        """A core run of each, one after the other."""
        for each in (self.sugar, self.sales):
            each.control.advance_clock(1_200)
        for connector in (SUGAR, SALES):
            self.run(CORE_FLOW, connector)

    def row(self, address: str) -> dict[str, Any]:
        (found,) = self.road().rows("SELECT * FROM contacts WHERE email_key = :it AND deleted_date IS NULL", it=address)
        return found

    def is_out(self, address: str) -> tuple[bool, bool, bool]:
        """In Market, in the SugarCRM, in the Salesforce."""
        sugar_id, sales_id = self.ids[address]
        (primary,) = self.sugar.control.stored("Contacts", sugar_id)["email"]
        sales = self.sales.control.stored("Contact", sales_id)
        assert sales is not None
        return bool(self.row(address)["opt_out"]), bool(primary["opt_out"]), bool(sales["HasOptedOutOfEmail"])

    def writes(self) -> tuple[int, int]:
        """Calls that wrote something, in each of the two."""
        sugar = [call for call in self.sugar.control.calls() if call["method"] in ("PUT", "PATCH") or call["path"].endswith("/bulk")]
        sales = [call for call in self.sales.control.calls() if "composite/sobjects" in call["path"]]
        return len(sugar), len(sales)


@pytest.fixture
def both(tmp_path: Path, market_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    monkeypatch.setenv(SECRET, "sandbox-client-secret")
    with _both(tmp_path, market_url) as opened, unchecked():
        for connector in (SUGAR, SALES):
            initial(opened.road(connector))
        yield opened


@contextmanager
def _both(folder: Path, market_url: str) -> Iterator[Both]:
    with ExitStack() as stack:
        fixed = {"clock_fixed": 1_790_000_000.0, "users": 2}
        sugar = stack.enter_context(
            start_sandbox(SugarSandboxSettings(nastiness=CALM, user_name=USER, password=PASSWORD, prospect_lists=0, **fixed, **_NOBODY))
        )
        sales = stack.enter_context(
            start_salesforce(SalesforceSandboxSettings(nastiness=CALM_SALESFORCE, tasks=0, subscriptions=0, **fixed, **_NOBODY))
        )
        ids = {}
        for name, address in (("Ann", ANN), ("Bob", BOB)):
            told = {"first_name": name, "last_name": "Shared", "email1": address, "title": "Clerk"}
            other = {"FirstName": name, "LastName": "Shared", "Email": address, "Title": "Clerk"}
            ids[address] = (sugar.control.create("Contacts", told), sales.control.create("Contact", other))
        push = "".join(f"{option} = true\n" for option in PushOptions.__dataclass_fields__)
        config = folder / "marketsync.toml"
        config.write_text(
            f'data_dir = "{folder / "data"}"\n[market]\nurl = "{market_url}"\n[gate]\nmin_rows_for_share = 1000000\n'
            f'[connectors.{SUGAR}]\ncrm = "sugarcrm"\nurl = "{sugar.url}"\nusername = "{USER}"\n'
            f'password = {{ env = "{PASSWORD_VARIABLE}" }}\n[connectors.{SUGAR}.push]\n{push}'
            f'[connectors.{SALES}]\ncrm = "salesforce"\nurl = "{sales.url}"\nclient_id = "sandbox-client-id"\n'
            f'client_secret = {{ env = "{SECRET}" }}\n[connectors.{SALES}.push]\n{push}'
        )
        yield Both(str(config), sugar, sales, ids)
        installation(str(config)).market.close()


def test_match_2_who_is_in_both_crms_is_one_person_with_both_ids(both: Both) -> None:
    """CONN-1, MATCH-4: another CRM's record is no other record of the same object."""
    for address in (ANN, BOB):
        links = both.road().rows(
            "SELECT connector, crm_id FROM crm_links WHERE kind = 'contact' AND market_id = :it", it=both.row(address)["contact_id"]
        )
        assert {row["connector"]: row["crm_id"] for row in links} == {SUGAR: both.ids[address][0], SALES: both.ids[address][1]}


def test_push_1_a_change_in_one_crm_does_not_echo_into_the_other(both: Both) -> None:
    """PUSH-6: and after it both come to rest."""
    both.sugar.control.edit("Contacts", both.ids[ANN][0], {"title": "Director"})
    before = both.writes()
    for _ in range(3):
        both.cycle()
    assert both.row(ANN)["title"] == "Director"
    assert both.writes() == before
    assert both.sales.control.stored("Contact", both.ids[ANN][1])["Title"] == "Clerk"  # type: ignore[index]


@pytest.mark.parametrize("where", [SUGAR, SALES])
def test_consent_3_an_opt_out_in_one_crm_reaches_the_other_through_market(where: str, both: Both) -> None:
    """CONSENT-8, CONSENT-9, PUSH-U."""
    if where == SUGAR:
        both.sugar.control.opt_out(ANN, True)
    else:
        both.sales.control.opt_out(ANN)
    both.cycle()
    for connector in (SUGAR, SALES):
        both.run(TIME_SENSITIVE_FLOW, connector)
    both.cycle()
    assert both.is_out(ANN) == (True, True, True)
    assert both.is_out(BOB) == (False, False, False)


def test_consent_8_an_unsubscribe_in_market_reaches_both(both: Both) -> None:
    """CONSENT-10: and neither takes it back."""
    market = installation(both.config).market
    market.consent.unsubscribe(both.row(BOB)["contact_id"], who="a test", why="they asked", now=now(), push=(SUGAR, SALES))
    for connector in (SUGAR, SALES):
        both.run(TIME_SENSITIVE_FLOW, connector)
    both.cycle()
    both.cycle()
    assert both.is_out(BOB) == (True, True, True)


def test_push_t_a_task_goes_to_the_crm_that_it_is_for(both: Both) -> None:
    """CONN-1, PUSH-T."""
    person = both.row(ANN)["contact_id"]
    for connector in (SUGAR, SALES):
        Marketing(installation(both.config).market, connector).task(person, f"Call, says {connector}")
        both.run(TIME_SENSITIVE_FLOW, connector)
    assert [row["name"] for row in both.sugar.control.dump("Tasks", deleted=False)] == [f"Call, says {SUGAR}"]
    assert [row["Subject"] for row in both.sales.control.dump("Task", deleted=False)] == [f"Call, says {SALES}"]
