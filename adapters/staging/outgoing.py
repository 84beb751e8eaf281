"""A parcel of outgoing rows: what is to be sent, what the gate held of it, and what the CRM said (PUSH, GATE-1).

| table        | one row per                                                                       |
|--------------|-----------------------------------------------------------------------------------|
| raw          | outgoing row, in the order in which they are sent                                 |
| said         | value of a row as text, for the checks of lengths and drop-downs                  |
| targets      | CRM record that a row writes to or is about                                       |
| lengths      | value that the CRM limits: most characters                                        |
| choices      | value of a drop-down                                                              |
| required     | field that the CRM does not make a record without                                 |
| set_aside    | held row and rule                                                                 |
| receipts     | row that was sent: what became of it; a run that goes on knows by it what is done |
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from adapters.staging.outgoing_json import clean, clean_text, from_json, to_json
from adapters.staging.parcel import Parcel, ParcelStore
from sync.errors import GateRejected
from sync.held import what_is_wrong
from sync.outgoing import FINAL_RULES, HELD_BACK, MAKES_RECORDS, NEEDS_ADDRESS, last_counts, needs_target, said, same_thing
from sync.push import Outcome, Outgoing, Receipt, Target
from sync.records import PEOPLE, Kind, ParcelRef

CHECKED = "checked"

_RAW: Mapping[str, pa.DataType] = {
    "seq": pa.int64(),
    "outbox_id": pa.int64(),
    "version": pa.int64(),
    "kind": pa.string(),  # a new lead whom the CRM turned out to know is a record update
    "push_key": pa.string(),
    "remote_id": pa.string(),
    "target_kind": pa.string(),
    "target_id": pa.string(),
    "target_count": pa.int64(),
    "makes": pa.bool_(),
    "target_needed": pa.bool_(),
    "address_needed": pa.bool_(),
    "address": pa.string(),
    "said_count": pa.int64(),
    "same_thing": pa.string(),
    "place": pa.int64(),  # among rows that mean the same thing the lowest one goes
    "repeated": pa.bool_(),
    "content": pa.string(),
}
_SAID: Mapping[str, pa.DataType] = {
    "seq": pa.int64(),
    "name": pa.string(),
    "text": pa.string(),
    "type": pa.string(),
    "wanted": pa.string(),
    "needed": pa.bool_(),
    "target_kind": pa.string(),
}
_TARGETS: Mapping[str, pa.DataType] = {"seq": pa.int64(), "kind": pa.string(), "crm_id": pa.string()}
_RECEIPTS: Mapping[str, pa.DataType] = {
    "outbox_id": pa.int64(),
    "version": pa.int64(),
    "outcome": pa.string(),
    "remote_id": pa.string(),
    "said": pa.string(),
    "final": pa.bool_(),
}
# The gate names rows by `crm_id`; a row that waits to be sent is known by its place in the outbox.
_STAGED = "CREATE VIEW staged AS SELECT CAST(outbox_id AS VARCHAR) AS crm_id, 'send' AS action, * EXCLUDE (content) FROM raw"
_TABLES = (
    "CREATE TABLE lengths (target_kind VARCHAR, name VARCHAR, characters BIGINT)",
    "CREATE TABLE choices (target_kind VARCHAR, name VARCHAR, choice VARCHAR)",
    "CREATE TABLE required (name VARCHAR)",
    "CREATE TABLE set_aside (seq BIGINT, crm_id VARCHAR, rule VARCHAR, reason VARCHAR, column_name VARCHAR, value VARCHAR)",
    "CREATE TABLE receipts (outbox_id BIGINT PRIMARY KEY, version BIGINT, outcome VARCHAR, remote_id VARCHAR, said VARCHAR, final BOOLEAN)",
)
_DONE = f"SELECT outbox_id FROM receipts WHERE outcome <> '{Outcome.POSTPONED}'"
_WHOLE = "SELECT seq, outbox_id, version, kind, push_key, content, remote_id, repeated FROM raw"
_TO_SEND = f"{_WHOLE} WHERE seq NOT IN (SELECT seq FROM set_aside) AND outbox_id NOT IN ({_DONE}) ORDER BY seq"
_HELD = f"""
SELECT raw.outbox_id, raw.version, set_aside.rule, set_aside.reason, coalesce(set_aside.column_name, ''), coalesce(set_aside.value, '')
FROM raw JOIN set_aside USING (seq) WHERE raw.outbox_id NOT IN ({_DONE}) ORDER BY seq, set_aside.rule
"""


def stage(store: ParcelStore, connector: str, kind: Kind, purpose: str, rows: Sequence[Outgoing]) -> ParcelRef:
    """A new parcel with these rows, which were queued as one kind; whatever lay at its place is gone.

    Nothing can be sent from it before it is checked.
    NUL characters are removed from texts. TypeError: a value can't be written down as JSON or a decimal.
    """
    tidy = [_tidy(row) for row in rows]
    ref = store.create(connector, kind, purpose, ("seq",), (), {})
    with store.open(ref) as parcel:
        parcel.learn("raw", _table(_RAW, (_raw(seq, row) for seq, row in enumerate(tidy))))
        parcel.learn("said", _table(_SAID, (values for seq, row in enumerate(tidy) for values in _said(seq, row))))
        parcel.learn("targets", _table(_TARGETS, ((seq, t.kind.value, t.crm_id) for seq, row in enumerate(tidy) for t in row.targets)))
        parcel.execute_together((_STAGED, *_TABLES))
    return ref


def _tidy(row: Outgoing) -> Outgoing:
    targets = tuple(Target(target.kind, clean_text(target.crm_id)) for target in row.targets)
    return replace(row, values=clean(row.values), targets=targets, push_key=clean_text(row.push_key), remote_id=clean_text(row.remote_id))


def _raw(seq: int, row: Outgoing) -> tuple[object, ...]:
    first = row.targets[0] if row.targets else None
    address = row.values.get("address")
    return (
        seq,
        row.outbox_id,
        row.version,
        row.kind.value,
        row.push_key,
        row.remote_id,
        first.kind.value if first else "",
        first.crm_id if first else "",
        len(row.targets),
        row.kind in MAKES_RECORDS,
        needs_target(row),
        row.kind in NEEDS_ADDRESS,
        None if address is None else str(address),
        sum(1 for _ in said(row)),
        same_thing(row),
        -seq if last_counts(row) else seq,
        row.repeated,
        to_json(row.values),
    )


def _said(seq: int, row: Outgoing) -> Iterator[tuple[object, ...]]:
    kind = row.targets[0].kind.value if row.targets else row.kind.value
    return ((seq, each.name, each.text, each.type, each.wanted, each.needed, kind) for each in said(row))


def _table(columns: Mapping[str, pa.DataType], rows: Iterable[Sequence[object]]) -> pa.Table:
    whole = list(rows)
    return pa.table({name: pa.array([row[at] for row in whole], kind) for at, (name, kind) in enumerate(columns.items())})


def outbox_ids(parcel: Parcel) -> tuple[int, ...]:
    """Of all rows, in the order in which they are sent."""
    return tuple(outbox_id for (outbox_id,) in parcel.execute("SELECT outbox_id FROM raw ORDER BY seq").fetchall())


def record_kinds(parcel: Parcel) -> tuple[Kind, ...]:
    """The kinds of record that the rows are about; of a row that makes a person, new lead."""
    rows = parcel.execute("SELECT DISTINCT CASE WHEN target_count = 0 THEN kind ELSE target_kind END AS record FROM raw ORDER BY record")
    known = {kind.value for kind in (*PEOPLE, Kind.NEW_LEAD)}
    return tuple(Kind(record) for (record,) in rows.fetchall() if record in known)


def names(parcel: Parcel) -> tuple[str, ...]:
    """The names of all values of this batch: of people's records the CRM's fields."""
    return tuple(name for (name,) in parcel.execute("SELECT DISTINCT name FROM said ORDER BY name").fetchall())


def keep_limits(
    parcel: Parcel,
    lengths: Mapping[str, int],
    choices: Mapping[str, Collection[str]],
    required: Collection[str] = (),
    *,
    of: Kind | None = None,
) -> None:
    """What the CRM takes: value → most characters, drop-down → its values, and fields that a new record must have.

    `of`: only for rows about this kind of record, or for new leads; None: for all rows. Calls add up; `forget_limits` starts afresh.
    """
    kind = of.value if of else ""
    long = [(kind, name, characters) for name, characters in lengths.items()]
    chosen = [(kind, name, choice) for name, values in choices.items() for choice in sorted(values)]
    text, number = pa.string(), pa.int64()
    _add(parcel, "lengths", _table({"target_kind": text, "name": text, "characters": number}, long))
    _add(parcel, "choices", _table({"target_kind": text, "name": text, "choice": text}, chosen))
    _add(parcel, "required", _table({"name": text}, ((name,) for name in sorted(required))))


def forget_limits(parcel: Parcel) -> None:
    """Before they are asked for again."""
    for table in ("lengths", "choices", "required"):
        parcel.execute(f"DELETE FROM {table}")


def _add(parcel: Parcel, table: str, rows: pa.Table) -> None:
    parcel.learn("added", rows)
    parcel.execute(f"INSERT {'OR REPLACE ' if table == 'receipts' else ''}INTO {table} SELECT * FROM added")
    parcel.execute("DROP TABLE added")


def outgoing(parcel: Parcel) -> tuple[Outgoing, ...]:
    """What is to be sent, in order: not what the gate held, nor what has a receipt (FLOW-3); what was postponed is still to be sent.

    GateRejected: the batch has not passed its checks (GATE-1).
    """
    if parcel.told("state") != CHECKED:
        raise GateRejected("the batch has not passed its checks, nothing of it may be sent", where=parcel.where, todo="Run again.")
    targets: dict[int, list[Target]] = {}
    for seq, kind, crm_id in parcel.execute("SELECT seq, kind, crm_id FROM targets").fetchall():
        targets.setdefault(seq, []).append(Target(Kind(kind), crm_id))
    return tuple(
        Outgoing(outbox_id, version, Kind(kind), key, from_json(content), tuple(targets.get(seq, ())), remote_id, bool(repeated))
        for seq, outbox_id, version, kind, key, content, remote_id, repeated in parcel.execute(_TO_SEND).fetchall()
    )


def keep_receipts(parcel: Parcel, given: Sequence[Receipt]) -> None:
    """What became of these rows; a later receipt of a row takes the place of the earlier one."""
    rows = [(r.outbox_id, r.version, r.outcome.value, clean_text(r.remote_id), clean_text(r.said), r.final) for r in given]
    _add(parcel, "receipts", _table(_RECEIPTS, {row[0]: row for row in rows}.values()))


def receipts(parcel: Parcel) -> tuple[Receipt, ...]:
    """Those that were kept, one per row that was sent, by outbox_id."""
    found = parcel.execute("SELECT outbox_id, version, outcome, remote_id, said, final FROM receipts ORDER BY outbox_id").fetchall()
    return tuple(Receipt(outbox_id, version, Outcome(outcome), *rest) for outbox_id, version, outcome, *rest in found)


def refused_by_gate(parcel: Parcel) -> tuple[Receipt, ...]:
    """A receipt for each row that the gate held, in the CRM's stead: it is tried again like one that the CRM refused (PUSH-4)."""
    reasons: dict[tuple[int, int], list[str]] = {}
    final: set[int] = set()
    for outbox_id, version, rule, reason, column, value in parcel.execute(_HELD).fetchall():
        reasons.setdefault((outbox_id, version), []).append(what_is_wrong(rule, reason, column, value))
        if rule in FINAL_RULES:
            final.add(outbox_id)
    return tuple(
        Receipt(outbox_id, version, Outcome.REFUSED, said=HELD_BACK + "; ".join(dict.fromkeys(words)), final=outbox_id in final)
        for (outbox_id, version), words in reasons.items()
    )
