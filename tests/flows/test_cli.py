"""The quick commands, driven as a person drives them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from adapters.market.engine import Market, hold_lock, open_market
from adapters.market.purge import purge
from adapters.market.schema_books import quarantine
from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from flows.cli_errors import Terminal, ours, telling_errors
from sync.errors import AccessDenied, ConfigError
from tasks.operate import INITIAL_FLOW, lock_name
from tests.flows.command import configured, told, typed

SECRET = "not-for-your-eyes"
AT = datetime(2026, 11, 2, 14, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLI_TEST_PASSWORD", SECRET)


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    configured(tmp_path)
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    yield market
    market.close()


@pytest.fixture(scope="module")
def crm_url() -> Iterator[str]:
    with start_sandbox(SugarSandboxSettings(accounts=2, leads=2, contacts=2, opportunities=1, password=SECRET, nastiness=CALM)) as sandbox:
        yield sandbox.url


def hold(market: Market, crm_id: str = "c-1", rule: str = "email_well_formed") -> None:
    """One contact in quarantine, its record with an awkward text in it."""
    values = {"connector": "acme", "kind": "contact", "crm_id": crm_id, "rule": rule, "reason": "A malformed address can't be mailed."}
    with market.database.writing() as connection:
        row = '{"id": "c-1", "last_name": "Größe", "email1": "nobody@"}'
        connection.execute(quarantine.insert().values(**values, row=row, first_held_at=AT, last_held_at=AT))


def test_init_writes_a_configuration_that_the_other_commands_take(tmp_path: Path) -> None:
    assert typed(tmp_path, "init").exit_code == 0
    assert "Nothing has been synced yet" in typed(tmp_path, "status").output


def test_init_does_not_overwrite_a_configuration_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "marketsync.toml").write_text("mine")
    refused = typed(tmp_path, "init")
    assert refused.exit_code == 2 and "--force" in refused.output and (tmp_path / "marketsync.toml").read_text() == "mine"
    assert typed(tmp_path, "init", "--force").exit_code == 0
    assert "[connectors.acme]" in (tmp_path / "marketsync.toml").read_text()


@pytest.mark.parametrize("words", [["status"], ["check"], ["run", "initial"], ["quarantine", "list"], ["purge"]])
def test_a_missing_configuration_is_told_in_three_lines_and_no_traceback(tmp_path: Path, words: list[str]) -> None:
    result = typed(tmp_path, *words)
    assert result.exit_code == 2
    assert "There is no configuration file" in result.output and "What to do: `marketsync init`" in result.output
    assert "Traceback" not in result.output


def test_looking_makes_no_market(tmp_path: Path) -> None:
    configured(tmp_path)
    assert "Nothing has been synced yet" in typed(tmp_path, "status").output
    assert told(typed(tmp_path, "status", "--json")) == []
    assert "Nothing is held back" in typed(tmp_path, "quarantine", "list").output
    assert typed(tmp_path, "quarantine", "show", "1").exit_code == 0
    assert "nothing to remove" in typed(tmp_path, "purge").output
    assert not (tmp_path / "market.db").exists()


def test_a_connector_has_to_be_named_only_where_there_are_several(tmp_path: Path) -> None:
    more = '[connectors.other]\ncrm = "sugarcrm"\nurl = "https://other.example.com"\nusername = "u"\npassword = { env = "X" }'
    configured(tmp_path, more=more)
    several = typed(tmp_path, "check")
    assert several.exit_code == 2 and "acme, other" in several.output and "--connector NAME" in several.output
    assert "did you mean" in typed(tmp_path, "check", "--connector", "acne").output.lower()


def test_check_says_what_is_well_and_changes_nothing_in_the_crm_conn_3(tmp_path: Path, crm_url: str) -> None:
    """CONN-3"""
    configured(tmp_path, crm_url)
    result = typed(tmp_path, "check")
    assert result.exit_code == 0, result.output
    for said in ("logged in as mkt_sync", "clock", "time zone", "read Contacts", "no quota", "All is well with acme"):
        assert said in result.output
    assert SECRET not in result.output and "--connector" not in result.output
    assert not (tmp_path / "market.db").exists()
    configured(
        tmp_path, crm_url, '[connectors.other]\ncrm = "sugarcrm"\nurl = "https://x.example.com"\nusername = "u"\npassword = { env = "X" }'
    )
    assert "run initial --connector acme" in typed(tmp_path, "check", "--connector", "acme").output, "what can be typed as it stands"


def test_check_names_fields_that_the_crm_does_not_have_conn_3(tmp_path: Path, crm_url: str) -> None:
    """CONN-3, FILT-1: before anything is read."""
    more = (
        '[connectors.acme.filters]\nleads = [{ field = "statuss", op = "equals", value = "New" }]\n'
        '[connectors.acme.mapping]\ncontacts = { region = "regionn_c" }'
    )
    result = typed(configured(tmp_path, crm_url, more), "check")
    assert result.exit_code == 4, result.output
    assert 'no field "statuss"' in result.output and '"status"' in result.output and 'no field "regionn_c"' in result.output
    assert "filters" in result.output and "mapping of contacts" in result.output


def test_check_says_that_filters_and_mappings_fit_conn_3(tmp_path: Path, crm_url: str) -> None:
    more = '[connectors.acme.filters]\nleads = [{ field = "status", op = "equals", value = "New" }]'
    result = typed(configured(tmp_path, crm_url, more), "check")
    assert result.exit_code == 0 and "filters and mappings name fields that the CRM has" in result.output


def test_check_names_folders_that_can_not_be_written_conn_3(tmp_path: Path, crm_url: str) -> None:
    """CONN-3: a file lies where a folder should be; and nothing is made by looking."""
    configured(tmp_path, crm_url)
    (tmp_path / "data").write_text("in the way")
    config = tmp_path / "marketsync.toml"
    config.write_text(config.read_text().replace("sqlite:///market.db", "sqlite:///data/market.db").replace('"data"', '"data/more"'))
    result = typed(tmp_path, "check")
    assert result.exit_code == 4, result.output
    for said in ("data directory", "Let data_dir name a folder", "Market's folder", "2 of 3 things are wrong"):
        assert said in result.output


def test_a_complete_initial_sync_is_told_before_anything_is_started_flow_4(tmp_path: Path, market: Market) -> None:
    """FLOW-4, FLOW-2: no flow engine, no run, no call; and a run that is at work does not matter to somebody who has nothing to do."""
    from adapters.market.books import Run
    from adapters.market.schema_books import cursors

    market.runs.start(Run("r-1", "initial-sync", "acme", AT))
    market.runs.finish("r-1", "completed", AT)
    with market.database.writing() as connection:
        for kind in ("user", "account", "lead", "contact", "opportunity"):
            connection.execute(cursors.insert().values(connector="acme", kind=kind, at=AT, updated_at=AT))
    with hold_lock(market, lock_name(INITIAL_FLOW, "acme"), tmp_path / "data" / "locks"):
        result = typed(tmp_path, "run", "initial")
    assert result.exit_code == 0 and "2 November 2026, 14:05 UTC" in result.output and "--again" in result.output
    assert "Starting the flow engine" not in result.output
    assert len(market.runs.list("acme")) == 1


def test_a_refused_login_ends_with_its_own_exit_code_and_no_secret_conn_4(
    tmp_path: Path, crm_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONN-4"""
    monkeypatch.setenv("CLI_TEST_PASSWORD", "wrong-" + SECRET)
    result = typed(configured(tmp_path, crm_url), "check")
    assert result.exit_code == 3 and "What to do:" in result.output
    assert SECRET not in result.output and "Traceback" not in result.output


