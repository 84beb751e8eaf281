"""What a saved report can ask about, and with which operators (REPORT-1). A name that does not stand here is not asked.

| field                                | of                    | what it is                                                      |
|--------------------------------------|-----------------------|-----------------------------------------------------------------|
| COLUMN                               | all                   | a column of the row, replicated ones included                   |
| account.COLUMN                       | people, opportunities, custom objects | the row's account, deleted or not               |
| owner.COLUMN                         | all but activity; tasks | the row's owner                                               |
| person.COLUMN                        | opportunities, custom objects, activity | the person that it belongs to, deleted or not |
| campaign.COLUMN                      | sends, opens, clicks  | the campaign                                                    |
| page, event, profile, visit .COLUMN  | completions, registrations, scores, page_views | the page, event, scoring profile or visit |
| opportunities.count                  | people, accounts      | how many living opportunities it has; `where` narrows them      |
| people.count                         | accounts              | how many living people it has; `where` narrows them             |
| custom_NAME.count                    | people, accounts      | how many living records of a custom object belong to it         |
| sends, opens, clicks, visits, completions, registrations, tasks, scores .count | people | what they did, or was done for them    |
| page_views.count                     | visits                | pages that were looked at                                       |
| lists.name, lists.crm_id, lists.type | people, accounts      | the marketing lists that it is on: true if one of them fits     |
| consent.guarded                      | people                | the address is on the guarded watch (CONSENT-7)                 |
| consent.may_be_mailed                | people                | lives; its address works, is not guarded, nobody with it is out   |

Empty values. A value that is not there meets is_null, not_equals and not_in, and no other operator: "industry is not Banking" is said of
an account without an industry as well. A text without characters counts as not there. not_equals is exactly what equals is not, and
not_in what in is not. Of lists: not_equals is true when it is on no list of that name, is_null when it is on no list at all.

Texts are compared exactly, except by starts and contains, which take A to Z for a to z, and no other letters: the two databases
would not agree about those. lt, lte, gt, gte order texts by the numbers of their characters. older_than_days N: before the instant, or
the day, N days ago; newer_than_days: not before it, the future included; in_next_days N: not before now, or today, and not after the
instant, or the day, in N days. Days are days in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sync.fields import ValueType
from sync.near_names import did_you_mean
from sync.saved_report_relations import BY_DESIGN as BY_DESIGN
from sync.saved_report_relations import Known as Known
from sync.saved_report_relations import child, counted, parents
from sync.saved_report_values import days, typed
from sync.saved_reports import MOST_VALUES, Group, Of, Part, SavedReport, Term, Value

PRESENCE = ("is_null", "not_null")
_SAMENESS = ("equals", "not_equals", "in", "not_in")
_TEXT = ("starts", "contains")
_ORDER = ("lt", "lte", "gt", "gte")
_AGE = ("older_than_days", "newer_than_days", "in_next_days")
OPERATORS: tuple[str, ...] = (*_SAMENESS, *_TEXT, *_ORDER, *_AGE, *PRESENCE)

_TEXT_LIKE = (*_SAMENESS, *_TEXT, *PRESENCE)
_TAKES: Mapping[ValueType, tuple[str, ...]] = {
    ValueType.TEXT: (*_SAMENESS, *_TEXT, *_ORDER, *PRESENCE),
    ValueType.TIME: (*_SAMENESS, *_TEXT, *_ORDER, *PRESENCE),
    ValueType.LIST: _TEXT_LIKE,
    ValueType.JSON: _TEXT_LIKE,
    ValueType.BOOLEAN: (*_SAMENESS[:2], *PRESENCE),
    ValueType.INTEGER: (*_SAMENESS, *_ORDER, *PRESENCE),
    ValueType.DECIMAL: (*_SAMENESS, *_ORDER, *PRESENCE),
    ValueType.DATE: (*_SAMENESS, *_ORDER, *_AGE, *PRESENCE),
    ValueType.INSTANT: (*_SAMENESS[:2], *_ORDER, *_AGE, *PRESENCE),
}

_LISTS = {"lists.name": "list_name", "lists.crm_id": "crm_id", "lists.type": "list_type"}
_CONSENT = {"consent.guarded": "guarded", "consent.may_be_mailed": "may_be_mailed"}


class From(StrEnum):
    """Where the value of a field comes from."""

    ROW = "row"
    PARENT = "parent"
    COUNT = "count"
    LIST = "list"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Source:
    """One field, found. `relation` is empty for the row's own columns. `type` None: a column that only the database knows."""

    origin: From
    relation: str
    column: str
    type: ValueType | None


