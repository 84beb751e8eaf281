"""Small worlds of random rows, and a slow reference in plain Python that answers saved reports over them.

The reference shares nothing with the product but the nouns of `sync.saved_reports`: it walks dicts.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import delete, insert

from adapters.market.columns import CatalogueEntry
from adapters.market.engine import Market
from adapters.market.schema import accounts, contacts, opportunities, users
from adapters.market.schema_books import guarded_watch
from adapters.market.schema_custom import table_of
from adapters.market.schema_lists import marketing_list_members, marketing_lists
from adapters.market.schema_marketing import campaigns, email_events, page_views, scores, scoring_profiles, web_visits
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, LIST, ColumnType, ValueType
from sync.records import Kind
from sync.saved_reports import Group, Of, Part, SavedReport, Term

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Row = dict[str, Any]

CUSTOM: dict[str, dict[str, ColumnType]] = {
    "contacts": {
        "score_c": DECIMAL,
        "visits_c": INTEGER,
        "tags_c": LIST,
        "born_c": DATE,
        "seen_c": INSTANT,
        "vip_c": BOOLEAN,
        "note_c": ColumnType(ValueType.TEXT, length=50),
    },
    "accounts": {"tier_c": ColumnType(ValueType.TEXT), "revenue_c": DECIMAL},
    "custom_subscription": {"status": ColumnType(ValueType.TEXT, length=20), "ends": DATE, "price": DECIMAL},
}
SUBSCRIPTION = Kind("custom_subscription")
SUBSCRIPTIONS = Of("custom_subscription")

TEXTS = ["", "a", "A", "ab", "Ab", "äb", "Äb", "zz", "%", "_", "a'b\"c", "日本", "Lead", '["a","b"]']
NUMBERS = [0, 1, -2, 0.1, 1.5, 123456789012345, -0.25]
DECIMALS = [Decimal(str(each)) for each in NUMBERS] + [Decimal("0.1000000000000000001"), Decimal("123456789012345.5000001")]
WHOLE = [0, 1, 2, -1, 7, 2**40]
AGES = [0, 1, 30]
INSTANTS = [NOW - timedelta(days=days) + step for days in AGES for step in (timedelta(0), timedelta(microseconds=-1), timedelta(hours=1))]
DAYS = [NOW.date() + timedelta(days=days) for days in (-31, -30, -29, -1, 0, 1)]
ADDRESSES = ["a@x.example", "b@x.example", "c@x.example"]
LISTS = ["News", "news", "Fair"]

_POOL: dict[str, list[Any]] = {
    "text": TEXTS,
    "boolean": [True, False],
    "integer": WHOLE,
    "decimal": DECIMALS,
    "date": DAYS,
    "instant": INSTANTS,
    "list": TEXTS,
}
_ASKED = {**_POOL, "decimal": NUMBERS}

FIELDS: dict[Of, dict[str, str]] = {
    Of.PEOPLE: {
        "first_name": "text",
        "crm_type": "text",
        "note_c": "text",
        "tags_c": "list",
        "opt_out": "boolean",
        "vip_c": "boolean",
        "del_status": "integer",
        "visits_c": "integer",
        "score_c": "decimal",
        "born_c": "date",
        "seen_c": "instant",
        "account.industry": "text",
        "account.revenue_c": "decimal",
        "owner.email": "text",
        "owner.active": "boolean",
        "deleted_date": "instant",
        "consent.guarded": "truth",
        "consent.may_be_mailed": "truth",
        "lists.name": "lists",
        "opportunities.count": "count",
        "opens.count": "count",
        "clicks.count": "count",
        "visits.count": "count",
        "scores.count": "count",
        "custom_subscription.count": "count",
    },
    Of.OPENS: {"at": "instant", "url": "text", "campaign.name": "text", "person.first_name": "text"},
    Of.CLICKS: {"at": "instant", "url": "text", "campaign.name": "text", "person.first_name": "text"},
    Of.VISITS: {"started_at": "instant", "landing_page": "text", "person.vip_c": "boolean", "page_views.count": "count"},
    Of.PAGE_VIEWS: {"at": "instant", "url": "text", "visit.landing_page": "text"},
    Of.SCORES: {"score": "decimal", "scored_at": "instant", "profile.name": "text"},
    SUBSCRIPTIONS: {
        "status": "text",
        "ends": "date",
        "price": "decimal",
        "account.industry": "text",
        "owner.email": "text",
        "person.first_name": "text",
    },
    Of.ACCOUNTS: {
        "account_name": "text",
        "industry": "text",
        "tier_c": "text",
        "revenue_c": "decimal",
        "owner.email": "text",
        "lists.name": "lists",
        "opportunities.count": "count",
        "people.count": "count",
        "custom_subscription.count": "count",
    },
    Of.OPPORTUNITIES: {
        "stage": "text",
        "amount": "decimal",
        "close_date": "date",
        "is_won": "boolean",
        "account.industry": "text",
        "owner.email": "text",
        "person.first_name": "text",
        "person.vip_c": "boolean",
    },
}
_SAME, _ORDERED, _THERE, _AGED = (
    ("equals", "not_equals"),
    ("lt", "lte", "gt", "gte"),
    ("is_null", "not_null"),
    ("older_than_days", "newer_than_days", "in_next_days"),
)
OPERATORS = {
    "text": (*_SAME, "in", "not_in", "starts", "contains", *_ORDERED, *_THERE),
    "list": (*_SAME, "in", "not_in", "starts", "contains", *_THERE),
    "lists": (*_SAME, "in", "not_in", "starts", "contains", *_THERE),
    "boolean": (*_SAME, *_THERE),
    "truth": _SAME,
    "integer": (*_SAME, "in", "not_in", *_ORDERED, *_THERE),
    "decimal": (*_SAME, "in", "not_in", *_ORDERED, *_THERE),
    "date": (*_SAME, "in", "not_in", *_ORDERED, *_AGED, *_THERE),
    "instant": (*_SAME, *_ORDERED, *_AGED, *_THERE),
    "count": (*_SAME, *_ORDERED),
}
_CHILD = {
    "opportunities.count": Of.OPPORTUNITIES,
    "people.count": Of.PEOPLE,
    "opens.count": Of.OPENS,
    "clicks.count": Of.CLICKS,
    "visits.count": Of.VISITS,
    "page_views.count": Of.PAGE_VIEWS,
    "scores.count": Of.SCORES,
    "custom_subscription.count": SUBSCRIPTIONS,
}
_TABLES = {Of.OPENS: "email_events", Of.CLICKS: "email_events", Of.VISITS: "web_visits"}
_WHAT = {Of.OPENS: "open", Of.CLICKS: "click"}
_DONE = ("email_events", "web_visits", "page_views", "scores", "custom_subscription")
CAMPAIGNS: list[Row] = [{"campaign_id": number, "campaign_key": f"k{number}", "name": name} for number, name in enumerate(("a", "Ab"), 1)]
PROFILES: list[Row] = [{"profile_id": number, "profile_key": f"p{number}", "name": name} for number, name in enumerate(("a", "zz"), 1)]


@dataclass
class World:
    """Rows by table, as dicts."""

    users: list[Row]
    accounts: list[Row]
    contacts: list[Row]
    opportunities: list[Row]
    members: list[Row]
    guarded: list[str]
    done: dict[str, list[Row]]

    def rows(self, of: Of) -> list[Row]:
        if of in (Of.PEOPLE, Of.ACCOUNTS, Of.OPPORTUNITIES):
            found: list[Row] = getattr(self, "contacts" if of is Of.PEOPLE else of.value)
            return found
        return [row for row in self.done[_TABLES.get(of, of.value)] if of not in _WHAT or row["what"] == _WHAT[of]]


LIST_ROWS: list[Row] = [
    {"list_id": number, "connector": "acme", "crm_id": f"l{number}", "list_name": name, "deleted_date": NOW if number == 3 else None}
    for number, name in enumerate(LISTS, 1)
]


def _maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(values))


def _row(**columns: Any) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({name: each if isinstance(each, st.SearchStrategy) else st.just(each) for name, each in columns.items()})


_GONE = st.sampled_from([None, None, None, NOW])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    owners = [{"user_id": 1, "email": "a", "active": True}, {"user_id": 2, "email": None, "active": None}]
    owner = _maybe([1, 2, 9])
    some_accounts: list[Row] = [{"account_id": 1, "account_name": "No Company", "industry": None, "owner_id": None, "tier_c": None}]
    some_accounts[0] |= {"revenue_c": None, "deleted_date": None, "merged_into": None}
    for key in range(2, draw(st.integers(2, 5))):
        text = _maybe(TEXTS)
        life = {"deleted_date": _GONE, "merged_into": st.sampled_from([None, None, None, 2])}
        row = _row(account_id=key, account_name=text, industry=text, owner_id=owner, tier_c=text, revenue_c=_maybe(DECIMALS), **life)
        some_accounts.append(draw(row))
    return World(
        owners,
        some_accounts,
        [draw(_person(key, owner)) for key in range(1, draw(st.integers(1, 7)))],
        [draw(_opportunity(key, owner)) for key in range(1, draw(st.integers(1, 6)))],
        [
            draw(_member(list_, kind, key))
            for list_ in (1, 2, 3)
            for kind in ("lead", "account")
            for key in draw(st.sets(st.integers(1, 4)))
        ],
        sorted(draw(st.sets(st.sampled_from(ADDRESSES)))),
        draw(_done(owner)),
    )


def _done(owner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, list[Row]]]:
    """What people did, and their subscriptions; some of it by somebody who is not there."""
    who, at = st.sampled_from([1, 2, 3, 9]), st.sampled_from(INSTANTS)

    def some(most: int, **columns: Any) -> st.SearchStrategy[list[Row]]:
        return st.lists(_row(**columns), max_size=most)

    def keyed(rows: st.SearchStrategy[list[Row]], key: str) -> st.SearchStrategy[list[Row]]:
        return rows.map(lambda found: [{key: number, "event_id": f"e{number}", **row} for number, row in enumerate(found, 1)])

    what = st.sampled_from(["open", "click"])
    events = some(6, contact_id=who, what=what, campaign_id=st.sampled_from([1, 2]), url=_maybe(TEXTS), at=at)
    visits = some(4, contact_id=who, started_at=at, landing_page=_maybe(TEXTS))
    views = some(5, visit_id=st.sampled_from([1, 2, 3, 9]), url=st.sampled_from(TEXTS), at=at)
    scored = some(4, contact_id=who, profile_id=st.sampled_from([1, 2]), score=st.sampled_from(DECIMALS), scored_at=at)
    belongs = {"contact_id": _maybe([1, 2, 3, 9]), "account_id": _maybe([1, 2, 3, 9]), "owner_id": owner}
    life = {"deleted_date": _GONE, "status": _maybe(TEXTS), "ends": _maybe(DAYS), "price": _maybe(DECIMALS)}
    return st.fixed_dictionaries(
        {
            "email_events": keyed(events, "email_event_id"),
            "web_visits": keyed(visits, "visit_id"),
            "page_views": keyed(views, "page_view_id"),
            "scores": scored.map(lambda found: list({(row["contact_id"], row["profile_id"]): row for row in found}.values())),
            "custom_subscription": some(5, **belongs, **life).map(
                lambda found: [{"record_id": number, "crm_id": f"s{number}", **row} for number, row in enumerate(found, 1)]
            ),
        }
    )


def _person(key: int, owner: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    custom = {name: _maybe(_POOL[str(type_.value)]) for name, type_ in CUSTOM["contacts"].items()}
    return _row(
        contact_id=key,
        crm_id=f"c{key}",
        crm_type=_maybe(["Lead", "Contact"]),
        first_name=_maybe(TEXTS),
        email_key=_maybe(["", *ADDRESSES]),
        opt_out=st.booleans(),
        del_status=st.sampled_from([0, 1, 2]),
        account_id=st.sampled_from([1, 2, 3, 9]),
        owner_id=owner,
        deleted_date=_GONE,
        merged_into=st.sampled_from([None, None, None, 1]),
        **custom,
    )


def _opportunity(key: int, owner: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return _row(
        opportunity_id=key,
        stage=_maybe(TEXTS),
        amount=_maybe(DECIMALS),
        close_date=_maybe(DAYS),
        is_won=_maybe([True, False]),
        account_id=_maybe([1, 2, 3, 9]),
        contact_id=_maybe([1, 2, 3, 9]),
        owner_id=owner,
        deleted_date=_GONE,
    )


def _member(list_id: int, kind: str, key: int) -> st.SearchStrategy[Row]:
    return _row(list_id=list_id, kind=kind, crm_id=f"m{key}", market_id=key, first_seen_at=NOW, left_at=_GONE)


@st.composite
def _terms(draw: st.DrawFn, of: Of, depth: int) -> Term:
    name, sort = draw(st.sampled_from(sorted(FIELDS[of].items())))
    op = draw(st.sampled_from(OPERATORS[sort]))
    where: tuple[Part, ...] = ()
    if sort == "count" and depth > 0 and draw(st.booleans()):
        where = tuple(draw(st.lists(parts(_CHILD[name], depth - 1), min_size=1, max_size=2)))
    return Term(name, op, _value(draw, sort, op), where)


def _value(draw: st.DrawFn, sort: str, op: str) -> Any:
    if op in _THERE:
        return None
    if op in _AGED:
        return draw(st.sampled_from(AGES))
    pool = {"truth": [True, False], "lists": LISTS, "count": [0, 1, 2]}.get(sort) or _ASKED[sort]
    if op in ("starts", "contains"):
        pool = [*TEXTS[1:], "N", "new"]
    if op in ("in", "not_in"):
        return tuple(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3)))
    return draw(st.sampled_from(pool))


def parts(of: Of, depth: int = 3) -> st.SearchStrategy[Part]:
    """Conditions, and groups of them."""
    term = _terms(of, depth)
    if depth == 0:
        return term
    some = st.lists(st.deferred(lambda: parts(of, depth - 1)), min_size=1, max_size=3).map(tuple)
    group = st.one_of(
        st.builds(lambda found: Group(all_of=found), some),
        st.builds(lambda found: Group(any_of=found), some),
        st.builds(lambda found: Group(none_of=found), some),
        st.builds(lambda one, other: Group(any_of=one, none_of=other), some, some),
    )
    return st.one_of(term, term, group)


@st.composite
def reports(draw: st.DrawFn) -> SavedReport:
    of = draw(st.sampled_from([*FIELDS, Of.PEOPLE, Of.PEOPLE]))
    some = st.lists(parts(of), max_size=2).map(tuple)
    single = sorted(name for name, sort in FIELDS[of].items() if sort != "lists")
    order = draw(st.lists(st.sampled_from([*single, *(f"-{name}" for name in single)]), max_size=2))
    return SavedReport(
        name="random",
        of=of,
        all_of=draw(some),
        any_of=draw(some),
        none_of=draw(some),
        columns=of.order,
        order_by=tuple(order),
        limit=draw(st.sampled_from([None, None, 2])),
        include_deleted=draw(st.booleans()),
    )


# -- into a Market ------------------------------------------------------------------------------------------------------


def make_columns(market: Market) -> None:
    """The replicated columns of these worlds."""
    kinds = {"contacts": Kind.CONTACT, "accounts": Kind.ACCOUNT, "custom_subscription": SUBSCRIPTION}
    for table, columns in CUSTOM.items():
        market.columns.add([CatalogueEntry("acme", kinds[table], name, "any", table, name, type_) for name, type_ in columns.items()], NOW)


def fill(market: Market, world: World) -> None:
    """Exactly these rows, and no others."""
    tables = {name: market.columns.table(name) for name in ("users", "accounts", "contacts", "opportunities", *_DONE)}
    members = [*world.members]
    with market.database.writing() as connection:
        done = (email_events, page_views, web_visits, scores, campaigns, scoring_profiles, table_of("custom_subscription"))
        for table in (users, accounts, contacts, opportunities, marketing_list_members, marketing_lists, guarded_watch, *done):
            connection.execute(delete(table))
        connection.execute(insert(campaigns), CAMPAIGNS)
        connection.execute(insert(scoring_profiles), PROFILES)
        for name, table in tables.items():
            rows: list[Row] = world.done[name] if name in _DONE else getattr(world, name)
            if rows:
                connection.execute(insert(table), rows)
        connection.execute(insert(marketing_lists), LIST_ROWS)
        if members:
            connection.execute(insert(marketing_list_members), members)
        if world.guarded:
            watch = [{"address": address, "campaign": "", "added_at": NOW, "reason": "r", "who": "w"} for address in world.guarded]
            connection.execute(insert(guarded_watch), watch)


# -- the slow reference -------------------------------------------------------------------------------------------------


def answer(world: World, report: SavedReport, *, coarse: bool) -> list[tuple[int, ...]]:
    """Keys, in the report's order. `coarse`: decimals are ordered as floats."""
    found = [row for row in world.rows(report.of) if not (report.of is Of.ACCOUNTS and row["account_id"] == 1)]
    if not report.include_deleted:
        found = [row for row in found if _lives(row)]
    found = [row for row in found if _meets(world, report.of, row, report.conditions)]
    found.sort(key=lambda row: tuple(int(row[key]) for key in report.of.order))
    for name in reversed(report.order_by):
        bare = name.removeprefix("-")
        values = {id(row): _sort_value(world, report.of, row, bare, coarse) for row in found}
        empty = [row for row in found if values[id(row)] is None]
        full = [row for row in found if values[id(row)] is not None]
        found = sorted(full, key=lambda row: values[id(row)], reverse=name.startswith("-")) + empty
    return [tuple(row[key] for key in report.of.order) for row in found][: report.limit]


