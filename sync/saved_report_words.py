"""A saved report in words: what a person reads before they trust it (REPORT-1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from sync.saved_reports import Group, Of, Part, SavedReport, Term, Value

_SAYS = {
    "equals": "is {}",
    "not_equals": "is not {}",
    "in": "is one of {}",
    "not_in": "is none of {}",
    "starts": "starts with {}, in upper or lower case",
    "contains": "contains {}, in upper or lower case",
    "lt": "is less than {}",
    "lte": "is at most {}",
    "gt": "is more than {}",
    "gte": "is at least {}",
    "older_than_days": "lies more than {} days back",
    "newer_than_days": "lies at most {} days back, or ahead",
    "in_next_days": "lies ahead, at most {} days",
    "is_null": "is empty",
    "not_null": "is not empty",
}
_TRUTHS = {
    ("consent.guarded", True): "the address is on the guarded watch",
    ("consent.guarded", False): "the address is not on the guarded watch",
    ("consent.may_be_mailed", True): "the person may be mailed",
    ("consent.may_be_mailed", False): "the person may not be mailed",
}
_GROUPS = (("all_of", "all of this holds:"), ("any_of", "at least one of this holds:"), ("none_of", "none of this holds:"))


def in_words(report: SavedReport) -> tuple[str, ...]:
    """The question, a line per condition; nested ones are indented."""
    left_out = _left_out(report)
    if not report.conditions:
        return (f"every row of {report.of}{left_out}",)
    return (f"{report.of}{left_out}, for which", *_indented(_group(report.conditions)))


def _left_out(report: SavedReport) -> str:
    if report.of.is_activity:
        return ""
    if report.include_deleted:
        return ", deleted and merged ones as well"
    return {
        Of.PEOPLE: " that are not deleted or merged away",
        Of.ACCOUNTS: ' that are not deleted or merged away (and not "No Company")',
    }.get(report.of, " that are not deleted")


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _group(group: Group) -> Iterator[str]:
    for key, heading in _GROUPS:
        parts: tuple[Part, ...] = getattr(group, key)
        if parts:
            yield heading
            for part in parts:
                first, *rest = _part(part)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Group):
        yield from _group(part)
        return
    yield _term(part)
    if part.where:
        yield "counting only those for which all of this holds:"
        for each in part.where:
            first, *rest = _part(each)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _term(term: Term) -> str:
    if term.field.startswith("consent.") and isinstance(term.value, bool):
        return _TRUTHS[term.field, term.value is (term.op == "equals")]
    if term.field.startswith("lists."):
        return _on_lists(term)
    name = f"the number of its {term.field.removesuffix('.count')}" if term.field.endswith(".count") else term.field
    return f"{name} {_said(term)}"


def _on_lists(term: Term) -> str:
    name = term.field.removeprefix("lists.")
    if term.op in ("is_null", "not_null"):
        return "it is on no marketing list" if term.op == "is_null" else "it is on a marketing list"
    if term.op in ("not_equals", "not_in"):
        word = {"not_equals": "equals", "not_in": "in"}[term.op]
        return f"it is on no marketing list whose {name} {_said(Term(term.field, word, term.value))}"
    return f"it is on a marketing list whose {name} {_said(term)}"


def _said(term: Term) -> str:
    values = term.value if isinstance(term.value, tuple) else () if term.value is None else (term.value,)
    return _SAYS[term.op].format(", ".join(map(said_value, values)))


def said_value(value: Value) -> str:
    """A value as the configuration has it; instants with their offset."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | datetime):
        return value.isoformat()
    return f'"{value}"' if isinstance(value, str) else str(value)
