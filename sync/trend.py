"""What the checks found over time: which check failed how often, per connector and kind, day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

DAYS = 30
_CLEARLY = 1.5


@dataclass(frozen=True, slots=True)
class CheckTrend:
    """One check of one kind. `rows_by_day`: the rows that failed it, the oldest day first, one number per day; a row that is read again
    counts again. `runs`: in how many runs it did not pass, of `checked_runs` in which the kind was checked, with `checked_rows` rows.
    `stopped`: how often it stopped a batch. `last_day`: when it last failed."""

    connector: str
    kind: str
    rule: str
    title: str
    reason: str
    rows_by_day: tuple[int, ...]
    runs: int
    checked_runs: int
    checked_rows: int
    stopped: int
    last_day: date

    @property
    def rows(self) -> int:
        return sum(self.rows_by_day)

    @property
    def direction(self) -> str:
        """more, fewer or as before: the last week against the week before, where both have been seen. Empty: there is too little to say."""
        week, before = sum(self.rows_by_day[-7:]), sum(self.rows_by_day[-14:-7])
        if len(self.rows_by_day) < 14 or not (week or before):
            return ""
        if week > before * _CLEARLY:
            return "more"
        return "fewer" if before > week * _CLEARLY else "as before"


def days_until(last: date, count: int = DAYS) -> tuple[date, ...]:
    """So many days, the last one last."""
    return tuple(last - timedelta(days=back) for back in range(count - 1, -1, -1))


def check_trends(counts: Mapping[str, Mapping[str, Any]], days: Sequence[date]) -> tuple[CheckTrend, ...]:
    """Every check that did not pass in one of these days, by connector, the most rows first.

    `counts`: day → `sync.report_list.day_counts`.
    """
    told = [counts.get(str(day), {}) for day in days]
    found: dict[tuple[str, str, str], list[Mapping[str, Any] | None]] = {}
    for number, one in enumerate(told):
        for each in one.get("checks", ()):
            by_day = found.setdefault((each["connector"], each["kind"], each["rule"]), [None] * len(days))
            by_day[number] = each
    trends = [_trend(key, by_day, days, told) for key, by_day in found.items()]
    return tuple(sorted(trends, key=lambda each: (each.connector, -each.stopped, -each.rows, each.kind, each.rule)))


def _trend(
    key: tuple[str, str, str], by_day: Sequence[Mapping[str, Any] | None], days: Sequence[date], told: Sequence[Mapping[str, Any]]
) -> CheckTrend:
    connector, kind, rule = key
    there = [each for each in by_day if each is not None]
    checked = [each for one in told for each in one.get("checked", ()) if (each["connector"], each["kind"]) == (connector, kind)]
    return CheckTrend(
        connector,
        kind,
        rule,
        there[-1]["title"],
        there[-1]["reason"],
        tuple(0 if each is None else int(each["rows"]) for each in by_day),
        sum(each["runs"] for each in there),
        sum(each["runs"] for each in checked),
        sum(each["rows"] for each in checked),
        sum(each["stopped"] for each in there),
        max(day for day, each in zip(days, by_day, strict=True) if each is not None),
    )


def runs_by_day(counts: Mapping[str, Mapping[str, Any]], days: Sequence[date], what: str) -> tuple[int, ...]:
    """runs, failed, held or refused of these days, the oldest first."""
    return tuple(int(counts.get(str(day), {}).get(what, 0)) for day in days)
