"""A saved report as one SELECT (REPORT-1): names are looked up, values are bound, and both databases give the same rows.

NULL counts as "no" everywhere: a WHERE drops it, and what is negated is negated by `IS NOT TRUE`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, exists, func, literal, or_, select, true
from sqlalchemy.sql.selectable import NamedFromClause

from adapters.market.columns import current_table, replicated
from adapters.market.loading import is_lite
from adapters.market.saved_reports_compare import Clause, Comparing, negated, only, teach
from adapters.market.schema import NO_COMPANY
from adapters.market.schema_books import guarded_watch
from adapters.market.schema_custom import custom_tables
from adapters.market.schema_lists import marketing_list_members, marketing_lists
from adapters.market.types import TEXT
from sync.activity_columns import ACTIVITY_COLUMNS
from sync.columns import CUSTOM_COLUMNS, FIXED_COLUMNS
from sync.fields import ValueType
from sync.saved_report_fields import From, Known, Source, find
from sync.saved_report_relations import child, default_columns
from sync.saved_reports import Group, Of, Part, SavedReport, Term

_NEGATED = {"not_equals": "equals", "not_in": "in", "not_null": "is_null"}
_MEMBERS = {Of.PEOPLE: ("lead", "contact"), Of.ACCOUNTS: ("account",)}
_BOUNCED = 2
_SOME = {("gte", 1), ("gt", 0)}
_NONE = {("equals", 0), ("lt", 1), ("lte", 0)}
_LEADS_TO = {
    "account": ("accounts", "account_id", "account_id"),
    "owner": ("users", "owner_id", "user_id"),
    "person": ("contacts", "contact_id", "contact_id"),
    "campaign": ("campaigns", "campaign_id", "campaign_id"),
    "page": ("landing_pages", "page_id", "page_id"),
    "event": ("marketing_events", "marketing_event_id", "marketing_event_id"),
    "profile": ("scoring_profiles", "profile_id", "profile_id"),
    "visit": ("web_visits", "visit_id", "visit_id"),
}
"""Relation → table, our column, its column."""


_WHAT = {Of.OPENS: "open", Of.CLICKS: "click"}


def there(row: FromClause, of: Of) -> list[Clause]:
    """The rows of the table that are meant: not the account that everybody without one belongs to (PULL-6), and of events one sort."""
    if of is Of.ACCOUNTS:
        return [row.c.account_id != NO_COMPANY]
    return [row.c.what == literal(_WHAT[of], TEXT)] if of in _WHAT else []


def living(row: FromClause, of: Of) -> list[Clause]:
    """Those that are neither deleted nor merged away; activity never is."""
    gone = [row.c[name].is_(None) for name in ("deleted_date", "merged_into") if name in row.c]
    return [*gone, *there(row, of)]


def listed_columns(report: SavedReport) -> tuple[str, ...]:
    """What the report lists of each row."""
    return report.columns or default_columns(report.of)


def known_columns(connection: Connection) -> Known:
    """The tables that a report can reach, with the columns that they have now."""
    custom = {table.name: CUSTOM_COLUMNS for table in custom_tables(connection)}
    tables = {
        table: {name: type_.value for name, type_ in {**replicated(connection, table), **columns}.items()}
        for table, columns in {**FIXED_COLUMNS, **custom}.items()
    }
    tables |= {table: {name: type_.value for name, type_ in columns.items()} for table, columns in ACTIVITY_COLUMNS.items()}
    return Known(tables, whole=True)


class Asking:
    """Makes statements for one connection and one moment: `now`, UTC, is what relative dates count from.

    Every report has to have been checked against `known`.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._tables: dict[str, Table] = {}
        self._aliases: dict[str, int] = {}
        self._comparing = Comparing(is_lite(connection), now)
        if is_lite(connection):
            teach(connection)
        self.known = known_columns(connection)

    def keys(self, report: SavedReport) -> Select[Any]:
        """The keys of the rows that meet the report, in no order and without its limit."""
        scope, where = self._asked(report)
        return select(scope.row.c[report.of.key]).select_from(scope.source()).where(*where)

    def rows(self, report: SavedReport, limit: int | None = None, *, person: int | None = None) -> Select[Any]:
        """The report's columns in its order; rows that are equal in it by their key. `limit` takes the place of the report's own.

        `person`: only the rows that are this person's, their account's, or belong to them (CUST-3).
        """
        scope, where = self._asked(report)
        if person is not None:
            where = [self._of_person(scope, person), *where]
        listed = [self._value(scope, name) for name in listed_columns(report)]
        order = [self._order(scope, name) for name in report.order_by]
        query = select(*listed).select_from(scope.source()).where(*where).order_by(*order, *(scope.row.c[key] for key in report.of.order))
        most = report.limit if limit is None else limit
        return query if most is None else query.limit(most)

    def _of_person(self, scope: _Scope, person: int) -> Clause:
        if scope.of is not Of.ACCOUNTS:
            clause: Clause = scope.row.c.contact_id == person
            return clause
        own = self.alias("contacts", "belongs_to")
        return scope.row.c.account_id.in_(select(own.c.account_id).where(own.c.contact_id == person))

    def grouped(self, report: SavedReport, column: str) -> Select[Any]:
        """(value of the column, rows), most rows first."""
        scope, where = self._asked(report)
        value = self._comparing.sortable(scope.row.c[column], ValueType.TEXT)
        rows = func.count()
        return select(value, rows).select_from(scope.source()).where(*where).group_by(value).order_by(rows.desc(), value.nulls_last())

    def examples(self, report: SavedReport, most: int) -> Select[Any]:
        """(key, the CRM's id) of the first rows by key."""
        scope, where = self._asked(report)
        key = scope.row.c[report.of.key]
        return select(key, scope.row.c.crm_id).select_from(scope.source()).where(*where).order_by(key).limit(most)

    def alias(self, table: str, name: str) -> NamedFromClause:
        """A table under a name that the statement does not have yet."""
        number = self._aliases[name] = self._aliases.get(name, 0) + 1
        if table not in self._tables:
            self._tables[table] = current_table(self._connection, table)
        return self._tables[table].alias(name if number == 1 else f"{name}_{number}")

    def children(self, of: Of, where: tuple[Part, ...]) -> tuple[_Scope, list[Clause]]:
        """Living rows that meet all of `where`."""
        scope = _Scope(self, of)
        return scope, [*living(scope.row, of), *(self._part(scope, part) for part in where)]

    def _asked(self, report: SavedReport) -> tuple[_Scope, list[Clause]]:
        self._aliases = {}
        scope = _Scope(self, report.of)
        where = (there if report.include_deleted else living)(scope.row, report.of)
        return scope, [*where, *self._group(scope, report.conditions)]

    def _group(self, scope: _Scope, group: Group) -> list[Clause]:
        clauses = [self._part(scope, part) for part in group.all_of]
        if group.any_of:
            clauses.append(or_(*(self._part(scope, part) for part in group.any_of)))
        if group.none_of:
            clauses.append(negated(or_(*(self._part(scope, part) for part in group.none_of))))
        return clauses

    def _part(self, scope: _Scope, part: Part) -> Clause:
        return and_(*self._group(scope, part)) if isinstance(part, Group) else self._term(scope, part)

    def _term(self, scope: _Scope, term: Term) -> Clause:
        if term.op in _NEGATED:
            return negated(self._term(scope, Term(term.field, _NEGATED[term.op], term.value, term.where)))
        source = self._source(scope, term.field)
        if source.origin is From.COUNT:
            return self._counted(scope, source, term)
        if source.origin is From.LIST:
            return self._on_lists(scope, source, term)
        if source.origin is From.CONSENT:
            clause = scope.consent(source.column)
            return clause if only(term) is True else negated(clause)
        assert source.type is not None
        return self._comparing.compare(scope.column(source), source.type, term)

    def _source(self, scope: _Scope, name: str) -> Source:
        source = find(scope.of, name, self.known)
        assert source is not None, name
        return source

    def _value(self, scope: _Scope, name: str) -> ColumnElement[Any]:
        source = self._source(scope, name)
        if source.origin is From.COUNT:
            return scope.count(source, ())
        return scope.consent(source.column) if source.origin is From.CONSENT else scope.column(source)

    def _order(self, scope: _Scope, name: str) -> ColumnElement[Any]:
        """Rows without a value come last, whichever way."""
        bare = name.removeprefix("-")
        type_ = self._source(scope, bare).type
        assert type_ is not None
        value = self._comparing.sortable(self._value(scope, bare), type_)
        return (value.desc() if name.startswith("-") else value.asc()).nulls_last()

    def _counted(self, scope: _Scope, source: Source, term: Term) -> Clause:
        """Whether there are any is asked without counting them."""
        asked = (term.op, only(term))
        if asked in _SOME | _NONE:
            some = exists(scope.children(source, term.where))
            return some if asked in _SOME else ~some
        return self._comparing.compare(scope.count(source, term.where), ValueType.INTEGER, term)

    def _on_lists(self, scope: _Scope, source: Source, term: Term) -> Clause:
        """`is_null`: on no list at all."""
        members, lists = scope.lists()
        if term.op == "is_null":
            return ~exists(members)
        return exists(members.where(self._comparing.compare(lists.c[source.column], ValueType.TEXT, term)))


