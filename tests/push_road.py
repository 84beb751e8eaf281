"""The push road over HTTP without Prefect's engine, in an installation whose initial sync is done, and a marketing day to push."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

import flows.push
from adapters.market.engine import Market
from adapters.market.queueing import Queued, queue
from sync.happened import in_words
from sync.push import CORE, EMAIL_ACTIVITY, TIME_SENSITIVE
from sync.push_settings import PushOptions
from sync.records import Kind, RunRef
from tasks.happened import kept_happened
from tasks.operate import CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.report import noted_findings
from tasks.runs import begin_following
from tasks.wiring import now
from tests.core_road import CoreRoad, Followed, core_road, without_engine
from tests.pull_road import OPEN_GATE

KINDS = {CORE_FLOW: CORE, EMAIL_FLOW: EMAIL_ACTIVITY, TIME_SENSITIVE_FLOW: TIME_SENSITIVE}
EVERYTHING = "[connectors.acme.push]\n" + "".join(f"{option} = true\n" for option in PushOptions.__dataclass_fields__)
AT = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
_STORED = "%Y-%m-%d %H:%M:%S.%f"  # an instant in SQLite
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Marketing:
    """What a marketing application does, in rows, with what it leaves in the outbox of `acme`. Every method gives the outbox's rows."""

    market: Market
    connector: str = "acme"

    def row(self, table: str, key: str, **values: Any) -> int:
        """→ its key."""
        names = ", ".join(values)
        statement = f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)}) RETURNING {key}"
        lite = self._lite
        given = {name: f"{value:{_STORED}}" if lite and isinstance(value, datetime) else value for name, value in values.items()}
        with self.market.database.writing() as connection:
            return int(connection.execute(text(statement), given).scalar_one())

    def read(self, query: str) -> list[dict[str, Any]]:
        with self.market.database.reading() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    def queue(self, kind: Kind, contact_id: int, subject_id: int = 0, value: str = "{}") -> None:
        with self.market.database.writing() as connection:
            queue(connection, [Queued(self.connector, kind, contact_id, subject_id, value)], now())

    @property
    def _lite(self) -> bool:
        with self.market.database.reading() as connection:
            return connection.dialect.name == "sqlite"

    def campaign(self, name: str = "Spring") -> int:
        stamps = {"created_at": AT, "updated_at": AT}
        key = f"{name.lower()}-{next(_numbers)}"
        return self.row(
            "campaigns", "campaign_id", campaign_key=key, name=name, subject=f"{name} news", from_address="us@example.com", **stamps
        )

    def mail(self, contact_id: int, campaign_id: int, *, status: int = 1, **values: Any) -> int:
        told = {"address": "they@example.com", "subject": f"News {next(_numbers)}", "sent_at": AT, "opens": 0, "clicks": 0, **values}
        send = self.row(
            "email_sends", "send_id", **_event(), campaign_id=campaign_id, contact_id=contact_id, delivery_status=status, **told
        )
        self.queue(Kind.SENT, contact_id, send)
        return send

    def reaction(self, kind: Kind, contact_id: int, campaign_id: int) -> None:
        what = "open" if kind is Kind.OPENED else "click"
        self.row("email_events", "email_event_id", **_event(), what=what, campaign_id=campaign_id, contact_id=contact_id, at=AT)
        self.queue(kind, 0, campaign_id)

    def task(self, contact_id: int, subject: str = "Call them") -> int:
        task = self.row("tasks", "task_id", **_event(), contact_id=contact_id, subject=subject, priority="high", created_at=AT)
        self.queue(Kind.TASK, contact_id, task)
        return task

    def visit(self, contact_id: int) -> int:
        visit = self.row("web_visits", "visit_id", **_event(), contact_id=contact_id, started_at=AT, landing_page="https://example.com/")
        for page in ("one", "two"):
            self.row("page_views", "page_view_id", **_event(), visit_id=visit, url=f"https://example.com/{page}", title=page, at=AT)
        self.queue(Kind.VISIT, contact_id, visit)
        return visit

    def completion(self, contact_id: int) -> int:
        stamps = {"created_at": AT, "updated_at": AT}
        page = self.row("landing_pages", "page_id", page_key=f"page-{next(_numbers)}", name="White paper", sync_with_crm=True, **stamps)
        done = self.row(
            "completions", "completion_id", **_event(), page_id=page, contact_id=contact_id, form="f", completed_at=AT, answers="{}"
        )
        self.queue(Kind.COMPLETION, contact_id, done)
        return done

    def registration(self, contact_id: int) -> int:
        stamps = {"created_at": AT, "updated_at": AT}
        event = self.row("marketing_events", "marketing_event_id", event_key=f"e-{next(_numbers)}", name="Fair", starts_at=AT, **stamps)
        there = self.row("registrations", "registration_id", **_event(), marketing_event_id=event, contact_id=contact_id, registered_at=AT)
        self.queue(Kind.REGISTRATION, contact_id, there)
        return there

    def profile(self) -> int:
        with self.market.database.reading() as connection:
            found = connection.execute(text("SELECT profile_id FROM scoring_profiles WHERE profile_key = 'default'")).scalar()
        if found is not None:
            return int(found)
        return self.row("scoring_profiles", "profile_id", profile_key="default", name="Default", created_at=AT, updated_at=AT)

    def score(self, contact_id: int, score: float) -> None:
        profile = self.profile()
        self.row("scores", "contact_id", contact_id=contact_id, profile_id=profile, score=score, scored_at=AT)
        self.queue(Kind.SCORE, contact_id, profile)

    def person(self, address: str, **values: Any) -> int:
        """A person whom only Market knows, to be created in the CRM."""
        with self.market.database.writing() as connection:
            keys = text("UPDATE key_sequences SET next_key = next_key + 1 WHERE table_name = 'contacts' RETURNING next_key - 1")
            contact_id = int(connection.execute(keys).scalar_one())
        named = {"first_name": "Nora", "last_name": f"Newcomer {next(_numbers)}", **values}
        known = {"email": address, "email_key": address.lower(), "account_id": 1, "opt_out": False, "del_status": 0, "crm_type": "Lead"}
        self.row("contacts", "contact_id", contact_id=contact_id, created_at=AT, updated_at=AT, **known, **named)
        self.queue(Kind.NEW_LEAD, contact_id)
        return contact_id

    def opt_out(self, contact_id: int) -> None:
        self.market.consent.unsubscribe(contact_id, who="a test", why="they asked", now=now(), push=(self.connector,))


