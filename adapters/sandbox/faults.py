"""The fault plan: which requests go wrong, and how.

A rule matches by method and path, then decides by its own counter: the n-th match, every n-th, or a seeded
probability; `count` ends it. The first rule that fires wins; rules behind it do not see that request.
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import asdict, dataclass, field, replace
from typing import Any

KINDS = frozenset(
    {
        "status",
        "html",
        "bare",
        "slow",
        "timeout",
        "timeout_after_commit",
        "reset",
        "reset_after_commit",
        "truncate",
        "bad_gzip",
        "expire_token",
        "bulk_dies_after",
    }
)
AFTER_COMMIT = frozenset({"timeout_after_commit", "reset_after_commit", "truncate", "bad_gzip", "bulk_dies_after"})


@dataclass(frozen=True)
class FaultRule:
    """One line of the plan.

    `nth` (1 is the first match), `every` and `probability` choose among the matching requests; with none of them each
    match is hit. `count` is how often the rule fires at most (None: for ever). `seconds` is how long a `timeout` or
    `slow` answer waits; a `slow` one is then executed, also when nobody waits for it any more. `bulk_dies_after` executes the
    first `parts` parts of a bulk call, as a server does that runs out of time, and answers with an HTML page of `status`; 0 resets the
    connection. `bare` is a `status` without a body; `says` is the body of a `status`, JSON text, where a page would be the gateway's.
    `body`: only requests that hold this text, as one record may bring down every call that it is part of. `inside_bulk`
    rules see the parts of a bulk request and nothing else (kinds `status` and `html`).
    """

    kind: str
    method: str = ".*"
    path: str = ".*"
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    seed: int = 0
    count: int | None = None
    status: int = 503
    retry_after_s: int | None = None
    seconds: float = 30.0
    parts: int = 0
    body: str = ""
    says: str = ""
    inside_bulk: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}: one of {', '.join(sorted(KINDS))}")
        re.compile(self.method)
        re.compile(self.path)


@dataclass
class _Armed:
    """A rule with its counters."""

    rule: FaultRule
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def matches(self, method: str, path: str, inside_bulk: bool, body: bytes) -> bool:
        rule = self.rule
        if rule.body.encode() not in body:
            return False
        return rule.inside_bulk == inside_bulk and re.fullmatch(rule.method, method) is not None and re.search(rule.path, path) is not None

    def fires(self) -> bool:
        rule = self.rule
        self.seen += 1
        if rule.count is not None and self.fired >= rule.count:
            return False
        if rule.nth is not None and self.seen != rule.nth:
            return False
        if rule.every is not None and self.seen % rule.every != 0:
            return False
        if rule.probability is not None and self.dice.random() >= rule.probability:
            return False
        self.fired += 1
        return True


class FaultPlan:
    """The rules in force, with their counters; safe for many threads."""

    def __init__(self, rules: tuple[FaultRule, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.set(rules)

    def set(self, rules: tuple[FaultRule, ...]) -> None:
        """Replace the plan; all counters start again."""
        with self._lock:
            self._armed = [_Armed(rule, dice=random.Random(rule.seed)) for rule in rules]

    def decide(self, method: str, path: str, inside_bulk: bool = False, body: bytes = b"") -> FaultRule | None:
        """The rule that hits this request, if any; counts the request."""
        with self._lock:
            for armed in self._armed:
                if armed.matches(method, path, inside_bulk, body) and armed.fires():
                    return armed.rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Every rule with how often it matched and fired."""
        with self._lock:
            return [{**asdict(a.rule), "seen": a.seen, "fired": a.fired} for a in self._armed]


def rule_from_json(document: dict[str, Any]) -> FaultRule:
    """A rule as the control API sends it; raises ValueError or TypeError on what it does not know."""
    return FaultRule(**document)


_STORM = (
    FaultRule("status", status=503),
    FaultRule("status", status=429, retry_after_s=0),
    FaultRule("html"),
    FaultRule("timeout", seconds=0.05),
    FaultRule("timeout_after_commit", seconds=0.05),
    FaultRule("reset"),
    FaultRule("reset_after_commit"),
    FaultRule("truncate"),
    FaultRule("bad_gzip"),
    FaultRule("expire_token"),
    FaultRule("slow", seconds=0.05),
    FaultRule("bulk_dies_after", path="/bulk$", parts=3, status=500),
    FaultRule("bulk_dies_after", path="/bulk$", parts=7, status=0),
)
_STORM_INSIDE = (FaultRule("status", status=500), FaultRule("status", status=503), FaultRule("html"))


def storm(share: float, seed: int = 0, path: str = ".*") -> tuple[FaultRule, ...]:
    """Every kind of trouble at once: about `share` of the bulk calls go wrong, all ways equally often, as many of their parts, and somewhat
    fewer of the other calls, which can't die in the middle. `path` narrows it."""
    rules = []
    for inside, kinds in ((False, _STORM), (True, _STORM_INSIDE)):
        each = share / len(kinds)
        for number, kind in enumerate(kinds):
            # A rule only sees what those before it let through.
            chance = each / (1 - number * each)
            where = path if kind.path == ".*" else kind.path
            rules.append(replace(kind, path=where, probability=chance, seed=seed + number, inside_bulk=inside))
    return tuple(rules)
