"""Which keys of this batch Market is asked about, and the references that it answers with."""

from __future__ import annotations

import pyarrow as pa

from adapters.staging.parcel import Parcel
from adapters.staging.rows import Column, ParcelRows
from sync.records import Kind

_KNOWN_ROWS = """(
    SELECT market_id FROM known_links UNION SELECT market_id FROM known_conversions UNION SELECT market_id FROM matches
    UNION SELECT market_id FROM known_refs WHERE ref_kind = 'contact'
) WHERE market_id IS NOT NULL"""
_UNKNOWN_OWNERS = """
SELECT DISTINCT owner_ref FROM facts
WHERE owner_ref IS NOT NULL AND owner_ref NOT IN (SELECT crm_id FROM known_refs WHERE ref_kind = 'user') ORDER BY owner_ref
"""
_KEEP_REFERENCES = """
INSERT INTO known_refs SELECT ?, crm_id, market_id FROM found
WHERE crm_id NOT IN (SELECT crm_id FROM known_refs WHERE ref_kind = ?)
"""


def of_facts(parcel: Parcel, column: str, condition: str = "true") -> ParcelRows:
    """The distinct values of one column of `facts`."""
    source = f"(SELECT DISTINCT {column} FROM facts WHERE {column} IS NOT NULL AND {condition})"
    return ParcelRows(parcel, (Column(column, column),), source)


def unlinked_addresses(parcel: Parcel) -> ParcelRows:
    """The address keys of records whose id Market does not know: only these are matched by address (MATCH-2)."""
    return of_facts(parcel, "address_key", "coalesce(crm_id, '') NOT IN (SELECT crm_id FROM known_links)")


def companies(parcel: Parcel) -> ParcelRows:
    """The company names of records that name no account by its id (PULL-6)."""
    return of_facts(parcel, "company_key", "account_ref IS NULL")


def known_rows(parcel: Parcel) -> ParcelRows:
    """Keys of the Market rows that this batch's records are linked to, or that their leads and contacts are."""
    return ParcelRows(parcel, (Column("market_id", "market_id", "BIGINT"),), _KNOWN_ROWS)


def unknown_owners(parcel: Parcel) -> tuple[str, ...]:
    """CRM ids of owners that no Market user is linked to (PULL-7)."""
    return tuple(row[0] for row in parcel.execute(_UNKNOWN_OWNERS).fetchall())


def keep_references(parcel: Parcel, kind: Kind, found: pa.Table) -> None:
    """Adds what a look-up found: crm_id, market_id. What was kept before stands."""
    if found.num_rows:
        parcel.con.register("found", found)
        parcel.execute(_KEEP_REFERENCES, [kind.value, kind.value])
        parcel.con.unregister("found")


def returning_rows(parcel: Parcel) -> frozenset[int]:
    """Rows of linked records that were gone and came in this batch."""
    query = "SELECT DISTINCT link.market_id FROM known_links AS link SEMI JOIN facts USING (crm_id) WHERE NOT link.living"
    return frozenset(row[0] for row in parcel.execute(query).fetchall())