def _sort_value(world: World, of: Of, row: Row, name: str, coarse: bool) -> Any:
    value = _read(world, of, row, name)
    return float(value) if coarse and isinstance(value, Decimal) else value


def _lives(row: Row) -> bool:
    return row.get("deleted_date") is None and row.get("merged_into") is None


def _meets(world: World, of: Of, row: Row, part: Part) -> bool:
    if isinstance(part, Group):
        all_, any_, none = ([_meets(world, of, row, each) for each in each_of] for each_of in (part.all_of, part.any_of, part.none_of))
        return all(all_) and (any(any_) or not any_) and not any(none)
    opposite = {"not_equals": "equals", "not_in": "in", "not_null": "is_null"}.get(part.op)
    if opposite:
        return not _meets(world, of, row, Term(part.field, opposite, part.value, part.where))
    if part.field == "lists.name":
        names = _lists_of(world, of, row)
        return not names if part.op == "is_null" else any(_holds(name, part) for name in names)
    if part.field.endswith(".count"):
        return _holds(len(_children(world, of, row, part.field, part.where)), part)
    return _holds(_read(world, of, row, part.field), part)


def _read(world: World, of: Of, row: Row, name: str) -> Any:
    if name.endswith(".count"):
        return len(_children(world, of, row, name, ()))
    if name == "consent.guarded":
        return row["email_key"] in world.guarded
    if name == "consent.may_be_mailed":
        key = row["email_key"]
        refused = any(other["email_key"] == key and _winner(world, other)["opt_out"] for other in world.contacts)
        return bool(_lives(row) and key and row["del_status"] != 2 and key not in world.guarded and not refused)
    relation, _, column = name.rpartition(".")
    if not relation:
        return row[column]
    table, mine, theirs = {
        "account": (world.accounts, "account_id", "account_id"),
        "owner": (world.users, "owner_id", "user_id"),
        "person": (world.contacts, "contact_id", "contact_id"),
        "campaign": (CAMPAIGNS, "campaign_id", "campaign_id"),
        "profile": (PROFILES, "profile_id", "profile_id"),
        "visit": (world.done["web_visits"], "visit_id", "visit_id"),
    }[relation]
    parent = next((each for each in table if each[theirs] == row[mine]), None)
    return None if parent is None else parent[column]


