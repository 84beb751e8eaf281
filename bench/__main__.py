"""`make bench`: every route over the same server and database, one after the other; a table, and bench/results/latest.json.

    rows:     --rows N (default 1,000,000) contacts of 43 columns, in pages of 2,000
    routes:   ours → PostgreSQL and SQLite, at N and at N/5; the same from a Salesforce by Bulk API 2.0; the bare route;
              dlt with Arrow and merge (an environment of its own)
    nothing:  what a run with nothing to do costs

Only ratios of one run mean anything: machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contacts import make_contacts
from tests.postgres import postgres_server

HERE = Path(__file__).parent
PAGE_ROWS = 2_000
_CONFIG = """data_dir = "{folder}/data"
[market]
url = "{market}"
[connectors.bench]
url = "{server}"
{who}
page_rows = {page_rows}
connections = 3
pull = {{ leads = false, opportunities = false }}
"""
_SUGARCRM = 'crm = "sugarcrm"\nusername = "bench"\npassword = { env = "BENCH_PASSWORD" }'
_SALESFORCE = 'crm = "salesforce"\nclient_id = "bench"\nclient_secret = { env = "BENCH_PASSWORD" }'


@dataclass
class Outcome:
    """One route's measurement. `seconds` per step; `rows_per_s` over their sum."""

    route: str
    rows: int
    seconds: dict[str, float]
    peak_mb: float
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.total_s if self.total_s else 0.0


class _Told(list[Outcome]):
    """Says what each route came to when it is known: a later one may fail."""

    def append(self, outcome: Outcome) -> None:
        super().append(outcome)
        print(_line(outcome), file=sys.stderr, flush=True)


