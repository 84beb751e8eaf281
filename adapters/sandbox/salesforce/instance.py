"""One org: everything that requests and the control API work on."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from adapters.sandbox.call_log import CallLog
from adapters.sandbox.clock import Clock
from adapters.sandbox.faults import FaultPlan
from adapters.sandbox.gateway import Gateway
from adapters.sandbox.salesforce.automation import Automation
from adapters.sandbox.salesforce.bulk import Bulk
from adapters.sandbox.salesforce.cursors import Cursors
from adapters.sandbox.salesforce.records import Records
from adapters.sandbox.salesforce.schema import Schema
from adapters.sandbox.salesforce.sessions import Sessions
from adapters.sandbox.salesforce.settings import SalesforceSandboxSettings
from adapters.sandbox.store import Database


@dataclass
class Editor:
    """A colleague who saves `rows` random records of an object around each `every`-th page that somebody reads."""

    object: str
    rows: int = 1
    every: int = 1
    before: bool = False
    seed: int = 0
    pages: int = 0
    edits: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)


class Instance:
    """The state behind the server. Whoever touches records holds `database.lock`. `log_from`: where the log of deletions begins."""

    def __init__(self, settings: SalesforceSandboxSettings) -> None:
        self.settings = settings
        self.clock = Clock(settings.clock_skew_s, settings.clock_fixed)
        self.faults = FaultPlan()
        self.gateway = Gateway(self.clock, settings.daily_calls, settings.calls_at_once)
        self.calls = CallLog(settings.keep_calls)
        self.database = Database()
        self.schema = Schema(settings)
        self.records = Records(self.schema, self.database, self.clock)
        self.sessions = Sessions(settings, self.clock)
        self.cursors = Cursors(settings.open_cursors, self.clock)
        self.automation = Automation()
        self.bulk = Bulk(self.clock, settings.bulk_query_jobs)
        self.editors: list[Editor] = []
        self.app_calls: Counter[str] = Counter()
        self.app_limit = settings.app_calls
        self.page_rows = settings.page_rows
        self.page_bytes = settings.page_bytes
        self.page_cap = 0
        self.instance_host = settings.instance_host
        self.log_from: float | None = None
        self.port = settings.port

    @property
    def url(self) -> str:
        """What tokens name as the address of the org's data."""
        return f"http://{self.instance_host}:{self.port}"

    def edit_around(self, name: str, before: bool) -> None:
        """Let the concurrent editors work; called before and after every page."""
        for editor in self.editors:
            if editor.object == name and editor.before == before:
                editor.pages += 1
                if editor.pages % editor.every == 0:
                    self._edit(editor)

    def _edit(self, editor: Editor) -> None:
        sql = f'select "Id" from "{self.schema.object(editor.object).name}" where "IsDeleted" = \'false\' order by "Id"'
        ids = [found for (found,) in self.database.execute(sql)]
        for _ in range(min(editor.rows, len(ids))):
            values = {"Description": f"edited meanwhile {editor.edits}"}
            self.records.change(editor.object, editor.dice.choice(ids), values, "", self.records.stamp())
            editor.edits += 1

    def close(self) -> None:
        """Stop what is at work and remove the data."""
        self.bulk.close()
        self.database.close()
