"""Subscriptions: a custom module of the sandbox whose records belong to people and accounts (CUST-1), and a road that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.sandbox.sugarcrm import RunningSandbox
from adapters.sandbox.sugarcrm.settings import MKT_MODULES, CustomModule
from sync.records import Kind
from tests.core_road import CoreRoad, core_road

MODULE = "mkt_Subscription"
SUBSCRIPTION = Kind("custom_subscription")
FIELDS = (
    "name name 255 required",
    "status varchar 20",
    "end_date date",
    "seats int",
    "price decimal",
    "contact_id_c id",
    "person relate contact_id_c Contacts",
    "account_id_c id",
    "company relate account_id_c Accounts",
)
CONNECTOR = (
    "[connectors.acme.custom_objects]\n"
    f'subscription = {{ object = "{MODULE}", person = "contact_id_c", account = "account_id_c", expected = 8 }}\n'
)


def subscribed(crm: RunningSandbox) -> None:
    """Eight subscriptions: of the first contacts and accounts, of a lead, of nobody, and of somebody who is not there."""
    contacts, leads, accounts = (
        [each["id"] for each in crm.control.dump(module, deleted=False)] for module in ("Contacts", "Leads", "Accounts")
    )
    people = [*contacts[:5], leads[0], None, "00000000-0000-4000-8000-00000000nobo"]
    for number, person in enumerate(people):
        crm.control.create(
            MODULE,
            {
                "id": f"00000000-0000-4000-8000-00000000{number:04}",
                "name": f"Subscription {number}",
                "status": "active" if number % 2 == 0 else "ended",
                "end_date": f"2026-{number + 1:02}-15",
                "seats": number,
                "price": f"{number}.250000",
                "contact_id_c": person,
                "account_id_c": accounts[number] if number < 3 else None,
                "date_modified": f"2026-05-{number + 1:02}T08:00:00Z",
            },
        )


def subscription_id(number: int) -> str:
    return f"00000000-0000-4000-8000-00000000{number:04}"


@contextmanager
def subscription_road(folder: Path, market_url: str, *, connector: str = "", gate: bool = False, **settings: Any) -> Iterator[CoreRoad]:
    """`connector`: more lines after the custom object's."""
    modules = (*MKT_MODULES, CustomModule(MODULE, FIELDS))
    with core_road(
        folder, market_url, connector=CONNECTOR + connector, gate=gate, colleagues=subscribed, custom_modules=modules, **settings
    ) as road:
        road.control.advance_clock(1_200)
        yield road


def row_of(road: CoreRoad, crm_id: str) -> dict[str, Any]:
    [row] = road.rows("SELECT * FROM custom_subscription WHERE crm_id = :id", id=crm_id)
    return row


def person_of(road: CoreRoad, crm_id: str, kind: str = "contact") -> int:
    return int(road.one("SELECT market_id FROM crm_links WHERE kind = :kind AND crm_id = :id", kind=kind, id=crm_id))
