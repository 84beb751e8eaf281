"""A Market and a reference world, both in words that do not depend on keys: who is it, what stands there, who is linked."""

from __future__ import annotations

from typing import Any

from tests.pull_road import PullRoad
from tests.reference.world import World

Picture = dict[str, list[Any]]
VALUES = ("title", "score")


def picture_of_market(road: PullRoad, imported: dict[int, int]) -> Picture:
    """`imported`: contact_id → number in the reference, for the rows that were there before."""
    links = road.rows("SELECT * FROM crm_links WHERE living ORDER BY kind, crm_id")
    people = {row["contact_id"]: row for row in road.rows("SELECT * FROM contacts")}
    accounts = {row["account_id"]: row["crm_id"] for row in road.rows("SELECT account_id, crm_id FROM accounts WHERE account_id <> 1")}
    users = {row["user_id"]: row["crm_id"] for row in road.rows("SELECT user_id, crm_id FROM users")}
    held: dict[int, list[Any]] = {}
    for link in links:
        if link["kind"] in ("lead", "contact"):
            held.setdefault(link["market_id"], []).append([link["kind"], link["crm_id"], _flag(link["crm_opt_out"]), link["converted_to"]])
    name = {row: [[each[:2] for each in held.get(row, [])], imported.get(row)] for row in people}
    return {
        "people": _sorted(
            {
                "who": name[row],
                "links": held.get(row, []),
                "type": person["crm_type"],
                "crm_id": person["crm_id"],
                "email": person["email"],
                "out": bool(person["opt_out"]),
                "delivery": [person["del_status"], person["del_message"]],
                "company": person["company"],
                "account": [person["account_ref"] or None, accounts.get(person["account_id"])],
                "owner": [person["owner_ref"] or None, users.get(person["owner_id"])],
                "values": {each: person[each] for each in VALUES},
                "deleted": person["deleted_date"] is not None,
                "merged_into": name.get(person["merged_into"]),
            }
            for row, person in people.items()
        ),
        "accounts": _sorted(
            [each["crm_id"], each["account_name"], each["owner_ref"] or None, users.get(each["owner_id"])]
            for each in road.rows("SELECT * FROM accounts WHERE account_id <> 1")
        ),
        "users": _sorted(
            [
                each["crm_id"],
                each["email"],
                each["last_name"],
                sorted(k["crm_id"] for k in links if k["kind"] == "user" and k["market_id"] == each["user_id"]),
            ]
            for each in road.rows("SELECT * FROM users")
        ),
        "queued": _sorted([each["crm_kind"], each["crm_id"]] for each in road.rows("SELECT crm_kind, crm_id FROM outbox")),
        "ledger": _sorted(
            [name.get(each["contact_id"]), bool(each["new"])] for each in road.rows("SELECT * FROM consent_ledger WHERE contact_id > 0")
        ),
    }


def picture_of_world(world: World) -> Picture:
    held: dict[int, list[Any]] = {}
    for (kind, crm_id), link in sorted(world.links.items()):
        if kind in ("lead", "contact"):
            held.setdefault(link.row, []).append([kind, crm_id, link.base, link.converted_to])
    imported = {row: row for row, person in world.people.items() if person["imported"]}
    name = {row: [[each[:2] for each in held.get(row, [])], imported.get(row)] for row in world.people}
    accounts = {row: account["id"] for row, account in world.accounts.items()}
    users = {row: user["id"] for row, user in world.users.items()}
    return {
        "people": _sorted(
            {
                "who": name[row],
                "links": held.get(row, []),
                "type": person["type"],
                "crm_id": person["crm_id"],
                "email": person["email"],
                "out": person["out"],
                "delivery": [person["status"], person["message"]],
                "company": person["company"],
                "account": [person["account"], accounts.get(person["account_row"])],
                "owner": [person["owner"], users.get(person["owner_row"])],
                "values": {each: person["values"].get(each) for each in VALUES},
                "deleted": person["deleted"],
                "merged_into": name.get(person["merged_into"]),
            }
            for row, person in world.people.items()
        ),
        "accounts": _sorted([each["id"], each["name"], each["owner"], users.get(each["owner_row"])] for each in world.accounts.values()),
        "users": _sorted(
            [
                user["id"],
                user["email"],
                user["name"],
                sorted(crm_id for (kind, crm_id), link in world.links.items() if kind == "user" and link.row == row),
            ]
            for row, user in world.users.items()
        ),
        "queued": _sorted([kind, crm_id] for kind, crm_id in world.queued),
        "ledger": _sorted([name.get(row), out] for row, out in world.ledger),
    }


def _sorted(rows: Any) -> list[Any]:
    return sorted(rows, key=repr)


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def differences(found: Picture, expected: Picture) -> list[str]:
    """What only one of them has; empty when they agree."""
    lines = []
    for table, rows in found.items():
        lines += [
            f"Market only, {table}: {row}" for row in rows if row not in expected[table] or rows.count(row) > expected[table].count(row)
        ]
        lines += [
            f"reference only, {table}: {row}" for row in expected[table] if row not in rows or rows.count(row) < expected[table].count(row)
        ]
    return lines
