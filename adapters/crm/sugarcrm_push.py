"""Rows of the outbox → writes to Sugar → receipts (PUSH). People here; what they did is in `sugarcrm_push_activities`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.crm.activities import campaign_id
from adapters.crm.receipts import NO_TARGET, Ending, Endings, by_target, is_doubtful, receipts_of, targets_of
from adapters.crm.sugarcrm_lookup import those_there
from adapters.crm.sugarcrm_parts import MOST_PARTS, Write
from adapters.crm.sugarcrm_push_activities import writes_of
from adapters.crm.sugarcrm_push_addresses import AddressWrite, Entry, opted_out, perform, with_primary
from adapters.crm.sugarcrm_schema import MODULES
from adapters.crm.sugarcrm_writes import SugarWrites
from sync.activity_objects import CAMPAIGN
from sync.push import BATCH_ROWS, Outcome, Outgoing, Receipt, Target
from sync.push_settings import SinkSettings
from sync.records import Kind

_ROWS_PER_CALL = {Kind.OPT_OUT: 30.0, Kind.UPDATE: 30.0, Kind.VISIT: 10.0}


@dataclass(frozen=True, slots=True)
class SugarPush:
    """Sends batches of one kind."""

    writes: SugarWrites
    sinks: SinkSettings
    create_as: Kind = Kind.LEAD

    def send(self, kind: Kind, batch: Sequence[Outgoing]) -> tuple[Receipt, ...]:
        """See `sync.crm.Writing.send`."""
        return receipts_of(batch, self._way(kind)(batch) if batch else ())

    def rows_per_call(self, kind: Kind) -> float:
        """See `sync.crm.Writing.rows_per_call`."""
        return _ROWS_PER_CALL.get(kind, float(MOST_PARTS))

    def rows_per_batch(self, kind: Kind) -> int:
        """Sugar has no bulk means beyond its calls of fifty: larger batches would save nothing."""
        return BATCH_ROWS

    def _way(self, kind: Kind) -> Callable[[Sequence[Outgoing]], Endings]:
        ways = {Kind.OPT_OUT: self._opt_outs, Kind.SCORE: self._scores, Kind.NEW_LEAD: self._new_leads, Kind.UPDATE: self._updates}
        return ways.get(kind, self._activities)

    def _opt_outs(self, batch: Sequence[Outgoing]) -> Endings:
        """One write per record, whatever number of rows name it. All addresses of the batch are out wherever they stand: a list that was
        read before another record's write would else carry the old flag back (CONSENT-8)."""
        out = frozenset(str(row.values.get("address") or "").strip().casefold() for row in batch) - {""}
        changed = opted_out(out)
        targets = targets_of(batch)
        wanted = [AddressWrite(MODULES[one.kind], one.crm_id, changed, needs_address=True) for one in targets]
        return by_target(batch, dict(zip(targets, perform(self.writes, wanted), strict=True)))

    def _scores(self, batch: Sequence[Outgoing]) -> Endings:
        """All scores of one record in one write. Sugar drops a field that it does not know without a word; then it is not in the answer."""
        targets = targets_of(batch)
        values: dict[Target, dict[str, Any]] = {target: {} for target in targets}
        for row in batch:
            for target in row.targets:
                values[target] |= _score(row.values)
        writes = [Write(MODULES[one.kind], one.crm_id, values[one], asked_back=tuple(values[one])) for one in targets]
        endings = dict(zip(targets, self.writes.perform(writes), strict=True))
        return [[_with_fields(row, target, endings[target]) for target in row.targets] or [NO_TARGET] for row in batch]

    def _new_leads(self, batch: Sequence[Outgoing]) -> Endings:
        """Created with all values at once (PUSH-5). An opt-out is said, its absence is not: the address may be out there already."""
        module = MODULES[self.create_as]
        writes = [
            Write(module, row.remote_id or row.push_key, _person(row.values), creates=not row.remote_id, doubtful=is_doubtful(row))
            for row in batch
        ]
        return [[ending] for ending in self.writes.perform(writes)]

    def _updates(self, batch: Sequence[Outgoing]) -> Endings:
        """All values of a row in one write; those that change the address read the list first. One write per record and row."""
        endings: dict[int, list[Ending]] = {}
        plain = [row for row in batch if row.targets and not row.values.get("address")]
        writes = [Write(MODULES[row.targets[0].kind], row.targets[0].crm_id, row.values["fields"]) for row in plain]
        endings |= {row.outbox_id: [ending] for row, ending in zip(plain, self.writes.perform(writes), strict=True)}
        moved = [row for row in batch if row.targets and row.values.get("address")]
        wanted = [
            AddressWrite(MODULES[row.targets[0].kind], row.targets[0].crm_id, _moved(row.values), row.values["fields"]) for row in moved
        ]
        endings |= {row.outbox_id: [ending] for row, ending in zip(moved, perform(self.writes, wanted), strict=True)}
        return [endings.get(row.outbox_id, [NO_TARGET]) for row in batch]

    def _activities(self, batch: Sequence[Outgoing]) -> Endings:
        """Every row its records, next to each other; accepted when all of them are."""
        per_row = [
            [replace(write, group=number, doubtful=write.creates and is_doubtful(row)) for write in writes_of(row, self.sinks)]
            for number, row in enumerate(self._with_campaigns(batch))
        ]
        endings = iter(self.writes.perform([write for writes in per_row for write in writes]))
        return [[next(endings) for _ in writes] or [NO_TARGET] for writes in per_row]

    def _with_campaigns(self, batch: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Opened and clicked mails count on one record per campaign: its key is the campaign's, and where the other kind made it already
        it is changed."""
        keys = {row.outbox_id: campaign_id(str(row.values["campaign_key"])) for row in batch if row.values.get("campaign_key")}
        wanted = [keys[row.outbox_id] for row in batch if row.outbox_id in keys and not row.remote_id]
        if not wanted:
            return batch
        there = those_there(self.writes.api, CAMPAIGN.named(self.sinks.object_prefix), wanted)
        return [_of_campaign(row, keys[row.outbox_id], there) if row.outbox_id in keys else row for row in batch]


def _of_campaign(row: Outgoing, key: str, there: frozenset[str]) -> Outgoing:
    return replace(row, push_key=key, remote_id=row.remote_id or (key if key in there else ""), repeated=False)


def _score(values: Mapping[str, Any]) -> dict[str, Any]:
    date_field = values.get("date_field")
    return {values["field"]: values["score"]} | ({date_field: values["scored_at"]} if date_field else {})


def _with_fields(row: Outgoing, target: Target, ending: Ending) -> Ending:
    """A score that was accepted is refused after all where the CRM has no such field."""
    missing = [name for name in _score(row.values) if name not in ending.record]
    if ending.outcome is not Outcome.ACCEPTED or not missing:
        return ending
    said = f"{MODULES[target.kind]} has no field {' and no field '.join(missing)} that this user may see: have an administrator make it"
    return replace(ending, outcome=Outcome.REFUSED, said=said)


def _person(values: Mapping[str, Any]) -> dict[str, Any]:
    address = str(values.get("address") or "").strip()
    if not address:
        return dict(values["fields"])
    entry = {"email_address": address, "primary_address": True} | ({"opt_out": True} if values.get("opt_out") else {})
    return {**values["fields"], "email": [entry]}


def _moved(values: Mapping[str, Any]) -> Callable[[Sequence[Entry]], Sequence[Entry]]:
    return with_primary(str(values["address"]), out=bool(values.get("opt_out")))
