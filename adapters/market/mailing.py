"""May they be mailed: what Market knows of a person goes to `sync.consent.may_be_mailed`; and the query that finds who must not be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, Text, and_, exists, func, select, text

from adapters.market.schema import contacts
from adapters.market.schema_books import guarded_watch
from adapters.market.types import BIGINT, INSTANT
from sync.consent import MailDecision, MailFacts, may_be_mailed

BOUNCED = 2  # contacts.del_status (ADDR-3)
_AT_ONCE = 5_000

# Runs on SQLite and on PostgreSQL; docs/market.md shows the same text, and a test compares them.
CONSENT_10 = """
WITH last_word AS (
  SELECT COALESCE(c.merged_into, l.contact_id) AS person_id, MAX(l.entry_id) AS entry_id
  FROM consent_ledger l
  LEFT JOIN contacts c ON c.contact_id = l.contact_id
  WHERE l.contact_id IS NOT NULL
  GROUP BY COALESCE(c.merged_into, l.contact_id)
), refused AS (
  SELECT l.email_key, MAX(l.entry_id) AS entry_id
  FROM consent_ledger l
  LEFT JOIN contacts c ON c.contact_id = l.contact_id
  JOIN last_word w ON w.person_id = COALESCE(c.merged_into, l.contact_id)
  JOIN consent_ledger n ON n.entry_id = w.entry_id
  WHERE l.new AND n.new AND l.email_key IS NOT NULL
    AND NOT EXISTS (
      SELECT 1 FROM consent_ledger again
      WHERE again.contact_id = l.contact_id AND again.entry_id > l.entry_id AND NOT again.new)
  GROUP BY l.email_key
), watch_word AS (
  SELECT email_key, MAX(entry_id) AS entry_id
  FROM consent_ledger
  WHERE contact_id IS NULL
  GROUP BY email_key
), mailable AS (
  SELECT c.contact_id, c.email_key
  FROM contacts c
  WHERE c.deleted_date IS NULL AND c.merged_into IS NULL
    AND c.email_key IS NOT NULL AND NOT c.opt_out AND c.del_status <> 2
    AND NOT EXISTS (SELECT 1 FROM guarded_watch g WHERE g.address = c.email_key)
    AND NOT EXISTS (
      SELECT 1 FROM contacts o
      JOIN contacts s ON s.contact_id = COALESCE(o.merged_into, o.contact_id)
      WHERE o.email_key = c.email_key AND s.opt_out)
), against AS (
  SELECT m.contact_id, w.entry_id
  FROM mailable m
  JOIN last_word w ON w.person_id = m.contact_id
  UNION
  SELECT m.contact_id, r.entry_id
  FROM mailable m
  JOIN refused r ON r.email_key = m.email_key
  LEFT JOIN watch_word a ON a.email_key = m.email_key
  WHERE a.entry_id IS NULL OR a.entry_id < r.entry_id
  UNION
  SELECT m.contact_id, a.entry_id
  FROM mailable m
  JOIN watch_word a ON a.email_key = m.email_key
)
SELECT p.contact_id, p.email_key, n.entry_id, n.at, n.source, n.why
FROM against b
JOIN contacts p ON p.contact_id = b.contact_id
JOIN consent_ledger n ON n.entry_id = b.entry_id
WHERE n.new
ORDER BY p.contact_id, n.entry_id
"""


@dataclass(frozen=True, slots=True)
class Violation:
    """Somebody who may be mailed although the ledger's newest word about them says out, and the entry that says it (CONSENT-10)."""

    contact_id: int
    address: str
    entry_id: int
    at: datetime
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """`contact_id`: the row that was asked for; `stands_for_it`: the row that was judged, another one after a merge (MATCH-8)."""

    contact_id: int
    stands_for_it: int
    decision: MailDecision


UNKNOWN = MailFacts(living=False, has_address=True, opted_out=False, watched=False, shared_out=False, bounced=False)


def judge(connection: Connection, contact_ids: Sequence[int]) -> tuple[Judged, ...]:
    """One answer per row that exists, in the order of their keys."""
    wanted = sorted(set(contact_ids))
    return tuple(found for first in range(0, len(wanted), _AT_ONCE) for found in _judge(connection, wanted[first : first + _AT_ONCE]))


