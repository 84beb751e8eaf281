"""From facts to the plan: what Market knows is joined to each record, the rules decide each situation once, and the plan is written.

The order of the calls is the order of the functions: `ask_*` hands keys out for Market to look up, `contested` gives the records that
`sync.matching` decides, `situations` the distinct facts that `sync.pull` decides, `write_plan` keeps the outcome.

Tables that the plan task fills from Market's answers (`Parcel.learn`): known_links, known_conversions, known_people, known_holds,
known_users, known_refs. See `EMPTY` for their columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

import pyarrow as pa

from adapters.staging.facts import BEGUN_AT, told_instant
from adapters.staging.parcel import Parcel
from adapters.staging.rows import Column, ParcelRows
from sync.matching import Candidate, Claim, Hold, Match, UserClaim, UserMatch
from sync.pull import RowFacts, RowPlan
from sync.records import PEOPLE, Kind

ECHO = "echo"
"""What a parcel is told whose records we wrote ourselves a moment ago: that stamp is ours (PUSH-6)."""

_EMPTY: Mapping[str, str] = {
    "known_links": "crm_id VARCHAR, market_id BIGINT, living BOOLEAN, converted_to VARCHAR, alias_of VARCHAR, row_hash BIGINT, "
    "crm_opt_out BOOLEAN, left_scope BOOLEAN, crm_modified_at TIMESTAMP, written_at TIMESTAMP, opt_out_acknowledged_at TIMESTAMP",
    "known_conversions": "contact_crm_id VARCHAR, market_id BIGINT, crm_modified_at TIMESTAMP, lead_crm_id VARCHAR",
    "known_people": "contact_id BIGINT, crm_type VARCHAR, email_key VARCHAR, opt_out BOOLEAN, opt_out_pending BOOLEAN, out_links BIGINT, "
    "deleted_date TIMESTAMP, do_not_pull BOOLEAN, updated_at TIMESTAMP, crm_modified_at TIMESTAMP, crm_id VARCHAR, merged_into BIGINT",
    "known_holds": "market_id BIGINT, connector VARCHAR, kind VARCHAR, crm_id VARCHAR, living BOOLEAN, converted_to VARCHAR",
    "known_users": "user_id BIGINT, email_key VARCHAR",
    "known_rows": "market_id BIGINT, deleted_date TIMESTAMP, do_not_pull BOOLEAN",
    "known_refs": "ref_kind VARCHAR, crm_id VARCHAR, market_id BIGINT",
    "known_companies": "company_key VARCHAR, market_id BIGINT",
    "matches": "crm_id VARCHAR, market_id BIGINT, how VARCHAR, same_as VARCHAR, gives_values BOOLEAN, address_key VARCHAR",
    "absorbed": "crm_id VARCHAR, loser_id BIGINT, winner_id BIGINT",
}


def forget(parcel: Parcel) -> None:
    """Empties every table of knowledge: plans are always made anew, because Market may have moved."""
    parcel.execute_together(f"CREATE OR REPLACE TABLE {table} ({columns})" for table, columns in _EMPTY.items())


# -- contested records ----------------------------------------------------------------------------------------------

_CLAIMS = """
SELECT facts.crm_id, facts.modified_at, facts.address_key, facts.converted_to, link.market_id
FROM facts LEFT JOIN known_links AS link ON link.crm_id = facts.crm_id
WHERE facts.crm_id IS NOT NULL AND (
    (link.market_id IS NULL AND facts.address_key IN (SELECT email_key FROM known_people))
    OR facts.crm_id IN (SELECT contact_crm_id FROM known_conversions)
    OR facts.converted_to IN (SELECT crm_id FROM known_refs WHERE ref_kind = 'contact')
)
"""
_CANDIDATES = """
SELECT email_key, contact_id, deleted_date IS NOT NULL, updated_at, crm_modified_at, crm_id, coalesce(do_not_pull, false)
FROM known_people WHERE email_key IN (SELECT address_key FROM facts) AND merged_into IS NULL
"""
_HOLDS = "SELECT market_id, connector, kind, crm_id, converted_to FROM known_holds WHERE living"
_CONVERSIONS = (
    "SELECT contact_crm_id, market_id FROM known_conversions ORDER BY contact_crm_id, crm_modified_at DESC NULLS LAST, lead_crm_id"
)
_CONTACT_ROWS = "SELECT crm_id, market_id FROM known_refs WHERE ref_kind = 'contact'"


def claims(parcel: Parcel) -> list[Claim]:
    """The contested records: without a link but with a row that carries their address, or named by a conversion. There are few."""
    return [Claim(*row) for row in parcel.execute(_CLAIMS).fetchall()]


def candidates(parcel: Parcel) -> dict[str, list[Candidate]]:
    """Address → the rows of Market that carry it, each with the living records that hold it."""
    holds: dict[int, list[Hold]] = {}
    for market_id, connector, kind, crm_id, converted_to in parcel.execute(_HOLDS).fetchall():
        holds.setdefault(market_id, []).append(Hold(connector, Kind(kind), crm_id, converted_to))
    found: dict[str, list[Candidate]] = {}
    for key, market_id, deleted, updated_at, crm_modified_at, crm_id, barred in parcel.execute(_CANDIDATES).fetchall():
        row = Candidate(market_id, deleted, updated_at, crm_modified_at, crm_id, tuple(holds.get(market_id, ())), barred)
        found.setdefault(key, []).append(row)
    return found


def rows_of_leads(parcel: Parcel) -> dict[str, list[int]]:
    """Contact id → rows of the leads that became it, the one modified last first."""
    found: dict[str, list[int]] = {}
    for contact, row in parcel.execute(_CONVERSIONS).fetchall():
        found.setdefault(contact, []).append(row)
    return found


def row_of_contact(parcel: Parcel) -> dict[str, int]:
    """Contact id → its row, for the contacts that this batch's leads name."""
    return dict(parcel.execute(_CONTACT_ROWS).fetchall())