def test_a_crm_that_does_not_answer_is_told_as_something_that_time_cures(tmp_path: Path) -> None:
    result = typed(configured(tmp_path), "check")
    assert result.exit_code == 6 and "What to do:" in result.output


def test_status_tells_people_and_programs_the_same(tmp_path: Path, market: Market) -> None:
    hold(market)
    result = typed(tmp_path, "status")
    assert "initial sync not complete" in result.output and "email_well_formed" in result.output and "never" in result.output
    (acme,) = told(typed(tmp_path, "status", "--json"))  # type: ignore[misc]
    assert acme["connector"] == "acme" and acme["initial_sync_complete"] is False
    assert acme["kinds"]["contacts"]["held"] == 1 and acme["kinds"]["contacts"]["synced_until"] is None
    (reason,) = acme["kinds"]["contacts"]["held_by_rule"]
    assert (reason["rule"], reason["records"], reason["since"]) == ("email_well_formed", 1, AT.isoformat())
    assert reason["age_seconds"] >= 0 and "malformed" in reason["reason"]


def test_purge_asks_and_takes_no_for_an_answer_init_10(tmp_path: Path, market: Market) -> None:
    """INIT-10"""
    hold(market)
    assert "Nothing was removed" in typed(tmp_path, "purge", keys="n\n").output
    assert len(market.quarantine.list()) == 1
    (tmp_path / "data" / "parcels" / "acme").mkdir(parents=True)
    gone = typed(tmp_path, "purge", "--yes")
    assert gone.exit_code == 0 and "Removed" in gone.output
    assert market.quarantine.list() == () and not (tmp_path / "data" / "parcels" / "acme").exists()


