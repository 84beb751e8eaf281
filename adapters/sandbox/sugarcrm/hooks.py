"""Logic hooks: what the CRM's own automation does when a client saves a record, set by the control API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import field as value_of
from typing import Any

from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.records import Records
from adapters.sandbox.sugarcrm.schema import Module
from adapters.sandbox.sugarcrm.values import encode

_LABELS = {403: "not_authorized", 409: "edit_conflict", 422: "invalid_parameter", 500: "fatal_error"}


@dataclass(frozen=True)
class Hook:
    """One hook on the saves of a module; colleagues' edits (the control API) do not set it off.

    It takes part when `field` is empty, or when after the save the field's text matches `matches` as a whole (a regular expression).
    `refuse`: the save is refused with this text and `status`; with `saved` only after the record was written, as by a hook that fails
    after the save. Else `values` are written: with `after_s` 0 in the same save, later with a
    stamp of their own, by the same user. `count`: at most so often.
    """

    module: str
    field: str = ""
    matches: str = ".*"
    refuse: str = ""
    status: int = 422
    saved: bool = False
    values: Mapping[str, Any] = value_of(default_factory=dict)
    after_s: float = 0.0
    count: int | None = None

    def __post_init__(self) -> None:
        re.compile(self.matches)
        if not self.refuse and not self.values:
            raise ValueError("a hook has to refuse something or to write values")


@dataclass
class _Armed:
    hook: Hook
    fired: int = 0

    def takes_part(self, module: str, document: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
        hook = self.hook
        if hook.module != module or (hook.count is not None and self.fired >= hook.count):
            return False
        value = document.get(hook.field, stored.get(hook.field)) if hook.field else ""
        return re.fullmatch(hook.matches, "" if value is None else str(value), re.DOTALL) is not None


class Hooks:
    """The hooks in force; the caller holds the lock of the records."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def set(self, hooks: tuple[Hook, ...]) -> None:
        """Replace them all; counters start again."""
        self._armed = [_Armed(hook) for hook in hooks]

    def describe(self) -> list[dict[str, Any]]:
        """Every hook with how often it fired."""
        return [{**asdict(armed.hook), "fired": armed.fired} for armed in self._armed]

    def on_save(self, module: str, document: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Hook, ...]:
        """The hooks that act on this save; raises ApiError for the first one that refuses it. `stored`: the record before."""
        writing = []
        for armed in self._armed:
            if armed.takes_part(module, document, stored):
                armed.fired += 1
                if armed.hook.refuse and not armed.hook.saved:
                    raise _refusal(armed.hook)
                writing.append(armed.hook)
        return tuple(writing)

    def __bool__(self) -> bool:
        return bool(self._armed)


def written_at_once(hooks: tuple[Hook, ...], layout: Module) -> dict[str, bytes]:
    """What joins the same save."""
    return {name: literal for hook in hooks if hook.after_s <= 0 for name, literal in _literals(hook, layout).items()}


def after_save(hooks: tuple[Hook, ...], records: Records, module: str, record_id: str, user_id: str) -> None:
    """What comes a moment after the save, with a stamp of that moment; then ApiError for the first hook that fails after the save."""
    for hook in hooks:
        if hook.after_s > 0:
            stamp = int(records.clock.now() + hook.after_s)
            literals = _literals(hook, records.schema.module(module))

            def write(literals: dict[str, bytes] = literals, stamp: int = stamp) -> None:
                row = records.find(module, record_id)
                if row is not None:
                    records.change(module, row, literals, user_id, stamp)

            records.later(hook.after_s, write)
    for hook in hooks:
        if hook.refuse:
            raise _refusal(hook)


def _refusal(hook: Hook) -> ApiError:
    return ApiError(_LABELS.get(hook.status, "request_failure"), hook.refuse, status=hook.status)


def _literals(hook: Hook, layout: Module) -> dict[str, bytes]:
    return {name: encode(layout.field(name), value, layout.name, "UTC", None) for name, value in hook.values.items()}


def hook_from_json(document: dict[str, Any], layout: Module) -> Hook:
    """A hook as the control API sends it; raises on a field that the module does not have."""
    hook = Hook(**document)
    for name in (*hook.values, *([hook.field] if hook.field else [])):
        layout.field(name)
    return hook


def stored_values(records: Records, module: str, record_id: str) -> dict[str, Any]:
    """The record as it was before the save; empty for a new one."""
    row = records.find(module, record_id)
    return records.values(module, row) if row is not None else {}
