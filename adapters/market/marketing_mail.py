"""Mails: sends, what became of them, opens and clicks (PUSH-ES, PUSH-EO, PUSH-EC)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from adapters.market.marketing_batch import Batch, insert_rows, references, rows_by, settle_known, winners
from adapters.market.marketing_people import addresses_of, find_people
from adapters.market.outbox_ready import unblock
from adapters.market.schema import contacts
from adapters.market.schema_marketing import campaigns, email_events, email_sends
from adapters.market.types import BIGINT, INSTANT
from sync.address import address_key
from sync.recording import Entry
from sync.recording_fields import Recordable
from sync.recording_pushes import Action
from sync.records import Kind

STATUS = {"unknown": 0, "delivered": 1, "bounced": 2}  # email_sends.delivery_status, contacts.del_status (ADDR-3)


def record_sends(batch: Batch) -> None:
    """One row per mail and person; it goes to a CRM once its delivery status is known."""
    campaign = references(batch, "campaign", campaigns.c.campaign_key)
    compared = {
        entry.number: {"campaign_id": campaign[entry.values["campaign"]]["campaign_id"]}
        | {name: entry.values[name] for name in ("sent_at", "subject") if name in entry.values}
        for entry in batch.open()
    }
    settle_known(batch, email_sends, compared)
    find_people(batch)
    owner = addresses_of(batch)
    rows: dict[int, dict[str, Any]] = {}
    for entry in list(batch.open()):
        person = batch.people[entry.number]
        address = entry.values.get("address") or owner[person]["email"]
        if address is None:
            batch.refuse(entry, "address: the person has none; say where the mail went")
            continue
        rows[entry.number] = _send(entry, person, address, campaign[entry.values["campaign"]])
    keys = insert_rows(batch.connection, email_sends, list(rows.values()))
    batch.actions += [Action(Kind.SENT, row["contact_id"], keys[row["event_id"]]) for row in rows.values()]
    _tell_people(batch, [row for row in rows.values() if row["delivery_status"]])


def _send(entry: Entry, person: int, address: str, campaign: RowMapping) -> dict[str, Any]:
    status = STATUS[entry.values.get("delivery_status", "unknown")]
    return {
        "event_id": entry.values["event_id"],
        "campaign_id": campaign["campaign_id"],
        "contact_id": person,
        "address": address,
        "subject": entry.values.get("subject", campaign["subject"]),
        "sent_at": entry.values["sent_at"],
        "delivery_status": status,
        "delivery_message": entry.values.get("delivery_message"),
        "delivery_at": entry.values.get("delivery_at", entry.values["sent_at"]) if status else None,
    }


def record_deliveries(batch: Batch, kind: Recordable) -> None:
    """Deliveries and bounces: what is newer counts, of the mail and of the person who still has its address (ADDR-3)."""
    status = STATUS["bounced" if kind is Recordable.BOUNCES else "delivered"]
    sends = references(batch, "send", email_sends.c.event_id)
    stand = winners(batch.connection, {row["contact_id"] for row in sends.values()})
    rows = {name: dict(row) | {"contact_id": stand.get(row["contact_id"], row["contact_id"])} for name, row in sends.items()}
    changed: dict[str, dict[str, Any]] = {}
    for entry in sorted(batch.open(), key=lambda each: each.values["at"]):
        row, at, message = rows[entry.values["send"]], entry.values["at"], entry.values.get("message")
        known_at = row["delivery_at"] if row["delivery_status"] else None
        if known_at is not None and known_at >= at:
            if known_at == at and row["delivery_status"] != status:
                batch.refuse(entry, f'send: "{row["event_id"]}" has another delivery status of that very instant')
            else:
                batch.know(entry)
            continue
        row |= {"delivery_status": status, "delivery_message": message, "delivery_at": at}
        changed[row["event_id"]] = row
    _write_deliveries(batch, list(changed.values()))
    people = select(contacts.c.contact_id).where(contacts.c.contact_id.in_({row["contact_id"] for row in changed.values()}))
    for to in batch.destinations:  # also where the option is off now: it was on when the mail was queued
        unblock(batch.connection, to.connector, people)
    _tell_people(batch, list(changed.values()))


def _write_deliveries(batch: Batch, rows: list[dict[str, Any]]) -> None:
    columns = ("delivery_status", "delivery_message", "delivery_at")
    if rows:
        values = {name: bindparam(f"new_{name}", type_=email_sends.c[name].type) for name in columns}
        statement = update(email_sends).where(email_sends.c.send_id == bindparam("of_send", type_=BIGINT)).values(values)
        batch.connection.execute(statement, [{f"new_{name}": row[name] for name in columns} | {"of_send": row["send_id"]} for row in rows])
    batch.actions += [Action(Kind.SENT, row["contact_id"], row["send_id"]) for row in rows]


def _tell_people(batch: Batch, rows: list[dict[str, Any]]) -> None:
    """ADDR-3: the status of the person's row, if the address is still theirs."""
    told = [
        {
            "person": row["contact_id"],
            "at_address": address_key(row["address"]),
            "status": row["delivery_status"],
            "message": row["delivery_message"],
            "now": batch.now,
        }
        for row in sorted(rows, key=lambda each: each["delivery_at"])
    ]
    if told:
        theirs = (contacts.c.contact_id == bindparam("person", type_=BIGINT)) & (contacts.c.email_key == bindparam("at_address"))
        values = {
            "del_status": bindparam("status"),
            "del_message": bindparam("message"),
            "updated_at": bindparam("now", type_=INSTANT),
        }
        batch.connection.execute(update(contacts).where(theirs).values(values), told)


