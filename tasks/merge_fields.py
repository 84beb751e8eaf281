"""Merge fields for applications that send mails, and for whoever tries one (CUST-3). No flow is needed.

from tasks.merge_fields import MergeFields

fields = MergeFields("marketsync.toml")
fields.text("subscriptions", contact_id)
fields.html("subscriptions", contact_id)
"""

from __future__ import annotations

from typing import Any

from adapters.market.saved_reports_sql import listed_columns
from sync.errors import ConfigError
from sync.merge_fields import MergeField, as_markup, as_text
from sync.saved_reports import SavedReport
from tasks.wiring import config_path, installation, now


class MergeFields:
    """The merge fields of one installation. Safe to share between threads; each call is one short transaction that can't write.

    `contact_id` is a row of `contacts`; who was merged away has the winner's rows. Raises ConfigError for a name that is not configured,
    for a field that the tables can't answer and for a person who is not there, MarketUnavailable when Market can't be reached.
    """

    def __init__(self, config: str | None = None) -> None:
        """`config`: the configuration file; by default the environment's MARKETSYNC_CONFIG, else marketsync.toml."""
        self._home = installation(config_path(config))

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are configured, in the file's order."""
        return tuple(self._home.settings.merge_fields)

    def text(self, name: str, contact_id: int) -> str:
        """The rows of this person as text, a line each; the default when there is none."""
        merge, report, rows = self._asked(name, contact_id)
        return as_text(merge, listed_columns(report), rows)

    def html(self, name: str, contact_id: int) -> str:
        """The same as HTML: whatever stands in the rows is escaped, the templates' own words are markup."""
        merge, report, rows = self._asked(name, contact_id)
        return as_markup(merge, listed_columns(report), rows)

    def _asked(self, name: str, contact_id: int) -> tuple[MergeField, SavedReport, list[dict[str, Any]]]:
        merge = self._home.settings.merge_field(name)
        report = self._home.settings.saved_report(merge.report)
        return merge, report, self._home.market.merge_rows.of_person(merge, report, contact_id, now())

    def person(self, address_or_id: str) -> int:
        """The contact_id of a person named by it or by an address. Of several with one address the one that was written last.

        Raises ConfigError when there is nobody.
        """
        if address_or_id.isascii() and address_or_id.isdigit():
            return int(address_or_id)
        found = self._home.market.merge_rows.people_with(address_or_id)
        if not found:
            todo = "Name an address of somebody in Market, or a contact_id."
            raise ConfigError("nobody in Market who is not deleted has this address", where="--person", todo=todo)
        return found[0]


def merge_fields_of(config: str) -> tuple[MergeField, ...]:
    """The merge fields of the configuration, in the file's order."""
    return tuple(installation(config).settings.merge_fields.values())
