"""Alerts that were noted: what is wrong now, and whether somebody was told."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from adapters.market.database import Database
from adapters.market.schema_alerts import alerts
from sync.alerts import Alert, Concern, Topic


class Alerts:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, connector: str | None = None) -> tuple[Alert, ...]:
        """What was noted, also what is over and was not told yet; the oldest first."""
        query = select(alerts).order_by(alerts.c.since, alerts.c.connector, alerts.c.topic, alerts.c.subject)
        if connector is not None:
            query = query.where(alerts.c.connector == connector)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Alert(
                Concern(row["connector"], Topic(row["topic"]), row["subject"], row["since"], row["message"], row["todo"]),
                row["told_at"],
                row["over_at"],
                row["trouble"] or "",
            )
            for row in rows
        )

    def note(self, keep: Iterable[Alert], drop: Iterable[Alert] = ()) -> None:
        """Writes these as they are now, and forgets those; one transaction."""
        with self._database.writing() as connection:
            for alert in drop:
                connection.execute(delete(alerts).where(_key(alert)))
            for alert in keep:
                _write(connection, alert)


def _key(alert: Alert) -> ColumnElement[bool]:
    connector, topic, subject = alert.concern.key
    return and_(alerts.c.connector == connector, alerts.c.topic == topic, alerts.c.subject == subject)


def _write(connection: Connection, alert: Alert) -> None:
    concern = alert.concern
    values = {
        "since": concern.since,
        "message": concern.message,
        "todo": concern.todo,
        "told_at": alert.told_at,
        "over_at": alert.over_at,
        "trouble": alert.trouble or None,
    }
    if connection.execute(update(alerts).where(_key(alert)).values(values)).rowcount == 0:
        connector, topic, subject = concern.key
        connection.execute(insert(alerts).values(connector=connector, topic=topic, subject=subject, **values))
