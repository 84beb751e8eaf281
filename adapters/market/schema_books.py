"""The Market's books about the sync: links, catalogue, cursors, parcels, quarantine, consent, outbox, runs, findings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Identity, Index, Integer, PrimaryKeyConstraint, Table, text

from adapters.market.schema import col, metadata
from adapters.market.types import BIGINT, BOOLEAN, INSTANT, KEY, TEXT


def serial_column(name: str) -> Column[Any]:
    return Column(name, BIGINT, Identity(), primary_key=True, comment="number of the entry")


def connector_column() -> Column[Any]:
    return col("connector", KEY, "name of the connector", nullable=False)


def kind_column(comment: str = "user, account, lead, contact or opportunity") -> Column[Any]:
    return col("kind", KEY, comment, nullable=False)


def _flag(name: str, comment: str, default: str) -> Column[Any]:
    return col(name, BOOLEAN, comment, nullable=False, server_default=text(default))


crm_links = Table(
    "crm_links",
    metadata,
    connector_column(),
    kind_column(),
    col("crm_id", KEY, "the CRM's key of the record", nullable=False),
    col("market_id", BIGINT, "key of the row in users, accounts, contacts or opportunities", nullable=False),
    _flag("living", "false: the record is deleted or merged away in the CRM", "true"),
    col("alias_of", KEY, "crm_id of the record into which this one was merged (MATCH-8)"),
    col("converted_to", KEY, "crm_id of the contact that this lead became (MATCH-7)"),
    col("row_hash", BIGINT, "hash of the record's values as last read: equal means nothing to write (PULL-8)"),
    col("crm_opt_out", BOOLEAN, "opt-out as this record last said it; null: never said (CONSENT-6)"),
    col("crm_modified_at", INSTANT, "last modified, on the CRM's clock, UTC"),
    col("crm_created_at", INSTANT, "created, on the CRM's clock, UTC"),
    _flag("origin", "true: this record made the Market row; false: it was joined to a row that was there", "false"),
    _flag("left_scope", "true: the record no longer meets the sync filter (FILT-2)", "false"),
    col("first_seen_at", INSTANT, "when the record was first committed, UTC"),
    col("written_at", INSTANT, "when the record was last committed, UTC"),
    PrimaryKeyConstraint("connector", "kind", "crm_id"),
    comment="One row per CRM record that Market knows: which Market row it is linked to. Several records can share a row.",
    sqlite_with_rowid=False,  # the key is the table: a lookup reads one tree instead of two
)
Index("ix_crm_links_market_id_kind", crm_links.c.market_id, crm_links.c.kind)
_converted = crm_links.c.converted_to.is_not(None)
Index("ix_crm_links_converted_to", crm_links.c.connector, crm_links.c.converted_to, postgresql_where=_converted, sqlite_where=_converted)

field_catalogue = Table(
    "field_catalogue",
    metadata,
    connector_column(),
    kind_column(),
    col("crm_field", KEY, "the CRM's name of the field", nullable=False),
    col("crm_type", TEXT, "the CRM's word for its type", nullable=False),
    col("market_table", KEY, "the Market table that holds it", nullable=False),
    col("column_name", KEY, "its column there", nullable=False),
    col("value_type", TEXT, "text, boolean, integer, decimal, date, time, instant, list or json", nullable=False),
    col("value_length", Integer(), "characters of a text; null: unlimited"),
    col("value_precision", Integer(), "digits of a decimal"),
    col("value_scale", Integer(), "digits of a decimal after the point"),
    col("status", TEXT, "active; vanished: no longer described; retyped: its type changed and does not fit (PULL-4)", nullable=False),
    col("first_seen_at", INSTANT, "when the CRM first described it, UTC", nullable=False),
    col("note", TEXT, "anything worth knowing about it"),
    PrimaryKeyConstraint("connector", "kind", "crm_field"),
    comment="One row per CRM field that is replicated: its original name and type, and the column it lands in (INIT-2).",
)

cursors = Table(
    "cursors",
    metadata,
    connector_column(),
    kind_column(),
    col("at", INSTANT, "where the next window starts, on the CRM's clock, UTC", nullable=False),
    col("updated_at", INSTANT, "when it last moved, UTC", nullable=False),
    col("edge", TEXT, "what the next window will bring again and needs no second look, a JSON object of ids and stamps"),
    PrimaryKeyConstraint("connector", "kind"),
    comment="One row per connector and kind: up to where changes are in Market. Moves only with the rows themselves (PULL-2).",
)

parcels = Table(
    "parcels",
    metadata,
    col("parcel_id", KEY, "the parcel", primary_key=True),
    connector_column(),
    kind_column(),
    col("run_id", TEXT, "the run that committed it", nullable=False),
    col("committed_at", INSTANT, "when, UTC", nullable=False),
    col("counts", TEXT, "what the commit did, a JSON object", nullable=False),
    comment="One row per committed parcel. A parcel that stands here is never committed again.",
)

quarantine = Table(
    "quarantine",
    metadata,
    serial_column("quarantine_id"),
    connector_column(),
    kind_column(),
    col("crm_id", KEY, "the record's key; empty: it came without one", nullable=False),
    col("rule", KEY, "name of the rule that held it back", nullable=False),
    col("reason", TEXT, "why, for a person", nullable=False),
    col("column_name", KEY, "the Market column that is wrong, where the rule is about one"),
    col("value", TEXT, "what stands in it, shortened"),
    col("row", TEXT, "the whole record as it was last read, a JSON object", nullable=False),
    col("parcel_id", TEXT, "the parcel that it was last held back from"),
    col("first_held_at", INSTANT, "since when, UTC", nullable=False),
    col("last_held_at", INSTANT, "when it was last read and held back again, UTC", nullable=False),
    col("times_held", BIGINT, "how often it was read and held back", nullable=False, server_default=text("1")),
    col("asked_at", INSTANT, "when the CRM was last asked for it by its key, UTC"),
    col("retry_asked_at", INSTANT, "when an operator last asked to read it again, UTC"),
    col("released_at", INSTANT, "set: no longer held, UTC"),
    col("release_reason", TEXT, "why it was released"),
    col("released_by", TEXT, "the operator who released it; null: the sync did"),
    comment="One row per record and rule that held it back (GATE-2). Open while released_at is null.",
)
_open = quarantine.c.released_at.is_(None)
_open_and_named = _open & (quarantine.c.crm_id != "")
Index(
    "ux_quarantine_open",
    quarantine.c.connector,
    quarantine.c.kind,
    quarantine.c.crm_id,
    quarantine.c.rule,
    unique=True,
    postgresql_where=_open_and_named,
    sqlite_where=_open_and_named,
)

consent_ledger = Table(
    "consent_ledger",
    metadata,
    serial_column("entry_id"),
    col("contact_id", BIGINT, "contacts.contact_id; null where the entry is about an address only"),
    col("email_key", KEY, "the address at that time, trimmed and in lower case"),
    col("at", INSTANT, "when, UTC", nullable=False),
    col("who", TEXT, "who or what did it: a user, a connector, a rule", nullable=False),
    col("source", TEXT, "crm, market, merge, purge, guarded watch", nullable=False),
    col("old", BOOLEAN, "opt-out (or: on the guarded watch) before; null: unknown"),
    col("new", BOOLEAN, "opt-out (or: on the guarded watch) after", nullable=False),
    col("why", TEXT, "the rule or the reason", nullable=False),
    comment="One row per change of an opt-out or of the guarded watch. Append-only: the database refuses to change or delete entries.",
)
Index("ix_consent_ledger_contact_id", consent_ledger.c.contact_id)
Index("ix_consent_ledger_email_key", consent_ledger.c.email_key)

guarded_watch = Table(
    "guarded_watch",
    metadata,
    col("address", KEY, "trimmed and in lower case", nullable=False),
    col("campaign", KEY, "the campaign that it was added from; empty: none", nullable=False, server_default=""),
    col("added_at", INSTANT, "when, UTC", nullable=False),
    col("reason", TEXT, "why", nullable=False),
    col("who", TEXT, "who or what added it", nullable=False),
    PrimaryKeyConstraint("address", "campaign"),
    comment="Addresses that may not be mailed, whatever opt_out says (CONSENT-7). Removing one is an entry in consent_ledger.",
)

outbox = Table(
    "outbox",
    metadata,
    serial_column("outbox_id"),
    connector_column(),
    kind_column("what is pushed: opt-out, score, new lead, record update, sent email, …"),
    col("contact_id", BIGINT, "the person it is about; 0: nobody, as for a campaign's counters"),
    col(
        "subject_id",
        BIGINT,
        "key of the row that is pushed: a send, a visit, a scoring profile, …",
        nullable=False,
        server_default=text("0"),
    ),
    col("crm_kind", KEY, "of an opt-out: kind of the CRM record to write; else empty", nullable=False),
    col("crm_id", KEY, "of an opt-out: that record's key; else empty", nullable=False),
    col("value", TEXT, "what to write, a JSON object, where it does not stand in the row that is pushed", nullable=False),
    col("version", Integer(), "grows whenever what is to be written changes (PUSH-2)", nullable=False, server_default=text("1")),
    col("push_key", KEY, "our own key of what is made in the CRM; the same at every attempt (PUSH-3)"),
    col("state", KEY, "pending, sending, acknowledged, refused or parked", nullable=False, server_default="pending"),
    col("attempts", Integer(), "how often it was refused since it last changed", nullable=False, server_default=text("0")),
    col("next_try_at", INSTANT, "not before, UTC"),
    col("waits_for", KEY, "what has to be there first: person, record (of the person in the CRM), delivery (known); null: nothing"),
    col("created_at", INSTANT, "since when it waits, UTC", nullable=False),
    col("tried_at", INSTANT, "when it was last handed to the CRM, UTC"),
    col("acknowledged_at", INSTANT, "when the CRM took it, UTC"),
    col("remote_id", TEXT, "the CRM's key of what was written"),
    col("refusal", TEXT, "the CRM's words, or those of our own checks, when it was refused"),
    comment="One row per value that waits to be written to the CRM, or was (PUSH-2).",
)
_unacknowledged = outbox.c.state != "acknowledged"
Index("ix_outbox_waiting", outbox.c.contact_id, postgresql_where=_unacknowledged, sqlite_where=_unacknowledged)
Index("ix_outbox_record", outbox.c.connector, outbox.c.crm_kind, outbox.c.crm_id)
Index("ix_outbox_contact_id", outbox.c.contact_id)
QUEUE = text("outbox.state <> 'acknowledged' AND outbox.state <> 'parked' AND outbox.waits_for IS NULL")
"""What a push looks at, in the words of its index: what must wait for something else, maybe for ever, costs a run nothing."""
BLOCKED = text("outbox.waits_for IS NOT NULL")
_in_queue, _blocked = text(QUEUE.text.replace("outbox.", "")), text(BLOCKED.text.replace("outbox.", ""))
Index("ix_outbox_queue", outbox.c.connector, outbox.c.kind, outbox.c.outbox_id, postgresql_where=_in_queue, sqlite_where=_in_queue)
Index("ix_outbox_blocked", outbox.c.contact_id, postgresql_where=_blocked, sqlite_where=_blocked)
_once = outbox.c.kind != "opt-out"  # of anything else one row is kept for good, and changes
Index(
    "ux_outbox_subject",
    outbox.c.connector,
    outbox.c.kind,
    outbox.c.subject_id,
    outbox.c.contact_id,
    unique=True,
    postgresql_where=_once,
    sqlite_where=_once,
)

runs = Table(
    "runs",
    metadata,
    col("run_id", KEY, "the run", primary_key=True),
    col("flow", TEXT, "initial-sync, core-sync, …", nullable=False),
    connector_column(),
    col("started_at", INSTANT, "UTC", nullable=False),
    col("ended_at", INSTANT, "UTC; null: at work, or killed"),
    col("state", TEXT, "running, completed, failed, stopped", nullable=False),
    col("summary", TEXT, "what it did, a JSON object"),
    col("report", TEXT, "where its report is"),
    comment="One row per run of a flow for one connector.",
)
Index("ix_runs_connector_started_at", runs.c.connector, runs.c.started_at)
Index("ix_runs_flow_started_at", runs.c.connector, runs.c.flow, runs.c.started_at)

findings = Table(
    "findings",
    metadata,
    serial_column("finding_id"),
    col("run_id", KEY, "the run that found it", nullable=False),
    connector_column(),
    col("kind", KEY, "user, account, lead, contact or opportunity; null: the connector as a whole"),
    col("topic", TEXT, "one word or two for sorting", nullable=False),
    col("message", TEXT, "what it is, for a person", nullable=False),
    col("count", BIGINT, "how many records it is about", nullable=False),
    col("examples", TEXT, "some of their keys, a JSON array", nullable=False),
    comment="One row per thing that a person should know and that stopped nothing.",
)
Index("ix_findings_run_id", findings.c.run_id)

key_sequences = Table(
    "key_sequences",
    metadata,
    col("table_name", KEY, "the table", primary_key=True),
    col("next_key", BIGINT, "the first key that was never given away", nullable=False),
    comment="One row per main table: where its keys go on.",
)