def test_after_a_purge_the_initial_sync_is_not_complete_init_10(tmp_path: Path, market: Market) -> None:
    """INIT-10, FLOW-2"""
    from adapters.market.books import Run

    market.runs.start(Run("r-1", "initial-sync", "acme", AT))
    market.runs.finish("r-1", "completed", AT)
    purge(market.database, "acme", who="somebody", now=AT)
    assert "initial sync not complete" in typed(tmp_path, "status").output


def test_an_unknown_address_may_not_be_mailed_consent_7(tmp_path: Path, market: Market) -> None:
    """CONSENT-7"""
    result = typed(tmp_path, "consent", "may-be-mailed", "nobody@example.com")
    assert result.exit_code == 1 and result.output.startswith("No: ")


def test_an_error_of_ours_is_found_inside_whatever_wraps_it() -> None:
    inner = AccessDenied("no right", where="Contacts", todo="grant it")
    outer = RuntimeError("wrapped")
    outer.__cause__ = ValueError("between")
    outer.__cause__.__context__ = inner
    assert ours(outer) is inner and ours(RuntimeError("other")) is None


def _command_that_raises(error: BaseException, log: Path) -> click.Command:
    @click.command()
    @click.pass_context
    def fail(ctx: click.Context) -> None:
        ctx.obj = Terminal("marketsync.toml", verbose=False, log=log)
        with telling_errors(ctx):
            raise error

    return fail


def test_a_mistake_of_ours_is_an_apology_without_its_text(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "marketsync.log"
    result = CliRunner().invoke(_command_that_raises(KeyError(SECRET), log), [])
    assert result.exit_code == 70 and "Sorry" in result.output and "KeyError" in result.output
    assert SECRET not in result.output and SECRET not in log.read_text() and "raise error" in log.read_text()


def test_a_mistake_of_ours_is_told_even_where_no_log_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = CliRunner().invoke(_command_that_raises(KeyError("secret"), tmp_path / "file" / "log"), [])
    assert result.exit_code == 70 and "--verbose shows the details" in result.output


def test_a_data_directory_that_can_not_be_made_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    configured(tmp_path)
    (tmp_path / "data").write_text("a file in its place")
    result = typed(tmp_path, "run", "initial")
    assert result.exit_code == 2 and "data_dir" in result.output and "Starting the flow engine" not in result.output


def test_a_second_run_is_refused_before_anything_is_started_for_it_flow_1(tmp_path: Path, market: Market) -> None:
    with hold_lock(market, lock_name(INITIAL_FLOW, "acme"), tmp_path / "data" / "locks"):
        result = typed(tmp_path, "run", "initial")
    assert result.exit_code == 5 and "Starting the flow engine" not in result.output


def test_a_missing_secret_names_the_setting_that_refers_to_it_conn_4(tmp_path: Path, crm_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLI_TEST_PASSWORD")
    configured(tmp_path, crm_url)
    result = typed(tmp_path, "check")
    assert result.exit_code == 2 and "connectors.acme.password" in result.output


def test_a_stopped_command_says_how_to_go_on_init_7(tmp_path: Path) -> None:
    """INIT-7"""
    result = CliRunner().invoke(_command_that_raises(KeyboardInterrupt(), tmp_path / "log"), [])
    assert result.exit_code == 130 and "Type the same command again" in result.output


def test_an_error_ends_with_the_exit_code_of_its_type(tmp_path: Path) -> None:
    result = CliRunner().invoke(_command_that_raises(ConfigError("wrong", where="here", todo="mend it"), tmp_path / "log"), [])
    assert result.exit_code == 2
    assert result.output.split() == ["┃", "Wrong", "┃", "Where:", "here", "┃", "What", "to", "do:", "mend", "it"]
