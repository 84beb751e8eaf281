"""Rows of the outbox → writes to Salesforce → receipts (PUSH)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.crm.activities import campaign_id, namespace, objects_of, title_of, told
from adapters.crm.receipts import NO_TARGET, Ending, Endings, by_target, is_doubtful, receipts_of, targets_of
from adapters.crm.salesforce_knowing import COMPANY
from adapters.crm.salesforce_objects import CONTACT_LINK, LEAD_LINK, VISIT_LINK, instant, object_name, record_of
from adapters.crm.salesforce_parts import MOST_COLLECTIONS, MOST_ROWS, Write
from adapters.crm.salesforce_schema import OBJECTS
from adapters.crm.salesforce_writes import SalesforceWrites
from sync.activity_objects import CAMPAIGN, PAGE_VIEW, ActivityObject, Belongs
from sync.push import BATCH_ROWS, Outcome, Outgoing, Receipt, Target
from sync.push_settings import SinkSettings
from sync.records import Kind

OPTED_OUT = "HasOptedOutOfEmail"
TASK = "Task"
NO_COMPANY = "[not provided]"  # what Salesforce's own forms write where nobody said
SUBJECT_LENGTH = 255
_PRIORITY = {"low": "Low", "normal": "Normal", "high": "High"}
_MAILS = frozenset({Kind.SENT, Kind.OPENED, Kind.CLICKED})
_ROWS_PER_CALL = {Kind.VISIT: 100.0}
_ROWS_PER_BATCH = {Kind.SCORE: 10_000, Kind.OPT_OUT: 10_000, Kind.NEW_LEAD: 2_000}


@dataclass(frozen=True, slots=True)
class SalesforcePush:
    """Sends batches of one kind."""

    writes: SalesforceWrites
    sinks: SinkSettings
    create_as: Kind = Kind.LEAD

    def send(self, kind: Kind, batch: Sequence[Outgoing]) -> tuple[Receipt, ...]:
        """See `sync.crm.Writing.send`."""
        return receipts_of(batch, self._way(kind)(batch) if batch else ())

    def rows_per_call(self, kind: Kind) -> float:
        """See `sync.crm.Writing.rows_per_call`."""
        return _ROWS_PER_CALL.get(kind, float(MOST_ROWS * MOST_COLLECTIONS // 2))

    def rows_per_batch(self, kind: Kind) -> int:
        """Whole Markets are scored, or opted out, at once: so many that an upload pays (`salesforce_ingest`). New leads are looked for by
        the thousand before they are made (MATCH-10)."""
        return _ROWS_PER_BATCH.get(kind, BATCH_ROWS)

    def _way(self, kind: Kind) -> Callable[[Sequence[Outgoing]], Endings]:
        ways = {Kind.OPT_OUT: self._opt_outs, Kind.SCORE: self._scores, Kind.NEW_LEAD: self._new_leads, Kind.UPDATE: self._updates}
        return ways.get(kind, self._activities)

    def _opt_outs(self, batch: Sequence[Outgoing]) -> Endings:
        """CONSENT-8: it is the person who is out, whatever address they have there."""
        targets = targets_of(batch)
        writes = [Write(OBJECTS[one.kind], {OPTED_OUT: True}, one.crm_id) for one in targets]
        return by_target(batch, dict(zip(targets, self.writes.perform(writes), strict=True)))

    def _scores(self, batch: Sequence[Outgoing]) -> Endings:
        """All scores of one record in one write."""
        targets = targets_of(batch)
        values: dict[Target, dict[str, Any]] = {target: {} for target in targets}
        for row in batch:
            for target in row.targets:
                values[target] |= _score(row.values)
        writes = [Write(OBJECTS[one.kind], values[one], one.crm_id) for one in targets]
        return by_target(batch, dict(zip(targets, self.writes.perform(writes), strict=True)))

    def _new_leads(self, batch: Sequence[Outgoing]) -> Endings:
        """Made with all values at once (PUSH-5), under our key. What an earlier run may have made is looked for first, so that nothing that
        somebody changed there since is changed back."""
        source = OBJECTS[self.create_as]
        writes = [Write(source, _person(row.values, self.create_as), row.remote_id, row.push_key, is_doubtful(row)) for row in batch]
        return [[ending] for ending in self.writes.perform(writes)]

    def _updates(self, batch: Sequence[Outgoing]) -> Endings:
        """One write per record and row."""
        rows = [row for row in batch if row.targets]
        writes = [Write(OBJECTS[row.targets[0].kind], _values(row.values), row.targets[0].crm_id) for row in rows]
        endings = {row.outbox_id: [ending] for row, ending in zip(rows, self.writes.perform(writes), strict=True)}
        return [endings.get(row.outbox_id, [NO_TARGET]) for row in batch]

    def _activities(self, batch: Sequence[Outgoing]) -> Endings:
        """Every row its record, then what hangs on it; accepted when all of it is."""
        heads = {row.outbox_id: self._head(row) for row in batch}
        rows = [row for row in batch if heads[row.outbox_id] is not None]
        done = self.writes.perform([write for row in rows if (write := heads[row.outbox_id]) is not None])
        endings: dict[int, list[Ending]] = {row.outbox_id: [ending] for row, ending in zip(rows, done, strict=True)}
        views = [
            (row.outbox_id, write)
            for row in rows
            if endings[row.outbox_id][0].outcome is Outcome.ACCEPTED and PAGE_VIEW in objects_of(row, self.sinks)
            for write in self._page_views(row, endings[row.outbox_id][0].crm_id)
        ]
        for (outbox_id, _), ending in zip(views, self.writes.perform([write for _, write in views]), strict=True):
            endings[outbox_id].append(ending)
        return [endings.get(row.outbox_id, [NO_TARGET]) for row in batch]

    def _head(self, row: Outgoing) -> Write | None:
        """None: the row has nobody to be about."""
        found = objects_of(row, self.sinks)
        if CAMPAIGN in found:
            key = campaign_id(str(row.values["campaign_key"]))
            return Write(object_name(CAMPAIGN, self.sinks.object_prefix), record_of(CAMPAIGN, row.values), key=key)
        if not row.targets:
            return None
        if not found:
            values = _task(row.values) if row.kind is Kind.TASK else _completed(row)
            return self._record(row, TASK, values | {"WhoId": row.targets[0].crm_id})
        return self._record(
            row, object_name(found[0], self.sinks.object_prefix), record_of(found[0], row.values) | _person_link(found[0], row)
        )

    def _record(self, row: Outgoing, source: str, values: Mapping[str, Any]) -> Write:
        return Write(source, values, row.remote_id, row.push_key, is_doubtful(row))

    def _page_views(self, row: Outgoing, visit: str) -> list[Write]:
        """Their keys follow from the visit's, so that a repeat makes none twice."""
        of = namespace(row.push_key)
        source = object_name(PAGE_VIEW, self.sinks.object_prefix)
        return [
            Write(source, record_of(PAGE_VIEW, view) | {VISIT_LINK: visit}, key=str(uuid.uuid5(of, str(view["key"]))))
            for view in row.values.get("page_views") or ()
        ]