def _winner(world: World, row: Row) -> Row:
    return next((each for each in world.contacts if each["contact_id"] == row["merged_into"]), row)


def _children(world: World, of: Of, row: Row, name: str, where: tuple[Part, ...]) -> list[Row]:
    child = _CHILD[name]
    own = [each for each in world.rows(child) if each[of.key] == row[of.key] and _lives(each)]
    return [each for each in own if all(_meets(world, child, each, part) for part in where)]


def _lists_of(world: World, of: Of, row: Row) -> list[str]:
    kind = "account" if of is Of.ACCOUNTS else "lead"
    living = {each["list_id"]: each["list_name"] for each in LIST_ROWS if each["deleted_date"] is None}
    mine = [each for each in world.members if each["kind"] == kind and each["market_id"] == row[of.key] and each["left_at"] is None]
    return [living[each["list_id"]] for each in mine if each["list_id"] in living]


def _holds(value: Any, term: Term) -> bool:
    if term.op == "is_null":
        return value is None or value == ""
    if value is None:
        return False
    wanted = term.value
    if term.op == "in":
        assert isinstance(wanted, tuple)
        return any(_same(value, each) for each in wanted)
    if term.op == "equals":
        return _same(value, wanted)
    if term.op == "in_next_days":
        today, away = (NOW if isinstance(value, datetime) else NOW.date()), timedelta(days=int(wanted))  # type: ignore[arg-type]
        return bool(today <= value <= today + away)
    if term.op in _AGED:
        return _is_older(value, int(wanted)) is (term.op == "older_than_days")  # type: ignore[arg-type]
    if term.op in ("starts", "contains"):
        text, part = _folded(value), _folded(str(wanted))
        return text.startswith(part) if term.op == "starts" else part in text
    exact = Decimal(str(wanted)) if isinstance(value, Decimal) else wanted
    return bool({"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}[term.op](value, exact))


def _same(value: Any, wanted: Any) -> bool:
    return bool(value == (Decimal(str(wanted)) if isinstance(value, Decimal) else wanted))


def _is_older(value: date | datetime, days: int) -> bool:
    edge = NOW - timedelta(days=days)
    return value < edge if isinstance(value, datetime) else value < edge.date()


def _folded(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)
