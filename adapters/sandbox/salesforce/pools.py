"""Columns of invented values: a pool per field, drawn from round and round, which is fast for any number of rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sandbox.invented import AWKWARD, LONG_TEXT, latin, words
from adapters.sandbox.salesforce.fields import IDS, NUMBERS, WHOLE, FieldSpec
from adapters.sandbox.salesforce.instants import literal

Column = list[Any]
_SIZES = (499, 503, 509, 521, 523, 541, 547, 557, 563, 569, 571, 577, 587)
_OFTEN = frozenset({"FirstName", "LastName", "Name", "Company", "LastModifiedDate"})
_CITIES = ("Lárvik", "Neustadt", "São Bento", "Верхнее", "上村", "Tel Dan", "Old Harbour")


class Pools:
    """Pools of one org; the same seed gives the same values."""

    def __init__(self, dice: random.Random, start: int, end: int) -> None:
        self.dice = dice
        self._start = start
        self._end = end
        self.vocabulary = words(dice, 1000, (2, 4))
        self._sites = latin(dice, 100)
        self._pools: dict[tuple[str, str], Column] = {}

    def column(self, owner: str, spec: FieldSpec, size: int) -> Column:
        """So many values of a field."""
        pool = self._pools.get((owner, spec.name))
        if pool is None:
            pool = self._pools[owner, spec.name] = self._pool(spec)
        if len(pool) == 1:
            return pool * size
        begin = self.dice.randrange(len(pool))
        return (pool * (size // len(pool) + 2))[begin : begin + size]

    def _pool(self, spec: FieldSpec) -> Column:
        if spec.type == "boolean":
            return ["true" if spec.default is True else "false"]
        if not spec.writable or spec.type in IDS or spec.name.startswith("Mkt_") or spec.name == "EmailBouncedReason":
            return [None]
        size = self.dice.choice(_SIZES)
        share = 1.0 if spec.required or spec.name in _OFTEN else 0.5
        return [self._value(spec) if self.dice.random() < share else None for _ in range(size)]

    def _value(self, spec: FieldSpec) -> Any:
        dice = self.dice
        if spec.type in NUMBERS:
            most = min(10 ** (spec.precision - spec.scale) - 1, 250_000) if spec.precision else 10_000
            return dice.randrange(most) if spec.type in WHOLE else round(dice.random() * most, spec.scale)
        if spec.type == "date":
            return (datetime(1950, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(27_000))).date().isoformat()
        if spec.type == "datetime":
            return literal(dice.randrange(self._start, self._end))
        if spec.values:
            return (
                ";".join(dice.sample(spec.values, 2)) if spec.type == "multipicklist" and dice.random() < 0.5 else dice.choice(spec.values)
            )
        return self._text(spec)[: spec.length].strip() or None

    def _text(self, spec: FieldSpec) -> str:
        dice = self.dice
        if spec.type == "phone":
            return f"+49 {dice.randrange(100, 999)} {dice.randrange(10**6, 10**7)}"
        if spec.type == "url":
            return f"https://www.{dice.choice(self._sites)}.example.com/{dice.choice(self._sites)}"
        if spec.name.endswith("Street"):
            return f"{dice.choice(self.vocabulary)} {dice.randrange(1, 200)}" + (
                "\nc/o " + dice.choice(self.vocabulary) if dice.random() < 0.1 else ""
            )
        if spec.name.endswith("City"):
            return dice.choice(_CITIES)
        if spec.name.endswith("PostalCode"):
            return f"{dice.randrange(10**4, 10**5)}"
        if spec.type == "textarea":
            return " ".join(dice.choices(self.vocabulary, k=dice.randint(3, 12)))
        return dice.choice(self.vocabulary)

    def awkward(self) -> str:
        """A text that breaks careless programs. Texts are stored without blanks around them."""
        return self.dice.choice(AWKWARD).strip()

    def at_the_limit(self, spec: FieldSpec) -> Any:
        """As long or as large as the field allows."""
        if spec.type in NUMBERS:
            return 2**31 - 1 if spec.type in WHOLE else float(10 ** (spec.precision - spec.scale) - 1)
        text = (LONG_TEXT * (spec.length // len(LONG_TEXT) + 1))[: spec.length].rstrip()
        return text.ljust(spec.length, "ü") or None
