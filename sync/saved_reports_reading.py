"""Saved reports as an operator writes them: [saved_reports.NAME] with of, conditions, columns and uses (REPORT-1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sync.near_names import did_you_mean
from sync.saved_report_fields import BY_DESIGN, OPERATORS, From, find, name_mistake, term_mistakes
from sync.saved_report_relations import child
from sync.saved_reports import MOST_CONDITIONS, MOST_DEPTH, Group, Of, Part, SavedReport, Term, count_terms, is_custom
from sync.settings_reading import ABSENT, Read, Spot, read_table, refuse_unknown

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_GROUP = ("all_of", "any_of", "none_of")
_SHAPE = '{ field = "crm_type", op = "equals", value = "Lead" }'


def read_saved_reports(value: object, spot: Spot) -> Any:
    """Name → SavedReport. Fields of the tables' own design are checked here; replicated columns when the report runs."""
    if not isinstance(value, Mapping):
        return spot.wrong("has to hold one table per report: [saved_reports.NAME]")
    found = {str(name): _read_report(str(name), table, spot.at(str(name)[:60])) for name, table in value.items()}
    return found if ABSENT not in found.values() else ABSENT


def _read_report(name: str, table: object, spot: Spot) -> Any:
    if not _NAME.fullmatch(name):
        spot.wrong("a report's name has lower-case letters, digits, dashes and underscores, 60 at most, a letter first")
    if isinstance(table, Mapping):
        _refuse_uses(table, spot)
    report = read_table(SavedReport, table, spot, READERS, name=name)
    if report is not ABSENT and count_terms(report.conditions) > MOST_CONDITIONS:
        return spot.wrong(f"has more than {MOST_CONDITIONS} conditions")
    return report


def _refuse_uses(table: Mapping[str, object], spot: Spot) -> None:
    """Uses that don't go with the rest of the report."""
    used = [use for use in ("auto_delete", "segment") if table.get(use) is True]
    for use in used:
        for key in ("limit", "include_deleted"):
            if key in table and table[key] is not False:
                spot.at(key).wrong(f"is for lists that people look at; it does not go with {use}")
    if "auto_delete" in used and not any(key in table for key in _GROUP):
        spot.at("auto_delete").wrong("needs at least one condition: without one, every row would go")
    if "auto_delete" in used and (of := _named(table)) is not None and of.is_activity:
        spot.at("auto_delete").wrong(f"{of} stay for good: what people did is no row that a report deletes")
    if "segment" in used and table.get("of") != Of.PEOPLE:
        spot.at("segment").wrong('is a list of people: of = "people"')


def _of(spot: Spot) -> Of | None:
    """What the report that this stands in is of; None while that itself is wrong."""
    return _named(spot.table)


def _named(table: Mapping[str, object]) -> Of | None:
    word = table.get("of")
    return Of(word) if isinstance(word, str) and (word in set(Of) or is_custom(word)) else None


def _read_of(value: object, spot: Spot) -> Any:
    if isinstance(value, str) and (value in set(Of) or is_custom(value)):
        return Of(value)
    return spot.wrong(f"has to be one of {', '.join(Of)}, or custom_NAME{did_you_mean(value, list(Of), or_list=False)}")


def read_conditions(value: object, spot: Spot) -> Any:
    """A list of conditions and groups of them; each is checked as far as it can be without a database."""
    return _read_parts(value, spot, _of(spot), 1)


def _read_parts(value: object, spot: Spot, of: Of | None, depth: int) -> Any:
    if not isinstance(value, list) or not value:
        return spot.wrong(f"has to be a list of conditions that is not empty: [{_SHAPE}]")
    if depth > MOST_DEPTH:
        return spot.wrong(f"is nested more than {MOST_DEPTH} deep")
    return tuple(_read_part(each, spot.at(str(number)), of, depth) for number, each in enumerate(value, 1))


def _read_part(value: object, spot: Spot, of: Of | None, depth: int) -> Any:
    if not isinstance(value, Mapping):
        return spot.wrong(f"has to be a condition: {_SHAPE}")
    if not any(key in value for key in _GROUP):
        return _read_term(value, spot, of, depth)
    refuse_unknown(value, _GROUP, spot)
    return Group(**{key: _read_parts(value[key], spot.at(key), of, depth + 1) for key in _GROUP if key in value})


def _read_term(value: Mapping[str, object], spot: Spot, of: Of | None, depth: int) -> Any:
    refuse_unknown(value, ("field", "op", "value", "where"), spot)
    name, op, raw = value.get("field"), value.get("op"), _value(value.get("value"))
    if not isinstance(name, str) or not name.strip():
        return spot.at("field").wrong("has to name a column, or something such as account.industry or opportunities.count")
    where = _read_parts(value["where"], spot.at("where"), _counted(of, name), depth + 1) if "where" in value else ()
    if not isinstance(op, str) or op not in OPERATORS:
        spot.at("op").wrong(f"has to be one of {', '.join(OPERATORS)}{did_you_mean(op, OPERATORS, or_list=False)}")
        op = None
    if raw is ABSENT:
        return spot.at("value").wrong("has to be a text, a number, true or false, a day, a point in time, or a list of those")
    term = Term(name, op or "", raw, () if where is ABSENT else where, spot.place)
    if of is not None:
        _check(of, term, spot, with_op=op is not None)
    return term


def _check(of: Of, term: Term, spot: Spot, *, with_op: bool) -> None:
    """A wrong operator is noted already; then only the field can still be wrong."""
    unknown = find(of, term.field, BY_DESIGN) is None
    for what in term_mistakes(of, term, BY_DESIGN) if with_op or unknown else ():
        spot.wrong(what)


def _counted(of: Of | None, name: str) -> Of | None:
    source = None if of is None else find(of, name, BY_DESIGN)
    return child(of, source.relation, BY_DESIGN) if of is not None and source is not None and source.origin is From.COUNT else None


def _value(value: object) -> Any:
    """Lists become tuples; ABSENT for what no condition takes."""
    if isinstance(value, list):
        return tuple(value) if all(isinstance(each, str | int | float | date | datetime) for each in value) else ABSENT
    return value if value is None or isinstance(value, str | int | float | date | datetime) else ABSENT


def read_names(value: object, spot: Spot) -> Any:
    """Fields to list or to sort by."""
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        return spot.wrong('has to be a list of names that is not empty: ["last_name", "email"]')
    of = _of(spot)
    for number, name in enumerate(value, 1):
        bare = name.removeprefix("-") if spot.place.endswith("order_by") else name
        if of is not None and (why := name_mistake(of, bare, BY_DESIGN)):
            spot.at(str(number)).wrong(why)
    return tuple(value)


def _read_limit(value: object, spot: Spot) -> Any:
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31
    return value if fits else spot.wrong("has to be a whole number of rows, at least 1")


READERS: Mapping[Any, Read] = {
    Of: _read_of,
    tuple[Part, ...]: read_conditions,
    tuple[str, ...]: read_names,
    int | None: _read_limit,
}
