"""The writing half of `SugarCrm`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.crm.memory import DailyCalls, SchemaMemory
from adapters.crm.sugarcrm_choices import SugarChoices
from adapters.crm.sugarcrm_push import SugarPush
from adapters.crm.sugarcrm_schema import fingerprint
from adapters.crm.sugarcrm_session import SugarApi
from adapters.crm.sugarcrm_writes import SugarWrites
from adapters.http import PATIENT, Patience
from sync.push import Outgoing, Quota, Receipt
from sync.push_settings import SinkSettings
from sync.records import Kind


@dataclass(frozen=True, slots=True)
class PushWishes:
    """Where activity lands, what a new person becomes, and how many calls a day we allow ourselves (0: any number)."""

    sinks: SinkSettings
    create_as: Kind = Kind.LEAD
    daily_calls: int = 0

    def daily(self, session_dir: Path, whose: str) -> DailyCalls | None:
        return DailyCalls(session_dir, "sugarcrm", whose, self.daily_calls) if self.daily_calls else None


class SugarWriting:
    """`sync.crm.Writing` for Sugar."""

    def __init__(
        self,
        api: SugarApi,
        modules: Mapping[Kind, str],
        wishes: PushWishes,
        memory: SchemaMemory,
        daily: DailyCalls | None,
        patience: Patience = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._modules = modules
        self._wishes = wishes
        self._memory = memory
        self._daily = daily
        self._push = SugarPush(SugarWrites(api, patience, sleep), wishes.sinks, wishes.create_as)
        self._choices = SugarChoices(api, memory, lambda: self.fingerprint((Kind.LEAD, Kind.CONTACT)), wishes.sinks, wishes.create_as)

    def fingerprint(self, kinds: Sequence[Kind]) -> str:
        """The hash of all metadata: one small call. It may change where `kinds` do not, never the other way round."""
        found = fingerprint(self._api, [self._modules[kind] for kind in kinds])
        self._memory.saw(found)
        return found

    def send(self, kind: Kind, batch: Sequence[Outgoing]) -> tuple[Receipt, ...]:
        """By bulk calls of fifty records; see `sugarcrm_writes` for what is uncertain and `sugarcrm_push` for what becomes of each kind."""
        return self._push.send(kind, batch)

    def rows_per_call(self, kind: Kind) -> float:
        return self._push.rows_per_call(kind)

    def rows_per_batch(self, kind: Kind) -> int:
        return self._push.rows_per_batch(kind)

    def choices(self, kind: Kind, fields: Sequence[str]) -> dict[str, frozenset[str]]:
        """Two calls per module for what is not known yet; three when no schema was ever seen."""
        return self._choices.choices(kind, fields)

    def limits(self, kind: Kind) -> dict[str, int]:
        """One call per module that is not known yet."""
        return self._choices.limits(kind)

    def required(self, kind: Kind) -> frozenset[str]:
        """No call after `limits` of the same kind."""
        return self._choices.required(kind)

    def quota(self) -> Quota | None:
        """Sugar has no allowance of its own; what the operator set for the day, if anything. No call."""
        return self._daily.quota() if self._daily else None
