"""Record ids: 15 characters that tell case apart, and three more so that programs need not."""

from __future__ import annotations

import re
from collections.abc import Iterator

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_INSTANCE = "Sb0"
_DIGITS = 9
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def long_id(short: str) -> str:
    """The 18 characters of a 15-character id: one letter per five, which of them are capitals."""
    tail = ""
    for start in (0, 5, 10):
        bits = 0
        for place, letter in enumerate(short[start : start + 5]):
            if "A" <= letter <= "Z":
                bits |= 1 << place
        tail += _SUFFIX[bits]
    return short + tail


def is_id(text: str) -> bool:
    """Does it look like an id of 15 or 18 characters?"""
    return _ID.fullmatch(text) is not None


def whole(text: str) -> str:
    """An id as it is stored: 18 characters. What is no id stays what it is, as the control API may make such records."""
    return long_id(text[:15]) if _ID.fullmatch(text) else text


def numbered(prefix: str, number: int) -> str:
    """The `number`-th id of an object with this three-character prefix."""
    digits = ""
    for _ in range(_DIGITS):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return long_id(prefix + _INSTANCE + digits)


def numbered_from(prefix: str, start: int, count: int) -> list[str]:
    """Many ids in a row, quickly."""
    return list(_row(prefix, start, count))


def _row(prefix: str, start: int, count: int) -> Iterator[str]:
    # The last five characters change from id to id, those before them hardly ever: their part of the check is kept.
    head, head_tail, known = "", "", -1
    for number in range(start, start + count):
        high, low = divmod(number, 62**5)
        if high != known:
            known = high
            head = numbered(prefix, high * 62**5)[:10]
            head_tail = long_id(head + "00000")[15:17]
        top, rest = divmod(low, 3844)
        first, second = divmod(top, 3844)
        last = ALPHABET[first] + _PAIRS[second] + _PAIRS[rest]
        yield head + last + head_tail + _check(last)


_PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
_CAPITAL = {letter: "A" <= letter <= "Z" for letter in ALPHABET}


def _check(five: str) -> str:
    a, b, c, d, e = map(_CAPITAL.__getitem__, five)
    return _SUFFIX[a | b << 1 | c << 2 | d << 3 | e << 4]
