"""Report pages: what a person finds on them, and what never gets onto them (GATE-5)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapters.reports import prune, write_index, write_report
from sync.errors import ConfigError
from sync.gate import Status
from sync.records import CommitCounts, Finding, Kind
from sync.report import HeldRow, VerificationLine, from_json
from tests.adapters.reports.sample import EMAIL_REASON, check, contacts, report

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class Page(HTMLParser):
    """The visible text, the tags with their attributes, and whether every tag is closed."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_a_report_reads_from_the_headline_down(tmp_path: Path) -> None:
    """GATE-5: which checks, on which batch, how many rows, which rows failed and why."""
    text = page(write_report(report(), tmp_path)).text
    for words in (
        "10,243 records came from acme; 212 were held back.",
        "2 November 2026, 14:05 UTC",
        "took 2 min 11 s",
        "contact-20261102T140500",
        "E-mail addresses are well formed \N{EN DASH} 210 records do not meet this",
        EMAIL_REASON,
        "c-00003 email person3 at example.com",
        "title (100 characters at most)",
        "210 of 9,000 rows (2.3%)",
        "Several contacts share one address; each keeps its own row.",
        "Correct the 212 held records in the CRM; they come with the next run.",
    ):
        assert words in text, words


def test_counts_of_crm_and_market_stand_side_by_side_with_their_explanation(tmp_path: Path) -> None:
    """INIT-6: a difference is explained, or is marked as not explained."""
    text = page(write_report(report(), tmp_path)).text
    assert "Contacts 9,012 8,769 \N{MINUS SIGN}243 Explained 212 wait in quarantine" in text
    assert "Leads 400 399 \N{MINUS SIGN}1 Not explained" in text
    assert "Accounts 1,231 1,231 0 Equal" in text


def test_a_next_step_is_a_command_to_copy_with_its_meaning_on_the_next_line(tmp_path: Path) -> None:
    html = write_report(report(next_steps=("marketsync status\nwhere the sync stands",)), tmp_path).read_text(encoding="utf-8")
    assert "<code>marketsync status</code><br>where the sync stands" in html


def test_init_7_kinds_of_an_earlier_run_are_named_and_remarks_stand_apart(tmp_path: Path) -> None:
    line = VerificationLine(Kind.LEAD, 9, 9, True, remarks=("2 leads share a row",))
    text = page(write_report(report(earlier=(Kind.USER,), verification=(line,)), tmp_path)).text
    assert "Users Done in an earlier run" in text
    assert "Leads 9 9 0 Equal 2 leads share a row" in text


def test_at_most_fifty_rows_per_reason_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    """GATE-5: the report stays readable when thousands are held."""
    found = page(write_report(report(), tmp_path))
    assert "c-00049" in found.text and "c-00050" not in found.text
    assert "160 further ones are in the quarantine." in found.text


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    text = page(write_report(report(), tmp_path)).text
    assert "x" * 79 + "…" in text and "x" * 80 not in text


def test_a_stopped_batch_stands_first_with_its_reasons(tmp_path: Path) -> None:
    """GATE-3."""
    stopped = contacts(
        state="rejected", counts=CommitCounts(read=9012), held=(), rejected_because=("Each record comes once: 2 of 9,000 rows",)
    )
    text = page(write_report(report(state="rejected", parcels=(stopped,)), tmp_path)).text
    assert "9,012 records came from acme; the checks stopped contacts, and nothing of that batch was written." in text
    assert text.index("Each record comes once: 2 of 9,000 rows") < text.index("Came from the CRM")


def test_a_check_that_could_not_be_evaluated_says_so_before_the_others(tmp_path: Path) -> None:
    """GATE-4."""
    checks = (check("a", "A passed one", "why"), check("b", "A broken one", "why", Status.NOT_EVALUATED, observed="could not be evaluated"))
    text = page(write_report(report(parcels=(contacts(checks=checks),)), tmp_path)).text
    assert text.index("A broken one") < text.index("A passed one")
    assert "Could not be evaluated" in text


HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\"'"


