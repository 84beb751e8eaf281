"""What planning noticed: findings, which stop nothing. Examples are CRM ids, never a person's data."""

from __future__ import annotations

from adapters.staging.parcel import Parcel
from sync.records import PEOPLE, Finding, Kind

_SHARED = """
SELECT count(*), coalesce(sum(n), 0), (list(ids ORDER BY ids))[1:5] FROM (
    SELECT count(*) AS n, string_agg(crm_id, ' = ' ORDER BY crm_id) AS ids FROM facts
    WHERE address_key IN (SELECT address_key FROM facts GROUP BY address_key HAVING count(*) > 1) GROUP BY address_key
)"""
_UNKNOWN_OWNERS = """
SELECT count(*), count(DISTINCT owner_ref), (list(DISTINCT owner_ref ORDER BY owner_ref))[1:5] FROM plan
WHERE owner_ref IS NOT NULL AND owner_id IS NULL"""
_WAITING = """
SELECT count(*), count(DISTINCT account_ref), (list(DISTINCT account_ref ORDER BY account_ref))[1:5] FROM plan
WHERE account_ref IS NOT NULL AND account_id = 1"""
_NUL = "SELECT coalesce(sum(nul_removed), 0) FROM pages"


def findings(parcel: Parcel) -> tuple[Finding, ...]:
    """All findings of one planned parcel."""
    kind = parcel.ref.kind
    found = [_nul(parcel, kind), _unknown_owners(parcel, kind)]
    if kind in PEOPLE:
        found += [_shared(parcel, kind), _waiting(parcel, kind)]
    return tuple(finding for finding in found if finding is not None)


def _shared(parcel: Parcel, kind: Kind) -> Finding | None:
    """MATCH-4: shared addresses are listed."""
    groups, records, examples = _row(parcel, _SHARED)
    message = f"{groups:,} addresses are shared by {records:,} {kind.plural}; each keeps a row of its own"
    return Finding(kind, "shared address", message, int(records), tuple(examples or ())) if groups else None


def _unknown_owners(parcel: Parcel, kind: Kind) -> Finding | None:
    records, owners, examples = _row(parcel, _UNKNOWN_OWNERS)
    message = f"{records:,} {kind.plural} belong to {owners:,} owners that the CRM does not show; they have no owner here"
    return Finding(kind, "unknown owner", message, int(records), tuple(examples or ())) if records else None


def _waiting(parcel: Parcel, kind: Kind) -> Finding | None:
    records, accounts, examples = _row(parcel, _WAITING)
    message = f'{records:,} {kind.plural} name {accounts:,} accounts that have not arrived; they stand under "No Company" until they do'
    return Finding(kind, "account not here yet", message, int(records), tuple(examples or ())) if records else None


def _nul(parcel: Parcel, kind: Kind) -> Finding | None:
    removed = parcel.scalar(_NUL)
    return (
        Finding(kind, "NUL characters removed", f"{removed:,} NUL characters were taken out of texts: databases can't hold them", removed)
        if removed
        else None
    )


def _row(parcel: Parcel, sql: str) -> tuple[int, int, list[str]]:
    row = parcel.execute(sql).fetchone()
    return row if row else (0, 0, [])
