"""Who may be mailed: the ledger of opt-outs, the guarded watch (CONSENT-7), and what a person says here in Market (CONSENT-8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, or_, select

from adapters.market.consent_facts import ACKNOWLEDGED, OPT_OUT, PEOPLES_KINDS
from adapters.market.database import Database
from adapters.market.mailing import Judged, Violation, judge, judge_address, violations
from adapters.market.schema import contacts
from adapters.market.schema_books import consent_ledger, crm_links, guarded_watch, outbox
from adapters.market.unsubscribing import Unsubscribed, acknowledge, unsubscribe
from adapters.market.watch import WATCH, LedgerEntry, Watched, put_on_watch, write_entries
from sync.address import address_key
from sync.consent import MailDecision
from sync.errors import ConfigError

_SHOWN = (
    "contact_id",
    "crm_type",
    "first_name",
    "last_name",
    "email",
    "email_key",
    "opt_out",
    "opt_out_date",
    "del_status",
    "deleted_date",
    "merged_into",
)


class Consent:
    """Every method raises MarketUnavailable. Addresses are compared trimmed and without case (ADDR-2)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- may they be mailed -----------------------------------------------------------------------------------------

    def may_be_mailed(self, address: str) -> bool:
        """Whether an address may be mailed; see `may_mail`."""
        return self.may_mail(address).may

    def may_mail(self, address: str) -> MailDecision:
        """CONSENT-7, CONSENT-10: whether somebody living who has the address may be mailed, and if not, why not."""
        with self._database.reading() as connection:
            return judge_address(connection, address_key(address))

    def judge(self, contact_ids: Sequence[int]) -> tuple[Judged, ...]:
        """Whether these people may be mailed; one answer per row that exists. Who was merged away is judged by the winner (MATCH-8)."""
        with self._database.reading() as connection:
            return judge(connection, contact_ids)

    def violations(self) -> tuple[Violation, ...]:
        """CONSENT-10: whoever may be mailed although the newest word about them says out. Reads the whole Market; always empty."""
        with self._database.reading() as connection:
            return violations(connection)

    def rows_with(self, address: str) -> tuple[int, ...]:
        """contact_id of every row with the address: living, deleted or merged away."""
        query = select(contacts.c.contact_id).where(contacts.c.email_key == address_key(address)).order_by(contacts.c.contact_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def rows(self, contact_ids: Sequence[int]) -> tuple[dict[str, Any], ...]:
        """What these rows say of themselves: name, address, opt-out, delivery, life."""
        query = select(*(contacts.c[name] for name in _SHOWN)).where(contacts.c.contact_id.in_(contact_ids)).order_by(contacts.c.contact_id)
        with self._database.reading() as connection:
            return tuple(dict(row) for row in connection.execute(query).mappings())

    def links(self, contact_id: int) -> tuple[dict[str, Any], ...]:
        """The CRM records behind a row, with what each last said and whether an opt-out of ours waits for it."""
        link = crm_links.c
        same = and_(outbox.c.connector == link.connector, outbox.c.crm_kind == link.kind, outbox.c.crm_id == link.crm_id)
        waits = exists().where(same, outbox.c.kind == OPT_OUT, outbox.c.state != ACKNOWLEDGED).label("opt_out_waits")
        query = select(link.connector, link.kind, link.crm_id, link.living, link.crm_opt_out, link.crm_modified_at, waits)
        query = query.where(link.kind.in_(PEOPLES_KINDS), link.market_id == contact_id).order_by(link.connector, link.kind, link.crm_id)
        with self._database.reading() as connection:
            return tuple(dict(row) for row in connection.execute(query).mappings())

    # -- the ledger -------------------------------------------------------------------------------------------------

    def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Appends to the ledger. Entries that belong to a commit go through `Commit.append` instead."""
        if entries:
            with self._database.writing() as connection:
                write_entries(connection, entries)

    def ledger(self, *, contact_id: int | None = None, address: str | None = None) -> tuple[LedgerEntry, ...]:
        """The entries of one person or one address, the oldest first."""
        query = select(*(consent_ledger.c[name] for name in LedgerEntry.__dataclass_fields__)).order_by(consent_ledger.c.entry_id)
        if contact_id is not None:
            query = query.where(consent_ledger.c.contact_id == contact_id)
        if address is not None:
            query = query.where(consent_ledger.c.email_key == address_key(address))
        with self._database.reading() as connection:
            return tuple(LedgerEntry(*row) for row in connection.execute(query))

    def history(self, address: str | None, contact_ids: Sequence[int]) -> tuple[LedgerEntry, ...]:
        """Every entry about these people, about rows that were merged into theirs, or about the address; the oldest first."""
        merged = select(contacts.c.contact_id).where(contacts.c.merged_into.in_(contact_ids))
        theirs = or_(consent_ledger.c.contact_id.in_(contact_ids), consent_ledger.c.contact_id.in_(merged))
        its = consent_ledger.c.email_key == address_key(address)  # of no address: nothing
        query = select(*(consent_ledger.c[name] for name in LedgerEntry.__dataclass_fields__)).where(or_(theirs, its))
        with self._database.reading() as connection:
            return tuple(LedgerEntry(*row) for row in connection.execute(query.order_by(consent_ledger.c.entry_id)))

    # -- the guarded watch ------------------------------------------------------------------------------------------

    def watched(self, address: str | None = None) -> tuple[Watched, ...]:
        """The guarded watch, or what it says of one address."""
        query = select(*(guarded_watch.c[name] for name in Watched.__dataclass_fields__))
        query = query.order_by(guarded_watch.c.address, guarded_watch.c.campaign)
        if address is not None:
            query = query.where(guarded_watch.c.address == address_key(address))
        with self._database.reading() as connection:
            return tuple(Watched(*row) for row in connection.execute(query))

    def watch(self, entries: Sequence[Watched], *, dry_run: bool = False) -> int:
        """Puts addresses on the watch, all or none, each with an entry in the ledger; one that is there stays as it is.

        → how many are new. `dry_run` only counts them.
        """
        with self._database.reading() if dry_run else self._database.writing() as connection:
            return put_on_watch(connection, entries, dry_run=dry_run)

    def unwatch(self, address: str, *, who: str, why: str, now: datetime) -> int:
        """An operator's act with a reason, in the ledger. → how many entries of the address went. Raises ConfigError without a reason."""
        if not why.strip() or not who.strip():
            raise ConfigError("an address leaves the guarded watch only by somebody and for a reason", where=WATCH, todo="name both")
        key = address_key(address) or ""
        with self._database.writing() as connection:
            gone = connection.execute(delete(guarded_watch).where(guarded_watch.c.address == key)).rowcount
            if gone:
                write_entries(connection, [LedgerEntry(None, key, now, who, WATCH, True, False, why)])
        return gone

    # -- opt-outs that begin here -----------------------------------------------------------------------------------

    def unsubscribe(
        self, target: int | str, *, who: str, why: str, now: datetime, push: Collection[str] = (), campaign: str = ""
    ) -> Unsubscribed:
        """CONSENT-8: a contact_id, or an address and everybody who has it, is out from now on.

        `push`: the connectors whose CRM is to be told; one row waits in the outbox for each living lead and contact of the person.
        Again is harmless: nothing is queued twice. An address that nobody has goes on the guarded watch. Raises ConfigError: no such
        person, no address, or no reason.
        """
        with self._database.writing() as connection:
            return unsubscribe(connection, target, who=who, why=why, now=now, push=push, campaign=campaign)

    def acknowledge(self, outbox_ids: Sequence[int], *, at: datetime) -> int:
        """The CRM took these opt-outs (PUSH-2): the rows no longer wait, and what each record last said is out from here on.

        `at` is on the CRM's clock, UTC: the modified stamp that the write gave the record, else the CRM's clock after it. A record that
        says in with a stamp that is not newer was read before the CRM took ours, and re-subscribes nobody (CONSENT-5). → how many waited.
        """
        with self._database.writing() as connection:
            return acknowledge(connection, outbox_ids, at)
