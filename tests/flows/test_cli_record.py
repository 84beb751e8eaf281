"""`marketsync record`, driven as a person drives it (PUSH-1), and the same from Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.market.engine import Market, open_market
from sync.errors import ConfigError
from tasks.recording import Recorder
from tests.adapters.market.building import ask, link, person, put, put_links
from tests.flows.command import configured, told, typed

PUSH = "[connectors.acme.push]\nsent_emails = true\nrecord_updates = true\nunsubscribes = true"


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    configured(tmp_path, more=PUSH)
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    put(market, "contacts", person(1, email="ann@x.test"))
    put_links(market, link("c1", 1))
    yield market
    market.close()


def test_push_1_a_file_is_recorded_line_by_line_and_twice_is_once(tmp_path: Path, market: Market) -> None:
    one = typed(tmp_path, "record", "campaigns", "--set", "campaign_key=spring", "--set", "name=Spring = sale")
    assert one.exit_code == 0 and "campaigns: 1 recorded, 0 already there, 0 refused." in one.output
    file = tmp_path / "sends.csv"
    at = "2026-03-01T12:00:00Z"
    file.write_text(f"event_id,campaign,address,sent_at\ns1,spring,Ann@x.test,{at}\ns2,spring,bob@x.test,{at}\ns3,spring,ann@x.test,soon\n")
    dry = typed(tmp_path, "record", "sends", "--file", str(file), "--dry-run")
    assert "1 would be recorded" in dry.output and ask(market, "SELECT count(*) FROM email_sends") == [(0,)]
    first = typed(tmp_path, "record", "sends", "--file", str(file))
    assert first.exit_code == 2 and "sends: 1 recorded, 0 already there, 2 refused." in first.output
    assert "Waiting for the CRM: 1 sent email." in first.output
    assert "line 3: address: nobody living has the address" in first.output and "line 4: sent_at: an instant with an offset" in first.output
    again = told(typed(tmp_path, "record", "sends", "--file", str(file), "--json"))
    assert isinstance(again, dict) and (again["recorded"], again["known"], len(again["refused"])) == (0, 1, 2)
    assert ask(market, "SELECT name FROM campaigns") == [("Spring = sale",)]


def test_push_r_values_are_given_by_dotted_fields(tmp_path: Path, market: Market) -> None:
    done = typed(tmp_path, "record", "update-in-crm", "--set", "contact_id=1", "--set", "values.title=Head")
    assert done.exit_code == 0 and "Waiting for the CRM: 1 record update." in done.output
    [(value,)] = ask(market, "SELECT value FROM outbox")
    assert json.loads(value) == {"title": "Head"}


def test_push_1_mistakes_of_the_command_are_told(tmp_path: Path, market: Market) -> None:
    assert typed(tmp_path, "record", "sends").exit_code == 2
    assert "nothing to record" in typed(tmp_path, "record", "sends").output.lower()
    assert "names no field and value" in typed(tmp_path, "record", "sends", "--set", "spring").output
    assert "can't be read" in typed(tmp_path, "record", "sends", "--file", str(tmp_path / "none.csv")).output
    misspelt = typed(tmp_path, "record", "campaigns", "--set", "campain_key=x", "--set", "name=X")
    assert misspelt.exit_code == 2 and 'did you mean "campaign_key"?' in misspelt.output


def test_a_dry_run_makes_no_market(tmp_path: Path) -> None:
    configured(tmp_path)
    dry = typed(tmp_path, "record", "campaigns", "--set", "campaign_key=spring", "--set", "name=Spring", "--dry-run")
    assert dry.exit_code == 2 and not (tmp_path / "market.db").exists()


def test_push_1_python_records_one_many_and_more_than_a_batch(tmp_path: Path, market: Market) -> None:
    """Every line that is refused has its number, whatever batch it was in."""
    recorder = Recorder(str(tmp_path / "marketsync.toml"))
    assert recorder.campaigns({"campaign_key": "spring", "name": "Spring"}).recorded == 1
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    lines = ({"event_id": f"s{n % 1500}", "campaign": "spring", "contact_id": 1 if n != 1200 else 9, "sent_at": at} for n in range(2100))
    done = recorder.sends(lines)
    assert (done.recorded, done.known, done.queued) == (1499, 600, {"sent email": 1499})
    assert [refused.number for refused in done.refused] == [1201]
    file = tmp_path / "out.ndjson"
    file.write_text('{"address": "ann@x.test", "at": "2026-03-01T12:00:00Z", "why": "clicked"}\n', encoding="utf-8")
    assert recorder.file("unsubscribes", file).queued == {"opt-out": 1}
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not written in UTF-8"):
        recorder.file("unsubscribes", file)
