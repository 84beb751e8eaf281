"""The typed control client of a SugarCRM sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from adapters.sandbox.control_client import ControlClient
from adapters.sandbox.sugarcrm.hooks import Hook


class SandboxControl(ControlClient):
    """Act as colleagues, administrators and time. `delay_s` on a write: it has its stamp now and is visible later, by
    the sandbox's clock."""

    def create(self, module: str, values: dict[str, Any], *, delay_s: float = 0.0) -> str:
        """A colleague makes a record; returns its id. `date_modified` among the values sets the stamp."""
        return str(self.call("records/create", module=module, values=values, delay_s=delay_s)["id"])

    def edit(
        self,
        module: str,
        record_id: str,
        values: dict[str, Any],
        *,
        delay_s: float = 0.0,
        silent: bool = False,
        stamp: int | None = None,
    ) -> None:
        """A colleague saves; `silent` leaves `date_modified` alone, `stamp` sets it (epoch seconds)."""
        self.call("records/edit", module=module, id=record_id, values=values, delay_s=delay_s, silent=silent, stamp=stamp)

    def write_raw(self, module: str, record_id: str, values: dict[str, Any]) -> None:
        """Any JSON value into any field, unchecked and unstamped: over-long, malformed, of another type."""
        self.call("records/raw", module=module, id=record_id, values=values)

    def touch(self, module: str, ids: Sequence[str], *, stamp: int | None = None) -> int:
        """A mass update: one stamp for all these records."""
        return int(self.call("records/touch", module=module, ids=list(ids), stamp=stamp)["rows"])

    def delete(self, module: str, record_id: str, *, delay_s: float = 0.0) -> None:
        """Delete: the stamp moves, the row stays as a stub until `prune`."""
        self.call("records/delete", module=module, id=record_id, delay_s=delay_s)

    def undelete(self, module: str, record_id: str) -> None:
        """Bring a deleted record back."""
        self.call("records/undelete", module=module, id=record_id)

    def merge(self, module: str, winner: str, loser: str) -> None:
        """The loser is deleted without a pointer; links, children and addresses move to the winner."""
        self.call("records/merge", module=module, winner=winner, loser=loser)

    def convert_lead(
        self,
        lead: str,
        *,
        contact: str | None = None,
        account: str | None = None,
        opportunity: str | None = None,
        new_id: str | None = None,
    ) -> dict[str, str]:
        """Convert into an existing contact, or a new one (`new_id`: its id); returns `contact_id`, `account_id`, `opportunity_id`."""
        named = {"contact": contact, "account": account, "opportunity": opportunity, "new_id": new_id}
        return dict(self.call("records/convert", lead=lead, **named))

    def link(self, module: str, record_id: str, link: str, far_id: str, *, role: str = "") -> None:
        """Link two records."""
        self.call("records/link", module=module, id=record_id, link=link, far_id=far_id, role=role)

    def unlink(self, module: str, record_id: str, link: str, far_id: str) -> None:
        """Remove a link."""
        self.call("records/unlink", module=module, id=record_id, link=link, far_id=far_id)

    def opt_out(self, address: str, opted_out: bool = True) -> int:
        """Flag an address; no record's stamp moves. Returns how many address rows have that text."""
        return int(self.call("addresses/flag", address=address, opt_out=opted_out)["addresses"])

    def bounce(self, address: str, invalid: bool = True) -> int:
        """Mark an address as invalid; like `opt_out`."""
        return int(self.call("addresses/flag", address=address, invalid=invalid)["addresses"])

    def prune(self) -> int:
        """Deleted rows leave for good; returns how many."""
        return int(self.call("prune")["pruned"])

    def add_field(self, module: str, name: str, kind: str = "varchar", *, length: int | None = None, options: str = "") -> None:
        """A new field; existing rows have its default and no new stamp."""
        self.call("fields/add", module=module, name=name, type=kind, length=length, options=options)

    def remove_field(self, module: str, name: str) -> None:
        """A field is dropped."""
        self.call("fields/remove", module=module, name=name)

    def rename_field(self, module: str, name: str, new_name: str) -> None:
        """The same values under another name."""
        self.call("fields/rename", module=module, name=name, new_name=new_name)

    def retype_field(self, module: str, name: str, kind: str, *, length: int | None = None) -> None:
        """Another type; values that do not fit become null. Rewrites every row."""
        self.call("fields/retype", module=module, name=name, type=kind, length=length)

    def hide_field(self, user: str, module: str, name: str, hidden: bool = True) -> None:
        """Take a field from a user, or give it back."""
        self.call("fields/hide", user=user, module=module, name=name, hidden=hidden)

    def set_list(self, name: str, values: dict[str, str]) -> None:
        """Replace a drop-down list."""
        self.call("lists/set", name=name, values=values)

    def protect_field(self, user: str, module: str, name: str, protected: bool = True) -> None:
        """Let a user read a field and not write it (403), or give the right back."""
        self.call("fields/protect", user=user, module=module, name=name, protected=protected)

    def set_hooks(self, *hooks: Hook) -> None:
        """Replace the CRM's own automation on clients' saves; without hooks, none."""
        self.call("hooks", hooks=[asdict(hook) for hook in hooks])

    def hook_state(self) -> list[dict[str, Any]]:
        """The hooks with how often they `fired`."""
        return list(self.call("hooks"))

    def expire_tokens(self, user: str | None = None, *, refresh: bool = False) -> int:
        """Make access tokens old (refresh tokens too, if asked); returns the number of sessions."""
        return int(self.call("tokens/expire", user=user, refresh=refresh)["sessions"])

    def add_user(self, user: str, record_id: str, password: str, *, admin: bool = False, zone: str = "UTC") -> None:
        """An account for the API; `record_id` is its Users record."""
        self.call("users/add", user=user, id=record_id, password=password, admin=admin, zone=zone)

    def set_password(self, user: str, password: str) -> None:
        """Change a password; the user's sessions die."""
        self.call("users/password", user=user, password=password)

    def expire_password(self, user: str, expired: bool = True) -> None:
        """From now on a login is refused with the text for an expired password."""
        self.call("users/password-expired", user=user, expired=expired)

    def lock_user(self, user: str, locked: bool = True) -> None:
        """Lock an account, or open it again."""
        self.call("users/lock", user=user, locked=locked)

    def set_zone(self, user: str, zone: str) -> None:
        """The zone in which a user sees instants, such as `America/New_York`."""
        self.call("users/zone", user=user, zone=zone)

    def set_admin(self, user: str, admin: bool) -> None:
        """Give or take administrator rights."""
        self.call("users/admin", user=user, admin=admin)

    def deny(self, user: str, module: str, action: str = "*", denied: bool = True) -> None:
        """Refuse `list`, `view`, `create`, `edit`, `delete` or all (`*`) of a module with 403."""
        self.call("users/deny", user=user, module=module, action=action, denied=denied)

    def hide_rows(self, user: str, module: str, ids: Sequence[str], hidden: bool = True) -> None:
        """Team security: these records vanish for a user, without any trace of a deletion."""
        self.call("users/hide-rows", user=user, module=module, ids=list(ids), hidden=hidden)

    def set_editors(self, *editors: dict[str, Any]) -> None:
        """Colleagues who edit while somebody pages: `{module, rows, every, before, seed}`; none to stop."""
        self.call("editors", editors=list(editors))

    def editor_state(self) -> list[dict[str, Any]]:
        """The editors with their counts of `pages` and `edits`."""
        return list(self.call("editors"))

    def set_limits(
        self,
        *,
        max_list_limit: int | None = None,
        max_bulk_requests: int | None = None,
        sync_key_admin_only: bool | None = None,
        refuse_over_long: bool | None = None,
    ) -> None:
        """Change the page cap, the most parts of a bulk call, the rule on upserts, or what becomes of a text that is too long."""
        self.call(
            "limits",
            max_list_limit=max_list_limit,
            max_bulk_requests=max_bulk_requests,
            sync_key_admin_only=sync_key_admin_only,
            refuse_over_long=refuse_over_long,
        )

    def dump(
        self, module: str, *, deleted: bool = True, page_rows: int = 5000, where: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Records as stored, in id order, instants in UTC; deleted ones have `deleted: true` and their values. `where`: only those whose
        fields have exactly these stored values."""
        after = ""
        while rows := self.call("dump", module=module, after_id=after, limit=page_rows, deleted=deleted, where=where):
            yield from rows
            after = rows[-1]["id"]

    def stored(self, module: str, record_id: str) -> dict[str, Any] | None:
        """One record as stored, or None."""
        rows = self.call("dump", module=module, ids=[record_id])
        return rows[0] if rows else None

    def count(self, module: str, where: dict[str, Any] | None = None) -> dict[str, int]:
        """`living` and `deleted` rows, all or those whose fields have exactly these stored values."""
        return dict(self.call("count", module=module, where=where))

    def repeats(self, module: str, *fields: str) -> list[dict[str, Any]]:
        """Living records that agree in all these fields (and have a value in one of them): `values` and `ids` of each group."""
        return list(self.call("repeats", module=module, fields=list(fields)))

    def exactly_once(self, module: str, *fields: str) -> bool:
        """No two living records agree in these fields; `repeats` says which do."""
        return not self.repeats(module, *fields)

    def joins(self, relationship: str) -> list[tuple[str, str, str]]:
        """Every (left, right, role) of a join table, such as `opportunities_contacts`."""
        return [(left, right, role) for left, right, role in self.call("links", relationship=relationship)]

    def warm(self, user: str, module: str, fields: Sequence[str] = ()) -> int:
        """Render all rows with these fields beforehand; returns how many stay in memory."""
        return int(self.call("warm", user=user, module=module, fields=list(fields))["in_memory"])
