"""What the steps of a run leave behind, and the page that is made of it (GATE-5)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from sync.disk import disk_errors
from sync.records import CommitCounts, Finding, Kind, ParcelRef, RunRef
from sync.report import ParcelReport, RunReport, VerificationLine, part_from_json, part_to_json, verification_line
from tasks.typed import typed_command
from tasks.wiring import Installation, installation, now

REPORTS_VARIABLE = "MARKETSYNC_REPORTS_URL"
"""Where browsers find the folder of reports: `marketsync up` tells its workers. The setting reports.url goes before it."""

_RESULTS = ("results", "engine/results")
_RETRIED_DAYS = 7
"""Where the results of finished steps lie, and how long a run can be retried with them (FLOW-3)."""

BRAKED = "deletion held by the brake"
NOT_PUSHED = PUSH_REFUSED, PUSH_PARKED = ("push refused", "push parked")
_COMMANDS = {
    "initial-sync": "run initial",
    "core-sync": "run core",
    "reconciliation": "reconcile",
    "email-activity-sync": "run emails",
    "time-sensitive-sync": "run time-sensitive",
}


def keep_part(run: RunRef, part: ParcelReport) -> None:
    """One parcel's part of the report, written as soon as it is known: a run that stops still has a report."""
    with disk_errors(f"report of run {run.run_id}"):
        _part(run, part.kind, part.parcel_id).write_text(part_to_json(part), encoding="utf-8")


def keep_counts(run: RunRef, ref: ParcelRef, counts: CommitCounts) -> None:
    """Adds what the commit did to the part that the check kept."""
    path = _part(run, ref.kind, ref.parcel_id)
    if path.exists():
        keep_part(run, replace(part_from_json(path.read_text(encoding="utf-8")), state="committed", counts=counts))


def _part(run: RunRef, kind: Kind, parcel_id: str) -> Path:
    return installation(run.config).run_dir(run.run_id) / f"part-{kind}-{parcel_id}.json"


def kept_parts(home: Installation, run: RunRef) -> tuple[ParcelReport, ...]:
    """In the order in which the kinds are pulled; without the batches in which nothing came, unless it is a kind's only one."""
    parts = [part_from_json(path.read_text(encoding="utf-8")) for path in sorted(home.run_dir(run.run_id).glob("part-*.json"))]
    full = {part.kind for part in parts if part.counts.read}
    told = [part for part in parts if part.counts.read or part.kind not in full]
    return tuple(sorted(told, key=lambda part: part.kind.place))


def counts_of(run: RunRef, ref: ParcelRef) -> CommitCounts | None:
    """What an earlier try of this run's commit did; None if there was none."""
    path = _part(run, ref.kind, ref.parcel_id)
    part = part_from_json(path.read_text(encoding="utf-8")) if path.exists() else None
    return part.counts if part and part.state == "committed" else None


def forget_part(run: RunRef, ref: ParcelRef) -> None:
    """A batch that is read afresh is no part of the report; the one that takes its place is."""
    _part(run, ref.kind, ref.parcel_id).unlink(missing_ok=True)


def forget_rejected(run: RunRef) -> None:
    """The same for every batch that the gate stopped."""
    for path in installation(run.config).run_dir(run.run_id).glob("part-*.json"):
        if part_from_json(path.read_text(encoding="utf-8")).rejected_because:
            path.unlink()


def forget_empty_part(run: RunRef, ref: ParcelRef) -> None:
    """A committed batch in which nothing changed and nothing was held is no news: where there are hundreds, the report goes without it."""
    path = _part(run, ref.kind, ref.parcel_id)
    part = part_from_json(path.read_text(encoding="utf-8")) if path.exists() else None
    if part and part.state == "committed" and not (part.counts.inserted or part.counts.updated or part.counts.held):
        path.unlink()


def forget_echo(run: RunRef, ref: ParcelRef) -> None:
    """What we wrote ourselves and read back is no part of what came from the CRM, unless something of it was held."""
    path = _part(run, ref.kind, ref.parcel_id)
    part = part_from_json(path.read_text(encoding="utf-8")) if path.exists() else None
    if part and part.state == "committed" and not part.counts.held:
        path.unlink()


