"""Reads one table of the configuration into one dataclass of settings, and collects every mistake on the way.

Messages name the place and never repeat a value: what stands in a wrong place may be a secret (CONN-4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, get_type_hints

from sync.errors import ConfigError
from sync.login import LoginWay
from sync.near_names import did_you_mean
from sync.secrets import HOW_TO_REFER, SecretKind, SecretRef, name_mistake
from sync.settings import Form, PullOption, Setting
from sync.urls import POSTGRESQL_DRIVER, market_url_mistake, service_url_mistake

ABSENT: Any = object()
"""What a reader returns for a value that is no good; the mistake is noted already."""


@dataclass(slots=True)
class Mistakes:
    """Every mistake found so far: its place and what is wrong."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, what: str) -> Any:
        self.found.append((place, what))
        return ABSENT

    def raise_if_any(self) -> None:
        """Raises one ConfigError that names them all."""
        if not self.found:
            return
        lines = "\n".join(f"  {place}: {what}" for place, what in self.found)
        many = "one mistake" if len(self.found) == 1 else f"{len(self.found)} mistakes"
        raise ConfigError(f"{many} in the configuration:\n{lines}", todo="correct these settings and run the command again")


_UNDOCUMENTED = Setting("")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the configuration we are: the setting's full name, its documentation, and the table that it stands in."""

    place: str
    mistakes: Mistakes
    base_dir: str
    setting: Setting = _UNDOCUMENTED
    table: Mapping[str, object] = field(default_factory=dict)

    def at(self, key: str, **changes: Any) -> Spot:
        place = f"{self.place}.{key}" if self.place else key
        return Spot(place, self.mistakes, self.base_dir, **changes)

    def wrong(self, what: str) -> Any:
        return self.mistakes.add(self.place, what)


Read = Callable[[object, Spot], Any]


def read_table(shape: type[Any], value: object, spot: Spot, readers: Mapping[Any, Read], **given: object) -> Any:
    """An instance of `shape`, or ABSENT if anything in its table was wrong. `given` are fields that don't stand in the table."""
    if not isinstance(value, Mapping):
        return spot.wrong(f"has to be a table: [{spot.place}]")
    before = len(spot.mistakes.found)
    hints = get_type_hints(shape)
    known = {each.name: each for each in fields(shape) if each.name not in given}
    refuse_unknown(value, known, spot)
    values = {}
    for name, each in known.items():
        inner = spot.at(name, setting=each.metadata.get("setting", _UNDOCUMENTED), table=value)
        raw = value.get(name, _default(each, inner.setting))
        if raw is not ABSENT:
            values[name] = reader_of(hints[name], readers)(raw, inner)
        elif each.default is MISSING and each.default_factory is MISSING:
            inner.wrong(f"is missing: {inner.setting.text[0].lower()}{inner.setting.text[1:]}")
    return shape(**values, **given) if len(spot.mistakes.found) == before else ABSENT


def _default(each: Field[Any], setting: Setting) -> Any:
    """Defaults that have to be read like written values: whole tables, and paths, which depend on where the file is."""
    if is_dataclass(each.default_factory):
        return {}
    return each.default if setting.form is not Form.ANY and isinstance(each.default, str) else ABSENT


def refuse_unknown(table: Mapping[str, object], known: Collection[str], spot: Spot) -> None:
    """Notes every key that is not known, with near names."""
    for key in table:
        if key not in known:
            spot.at(str(key)[:60]).wrong(f"is no setting{did_you_mean(str(key), known)}")


def reader_of(hint: Any, readers: Mapping[Any, Read]) -> Read:
    """The reader for a type: one of `readers`, one of the plain ones, an enumeration's, or a sub-table's."""
    for table in (readers, _PLAIN):
        if hint in table:
            return table[hint]
    if issubclass(hint, StrEnum):
        return lambda value, spot: read_choice(hint, value, spot)
    return lambda value, spot: read_table(hint, value, spot, readers)


def read_choice(words: type[StrEnum], value: object, spot: Spot) -> Any:
    """One of the words, or ABSENT with a noted mistake. The setting may allow fewer words than the type has."""
    allowed = spot.setting.choices or tuple(word.value for word in words)
    return words(str(value)) if _one_of(value, allowed, spot) else ABSENT


