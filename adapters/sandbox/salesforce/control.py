"""The typed control client of a Salesforce sandbox. Where a user can be named, the syncing one is meant when none is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from adapters.sandbox.control_client import ControlClient
from adapters.sandbox.salesforce.automation import DuplicateRule, Rule

Values = dict[str, Any]


class SalesforceControl(ControlClient):
    """Act as colleagues, administrators and time. `delay_s` on a write: it has its stamp now and is visible later, by the sandbox's
    clock."""

    # -- colleagues ---------------------------------------------------------------------------------------------------

    def create(self, name: str, values: Values, *, delay_s: float = 0.0) -> str:
        """A colleague makes a record; returns its id. `Id` among the values is the one wished for, `SystemModstamp` the stamp."""
        return str(self.call("records/create", object=name, values=values, delay_s=delay_s)["id"])

    def edit(
        self,
        name: str,
        record_id: str,
        values: Values,
        *,
        delay_s: float = 0.0,
        silent: bool = False,
        system: bool = False,
        stamp: int | None = None,
    ) -> None:
        """A colleague saves. `silent` leaves all stamps alone, `system` moves SystemModstamp only, `stamp` sets them (epoch seconds)."""
        told = {"delay_s": delay_s, "silent": silent, "system": system, "stamp": stamp}
        self.call("records/edit", object=name, id=record_id, values=values, **told)

    def write_raw(self, name: str, record_id: str, values: Values) -> None:
        """Any stored value into any column, unchecked and unstamped: over-long, malformed, of another type."""
        self.call("records/raw", object=name, id=record_id, values=values)

    def touch(self, name: str, ids: Sequence[str], *, stamp: int | None = None) -> int:
        """A mass update: one stamp for all these records."""
        return int(self.call("records/touch", object=name, ids=list(ids), stamp=stamp)["rows"])

    def delete(self, name: str, record_id: str, *, delay_s: float = 0.0) -> None:
        """To the recycle bin, with what hangs on it."""
        self.call("records/delete", object=name, id=record_id, delay_s=delay_s)

    def undelete(self, name: str, record_id: str) -> None:
        """Back from the recycle bin, with what went along."""
        self.call("records/undelete", object=name, id=record_id)

    def purge(self, name: str = "", ids: Sequence[str] | None = None, *, log: bool = False) -> int:
        """Empty the recycle bin (of an object, of these records); `log`: getDeleted forgets them too. Returns how many left."""
        return int(self.call("records/purge", object=name, ids=None if ids is None else list(ids), log=log)["purged"])

    def merge(self, name: str, winner: str, loser: str) -> None:
        """The loser is deleted and points at the winner by MasterRecordId; its children go over."""
        self.call("records/merge", object=name, winner=winner, loser=loser)

    def convert_lead(
        self,
        lead: str,
        *,
        contact: str | None = None,
        account: str | None = None,
        opportunity: bool = False,
        new_id: str | None = None,
    ) -> dict[str, str | None]:
        """Convert into an existing contact, or a new one (`new_id`: its id); returns `contact_id`, `account_id`, `opportunity_id`."""
        told = {"contact": contact, "account": account, "opportunity": opportunity, "new_id": new_id}
        return dict(self.call("records/convert", lead=lead, **told))

    def opt_out(self, address: str, opted_out: bool = True) -> int:
        """A colleague sets HasOptedOutOfEmail on all contacts and leads with this address; returns how many."""
        return int(self.call("addresses/opt-out", address=address, opt_out=opted_out)["records"])

    def bounce(self, address: str, bounced: bool = True) -> int:
        """Salesforce flags an address: SystemModstamp moves, LastModifiedDate does not. Returns how many records have it."""
        return int(self.call("addresses/bounce", address=address, bounced=bounced)["records"])

    def set_editors(self, *editors: Values) -> None:
        """Colleagues who edit while somebody pages: `{object, rows, every, before, seed}`; none to stop."""
        self.call("editors", editors=list(editors))

    def editor_state(self) -> list[Values]:
        """The editors with their counts of `pages` and `edits`."""
        return list(self.call("editors"))

    # -- administrators -----------------------------------------------------------------------------------------------

    def add_object(self, name: str, *fields: str, label: str = "") -> None:
        """A custom object; `fields` are lines such as `Amount__c currency(10,2)`."""
        self.call("objects/add", name=name, label=label, fields=list(fields))

    def add_field(self, name: str, line: str) -> None:
        """A new field, such as `Shoe_Size__c double(4,1)`; existing records have its default and no new stamp."""
        self.call("fields/add", object=name, line=line)

    def remove_field(self, name: str, field: str) -> None:
        """A field is dropped."""
        self.call("fields/remove", object=name, name=field)

    def rename_field(self, name: str, field: str, new_name: str) -> None:
        """The same values under another name."""
        self.call("fields/rename", object=name, name=field, new_name=new_name)

    def retype_field(self, name: str, line: str) -> None:
        """Another type or size; values that do not fit become null. No stamp moves."""
        self.call("fields/retype", object=name, line=line)

    def set_values(self, name: str, field: str, values: Sequence[str], *, restricted: bool = False) -> None:
        """Other values for a picklist."""
        self.call("fields/values", object=name, name=field, values=list(values), restricted=restricted)

    def hide_field(self, name: str, field: str, hidden: bool = True, *, user: str = "") -> None:
        """Field-level security takes a field from a user, or gives it back."""
        self.call("fields/hide", user=user, object=name, name=field, hidden=hidden)

    def protect_field(self, name: str, field: str, protected: bool = True, *, user: str = "") -> None:
        """Let a user read a field and not write it, or give the right back."""
        self.call("fields/protect", user=user, object=name, name=field, protected=protected)

    def set_rules(self, *rules: Rule) -> None:
        """Replace validation rules and triggers; without rules, none."""
        self.call("rules", rules=[asdict(rule) for rule in rules])

    def rule_state(self) -> list[Values]:
        """The rules with how often they `fired`."""
        return list(self.call("rules"))

    def set_duplicate_rules(self, *rules: DuplicateRule) -> None:
        """Replace the duplicate rules; without rules, none."""
        self.call("duplicates", rules=[asdict(rule) for rule in rules])

    def lock_rows(self, *ids: str, count: int | None = None) -> None:
        """The next `count` saves of these records, or of records that point at them, fail with UNABLE_TO_LOCK_ROW; all without a count."""
        self.call("rows/lock", ids=list(ids), count=count)

    def unlock_rows(self, *ids: str) -> None:
        """These records are free again; all when none is named."""
        self.call("rows/unlock", ids=list(ids))

    def deny(self, name: str, action: str = "*", denied: bool = True, *, user: str = "") -> None:
        """Refuse `list` (all reading), `create`, `edit`, `delete` or all (`*`) of an object."""
        self.call("users/deny", user=user, object=name, action=action, denied=denied)

    def hide_rows(self, name: str, ids: Sequence[str], hidden: bool = True, *, user: str = "") -> None:
        """Sharing: these records vanish for a user, without any trace of a deletion."""
        self.call("users/hide-rows", user=user, object=name, ids=list(ids), hidden=hidden)

    def expire_tokens(self, user: str | None = None, *, refresh: bool = False) -> int:
        """Access tokens die (refresh tokens too, if asked); returns the number of sessions."""
        return int(self.call("tokens/expire", user=user, refresh=refresh)["sessions"])

    def add_user(self, user: str, record_id: str, password: str, *, zone: str = "UTC") -> None:
        """A further user who may log in; `record_id` is their User record."""
        self.call("users/add", user=user, id=record_id, password=password, zone=zone)

    def set_password(self, password: str, *, user: str = "") -> None:
        """Change a password; the user's sessions end."""
        self.call("users/password", user=user, password=password)

    def expire_password(self, expired: bool = True, *, user: str = "") -> None:
        """From now on a SOAP login says so and gives a session that is good for nothing."""
        self.call("users/password-expired", user=user, expired=expired)

    def refuse_login(self, says: str, *, user: str = "") -> None:
        """Every login of a user is refused with this error_description, such as `inactive user`; empty: no more."""
        self.call("users/refuse", user=user, says=says)

    def set_zone(self, zone: str, *, user: str = "") -> None:
        """A user's time zone: date literals such as TODAY follow it, and nothing else does."""
        self.call("users/zone", user=user, zone=zone)

    def set_app(self, **settings: Any) -> None:
        """The connected app and the org: client_secret, certificate, rotate_refresh_tokens, password_grant, session_timeout_s, app_calls,
        instance_host."""
        self.call("app", **settings)

    def set_limits(self, **limits: int) -> Values:
        """page_cap (most rows of a page, whatever is asked; 0: none), page_rows, page_bytes, open_cursors."""
        return dict(self.call("limits", **limits))

    def set_log_from(self, at: float | None) -> None:
        """The log of deletions begins here (epoch seconds); None: as many days back as the recycle bin."""
        self.call("log-from", at=at)

    def set_bulk(self, *ends: tuple[str, str | None], slow_polls: int | None = None, query_jobs: int | None = None) -> Values:
        """How the next bulk jobs end, one after the other, as (Failed or Aborted, error message or None); how often jobs say InProgress
        first; how many query jobs a day has. Returns these and the `jobs`."""
        told = [{"state": state, "message": message} for state, message in ends]
        return dict(self.call("bulk", ends=told, slow_polls=slow_polls, query_jobs=query_jobs))

    def keep_from_bulk(self, name: str, kept: bool = True) -> None:
        """Bulk does not take this object, as it is with many of Salesforce's own; the other ways do."""
        self.call("bulk/keep-from", name=name, kept=kept)

    def warm(self, soql: str, operation: str = "queryAll") -> int:
        """Make the result of a bulk query beforehand; jobs that find the same rows and columns use it, until somebody writes. Returns
        the number of rows."""
        return int(self.call("bulk/warm", soql=soql, operation=operation)["rows"])

    # -- looking ------------------------------------------------------------------------------------------------------

    def dump(self, name: str, *, deleted: bool = True, page_rows: int = 5000, where: Values | None = None) -> Iterator[Values]:
        """Records as stored, in the order of their ids, deleted ones too; `where`: only those whose fields have exactly these values."""
        after = ""
        while rows := self.call("dump", object=name, after_id=after, limit=page_rows, deleted=deleted, where=where):
            yield from rows
            after = rows[-1]["Id"]

    def stored(self, name: str, record_id: str) -> Values | None:
        """One record as stored, or None."""
        rows = self.call("dump", object=name, ids=[record_id])
        return rows[0] if rows else None

    def count(self, name: str, where: Values | None = None) -> dict[str, int]:
        """`living` and `deleted` records, all or those whose fields have exactly these values."""
        return dict(self.call("count", object=name, where=where))

    def repeats(self, name: str, *fields: str) -> list[Values]:
        """Living records that agree in all these fields (and have a value in one of them): `values` and `ids` of each group."""
        return list(self.call("repeats", object=name, fields=list(fields)))

    def exactly_once(self, name: str, *fields: str) -> bool:
        """No two living records agree in these fields; `repeats` says which do."""
        return not self.repeats(name, *fields)
