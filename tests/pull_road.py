"""The pull road without Prefect's engine: schema → extract → plan → (owners) → check → commit, one kind after the other.

`PullRoad` has a configuration, a Market and, if it reads over HTTP, a sandbox. `commit_records` walks the same road from the plan on,
with records that a test wrote itself: no CRM is needed then.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from adapters.market.columns import CatalogueEntry
from adapters.market.engine import Market
from sync.columns import FIXED_COLUMNS, POINTERS
from sync.errors import GateRejected
from sync.fields import Reading
from sync.records import PULL_ORDER, CommitCounts, Kind, Page, PageFormat, ParcelRef, RunRef
from tasks.check import check
from tasks.commit import commit
from tasks.extract import extract, extract_named
from tasks.plan import plan
from tasks.runs import begin, set_rejected_aside
from tasks.schema import replicate_schema
from tasks.verify import verify
from tasks.wiring import Installation, installation, now

Record = Mapping[str, Any]
OPEN_GATE = "[gate]\nmin_rows_for_share = 1000000\n"
"""Batches of tests are small and nasty: shares say nothing about them."""

SUGAR_LOGIN = 'crm = "sugarcrm"\nusername = "mkt_sync"\npassword = { file = "%s" }'
SALESFORCE_LOGIN = 'crm = "salesforce"\nclient_id = "sandbox-client-id"\nclient_secret = { file = "%s" }'

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class PullRoad:
    """One connector of one installation. Every method works for itself; `pull` is all of them in order."""

    config: str
    connector: str = "acme"
    run_id: str = "run-1"

    @property
    def run(self) -> RunRef:
        return RunRef(self.run_id, "initial-sync", self.connector, self.config)

    @property
    def home(self) -> Installation:
        return installation(self.config)

    @property
    def market(self) -> Market:
        return self.home.market

    # -- from a CRM -------------------------------------------------------------------------------------------------

    def schema(self) -> str:
        begin(self.run)
        return str(replicate_schema.fn(self.run))

    def extract(self, kind: Kind, schema: str, purpose: str | None = None) -> ParcelRef:
        ref: ParcelRef = extract.fn(self.run, kind, purpose or f"test-{next(_numbers)}", schema)
        return ref

    def bring_in(self, ref: ParcelRef, schema: str = "", *, gate: bool = True) -> CommitCounts:
        """As `flows.pull.bring_in` does it; without a schema no owners are fetched, without the gate nothing is held (and it is quick)."""
        unknown = plan.fn(self.run, ref)
        if unknown and schema and ref.kind is not Kind.USER:
            owners = extract_named.fn(self.run, Kind.USER, f"owners-{next(_numbers)}", schema, unknown)
            plan.fn(self.run, owners)
            self._check_and_commit(owners, cursor_moves=False)
            plan.fn(self.run, ref, again=True)
        return self._check_and_commit(ref, gate=gate)

    def _check_and_commit(self, ref: ParcelRef, *, cursor_moves: bool = True, gate: bool = True) -> CommitCounts:
        try:
            if gate:
                check.fn(self.run, ref)
        except GateRejected:
            set_rejected_aside.fn(self.run, ref)
            raise
        counts: CommitCounts = commit.fn(self.run, ref, cursor_moves)
        return counts

    def pull(self, kinds: Sequence[Kind] = PULL_ORDER) -> dict[Kind, CommitCounts]:
        """Everything that the CRM has of these kinds, in their order; all are read before the first is committed (INIT-1)."""
        schema = self.schema()
        refs = {kind: self.extract(kind, schema) for kind in kinds}
        return {kind: self.bring_in(ref, schema) for kind, ref in refs.items()}

    def verify(self) -> None:
        verify.fn(self.run)

    # -- from records that a test wrote -----------------------------------------------------------------------------

    def commit_records(
        self,
        kind: Kind,
        readings: Sequence[Reading],
        flushes: Sequence[Sequence[Sequence[Record]]],
        *,
        gate: bool = True,
        written: PageFormat = PageFormat.NDJSON,
    ) -> CommitCounts:
        """`flushes` → pages → records: what is loaded together, and what came together."""
        return self.bring_in(self.stage(kind, readings, flushes, written=written), gate=gate)

    def stage(
        self,
        kind: Kind,
        readings: Sequence[Reading],
        flushes: Sequence[Sequence[Sequence[Record]]],
        baseline: str = "",
        written: PageFormat = PageFormat.NDJSON,
    ) -> ParcelRef:
        write = csv_page if written is PageFormat.CSV else ndjson
        return self.stage_bodies(kind, readings, [[write(page) for page in pages] for pages in flushes], baseline, written)

    def stage_bodies(
        self,
        kind: Kind,
        readings: Sequence[Reading],
        flushes: Sequence[Sequence[bytes]],
        baseline: str = "",
        written: PageFormat = PageFormat.NDJSON,
    ) -> ParcelRef:
        """The same with the bytes of each page."""
        fields = tuple(dict.fromkeys(reading.source for reading in readings))
        about = {"baseline": baseline or now().isoformat(), "whole": "no"}
        ref = self.home.parcels.create(self.connector, kind, f"test-{next(_numbers)}", fields, readings, about)
        with self.home.parcels.open(ref) as parcel:
            spool = parcel.spool()
            for pages in flushes:
                for body in pages:
                    rows = body.count(b"\n") + (-1 if written is PageFormat.CSV else 1)  # a heading, and every line of it ended
                    spool.add(Page("s", body, rows, "next", len(body), format=written))
                spool.flush()
            spool.close()
            parcel.tell("state", "read")
        return ref

    def make_columns(self, kind: Kind, readings: Sequence[Reading]) -> None:
        """The columns of replicated fields, as `replicate_schema` makes them."""
        fixed = {*FIXED_COLUMNS[kind.table], *POINTERS}
        self.market.columns.add(
            [
                CatalogueEntry(self.connector, kind, each.source, "varchar", kind.table, each.column, each.type)
                for each in readings
                if each.column not in fixed
            ],
            now(),
        )

    # -- looking ----------------------------------------------------------------------------------------------------

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with self.market.database.reading() as connection:
            return [dict(row) for row in connection.execute(text(query), values).mappings()]

    def execute(self, statement: str, **values: Any) -> None:
        with self.market.database.writing() as connection:
            connection.execute(text(statement), values)


def csv_page(records: Sequence[Record]) -> bytes:
    """As Bulk writes them: every value in quotes, true and false as texts, nothing where there is no value."""
    names = list(dict.fromkeys(name for record in records for name in record))
    page = io.StringIO(newline="")
    writer = csv.writer(page, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(record.get(name)) for name in names] for record in records)
    return page.getvalue().encode()


def _cell(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else "" if value is None else str(value)


def ndjson(records: Sequence[Record]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


@contextmanager
def pull_road(
    folder: Path,
    market_url: str,
    crm_url: str = "http://127.0.0.1:9",
    *,
    connector: str = "",
    more: str = OPEN_GATE,
    who: str = SUGAR_LOGIN,
    password: str = "sandbox-password",
) -> Iterator[PullRoad]:
    """Writes a configuration into `folder`. `connector`: more lines of its table; `more`: more tables; `who`: the CRM, and how to log in,
    with %s for the file of the secret."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret"
    secret.write_text(password)
    path = folder / "marketsync.toml"
    path.write_text(
        f'data_dir = "{folder / "data"}"\n[market]\nurl = "{market_url}"\n{more}\n'
        f'[connectors.acme]\nurl = "{crm_url}"\n{who % secret}\n{connector}\n'
    )
    road = PullRoad(str(path))
    road.market.upgrade()
    try:
        yield road
    finally:
        road.market.close()
