"""One CRM instance: everything that requests and the control API work on."""

from __future__ import annotations

import random
from dataclasses import dataclass

from adapters.sandbox.call_log import CallLog
from adapters.sandbox.clock import Clock
from adapters.sandbox.faults import FaultPlan
from adapters.sandbox.gateway import Gateway
from adapters.sandbox.store import Database, Row
from adapters.sandbox.sugarcrm.errors import ApiError, not_found
from adapters.sandbox.sugarcrm.hooks import Hooks
from adapters.sandbox.sugarcrm.records import Records
from adapters.sandbox.sugarcrm.render import Renderer
from adapters.sandbox.sugarcrm.schema import Schema
from adapters.sandbox.sugarcrm.sessions import Login, Sessions
from adapters.sandbox.sugarcrm.settings import SugarSandboxSettings


@dataclass
class Editor:
    """A colleague who saves `rows` random records of a module around each `every`-th page that somebody reads."""

    module: str
    rows: int = 1
    every: int = 1
    before: bool = False
    seed: int = 0
    pages: int = 0
    edits: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)


class Instance:
    """The state behind the server. Whoever touches records holds `database.lock`."""

    def __init__(self, settings: SugarSandboxSettings) -> None:
        self.settings = settings
        self.clock = Clock(settings.clock_skew_s, settings.clock_fixed)
        self.faults = FaultPlan()
        self.gateway = Gateway(self.clock, settings.daily_calls, settings.calls_at_once)
        self.calls = CallLog(settings.keep_calls)
        self.database = Database()
        self.schema = Schema(settings)
        self.records = Records(self.schema, self.database, self.clock)
        self.renderer = Renderer(self.records, settings.projection_cache_mb * 1_000_000)
        self.sessions = Sessions(settings, self.clock)
        self.editors: list[Editor] = []
        self.hooks = Hooks()
        self.sync_key_admin_only = settings.sync_key_admin_only
        self.max_list_limit = settings.max_list_limit
        self.max_bulk_requests = settings.max_bulk_requests
        self.refuse_over_long = settings.refuse_over_long

    def visible(self, login: Login, module: str, record_id: str) -> Row:
        """A living record that this user's teams let them see, or 404."""
        if record_id in login.hidden_rows.get(module, ()):
            raise not_found(module, record_id)
        return self.records.need(module, record_id)

    def check_module(self, login: Login, module: str, action: str) -> None:
        """404 for no such module, 403 for one that the role takes away."""
        self.schema.module(module)
        login.check(module, action)

    def edit_around(self, module: str, before: bool) -> None:
        """Let the concurrent editors work; called before and after every page."""
        for editor in self.editors:
            if editor.module != module or editor.before != before:
                continue
            editor.pages += 1
            if editor.pages % editor.every == 0:
                self._edit(editor)

    def _edit(self, editor: Editor) -> None:
        table = self.records.tables[editor.module]
        for _ in range(editor.rows):
            row = table.from_seq(editor.dice.randint(1, max(table.size(), 1))) or table.from_seq(0)
            if row is not None:
                self.records.change(editor.module, row, {"description": b'"edited meanwhile %d"' % editor.edits})
                editor.edits += 1

    def close(self) -> None:
        """Remove the scratch database."""
        self.database.close()


def release_number(version: str) -> tuple[int, int]:
    """`v11_24` → (11, 24); raises ApiError 301 for what is no version."""
    major, _, minor = version.removeprefix("v").replace(".", "_").partition("_")
    if not version.startswith("v") or not major.isdigit() or not (minor or "0").isdigit():
        raise ApiError("incorrect_version", f"Version {version} is not an API version")
    return int(major), int(minor or 0)