def main() -> None:
    asked = argparse.ArgumentParser(prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=int(os.environ.get("BENCH_ROWS", "1000000")))
    asked.add_argument("--without-dlt", action="store_true")
    options = asked.parse_args()
    outcomes = _Told()
    with postgres_server() as postgres, tempfile.TemporaryDirectory(prefix="marketsync-bench-") as folder:
        fifth = options.rows // 5
        with page_server(fifth) as server:
            outcomes.append(ours("ours → SQLite", server, Path(folder, "a"), f"sqlite:///{folder}/a/market.db", fifth))
            outcomes.append(ours("ours → PostgreSQL", server, Path(folder, "b"), new_database(postgres, "small"), fifth))
        for rows in (fifth, options.rows):
            with bulk_server(rows) as server:
                market, place = new_database(postgres, f"bulk_{rows}"), Path(folder, f"bulk-{rows}")
                outcomes.append(ours("Bulk 2.0 → PostgreSQL", server, place, market, rows, _SALESFORCE))
        with page_server(options.rows) as server:
            outcomes.append(bare(server, options.rows, new_database(postgres, "bare")))
            outcomes.append(ours("ours → PostgreSQL", server, Path(folder, "c"), new_database(postgres, "big"), options.rows))
            outcomes.append(ours("ours → SQLite", server, Path(folder, "d"), f"sqlite:///{folder}/d/market.db", options.rows))
            outcomes.append(nothing_to_do(Path(folder, "d")))
            if not options.without_dlt:
                python = dlt_environment()
                outcomes.append(dlt(python, "dlt → PostgreSQL", server, options.rows, new_database(postgres, "dlt"), Path(folder, "e")))
    ratios = compare(outcomes, options.rows)
    print(table(outcomes, ratios))
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    told = {"rows": options.rows, "outcomes": [{**vars(o), "rows_per_s": round(o.rows_per_s)} for o in outcomes], "ratios": ratios}
    (results / "latest.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


@contextmanager
def page_server(rows: int) -> Iterator[str]:
    data, index = make_contacts(HERE / "data", rows)
    with _serving("bench.page_server", str(data), str(index)) as address:
        yield address


@contextmanager
def bulk_server(rows: int) -> Iterator[str]:
    """The same people at a Salesforce."""
    with _serving("bench.bulk_server", str(rows)) as address:
        yield address


@contextmanager
def _serving(*module: str) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", *module], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def ours(route: str, server: str, folder: Path, market: str, rows: int, who: str = _SUGARCRM) -> Outcome:
    folder.mkdir(parents=True)
    config = folder / "marketsync.toml"
    config.write_text(_CONFIG.format(folder=folder, market=market, server=server, who=who, page_rows=PAGE_ROWS), encoding="utf-8")
    told = _child([sys.executable, "-m", "bench.ours", str(config), "bench"], BENCH_PASSWORD="not-a-secret")
    if told["rows"] != rows:
        raise SystemExit(f"{route}: {told['rows']:,} of {rows:,} rows arrived")
    shutil.rmtree(folder / "data", ignore_errors=True)
    return Outcome(route, rows, told.pop("seconds"), told.pop("peak_mb"), told)


def bare(server: str, rows: int, market: str) -> Outcome:
    told = _child([sys.executable, "-m", "bench.bare", server, str(rows), market])
    return Outcome("bare → PostgreSQL", told["rows"], told["seconds"], told["peak_mb"])


def dlt(python: str, route: str, server: str, rows: int, market: str, folder: Path) -> Outcome:
    told = _child([python, str(HERE / "dlt_route.py"), server, str(rows), market, str(folder)])
    return Outcome(route, told["rows"], told["seconds"], told["peak_mb"])


def nothing_to_do(folder: Path) -> Outcome:
    """A core run in which nothing changed: the whole process, from the command line to its end; nearly all of it is starting up."""
    command = [sys.executable, "-m", "flows.cli", "--config", str(folder / "marketsync.toml"), "run", "core"]
    environment = {**os.environ, "BENCH_PASSWORD": "not-a-secret"}
    subprocess.run(command, env=environment, check=True, capture_output=True)  # the first one after an initial sync reads its overlap
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return Outcome("nothing to do (whole process)", 0, {"all": time.perf_counter() - began}, 0.0)


def dlt_environment() -> str:
    """An environment of its own, made once: what dlt needs and what we need are kept apart."""
    folder = HERE / "data" / "dlt-environment"
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements-dlt.txt")], check=True)
        (folder / "made").touch()
    return str(python)


def new_database(server: str, name: str) -> str:
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute("CHECKPOINT")  # a route pays for what it writes itself, not for what the one before it left to be written
    return f"{server}/{name}"


def _child(command: list[str], **environment: str) -> dict[str, Any]:
    os.sync()  # for the same reason
    done = subprocess.run(command, env={**os.environ, "DO_NOT_TRACK": "1", **environment}, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} … ended with {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def compare(outcomes: list[Outcome], rows: int) -> dict[str, float]:
    """Ratios of this run; the only figures that carry over to another machine."""
    found = {(o.route, o.rows): o for o in outcomes}
    ratios: dict[str, float] = {}
    postgres = found["ours → PostgreSQL", rows]
    for other in ("bare → PostgreSQL", "dlt → PostgreSQL"):
        if (other, rows) in found:
            ratios[f"ours / {other.split()[0]}, PostgreSQL, rows/s"] = round(postgres.rows_per_s / found[other, rows].rows_per_s, 2)
    for route in ("ours → PostgreSQL", "Bulk 2.0 → PostgreSQL", "ours → SQLite"):
        ratios[f"{route}: memory of {rows:,} rows / of {rows // 5:,}"] = round(
            found[route, rows].peak_mb / found[route, rows // 5].peak_mb, 2
        )
    return ratios


def table(outcomes: list[Outcome], ratios: dict[str, float]) -> str:
    lines = [f"{'route':32} {'rows':>10} {'seconds':>8} {'rows/s':>8} {'peak MB':>8}  where the time goes"]
    lines += map(_line, outcomes)
    return "\n".join([*lines, "", *(f"{name}: {ratio}" for name, ratio in ratios.items())])


def _line(o: Outcome) -> str:
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in o.seconds.items())
    rate = f"{o.rows_per_s:,.0f}" if o.rows else ""
    return f"{o.route:32} {o.rows:>10,} {o.total_s:>8.1f} {rate:>8} {f'{o.peak_mb:,.0f}' if o.peak_mb else '':>8}  {steps}"


if __name__ == "__main__":
    main()