def rows_of_contacts(parcel: Parcel, connector: str) -> frozenset[int]:
    """Rows that some living contact of this connector holds."""
    rows = parcel.execute(
        "SELECT DISTINCT market_id FROM known_holds WHERE living AND kind = 'contact' AND connector = ?", [connector]
    ).fetchall()
    return frozenset(row[0] for row in rows)


def keep_matches(parcel: Parcel, matches: Sequence[Match]) -> None:
    """Writes what matching decided, and which rows it found to be one person."""
    parcel.learn(
        "matches",
        pa.table(
            {
                "crm_id": pa.array([m.crm_id for m in matches], pa.string()),
                "market_id": pa.array([m.market_id for m in matches], pa.int64()),
                "how": pa.array([m.how.value for m in matches], pa.string()),
                "same_as": pa.nulls(len(matches), pa.string()),
                "gives_values": pa.array([True] * len(matches), pa.bool_()),
                "address_key": pa.nulls(len(matches), pa.string()),
            }
        ),
    )
    merges = [(match.crm_id, loser, match.market_id) for match in matches for loser in match.absorbs if match.market_id is not None]
    columns = {"crm_id": pa.string(), "loser_id": pa.int64(), "winner_id": pa.int64()}
    parcel.learn(
        "absorbed", pa.table({name: pa.array([each[at] for each in merges], type_) for at, (name, type_) in enumerate(columns.items())})
    )


_USER_CLAIMS = """
SELECT facts.crm_id, facts.modified_at, facts.address_key, link.market_id
FROM facts LEFT JOIN known_links AS link ON link.crm_id = facts.crm_id WHERE facts.crm_id IS NOT NULL
"""


def user_claims(parcel: Parcel) -> list[UserClaim]:
    """Every user: an installation has thousands at most."""
    return [UserClaim(*row) for row in parcel.execute(_USER_CLAIMS).fetchall()]


def users_by_address(parcel: Parcel) -> dict[str, int]:
    return dict(parcel.execute("SELECT email_key, user_id FROM known_users WHERE email_key IS NOT NULL").fetchall())


