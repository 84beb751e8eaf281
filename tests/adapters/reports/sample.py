"""A report with something in every section."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sync.gate import CheckResult, Severity, Status
from sync.records import CommitCounts, Finding, Kind
from sync.report import HeldRow, ParcelReport, RunReport, VerificationLine

EMAIL_REASON = "A malformed address can't be mailed, and it would never match the person it belongs to."


def check(rule: str, title: str, reason: str, status: Status = Status.PASSED, **more: Any) -> CheckResult:
    severity = Severity.BATCH if rule in ("id_repeated", "held_share") else Severity.ROW
    return CheckResult(rule, title, reason, severity, status, **{"evaluated": 9000, "observed": "all 9,000 rows", **more})


def contacts(**changes: Any) -> ParcelReport:
    values: dict[str, Any] = {
        "kind": Kind.CONTACT,
        "parcel_id": "contact-20261102T140500",
        "state": "committed",
        "counts": CommitCounts(read=9012, inserted=8100, updated=650, unchanged=50, held=212, matched=31, released=4),
        "checks": (
            check("id_present", "Each record has its CRM id", "Without the id a record can't be found again."),
            check("id_repeated", "Each record comes once", "The same record twice in one batch would be written twice."),
            check(
                "email_well_formed",
                "E-mail addresses are well formed",
                EMAIL_REASON,
                Status.HELD,
                failed=210,
                observed="210 of 9,000 rows (2.3%)",
                examples=("c-00017", "c-00021"),
            ),
            check("text_fits", "Texts fit their columns", "A text longer than its column would be cut off.", Status.HELD, failed=2),
        ),
        "held": (
            *(HeldRow(f"c-{n:05}", "email_well_formed", EMAIL_REASON, "email", f"person{n} at example.com") for n in range(60)),
            HeldRow("c-7", "text_fits", "A text longer than its column would be cut off.", "title (100 characters at most)", "x" * 150),
            HeldRow("", "text_fits", "A text longer than its column would be cut off.", "city (100 characters at most)", ""),
        ),
        "findings": (
            Finding(Kind.CONTACT, "shared address", "Several contacts share one address; each keeps its own row.", 14, ("c-1", "c-2")),
        ),
        "seconds": {"extract": 41.2, "plan": 3.4, "check": 1.9, "commit": 12.6},
        "rows_per_s": 152.4,
    }
    return ParcelReport(**{**values, **changes})


def report(**changes: Any) -> RunReport:
    values: dict[str, Any] = {
        "run_id": "2026-11-02-core-sync-1",
        "flow": "core-sync",
        "connector": "acme",
        "started_at": datetime(2026, 11, 2, 14, 5, tzinfo=UTC),
        "ended_at": datetime(2026, 11, 2, 14, 7, 11, tzinfo=UTC),
        "state": "completed",
        "parcels": (
            ParcelReport(Kind.ACCOUNT, "account-1", "committed", CommitCounts(read=1231, inserted=31, updated=200, unchanged=1000)),
            contacts(),
        ),
        "verification": (
            VerificationLine(Kind.ACCOUNT, 1231, 1231, True),
            VerificationLine(Kind.CONTACT, 9012, 8769, True, ("212 wait in quarantine", "31 were matched onto one person")),
            VerificationLine(Kind.LEAD, 400, 399, False, ("1 is missing and nothing explains it",)),
        ),
        "findings": (Finding(None, "new field", "The CRM has a new field, segment; it was added and filled."),),
        "next_steps": ("Correct the 212 held records in the CRM; they come with the next run.",),
    }
    return RunReport(**{**values, **changes})
