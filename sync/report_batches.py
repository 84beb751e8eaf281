"""The batches of one kind that went out in one run, told as one: a reader wants to know of ten thousand mails, not of twenty batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import groupby
from operator import attrgetter

from sync.gate import CheckResult, Status
from sync.held import wrong_with
from sync.records import PUSHED, CommitCounts, Kind
from sync.report import ParcelReport

_BEST_FIRST = (Status.PASSED, Status.HELD, Status.FAILED, Status.NOT_EVALUATED)
_EXAMPLES = 5


def together(parcels: Iterable[ParcelReport]) -> tuple[ParcelReport, ...]:
    """Outgoing batches of one kind as one part, in the order of kinds; what came from the CRM before them, as it is."""
    parcels = tuple(parcels)
    came = tuple(each for each in parcels if each.kind not in PUSHED)
    went = sorted((each for each in parcels if each.kind in PUSHED), key=lambda each: list(Kind).index(each.kind))
    return (*came, *(_one(tuple(same)) for _, same in groupby(went, key=attrgetter("kind"))))


def _one(same: Sequence[ParcelReport]) -> ParcelReport:
    first = same[0]
    if len(same) == 1:
        return first
    return ParcelReport(
        first.kind,
        f"{len(same):,} batches",
        next((each.state for each in same if each.state != "committed"), first.state),
        CommitCounts(**{each.name: sum(getattr(part.counts, each.name) for part in same) for each in fields(CommitCounts)}),
        tuple(_check(tuple(each)) for each in _by_rule(same)),
        tuple(dict.fromkeys(reason for part in same for reason in part.rejected_because)),
        tuple(row for part in same for row in part.held),
        tuple(finding for part in same for finding in part.findings),
        data_docs=tuple(file for part in same for file in part.data_docs),
    )


def _by_rule(same: Sequence[ParcelReport]) -> Iterable[list[CheckResult]]:
    found: dict[str, list[CheckResult]] = {}
    for part in same:
        for check in part.checks:
            found.setdefault(check.rule, []).append(check)
    return found.values()


def _check(same: Sequence[CheckResult]) -> CheckResult:
    """As bad as the worst of them, and what that one found."""
    worst = max((each.status for each in same), key=_BEST_FIRST.index)
    rows, failed = sum(each.evaluated for each in same), sum(each.failed for each in same)
    if worst is Status.PASSED:
        observed = f"all {rows:,} rows"
    else:
        found = Counter(each.observed for each in same if each.status is worst)
        observed = f"{failed:,} of {rows:,} rows" if worst is Status.HELD else "; ".join(found)
    examples = tuple(example for each in same for example in each.examples)[:_EXAMPLES]
    first = same[0]
    return CheckResult(first.rule, first.title, first.reason, first.severity, worst, rows, failed, observed, examples)


def checked_words(part: ParcelReport) -> str:
    """What the gate found of an outgoing batch: "500 sent emails checked, 3 held back: subject is missing (2), address is too long"."""
    if not part.checks:
        return ""
    checked = f"{part.kind.counted(part.counts.read)} checked"
    if part.rejected_because:
        return f"{checked}, none sent: {'; '.join(part.rejected_because)}"
    if not part.held:
        return f"{checked}, none held back"
    reasons = Counter(wrong_with(row.rule, row.reason, row.column).rstrip(".") for row in part.held)
    most = max((check.failed for check in part.checks if check.status is Status.HELD), default=0)
    held = max(len({row.crm_id for row in part.held}), most)  # of very many held rows only the first stand in the report
    told = ", ".join(f"{reason} ({count:,})" if len(reasons) > 1 else reason for reason, count in reasons.most_common())
    return f"{checked}, {held:,} held back: {told}"
