"""core-sync through the command line, as processes of their own with the real flow engine (FLOW-2, FLOW-4, DEL-8, PULL-5).

One of them starts an engine of its own, the others share the session's server: that is many seconds less.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from tests.flows.command import configured, run, typed
from tests.flows.prefect_server import server_url

SECRET = "not-for-your-eyes"


@pytest.mark.usefixtures("prefect_server")
def test_core_sync_as_a_person_runs_it(tmp_path: Path) -> None:
    few = {"accounts": 4, "leads": 6, "contacts": 30, "opportunities": 3, "users": 3, "prospect_lists": 0, "campaigns": 0}
    with start_sandbox(SugarSandboxSettings(clock_fixed=1_790_000_000.0, nastiness=CALM, password=SECRET, **few)) as crm:
        folder = configured(tmp_path, crm.url, more="[gate]\nmin_rows_for_share = 10")

        def marketsync(*words: str, own_engine: bool = False) -> tuple[int, str, str]:
            server = {} if own_engine else {"PREFECT_API_URL": server_url()}
            done = run("--config", str(folder / "marketsync.toml"), *words, CLI_TEST_PASSWORD=SECRET, **server)
            return done.returncode, done.stdout, done.stderr

        refused = typed(folder, "run", "core")
        assert refused.exit_code == 2
        assert "initial sync of acme has not completed" in refused.output and "run initial" in refused.output

        assert marketsync("run", "initial")[0] == 0
        code, said, _ = marketsync("run", "core", own_engine=True)
        assert code == 0 and said.strip().startswith("Nothing had changed in acme.")

        crm.control.advance_clock(1_200)
        contacts = list(crm.control.dump("Contacts", deleted=False))
        crm.control.edit("Contacts", contacts[0]["id"], {"title": "Head of Sales"})
        for contact in contacts[1:8]:
            crm.control.delete("Contacts", contact["id"])
        code, said, trouble = marketsync("run", "core")
        assert code == 13 and "7 contacts (23%) would be deleted" in trouble

        listed = typed(folder, "deletions", "list").output
        assert "contact" in listed and " 7 " in listed
        assert typed(folder, "deletions", "allow", "99").exit_code == 2
        assert "deletes 7 rows" in typed(folder, "deletions", "allow", "1").output
        code, said, _ = marketsync("run", "core")
        assert code == 0 and "acme: 7 contacts deleted in the CRM." in said
        assert typed(folder, "deletions", "list").output == "No deletion waits for an answer.\n"
