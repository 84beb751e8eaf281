"""SugarCRM passes the suite for custom objects; there they are modules (CUST-1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from adapters.sandbox.sugarcrm.settings import MKT_MODULES, CustomModule
from sync.crm import Crm
from tests.adapters.crm.conftest import SugarBench
from tests.adapters.crm_contract_custom import KIND, CustomBench, CustomObjectSuite
from tests.custom_objects import FIELDS, MODULE


class SugarCustomBench(CustomBench):
    """See `CustomBench`."""

    def __init__(self, bench: SugarBench) -> None:
        self._bench = bench

    def adapter(self, *, page_rows: int = 10) -> Crm:
        return self._bench.adapter(page_rows=page_rows, objects={KIND: MODULE})

    def make(self, record_id: str, person: str, account: str, status: str) -> None:
        values = {"id": record_id, "name": record_id, "contact_id_c": person, "account_id_c": account, "status": status}
        self._bench.control("records/create", module=MODULE, values=values)

    def stamp(self, ids: list[str], at: datetime) -> None:
        self._bench.control("records/touch", module=MODULE, ids=ids, stamp=int(at.timestamp()))

    def delete(self, record_id: str) -> None:
        self._bench.control("records/delete", module=MODULE, id=record_id)

    def hide_field(self, name: str) -> None:
        self._bench.control("fields/hide", user="mkt_sync", module=MODULE, name=name)

    @property
    def object_name(self) -> str:
        return MODULE

    @property
    def fields(self) -> tuple[str, str, str, str]:
        return ("id", "contact_id_c", "account_id_c", "status")

    def record_id(self, number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012}"


@pytest.fixture
def custom_bench(tmp_path: Path) -> Iterator[CustomBench]:
    nobody = dict.fromkeys(("accounts", "leads", "contacts", "opportunities", "prospect_lists", "campaigns"), 0)
    modules = (*MKT_MODULES, CustomModule(MODULE, FIELDS))
    settings = SugarSandboxSettings(users=1, nastiness=CALM, custom_modules=modules, **nobody)  # type: ignore[arg-type]
    with start_sandbox(settings) as sandbox:
        yield SugarCustomBench(SugarBench(sandbox, tmp_path / "sessions"))


class TestSugarCrmCustomObjects(CustomObjectSuite):
    """CUST-1, DEL-1."""
