"""What became of writes → receipts of the rows that asked for them (PUSH-4). The same for every CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.errors import MarketsyncError
from sync.push import Outcome, Outgoing, Receipt, Target

GONE = "the CRM has no such record any more: deleted, or hidden from this user"


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of one write. `said`: the CRM's words, scrubbed. `doubtful`: a record to be made was refused in a way that may mean that
    it is there. `trouble`: why it was postponed. `record`: what came back."""

    outcome: Outcome
    said: str = ""
    final: bool = False
    crm_id: str = ""
    conflict: bool = False
    doubtful: bool = False
    trouble: MarketsyncError | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


Endings = Sequence[Sequence[Ending]]
"""Per row the endings of all writes that it needs."""

NO_TARGET = Ending(Outcome.REFUSED, "the person has no record in the CRM to write to")


def receipts_of(batch: Sequence[Outgoing], endings: Endings) -> tuple[Receipt, ...]:
    """One receipt per row. Where nothing at all was looked at, the reason for it is raised instead."""
    receipts = tuple(_receipt(row, each) for row, each in zip(batch, endings, strict=True))
    if receipts and all(receipt.outcome is Outcome.POSTPONED for receipt in receipts):
        for ending in (ending for each in endings for ending in each):
            if ending.trouble is not None:
                raise ending.trouble
    return receipts


def targets_of(batch: Sequence[Outgoing]) -> tuple[Target, ...]:
    """The records that the rows name, each once."""
    return tuple(dict.fromkeys(target for row in batch for target in row.targets))


def by_target(batch: Sequence[Outgoing], endings: Mapping[Target, Ending]) -> Endings:
    """Rows that name the same record share its ending."""
    return [[endings[target] for target in row.targets] or [NO_TARGET] for row in batch]


def is_doubtful(row: Outgoing) -> bool:
    """Whether an earlier attempt may have made what this row makes."""
    return row.repeated and not row.remote_id


def _receipt(row: Outgoing, endings: Sequence[Ending]) -> Receipt:
    """Refused when one of its writes is, postponed when one was not made; final only if trying again helps none of them."""
    refused = [ending for ending in endings if ending.outcome is Outcome.REFUSED]
    if refused:
        final = all(ending.final for ending in endings)
        return Receipt(row.outbox_id, row.version, Outcome.REFUSED, row.remote_id, refused[0].said, final)
    if any(ending.outcome is Outcome.POSTPONED for ending in endings):
        return Receipt(row.outbox_id, row.version, Outcome.POSTPONED, row.remote_id)
    return Receipt(row.outbox_id, row.version, Outcome.ACCEPTED, endings[0].crm_id)
