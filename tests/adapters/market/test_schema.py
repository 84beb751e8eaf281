"""The tables, and how they come to be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

import adapters.market.schema_books as books
from adapters.market.engine import Market, open_market
from adapters.market.schema import HEAD, metadata
from adapters.market.schema_custom import table_of
from adapters.market.types import column_type
from adapters.market.upgrading import revision
from sync.activity_columns import ACTIVITY_COLUMNS
from sync.columns import CUSTOM_COLUMNS, FIXED_COLUMNS
from sync.errors import ConfigError, MarketsyncError
from sync.fields import ColumnType
from tests.adapters.market.building import ask, execute


def test_revisions_make_exactly_the_tables_that_the_code_uses(market: Market) -> None:
    with market.database.reading() as connection:
        options = {"compare_type": True, "include_name": lambda name, kind, _: (kind, name) != ("table", "alembic_version")}
        context = MigrationContext.configure(connection, opts=options)
        differences = [difference for difference in compare_metadata(context, metadata) if not _is_folded_index(difference)]
    assert differences == []


def _is_folded_index(difference: Any) -> bool:
    """Alembic sees both databases' variants of this index, and PostgreSQL spells an expression its own way."""
    return getattr(difference[1], "name", "") == "ix_contacts_waiting_company"


def test_main_tables_have_exactly_the_columns_that_the_rules_name(market: Market) -> None:
    for name, columns in {**FIXED_COLUMNS, **ACTIVITY_COLUMNS, "custom_one": CUSTOM_COLUMNS}.items():
        table = table_of(name)
        assert set(table.c.keys()) == set(columns), name
        for column, type_ in columns.items():
            _check_type(f"{name}.{column}", table.c[column].type, type_)


def _check_type(where: str, type_: Any, rule: ColumnType) -> None:
    python = {"Integer": "BigInteger", "String": "Text"}.get(type(type_).__name__, type(type_).__name__)
    assert python == type(column_type(rule)).__name__, where


def test_every_table_and_column_carries_a_comment() -> None:
    silent = [str(column) for table in metadata.tables.values() for column in table.c if not column.comment]
    assert silent == []
    assert [table.name for table in metadata.tables.values() if not table.comment] == []


def test_code_names_the_newest_revision_and_upgrade_reaches_it(market: Market) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(books.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
    with market.database.reading() as connection:
        assert revision(connection) == HEAD


def test_many_processes_may_upgrade_at_once(bare_url: str) -> None:
    market = open_market(bare_url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: market.upgrade(), range(4)))
    assert ask(market, "SELECT account_id, account_name FROM accounts") == [(1, "No Company")]
    market.close()


def test_a_market_of_a_newer_version_is_refused(market: Market) -> None:
    execute(market, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="schema 9999"):
        market.upgrade()


def test_upgrading_again_changes_nothing(market: Market) -> None:
    execute(market, "UPDATE key_sequences SET next_key = 77 WHERE table_name = 'accounts'")
    market.upgrade()
    assert ask(market, "SELECT next_key FROM key_sequences WHERE table_name = 'accounts'") == [(77,)]


@pytest.mark.parametrize("verb", ["UPDATE consent_ledger SET who = 'x'", "DELETE FROM consent_ledger"])
def test_consent_ledger_can_only_grow(market: Market, verb: str) -> None:
    """CONSENT: every change is an entry in an append-only ledger, and the database itself sees to it."""
    insert = "INSERT INTO consent_ledger (contact_id, at, who, source, new, why) VALUES (1, '2026-01-01', 'a', 'market', :new, 'b')"
    execute(market, insert, new=True)
    with market.database.engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql(verb)
    assert ask(market, "SELECT who FROM consent_ledger") == [("a",)]


def test_push_2_the_outbox_keeps_one_row_per_subject_but_any_number_of_opt_outs(market: Market) -> None:
    row = "INSERT INTO outbox (connector, kind, contact_id, subject_id, crm_kind, crm_id, value, created_at) VALUES"
    for kind, contact in (("opt-out", 7), ("score", 7), ("opened email", 0)):
        execute(market, f"{row} ('acme', :kind, :contact, 3, '', '', '{{}}', '2026-01-01')", kind=kind, contact=contact)
    execute(market, f"{row} ('acme', 'opt-out', 7, 3, '', '', '{{}}', '2026-01-01')")
    for kind, contact in (("score", 7), ("opened email", 0)):
        with pytest.raises(MarketsyncError):
            execute(market, f"{row} ('acme', :kind, :contact, 3, '', '', '{{}}', '2026-01-01')", kind=kind, contact=contact)
