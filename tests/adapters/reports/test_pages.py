"""Report pages: what a person finds on them, and what never gets onto them (GATE-5)."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from adapters.reports import Kept, prune, write_index, write_report
from sync.errors import ConfigError
from sync.gate import Status
from sync.records import CommitCounts, Finding, Kind
from sync.report import HeldRow, RunReport, VerificationLine, from_json, summary
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


def links(path: Path) -> list[str]:
    return [str(attributes["href"]) for tag, attributes in page(path).tags if tag == "a"]


def pages_of_runs(path: Path) -> list[str]:
    return [link.partition("/")[0] for link in links(path) if link.endswith("/index.html")]


def test_the_list_shows_the_newest_run_first_and_each_run_once(tmp_path: Path) -> None:
    early = report(run_id="early", started_at=datetime(2026, 11, 1, tzinfo=UTC))
    for run in (early, report(run_id="late"), early):
        write_report(run, tmp_path)
    assert pages_of_runs(write_index(tmp_path)) == ["late", "early"]
    assert [link for link in links(tmp_path / "index.html") if link.startswith("days/")] == ["days/2026-11-02.html", "days/2026-11-01.html"]
    assert "../late/index.html" in links(tmp_path / "days" / "2026-11-02.html")


def test_every_link_of_a_list_leads_to_a_page(tmp_path: Path) -> None:
    """GATE-5: opened from the disk, a year later and without a network."""
    write_report(report(), tmp_path)
    for path in (tmp_path / "index.html", tmp_path / "checks.html", tmp_path / "days" / "2026-11-02.html"):
        for link in links(path):
            assert link.startswith("#") or (path.parent / link).is_file(), f"{path.name}: {link}"
        html = path.read_text(encoding="utf-8")
        assert "//" not in html.replace("</", "") and Page(html).open == []


def test_the_list_of_no_runs_says_so(tmp_path: Path) -> None:
    assert "No run has left a report yet." in page(write_index(tmp_path / "new")).text


def test_a_line_that_a_crash_cut_off_hides_no_other_run(tmp_path: Path) -> None:
    write_report(report(run_id="first"), tmp_path)
    day = tmp_path / "days" / "2026-11-02.jsonl"
    with day.open("a", encoding="utf-8") as lines:
        lines.write('{"run_id": "cut\n')
    (tmp_path / "list.json").write_text('{"latest": [', encoding="utf-8")
    write_report(report(run_id="second"), tmp_path)
    assert sorted(pages_of_runs(tmp_path / "index.html")) == ["first", "second"]


def test_the_list_of_an_earlier_release_is_taken_over(tmp_path: Path) -> None:
    """Its lines lay in one file and knew nothing of checks."""
    new = ("refused", "findings", "error", "error_type")
    old = {name: value for name, value in summary(report(run_id="before")).items() if name not in new}
    (tmp_path / "index.jsonl").write_text(json.dumps(old) + "\n", encoding="utf-8")
    write_report(report(run_id="after", started_at=datetime(2026, 11, 3, tzinfo=UTC)), tmp_path)
    assert pages_of_runs(tmp_path / "index.html") == ["after", "before"]
    assert not (tmp_path / "index.jsonl").exists()


def many_runs(folder: Path, runs: int, *, days: int) -> None:
    """A folder as that many runs left it: their lines, without the pages."""
    write_report(report(run_id="seed"), folder)
    line = json.loads((folder / "days" / "2026-11-02.jsonl").read_text(encoding="utf-8"))
    for day in range(days):
        at = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(days=day)
        lines = [{**line, "run_id": f"r{day}-{n}", "started_at": (at + timedelta(seconds=n)).isoformat()} for n in range(runs // days)]
        (folder / "days" / f"{at.date()}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    (folder / "list.json").unlink()
    write_index(folder)


_opened: list[str] = []
_listening: list[Path] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    """Python tells of every file that is opened; a hook stays for as long as the process lives, so it listens only when it is told to."""
    if event == "open" and _listening and str(arguments[0]).startswith(str(_listening[0])):
        _opened.append(str(Path(str(arguments[0])).relative_to(_listening[0])))


sys.addaudithook(_hear)


def files_touched_by_one_more_run(folder: Path) -> list[str]:
    _opened.clear()
    _listening.append(folder)
    try:
        write_report(report(run_id="one-more"), folder)
    finally:
        _listening.clear()
    return sorted(re.sub(r"\.\d+$", "", name) for name in _opened)


def test_one_more_run_touches_the_same_files_after_ten_runs_and_after_six_thousand(tmp_path: Path) -> None:
    """GATE-5: the list never reads the reports again, nor the lines of other days; its own file stays small."""
    few, many = tmp_path / "few", tmp_path / "many"
    many_runs(few, 10, days=1)
    many_runs(many, 6_000, days=60)
    touched = files_touched_by_one_more_run(many)
    assert touched == files_touched_by_one_more_run(few) and len(touched) < 15
    read = [name for name in touched if name.endswith(".jsonl")]
    assert set(read) == {"days/2026-11-02.jsonl"} and not [name for name in touched if name.startswith("r")]
    assert (many / "list.json").stat().st_size < 200_000 and (many / "index.html").stat().st_size < 200_000
    assert len(pages_of_runs(many / "index.html")) == 100
    assert len(links(many / "index.html")) - 100 - 2 == 61  # every day has its page


KEPT = Kept(30, 7)


def quiet(run_id: str, age_days: float, **changes: Any) -> RunReport:
    """A run that went well, with nothing held, refused or found."""
    return report(run_id=run_id, started_at=NOW - timedelta(days=age_days), parcels=(), verification=(), findings=(), **changes)


def test_old_reports_are_removed_and_the_newest_of_each_flow_and_connector_stays(tmp_path: Path) -> None:
    for name, age, flow in (("old", 31, "core-sync"), ("only", 400, "initial-sync"), ("edge", 30, "core-sync"), ("new", 1, "core-sync")):
        write_report(report(run_id=name, flow=flow, started_at=NOW - timedelta(days=age)), tmp_path)
    assert prune(tmp_path, KEPT, NOW) == {"old"}
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["days", "edge", "new", "only"]
    assert pages_of_runs(tmp_path / "index.html") == ["new", "edge", "only"]
    assert not (tmp_path / "days" / f"{(NOW - timedelta(days=31)).date()}.html").exists()


def test_old_pages_are_looked_for_once_a_day(tmp_path: Path) -> None:
    write_report(quiet("new", 0), tmp_path)
    assert prune(tmp_path, KEPT, NOW) == set()
    write_report(quiet("old", 31), tmp_path)
    write_report(quiet("newest", 0), tmp_path)
    assert prune(tmp_path, KEPT, NOW) == set()
    assert prune(tmp_path, KEPT, NOW + timedelta(days=1)) == {"old"}


def test_a_page_that_says_nothing_beyond_its_line_goes_after_a_week_and_its_line_stays(tmp_path: Path) -> None:
    """A flow that runs every 2 minutes makes up to 720 a day."""
    day = (NOW - timedelta(days=9)).date()
    for number in range(5):
        write_report(quiet(f"quiet-{number}", 9 - number / 1000, flow="time-sensitive-sync"), tmp_path)
    write_report(report(run_id="held", started_at=NOW - timedelta(days=9)), tmp_path)
    write_report(quiet("newest", 1, flow="time-sensitive-sync"), tmp_path)
    assert prune(tmp_path, KEPT, NOW) == {f"quiet-{number}" for number in range(5)}
    of_day = tmp_path / "days" / f"{day}.html"
    assert pages_of_runs(of_day) == [".."] * 2 and "../held/index.html" in links(of_day)  # the other one leads to the list
    assert page(of_day).text.count("time-sensitive-sync") == 5
    assert prune(tmp_path, KEPT, NOW + timedelta(days=1)) == set()


def test_of_runs_that_failed_alike_the_list_shows_one_line_and_the_first_and_last_page_stay(tmp_path: Path) -> None:
    for number in range(4):
        at = {"run_id": f"f{number}", "age_days": 9 - number / 1000}
        write_report(quiet(**at, state="failed", error="the password is wrong\nWhat to do: correct it"), tmp_path)
    text = page(tmp_path / "index.html").text
    assert pages_of_runs(tmp_path / "index.html") == ["f3"]
    assert "the password is wrong" in text and "What to do" not in text and "4 times in a row, since" in text
    write_report(quiet("well", 1), tmp_path)
    assert prune(tmp_path, KEPT, NOW) == {"f1", "f2"}


def test_what_failed_how_often_stands_on_a_page_of_its_own(tmp_path: Path) -> None:
    for days in range(3):
        write_report(report(run_id=f"r{days}", started_at=NOW - timedelta(days=days)), tmp_path)
    found = page(tmp_path / "checks.html")
    for words in ("acme", "Contacts", "E-mail addresses are well formed", EMAIL_REASON, "630", "in 3 of 3 runs", "last on 30 Nov"):
        assert words in found.text, words
    assert "Each record comes once" not in found.text
    assert sum(tag == "svg" for tag, _ in found.tags) == 2 + 3


@pytest.mark.parametrize("run_id", ["../outside", "a/b", "", ".hidden", "a\nb"])
def test_a_run_id_never_leads_out_of_the_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ConfigError, match="folder name"):
        write_report(report(run_id=run_id), tmp_path)


@pytest.mark.parametrize("name, value", [("run_id", "../outside"), ("started_at", "../../x"), ("run_id", None)])
def test_pruning_never_follows_a_forged_line_out_of_the_folder(tmp_path: Path, name: str, value: str | None) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    forged = {**summary(report(run_id="run", started_at=datetime(2020, 1, 1, tzinfo=UTC))), name: value}
    reports = tmp_path / "reports"
    (reports / "days").mkdir(parents=True)
    (reports / "days" / "2020-01-01.jsonl").write_text(json.dumps(forged) + "\n", encoding="utf-8")
    assert prune(reports, Kept(1, 1), NOW) == set()
    assert outside.exists()
