"""Which field of a held record is wrong, and what stands in it: as the reports of the last runs tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.market.quarantine import Held
from sync.records import Kind
from sync.report import HeldRow, RunReport
from tasks.operate import report_of
from tasks.wiring import installation

_LAST_RUNS = 5
_WRONG = {
    "id_present": "is missing",
    "stamp_present": "is missing",
    "text_fits": "is too long",
    "email_length": "is too long",
    "value_readable": "can't be read",
    "email_well_formed": "is no e-mail address",
    "reference_well_formed": "is no id",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`what`: the field and what is the matter with it. `value`: what stands there, shortened, on one line and printable."""

    what: str
    value: str


def faults_known(config: str, records: Iterable[Held]) -> dict[int, Fault]:
    """By the entry's number. Entries that no report names any more are left out; a report shows some rows only."""
    wanted = [held for held in records if held.crm_id]
    told = {name: _told(config, name) for name in {held.connector for held in wanted}}
    rows = {held.quarantine_id: told[held.connector].get((held.kind, held.crm_id, held.rule)) for held in wanted}
    return {entry: _fault(row) for entry, row in rows.items() if row is not None and row.column}


def _told(config: str, connector: str) -> dict[tuple[Kind, str, str], HeldRow]:
    """The newest report's word counts."""
    runs = installation(config).market.runs.list(connector, limit=_LAST_RUNS)
    found: dict[tuple[Kind, str, str], HeldRow] = {}
    for run in reversed(runs):
        report = _report(config, run.run_id)
        for part in report.parcels if report else ():
            found |= {(part.kind, row.crm_id, row.rule): row for row in part.held}
    return found


def _report(config: str, run_id: str) -> RunReport | None:
    """None: it was removed, or the run left none that can be read."""
    try:
        return report_of(config, run_id)[0]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fault(row: HeldRow) -> Fault:
    """What came from a CRM may hold control characters; a terminal must not obey them."""
    value = "".join(each if each.isprintable() else " " for each in row.value)
    return Fault(f"{row.column} {_WRONG.get(row.rule, 'is not as it should be')}", value or "(empty)")
