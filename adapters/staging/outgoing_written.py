"""Which of the people's records a batch of pushes has written: those are read back (PUSH-6)."""

from __future__ import annotations

from adapters.staging.parcel import Parcel
from sync.push import Outcome
from sync.records import Kind

WRITES_PEOPLE = frozenset({Kind.OPT_OUT, Kind.SCORE, Kind.NEW_LEAD, Kind.UPDATE})
"""What else is pushed makes records of its own, or counts."""

_ACCEPTED = f"receipts JOIN raw USING (outbox_id) WHERE receipts.outcome = '{Outcome.ACCEPTED}'"
_WRITTEN = f"""
WITH taken AS (SELECT raw.seq, raw.target_count, receipts.remote_id FROM {_ACCEPTED})
SELECT DISTINCT kind, crm_id FROM (
    SELECT targets.kind, targets.crm_id FROM taken JOIN targets USING (seq)
    UNION ALL
    SELECT ?, remote_id FROM taken WHERE target_count = 0 AND remote_id <> ''
) AS written(kind, crm_id) ORDER BY kind, crm_id
"""


def written(parcel: Parcel, create_as: Kind) -> tuple[tuple[Kind, tuple[str, ...]], ...]:
    """Kind → ids of the people's records that the CRM accepted; `create_as`: the kind of those that were made."""
    if parcel.ref.kind not in WRITES_PEOPLE:
        return ()
    found: dict[Kind, list[str]] = {}
    for kind, crm_id in parcel.execute(_WRITTEN, [create_as.value]).fetchall():
        found.setdefault(Kind(kind), []).append(crm_id)
    return tuple((kind, tuple(ids)) for kind, ids in found.items())