class _Scope:
    """One table of the statement, and the rows that it leads to; they are joined when somebody asks for them."""

    def __init__(self, asking: Asking, of: Of) -> None:
        self._asking = asking
        self.of = of
        self.row = asking.alias(of.table, str(of))
        self._joined: dict[str, tuple[NamedFromClause, Clause]] = {}

    def source(self) -> FromClause:
        """The row and what was joined to it so far."""
        found: FromClause = self.row
        for table, on in self._joined.values():
            found = found.outerjoin(table, on)
        return found

    def column(self, source: Source) -> ColumnElement[Any]:
        if source.origin is From.ROW:
            return self.row.c[source.column]
        if source.relation not in self._joined:
            table, mine, theirs = _LEADS_TO[source.relation]
            alias = self._asking.alias(table, source.relation)
            self._joined[source.relation] = alias, alias.c[theirs] == self.row.c[mine]
        return self._joined[source.relation][0].c[source.column]

    def children(self, source: Source, where: tuple[Part, ...]) -> Select[Any]:
        """A correlated query of the living rows that hang on this one."""
        of = child(self.of, source.relation, self._asking.known)
        assert of is not None, source.relation
        own, clauses = self._asking.children(of, where)
        mine = own.row.c[self.of.key] == self.row.c[self.of.key]
        return select(own.row.c[own.of.key]).select_from(own.source()).where(mine, *clauses).correlate(self.row)

    def count(self, source: Source, where: tuple[Part, ...]) -> ColumnElement[int]:
        """How many there are."""
        return self.children(source, where).with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()

    def lists(self) -> tuple[Select[Any], NamedFromClause]:
        """The lists that this row is on now; they can be narrowed."""
        members, lists = marketing_list_members.alias("members"), marketing_lists.alias("lists")
        on_it = [members.c.kind.in_(_MEMBERS[self.of]), members.c.market_id == self.row.c[self.of.key], members.c.left_at.is_(None)]
        joined = members.join(lists, and_(lists.c.list_id == members.c.list_id, lists.c.deleted_date.is_(None)))
        return select(lists.c.list_id).select_from(joined).where(*on_it).correlate(self.row), lists

    def consent(self, name: str) -> Clause:
        """CONSENT-7, CONSENT-10, ADDR-3: of the person, and of everybody with the same address. The same as `Consent.judge`, as SQL."""
        key = self.row.c.email_key
        guarded = exists(select(guarded_watch.c.address).where(guarded_watch.c.address == key).correlate(self.row))
        if name == "guarded":
            return guarded
        other, stands = self._asking.alias("contacts", "same_address"), self._asking.alias("contacts", "stands_for_it")
        pairs = other.outerjoin(stands, stands.c.contact_id == func.coalesce(other.c.merged_into, other.c.contact_id))
        out = func.coalesce(stands.c.opt_out, other.c.opt_out).is_(true())  # who was merged away is judged by the winner (MATCH-8)
        refused = select(other.c.contact_id).select_from(pairs).where(other.c.email_key == key, out).correlate(self.row)
        mailable = [key.is_not(None), key != literal("", TEXT), self.row.c.del_status != _BOUNCED, ~guarded, ~exists(refused)]
        return and_(*living(self.row, Of.PEOPLE), *mailable)
