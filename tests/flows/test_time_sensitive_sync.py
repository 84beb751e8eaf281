"""The recurring push flows through the command line, as processes of their own with the real flow engine (FLOW-2, FLOW-4, CONSENT-8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.market.engine import open_market
from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from tests.flows.command import configured, run, typed
from tests.flows.prefect_server import server_url
from tests.push_road import EVERYTHING, Marketing

SECRET = "not-for-your-eyes"


@pytest.mark.usefixtures("prefect_server")
def test_the_push_flows_as_a_person_runs_them(tmp_path: Path) -> None:
    few = {"accounts": 4, "leads": 6, "contacts": 12, "opportunities": 3, "users": 3, "prospect_lists": 0, "campaigns": 0}
    with start_sandbox(SugarSandboxSettings(clock_fixed=1_790_000_000.0, nastiness=CALM, password=SECRET, **few)) as crm:
        folder = configured(tmp_path, crm.url, more=EVERYTHING)

        def marketsync(*words: str) -> tuple[int, str, str]:
            secrets = {"CLI_TEST_PASSWORD": SECRET, "PREFECT_API_URL": server_url()}
            done = run("--config", str(folder / "marketsync.toml"), *words, **secrets)
            return done.returncode, done.stdout, done.stderr

        refused = typed(folder, "run", "time-sensitive")
        assert refused.exit_code == 2 and "initial sync of acme has not completed" in refused.output

        assert marketsync("run", "initial")[0] == 0
        crm.control.reset_calls()
        code, said, _ = marketsync("run", "emails")
        assert code == 0 and said.strip().startswith("Nothing waited for acme.")
        assert crm.control.call_count() == 0

        market = open_market(f"sqlite:///{folder / 'market.db'}")
        new = Marketing(market).person("nora@newcomer.example")
        Marketing(market).task(new)
        [(out, crm_id)] = [
            (row["market_id"], row["crm_id"]) for row in Marketing(market).read("SELECT * FROM crm_links WHERE kind = 'contact' LIMIT 1")
        ]
        Marketing(market).opt_out(out)
        market.close()
        code, said, trouble = marketsync("run", "time-sensitive")
        assert code == 0, trouble
        assert "opt-out" in said and "1 new lead and 1 task pushed." in said
        [contact] = [each for each in crm.control.dump("Contacts", deleted=False) if each["id"] == crm_id]
        assert all(address["opt_out"] for address in contact["email"])
        assert len(list(crm.control.dump("Tasks", deleted=False))) == 1
