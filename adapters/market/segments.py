"""Segments: stored lists of people that follow saved reports, by difference (REPORT-1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, func, insert, literal, select, update

from adapters.market.database import Database
from adapters.market.saved_reports import refuse_impossible
from adapters.market.saved_reports_sql import Asking
from adapters.market.schema_lists import segment_members, segments
from adapters.market.types import INSTANT, KEY
from sync.saved_report_words import in_words
from sync.saved_reports import SavedReport, SegmentChange


class Segments:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refresh(self, reports: Sequence[SavedReport], now: datetime) -> tuple[SegmentChange, ...]:
        """Compares each segment with its report; only who joined or left is written, and nothing when nobody did. `now` is UTC.

        → the segments that changed. Raises ConfigError for reports that can't be answered; then no segment was written.
        """
        with self._database.reading() as connection:
            refuse_impossible(connection, reports)
            asking = Asking(connection, now)
            behind = [report for report in reports if _is_behind(connection, asking, report)]
        return tuple(self._refresh(report, now) for report in behind)

    def members(self, name: str) -> tuple[int, ...]:
        """Keys of the people in a segment, in their order."""
        query = select(segment_members.c.contact_id).where(segment_members.c.segment_name == name).order_by(segment_members.c.contact_id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def sizes(self) -> dict[str, int]:
        """Every segment that Market has, with how many people are in it."""
        sized = select(segments.c.segment_name, func.count(segment_members.c.contact_id))
        sized = sized.outerjoin(segment_members, segment_members.c.segment_name == segments.c.segment_name)
        with self._database.reading() as connection:
            found = connection.execute(sized.group_by(segments.c.segment_name).order_by(segments.c.segment_name))
            return {name: int(size) for name, size in found}

    def drop(self, name: str) -> int:
        """A segment whose report is gone. → how many people were in it."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(segment_members).where(segment_members.c.segment_name == name)).rowcount
            connection.execute(delete(segments).where(segments.c.segment_name == name))
        return gone

    def _refresh(self, report: SavedReport, now: datetime) -> SegmentChange:
        with self._database.writing() as connection:
            asking = Asking(connection, now)
            who = [literal(report.name, KEY), _joining(asking, report).subquery().c.contact_id, literal(now, INSTANT)]
            names = [column.name for column in segment_members.c]
            joining = insert(segment_members).from_select(names, select(*who)).execution_options(preserve_rowcount=True)
            joined = connection.execute(joining).rowcount
            left = connection.execute(delete(segment_members).where(_leaving(asking, report))).rowcount
            _note(connection, report, now)
        return SegmentChange(report.name, joined, left)


def _is_behind(connection: Connection, asking: Asking, report: SavedReport) -> bool:
    """Whether anybody joined or left, or the condition is not the one that was written down."""
    known = connection.execute(select(segments.c.condition).where(segments.c.segment_name == report.name)).scalar()
    if known != _condition(report):
        return True
    if connection.execute(_joining(asking, report).limit(1)).first() is not None:
        return True
    return connection.execute(select(segment_members.c.contact_id).where(_leaving(asking, report)).limit(1)).first() is not None


def _joining(asking: Asking, report: SavedReport) -> Select[Any]:
    """Keys of those who meet the report and are not members."""
    keys = asking.keys(report)
    key = keys.selected_columns[0]
    return keys.where(~exists().where(segment_members.c.segment_name == report.name, segment_members.c.contact_id == key))


def _leaving(asking: Asking, report: SavedReport) -> Any:
    """Members who do not meet the report."""
    keys = asking.keys(report)
    meets = keys.where(keys.selected_columns[0] == segment_members.c.contact_id).correlate(segment_members)
    return (segment_members.c.segment_name == report.name) & ~meets.exists()


def _condition(report: SavedReport) -> str:
    return "\n".join(in_words(report))


def _note(connection: Connection, report: SavedReport, now: datetime) -> None:
    values = {"condition": _condition(report), "refreshed_at": now}
    if connection.execute(update(segments).where(segments.c.segment_name == report.name).values(values)).rowcount == 0:
        connection.execute(insert(segments).values(segment_name=report.name, **values))
