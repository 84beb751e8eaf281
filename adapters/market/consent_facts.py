"""What Market knows that decides about an opt-out: columns for the look-ups of a plan. Each reads one index, and only where it matters."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, exists, func, null, select

from adapters.market.schema import contacts
from adapters.market.schema_books import crm_links, outbox
from sync.records import PEOPLE

OPT_OUT = "opt-out"  # the outbox's `kind`
ACKNOWLEDGED = "acknowledged"

PEOPLES_KINDS = tuple(sorted(kind.value for kind in PEOPLE))


def opt_out_pending(connector: str | None) -> ColumnElement[bool]:
    """Of a person: an opt-out of ours that this CRM (None: any) has not acknowledged yet (CONSENT-5). Of a merged row: the winner's.

    One for a record that is gone from the CRM does not count: it will never be acknowledged, and nobody could re-subscribe any more.
    """
    stands_for_it = func.coalesce(contacts.c.merged_into, contacts.c.contact_id)
    waits = [outbox.c.contact_id == stands_for_it, outbox.c.kind == OPT_OUT, outbox.c.state != ACKNOWLEDGED]
    same = and_(*(crm_links.c[name] == outbox.c[f"crm_{name}" if name == "kind" else name] for name in ("connector", "kind", "crm_id")))
    waits.append(select(crm_links.c.crm_id).where(same, crm_links.c.living).correlate(outbox).exists())
    if connector is not None:
        waits.append(outbox.c.connector == connector)
    return exists().where(*waits).label("opt_out_pending")


def out_links() -> ColumnElement[int]:
    """Of a person who is out: how many living leads and contacts of whatever CRM say so; 0 for everybody else (CONSENT-10)."""
    link = crm_links.c
    saying = select(func.count()).where(
        link.kind.in_(PEOPLES_KINDS), link.market_id == contacts.c.contact_id, link.living, link.crm_opt_out.is_(True)
    )
    return case((contacts.c.opt_out, saying.scalar_subquery()), else_=0).label("out_links")


def opt_out_acknowledged_at() -> ColumnElement[object]:
    """Of a record that says out: when its CRM took the last opt-out of ours, on the CRM's clock; null: it took none (CONSENT-5)."""
    same = and_(
        outbox.c.connector == crm_links.c.connector,
        outbox.c.crm_kind == crm_links.c.kind,
        outbox.c.crm_id == crm_links.c.crm_id,
        outbox.c.kind == OPT_OUT,
        outbox.c.state == ACKNOWLEDGED,
    )
    taken = select(func.max(outbox.c.acknowledged_at)).where(same).scalar_subquery()
    return case((crm_links.c.crm_opt_out.is_(True), taken), else_=null()).label("opt_out_acknowledged_at")
