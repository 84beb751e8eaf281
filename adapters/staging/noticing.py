"""What planning noticed: findings, which stop nothing. Examples are CRM ids, never a person's data."""

from __future__ import annotations

from adapters.staging.parcel import Parcel
from sync.happened import Happened, What
from sync.records import PEOPLE, Finding, Kind

# Junk that many records carry ("none", "not an address@") is no address that they share. Of a group of hundreds three ids are enough.
# The inner query keeps the memory small: ids are gathered only of addresses that are shared.
_SHARED = r"""
SELECT count(*), coalesce(sum(n), 0), (list(ids ORDER BY ids))[1:5] FROM (
    SELECT count(*) AS n, array_to_string(min(crm_id, 3), ' = ') || if(n > 3, format(' … and {:,} more', n - 3), '') AS ids FROM facts
    WHERE address_key IN (SELECT address_key FROM facts GROUP BY address_key HAVING count(*) > 1)
      AND regexp_matches(address_key, '^\S+@\S+$')
    GROUP BY address_key
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


_HAPPENED = """
SELECT count(*) FILTER (how = 'conversion' AND NOT linked), count(*) FILTER (reset_delivery),
    count(*) FILTER (opt_out AND action <> 'insert'), count(*) FILTER (NOT opt_out AND action <> 'insert'), count(*) FILTER (restore),
    (SELECT count(*) FROM lefts),
    count(*) FILTER (action <> 'ignore' AND crm_id IN (SELECT crm_id FROM known_links WHERE left_scope))
FROM plan WHERE seq NOT IN (SELECT seq FROM set_aside)
"""
_EVENTS = (What.CONVERTED, What.ADDRESS, What.OPTED_OUT, What.RESUBSCRIBED, What.RESTORED, What.LEFT, What.RETURNED)


def happenings(parcel: Parcel) -> tuple[Happened, ...]:
    """What the rules did beyond writing values, for the report's first sentence."""
    counts = parcel.execute(_HAPPENED).fetchone() or ()
    return tuple(Happened(parcel.ref.kind, what, int(count)) for what, count in zip(_EVENTS, counts, strict=True) if count)


def _shared(parcel: Parcel, kind: Kind) -> Finding | None:
    """MATCH-4: shared addresses are listed."""
    groups, records, examples = _row(parcel, _SHARED)
    shared = "address is" if groups == 1 else "addresses are"
    message = f"{groups:,} {shared} shared by {records:,} {kind.plural}; each keeps a row of its own"
    return Finding(kind, "shared address", message, int(records), tuple(examples or ())) if groups else None


def _unknown_owners(parcel: Parcel, kind: Kind) -> Finding | None:
    records, owners, examples = _row(parcel, _UNKNOWN_OWNERS)
    who = _counted(records, kind, "belongs", "belong")
    message = f"{who} to {owners:,} owner{'' if owners == 1 else 's'} that the CRM does not show; {_they(records)} no owner here"
    return Finding(kind, "unknown owner", message, int(records), tuple(examples or ())) if records else None


def _waiting(parcel: Parcel, kind: Kind) -> Finding | None:
    records, accounts, examples = _row(parcel, _WAITING)
    who, one = _counted(records, kind, "names", "name"), accounts == 1
    missing = "1 account that has" if one else f"{accounts:,} accounts that have"
    stand = "it stands" if records == 1 else "they stand"
    message = f'{who} {missing} not arrived; {stand} under "No Company" until {"it does" if one else "they do"}'
    return Finding(kind, "account not here yet", message, int(records), tuple(examples or ())) if records else None


def _nul(parcel: Parcel, kind: Kind) -> Finding | None:
    removed = parcel.scalar(_NUL)
    characters = "1 NUL character was" if removed == 1 else f"{removed:,} NUL characters were"
    message = f"{characters} taken out of texts: databases can't hold them"
    return Finding(kind, "NUL characters removed", message, removed) if removed else None


def _counted(records: int, kind: Kind, one: str, many: str) -> str:
    """`1 lead names`, `2 leads name`."""
    return f"1 {kind.value} {one}" if records == 1 else f"{records:,} {kind.plural} {many}"


def _they(records: int) -> str:
    return "it has" if records == 1 else "they have"


def _row(parcel: Parcel, sql: str) -> tuple[int, int, list[str]]:
    row = parcel.execute(sql).fetchone()
    return row if row else (0, 0, [])