def test_nothing_from_outside_becomes_markup(tmp_path: Path) -> None:
    """GATE-5: names, values and messages come from a CRM that anybody may have written into."""
    hostile = report(
        connector=HOSTILE,
        flow=HOSTILE,
        error=HOSTILE,
        next_steps=(HOSTILE,),
        findings=(Finding(Kind.LEAD, HOSTILE, HOSTILE, 1, (HOSTILE,)),),
        parcels=(
            contacts(
                parcel_id=HOSTILE,
                checks=(check(HOSTILE, HOSTILE, HOSTILE, Status.HELD, observed=HOSTILE, examples=(HOSTILE,), failed=1),),
                held=(HeldRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
                rejected_because=(HOSTILE,),
            ),
        ),
    )
    for path in (write_report(hostile, tmp_path), write_index(tmp_path)):
        tags = {tag for tag, _ in page(path).tags}
        assert not tags & {"script", "img", "iframe", "link", "object"}
        assert not any(name.startswith("on") for _, attributes in page(path).tags for name in attributes)


def test_a_page_works_without_a_network_and_without_scripts(tmp_path: Path) -> None:
    """GATE-5: a report is read where the product runs; nothing is asked of another machine."""
    html = write_report(report(), tmp_path).read_text(encoding="utf-8")
    assert "//" not in html.replace("</", "") and "@import" not in html and "url(" not in html
    assert {attributes["href"] for tag, attributes in Page(html).tags if tag == "a"} == {"../index.html", "report.json"}
    assert Page(html).open == []


def test_every_state_is_a_word_and_not_only_a_colour(tmp_path: Path) -> None:
    html = write_report(report(), tmp_path).read_text(encoding="utf-8")
    states = re.findall(r'<span class="state \w+">([^<]*)</span>', html)
    assert states and all(word.strip() for word in states)


def test_the_data_beside_the_page_is_the_same_report(tmp_path: Path) -> None:
    written = report()
    path = write_report(written, tmp_path)
    assert from_json(path.with_name("report.json").read_text(encoding="utf-8")) == written


def test_the_list_shows_the_newest_run_first_and_each_run_once(tmp_path: Path) -> None:
    early = report(run_id="early", started_at=datetime(2026, 11, 1, tzinfo=UTC))
    for run in (early, report(run_id="late"), early):
        write_report(run, tmp_path)
    links = [attributes["href"] for tag, attributes in page(write_index(tmp_path)).tags if tag == "a"]
    assert links == ["late/index.html", "early/index.html"]


def test_the_list_of_no_runs_says_so(tmp_path: Path) -> None:
    assert "No run has left a report yet." in page(write_index(tmp_path / "new")).text


def test_a_line_that_a_crash_cut_off_hides_no_other_run(tmp_path: Path) -> None:
    write_report(report(run_id="first"), tmp_path)
    with (tmp_path / "index.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"run_id": "cut\n')
    write_report(report(run_id="second"), tmp_path)
    text = (write_index(tmp_path)).read_text(encoding="utf-8")
    assert "first/index.html" in text and "second/index.html" in text


def test_a_list_of_many_runs_stays_short(tmp_path: Path) -> None:
    """A run every two minutes makes 20,000 lines a month: the page shows the latest 500 and says how many more there are."""
    write_report(report(run_id="seed"), tmp_path)
    line = json.loads((tmp_path / "index.jsonl").read_text(encoding="utf-8"))
    many = "".join(json.dumps({**line, "run_id": f"r{n}"}) + "\n" for n in range(5000))
    (tmp_path / "index.jsonl").write_text(many, encoding="utf-8")
    found = page(write_index(tmp_path))
    assert sum(tag == "a" for tag, _ in found.tags) == 500
    assert "4,500 older runs keep their pages in their folders." in found.text


def test_old_reports_are_removed_and_the_others_stay(tmp_path: Path) -> None:
    for name, age in (("old", 31), ("edge", 30), ("new", 1)):
        write_report(report(run_id=name, started_at=NOW - timedelta(days=age)), tmp_path)
    assert prune(tmp_path, 30, NOW) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["edge", "new"]
    assert "old/index.html" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert prune(tmp_path, 30, NOW) == 0


@pytest.mark.parametrize("run_id", ["../outside", "a/b", "", ".hidden", "a\nb"])
def test_a_run_id_never_leads_out_of_the_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ConfigError, match="folder name"):
        write_report(report(run_id=run_id), tmp_path)


def test_pruning_never_follows_a_forged_line_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "index.jsonl").write_text('{"run_id": "../outside", "started_at": "2020-01-01T00:00:00+00:00"}\n', encoding="utf-8")
    assert prune(reports, 1, NOW) == 0
    assert outside.exists()