def _person_link(thing: ActivityObject, row: Outgoing) -> dict[str, Any]:
    if thing.belongs_to is not Belongs.PERSON:
        return {}
    target = row.targets[0]
    return {CONTACT_LINK if target.kind is Kind.CONTACT else LEAD_LINK: target.crm_id}


def _score(values: Mapping[str, Any]) -> dict[str, Any]:
    date_field = values.get("date_field")
    return {values["field"]: values["score"]} | ({date_field: instant(values["scored_at"])} if date_field else {})


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    """An opt-out is said, its absence is not: the person may be out there already."""
    address = str(values.get("address") or "").strip()
    return dict(values["fields"]) | ({"Email": address} if address else {}) | ({OPTED_OUT: True} if values.get("opt_out") else {})


def _person(values: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Salesforce takes no lead without a company."""
    filled = _values(values)
    named = any(name.lower() == COMPANY.lower() and value for name, value in filled.items())
    return filled if kind is not Kind.LEAD or named else filled | {COMPANY: NO_COMPANY}


def _task(values: Mapping[str, Any]) -> dict[str, Any]:
    due, owner = values.get("due_at"), values.get("owner")
    return {
        "Subject": title_of(values.get("subject") or "Task", SUBJECT_LENGTH),
        "Description": values.get("description"),
        "Status": "Not Started",
        "Priority": _PRIORITY.get(str(values.get("priority") or "normal"), "Normal"),
        **({"ActivityDate": instant(due)[:10]} if due else {}),
        **({"OwnerId": owner} if owner else {}),
    }


def _completed(row: Outgoing) -> dict[str, Any]:
    """A completed task: what happened as its subject, when as its day, the rest as its text."""
    found = told(row.kind, row.values)
    return {
        "Subject": title_of(found.title, SUBJECT_LENGTH),
        "Description": found.text,
        "Status": "Completed",
        "Priority": "Normal",
        **({"ActivityDate": instant(found.at)[:10]} if found.at else {}),
        **({"TaskSubtype": "Email"} if row.kind in _MAILS and not row.remote_id else {}),
    }