def _event() -> dict[str, str]:
    return {"event_id": f"event-{next(_numbers)}"}


@dataclass(frozen=True)
class PushRoad:
    """A `CoreRoad` whose connector pushes everything."""

    core: CoreRoad
    does: Marketing

    @property
    def control(self) -> Any:
        return self.core.control

    def push(self, flow: str = TIME_SENSITIVE_FLOW, kinds: Sequence[Kind] = ()) -> Followed:
        """One run of a flow's pushes."""
        run = RunRef(f"push-{next(_numbers)}", flow, self.core.road.connector, self.core.road.config)
        with without_engine():
            begin_following(run)
            flows.push.push(run, kinds or KINDS[flow], now())
        home = self.core.road.home
        return Followed(run.run_id, in_words(kept_happened(home, run)), noted_findings(home, run))

    def states(self, kind: Kind) -> dict[str, int]:
        """How many rows of the outbox are in each state."""
        query = "SELECT state, count(*) AS many FROM outbox WHERE kind = :kind GROUP BY state"
        return {row["state"]: row["many"] for row in self.core.rows(query, kind=kind.value)}

    def people(self, kind: Kind = Kind.CONTACT, limit: int = 100) -> list[tuple[int, str]]:
        """(contact_id, crm_id) of people with one record of this kind."""
        query = (
            "SELECT market_id, min(crm_id) AS crm_id FROM crm_links WHERE kind IN ('lead', 'contact') AND living AND converted_to IS NULL "
            "GROUP BY market_id HAVING count(*) = 1 AND min(kind) = :kind ORDER BY market_id LIMIT :some"
        )
        return [(row["market_id"], row["crm_id"]) for row in self.core.rows(query, kind=kind.value, some=limit)]

    def dump(self, module: str) -> list[dict[str, Any]]:
        """The CRM's living records."""
        return list(self.control.dump(module, deleted=False))


@contextmanager
def push_road(folder: Path, market_url: str, *, push: str = EVERYTHING, more: str = OPEN_GATE, **settings: Any) -> Iterator[PushRoad]:
    """`push`: lines after the connector's own. `more`: tables of the configuration. `settings`: of the sandbox."""
    with core_road(folder, market_url, connector=push, more=more, **settings) as core:
        yield PushRoad(core, Marketing(core.road.market))
