"""The books about the sync.

Revision ID: 0002
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import Column, Identity, Integer, PrimaryKeyConstraint, text
from sqlalchemy.schema import SchemaItem

from adapters.market.types import BIGINT, BOOLEAN, INSTANT, KEY, TEXT

revision = "0002"
down_revision = "0001"

_CRM_LINKS: tuple[SchemaItem, ...] = (
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
    Column("crm_id", KEY, nullable=False, comment="the CRM's key of the record"),
    Column("market_id", BIGINT, nullable=False, comment="key of the row in users, accounts, contacts or opportunities"),
    Column(
        "living",
        BOOLEAN,
        nullable=False,
        server_default=text("true"),
        comment="false: the record is deleted or merged away in the CRM",
    ),
    Column("alias_of", KEY, comment="crm_id of the record into which this one was merged (MATCH-8)"),
    Column("converted_to", KEY, comment="crm_id of the contact that this lead became (MATCH-7)"),
    Column("row_hash", BIGINT, comment="hash of the record's values as last read: equal means nothing to write (PULL-8)"),
    Column("crm_opt_out", BOOLEAN, comment="opt-out as this record last said it; null: never said (CONSENT-6)"),
    Column("crm_modified_at", INSTANT, comment="last modified, on the CRM's clock, UTC"),
    Column("crm_created_at", INSTANT, comment="created, on the CRM's clock, UTC"),
    Column(
        "origin",
        BOOLEAN,
        nullable=False,
        server_default=text("false"),
        comment="true: this record made the Market row; false: it was joined to a row that was there",
    ),
    Column(
        "left_scope",
        BOOLEAN,
        nullable=False,
        server_default=text("false"),
        comment="true: the record no longer meets the sync filter (FILT-2)",
    ),
    Column("first_seen_at", INSTANT, comment="when the record was first committed, UTC"),
    Column("written_at", INSTANT, comment="when the record was last committed, UTC"),
    PrimaryKeyConstraint("connector", "kind", "crm_id"),
)

_FIELD_CATALOGUE: tuple[SchemaItem, ...] = (
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
    Column("crm_field", KEY, nullable=False, comment="the CRM's name of the field"),
    Column("crm_type", TEXT, nullable=False, comment="the CRM's word for its type"),
    Column("market_table", KEY, nullable=False, comment="the Market table that holds it"),
    Column("column_name", KEY, nullable=False, comment="its column there"),
    Column("value_type", TEXT, nullable=False, comment="text, boolean, integer, decimal, date, time, instant, list or json"),
    Column("value_length", Integer(), comment="characters of a text; null: unlimited"),
    Column("value_precision", Integer(), comment="digits of a decimal"),
    Column("value_scale", Integer(), comment="digits of a decimal after the point"),
    Column(
        "status",
        TEXT,
        nullable=False,
        comment="active; vanished: no longer described; retyped: its type changed and does not fit (PULL-4)",
    ),
    Column("first_seen_at", INSTANT, nullable=False, comment="when the CRM first described it, UTC"),
    Column("note", TEXT, comment="anything worth knowing about it"),
    PrimaryKeyConstraint("connector", "kind", "crm_field"),
)

_CURSORS: tuple[SchemaItem, ...] = (
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
    Column("at", INSTANT, nullable=False, comment="where the next window starts, on the CRM's clock, UTC"),
    Column("updated_at", INSTANT, nullable=False, comment="when it last moved, UTC"),
    PrimaryKeyConstraint("connector", "kind"),
)

_PARCELS: tuple[SchemaItem, ...] = (
    Column("parcel_id", KEY, primary_key=True, comment="the parcel"),
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
    Column("run_id", TEXT, nullable=False, comment="the run that committed it"),
    Column("committed_at", INSTANT, nullable=False, comment="when, UTC"),
    Column("counts", TEXT, nullable=False, comment="what the commit did, a JSON object"),
)

_QUARANTINE: tuple[SchemaItem, ...] = (
    Column("quarantine_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, nullable=False, comment="user, account, lead, contact or opportunity"),
    Column("crm_id", KEY, nullable=False, comment="the record's key; empty: it came without one"),
    Column("rule", KEY, nullable=False, comment="name of the rule that held it back"),
    Column("reason", TEXT, nullable=False, comment="why, for a person"),
    Column("row", TEXT, nullable=False, comment="the whole record as it was last read, a JSON object"),
    Column("parcel_id", TEXT, comment="the parcel that it was last held back from"),
    Column("first_held_at", INSTANT, nullable=False, comment="since when, UTC"),
    Column("last_held_at", INSTANT, nullable=False, comment="when it was last read and held back again, UTC"),
    Column("retry_asked_at", INSTANT, comment="when an operator last asked to read it again, UTC"),
    Column("released_at", INSTANT, comment="set: no longer held, UTC"),
    Column("release_reason", TEXT, comment="why it was released"),
)

_CONSENT_LEDGER: tuple[SchemaItem, ...] = (
    Column("entry_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
    Column("contact_id", BIGINT, comment="contacts.contact_id; null where the entry is about an address only"),
    Column("email_key", KEY, comment="the address at that time, trimmed and in lower case"),
    Column("at", INSTANT, nullable=False, comment="when, UTC"),
    Column("who", TEXT, nullable=False, comment="who or what did it: a user, a connector, a rule"),
    Column("source", TEXT, nullable=False, comment="crm, market, merge, purge, guarded watch"),
    Column("old", BOOLEAN, comment="opt-out (or: on the guarded watch) before; null: unknown"),
    Column("new", BOOLEAN, nullable=False, comment="opt-out (or: on the guarded watch) after"),
    Column("why", TEXT, nullable=False, comment="the rule or the reason"),
)

_GUARDED_WATCH: tuple[SchemaItem, ...] = (
    Column("address", KEY, nullable=False, comment="trimmed and in lower case"),
    Column("campaign", KEY, nullable=False, server_default="", comment="the campaign that it was added from; empty: none"),
    Column("added_at", INSTANT, nullable=False, comment="when, UTC"),
    Column("reason", TEXT, nullable=False, comment="why"),
    Column("who", TEXT, nullable=False, comment="who or what added it"),
    PrimaryKeyConstraint("address", "campaign"),
)

_OUTBOX: tuple[SchemaItem, ...] = (
    Column("outbox_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, nullable=False, comment="what is pushed: opt-out"),
    Column("contact_id", BIGINT, comment="the person it is about"),
    Column("crm_kind", KEY, nullable=False, comment="kind of the CRM record to write"),
    Column("crm_id", KEY, nullable=False, comment="that record's key"),
    Column("value", TEXT, nullable=False, comment="what to write, a JSON object"),
    Column("state", KEY, nullable=False, server_default="pending", comment="pending, acknowledged, refused or parked"),
    Column("attempts", Integer(), nullable=False, server_default=text("0"), comment="how often it was sent"),
    Column("next_try_at", INSTANT, comment="not before, UTC"),
    Column("created_at", INSTANT, nullable=False, comment="since when it waits, UTC"),
    Column("acknowledged_at", INSTANT, comment="when the CRM took it, UTC"),
    Column("remote_id", TEXT, comment="the CRM's key of what was written"),
    Column("refusal", TEXT, comment="the CRM's words when it refused"),
)

_RUNS: tuple[SchemaItem, ...] = (
    Column("run_id", KEY, primary_key=True, comment="the run"),
    Column("flow", TEXT, nullable=False, comment="initial-sync, core-sync, …"),
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("started_at", INSTANT, nullable=False, comment="UTC"),
    Column("ended_at", INSTANT, comment="UTC; null: at work, or killed"),
    Column("state", TEXT, nullable=False, comment="running, completed, failed, stopped"),
    Column("summary", TEXT, comment="what it did, a JSON object"),
    Column("report", TEXT, comment="where its report is"),
)

_FINDINGS: tuple[SchemaItem, ...] = (
    Column("finding_id", BIGINT, Identity(), primary_key=True, comment="number of the entry"),
    Column("run_id", KEY, nullable=False, comment="the run that found it"),
    Column("connector", KEY, nullable=False, comment="name of the connector"),
    Column("kind", KEY, comment="user, account, lead, contact or opportunity; null: the connector as a whole"),
    Column("topic", TEXT, nullable=False, comment="one word or two for sorting"),
    Column("message", TEXT, nullable=False, comment="what it is, for a person"),
    Column("count", BIGINT, nullable=False, comment="how many records it is about"),
    Column("examples", TEXT, nullable=False, comment="some of their keys, a JSON array"),
)

_KEY_SEQUENCES: tuple[SchemaItem, ...] = (
    Column("table_name", KEY, primary_key=True, comment="the table"),
    Column("next_key", BIGINT, nullable=False, comment="the first key that was never given away"),
)


def upgrade() -> None:
    _crm_links()
    _field_catalogue()
    _cursors()
    _parcels()
    _quarantine()
    _consent_ledger()
    _guarded_watch()
    _outbox()
    _runs()
    _findings()
    _key_sequences()


def _partial_index(name: str, table: str, columns: list[Any], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


def _crm_links() -> None:
    op.create_table(
        "crm_links",
        *_CRM_LINKS,
        comment="One row per CRM record that Market knows: which Market row it is linked to. Several records can share a row.",
        sqlite_with_rowid=False,
    )
    _partial_index("ix_crm_links_converted_to", "crm_links", ["connector", "converted_to"], "converted_to IS NOT NULL")
    op.create_index("ix_crm_links_kind_market_id", "crm_links", ["kind", "market_id"])


def _field_catalogue() -> None:
    op.create_table(
        "field_catalogue",
        *_FIELD_CATALOGUE,
        comment="One row per CRM field that is replicated: its original name and type, and the column it lands in (INIT-2).",
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        *_CURSORS,
        comment="One row per connector and kind: up to where changes are in Market. Moves only with the rows themselves (PULL-2).",
    )


def _parcels() -> None:
    op.create_table(
        "parcels",
        *_PARCELS,
        comment="One row per committed parcel. A parcel that stands here is never committed again.",
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        *_QUARANTINE,
        comment="One row per record and rule that held it back (GATE-2). Open while released_at is null.",
    )
    waiting = "released_at IS NULL AND crm_id != ''"
    _partial_index("ux_quarantine_open", "quarantine", ["connector", "kind", "crm_id", "rule"], waiting, unique=True)


def _consent_ledger() -> None:
    op.create_table(
        "consent_ledger",
        *_CONSENT_LEDGER,
        comment="One row per change of an opt-out or of the guarded watch. Append-only: the database refuses to change or delete entries.",
    )
    op.create_index("ix_consent_ledger_contact_id", "consent_ledger", ["contact_id"])


def _guarded_watch() -> None:
    op.create_table(
        "guarded_watch",
        *_GUARDED_WATCH,
        comment="Addresses that may not be mailed, whatever opt_out says (CONSENT-7). Removing one is an entry in consent_ledger.",
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        *_OUTBOX,
        comment="One row per value that waits to be written to the CRM, or was (PUSH-2).",
    )
    _partial_index("ix_outbox_waiting", "outbox", ["contact_id"], "state != 'acknowledged'")


def _runs() -> None:
    op.create_table(
        "runs",
        *_RUNS,
        comment="One row per run of a flow for one connector.",
    )
    op.create_index("ix_runs_connector_started_at", "runs", ["connector", "started_at"])


def _findings() -> None:
    op.create_table(
        "findings",
        *_FINDINGS,
        comment="One row per thing that a person should know and that stopped nothing.",
    )
    op.create_index("ix_findings_run_id", "findings", ["run_id"])


def _key_sequences() -> None:
    op.create_table(
        "key_sequences",
        *_KEY_SEQUENCES,
        comment="One row per main table: where its keys go on.",
    )
