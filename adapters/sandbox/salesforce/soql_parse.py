"""SOQL text → a tree. The grammar that clients of the query calls use; what it does not know is MALFORMED_QUERY, with the place."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.soql_tree import AGGREGATES, FUNCTIONS, Compare, Condition, InQuery, Logic, Order, Query, Term, Value

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::\d+)?)
    |(?P<op><>|!=|<=|>=|[=<>(),])""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
MAX_SOQL = 100_000
MAX_WHERE_STRING = 4_000


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_soql(text: str) -> Query:
    """The tree of a query; raises ApiError MALFORMED_QUERY."""
    if len(text) > MAX_SOQL:
        raise ApiError("QUERY_TOO_COMPLICATED", "SOQL statements cannot be longer than 100,000 characters.")
    parser = _Parser(text)
    query = parser.query()
    parser.end()
    return query


class _Parser:
    """Recursive descent, one method per rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split(text))
        self._next = 0
        words = [token.text.upper() for token in self._tokens]
        self._grouped = ("GROUP", "BY") in itertools.pairwise(words)  # only then plain fields have aliases

    def _split(self, text: str) -> list[_Token]:
        found, at = [], 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._unexpected(text[at], at)
            if match.lastgroup != "space":
                found.append(_Token(str(match.lastgroup), match.group(), at))
            at = match.end()
        return found

    def _unexpected(self, token: str, at: int) -> ApiError:
        around = self._text[max(0, at - 40) : at + 20]
        row, column = self._text.count("\n", 0, at) + 1, at - self._text.rfind("\n", 0, at)
        return ApiError(
            "MALFORMED_QUERY", f"\n{around}\n{' ' * min(at, 40)}^\nERROR at Row:{row}:Column:{column}\nunexpected token: '{token}'"
        )

    def _fail(self) -> ApiError:
        if self._next < len(self._tokens):
            token = self._tokens[self._next]
            return self._unexpected(token.text, token.at)
        return self._unexpected("<EOF>", len(self._text))

    def _peek(self, ahead: int = 0) -> _Token:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else _Token("end", "", len(self._text))

    def _is(self, *words: str, ahead: int = 0) -> bool:
        return all(self._peek(ahead + n).text.upper() == word and self._peek(ahead + n).kind != "string" for n, word in enumerate(words))

    def _takes(self, *words: str) -> bool:
        if not self._is(*words):
            return False
        self._next += len(words)
        return True

    def _need(self, *words: str) -> None:
        if not self._takes(*words):
            raise self._fail()

    def _name(self) -> str:
        token = self._peek()
        if token.kind != "name":
            raise self._fail()
        self._next += 1
        return token.text

    def _number(self) -> int:
        token = self._peek()
        if token.kind != "number" or not token.text.isdigit():
            raise self._fail()
        self._next += 1
        return int(token.text)

    def end(self) -> None:
        if self._next != len(self._tokens):
            raise self._fail()

    def query(self) -> Query:
        self._need("SELECT")
        query = Query()
        self._select(query)
        self._need("FROM")
        query.object = self._name()
        self._alias(query)
        if self._takes("USING", "SCOPE"):
            self._name()
        if self._takes("WHERE"):
            query.where = self._condition()
        if self._takes("WITH"):
            self._name()
        if self._takes("GROUP", "BY"):
            query.group = self._list_of_terms()
            if self._takes("HAVING"):
                query.having = self._condition()
        self._tail(query)
        return query

    def _alias(self, query: Query) -> None:
        """`FROM Contact c`: paths may begin with the alias."""
        reserved = ("WHERE", "ORDER", "GROUP", "LIMIT", "OFFSET", "WITH", "FOR", "ALL", "USING")
        if self._peek().kind == "name" and self._peek().text.upper() not in reserved:
            query.alias = self._name().lower()

    def _tail(self, query: Query) -> None:
        if self._takes("ORDER", "BY"):
            query.order.append(self._order())
            while self._takes(","):
                query.order.append(self._order())
        if self._takes("LIMIT"):
            query.limit = self._number()
        if self._takes("OFFSET"):
            query.offset = self._number()
        if self._takes("FOR") and not (self._takes("VIEW") or self._takes("REFERENCE")):
            self._need("UPDATE")
        query.all_rows = self._takes("ALL", "ROWS")

    def _select(self, query: Query) -> None:
        while True:
            if self._is("(", "SELECT"):
                self._need("(")
                query.nested.append(self.query())
                self._need(")")
            elif self._is("FIELDS", "("):
                self._next += 2
                query.everything = self._name().upper()
                self._need(")")
            else:
                term = self._term()
                if (term.function or self._grouped) and self._peek().kind == "name" and not self._is("FROM"):
                    term = term._replace(alias=self._name())
                query.terms.append(term)
            if not self._takes(","):
                return

    def _list_of_terms(self) -> list[Term]:
        found = [self._term()]
        while self._takes(","):
            found.append(self._term())
        return found

    def _term(self) -> Term:
        if self._is("(", ahead=1):
            function = self._peek().text.upper()
            if function not in AGGREGATES + FUNCTIONS:
                raise self._fail()
            self._next += 2
            inner = () if self._is(")") else tuple(self._name().split("."))
            if not inner and function != "COUNT":
                raise self._fail()
            self._need(")")
            return Term(inner, function)
        return Term(tuple(self._name().split(".")))

    def _order(self) -> Order:
        term = self._term()
        descending = not self._takes("ASC") and self._takes("DESC")
        last = False
        if self._takes("NULLS"):
            last = not self._takes("FIRST")
            if last:
                self._need("LAST")
        return Order(term, descending, last)

    def _condition(self) -> Condition:
        """AND and OR are not mixed without parentheses: that is MALFORMED_QUERY in Salesforce too."""
        parts = [self._one_condition()]
        op = "AND" if self._is("AND") else "OR"
        while self._takes(op):
            parts.append(self._one_condition())
        if self._is("AND") or self._is("OR"):
            raise self._fail()
        return parts[0] if len(parts) == 1 else Logic(op.lower(), tuple(parts))

    def _one_condition(self) -> Condition:
        if self._takes("NOT"):
            return Logic("not", (self._one_condition(),))
        if self._takes("("):
            inner = self._condition()
            self._need(")")
            return inner
        term = self._term()
        for words in (("NOT", "IN"), ("IN",), ("INCLUDES",), ("EXCLUDES",)):
            if self._takes(*words):
                return self._among(term, " ".join(words).lower())
        if self._takes("LIKE"):
            return Compare(term, "like", (self._value(),))
        token = self._peek()
        if token.kind != "op" or token.text not in ("=", "!=", "<>", "<", "<=", ">", ">="):
            raise self._fail()
        self._next += 1
        return Compare(term, "!=" if token.text == "<>" else token.text, (self._value(),))

    def _among(self, term: Term, op: str) -> Condition:
        self._need("(")
        if self._is("SELECT"):
            inner = InQuery(term, self.query(), op == "not in")
            self._need(")")
            return inner
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._need(")")
        return Compare(term, op, tuple(values))

    def _value(self) -> Value:
        token = self._peek()
        self._next += 1
        if token.kind == "string":
            if len(token.text) > MAX_WHERE_STRING:
                raise ApiError("INVALID_QUERY_FILTER_OPERATOR", "a string in a WHERE clause is longer than 4,000 characters")
            return Value("string", re.sub(r"\\(.)", _unescaped, token.text[1:-1]), re.sub(r"\\(.)", _pattern, token.text[1:-1]))
        if token.kind == "number":
            return Value("number", float(token.text) if re.search(r"[.eE]", token.text) else int(token.text))
        if token.kind in ("date", "datetime"):
            return Value(token.kind, token.text)
        word = token.text.upper()
        if word in ("TRUE", "FALSE"):
            return Value("boolean", word.lower())
        if word == "NULL":
            return Value("null", None)
        if token.kind == "name":
            return Value("period", word)
        self._next -= 1
        raise self._fail()


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1].lower(), found[1])


def _pattern(found: re.Match[str]) -> str:
    """The same for LIKE, where an escaped wildcard, and the escape itself, stay escaped."""
    return found[0] if found[1] in "%_\\" else _unescaped(found)
