"""Bracketed query parameters, as PHP reads them: `filter[0][name][$starts]=A`."""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"\[([^\]]*)\]")


def nested(query: dict[str, str]) -> dict[str, Any]:
    """Parameters as nested dicts; what counts from 0 upwards is a list."""
    root: dict[str, Any] = {}
    for name, value in query.items():
        head, bracket, tail = name.partition("[")
        path = [head, *_KEY.findall(bracket + tail)]
        place = root
        for key in path[:-1]:
            below = place.setdefault(key, {})
            if not isinstance(below, dict):
                break
            place = below
        else:
            place[path[-1] or str(len(place))] = value
    return {key: _lists(value) for key, value in root.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and list(value) == [str(n) for n in range(len(value))]:
        return [_lists(one) for one in value.values()]
    return {key: _lists(one) for key, one in value.items()}
