"""Salesforce passes the suite for custom objects (CUST-1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from adapters.sandbox.salesforce import CALM, SalesforceSandboxSettings, start_sandbox
from sync.crm import Crm
from tests.adapters.crm.salesforce_bench import SalesforceBench
from tests.adapters.crm_contract_custom import KIND, CustomBench, CustomObjectSuite

OBJECT = "Subscription__c"


class SalesforceCustomBench(CustomBench):
    """See `CustomBench`."""

    def __init__(self, bench: SalesforceBench) -> None:
        self._bench = bench

    def adapter(self, *, page_rows: int = 10) -> Crm:
        return self._bench.adapter(page_rows=page_rows, objects={KIND: OBJECT})

    def make(self, record_id: str, person: str, account: str, status: str) -> None:
        values = {"Id": record_id, "Contact__c": person, "Account__c": account, "Status__c": status}
        self._bench.control.create(OBJECT, values)

    def stamp(self, ids: list[str], at: datetime) -> None:
        self._bench.control.touch(OBJECT, ids, stamp=int(at.timestamp()))

    def delete(self, record_id: str) -> None:
        self._bench.control.delete(OBJECT, record_id)

    def hide_field(self, name: str) -> None:
        self._bench.control.hide_field(OBJECT, name)

    @property
    def object_name(self) -> str:
        return OBJECT

    @property
    def fields(self) -> tuple[str, str, str, str]:
        return ("Id", "Contact__c", "Account__c", "Status__c")

    def record_id(self, number: int) -> str:
        return f"a0s{number:012}AAA"  # the last three say which of the others are capital letters


@pytest.fixture
def custom_bench(tmp_path: Path) -> Iterator[CustomBench]:
    nobody = dict.fromkeys(("accounts", "leads", "contacts", "opportunities", "campaigns", "subscriptions"), 0)
    with start_sandbox(SalesforceSandboxSettings(users=1, nastiness=CALM, **nobody)) as sandbox:  # type: ignore[arg-type]
        yield SalesforceCustomBench(SalesforceBench(sandbox, tmp_path / "sessions", {}))


class TestSalesforceCustomObjects(CustomObjectSuite):
    """CUST-1, DEL-1."""
