"""How values read on a page: numbers, times, states; and the parts that a run's page is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sync.gate import CheckResult, Status
from sync.records import PUSHED, Kind
from sync.report import HeldRow, ParcelReport, RunReport, headline, shorten, step_parts
from sync.report_batches import checked_words, together

ROWS_PER_REASON = 50

_STATES = {
    "completed": ("good", "Completed"),
    "committed": ("good", "Written"),
    "checked": ("calm", "Checked, not sent"),
    "passed": ("good", "Passed"),
    "held": ("warn", "Rows held"),
    "skipped": ("calm", "Skipped"),
    "rejected": ("bad", "Stopped by the checks"),
    "stopped": ("calm", "Stopped by you"),
    "failed": ("bad", "Failed"),
    "not_evaluated": ("bad", "Could not be evaluated"),
}


def tone(state: str) -> str:
    """good, warn, bad or calm: the colour. The word always stands beside it."""
    return _STATES.get(state, ("calm", ""))[0]


def state_word(state: str) -> str:
    return _STATES.get(state, ("", state.replace("_", " ").capitalize()))[1]


def count(value: float | None) -> str:
    """Whole, with separators and a real minus sign; a dash where there is none."""
    return "\N{EN DASH}" if value is None else f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")


def moment(value: datetime | str) -> str:
    """`2 November 2026, 14:05 UTC`."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname() or ''}".strip()


def moment_short(value: datetime) -> str:
    """`2 Nov 2026, 14:05`."""
    return brief(value.isoformat())


def brief(value: str) -> str:
    """`2 Nov 2026, 14:05`, for lists."""
    at = datetime.fromisoformat(value)
    return f"{at.day} {at:%b %Y, %H:%M}"


def day(value: date | str) -> str:
    """`Saturday, 28 November 2026`."""
    at = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{at:%A}, {at.day} {at:%B %Y}"


def short_day(value: date | str) -> str:
    """`28 Nov`."""
    at = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.day} {at:%b}"


def time_of(value: str) -> str:
    """`14:05`, on the page of a day."""
    return f"{datetime.fromisoformat(value):%H:%M}"


def first_line(value: str) -> str:
    """What went wrong, without what to do."""
    return value.partition("\n")[0]


def duration(seconds: float) -> str:
    """Two units at most: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plural(kind: Kind) -> str:
    return kind.plural.capitalize()


def kind_plural(value: str) -> str:
    """The name of a kind as a list has it: `Contacts`."""
    return plural(Kind(value)) if value in set(Kind) else value


def times(value: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(value, f"{value:,} times")


FILTERS: dict[str, Callable[..., Any]] = {
    "brief": brief,
    "count": count,
    "day": day,
    "duration": duration,
    "first_line": first_line,
    "kind_plural": kind_plural,
    "moment": moment,
    "moment_short": moment_short,
    "plural": plural,
    "short_day": short_day,
    "shorten": shorten,
    "state_word": state_word,
    "step_parts": step_parts,
    "time_of": time_of,
    "times": times,
    "tone": tone,
}


def sections(report: RunReport) -> dict[str, Any]:
    """What a run's page shows beside the report itself."""
    told = together(report.parcels)
    went = [parcel for parcel in told if parcel.kind in PUSHED]
    return {
        "headline": headline(report),
        "took": (report.ended_at - report.started_at).total_seconds(),
        "held": [part for parcel in report.pulled for part in _held(parcel)],
        "not_sent": [part for parcel in went for part in _held(parcel)],
        "pushed": went,
        "checked_words": [words for parcel in went if (words := checked_words(parcel))],
        "checked": [(parcel, sorted(parcel.checks, key=_worst_first)) for parcel in told if parcel.checks],
        "findings": [*report.findings, *(finding for parcel in report.parcels for finding in parcel.findings)],
        "steps": _steps(report.parcels),
        "rejected": [parcel for parcel in told if parcel.rejected_because],
    }


def _held(parcel: ParcelReport) -> list[dict[str, Any]]:
    """The held rows of one parcel by reason, up to fifty each; how many there are is the check's own count."""
    checks = {check.rule: check for check in parcel.checks}
    by_rule = groupby(sorted(parcel.held, key=attrgetter("rule")), key=attrgetter("rule"))
    return [_held_part(parcel.kind, checks.get(rule), list(rows)) for rule, rows in by_rule]


def _held_part(kind: Kind, check: CheckResult | None, rows: list[HeldRow]) -> dict[str, Any]:
    return {
        "kind": kind,
        "title": check.title if check else rows[0].rule,
        "reason": rows[0].reason,
        "total": max(check.failed if check else 0, len(rows)),
        "rows": rows[:ROWS_PER_REASON],
    }


def _worst_first(check: CheckResult) -> int:
    return [Status.NOT_EVALUATED, Status.FAILED, Status.HELD, Status.PASSED].index(check.status)


def _steps(parcels: Iterable[ParcelReport]) -> list[str]:
    """The names of all timed steps, in the order they are done."""
    return list(dict.fromkeys(step for parcel in parcels for step in parcel.seconds or {}))
