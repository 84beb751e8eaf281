"""The invented org is honest: what real orgs hold, careless data included, and the same for the same seed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from adapters.sandbox.salesforce import Nastiness, SalesforceSandboxSettings, start_sandbox
from adapters.sandbox.salesforce.__main__ import settings_from
from adapters.sandbox.salesforce.ids import long_id, numbered, numbered_from

SIZES: dict[str, Any] = {"contacts": 3000, "leads": 1500, "accounts": 400, "opportunities": 200, "users": 40}
NASTY = Nastiness(at_the_limit=0.02, awkward_text=0.05, very_long_text=0.005)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    with start_sandbox(SalesforceSandboxSettings(**SIZES, nastiness=NASTY)) as sandbox:
        return {name: list(sandbox.control.dump(name)) for name in ("User", "Account", "Contact", "Lead", "Opportunity", "Subscription__c")}


def test_there_are_as_many_as_asked_for(rows: dict[str, list[dict[str, Any]]]) -> None:
    counts = {name: len(found) for name, found in rows.items()}
    assert counts == {"User": 41, "Account": 400, "Contact": 3000, "Lead": 1500, "Opportunity": 200, "Subscription__c": 30}
    assert all(len({row["Id"] for row in found}) == len(found) for found in rows.values())


def test_people_share_addresses_and_some_are_lead_and_contact(rows: dict[str, list[dict[str, Any]]]) -> None:
    contacts, leads = rows["Contact"], rows["Lead"]
    addresses = Counter(row["Email"].lower() for row in contacts if row["Email"])
    assert sum(n > 1 for n in addresses.values()) > 20
    assert any(row["Email"] != row["Email"].lower() for row in contacts if row["Email"])
    assert sum((row["Email"] or "").lower() in addresses for row in leads) > 50
    assert any(not row["Email"] for row in contacts)
    ids = {row["Id"] for row in contacts}
    converted = [row for row in leads if row["IsConverted"]]
    assert len(converted) > 30 and all(row["ConvertedContactId"] in ids and row["ConvertedDate"] for row in converted)


def test_references_are_missing_owners_inactive_and_stamps_equal(rows: dict[str, list[dict[str, Any]]]) -> None:
    contacts = rows["Contact"]
    accounts = {row["Id"] for row in rows["Account"]}
    assert {row["AccountId"] for row in contacts} - {None} <= accounts
    assert any(row["AccountId"] is None for row in contacts)
    inactive = {row["Id"] for row in rows["User"] if not row["IsActive"]}
    assert any(row["OwnerId"] in inactive for row in contacts)
    assert any(row["OwnerId"].startswith("00G") for row in rows["Lead"])
    assert Counter(row["SystemModstamp"] for row in contacts).most_common(1)[0][1] > 30
    assert any(row["IsDeleted"] for row in contacts) and any(row["HasOptedOutOfEmail"] for row in contacts)
    assert all(row["CreatedDate"] <= row["SystemModstamp"] for row in contacts)


def test_texts_are_in_many_scripts_awkward_and_as_long_as_they_may_be(rows: dict[str, list[dict[str, Any]]]) -> None:
    texts = [text for row in rows["Contact"] for text in row.values() if isinstance(text, str)]
    for sign in ("с", "א", "木", '"', "\n", "\x00", "🙂"):
        assert any(sign in text for text in texts), sign
    longest = {name: max(len(row[name] or "") for row in rows["Contact"]) for name in ("Description", "FirstName", "LastName")}
    assert longest["Description"] == 32_000
    assert longest["FirstName"] == 40 or longest["LastName"] == 80


def test_the_same_seed_invents_the_same_org() -> None:
    found = []
    for seed in (7, 7, 8):
        with start_sandbox(SalesforceSandboxSettings(contacts=50, leads=20, seed=seed)) as sandbox:
            found.append({name: list(sandbox.control.dump(name)) for name in ("Contact", "Lead", "Task", "Subscription__c")})
    assert found[0] == found[1] != found[2]


def test_ids_carry_their_check() -> None:
    assert long_id("003D000000QV9n2") == "003D000000QV9n2IAD"
    start = 62**5 - 3
    assert numbered_from("003", start, 6) == [numbered("003", n) for n in range(start, start + 6)]


def test_the_command_explains_its_options_and_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_from(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and told.startswith("usage: marketsync sandbox salesforce")
    options = told.partition("\noptions:\n")[2].split("\n  -")[1:]
    assert options and all(one.count("(default:") == 1 for one in options if not one.startswith(("h,", "-calm"))), options
    command = [sys.executable, "-m", "adapters.sandbox.salesforce", "--contacts=1", "--accounts=1", "--leads=1", "--calm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert url in told and "sandbox-client-secret" in told and "Ctrl-C ends it" in told
