"""Great Expectations' own pages, for whoever asks for them (GATE-5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.reports import write_report
from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from sync.records import Kind
from sync.report import RunReport, from_json, to_json
from tasks.report import kept_parts, report_path
from tasks.wiring import now
from tests.pull_road import OPEN_GATE, pull_road

FEW = SugarSandboxSettings(accounts=1, leads=0, contacts=30, opportunities=0, users=2, prospect_lists=0, campaigns=0, nastiness=CALM)


@pytest.mark.parametrize("wanted", [True, False])
def test_gate_5_each_checked_batch_has_its_page_of_data_docs_where_the_setting_says_so(tmp_path: Path, wanted: bool) -> None:
    more = f"{OPEN_GATE}[reports]\ndata_docs = {str(wanted).lower()}\n"
    with start_sandbox(FEW) as crm, pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", crm.url, more=more) as road:
        one = next(iter(crm.control.dump("Contacts", deleted=False)))
        crm.control.write_raw("Contacts", one["id"], {"birthdate": "nobody-was-born-then"})
        assert road.pull([Kind.CONTACT])[Kind.CONTACT].held == 1
        part = next(each for each in kept_parts(road.home, road.run) if each.kind is Kind.CONTACT)
        pages = sorted(report_path(road.run).parent.glob("data-docs-contact-*.html"))
        assert tuple(page.name for page in pages) == part.data_docs
        assert len(pages) == wanted
        for page in pages:
            text = page.read_text(encoding="utf-8")
            assert "Great Expectations" in text and "Success Percent" in text and part.parcel_id in text
            assert one["id"] not in text and "nobody-was-born-then" not in text  # counts, and nobody's values
        report = RunReport(road.run_id, "initial-sync", "acme", now(), now(), "completed", (part,))
        shown = write_report(from_json(to_json(report)), tmp_path / "reports").read_text(encoding="utf-8")
        assert all(f'<a href="{page.name}">' in shown for page in pages)
        assert ("own page of this batch" in shown) == wanted
