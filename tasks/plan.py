"""Raw + what Market knows → the plan. Every look-up goes by the keys of this batch; every decision is made in `sync`."""

from __future__ import annotations

from prefect import task

from adapters.market.engine import Market
from adapters.staging import Parcel, crowding, facts, following, keys, noticing, planning, staged
from sync.consent import FirstAdoption, decide_in_turn
from sync.matching import match_people, match_users
from sync.pull import consent_facts, plan_row
from sync.records import PEOPLE, Kind, ParcelRef, RunRef
from tasks.overtaken import leave_newer
from tasks.progress import Step, tell
from tasks.report import note_findings
from tasks.wiring import RETRY, installation, settings_of


@task(name="plan", task_run_name="plan {ref.kind.plural} of {run.connector}", **RETRY)
def plan(run: RunRef, ref: ParcelRef, again: bool = False) -> tuple[str, ...]:
    """Plans the parcel (`again`: once more, now that owners were fetched).

    Returns the owners that Market does not know, as CRM ids, so that they can be fetched (PULL-7).
    """
    with installation(run.config).parcels.open(ref) as parcel:
        tell(Step(run.run_id, ref.kind.value, "plan", 0, None))
        records = plan_parcel(run, parcel)
        note_findings(run, noticing.findings(parcel))
        tell(Step(run.run_id, ref.kind.value, "plan", records, records, ended=True))
        return owners_to_fetch(run, parcel)


def owners_to_fetch(run: RunRef, parcel: Parcel) -> tuple[str, ...]:
    """Owners that Market does not know, as CRM ids; none where users are not pulled (CONN-5)."""
    return keys.unknown_owners(parcel) if settings_of(run).pull.users.on else ()


def plan_parcel(run: RunRef, parcel: Parcel) -> int:
    """Makes facts, knowledge and plan afresh, because Market may have moved; returns the number of records."""
    market, kind = installation(run.config).market, parcel.ref.kind
    parcel.tell("market_mark", market.mark())
    records = facts.gather_facts(parcel)
    leave_newer(market, parcel)
    planning.forget(parcel)
    following.prepare(parcel)
    parcel.learn("known_links", market.lookup_links(run.connector, kind, keys.of_facts(parcel, "crm_id"), living=True))
    _learn_references(run, market, parcel)
    if kind in PEOPLE:
        _match_people(run, market, parcel)
    elif kind is Kind.USER:
        parcel.learn("known_users", market.lookup_users_by_email(keys.of_facts(parcel, "address_key")))
        planning.keep_user_matches(parcel, match_users(planning.user_claims(parcel), planning.users_by_address(parcel)))
        parcel.learn("known_rows", market.lookup_rows(kind.table, keys.known_rows(parcel)))
    else:
        parcel.learn("known_rows", market.lookup_rows(kind.table, keys.known_rows(parcel)))
    first_adoption = settings_of(run).consent.on_first_adoption
    situations = planning.situations(parcel, kind)
    decisions = {number: plan_row(facts_, people=kind in PEOPLE, first_adoption=first_adoption) for number, facts_ in situations.items()}
    planning.write_plan(parcel, decisions)
    if kind in PEOPLE:
        _decide_in_turn(parcel, first_adoption)
    staged.stage(parcel, kind)
    return records


def _decide_in_turn(parcel: Parcel, first_adoption: FirstAdoption) -> None:
    """CONSENT-10: the opt-outs of people of whom this batch has several records."""
    crowds = crowding.crowds(parcel).values()
    crowding.keep_decisions(
        parcel, {crowd: decide_in_turn([consent_facts(each) for each in crowd.facts], first_adoption) for crowd in crowds}
    )


def _match_people(run: RunRef, market: Market, parcel: Parcel) -> None:
    kind = parcel.ref.kind
    if kind is Kind.CONTACT:
        parcel.learn("known_conversions", market.lookup_conversions(run.connector, keys.of_facts(parcel, "crm_id")))
    rows = keys.known_rows(parcel)
    parcel.learn("known_people", market.lookup_people(email_keys=keys.unlinked_addresses(parcel), market_ids=rows, connector=run.connector))
    parcel.learn("known_holds", market.lookup_holds(email_keys=keys.unlinked_addresses(parcel), market_ids=rows))
    claims = planning.claims(parcel)
    if claims:
        matches = match_people(
            run.connector,
            kind,
            claims,
            planning.candidates(parcel),
            planning.rows_of_leads(parcel),
            planning.row_of_contact(parcel) if kind is Kind.LEAD else {},
            planning.rows_of_contacts(parcel, run.connector),
            keys.returning_rows(parcel),
        )
        planning.keep_matches(parcel, matches)


def _learn_references(run: RunRef, market: Market, parcel: Parcel) -> None:
    """Owners, accounts and people that this batch names, by the CRM's ids; accounts of leads also by name (PULL-6, PULL-7)."""
    kind = parcel.ref.kind
    named = (
        (Kind.USER, "owner_ref"),
        (Kind.ACCOUNT, "account_ref"),
        (Kind.CONTACT, "converted_to"),
        (Kind.CONTACT, "contact_ref"),
        (Kind.LEAD, "contact_ref"),
    )
    for ref_kind, column in named:
        found = market.lookup_links(run.connector, ref_kind, keys.of_facts(parcel, column)).select(["crm_id", "market_id"])
        keys.keep_references(parcel, Kind.CONTACT if ref_kind is Kind.LEAD else ref_kind, found)
    if kind is Kind.LEAD:
        names = market.lookup_account_names(keys.companies(parcel))
        parcel.learn("known_companies", names.rename_columns(["company_key", "market_id"]))
