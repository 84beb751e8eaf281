"""Alerts over a real receiver: told once, told when it is over, never lost, and never what fails a sync."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from adapters.market.books import COMPLETED, FAILED, Run
from adapters.market.engine import Market
from adapters.market.schema_books import cursors
from sync.errors import CredentialError, MarketUnavailable
from sync.records import RunRef
from tasks.alerts import UNTOLD, open_alerts, tell_after, tell_everything
from tasks.contact import keep_accepted, keep_refused
from tasks.pulse import keep_pulse
from tasks.up_telling import alerts_told
from tasks.wiring import installation, now
from tests.adapters.scripted_server import Scripted, Step, scripted
from tests.flows.command import configured, told, typed

KEY = "/services/very-secret-key"


class Site:
    """An installation whose initial sync is complete, and its receiver."""

    def __init__(self, folder: Path, receiver: Scripted) -> None:
        self.folder = folder
        self.config = str(folder / "marketsync.toml")
        self.receiver = receiver
        self.market: Market = installation(self.config).market
        self.market.upgrade()
        self.run("initial-sync", COMPLETED)
        with self.market.database.writing() as connection:
            for kind in ("user", "account", "lead", "contact", "opportunity"):
                connection.execute(insert(cursors).values(connector="acme", kind=kind, at=now(), updated_at=now()))

    def run(self, flow: str, state: str, error: str = "", minutes_ago: float = 0) -> RunRef:
        """One run that ended, as the book of runs has it."""
        at = now() - timedelta(minutes=minutes_ago)
        run = RunRef(f"{flow}-{at.timestamp()}", flow, "acme", self.config)
        self.market.runs.start(Run(run.run_id, flow, "acme", at))
        self.market.runs.finish(run.run_id, state, at, summary={"error": error})
        if state == COMPLETED:
            keep_pulse(run, at, at, "did it")
        return run

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for body in self.receiver.bodies]


@pytest.fixture
def receiver() -> Iterator[Scripted]:
    with scripted(Step(body=b"ok")) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, receiver: Scripted, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("ALERT_TEST_WEBHOOK", receiver.url + KEY)
    monkeypatch.setenv("CLI_TEST_PASSWORD", "x")
    return Site(configured(tmp_path, more='[alerts]\nwebhook = { env = "ALERT_TEST_WEBHOOK" }\ntimeout_s = 2'), receiver)


def test_a_failed_flow_is_told_once_and_once_more_when_it_is_over(site: Site) -> None:
    for minutes_ago in (6, 4, 2):
        failed = site.run("core-sync", FAILED, "acme: no connection\nWhat to do: Is it up?", minutes_ago)
        assert tell_after(failed) == ()
    [first] = site.texts
    assert first == "🔴 marketsync, acme: core-sync failed: acme: no connection\n      What to do: Is it up?"
    assert [alert.told_at is not None for alert in open_alerts(site.config)] == [True]
    assert tell_after(site.run("core-sync", COMPLETED)) == () and tell_after(site.run("core-sync", COMPLETED)) == ()
    assert len(site.texts) == 2 and site.texts[1].startswith("🟢 marketsync, acme: over: failed run of core-sync; it lasted ")
    assert open_alerts(site.config) == ()


def test_a_receiver_that_is_down_fails_no_sync_and_what_it_missed_is_a_finding_and_told_by_the_next_run(site: Site) -> None:
    site.receiver.steps[:] = [Step(503), Step(503), Step(body=b"ok")]
    failed = site.run("core-sync", FAILED, "no connection")
    [finding] = tell_after(failed)
    assert finding.topic == UNTOLD and "the receiver 127.0.0.1 answered 503" in finding.message and "secret" not in finding.message
    [noted] = open_alerts(site.config)
    assert noted.told_at is None and "503" in noted.trouble
    well = site.run("core-sync", COMPLETED)  # it is over before anybody knew
    assert len(tell_after(well)) == 1 and tell_after(well) == ()
    assert "over: failed run" in site.texts[-1] and "could not be told before: core-sync failed: no connection" in site.texts[-1]
    assert open_alerts(site.config) == ()


def test_an_address_that_is_not_where_the_configuration_says_fails_no_sync(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALERT_TEST_WEBHOOK")
    [finding] = tell_after(site.run("core-sync", FAILED))
    assert "there is no secret in environment variable ALERT_TEST_WEBHOOK" in finding.message
    refused = typed(site.folder, "alerts")
    assert refused.exit_code == 6 and "Not everything could be told" in refused.output and "core-sync failed" in refused.output


def test_conn_4_a_dead_credential_is_told_once_for_all_flows_until_the_crm_takes_it(site: Site) -> None:
    error = CredentialError("user name or password is wrong (need_login)")
    keep_refused(site.config, "acme", error)
    for flow in ("core-sync", "time-sensitive-sync"):
        run = site.run(flow, FAILED)
        site.market.runs.finish(run.run_id, FAILED, now(), summary={"error": "refused", "error_type": "CredentialError"})
        tell_after(run, error)
    [text] = site.texts
    assert "the CRM refuses the login, and is not asked again: user name or password is wrong" in text
    keep_accepted(site.config, "acme")
    tell_after(site.run("core-sync", COMPLETED))
    assert "over: dead credential" in site.texts[1] and "time-sensitive-sync failed" in site.texts[1]


def test_an_overdue_sync_is_found_by_the_command_although_nothing_runs(site: Site) -> None:
    """FLOW-2 and FLOW-4: nothing is asked of a CRM."""
    site.run("core-sync", COMPLETED, minutes_ago=59)
    assert typed(site.folder, "alerts").output.startswith("Nothing is wrong.") and site.texts == []
    installation(site.config).data_dir.joinpath("pulse", "acme-core-sync.json").unlink()
    late = datetime.now(UTC) - timedelta(hours=3)
    with site.market.database.writing() as connection:
        connection.exec_driver_sql("UPDATE runs SET started_at = ? WHERE flow = 'core-sync'", (f"{late:%Y-%m-%d %H:%M:%S.%f}",))
    first, second = typed(site.folder, "alerts"), typed(site.folder, "alerts", "--json")
    assert "core-sync last came to its end 3 hours ago; allowed: 1 hour" in first.output and first.exit_code == 0
    found = told(second)
    assert isinstance(found, list) and found[0]["topic"] == "overdue sync" and found[0]["told_at"]
    assert len(site.texts) == 1
    page = (site.folder / "data" / "reports" / "overview.html").read_text(encoding="utf-8")
    assert "1 thing needs somebody" in page and "Overdue" in page


def test_while_up_is_up_somebody_looks_although_no_run_ends(site: Site) -> None:
    site.run("core-sync", FAILED, "no connection")
    with alerts_told(site.config, site.folder / "data", every_s=0.05):
        until = time.monotonic() + 120
        while not site.receiver.bodies and time.monotonic() < until:
            time.sleep(0.05)
    assert "core-sync failed: no connection" in site.texts[0]
    assert (site.folder / "data" / "logs" / "alerts.log").exists()


def test_market_away_is_told_once_although_alerts_are_kept_there(site: Site) -> None:
    run = RunRef("r", "core-sync", "acme", site.config)
    away = MarketUnavailable("no connection", todo="Start it.")
    assert tell_after(run, away) == () and tell_after(run, away) == ()
    assert site.texts == ["🔴 marketsync: Market can't be used: no connection\n      What to do: Start it."]
    assert tell_everything(site.config, ("acme",)) == ""
    assert len(site.texts) == 2 and site.texts[1].startswith("🟢 marketsync: over: Market away")


def test_a_connector_that_is_configured_no_more_is_forgotten_in_silence(site: Site) -> None:
    tell_after(site.run("core-sync", FAILED))
    config = site.folder / "marketsync.toml"
    config.write_text(config.read_text().replace("[connectors.acme]", "[connectors.hub]"), encoding="utf-8")
    installation.cache_clear()
    assert typed(site.folder, "alerts").output.startswith("Nothing is wrong.")
    assert len(site.texts) == 1


def test_the_test_message_says_whether_the_webhook_works(site: Site) -> None:
    assert typed(site.folder, "alerts", "--test").exit_code == 0 and "this is a test" in site.texts[0]
    site.receiver.steps[:] = [Step(404)]
    refused = typed(site.folder, "alerts", "--test")
    assert refused.exit_code == 2 and "answered 404" in refused.output and "very-secret-key" not in refused.output


def test_status_shows_how_each_flow_is_what_needs_somebody_and_whether_the_login_is_good(site: Site) -> None:
    tell_after(site.run("core-sync", FAILED, "acme: no connection\nWhat to do: Is it up?"))
    keep_accepted(site.config, "acme")
    output = typed(site.folder, "status").output
    for words in (
        "Needs somebody",
        "core-sync failed: acme: no connection",
        "What to do: Is it up?",
        "failing",
        "The login is good, since",
    ):
        assert words in output, words
    found = told(typed(site.folder, "status", "--json"))
    assert isinstance(found, list)
    one = found[0]
    assert one["flows"]["core-sync"]["state"] == "failing" and one["flows"]["initial-sync"]["state"] == "well"
    assert one["credential"]["accepted"] is True and one["alerts"][0]["topic"] == "failed run" and one["waiting"] == 0
    shown = typed(site.folder, "status", "--page").output.strip()
    assert shown.endswith("overview.html")