def _one_of(value: object, allowed: Collection[str], spot: Spot) -> bool:
    if isinstance(value, str) and value in allowed:
        return True
    spot.wrong(f"has to be one of {', '.join(allowed)}{did_you_mean(value, allowed, or_list=False)}")
    return False


def _read_bool(value: object, spot: Spot) -> Any:
    return value if isinstance(value, bool) else spot.wrong("has to be true or false, without quotes")


def _read_int(value: object, spot: Spot) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return spot.wrong(f"has to be a whole number{_of_unit(spot)}, without quotes")
    return _within(value, spot)


def _read_float(value: object, spot: Spot) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return spot.wrong(f"has to be a number{_of_unit(spot)}, without quotes")
    return _within(float(value), spot)


def _of_unit(spot: Spot) -> str:
    return f" of {spot.setting.unit}" if spot.setting.unit and not spot.setting.unit.startswith("share") else ""


def _within(value: float, spot: Spot) -> Any:
    low, high = spot.setting.minimum, spot.setting.maximum
    # Written so that "not a number" is outside of every limit.
    if (low is None or value >= low) and (high is None or value <= high):
        return value
    if low is not None and high is not None:
        return spot.wrong(f"has to be between {low:g} and {high:g}")
    return spot.wrong(f"has to be at least {low:g}" if low is not None else f"has to be at most {high:g}")


def _read_text(value: object, spot: Spot) -> Any:
    if not isinstance(value, str) or not value.strip():
        return spot.wrong("has to be a text in quotes, not an empty one")
    if any(ord(char) < 32 for char in value):
        return spot.wrong("holds a control character")
    if spot.setting.choices:
        return value if _one_of(value, spot.setting.choices, spot) else ABSENT
    return _FORMS[spot.setting.form](value, spot)


def _path(value: str, spot: Spot) -> str:
    return str(PurePath(spot.base_dir, value))


def _service_url(value: str, spot: Spot) -> Any:
    mistake = service_url_mistake(value, allow_plain_http=spot.table.get("allow_plain_http") is True)
    return spot.wrong(mistake) if mistake else value.rstrip("/")


def _market_url(value: str, spot: Spot) -> Any:
    """Plain `postgresql` becomes the driver that we ship; a relative SQLite file starts at the configuration's folder."""
    mistake = market_url_mistake(value)
    if mistake:
        return spot.wrong(mistake)
    scheme, rest = value.split("://", 1)
    if scheme == "sqlite":
        name, mark, parameters = rest[1:].partition("?")
        return f"sqlite:///{PurePath(spot.base_dir, name).as_posix()}{mark}{parameters}"
    return f"{POSTGRESQL_DRIVER}://{rest}"


_FORMS: dict[Form, Callable[[str, Spot], Any]] = {
    Form.ANY: lambda value, spot: value,
    Form.PATH: _path,
    Form.SERVICE_URL: _service_url,
    Form.MARKET_URL: _market_url,
}


def _read_secret(value: object, spot: Spot) -> Any:
    if not isinstance(value, Mapping):
        return spot.wrong(f"a secret never stands in this file (CONN-4); say where it is: {HOW_TO_REFER}")
    if len(value) != 1 or next(iter(value)) not in set(SecretKind):
        return spot.wrong(f"has to be exactly one of {HOW_TO_REFER}")
    kind, name = SecretKind(next(iter(value))), next(iter(value.values()))
    mistake = name_mistake(kind, name)
    if mistake:
        return spot.wrong(mistake)
    return SecretRef(kind, _path(name, spot) if kind is SecretKind.FILE else name)


def _read_pull_option(value: object, spot: Spot) -> Any:
    if isinstance(value, bool):
        return PullOption(value)
    if not isinstance(value, Mapping):
        return spot.wrong("has to be true, false or { expected = N }")
    refuse_unknown(value, ("expected",), spot)
    expected = value.get("expected")
    if not isinstance(expected, int) or isinstance(expected, bool) or expected < 0:
        return spot.wrong("has to be true, false or { expected = N } with the number of records that you expect")
    return PullOption(True, expected)


_PLAIN: dict[Any, Read] = {
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_text,
    str | None: _read_text,
    SecretRef: _read_secret,
    SecretRef | None: _read_secret,
    LoginWay | None: lambda value, spot: read_choice(LoginWay, value, spot),
    PullOption: _read_pull_option,
}
