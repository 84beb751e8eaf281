"""What the generator makes, and the sandbox as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, Nastiness, SandboxControl, SugarSandboxSettings, start_sandbox
from tests.adapters.sandbox.conftest import Client

NASTY = Nastiness(**{one.name: 0.1 for one in fields(Nastiness)})
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def nasty() -> Iterator[SandboxControl]:
    settings = SugarSandboxSettings(contacts=600, leads=300, accounts=40, opportunities=30, nastiness=NASTY)
    with start_sandbox(settings) as running:
        yield running.control


def test_the_same_seed_makes_the_same_records() -> None:
    settings = SugarSandboxSettings(contacts=50, leads=20, nastiness=NASTY)
    dumps = []
    for _ in range(2):
        with start_sandbox(settings) as running:
            dumps.append([list(running.control.dump(module)) for module in ("Contacts", "Leads", "EmailAddresses")])
    assert dumps[0] == dumps[1]


def test_addresses_are_at_reserved_domains_and_shared(nasty: SandboxControl) -> None:
    texts = [row["email_address"].strip().lower() for row in nasty.dump("EmailAddresses")]
    assert all(t.endswith((".com", ".org", ".net", ".test")) or t == "not an address@" for t in texts)
    assert all("example." in t or t.endswith((".test", "@")) for t in texts)
    held = Counter(c["email"][0]["email_address_id"] for c in nasty.dump("Contacts") if c["email"])
    assert max(held.values()) > 1
    assert len(texts) > len(set(texts)), "variants of one address"


def test_leads_share_people_with_contacts_and_some_are_converted(nasty: SandboxControl) -> None:
    contacts = {c["id"]: c for c in nasty.dump("Contacts")}
    addresses = {c["email1"] for c in contacts.values() if c["email1"]}
    leads = list(nasty.dump("Leads"))
    assert any(lead["email1"] in addresses for lead in leads)
    converted = [lead for lead in leads if lead["converted"]]
    assert converted
    assert all(lead["contact_id"] in contacts and lead["status"] == "Converted" for lead in converted)


def test_every_nastiness_shows(nasty: SandboxControl) -> None:
    contacts = list(nasty.dump("Contacts"))
    accounts = {a["id"] for a in nasty.dump("Accounts")}
    owners = {u["id"]: u["status"] for u in nasty.dump("Users")}
    text = json.dumps(contacts, ensure_ascii=False)
    assert any(c["account_id"] and c["account_id"] not in accounts for c in contacts)
    assert any(not c["account_id"] for c in contacts)
    assert any(owners.get(c["assigned_user_id"]) == "Inactive" for c in contacts)
    assert any(c["assigned_user_id"] not in owners for c in contacts)
    assert any(not c["email"] for c in contacts)
    assert any(len(c["email"]) > 1 for c in contacts)
    assert any(c["deleted"] for c in contacts)
    assert any(len(c["id"]) < 30 for c in contacts)
    assert any(len(c["description"] or "") > 60000 for c in contacts)
    assert any(len(c[n] or "") > 255 for c in contacts for n in ("first_name", "title", "department"))
    assert "0000-00-00" in text
    assert "not a date" in text
    assert "\U0001f642" in text
    assert "01920" in text
    assert max(Counter(c["date_modified"] for c in contacts).values()) > 30
    assert {"1", "seed_sally_id"} <= set(owners)


def test_a_calm_sandbox_has_none_of_it() -> None:
    with start_sandbox(SugarSandboxSettings(contacts=300, leads=50, nastiness=CALM)) as running:
        contacts = list(running.control.dump("Contacts"))
    addresses = [c["email1"] for c in contacts]
    assert len(set(addresses)) == 300
    assert not any(c["deleted"] or not c["account_id"] or len(c["email"]) != 1 for c in contacts)
    assert all(len(c["id"]) == 36 for c in contacts)


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "adapters.sandbox.sugarcrm",
        "--port",
        "0",
        "--contacts",
        "7",
        "--time-zone",
        "Asia/Kolkata",
        "--password-env",
        "SANDBOX_PASSWORD_FOR_TEST",
        "--calm",
    ]
    environment = {**os.environ, "SANDBOX_PASSWORD_FOR_TEST": "from-env"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        client = Client(ready["url"])
        assert client.login(password="from-env").ok
        assert client.good("GET", "Contacts?max_num=1")["records"][0]["date_modified"].endswith("+05:30")
        assert SandboxControl(ready["url"]).count("Contacts") == {"living": 7, "deleted": 0}
        client.http.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        process.stdout and process.stdout.close()
