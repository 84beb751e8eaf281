"""What somebody may have meant. For errors that name the next action."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The known names that look like `name`, nearest first, compared without case."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(known)}
    found = difflib.get_close_matches(name.lower(), by_lower, n=most, cutoff=0.6)
    return tuple(by_lower[lower] for lower in found)


def did_you_mean(name: object, known: Iterable[str], *, or_list: bool = True) -> str:
    """Half a sentence for an error: the near names, else (`or_list`) all names if there are few, else nothing."""
    names = sorted(known)
    near = near_names(name, names) if isinstance(name, str) else ()
    if near:
        return "; did you mean " + " or ".join(f'"{candidate}"' for candidate in near) + "?"
    if or_list and 0 < len(names) <= 15:
        return "; known are " + ", ".join(names)
    return ""
