"""What a parcel of changes holds beyond its records: what was deleted, what was merged, what left or met the sync filter again.

`changed` are the ids of all records that moved in the window, whatever the filter says (only where there is a filter).
`gone` are the removals that Market has to hear of, `left` the records that no longer meet the filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC

import orjson
import pyarrow as pa

from adapters.staging.duck import quote
from adapters.staging.parcel import Parcel
from adapters.staging.reading import text_of
from adapters.staging.rows import Column, ParcelRows
from sync.records import Page, Removal

_TABLES = (
    "CREATE TABLE IF NOT EXISTS changed (crm_id VARCHAR)",
    "CREATE TABLE IF NOT EXISTS gone (crm_id VARCHAR, removed_at TIMESTAMP, merged_into VARCHAR)",
    "CREATE TABLE IF NOT EXISTS lefts (crm_id VARCHAR)",
)
_REMOVED = """
SELECT crm_id, removed_at, merged_into FROM removed
WHERE crm_id NOT IN (SELECT crm_id FROM facts WHERE crm_id IS NOT NULL AND modified_at > removed_at)
QUALIFY row_number() OVER (PARTITION BY crm_id ORDER BY removed_at DESC NULLS LAST) = 1
ORDER BY crm_id
"""
# The losing record's address is in the winner's list now, and both were saved within the same moment; only a clear case counts.
_MERGES = r"""
SELECT loser.crm_id, any_value(winner.crm_id) FROM losers AS loser
JOIN (SELECT facts.crm_id, facts.modified_at, unnest(regexp_extract_all(lower({addresses}), '[^"\s,\[\]{{}}]+@[^"\s,\[\]{{}}]+')) AS address
      FROM raw JOIN facts ON facts.seq = raw.rowid) AS winner
  ON winner.address = loser.address_key AND winner.crm_id <> loser.crm_id
 AND abs(epoch(winner.modified_at) - epoch(loser.removed_at)) <= 5
WHERE loser.address_key IS NOT NULL
GROUP BY loser.crm_id HAVING count(DISTINCT winner.crm_id) = 1
"""
_LEFT = "SELECT DISTINCT crm_id FROM changed WHERE crm_id NOT IN (SELECT {key} FROM raw WHERE {key} IS NOT NULL) ORDER BY crm_id"
_NOT_HELD = "plan.seq NOT IN (SELECT seq FROM set_aside)"


def prepare(parcel: Parcel) -> None:
    """Makes the tables, if they are not there: planning again forgets nothing of them."""
    parcel.execute_together(_TABLES)


def keep_changed(parcel: Parcel, ids: Sequence[str]) -> None:
    parcel.learn("changed", pa.table({"crm_id": pa.array(ids, pa.string())}))


def removed(parcel: Parcel) -> list[Removal]:
    """What the pages told, each record once; one that was changed since it was removed is back, and not among them."""
    rows = parcel.execute(_REMOVED).fetchall()
    return [Removal(crm_id, at and at.replace(tzinfo=UTC), winner) for crm_id, at, winner in rows]


def keep_gone(parcel: Parcel, found: Iterable[Removal]) -> None:
    """The removals that this parcel's commit notes."""
    _keep(parcel, "gone", found)


def gone(parcel: Parcel) -> list[Removal]:
    rows = parcel.execute("SELECT crm_id, removed_at, merged_into FROM gone ORDER BY crm_id").fetchall()
    return [Removal(crm_id, at and at.replace(tzinfo=UTC), winner) for crm_id, at, winner in rows]


def gone_ids(parcel: Parcel) -> ParcelRows:
    """The keys of `gone`, to ask Market for what it knows of them."""
    return ParcelRows(parcel, (Column("crm_id", "crm_id"),), "gone")


def row_keys(parcel: Parcel, links: pa.Table) -> ParcelRows:
    """The Market keys of these links."""
    parcel.learn("gone_links", links.select(["crm_id", "market_id"]))
    return ParcelRows(parcel, (Column("market_id", "market_id", "BIGINT"),), "gone_links")


def find_merges(parcel: Parcel, people: pa.Table) -> dict[str, str]:
    """Loser → winner, where the CRM leaves no pointer (MATCH-8). `people`: Market's rows of the removed records."""
    column = next((reading for reading in parcel.readings if reading.column == "email_addresses"), None)
    if column is None:
        return {}
    parcel.learn("gone_people", people.select(["contact_id", "email_key"]))
    parcel.execute(
        "CREATE OR REPLACE TEMP TABLE losers AS SELECT gone.crm_id, gone.removed_at, person.email_key AS address_key FROM gone"
        " JOIN gone_links USING (crm_id) JOIN gone_people AS person ON person.contact_id = gone_links.market_id"
    )
    return dict(parcel.execute(_MERGES.format(addresses=text_of(column))).fetchall())


def _keep(parcel: Parcel, table: str, found: Iterable[Removal]) -> None:
    rows = list(found)
    columns = {
        "crm_id": pa.array([each.crm_id for each in rows], pa.string()),
        "removed_at": pa.array([each.at and each.at.astimezone(UTC).replace(tzinfo=None) for each in rows], pa.timestamp("us")),
        "merged_into": pa.array([each.merged_into for each in rows], pa.string()),
    }
    parcel.learn(table, pa.table(columns))


def ids_in(pages: Iterable[Page], field: str) -> list[str]:
    """The keys of narrow records, each of which has little more than its key."""
    return [str(orjson.loads(line)[field]) for page in pages for line in page.body.splitlines() if line]


def candidates_to_leave(parcel: Parcel, field: str) -> list[str]:
    """Records that moved and did not come with the filtered read; `field` is the CRM's name of the key."""
    return [row[0] for row in parcel.execute(_LEFT.format(key=quote(field))).fetchall()]


def keep_left(parcel: Parcel, ids: Sequence[str]) -> None:
    parcel.learn("lefts", pa.table({"crm_id": pa.array(ids, pa.string())}))


def left(parcel: Parcel) -> list[str]:
    return [row[0] for row in parcel.execute("SELECT crm_id FROM lefts ORDER BY crm_id").fetchall()]


def returned_rows(parcel: Parcel, key: str) -> ParcelRows:
    """Rows whose record meets the filter again: `left_scope` is cleared."""
    columns = (Column(key, "plan.market_id", "BIGINT"), Column("left_scope", "CAST(NULL AS TIMESTAMP)", "TIMESTAMP"))
    again = "plan JOIN known_links AS link ON link.crm_id = plan.crm_id"
    return ParcelRows(parcel, columns, f"{again} WHERE link.left_scope AND plan.action <> 'ignore' AND {_NOT_HELD}")


def is_idle(parcel: Parcel) -> bool:
    """Whether committing this parcel would change nothing (FLOW-4): all that came was here already, as it is."""
    busy = (
        "SELECT (SELECT count(*) FROM plan WHERE action <> 'ignore') + (SELECT count(*) FROM broken) + (SELECT count(*) FROM gone)"
        " + (SELECT count(*) FROM lefts) + (SELECT count(*) FROM facts WHERE crm_id IS NULL)"
    )
    return parcel.scalar(busy) == 0


def pages(parcel: Parcel) -> int:
    """How many pages this window took."""
    return parcel.scalar("SELECT count(*) FROM pages")
