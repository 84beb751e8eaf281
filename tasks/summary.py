"""A run's report as the Prefect UI shows it: a summary in words and a table of counts, linking the page."""

from __future__ import annotations

from pathlib import Path

from sync.report import RunReport, headline


def as_markdown(report: RunReport, page: Path, url: str | None = None) -> str:
    """For the artifact on the run. Counts and reasons only: what was held stays on the operator's disk. `url`: where that is served."""
    lines = [f"## {headline(report)}", ""]
    if report.error:
        lines += [f"> {line}" for line in report.error.splitlines()] + [""]
    if report.pulled or report.earlier or not report.pushed:
        lines += ["| | came | new | updated | unchanged | held back |", "|---|--:|--:|--:|--:|--:|"]
    lines += [
        f"| {part.kind.plural} | {part.counts.read:,} | {part.counts.inserted:,} | {part.counts.updated:,} "
        f"| {part.counts.unchanged:,} | {part.counts.held:,} |"
        for part in report.pulled
    ]
    lines += [f"| {kind.plural} | done in an earlier run | | | | |" for kind in report.earlier]
    lines += ["", "| batch | waited | taken by the CRM | refused |", "|---|--:|--:|--:|"] if report.pushed else []
    lines += [f"| {p.kind.plural} | {p.counts.read:,} | {p.counts.updated:,} | {p.counts.held:,} |" for p in report.pushed]
    if report.verification:
        lines += ["", "| | in the CRM | linked records | what explains the difference |", "|---|--:|--:|---|"]
        lines += [f"| {v.kind.plural} | {v.crm:,} | {v.market:,} | {v.explanation} |" for v in report.verification]
    failed = [f"- **{part.kind.plural}**: {reason}" for part in report.parcels for reason in part.rejected_because]
    lines += ["", "### Why the batch was stopped", *failed] if failed else []
    findings = [f"- {finding.message}" for finding in report.findings]
    lines += ["", "### Worth knowing", *findings] if findings else []
    link = f"{url}/{page.parent.name}/{page.name}" if url else page.as_uri()
    lines += ["", f"[The whole quality report]({link}): every check, and the rows that were held back."]
    if not url:  # browsers follow no link from a web page to a file
        lines += ["", "Copy its address into the browser:", "", f"`{link}`"]
    return "\n".join(lines)
