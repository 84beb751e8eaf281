"""jsforce, which we did not write, works against the sandbox unmodified. It is installed by npm when it is not there (`make jsforce`)."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.salesforce import CALM, SalesforceSandboxSettings, start_sandbox
from tests.adapters.sandbox.salesforce.conftest import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER

FOLDER = Path(__file__).parent / "jsforce"
INSTALL = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent"]


@pytest.fixture(scope="module")
def jsforce() -> Path:
    """The folder with the client; a machine without node fails with what to do."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is missing: install Node.js 18 or newer; this test runs jsforce against the sandbox")
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]["jsforce"]
    with (FOLDER / "package.json").open(encoding="utf-8") as lock:  # several processes may run tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = FOLDER / "node_modules" / "jsforce" / "package.json"
        if not found.exists() or json.loads(found.read_text(encoding="utf-8"))["version"] != wanted:
            done = subprocess.run(INSTALL, cwd=FOLDER, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"npm could not install jsforce {wanted}: {done.stderr}"
    return FOLDER


@pytest.fixture(scope="module")
def told(jsforce: Path) -> dict[str, Any]:
    """What the client saw, in one run of it."""
    settings = SalesforceSandboxSettings(contacts=120, accounts=5, leads=5, opportunities=2, nastiness=CALM, page_rows=50)
    with start_sandbox(settings) as sandbox:
        command = ["node", str(jsforce / "client.js"), sandbox.url, CLIENT_ID, CLIENT_SECRET, USER, PASSWORD]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_it_logs_in_by_soap_by_password_and_as_an_app(told: dict[str, Any]) -> None:
    assert (told["sameUser"], told["identity"]) == (True, USER)
    assert told["wrongPassword"].startswith("INVALID_LOGIN")


def test_it_describes_queries_and_pages(told: dict[str, Any]) -> None:
    assert {"Contact", "Lead", "Subscription__c"} <= set(told["objects"])
    assert told["emailType"] == "email"
    assert (told["firstPage"], told["secondPage"], told["fetched"]) == ([120, False, 50], 50, 120)
    assert (told["malformed"], told["noField"]) == ("MALFORMED_QUERY", "INVALID_FIELD")
    assert told["limits"] == 1_000_000


def test_it_writes_one_record_and_many(told: dict[str, Any]) -> None:
    assert (told["updated"], told["title"], told["upserts"]) == (True, "Chief", [True, False])
    assert told["many"] == ["ok", "REQUIRED_FIELD_MISSING", "ok"]
    assert (told["manyUpdated"], told["retrieved"], told["manyDeleted"], told["deleted"]) == (True, ["T", "T"], True, 3)


def test_it_queries_and_loads_in_bulk(told: dict[str, Any]) -> None:
    assert told["bulkRows"] == 121
    assert (told["ingest"], told["bulkError"], told["bulkDeleted"]) == ([29, 1, 0], "REQUIRED_FIELD_MISSING", 29)


def test_it_renews_an_old_session_by_itself(told: dict[str, Any]) -> None:
    assert told["afterRenewal"] == 5
