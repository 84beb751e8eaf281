"""What the org does by itself when a client saves: validation rules, triggers, duplicate rules, locks. Set by the control API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import field as value_of
from typing import Any

from adapters.sandbox.salesforce.errors import ApiError


@dataclass(frozen=True)
class Rule:
    """One rule on the saves of an object; colleagues' edits (the control API) do not set it off.

    It takes part when `field` is empty, or when after the save the field's text matches `matches` as a whole (a regular expression).
    `refuse`: the save is refused with this text and `code`. Else `values` are written in the same save, as a trigger does.
    `on`: create, update or both. `count`: at most so often.
    """

    object: str
    field: str = ""
    matches: str = ".*"
    refuse: str = ""
    code: str = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    values: Mapping[str, Any] = value_of(default_factory=dict)
    on: str = "both"
    count: int | None = None

    def __post_init__(self) -> None:
        re.compile(self.matches)
        if not self.refuse and not self.values:
            raise ValueError("a rule has to refuse something or to write values")


@dataclass(frozen=True)
class DuplicateRule:
    """Living records of `object` must differ in `field`; `blocks` also when the client says that it wants to save anyway."""

    object: str
    field: str = "Email"
    blocks: bool = False


@dataclass
class _Armed:
    rule: Rule
    fired: int = 0

    def takes_part(self, name: str, values: Mapping[str, Any], created: bool) -> bool:
        rule = self.rule
        if rule.object != name or (rule.count is not None and self.fired >= rule.count):
            return False
        if rule.on != "both" and (rule.on == "create") != created:
            return False
        value = values.get(rule.field) if rule.field else ""
        return re.fullmatch(rule.matches, "" if value is None else str(value), re.DOTALL) is not None


class Automation:
    """All that is in force; the caller holds the lock of the records."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.duplicates: list[DuplicateRule] = []
        self.locked: dict[str, int | None] = {}

    def set_rules(self, rules: tuple[Rule, ...]) -> None:
        """Replace them all; counters start again."""
        self._armed = [_Armed(rule) for rule in rules]

    def describe(self) -> list[dict[str, Any]]:
        """Every rule with how often it fired."""
        return [{**asdict(armed.rule), "fired": armed.fired} for armed in self._armed]

    def on_save(self, name: str, values: Mapping[str, Any], created: bool) -> dict[str, Any]:
        """What triggers write into this save; `values` is the record as it will be. Raises ApiError for the first rule that refuses."""
        written: dict[str, Any] = {}
        for armed in self._armed:
            if armed.takes_part(name, {**values, **written}, created):
                armed.fired += 1
                if armed.rule.refuse:
                    fields = [armed.rule.field] if armed.rule.field else []
                    raise ApiError(armed.rule.code, armed.rule.refuse, fields)
                written |= armed.rule.values
        return written

    def lock(self, ids: list[str], count: int | None) -> None:
        """Somebody else works on these records: so many saves of them or below them fail; None: until they are unlocked."""
        self.locked |= dict.fromkeys(ids, count)

    def unlock(self, ids: list[str]) -> None:
        """These records are free again; all when none is named."""
        self.locked = {one: left for one, left in self.locked.items() if ids and one not in ids}

    def check_lock(self, ids: list[str]) -> None:
        """Raises ApiError UNABLE_TO_LOCK_ROW when one of these records is locked."""
        held = next((one for one in ids if one in self.locked), None)
        if held is None:
            return
        left = self.locked[held]
        if left is not None:
            if left <= 1:
                del self.locked[held]
            else:
                self.locked[held] = left - 1
        raise ApiError("UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {held}")
