"""A rejected batch is judged once: the next run reads what the CRM has by then (GATE-3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from sync.errors import GateRejected
from sync.records import Kind
from tasks.check import check
from tasks.plan import plan
from tests.pull_road import pull_road

FEW = SugarSandboxSettings(accounts=1, leads=0, contacts=30, opportunities=0, users=2, prospect_lists=0, campaigns=0, nastiness=CALM)


def test_a_run_that_dies_after_a_rejection_leaves_nothing_that_is_judged_again_gate_3(tmp_path: Path) -> None:
    with start_sandbox(FEW) as crm, pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", crm.url, more="") as road:
        people = [each["id"] for each in crm.control.dump("Contacts", deleted=False)]
        for one in people[:10]:
            crm.control.write_raw("Contacts", one, {"birthdate": "0000-00-00"})
        schema = road.schema()
        ref = road.extract(Kind.CONTACT, schema, "initial")
        plan.fn(road.run, ref)
        with pytest.raises(GateRejected):
            check.fn(road.run, ref)
        for one in people[:10]:  # here the run died; meanwhile somebody corrects the records
            crm.control.write_raw("Contacts", one, {"birthdate": "1980-01-31"})
        assert road.bring_in(road.extract(Kind.CONTACT, schema, "initial")).inserted == 30
        kept = [path.parent.name for path in (tmp_path / "data" / "parcels").rglob("contact-initial.duckdb")]
        assert sorted(kept) == ["committed", "rejected"]
