"""Recording what a marketing application produces, from Python. docs/recording.md describes every kind and field.

from tasks.recording import Recorder

recorder = Recorder("marketsync.toml")
told = recorder.sends([{"event_id": "s-1", "campaign": "spring", "address": "ann@example.com", "sent_at": "2026-03-01T12:00:00Z"}])
print(told.recorded, told.known, told.refused)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sync.recording import BATCH_LINES, Refused, Told, read_entries
from sync.recording_fields import Recordable
from sync.recording_pushes import destination
from tasks.lines import lines_of
from tasks.wiring import config_path, installation, now

Records = Mapping[str, Any] | Iterable[Mapping[str, Any]]


class Recorder:
    """Writes into the Market of one configuration. Every method takes one record or many and says what became of them.

    Instants are aware datetimes or ISO 8601 with an offset. Lines are written in batches of 1,000, each in one transaction; a record
    that can't be used is among `refused`, by its number from 1, and the others are kept. Raises ConfigError for a configuration that
    can't be read, and MarketUnavailable; what was recorded before that stays, and recording it all again is harmless.
    """

    def __init__(self, config: str | None = None, *, dry_run: bool = False) -> None:
        self._home = installation(config_path(config))
        self._dry_run = dry_run
        self._destinations = tuple(destination(connector) for connector in self._home.settings.connectors.values())
        if not dry_run:
            self._home.market.upgrade()

    def record(self, kind: Recordable | str, records: Records) -> Told:
        """Records of one kind, by the word that the command line takes."""
        many = [records] if isinstance(records, Mapping) else records
        return self._record(Recordable(kind), enumerate(many, start=1))

    def file(self, kind: Recordable | str, path: str | Path) -> Told:
        """A CSV file with a header, or NDJSON, in UTF-8; lines are numbered as an editor does. Raises ConfigError when it can't be read."""
        with lines_of(path, "Recording") as lines:
            return self._record(Recordable(kind), lines)

    def profiles(self, records: Records) -> Told:
        """Scoring profiles."""
        return self.record(Recordable.PROFILES, records)

    def campaigns(self, records: Records) -> Told:
        """Mail campaigns."""
        return self.record(Recordable.CAMPAIGNS, records)

    def landing_pages(self, records: Records) -> Told:
        """Landing pages."""
        return self.record(Recordable.LANDING_PAGES, records)

    def events(self, records: Records) -> Told:
        """Events that people can register for."""
        return self.record(Recordable.EVENTS, records)

    def leads(self, records: Records) -> Told:
        """People who are new."""
        return self.record(Recordable.LEADS, records)

    def scores(self, records: Records) -> Told:
        """Changes of scores."""
        return self.record(Recordable.SCORES, records)

    def sends(self, records: Records) -> Told:
        """Mails that were sent."""
        return self.record(Recordable.SENDS, records)

    def deliveries(self, records: Records) -> Told:
        """Mails that arrived."""
        return self.record(Recordable.DELIVERIES, records)

    def bounces(self, records: Records) -> Told:
        """Mails that came back."""
        return self.record(Recordable.BOUNCES, records)

    def opens(self, records: Records) -> Told:
        """Openings of mails."""
        return self.record(Recordable.OPENS, records)

    def clicks(self, records: Records) -> Told:
        """Clicks on links in mails."""
        return self.record(Recordable.CLICKS, records)

    def visits(self, records: Records) -> Told:
        """Visits to the web site, with their page views."""
        return self.record(Recordable.VISITS, records)

    def page_views(self, records: Records) -> Told:
        """Page views of visits that are recorded."""
        return self.record(Recordable.PAGE_VIEWS, records)

    def completions(self, records: Records) -> Told:
        """Completed landing pages."""
        return self.record(Recordable.COMPLETIONS, records)

    def registrations(self, records: Records) -> Told:
        """Registrations for events."""
        return self.record(Recordable.REGISTRATIONS, records)

    def attendance(self, records: Records) -> Told:
        """Who came to an event."""
        return self.record(Recordable.ATTENDANCE, records)

    def tasks(self, records: Records) -> Told:
        """Tasks for the CRM's users."""
        return self.record(Recordable.TASKS, records)

    def push_into_crm(self, records: Records) -> Told:
        """Requests to make people in the CRMs that do not have them."""
        return self.record(Recordable.PUSHES, records)

    def update_in_crm(self, records: Records) -> Told:
        """Requests to change people's values in the CRMs that have them."""
        return self.record(Recordable.UPDATES, records)

    def unsubscribes(self, records: Records) -> Told:
        """Opt-outs (CONSENT-8)."""
        return self.record(Recordable.UNSUBSCRIBES, records)

    def resubscribes(self, records: Records) -> Told:
        """Explicit re-subscribes."""
        return self.record(Recordable.RESUBSCRIBES, records)

    def _record(self, kind: Recordable, records: Iterable[tuple[int, Mapping[str, Any] | str]]) -> Told:
        told = Told()
        lines = iter(records)
        while batch := list(itertools.islice(lines, BATCH_LINES)):
            entries, refused = read_entries(kind, batch)
            told += Told(refused=tuple(refused))
            if entries:
                market = self._home.market.marketing
                told += market.record(kind, entries, self._destinations, now=now(), dry_run=self._dry_run)
        return told


__all__ = ["Recordable", "Recorder", "Refused", "Told"]
