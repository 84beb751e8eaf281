"""Deletions that were too large to be done without asking, and what operators answered (DEL-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from adapters.market.database import Database
from adapters.market.schema_following import brakes
from sync.brake import Answer, answer_now

_OPEN = brakes.c.used_at.is_(None)


@dataclass(frozen=True, slots=True)
class Brake:
    """One question. `connector` is empty where it is about all of Market; `subject` is a kind or a saved report. Times are UTC."""

    brake_id: int
    connector: str
    subject: str
    rows_affected: int
    rows_before: int
    limit_share: float
    asked_at: datetime
    run_id: str
    answer: Answer


class Brakes:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, connector: str, subject: str, *, rows_affected: int, rows_before: int, limit_share: float, run_id: str, now: datetime
    ) -> Answer:
        """What was answered about this deletion; a question that was not there yet is written down. ALLOW and REFUSE are good until
        `use_answer`; a deletion that has grown since is asked about again."""
        which = (brakes.c.connector == connector) & (brakes.c.subject == subject) & _OPEN
        values = {"rows_affected": rows_affected, "rows_before": rows_before, "limit_share": limit_share, "run_id": run_id}
        with self._database.writing() as connection:
            found = connection.execute(select(brakes.c.answer, brakes.c.rows_affected).where(which)).first()
            if found is None:
                connection.execute(insert(brakes).values(connector=connector, subject=subject, asked_at=now, **values))
                return Answer.WAIT
            answer = answer_now(Answer(found.answer or Answer.WAIT), int(found.rows_affected), rows_affected)
            if answer is Answer.WAIT and (found.answer or found.rows_affected != rows_affected):
                connection.execute(update(brakes).where(which).values(answer=None, answered_at=None, answered_by=None, **values))
            return answer

    def open(self, connector: str | None = None) -> tuple[Brake, ...]:
        """Questions that no run has acted upon yet, the oldest first."""
        query = select(brakes).where(_OPEN).order_by(brakes.c.brake_id)
        if connector is not None:
            query = query.where(brakes.c.connector.in_((connector, "")))
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Brake(
                row["brake_id"],
                row["connector"],
                row["subject"],
                row["rows_affected"],
                row["rows_before"],
                row["limit_share"],
                row["asked_at"],
                row["run_id"],
                Answer(row["answer"] or Answer.WAIT),
            )
            for row in rows
        )

    def answer(self, brake_id: int, answer: Answer, *, who: str, now: datetime) -> bool:
        """An operator's answer; the next run acts upon it. False: there is no such open question."""
        with self._database.writing() as connection:
            values = {"answer": answer.value, "answered_at": now, "answered_by": who}
            return connection.execute(update(brakes).where(brakes.c.brake_id == brake_id, _OPEN).values(values)).rowcount > 0


def use_answer(connection: Connection, connector: str, subject: str, now: datetime) -> None:
    """Closes the question, in the transaction that acts upon its answer."""
    which = (brakes.c.connector == connector) & (brakes.c.subject == subject) & _OPEN
    connection.execute(update(brakes).where(which).values(used_at=now))
