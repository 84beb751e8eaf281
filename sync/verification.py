"""Do CRM and Market agree in numbers, and what explains each difference (INIT-6)."""

from __future__ import annotations

from dataclasses import dataclass

from sync.records import PEOPLE, Kind
from sync.report import VerificationLine


@dataclass(frozen=True, slots=True)
class CountFacts:
    """One kind's counts, in records, taken when everything was committed. `crm_*` are the CRM's answers.

    `crm_all`: living records. `crm_filtered`: those that meet the sync filter. `crm_since`: those of them that were created since the
    read began; `market_since`: those of these that are in Market; of those in quarantine nobody knows. `crm_deleted`: deleted since the
    read began, None where the CRM can't say. `market_linked`: living records with a row; `market_rows`: the rows they have;
    `market_held`: in quarantine only.
    """

    crm_all: int
    crm_filtered: int
    crm_since: int
    crm_deleted: int | None
    market_linked: int
    market_rows: int
    market_held: int
    market_since: int
    expected: int | None = None


def verify_counts(kind: Kind, facts: CountFacts) -> VerificationLine:
    """Every record that the CRM counts is in Market, in quarantine, filtered out, or came later; every record too many was deleted since.

    `missing` = CRM (filtered) − Market − quarantine − records that came while we read. It must be 0, or negative by no more than the
    number of records that were deleted meanwhile.
    """
    absent = facts.crm_filtered - facts.market_linked - facts.market_held
    arrived = _arrived(facts, absent)
    missing = absent - arrived
    gone = facts.crm_deleted if facts.crm_deleted is not None else 0
    explained = -gone <= missing <= 0
    lines = [line for line in _explanations(facts, arrived, missing) if line]
    remarks = [remark for remark in (_sharing(kind, facts), _against_expected(facts)) if remark]
    if not explained:
        lines.append(f"{abs(missing):,} {'missing in' if missing > 0 else 'too many in'} Market, and nothing explains it")
    return VerificationLine(kind, facts.crm_all, facts.market_linked, explained, tuple(lines), tuple(remarks))


def _arrived(facts: CountFacts, absent: int) -> int:
    """Records that came while we read and were not read. Of those that are not in Market any number may lie in quarantine instead."""
    most = max(facts.crm_since - facts.market_since, 0)
    return min(max(absent, most - facts.market_held, 0), most)


def _explanations(facts: CountFacts, arrived: int, missing: int) -> list[str]:
    filtered = facts.crm_all - facts.crm_filtered
    return [
        f"{filtered:,} filtered out by the sync filter" if filtered > 0 else "",
        f"{facts.market_held:,} held in quarantine" if facts.market_held else "",
        f"{arrived:,} arrived while the sync was reading; the next core sync brings them" if arrived else "",
        f"{-missing:,} deleted in the CRM meanwhile" if missing < 0 and -missing <= (facts.crm_deleted or 0) else "",
    ]


def _sharing(kind: Kind, facts: CountFacts) -> str:
    """Records of one person share a row (MATCH): linked records are more than rows, and none of them is missing."""
    shared = facts.market_linked - facts.market_rows
    others = f"{kind.value} shares" if shared == 1 else f"{kind.plural} share"
    return f"{shared:,} {others} a row with another record{' of the same person' if kind in PEOPLE else ''}" if shared > 0 else ""


def _against_expected(facts: CountFacts) -> str:
    if facts.expected is None or facts.expected == facts.crm_all:
        return ""
    return f"the configuration expects {facts.expected:,}, the CRM has {facts.crm_all:,}: see whether the syncing user may read all of them"


@dataclass(frozen=True, slots=True)
class MemberCountFacts:
    """Members of all living marketing lists, each once per list. `crm_counted`: as the CRM counts them; `market`: as they were shown to us;
    `unlinked`: those of them that have no Market row."""

    crm_counted: int
    market: int
    unlinked: int


def verify_members(facts: MemberCountFacts) -> VerificationLine:
    """LIST-2, DEL-6: the CRM counts members that it does not show, and Market keeps those that were deleted; both explain a difference."""
    hidden, kept = max(facts.crm_counted - facts.market, 0), max(facts.market - facts.crm_counted, 0)
    lines = [
        f"{hidden:,} counted by the CRM and not shown to the syncing user" if hidden else "",
        f"{kept:,} stay on their list although the CRM counts them no more: deletion takes nobody off" if kept else "",
    ]
    remarks = (f"{facts.unlinked:,} without a row in Market",) if facts.unlinked else ()
    return VerificationLine(Kind.LIST_MEMBER, facts.crm_counted, facts.market, True, tuple(line for line in lines if line), remarks)
