"""What a merge field shows of one person: the rows of its saved report that are theirs (CUST-3). Reads only, as every report does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from adapters.market.database import Database
from adapters.market.saved_reports import read_only, refuse_impossible
from adapters.market.saved_reports_sql import Asking, listed_columns
from adapters.market.schema import contacts
from sync.address import address_key
from sync.errors import ConfigError
from sync.merge_fields import MergeField, merge_mistakes, wanted_columns
from sync.saved_reports import SavedReport

_MOST_MERGES = 100


class MergeRows:
    """Every method raises MarketUnavailable. `now` is UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_person(self, merge: MergeField, report: SavedReport, contact_id: int, now: datetime) -> list[dict[str, Any]]:
        """Column → value of each row, in the field's order. Who was merged away has the winner's rows (MATCH-8).

        Raises ConfigError for a field or a report that these tables can't answer, and where there is no such person.
        """
        columns = wanted_columns(merge, listed_columns(report))
        asked = replace(report, columns=columns, order_by=merge.order_by or report.order_by, limit=None)
        with self._asking(merge, report, now) as (connection, asking):
            person = _standing(connection, contact_id)
            most = merge.limit if report.limit is None else min(merge.limit, report.limit)
            found = connection.execute(asking.rows(asked, most, person=person))
            return [dict(zip(columns, row, strict=True)) for row in found]

    def check(self, merge: MergeField, report: SavedReport, now: datetime) -> None:
        """Raises ConfigError that names every mistake."""
        with self._asking(merge, report, now):
            pass

    def people_with(self, address: str) -> tuple[int, ...]:
        """Keys of the living people with this address, the one that was written last first."""
        own = (contacts.c.email_key == address_key(address)) & contacts.c.deleted_date.is_(None) & contacts.c.merged_into.is_(None)
        query = select(contacts.c.contact_id).where(own).order_by(contacts.c.updated_at.desc(), contacts.c.contact_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    @contextmanager
    def _asking(self, merge: MergeField, report: SavedReport, now: datetime) -> Iterator[tuple[Connection, Asking]]:
        with self._database.reading() as connection, read_only(connection):
            refuse_impossible(connection, [report])
            asking = Asking(connection, now)
            if found := [f"  {place}: {what}" for place, what in merge_mistakes(merge, report, listed_columns(report), asking.known)]:
                raise ConfigError(
                    "a merge field can't be shown:\n" + "\n".join(dict.fromkeys(found)),
                    where=merge.place,
                    todo="correct these lines of the configuration; a new field of the CRM becomes a column with the next sync",
                )
            yield connection, asking


def _standing(connection: Connection, contact_id: int) -> int:
    """Who stands for this row now."""
    row = contact_id
    for _ in range(_MOST_MERGES):
        found = connection.execute(select(contacts.c.contact_id, contacts.c.merged_into).where(contacts.c.contact_id == row)).first()
        if found is None:
            raise ConfigError(f"there is no person {contact_id}", where="contacts", todo="name the contact_id of a row, or an address")
        if found.merged_into is None:
            break
        row = int(found.merged_into)
    return row