def keep_user_matches(parcel: Parcel, matches: Sequence[UserMatch]) -> None:
    parcel.learn(
        "matches",
        pa.table(
            {
                "crm_id": pa.array([m.crm_id for m in matches], pa.string()),
                "market_id": pa.array([m.market_id for m in matches], pa.int64()),
                "how": pa.array(["address" if m.market_id is not None or m.same_as else "new" for m in matches], pa.string()),
                "same_as": pa.array([m.same_as for m in matches], pa.string()),
                "gives_values": pa.array([m.writes for m in matches], pa.bool_()),
                "address_key": pa.array([m.address_key for m in matches], pa.string()),
            }
        ),
    )


# -- situations -----------------------------------------------------------------------------------------------------

_SITUATED = """
CREATE OR REPLACE TEMP VIEW situated AS
SELECT *, {situation} AS situation FROM (
    SELECT facts.* EXCLUDE (crm_out),
        coalesce(matched.market_id, link.market_id) AS market_id,
        CASE WHEN matched.how IS NOT NULL THEN matched.how WHEN link.market_id IS NOT NULL THEN 'id' ELSE 'new' END AS how,
        matched.same_as,
        matched.address_key AS user_key,
        coalesce(matched.market_id, link.market_id) IS NOT NULL AS known_row,
        link.market_id IS NOT NULL AS linked,
        coalesce(link.living AND NOT link.left_scope, false) AS living_link,
        -- Another run has committed this record since this parcel was begun, and not in an older version: what stands here is history.
        coalesce(link.written_at > {begun_at} AND facts.modified_at <= link.crm_modified_at, false) AS overtaken,
        coalesce(
            (link.row_hash = facts.row_hash OR (overtaken AND facts.modified_at < link.crm_modified_at))
            AND coalesce(matched.market_id = link.market_id, true), false) AS same_values,
        coalesce(
            link.living AND NOT link.left_scope AND ({echo} OR facts.modified_at = link.crm_modified_at)
            AND coalesce(matched.market_id = link.market_id, true), false) AS same_stamp,
        {fills_only} AS fills_only,
        {row}.deleted_date IS NOT NULL AS row_deleted,
        coalesce({row}.do_not_pull, false) AS barred,
        coalesce(matched.gives_values, true) AS gives_values,
        facts.address_key IS NOT NULL AS has_address,
        {our_key} IS NOT NULL AS our_address,
        coalesce(facts.address_key = {our_key}, false) AS same_address,
        {market_out} AS market_out,
        -- A record that goes to another row says there what it said last, as if for the first time (CONSENT-10).
        CASE WHEN matched.market_id <> link.market_id THEN coalesce(facts.crm_out, link.crm_opt_out) ELSE facts.crm_out END AS crm_out,
        CASE WHEN matched.market_id <> link.market_id THEN NULL ELSE link.crm_opt_out END AS base_out,
        {pending} AS unacknowledged,
        overtaken OR coalesce(greatest(facts.modified_at, {read_at}) <= link.opt_out_acknowledged_at, false) AS stale,
        {out_links} AS row_out_links,
        coalesce(link.living AND link.crm_opt_out AND coalesce(matched.market_id = link.market_id, true), false) AS own_out,
        row_out_links - CAST(own_out AS BIGINT) > 0 AS others_out
    FROM facts
    LEFT JOIN matches AS matched ON matched.crm_id = facts.crm_id
    LEFT JOIN known_links AS link ON link.crm_id = facts.crm_id
    LEFT JOIN {row_table} AS {row} ON {row}.{row_key} = coalesce(matched.market_id, link.market_id)
)
"""
_PEOPLE_TERMS = {
    "row_table": "known_people",
    "row": "person",
    "row_key": "contact_id",
    "our_key": "person.email_key",
    "market_out": "person.opt_out",
    "pending": "coalesce(person.opt_out_pending, false)",
    "out_links": "coalesce(person.out_links, 0)",
}
_OTHER_TERMS = {
    "row_table": "known_rows",
    "row": "known",
    "row_key": "market_id",
    "our_key": "CAST(NULL AS VARCHAR)",
    "market_out": "CAST(NULL AS BOOLEAN)",
    "pending": "false",
    "out_links": "0",
    "fills_only": "false",
}
_FACT_NAMES = [each.name for each in fields(RowFacts)]
# Every fact is true, false or unknown: three to the power of its place, so that one small number names the whole situation.
_SITUATION = " + ".join(
    f"{3**place} * (CASE {name} WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END)" for place, name in enumerate(_FACT_NAMES)
)


