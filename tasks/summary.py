"""A run's report as the Prefect UI shows it: a summary in words and tables of counts, linking the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.reports.words import sections
from sync.report import RunReport, headline, step_parts

_RETRY = "or the button Retry on the page of the run, when it is mended: it goes on at the step that failed (FLOW-3)"


def as_markdown(report: RunReport, link: str, page: Path) -> str:
    """For the artifact on the run. Counts and reasons only: what was held stays on the operator's disk.

    `link`: where a browser finds the report's `page`; empty: nowhere.
    """
    lines = [f"## {headline(report)}", ""]
    if report.error:
        lines += [f"> {line}  " for line in report.error.splitlines()] + [""]
    for title, part in (
        ("Why the batch was stopped", _stopped(report)),
        ("What to do next", _next(report)),
        ("Records", _pulled(report)),
        ("Written to the CRM", _pushed(report)),
        ("CRM and Market compared", _compared(report)),
        ("Rows that failed their checks", _held(report)),
        ("Worth knowing", (f"- {finding.message}" for finding in report.findings)),
    ):
        told = list(part)
        lines += [f"### {title}", "", *told, ""] if told else []
    where = f"[The whole quality report]({link})" if link else f"The whole quality report is the file `{page}`"
    return "\n".join([*lines, f"{where}: every check, and the rows that were held back."])


def _stopped(report: RunReport) -> Iterator[str]:
    return (f"- **{part.kind.plural}**: {reason}" for part in report.parcels for reason in part.rejected_because)


def _next(report: RunReport) -> Iterator[str]:
    for command, meaning in map(step_parts, report.next_steps):
        yield f"- `{command}`: {meaning}" if command else f"- {meaning}"
    if report.shown_at and report.state in ("failed", "rejected"):
        yield f"- {_RETRY}"


def _pulled(report: RunReport) -> Iterator[str]:
    if not report.pulled and not report.earlier:
        return
    yield from ("| | came | new | updated | unchanged | held back |", "|---|--:|--:|--:|--:|--:|")
    for part in report.pulled:
        counts = part.counts
        numbers = (counts.read, counts.inserted, counts.updated, counts.unchanged, counts.held)
        yield f"| {part.kind.plural} | {' | '.join(f'{number:,}' for number in numbers)} |"
    for kind in report.earlier:
        yield f"| {kind.plural} | done in an earlier run | | | | |"


def _pushed(report: RunReport) -> Iterator[str]:
    if report.pushed:
        yield from ("| batch | waited | taken by the CRM | refused |", "|---|--:|--:|--:|")
    for part in report.pushed:
        yield f"| {part.kind.plural} | {part.counts.read:,} | {part.counts.updated:,} | {part.counts.held:,} |"


def _compared(report: RunReport) -> Iterator[str]:
    if report.verification:
        yield from ("| | in the CRM | linked records | what explains the difference |", "|---|--:|--:|---|")
    for line in report.verification:
        yield f"| {line.kind.plural} | {line.crm:,} | {line.market:,} | {line.explanation} |"


def _held(report: RunReport) -> Iterator[str]:
    told = sections(report)
    for part in (*told["held"], *told["not_sent"]):
        many = f"{part['total']:,} {'does' if part['total'] == 1 else 'do'} not meet it"
        yield f"- **{part['kind'].plural}**, {part['title']}: {many}. {part['reason']}"
