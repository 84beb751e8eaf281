"""What a core cycle costs: 1,000 changed contacts against Markets of different sizes, and a cycle in which nothing changed.

    python -m bench.following [--sizes 10000,1000000] [--changed 1000] [--cycles 5]

The cost must follow the changes and not the table. A real sandbox is synced and then changed; Market is filled up to its size with
contacts that the sandbox does not have, row by row like the others, so that only Market's size differs. Both sizes take turns, cycle by
cycle, so that a noisy machine disturbs both alike; what is compared is the median. Time is that of the flow's own steps, gate included,
without the flow engine. Rows read and written are counted by PostgreSQL itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from adapters.market.columns import current_table
from adapters.market.schema_books import crm_links
from bench.__main__ import new_database
from tests.core_road import CoreRoad, core_road
from tests.postgres import postgres_server

_MOST_RATIO = 1.3
_ROUND_S = 1_200


@dataclass
class Stage:
    """One Market of one size, and what its cycles cost."""

    backend: str
    size: int
    road: CoreRoad
    ids: list[str]
    costs: list[dict[str, float]]
    idle: list[dict[str, float]]


def main() -> None:
    asked = argparse.ArgumentParser(
        prog="python -m bench.following", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--sizes", default="10000,1000000")
    asked.add_argument("--changed", type=int, default=1_000)
    asked.add_argument("--cycles", type=int, default=5)
    options = asked.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marketsync-following-")))
        postgres = stack.enter_context(postgres_server())
        stages = [
            stack.enter_context(stage(folder / f"{backend}-{size}", backend, size, postgres, options.changed))
            for backend in ("sqlite", "postgresql")
            for size in sizes
        ]
        for turn in range(options.cycles + 1):
            for each in stages:
                costs, idle = cycle(each, f"turn {turn}"), cycle(each, "")
                if turn:  # the first one loads Great Expectations and warms caches
                    each.costs.append(costs)
                    each.idle.append(idle)
        told = [summed(each) for each in stages]
    ratios = compared(told)
    print(table(told, ratios, options.changed))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    content = {"changed": options.changed, "cycles": options.cycles, "costs": told, "ratios": ratios}
    (results / "following.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@contextmanager
def stage(folder: Path, backend: str, size: int, postgres: str, changed: int) -> Iterator[Stage]:
    market = f"sqlite:///{folder}/market.db" if backend == "sqlite" else new_database(postgres, f"following_{size}")
    folder.mkdir(parents=True)
    population = {"contacts": 2 * changed, "accounts": 200, "leads": 50, "opportunities": 50, "users": 10}
    print(f"{backend}, {size:,} contacts: preparing …", file=sys.stderr)
    with core_road(folder, market, connector="page_rows = 1000", more="[gate]\nmin_rows_for_share = 20\n", **population) as road:
        grow(road, size)
        ids = [row["id"] for row in road.control.dump("Contacts", deleted=False)][:changed]
        yield Stage(backend, size, road, ids, [], [])


def grow(road: CoreRoad, size: int) -> None:
    """More contacts of the same kind: rows with addresses, links and everything that is indexed."""
    market = road.road.market
    have = int(road.one("SELECT count(*) FROM contacts"))
    first = int(road.one("SELECT max(contact_id) FROM contacts")) + 1
    names = {"contact_id": ":first + n.n", "crm_id": "'x' || n.n", "email": "'x' || n.n || '@example.com'"}
    with market.database.writing() as connection:
        table = current_table(connection, "contacts")
        columns = [column.name for column in table.c]
        chosen = ", ".join(names.get("email" if name == "email_key" else name, f'c."{name}"') for name in columns)
        quoted = ", ".join(f'"{name}"' for name in columns)
        numbers = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < :more)"
        sample = "(SELECT * FROM contacts WHERE crm_type = 'Contact' ORDER BY contact_id LIMIT 1)"
        values = {"first": first, "more": size - have}
        connection.execute(text(f"INSERT INTO contacts ({quoted}) {numbers} SELECT {chosen} FROM n, {sample} AS c"), values)
        link = {"crm_id": "'x' || n.n", "market_id": ":first + n.n", "row_hash": "n.n"}
        links = ", ".join(link.get(column.name, f'l."{column.name}"') for column in crm_links.c)
        named = ", ".join(f'"{column.name}"' for column in crm_links.c)
        one = "(SELECT * FROM crm_links WHERE kind = 'contact' LIMIT 1)"
        connection.execute(text(f"INSERT INTO crm_links ({named}) {numbers} SELECT {links} FROM n, {one} AS l"), values)
        connection.execute(text("UPDATE key_sequences SET next_key = :next WHERE table_name = 'contacts'"), {"next": first + size})
        connection.execute(text("ANALYZE"))


def cycle(one: Stage, title: str) -> dict[str, float]:
    """One cycle after a mass update of the chosen contacts, or with nothing changed when there is no title."""
    control = one.road.control
    control.advance_clock(_ROUND_S)
    if title:
        for crm_id in one.ids:
            control.edit("Contacts", crm_id, {"title": title}, silent=True)
        control.touch("Contacts", one.ids)
    control.reset_calls()
    before = touched(one.road, one.backend)
    began = time.perf_counter()
    words = one.road.follow().words
    seconds = time.perf_counter() - began
    wanted = (f"{len(one.ids):,} contacts updated",) if title else ()
    if words != wanted:
        raise SystemExit(f"{one.backend}, {one.size:,}: {words} instead of {wanted}")
    after = touched(one.road, one.backend)
    return {"seconds": seconds, "calls": control.call_count(), **{name: after[name] - before[name] for name in after}}


def touched(road: CoreRoad, backend: str) -> dict[str, float]:
    """Rows that PostgreSQL read and wrote so far; of SQLite nobody counts them."""
    if backend == "sqlite":
        return {}
    road.road.market.database.close()  # a connection that ends hands its counts in
    time.sleep(0.5)
    with road.road.market.database.reading() as connection:
        read, written = connection.execute(
            text(
                "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), sum(n_tup_ins + n_tup_upd + n_tup_del)"
                " FROM pg_stat_user_tables WHERE relname NOT LIKE 'incoming%'"
            )
        ).one()
    return {"rows read": float(read), "rows written": float(written)}


def summed(one: Stage) -> dict[str, Any]:
    def medians(costs: list[dict[str, float]]) -> dict[str, float]:
        return {name: round(statistics.median(cost[name] for cost in costs), 3) for name in costs[0]}

    return {"backend": one.backend, "size": one.size, "changed": medians(one.costs), "idle": medians(one.idle)}


def compared(told: list[dict[str, Any]]) -> dict[str, float]:
    """The largest Market against the smallest, per measure."""
    ratios: dict[str, float] = {}
    for backend in ("sqlite", "postgresql"):
        small, *_, large = [each for each in told if each["backend"] == backend]
        for name, cost in large["changed"].items():
            if small["changed"][name]:
                ratios[f"{backend}: {name}"] = round(cost / small["changed"][name], 2)
    return ratios


def table(told: list[dict[str, Any]], ratios: dict[str, float], changed: int) -> str:
    lines = [f"{'Market':12} {'contacts':>10}   {changed:,} changed{'':36} nothing changed"]
    for each in told:
        costs = [", ".join(f"{name} {value:,g}" for name, value in each[part].items()) for part in ("changed", "idle")]
        lines.append(f"{each['backend']:12} {each['size']:>10,}   {costs[0]:48} {costs[1]}")
    verdict = [
        f"{name}, largest / smallest: {ratio}{'' if ratio <= _MOST_RATIO else '  (more than 1.3)'}" for name, ratio in ratios.items()
    ]
    return "\n".join([*lines, "", *verdict])


if __name__ == "__main__":
    main()
