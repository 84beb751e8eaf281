"""How far a run has come, from the signs of life of its steps: a share for a bar, and words beside it."""

from __future__ import annotations

from dataclasses import dataclass

from sync.records import Kind

_WORTH = {"extract": 0.6, "plan": 0.7, "check": 0.8, "commit": 1.0, "collect": 0.1, "send": 0.8, "settle": 1.0}
"""What share of the work at one kind is done when that step has ended; reading and sending take the most of it."""


@dataclass(slots=True)
class _Way:
    read: int = 0
    of: int | None = None
    share: float = 0.0
    done: bool = False


class HowFar:
    """Hears what the steps tell, in any order. Kinds whose number of records nobody knows yet count as little as one record."""

    def __init__(self) -> None:
        self._ways: dict[Kind, _Way] = {}

    def hear(self, kind: Kind, verb: str, done: int, total: int | None, *, ended: bool) -> None:
        """`done` of `total` rows (None: unknown) of one kind have passed one step."""
        way = self._ways.setdefault(kind, _Way())
        if verb in ("extract", "collect"):
            way.read, way.of, way.done = done, total or way.of, False
        if verb not in _WORTH:
            return
        within = done / total if verb == "extract" and total and not ended else 0.0
        way.share = _WORTH[verb] if ended else max(way.share, _WORTH["extract"] * min(within, 1.0))
        way.done = ended and _WORTH[verb] == 1.0

    @property
    def percent(self) -> float:
        """0 to 100, by the number of records of each kind."""
        weights = {kind: max(way.of or way.read, 1) for kind, way in self._ways.items()}
        whole = sum(weights.values())
        return round(100 * sum(weights[kind] * way.share for kind, way in self._ways.items()) / whole, 1) if whole else 0.0

    @property
    def words(self) -> str:
        """`users, accounts done; leads: 4,975 read; contacts: 3,000 of 9,950 read`."""
        kinds = sorted(self._ways, key=list(Kind).index)
        done = [kind.plural for kind in kinds if self._ways[kind].done]
        rest = [f"{kind.plural}: {self._read(self._ways[kind])}" for kind in kinds if not self._ways[kind].done]
        return "; ".join([f"{', '.join(done)} done"] * bool(done) + rest)

    @staticmethod
    def _read(way: _Way) -> str:
        whole = way.of is None or way.read >= way.of
        return f"{way.read:,} read" if whole else f"{way.read:,} of {way.of:,} read"
