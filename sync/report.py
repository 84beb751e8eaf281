"""What a run leaves for people to read (GATE-5): plain values, to and from JSON.

The report holds the rows that were held back with the values that failed, so it belongs where the parcels belong: on the operator's
disk. It never holds a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sync.drift import field_words
from sync.gate import CheckResult, Severity, Status, Verdict
from sync.happened import Happened, What, in_words, listed, sentence
from sync.records import PUSHED, CommitCounts, Finding, Kind

VALUE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One held row and one of its reasons. `value` is what failed, shortened."""

    crm_id: str
    rule: str
    reason: str
    column: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class ParcelReport:
    """One batch of one kind.

    `held` may be only the first of the `counts.held` rows. `seconds`: time by step, in the order done.
    `data_docs`: the files with Great Expectations' own pages, beside the report.
    """

    kind: Kind
    parcel_id: str
    state: str
    counts: CommitCounts
    checks: tuple[CheckResult, ...] = ()
    rejected_because: tuple[str, ...] = ()
    held: tuple[HeldRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: Mapping[str, float] | None = None
    rows_per_s: float | None = None
    data_docs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerificationLine:
    """INIT-6: one kind's records in the CRM and those that Market is linked to, and what explains the difference.

    `lines` say what the difference is made of. `remarks` change nothing about it.
    """

    kind: Kind
    crm: int
    market: int
    explained: bool
    lines: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """In one line, for a table."""
        difference = "; ".join(self.lines) or ("equal" if self.crm == self.market else "")
        return f"{difference} ({'; '.join(self.remarks)})" if self.remarks else difference


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run of one flow for one connector. Times are UTC. `state` is one of completed, rejected, failed, stopped, skipped.

    `next_steps`: see `step_parts`. `earlier`: kinds that this run did not read because an earlier one had committed them (INIT-7).
    `happened`: what a recurring run did, for its headline; the initial sync is told in numbers. `shown_at`: where the Prefect UI shows
    the run, if there is one. `error_type`: the class of the error that ended it, which says who recovers from it (`sync.errors`).
    """

    run_id: str
    flow: str
    connector: str
    started_at: datetime
    ended_at: datetime
    state: str
    parcels: tuple[ParcelReport, ...] = ()
    verification: tuple[VerificationLine, ...] = ()
    findings: tuple[Finding, ...] = ()
    next_steps: tuple[str, ...] = ()
    error: str = ""
    earlier: tuple[Kind, ...] = ()
    happened: tuple[Happened, ...] = ()
    shown_at: str = ""
    error_type: str = ""

    @property
    def pulled(self) -> tuple[ParcelReport, ...]:
        """The batches that came from the CRM."""
        return tuple(parcel for parcel in self.parcels if parcel.kind not in PUSHED)

    @property
    def pushed(self) -> tuple[ParcelReport, ...]:
        """The batches that went to the CRM: of their counts `read` is what waited, `updated` what the CRM took, `held` what was refused."""
        return tuple(parcel for parcel in self.parcels if parcel.kind in PUSHED)

    @property
    def read(self) -> int:
        return sum(parcel.counts.read for parcel in self.pulled)

    @property
    def written(self) -> int:
        return sum(parcel.counts.inserted + parcel.counts.updated for parcel in self.pulled)

    @property
    def held(self) -> int:
        return sum(parcel.counts.held for parcel in self.pulled)

    @property
    def refused(self) -> int:
        """Rows that were to go to the CRM and that our checks or the CRM refused."""
        return sum(parcel.counts.held for parcel in self.pushed)


def shorten(value: str | None, characters: int = VALUE_CHARACTERS) -> str:
    """A value as a report shows it: enough to recognise it, never the whole of a long text."""
    text = value or ""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def step_parts(step: str) -> tuple[str, str]:
    """One next step as a command and what it is for, which stands on a line of its own. A step without a command is words only."""
    command, line, meaning = step.partition("\n")
    return (command, meaning) if line else ("", step)


def headline(report: RunReport) -> str:
    """The run in one sentence, for a reader who reads no further."""
    fields = () if report.verification else field_words(report.findings)
    if (report.happened or fields) and report.state == "completed":
        return f"{report.connector}: {sentence(in_words(report.happened) + fields)}"
    if not report.parcels and report.state == "completed":
        return f"Nothing had changed in {report.connector}."
    came = f"{_records(report.read)} came from {report.connector}"
    if report.pushed and not report.pulled:
        return _pushes_only(report)
    rejected = [parcel.kind.plural for parcel in report.parcels if parcel.rejected_because]
    if rejected:
        return f"{came}; the checks stopped {listed(rejected)}, and nothing of {'them' if len(rejected) > 1 else 'that batch'} was written."
    if report.state not in ("completed", "rejected"):
        word = {"skipped": "was skipped", "stopped": "was stopped"}.get(report.state, "did not finish")
        return f"The run {word}: {came}, {report.written:,} were written."
    if not report.held:
        return f"{came}; none {'was' if report.read == 1 else 'were'} held back."
    return f"{came}; {report.held:,} {'was' if report.held == 1 else 'were'} held back."


def _pushes_only(report: RunReport) -> str:
    """Of a run that did not come to its end, or had only rows that were postponed."""
    said = sentence(in_words(report.happened)) or "nothing was pushed."
    stopped = tuple(dict.fromkeys(parcel.kind.plural for parcel in report.pushed if parcel.rejected_because))
    if stopped:
        return f"{report.connector}: the checks stopped {listed(stopped)}, and nothing of that was sent; {said}"
    word = {"completed": "", "stopped": "The run was stopped: "}.get(report.state, "The run did not finish: ")
    return f"{word}{said}" if word else f"{report.connector}: {said}"


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def summary(report: RunReport) -> dict[str, Any]:
    """The few values that a list of runs needs."""
    return {
        "run_id": report.run_id,
        "flow": report.flow,
        "connector": report.connector,
        "started_at": report.started_at.isoformat(),
        "ended_at": report.ended_at.isoformat(),
        "state": report.state,
        "read": report.read,
        "written": report.written,
        "held": report.held,
        "refused": report.refused,
        "findings": len(report.findings) + sum(len(parcel.findings) for parcel in report.parcels),
        "headline": headline(report),
        "error": report.error,
        "error_type": report.error_type,
    }


def parcel_report(verdict: Verdict, counts: CommitCounts, *, state: str, held: tuple[HeldRow, ...] = (), **more: Any) -> ParcelReport:
    """One parcel's part of a report, from its verdict. `more`: findings, seconds, rows_per_s."""
    return ParcelReport(verdict.kind, verdict.parcel_id, state, counts, verdict.checks, verdict.reasons, held, **more)


def to_json(report: RunReport) -> str:
    """The whole report; instants as ISO 8601 with their offset. `from_json` reads it."""
    return json.dumps(asdict(report), default=_plain, ensure_ascii=False, indent=1)


def part_to_json(part: ParcelReport) -> str:
    """One parcel's part, for a run that is still at work."""
    return json.dumps(asdict(part), default=_plain, ensure_ascii=False)


def part_from_json(text: str) -> ParcelReport:
    """The part that `part_to_json` wrote."""
    return _parcel(json.loads(text))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a report holds no {type(value).__name__}")


def from_json(text: str) -> RunReport:
    """The report that `to_json` wrote. KeyError or ValueError: it is not one."""
    found = json.loads(text)
    return RunReport(
        **{
            **found,
            "started_at": datetime.fromisoformat(found["started_at"]),
            "ended_at": datetime.fromisoformat(found["ended_at"]),
            "parcels": tuple(map(_parcel, found["parcels"])),
            "verification": tuple(map(verification_line, found["verification"])),
            "findings": _findings(found["findings"]),
            "next_steps": tuple(found["next_steps"]),
            "earlier": tuple(map(Kind, found.get("earlier", ()))),
            "happened": tuple(Happened(Kind(each["kind"]), What(each["what"]), each["count"]) for each in found.get("happened", ())),
        }
    )


def verification_line(found: dict[str, Any]) -> VerificationLine:
    """One line from its JSON object. KeyError or ValueError: it is none."""
    lines, remarks = tuple(found["lines"]), tuple(found.get("remarks", ()))
    return VerificationLine(**{**found, "kind": Kind(found["kind"]), "lines": lines, "remarks": remarks})


def _parcel(found: dict[str, Any]) -> ParcelReport:
    return ParcelReport(
        **{
            **found,
            "kind": Kind(found["kind"]),
            "counts": CommitCounts(**found["counts"]),
            "checks": tuple(map(_check, found["checks"])),
            "rejected_because": tuple(found["rejected_because"]),
            "held": tuple(HeldRow(**row) for row in found["held"]),
            "findings": _findings(found["findings"]),
            "data_docs": tuple(found.get("data_docs", ())),
        }
    )


def _check(found: dict[str, Any]) -> CheckResult:
    severity, status = Severity(found["severity"]), Status(found["status"])
    return CheckResult(**{**found, "severity": severity, "status": status, "examples": tuple(found["examples"])})


def _findings(found: list[dict[str, Any]]) -> tuple[Finding, ...]:
    return tuple(
        Finding(**{**finding, "kind": Kind(finding["kind"]) if finding["kind"] else None, "examples": tuple(finding["examples"])})
        for finding in found
    )