def situations(parcel: Parcel, kind: Kind) -> dict[int, RowFacts]:
    """The distinct situations of the batch by number: a few dozen, however many records there are."""
    fills = "coalesce(person.crm_type = 'Contact', false)" if kind is Kind.LEAD else "false"
    terms = {**_PEOPLE_TERMS, "fills_only": fills} if kind in PEOPLE else _OTHER_TERMS
    since = {"read_at": told_instant(parcel, "baseline", "1970-01-01"), "begun_at": told_instant(parcel, BEGUN_AT, "9999-12-31")}
    echo = "true" if parcel.told(ECHO) == "yes" else "false"
    parcel.execute(_SITUATED.format(situation=_SITUATION, echo=echo, **since, **terms))
    asked = ", ".join(f"any_value({name})" for name in _FACT_NAMES)
    return {
        number: RowFacts(*row) for number, *row in parcel.execute(f"SELECT situation, {asked} FROM situated GROUP BY situation").fetchall()
    }


# -- the plan -------------------------------------------------------------------------------------------------------

# Every situation has its decision. An inner join would say the same, but leave the engine to guess that few rows come of it; then it keeps
# all of them in memory, to look for the few that are known among them.
_PLAN = """
CREATE OR REPLACE TABLE plan AS
SELECT seq, situated.crm_id, action, situated.market_id, how, linked, same_as,
    CASE WHEN action = 'insert' THEN seq + 1 END AS ordinal,
    restore, reset_delivery, opt_out, queue_opt_out, why,
    market_out, coalesce(if(stale, base_out, NULL), situated.crm_out, base_out) AS crm_out,
    owner.market_id AS owner_id,
    {account} AS account_id,
    person.market_id AS contact_id,
    email, {key} AS address_key, row_hash, modified_at, created_at, converted_to, owner_ref, account_ref, contact_ref
FROM situated
LEFT JOIN decided USING (situation)
LEFT JOIN known_refs AS owner ON owner.ref_kind = 'user' AND owner.crm_id = owner_ref
LEFT JOIN known_refs AS account ON account.ref_kind = 'account' AND account.crm_id = account_ref
LEFT JOIN known_refs AS person ON person.ref_kind = 'contact' AND person.crm_id = contact_ref
LEFT JOIN known_companies AS company ON account_ref IS NULL AND company.company_key = situated.company_key
"""
_NO_COMPANY = 1


def write_plan(parcel: Parcel, decisions: Mapping[int, RowPlan]) -> None:
    """Joins each situation's decision back to its records.

    A new row's key will be the first of a block plus its place in `raw`: rising with it, with gaps where records are no new rows.
    """
    columns: dict[str, list[object]] = {each.name: [] for each in fields(RowPlan)}
    for decision in decisions.values():
        for name, value in zip(columns, astuple(decision), strict=True):
            columns[name].append(str(value) if name == "action" else value)
    text = {"action", "why"}
    table = {"situation": pa.array(list(decisions), pa.int64())}
    table |= {name: pa.array(values, pa.string() if name in text else pa.bool_()) for name, values in columns.items()}
    parcel.learn("decided", pa.table(table))
    key = "user_key" if parcel.ref.kind is Kind.USER else "address_key"
    parcel.execute(_PLAN.format(key=key, account=f"coalesce(account.market_id, company.market_id, {_NO_COMPANY})"))


def keys_needed(parcel: Parcel) -> int:
    """How many keys the block for this parcel's new rows has to have; 0 when there is none."""
    return parcel.scalar("SELECT max(ordinal) FROM plan")


def sample_of_updates(parcel: Parcel, most: int = 5_000) -> ParcelRows:
    """Market keys of some of the rows that this batch would change."""
    source = f"(SELECT market_id FROM plan WHERE action IN ('update', 'fill') ORDER BY hash(market_id) LIMIT {most})"
    return ParcelRows(parcel, (Column("market_id", "market_id", "BIGINT"),), source)


def action_counts(parcel: Parcel) -> dict[str, int]:
    return dict(parcel.execute("SELECT action, count(*) FROM plan GROUP BY action").fetchall())