def _judge(connection: Connection, contact_ids: Sequence[int]) -> list[Judged]:
    person, asked = contacts.alias("person"), contacts.alias("asked")
    stands = func.coalesce(asked.c.merged_into, asked.c.contact_id)
    query = (
        select(asked.c.contact_id, stands, *_facts(person))
        .outerjoin_from(asked, person, person.c.contact_id == stands)
        .where(asked.c.contact_id.in_(contact_ids))
        .order_by(asked.c.contact_id)
    )
    return [
        Judged(asked_id, standing, may_be_mailed(MailFacts(*map(bool, facts)))) for asked_id, standing, *facts in connection.execute(query)
    ]


def judge_address(connection: Connection, email_key: str | None) -> MailDecision:
    """An address may be mailed if somebody living who has it may be. Nobody has it: no, because nobody agreed."""
    with_it = select(contacts.c.contact_id).where(contacts.c.email_key == email_key, contacts.c.merged_into.is_(None))
    ids = connection.execute(with_it.order_by(contacts.c.deleted_date.is_not(None), contacts.c.contact_id)).scalars().all()
    judged = {each.contact_id: each.decision for each in judge(connection, ids)}
    decisions = [judged[contact_id] for contact_id in ids]  # the living first: their reason is the one to tell
    allowed = next((decision for decision in decisions if decision.may), None)
    if allowed is not None:
        return allowed
    watched = select(guarded_watch.c.address).where(guarded_watch.c.address == email_key)
    if not decisions and connection.execute(watched).first() is not None:
        return MailDecision(False, "the address is on the guarded watch")
    return decisions[0] if decisions else may_be_mailed(UNKNOWN)


def addresses_out(connection: Connection, email_keys: Collection[str]) -> frozenset[str]:
    """Of these addresses those at which nobody may be mailed for reasons of consent: guarded, or somebody's who is out.

    CONSENT-7, CONSENT-10. Two queries for each 5,000 of them.
    """
    wanted, found = sorted(set(email_keys)), set[str]()
    other, stands = contacts.alias("other"), contacts.alias("stands")
    is_out = func.coalesce(stands.c.opt_out, other.c.opt_out)
    carried = select(other.c.email_key).outerjoin_from(other, stands, _stands_for(other, stands)).where(is_out)
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        found.update(connection.execute(select(guarded_watch.c.address).where(guarded_watch.c.address.in_(some))).scalars())
        found.update(connection.execute(carried.where(other.c.email_key.in_(some))).scalars())
    return frozenset(found)


def _stands_for(asked: FromClause, person: FromClause) -> ColumnElement[bool]:
    return person.c.contact_id == func.coalesce(asked.c.merged_into, asked.c.contact_id)


def violations(connection: Connection) -> tuple[Violation, ...]:
    """CONSENT-10 over the whole Market; empty when the law holds."""
    query = text(CONSENT_10).columns(contact_id=BIGINT, email_key=Text, entry_id=BIGINT, at=INSTANT, source=Text, why=Text)
    return tuple(Violation(*row) for row in connection.execute(query))


def _facts(person: FromClause) -> list[ColumnElement[object]]:
    """The fields of `MailFacts`, in their order."""
    living = and_(person.c.contact_id.is_not(None), person.c.deleted_date.is_(None))
    watched = exists().where(guarded_watch.c.address == person.c.email_key)
    other, stands = contacts.alias("other"), contacts.alias("stands")
    shares = (
        select(other.c.contact_id)
        .outerjoin_from(other, stands, _stands_for(other, stands))
        .where(other.c.email_key == person.c.email_key, func.coalesce(stands.c.opt_out, other.c.opt_out))
        .where(func.coalesce(stands.c.contact_id, other.c.contact_id) != person.c.contact_id)
    )
    bounced = person.c.del_status == BOUNCED
    return [living, person.c.email_key.is_not(None), person.c.opt_out, watched, shares.exists(), bounced]
