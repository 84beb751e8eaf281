"""A Market of an earlier release, with people in it, goes on with this one; one of a later release is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

import adapters.market.schema_books as books
from adapters.market.engine import Market, open_market
from adapters.market.schema import HEAD
from adapters.market.upgrading import revision
from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from tests.adapters.market.building import ask
from tests.core_road import initial
from tests.flows.command import typed
from tests.pull_road import pull_road

OLD = (
    "INSERT INTO users (user_id, user_name, email, email_key) VALUES (1, 'sue', 'sue@us.example', 'sue@us.example')",
    "INSERT INTO accounts (account_id, account_name, account_name_key) VALUES (7, 'Old Ltd', 'old ltd')",
    "INSERT INTO contacts (contact_id, account_id, crm_type, email, email_key, opt_out, del_status, last_name) "
    "VALUES (5, 7, 'Contact', :email, :email, true, 1, 'Earlier')",
)
BOOKS = (
    "INSERT INTO runs (run_id, flow, connector, started_at, ended_at, state) "
    "VALUES ('old', 'initial-sync', 'acme', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 'completed')",
    "INSERT INTO guarded_watch (address, added_at, reason, who) VALUES ('never@us.example', CURRENT_TIMESTAMP, 'they asked', 'sue')",
    "INSERT INTO consent_ledger (contact_id, email_key, at, who, source, old, new, why) "
    "VALUES (5, :email, CURRENT_TIMESTAMP, 'sue', 'market', false, true, 'they asked')",
)
KEYS = "UPDATE key_sequences SET next_key = 100"


@pytest.fixture
def old(bare_url: str) -> Iterator[Market]:
    market = open_market(bare_url)
    yield market
    market.close()


def migrate(market: Market, to: str, statements: tuple[str, ...], **values: Any) -> None:
    """As the release with that schema would have left it."""
    config = Config()
    config.set_main_option("script_location", str(Path(books.__file__).parent / "migrations"))
    with market.database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        for statement in statements:
            connection.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})


def revision_of(market: Market) -> str | None:
    with market.database.reading() as connection:
        return revision(connection)


def test_a_market_of_the_first_schema_on_keeps_everything_and_takes_a_sync_with_this_release(
    old: Market, bare_url: str, tmp_path: Path
) -> None:
    few = {"accounts": 3, "leads": 2, "contacts": 6, "opportunities": 1, "users": 2, "prospect_lists": 0, "campaigns": 0}
    with start_sandbox(SugarSandboxSettings(clock_fixed=1_790_000_000.0, nastiness=CALM, **few)) as crm:
        email = next(row["email"][0]["email_address"] for row in crm.control.dump("Contacts", deleted=False) if row["email"])
        migrate(old, "0001", OLD, email=email)
        migrate(old, "0003", (*BOOKS, KEYS), email=email)
        with pull_road(tmp_path, bare_url, crm.url) as road:
            assert revision_of(old) == HEAD
            initial(road)
        assert ask(old, "SELECT contact_id, crm_type, opt_out, account_id <> 7 FROM contacts WHERE email = :email", email=email) == [
            (5, "Contact", True, True)
        ]  # MATCH-2, CONSENT-1: the row of before, with what the CRM says, and still out
        assert ask(old, "SELECT account_name FROM accounts WHERE account_id = 7") == [("Old Ltd",)]
        assert ask(old, "SELECT address FROM guarded_watch WHERE address LIKE 'never%'") == [("never@us.example",)]
        assert ask(old, "SELECT who, why FROM consent_ledger WHERE who = 'sue'") == [("sue", "they asked")]


def test_whoever_only_looks_at_an_older_market_is_told_what_to_do_and_the_upgrade_is_one_command(
    old: Market, bare_url: str, tmp_path: Path
) -> None:
    migrate(old, "0003", BOOKS, email="a@us.example")
    (tmp_path / "marketsync.toml").write_text(_CONFIG.format(url=bare_url))
    looked = typed(tmp_path, "status")
    assert looked.exit_code == 2 and "the market has schema 0003" in looked.output.lower() and "marketsync upgrade" in looked.output
    assert revision_of(old) == "0003"
    assert "schema 0003 became 0005" in typed(tmp_path, "upgrade").output.replace(HEAD, "0005")
    assert "up to date" in typed(tmp_path, "upgrade").output
    assert typed(tmp_path, "status").exit_code == 0


@pytest.mark.parametrize(
    "words", [("status",), ("run", "core"), ("run", "time-sensitive"), ("run", "initial"), ("upgrade",), ("outbox", "list")]
)
def test_a_market_of_a_later_release_is_refused_and_left_as_it_is(words: tuple[str, ...], tmp_path: Path) -> None:
    market = open_market(f"sqlite:///{tmp_path}/market.db")
    market.upgrade()
    with market.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    (tmp_path / "marketsync.toml").write_text(_CONFIG.format(url=f"sqlite:///{tmp_path}/market.db"))
    told = typed(tmp_path, *words)
    assert told.exit_code == 2 and "schema 9999" in told.output and "install the marketsync version" in told.output
    assert revision_of(market) == "9999"
    market.close()


_CONFIG = """data_dir = "data"
[market]
url = "{url}"
[connectors.acme]
crm = "sugarcrm"
url = "http://127.0.0.1:9"
username = "mkt_sync"
password = {{ env = "NOBODY" }}
"""