def record_email_events(batch: Batch, kind: Recordable) -> None:
    """Opens and clicks: counted at their mail; of a mail that is not known here they are recorded all the same."""
    what, pushed = ("open", Kind.OPENED) if kind is Recordable.OPENS else ("click", Kind.CLICKED)
    campaign = references(batch, "campaign", campaigns.c.campaign_key)
    named = rows_by(batch.connection, email_sends.c.event_id, {e.values["send"] for e in batch.open() if "send" in e.values})
    for entry in list(batch.open()):
        _check_mail(batch, entry, named, campaign)
    compared = {
        entry.number: {"what": what, "campaign_id": _campaign(entry, named, campaign)}
        | {name: entry.values[name] for name in ("at", "url") if name in entry.values}
        for entry in batch.open()
    }
    settle_known(batch, email_events, compared)
    find_people(batch)
    stand = winners(batch.connection, {row["contact_id"] for row in named.values()})
    for entry in batch.open():
        send = named.get(entry.values.get("send", ""))
        if entry.number not in batch.people and send is not None:
            batch.people[entry.number] = stand.get(send["contact_id"], send["contact_id"])
    rows = _email_events(batch, what, named, {entry.number: _campaign(entry, named, campaign) for entry in batch.open()})
    keys = insert_rows(batch.connection, email_events, rows)
    _count(batch.connection, what, rows)
    batch.actions += [
        Action(pushed, row["contact_id"], keys[row["event_id"]], campaign_id=row["campaign_id"], send_id=row["send_id"]) for row in rows
    ]


def _check_mail(batch: Batch, entry: Entry, named: dict[str, RowMapping], campaign: dict[str, RowMapping]) -> None:
    values = entry.values
    send = named.get(values.get("send", ""))
    if send is None and not ("campaign" in values and {"contact_id", "address"} & values.keys()):
        known = "it is not given" if "send" not in values else f'"{values["send"]}" is not recorded'
        batch.refuse(entry, f"send: {known}, so campaign is needed, and contact_id or address")
    elif send is not None and "campaign" in values and campaign[values["campaign"]]["campaign_id"] != send["campaign_id"]:
        batch.refuse(entry, f'campaign: the send "{values["send"]}" belongs to another campaign')


def _campaign(entry: Entry, named: dict[str, RowMapping], campaign: dict[str, RowMapping]) -> int:
    send = named.get(entry.values.get("send", ""))
    return int(send["campaign_id"] if send is not None else campaign[entry.values["campaign"]]["campaign_id"])


def _email_events(batch: Batch, what: str, named: dict[str, RowMapping], of_campaign: dict[int, int]) -> list[dict[str, Any]]:
    newest = _newest_sends(batch, set(of_campaign.values()))
    owner = addresses_of(batch)
    rows = []
    for entry in batch.open():
        person, campaign_id = batch.people[entry.number], of_campaign[entry.number]
        send = named.get(entry.values["send"]) if "send" in entry.values else newest.get((campaign_id, person))
        address = entry.values.get("address") or (send["address"] if send is not None else owner[person]["email"])
        rows.append(
            {
                "event_id": entry.values["event_id"],
                "what": what,
                "campaign_id": campaign_id,
                "send_id": send["send_id"] if send is not None else None,
                "contact_id": person,
                "address": address,
                "url": entry.values.get("url"),
                "at": entry.values["at"],
            }
        )
    return rows


def _newest_sends(batch: Batch, of_campaigns: set[int]) -> dict[tuple[int, int], RowMapping]:
    """(campaign_id, contact_id) → the mail that was sent last, for the open lines that name no send."""
    people = {batch.people[entry.number] for entry in batch.open() if "send" not in entry.values}
    if not people:
        return {}
    theirs = email_sends.c.campaign_id.in_(sorted(of_campaigns)), email_sends.c.contact_id.in_(sorted(people))
    query = select(email_sends).where(*theirs).order_by(email_sends.c.sent_at, email_sends.c.send_id)
    return {(row["campaign_id"], row["contact_id"]): row for row in batch.connection.execute(query).mappings()}


def _count(connection: Connection, what: str, rows: list[dict[str, Any]]) -> None:
    counts = Counter(row["send_id"] for row in rows if row["send_id"] is not None)
    if counts:
        column = email_sends.c.opens if what == "open" else email_sends.c.clicks
        more = {column.name: column + bindparam("more", type_=BIGINT)}
        statement = update(email_sends).where(email_sends.c.send_id == bindparam("of_send", type_=BIGINT)).values(more)
        connection.execute(statement, [{"of_send": send_id, "more": count} for send_id, count in counts.items()])
