"""CRM field names → column names that every engine takes: safe, lower case, unique, at most 63 bytes (INIT-2).

Pure ASCII, so bytes are characters. PostgreSQL cuts longer names without an error, which would make two columns one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping

MAX_NAME_BYTES = 63
HASH_CHARS = 8
_UNSAFE = re.compile(r"[^a-z0-9_]")
_SAFE = re.compile(r"[a-z_][a-z0-9_]*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED_WORDS: frozenset[str] = _words(
    """
    add all alter analyse analyze and anti any array as asc asof asymmetric at authorization autoincrement between binary both by
    case cast check collate collation column commit concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user default deferrable delete desc describe distinct do drop else end
    escape except exists false fetch for foreign freeze from full glob grant group having ilike in index initially inner insert
    intersect into is isnull join lambda lateral leading left like limit localtime localtimestamp natural not nothing notnull null
    offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify raise references
    returning right select semi session_user set show similar some summarize symmetric system_user table tablesample then to
    trailing transaction true union unique unpack unpivot update user using values variadic verbose when where window with
    """
)
"""Reserved in PostgreSQL, SQLite or DuckDB. Quoting would do for us; whoever writes a report in SQL should not have to know."""

SYSTEM_COLUMNS: frozenset[str] = _words("ctid xmin xmax cmin cmax tableoid oid rowid _rowid_")
"""Columns that PostgreSQL and SQLite already have in every table: quoting does not help there."""

UNUSABLE: frozenset[str] = RESERVED_WORDS | SYSTEM_COLUMNS


def is_safe(name: str) -> bool:
    """Whether an operator may call a column so: what `safe_name` would leave alone."""
    return bool(_SAFE.fullmatch(name)) and len(name) <= MAX_NAME_BYTES and name not in UNUSABLE


def safe_name(field: str) -> str:
    """The column that a field would get if it were alone.

    | field                 | column                                  |
    |-----------------------|-----------------------------------------|
    | `Status_C`            | `status_c`                              |
    | `Größe (cm)`          | `grosse__cm_`                           |
    | `2nd_phone`           | `f_2nd_phone`                           |
    | `order` (reserved)    | `order_crm`                             |
    | longer than 63 bytes  | its first 54 bytes, `_`, 8 hex digits   |
    """
    folded = unicodedata.normalize("NFKD", field.replace("ß", "ss")).lower()
    name = _UNSAFE.sub("_", "".join(char for char in folded if not unicodedata.combining(char)))
    if not name or name[0].isdigit():
        name = f"f_{name}"
    if name in UNUSABLE:
        name = f"{name}_crm"
    return name if len(name) <= MAX_NAME_BYTES else hashed_name(name, field)


def hashed_name(name: str, salt: str, suffix: str = "") -> str:
    """`name`, cut if need be, with a tail that depends on `salt` alone, then `suffix`."""
    # A CRM may send half of a surrogate pair; such a name still has to hash.
    digest = hashlib.sha256(salt.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARS]
    return f"{name[: MAX_NAME_BYTES - HASH_CHARS - 1 - len(suffix)]}_{digest}{suffix}"


def suffixed_name(name: str, suffix: str, taken: Collection[str] = ()) -> str:
    """`name` with `suffix`, never longer than 63 bytes and never one of `taken`."""
    wanted = name + suffix
    if len(wanted) > MAX_NAME_BYTES:
        wanted = hashed_name(name, name, suffix)
    return free_name(wanted, wanted, taken)


def free_name(wanted: str, salt: str, taken: Collection[str]) -> str:
    """`wanted` if it is free, else the first hashed form of it that is."""
    name, attempt = wanted, 0
    while name in taken:
        name = hashed_name(wanted, salt if attempt == 0 else f"{salt}#{attempt}")
        attempt += 1
    return name


def column_names(fields: Iterable[str], taken: Collection[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Field → column for all fields of one object, independent of their order.

    `taken` are the columns that stand for something else. `known` is what the catalogue gave these fields before and wins
    over everything, so that a column never changes its name because a field was added beside it. Then come the fields that
    are called like their column, then the others by name; who comes late gets a name with a hash.
    """
    names = {field: column for field, column in (known or {}).items() if column not in taken}
    used = set(taken) | set(names.values())
    pending = sorted(set(fields))
    wanted = {field: _wanted(field, taken) for field in pending if field not in names}
    for field in sorted(wanted, key=lambda field: (wanted[field] != field, field)):
        names[field] = free_name(wanted[field], field, used)
        used.add(names[field])
    return {field: names[field] for field in pending}


def _wanted(field: str, taken: Collection[str]) -> str:
    """A clash with Market's own column is ordinary (a custom field `company`) and gets a readable name."""
    plain = safe_name(field)
    return suffixed_name(plain, "_crm") if plain in taken else plain
