"""Several records of one person in one batch: leads of one contact, say. Their opt-outs are decided one after the other (MATCH-9).

Between `planning.write_plan`, which decides each record as if it were alone, and `staged.stage`. There are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pyarrow as pa

from adapters.staging.parcel import Parcel
from sync.consent import ConsentDecision
from sync.pull import RowFacts

_FACT_NAMES = [each.name for each in fields(RowFacts)]
_CROWDED = f"""
SELECT market_id, seq, row_out_links - sum(CAST(own_out AS BIGINT)) OVER (PARTITION BY market_id) > 0, {", ".join(_FACT_NAMES)}
FROM situated
WHERE NOT barred AND market_id IN (SELECT market_id FROM plan WHERE market_id IS NOT NULL GROUP BY market_id HAVING count(*) > 1)
ORDER BY market_id, modified_at NULLS FIRST, crm_id
"""
_DECIDE = """
UPDATE plan SET opt_out = in_turn.opt_out, why = in_turn.why, queue_opt_out = in_turn.queue_opt_out
FROM in_turn WHERE plan.seq = in_turn.seq AND plan.action IN ('update', 'fill')
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """The records of one row, in the order in which they were modified; `others_out` of each is about records that are not among them."""

    seqs: tuple[int, ...]
    facts: tuple[RowFacts, ...]


def crowds(parcel: Parcel) -> dict[int, Crowd]:
    """Market row → its records in this batch, where there are several."""
    found: dict[int, Crowd] = {}
    place = _FACT_NAMES.index("others_out")
    for market_id, seq, others_out, *facts in parcel.execute(_CROWDED).fetchall():
        facts[place] = bool(others_out)
        so_far = found.get(market_id, Crowd((), ()))
        found[market_id] = Crowd((*so_far.seqs, seq), (*so_far.facts, RowFacts(*facts)))
    return found


def keep_decisions(parcel: Parcel, decided: Mapping[Crowd, tuple[ConsentDecision, Sequence[bool]]]) -> None:
    """Every record of a row carries what it comes to, so that it reaches the row whichever of them is written."""
    rows = [
        (seq, decision.opt_out, decision.why, queue)
        for crowd, (decision, queues) in decided.items()
        for seq, queue in zip(crowd.seqs, queues, strict=True)
    ]
    if not rows:
        return
    columns = {"seq": pa.int64(), "opt_out": pa.bool_(), "why": pa.string(), "queue_opt_out": pa.bool_()}
    parcel.learn("in_turn", pa.table({n: pa.array([row[at] for row in rows], t) for at, (n, t) in enumerate(columns.items())}))
    parcel.execute(_DECIDE)
