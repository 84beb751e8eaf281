"""Every described field gets a column name that is safe, unique and lasting (INIT-2)."""

from __future__ import annotations

import re
import sqlite3

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.column_names import RESERVED_WORDS, SYSTEM_COLUMNS, column_names, is_safe, safe_name, suffixed_name
from sync.columns import reserved_columns

TAKEN = reserved_columns("contacts")
tricky = st.sampled_from(
    ["Foo", "foo", "FOO", "foo_crm", "order", "order_crm", "title", "title_crm", "ctid", "", " ", "1", "é", "e", "a" * 63]
)
names = st.sets(st.one_of(tricky, st.text(max_size=12), st.from_regex(r"[A-Za-z0-9_]{50,80}", fullmatch=True)), max_size=12)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("status_c", "status_c"),
        ("Status_C", "status_c"),
        ("Größe (cm)", "grosse__cm_"),
        ("2nd_phone", "f_2nd_phone"),
        ("order", "order_crm"),
        ("ctid", "ctid_crm"),
        ("", "f_"),
        ("名前", "__"),
        ("a" * 63, "a" * 63),
    ],
)
def test_init_2_a_fields_column_is_its_name_made_safe(field: str, column: str) -> None:
    assert safe_name(field) == column


def test_init_2_long_names_are_cut_to_63_bytes_and_stay_different() -> None:
    one, other = safe_name("x" * 70 + "1"), safe_name("x" * 70 + "2")
    assert len(one) == len(other) == 63
    assert one != other


@given(names)
@settings(max_examples=60, deadline=None)
def test_init_2_names_are_safe_and_unique_for_any_field_names(fields: set[str]) -> None:
    found = column_names(fields, TAKEN)
    assert found.keys() == fields
    assert len(set(found.values())) == len(fields)
    for column in found.values():
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", column)
        assert len(column) <= 63
        assert column not in TAKEN | RESERVED_WORDS | SYSTEM_COLUMNS


@given(names, st.randoms())
@settings(max_examples=40, deadline=None)
def test_init_2_names_do_not_depend_on_the_order_of_the_fields(fields: set[str], dice: object) -> None:
    shuffled = sorted(fields)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert column_names(shuffled, TAKEN) == column_names(sorted(fields), TAKEN)


@given(names, names)
@settings(max_examples=40, deadline=None)
def test_pull_4_a_new_field_never_changes_the_column_of_a_known_one(before: set[str], added: set[str]) -> None:
    known = column_names(before, TAKEN)
    found = column_names(before | added, TAKEN, known)
    assert {field: found[field] for field in before} == known
    assert len(set(found.values())) == len(before | added)


def test_init_2_a_field_called_like_one_of_markets_own_columns_gets_another_name() -> None:
    assert column_names(["title", "Connector", "title_crm"], TAKEN) == {
        "Connector": "connector_crm",
        "title": column_names(["title"], TAKEN | {"title_crm"})["title"],
        "title_crm": "title_crm",
    }
    assert column_names(["title"], TAKEN) == {"title": "title_crm"}


def test_init_2_a_column_that_a_mapping_took_meanwhile_is_not_given_again() -> None:
    assert column_names(["region"], TAKEN | {"region"}, {"region": "region"}) == {"region": "region_crm"}


@given(st.text(alphabet="abcdef_", min_size=1, max_size=63), st.sets(st.just("x_lead"), max_size=1))
def test_init_2_a_suffix_never_makes_a_name_too_long_or_taken(name: str, taken: set[str]) -> None:
    found = suffixed_name(name, "_lead", taken)
    assert len(found) <= 63
    assert found not in taken
    assert found.endswith("_lead") or taken


@pytest.mark.parametrize(
    ("name", "safe"), [("region", True), ("Region", False), ("select", False), ("xmin", False), ("a" * 64, False), ("1a", False)]
)
def test_an_operators_column_has_to_be_safe_already(name: str, safe: bool) -> None:
    assert is_safe(name) is safe


def test_init_2_what_is_called_safe_needs_no_quotes_in_any_report() -> None:
    """Every word that DuckDB or SQLite knows and that we call safe is tried out without quotes."""
    duck, lite = duckdb.connect(), sqlite3.connect(":memory:")
    words = [word for (word,) in duck.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall() if is_safe(word)]
    for word in words:
        for engine in (duck, lite):
            engine.execute(f"CREATE TABLE t (a INTEGER, {word} TEXT)")
            engine.execute(f"SELECT a FROM t WHERE {word} = '1' ORDER BY {word}")
            engine.execute("DROP TABLE t")
    assert len(words) > 100
    duck.close()
    lite.close()
