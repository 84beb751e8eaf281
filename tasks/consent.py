"""What an operator asks and does about opt-outs: who may be mailed, the guarded watch, the law CONSENT-10. No flow is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.market.mailing import Judged, Violation
from adapters.market.unsubscribing import Unsubscribed
from adapters.market.watch import LedgerEntry as LedgerEntry  # the commands show them
from adapters.market.watch import Watched as Watched
from sync.errors import ConfigError
from sync.watch_file import WatchFile, read_watch_file
from tasks.wiring import installation, now

_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class PersonConsent:
    """One row: its own words, whether the person may be mailed, and which CRM records stand behind it."""

    judged: Judged
    row: dict[str, Any]
    links: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ConsentView:
    """Everything about one address, or one person. `why` is empty when the address may be mailed."""

    address: str
    may: bool
    why: str
    people: tuple[PersonConsent, ...]
    watched: tuple[Watched, ...]
    ledger: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """Lines of a file for the guarded watch: new there, there already, repeated in the file."""

    new: int
    known: int
    repeated: int


def show_consent(config: str, address: str | None, contact_id: int | None) -> ConsentView:
    """By address, or by a person's contact_id; then the address is that of the row. Raises ConfigError when there is no such row."""
    consent = installation(config).market.consent
    ids = consent.rows_with(address) if address is not None else ()
    if contact_id is not None:
        ids = (contact_id,)
    rows = {row["contact_id"]: row for row in consent.rows(ids)}
    if contact_id is not None and contact_id not in rows:
        raise ConfigError(f"there is no person {contact_id}", where="contacts", todo="Name the contact_id of a row, or an address.")
    people = tuple(PersonConsent(judged, rows[judged.contact_id], consent.links(judged.contact_id)) for judged in consent.judge(ids))
    asked = address if contact_id is None else rows[contact_id]["email_key"]
    decision = people[0].judged.decision if contact_id is not None else consent.may_mail(asked or "")
    watched = consent.watched(asked) if asked else ()
    return ConsentView(asked or "", decision.may, decision.why, people, watched, consent.history(asked, ids))


def why_not_mailed(config: str, address: str) -> str:
    """Empty: the address may be mailed (CONSENT-7). Else the reason, in words."""
    consent = installation(config).market.consent
    decision, watched = consent.may_mail(address), consent.watched(address)
    return f"{decision.why}: {watched[0].reason}" if watched and "watch" in decision.why else decision.why


def release_address(config: str, address: str, reason: str, who: str) -> int:
    """CONSENT-7: takes an address off the guarded watch. → how many entries of it there were. Raises ConfigError without a reason."""
    return installation(config).market.consent.unwatch(address, who=who, why=reason, now=now())


def import_watch(config: str, file: str, *, campaign: str, reason: str, who: str, dry_run: bool) -> ImportCounts:
    """Puts the addresses of a file on the guarded watch: all of them or none. Raises ConfigError that names every line at fault."""
    found = _read(file, campaign, reason)
    if found.faults:
        raise _faulty(file, found)
    entries = [Watched(line.address, line.campaign, line.at, line.reason, who) for line in found.lines]
    home = installation(config)
    if not dry_run:
        home.market.upgrade()
    new = home.market.consent.watch(entries, dry_run=dry_run)
    return ImportCounts(new, len(entries) - new, found.repeated)


def _read(file: str, campaign: str, reason: str) -> WatchFile:
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as lines:
            return read_watch_file(lines, campaign=campaign, reason=reason, now=now())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not written in UTF-8"
        raise ConfigError(f"the file can't be read: {why}", where=file, todo="Name a readable CSV or NDJSON file in UTF-8.") from error


def _faulty(file: str, found: WatchFile) -> ConfigError:
    count = len(found.faults)
    named = "\n".join(f"  line {number}: {fault}" for number, fault in found.faults[:_FAULTS_SHOWN])
    more = f"\n  … and {count - _FAULTS_SHOWN:,} more" if count > _FAULTS_SHOWN else ""
    what = f"{count:,} line{' is' if count == 1 else 's are'} at fault, so nothing was imported:\n{named}{more}"
    return ConfigError(what, where=file, todo="Correct them and import the file again: what is there already is not added twice.")


def watch_entries(config: str) -> tuple[Watched, ...]:
    """The whole guarded watch, by address."""
    return installation(config).market.consent.watched()


def consent_violations(config: str) -> tuple[Violation, ...]:
    """CONSENT-10 over the whole Market; empty when the law holds."""
    return installation(config).market.consent.violations()


def unsubscribe(config: str, target: int | str, *, who: str, why: str, campaign: str = "", at: datetime | None = None) -> Unsubscribed:
    """CONSENT-8: a contact_id, or an address and everybody who has it. Told to each CRM whose connector pushes unsubscribes."""
    home = installation(config)
    push = [name for name, connector in home.settings.connectors.items() if connector.push.unsubscribes]
    return home.market.consent.unsubscribe(target, who=who, why=why, campaign=campaign, now=at or now(), push=push)
