"""What must hold for rows that wait to be sent before the CRM hears of them (GATE-1, GATE-2, GATE-3).

Conditions are over the view `staged` of a parcel of outgoing rows, and over the tables beside it: `said` (their values as text),
`targets`, and what the CRM takes: `lengths`, `choices`, `required`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from expectations.rules import EMAIL_LENGTH, EMAIL_PATTERN, ID_PATTERN, CheckRule, Expectation
from expectations.sql import any_of, literal, rows_query
from sync.gate import Severity
from sync.outgoing import MAKES_RECORDS, NEEDS_ADDRESS, WORDS, WRITES_ADDRESS, WRITES_FIELDS
from sync.records import PEOPLE, Kind

_INSTANT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$"
_BLANK = r"^[\s\pZ\pC]*$"
_FITS = "(l.target_kind = '' OR l.target_kind = v.target_kind)"


def outgoing_rules(kind: Kind) -> tuple[CheckRule, ...]:
    """The rules of one kind that is pushed."""
    return tuple(_rules(kind))


def _rules(kind: Kind) -> Iterator[CheckRule]:
    yield _row_once()
    if kind in MAKES_RECORDS:
        yield from (_key_once(), _key_present(), _made_once())
    yield from (_target_present(), _target_well_formed())
    if kind in WRITES_ADDRESS:
        yield from ((_address_present(),) if kind in NEEDS_ADDRESS else ())
        yield from (_address_well_formed(), _address_length())
    yield from (_needed_present(), _number_readable(), _instant_readable())
    if kind in WORDS:
        yield _word_known(WORDS[kind])
    yield from (_fits(), _choice_known())
    if kind is Kind.NEW_LEAD:
        yield from (_required_present(), _address_once())
    if kind in WRITES_FIELDS:
        yield _something_to_write()
    else:
        yield _same_thing_once()


def _row_once() -> CheckRule:
    return CheckRule(
        "outgoing_once",
        "Each row comes once",
        "The same row twice in one batch would be sent twice.",
        Severity.BATCH,
        Expectation("ExpectColumnValuesToBeUnique", {"column": "outbox_id"}),
        _repeated("outbox_id"),
        asks_elsewhere=True,
    )


def _key_once() -> CheckRule:
    bad = f"push_key <> '' AND {_repeated('push_key')}"
    return _elsewhere(
        "push_key_once",
        "Each record that is to be made has a key of its own",
        "Of two rows with one key the CRM would keep only one.",
        bad,
        severity=Severity.BATCH,
    )


def _made_once() -> CheckRule:
    bad = f"remote_id <> '' AND {_repeated('remote_id')}"
    return _elsewhere(
        "remote_id_once",
        "No two rows change the record that one of them made",
        "The second would overwrite the first.",
        bad,
        literal("remote_id"),
        "remote_id",
    )


def _repeated(column: str) -> str:
    return f"{column} IN (SELECT {column} FROM staged GROUP BY {column} HAVING count(*) > 1)"


def _key_present() -> CheckRule:
    return _same_row(
        "push_key_present",
        "Each record that is to be made has its key",
        "Without a key of ours a record that was made just before a run died would be made again.",
        f"makes AND remote_id = '' AND NOT regexp_full_match(push_key, {literal(ID_PATTERN)})",
        literal("push_key"),
        "push_key",
    )


def _target_present() -> CheckRule:
    return _same_row(
        "target_present",
        "Each person has a record in the CRM",
        "There is no record of this person in the CRM that this could be written to.",
        "target_needed AND target_count = 0",
    )


def _target_well_formed() -> CheckRule:
    kinds = ", ".join(sorted(literal(kind.value) for kind in PEOPLE))
    bad = f"kind NOT IN ({kinds}) OR NOT regexp_full_match(crm_id, {literal(ID_PATTERN)})"
    return _of_rows(
        "target_well_formed",
        "CRM ids are well formed",
        "An id with blanks or invisible characters in it, or an empty one, is no record of the CRM.",
        "targets",
        bad,
        shown="v.kind",
        value="v.crm_id",
    )


def _address_present() -> CheckRule:
    return _same_row(
        "address_present",
        "Each row has an address",
        "Without an address nobody can say whether the CRM knows this person.",
        f"address_needed AND (address IS NULL OR regexp_full_match(address, {literal(_BLANK)}))",
        literal("address"),
        "address",
    )


def _address_well_formed() -> CheckRule:
    return CheckRule(
        "email_well_formed",
        "E-mail addresses are well formed",
        "A malformed address can't be mailed, and it would never match the person it belongs to.",
        Severity.ROW,
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "address", "regex": EMAIL_PATTERN}),
        f"NOT regexp_full_match(address, {literal(EMAIL_PATTERN)})",
        literal("address"),
        "address",
    )


def _address_length() -> CheckRule:
    return CheckRule(
        "email_length",
        "E-mail addresses are not too long",
        f"No mail system delivers to an address of more than {EMAIL_LENGTH} characters.",
        Severity.ROW,
        Expectation("ExpectColumnValueLengthsToBeBetween", {"column": "address", "max_value": EMAIL_LENGTH}),
        f"length(address) > {EMAIL_LENGTH}",
        literal("address"),
        "address",
    )


def _needed_present() -> CheckRule:
    return _of_rows(
        "value_present",
        "Each row has what it can't go without",
        "What the CRM would get without it says nothing.",
        "said",
        f"needed AND (text IS NULL OR regexp_full_match(text, {literal(_BLANK)}))",
    )


def _number_readable() -> CheckRule:
    is_none = "type = 'number' AND isfinite(TRY_CAST(text AS DOUBLE)) IS NOT TRUE"
    return _of_rows(
        "number_readable",
        "Numbers are numbers",
        "What is not a finite number would be refused, or kept as something else.",
        "said",
        any_of((is_none, "wanted = 'number' AND type NOT IN ('number', 'nothing')")),
    )


def _instant_readable() -> CheckRule:
    no_instant = f"NOT regexp_full_match(text, {literal(_INSTANT)}) OR TRY_CAST(text AS TIMESTAMP) IS NULL"
    return _of_rows(
        "instant_readable",
        "Times can be read",
        "A time that is none would be refused, or kept as another one.",
        "said",
        f"wanted = 'instant' AND text IS NOT NULL AND ({no_instant})",
    )


def _word_known(words: Mapping[str, Sequence[str]]) -> CheckRule:
    unknown = (f"name = {literal(name)} AND text NOT IN ({', '.join(map(literal, known))})" for name, known in words.items())
    return _of_rows(
        "word_known",
        "Each status is one that we know",
        "Nobody could say what another word stands for in the CRM.",
        "said",
        any_of(unknown),
    )


def _fits() -> CheckRule:
    longest = f"(SELECT min(characters) FROM lengths AS l WHERE l.name = v.name AND {_FITS})"
    return _of_rows(
        "value_fits",
        "Texts fit the CRM's fields",
        "A longer text would be cut off, or the CRM would refuse it.",
        "said",
        f"type = 'text' AND length(text) > {longest}",
        shown=f"v.name || ' (' || {longest} || ' characters at most)'",
    )


def _choice_known() -> CheckRule:
    of_name = f"FROM choices AS l WHERE l.name = v.name AND {_FITS}"
    return _of_rows(
        "choice_known",
        "Values of drop-downs are among the CRM's choices",
        "The CRM refuses such a value, or keeps one that nobody can choose.",
        "said",
        f"text <> '' AND EXISTS (SELECT 1 {of_name}) AND NOT EXISTS (SELECT 1 {of_name} AND l.choice = v.text)",
    )


def _required_present() -> CheckRule:
    filled = f"SELECT 1 FROM said AS v WHERE v.seq = s.seq AND v.name = r.name AND NOT regexp_full_match(v.text, {literal(_BLANK)})"
    lacking = f"FROM raw AS s, required AS r WHERE s.makes AND NOT EXISTS ({filled})"
    return _elsewhere(
        "required_present",
        "Each new lead has what the CRM demands",
        "The CRM makes no lead without it.",
        f"seq IN (SELECT s.seq {lacking})",
        f"(SELECT string_agg(r.name, ', ' ORDER BY r.name) {lacking} AND s.seq = staged.seq)",
    )


def _something_to_write() -> CheckRule:
    return _same_row(
        "something_to_write",
        "Each update changes something",
        "None of the values that changed has a field in the CRM.",
        "NOT makes AND said_count = 0 AND address IS NULL",
    )


def _same_thing_once() -> CheckRule:
    return _elsewhere(
        "same_thing_once",
        "Nothing is told twice",
        "Another row of the same batch says the same, and that one is sent.",
        _not_the_first(),
    )


def _address_once() -> CheckRule:
    return _elsewhere(
        "address_once",
        "No two new leads share an address",
        "Another new lead of the same batch has this address; once it is made, this one is matched with it.",
        _not_the_first(),
        literal("address"),
        "address",
    )


def _not_the_first() -> str:
    first = "SELECT same_thing, min(place) FROM staged WHERE same_thing IS NOT NULL GROUP BY same_thing"
    return f"same_thing IS NOT NULL AND (same_thing, place) NOT IN ({first})"


def _same_row(name: str, title: str, reason: str, bad: str, column: str = "NULL", value: str = "NULL") -> CheckRule:
    question = Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(bad)})
    return CheckRule(name, title, reason, Severity.ROW, question, bad, column, value)


def _elsewhere(
    name: str, title: str, reason: str, bad: str, column: str = "NULL", value: str = "NULL", *, severity: Severity = Severity.ROW
) -> CheckRule:
    question = Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(bad)})
    return CheckRule(name, title, reason, severity, question, bad, column, value, asks_elsewhere=True)


def _of_rows(name: str, title: str, reason: str, table: str, bad: str, *, shown: str = "v.name", value: str = "v.text") -> CheckRule:
    """A rule about the rows of a table beside `staged`: a row with a bad one is bad."""
    of_row = f"FROM {table} AS v WHERE ({bad}) AND v.seq = staged.seq"
    return _elsewhere(
        name,
        title,
        reason,
        f"seq IN (SELECT v.seq FROM {table} AS v WHERE {bad})",
        f"(SELECT string_agg({shown}, ', ' ORDER BY {shown}) {of_row})",
        f"(SELECT string_agg(left({value}, 200), ', ' ORDER BY {shown}) {of_row})",
    )
