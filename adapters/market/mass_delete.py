"""Rows are deleted in Market (DEL-3, DEL-4): they get `deleted_date`, and nothing else of them or about them goes.

Deleting a person changes no marketing list, no opportunity, no ledger and no link: at send time they count as rejected (DEL-6).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, update

from adapters.market.brakes import use_answer
from adapters.market.columns import current_table
from adapters.market.database import Database
from adapters.market.saved_reports import preview_of, refuse_impossible
from adapters.market.saved_reports_sql import Asking
from adapters.market.schema import NO_COMPANY
from adapters.market.schema_books import parcels
from sync.errors import ConfigError
from sync.saved_reports import BrakeLimits, Deletion, SavedReport, brake_subject


@dataclass(frozen=True, slots=True)
class Warrant:
    """Who deletes by a report, why, and how much without asking. `allowed_rows`: what an operator said yes to; 0: nobody was asked.

    `do_not_pull`: a change in the CRM does not bring the rows back (DEL-7). `now` is UTC.
    """

    run_id: str
    who: str
    why: str
    now: datetime
    limits: BrakeLimits
    do_not_pull: bool = False
    allowed_rows: int = 0


class MassDelete:
    """Raises MarketUnavailable; then nothing was deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def delete(self, report: SavedReport, warrant: Warrant) -> Deletion:
        """Deletes the rows that meet the report now, all or none, in one transaction; an entry in `parcels` says who and why.

        Braked, and nothing deleted, when they are more than was allowed (DEL-8). Raises ConfigError for a report that can't delete.
        """
        refuse_deleting_by(report)
        with self._database.writing() as connection:
            refuse_impossible(connection, [report])
            asking = Asking(connection, warrant.now)
            found = preview_of(connection, asking, report, warrant.limits)
            braked = found.rows > warrant.allowed_rows and warrant.limits.holds(found.rows, found.rows_before)
            if found.rows and not braked:
                soft_delete(connection, report.of.table, asking.keys(report), now=warrant.now, do_not_pull=warrant.do_not_pull)
                _write_down(connection, report, found.rows, warrant)
                use_answer(connection, "", brake_subject(report.name), warrant.now)
        return Deletion(report.name, report.of, found.rows, braked, found.examples)


def soft_delete(
    connection: Connection,
    table: str,
    keys: Select[Any] | Collection[int],
    *,
    now: datetime,
    do_not_pull: bool = False,
    deleted_at: datetime | None = None,
) -> int:
    """The one place where rows of users, accounts, contacts or opportunities are deleted by Market itself. → how many.

    A row that is deleted already is not written, and "No Company" is never deleted (PULL-6). In the caller's transaction; the caller
    sees to it that plans made before are made anew (`note_deletion`). `deleted_at`: what `deleted_date` says, else now.
    """
    target = current_table(connection, table)
    key = next(iter(target.primary_key.columns))
    which: list[ColumnElement[bool]] = [key.in_(keys), target.c.deleted_date.is_(None)]
    if table == "accounts":
        which.append(key != NO_COMPANY)
    values = {"deleted_date": deleted_at or now, "updated_at": now, **({"do_not_pull": True} if do_not_pull else {})}
    return connection.execute(update(target).where(*which).values(values)).rowcount


def note_deletion(connection: Connection, *, run_id: str, what: str, now: datetime, about: Mapping[str, Any]) -> None:
    """An entry in `parcels`: a plan that was made before does not fit this Market any more (`Market.mark`). `about` goes into JSON."""
    values = {"parcel_id": f"deletion-{uuid.uuid4()}", "connector": "", "kind": what, "run_id": run_id}
    connection.execute(insert(parcels).values(**values, committed_at=now, counts=json.dumps(about, ensure_ascii=False)))


def refuse_deleting_by(report: SavedReport) -> None:
    """Raises ConfigError for a report that is made for looking only."""
    if report.of.is_activity:
        raise ConfigError(f"a report of {report.of} deletes nothing: activity stays", where=f"{report.place}.of", todo="it can be listed")
    if not report.conditions:
        raise ConfigError("a report without conditions deletes nothing: every row would go", where=report.place, todo="add a condition")
    if report.limit is not None or report.include_deleted:
        key = "limit" if report.limit is not None else "include_deleted"
        raise ConfigError(
            f"a report with {key} is for looking only", where=f"{report.place}.{key}", todo="take it out to delete by this report"
        )


def _write_down(connection: Connection, report: SavedReport, rows: int, warrant: Warrant) -> None:
    about = {"report": report.name, "deleted": rows, "do_not_pull": warrant.do_not_pull, "who": warrant.who, "why": warrant.why}
    note_deletion(connection, run_id=warrant.run_id, what=str(report.of), now=warrant.now, about=about)