def find(of: Of, name: str, known: Known) -> Source | None:
    """The field of that name in a report of these rows; None: there is none."""
    if name in _LISTS and of in (Of.PEOPLE, Of.ACCOUNTS):
        return Source(From.LIST, "lists", _LISTS[name], ValueType.TEXT)
    if name in _CONSENT and of is Of.PEOPLE:
        return Source(From.CONSENT, "consent", _CONSENT[name], ValueType.BOOLEAN)
    relation, dot, column = name.rpartition(".")
    if column == "count" and child(of, relation, known) is not None:
        return Source(From.COUNT, relation, column, ValueType.INTEGER)
    table = parents(of).get(relation) if dot else of.table
    if table is None or not column or not (column in known.columns(table) or known.is_open(table)):
        return None
    return Source(From.PARENT if dot else From.ROW, relation, column, known.columns(table).get(column))


def no_field(of: Of, name: str, known: Known) -> str:
    """Why there is no such field, with near names."""
    relation, dot, _ = name.rpartition(".")
    special = [f"{each}.count" for each in counted(of, known)] + [each for each in (*_LISTS, *_CONSENT) if find(of, each, known)]
    if dot and relation in parents(of):
        names = [f"{relation}.{column}" for column in known.columns(parents(of)[relation])]
    elif dot:
        names = special + [f"{each}.{name.rpartition('.')[2]}" for each in parents(of)]
    else:
        names = [*known.columns(of.table), *special]
    return f'{of} have no field "{name[:80]}"{did_you_mean(name, names)}'


def term_mistakes(of: Of, term: Term, known: Known) -> Iterator[str]:
    """What is wrong with one condition; the conditions of its count are not looked at."""
    source = find(of, term.field, known)
    if source is None:
        yield no_field(of, term.field, known)
        return
    if term.where and source.origin is not From.COUNT:
        yield "where belongs to a count, such as opportunities.count"
    taken = operators(source)
    if term.op not in taken:
        yield f'"{term.field}" is {_said(source)} and takes no {term.op}; it takes {", ".join(taken)}'
    else:
        yield from _value_mistakes(source, term)


def operators(source: Source) -> tuple[str, ...]:
    """Which operators the field takes. Of a column that only the database knows: all."""
    if source.origin is From.COUNT:
        return (*_SAMENESS[:2], *_ORDER)
    if source.origin is From.LIST:
        return _TEXT_LIKE
    if source.origin is From.CONSENT:
        return _SAMENESS[:2]
    return _TAKES[source.type] if source.type is not None else OPERATORS


def _said(source: Source) -> str:
    return {From.COUNT: "a count", From.LIST: "the name of lists"}.get(source.origin, str(source.type))


def _value_mistakes(source: Source, term: Term) -> Iterator[str]:
    op, value = term.op, term.value
    if op in PRESENCE:
        if value is not None:
            yield f"{op} takes no value"
    elif op in ("in", "not_in"):
        if not isinstance(value, tuple) or not 0 < len(value) <= MOST_VALUES:
            yield f"{op} takes a list of 1 to {MOST_VALUES} values"
        else:
            yield from dict.fromkeys(why for each in value if (why := _misfit(source, op, each)))
    elif value is None or isinstance(value, tuple):
        yield f"{op} takes one value"
    elif why := _misfit(source, op, value):
        yield why


def _misfit(source: Source, op: str, value: Value) -> str:
    """Why the value can't be compared with the field; empty: it can."""
    try:
        if op in _AGE:
            days(value)
        elif source.type is not None:
            typed(source.type, value)
        elif op in _TEXT:
            typed(ValueType.TEXT, value)
    except ValueError as error:
        return f"{op} takes {error}" if op in _AGE else f"it is {_said(source)} and is compared with {error}"
    return ""


def name_mistake(of: Of, name: str, known: Known) -> str:
    """Why this can't be listed or sorted by; empty: it can."""
    source = find(of, name, known)
    if source is None:
        return no_field(of, name, known)
    return f'"{name}" may be several; it can be a condition only' if source.origin is From.LIST else ""


def report_mistakes(report: SavedReport, known: Known) -> Iterator[tuple[str, str]]:
    """(place, what) of everything that these tables can't answer."""
    if not known.is_there(report.of):
        yield f"{report.place}.of", f'there is no custom object "{report.of}" in Market{did_you_mean(report.of, list(known.tables))}'
        return
    yield from _part_mistakes(report.of, report.conditions, known)
    for key, names in (("columns", report.columns), ("order_by", report.order_by)):
        for number, name in enumerate(names, 1):
            if why := name_mistake(report.of, name.removeprefix("-") if key == "order_by" else name, known):
                yield f"{report.place}.{key}.{number}", why


def _part_mistakes(of: Of, part: Part, known: Known) -> Iterator[tuple[str, str]]:
    if isinstance(part, Group):
        for each in part.parts:
            yield from _part_mistakes(of, each, known)
        return
    yield from ((part.place, what) for what in term_mistakes(of, part, known))
    hanging = child(of, part.field.removesuffix(".count"), known)
    if hanging is not None:
        for each in part.where:
            yield from _part_mistakes(hanging, each, known)