def note_findings(run: RunRef, findings: Iterable[Finding]) -> None:
    """Something a person should know, kept until the report is made. Noted twice, it is told once."""
    path = installation(run.config).run_dir(run.run_id) / "findings.jsonl"
    with disk_errors(f"report of run {run.run_id}"), path.open("a", encoding="utf-8") as file:
        for finding in findings:
            file.write(json.dumps(asdict(finding)) + "\n")


def forget_findings(run: RunRef, which: Callable[[Finding], bool]) -> bool:
    """Takes back what was noted and does not hold any more; → whether there was any of it."""
    home = installation(run.config)
    noted = noted_findings(home, run)
    left = [finding for finding in noted if not which(finding)]
    if len(left) < len(noted):
        (home.run_dir(run.run_id) / "findings.jsonl").unlink()
        note_findings(run, left)
    return len(left) < len(noted)


def noted_findings(home: Installation, run: RunRef) -> tuple[Finding, ...]:
    path = home.run_dir(run.run_id) / "findings.jsonl"
    lines = dict.fromkeys(path.read_text(encoding="utf-8").splitlines()) if path.exists() else {}
    found = [json.loads(line) for line in lines]
    return tuple(
        Finding(**{**each, "kind": Kind(each["kind"]) if each["kind"] else None, "examples": tuple(each["examples"])}) for each in found
    )


def report_path(run: RunRef) -> Path:
    """Where the run's quality report will lie."""
    return installation(run.config).reports_dir / run.run_id / "index.html"


def report_link(run: RunRef) -> str:
    """The same for a browser, where a web server of your own or `marketsync up` shows the reports; else empty."""
    shown_at = (installation(run.config).settings.reports.url or os.environ.get(REPORTS_VARIABLE, "")).rstrip("/")
    return f"{shown_at}/{run.run_id}/index.html" if shown_at else ""


def next_steps(run: RunRef, report: RunReport) -> tuple[str, ...]:
    """What a person would type next: for the page and for the terminal (`sync.report.step_parts`)."""
    which = "" if len(installation(run.config).settings.connectors) == 1 else f" --connector {run.connector}"
    done = report.state == "completed"
    again = _COMMANDS.get(run.flow, "run initial")
    steps = [("status", "where the sync stands") if done else (again, "goes on where this run stopped")]
    if any(finding.topic == BRAKED for finding in report.findings):
        steps.insert(0, ("deletions list", "what is to be deleted, and how to answer"))
    if report.held and report.state != "rejected":  # of a stopped batch nothing was kept
        steps.append(("quarantine list", "what was held back, and why"))
    if any(finding.topic in NOT_PUSHED for finding in report.findings):
        steps.append(("outbox list", "what the CRM refused, in its words, and what is parked for you"))
    return tuple(f"{typed_command(run.config, command + which)}\n{meaning}" for command, meaning in steps)


def prune_runs(home: Installation, gone: Iterable[str]) -> None:
    """What the steps of old runs left goes: with their pages, and Prefect's results of finished steps after a week."""
    for run_id in gone:
        shutil.rmtree(home.data_dir / "runs" / run_id, ignore_errors=True)
    for results in _RESULTS:
        _prune_results(home.data_dir / results, now().timestamp() - _RETRIED_DAYS * 86_400)


def _prune_results(folder: Path, oldest: float) -> None:
    """Prefect keeps the results of finished steps for ever. A run that is retried without them does everything again, which is harmless."""
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # two flows may be at it
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()


def keep_verification(run: RunRef, lines: tuple[VerificationLine, ...]) -> None:
    path = installation(run.config).run_dir(run.run_id) / "verification.json"
    with disk_errors(f"report of run {run.run_id}"):
        path.write_text(json.dumps([asdict(line) for line in lines]), encoding="utf-8")


def kept_verification(home: Installation, run: RunRef) -> tuple[VerificationLine, ...]:
    path = home.run_dir(run.run_id) / "verification.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return tuple(map(verification_line, found))
