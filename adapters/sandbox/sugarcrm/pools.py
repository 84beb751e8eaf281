"""Columns of invented values as JSON text: drawn from pools that are made once per field."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from adapters.sandbox.invented import AWKWARD, LONG_TEXT, guid, latin, literals
from adapters.sandbox.sugarcrm.fields import DATETIMES, DECIMALS, ENUMS, INTEGERS, FieldSpec
from adapters.sandbox.sugarcrm.schema import Module

if TYPE_CHECKING:
    from adapters.sandbox.sugarcrm.populate import Populator

Column = list[bytes]
POOL = 200
_TEAM = b'[{"id":"1","name":"Global","name_2":"","primary":true,"selected":false}]'
_EMPTY = {"sync_key", "mkt_id_c", "mkt_score_c", "mkt_score_date_c", "reports_to_id", "campaign_id", "parent_id"}
_NUMBERS = ("0", "-1", "25000.000000", "0.000001", "99999999999999999999.999999", "-99999999999999999999.999999")
_ZIPS = ("01920", "00501", "8001", "SW1A 0ZZ", "１２３", "75008 CEDEX", "")


def columns_for(fill: Populator, module: Module, size: int) -> dict[str, Column]:
    """One batch of every stored field except ids and stamps; nastiness is sprinkled in afterwards."""
    dice = fill.dice
    columns = {name: dice.choices(_pool(fill, module, module.fields[name]), k=size) for name in module.slot}
    columns["deleted"] = [b"false"] * size
    columns["assigned_user_id"] = _owners(fill, size)
    if "account_id" in columns:
        columns["account_id"] = _accounts(fill, module.name, size)
    if module.name == "Leads":
        _convert(fill, columns, size)
    if module.name in ("Accounts", "Opportunities"):
        columns["name"] = [b'"%b %d"' % (word[1:-1], dice.getrandbits(20)) for word in columns["name"]]
    if module.name != "Users":
        _sprinkle(fill, module, columns, size)
    if module.fields["name"].type == "fullname":
        pairs = zip(columns["first_name"], columns["last_name"], strict=True)
        columns["name"] = [_full_name(first, last) for first, last in pairs]
    return columns


def _full_name(first: bytes, last: bytes) -> bytes:
    first, last = (b"" if part == b"null" else part[1:-1] for part in (first, last))
    return b'"%b"' % (first + b" " + last).strip()


def _pool(fill: Populator, module: Module, spec: FieldSpec) -> Column:
    """The values to draw from; the same field of the same seed always has the same pool."""
    key = (module.name, spec.name)
    if key not in fill.pools:
        dice = random.Random(f"{fill.settings.seed}/{module.name}/{spec.name}")
        fill.pools[key] = _values(fill, spec, dice)
    return fill.pools[key]


def _values(fill: Populator, spec: FieldSpec, dice: random.Random) -> Column:
    kind, name = spec.type, spec.name
    if name in _EMPTY or name in ("email", "converted", "contact_id", "opportunity_id", "opportunity_role"):
        return [spec.default]
    if name in ("created_by", "modified_user_id"):
        return literals(fill.users or ["1"])
    if kind in ENUMS or kind == "multienum":
        return _choices(fill, spec, dice)
    if kind == "bool":
        return [b"false"] if spec.nondb else [b"false", b"false", b"false", b"true"]
    if kind in INTEGERS | DECIMALS:
        return _numbers(spec, dice)
    if kind == "date":
        return [b"null", *literals([f"{_moment(dice):%Y-%m-%d}" for _ in range(POOL)])]
    if kind in DATETIMES:
        return [b"null", *literals([_moment(dice).isoformat() for _ in range(POOL)])]
    if kind == "team_list":
        return [_TEAM]
    if kind == "tag":
        return [b"[]"] * 9 + [orjson.dumps([{"id": guid(dice), "name": "VIP"}, {"id": guid(dice), "name": "Größe"}])]
    if kind == "id":
        return [b'"1"'] if name.startswith("team") else [b"null", b'""']
    return _texts(fill, spec, dice)


def _choices(fill: Populator, spec: FieldSpec, dice: random.Random) -> Column:
    keys = list(fill.instance.schema.lists.get(spec.options, {"": ""}))
    if spec.type == "multienum":
        return literals([sorted(dice.sample(keys, dice.randint(0, min(3, len(keys))))) for _ in range(20)])
    return [b"null", *literals(keys)]


def _numbers(spec: FieldSpec, dice: random.Random) -> Column:
    if spec.type in DECIMALS:
        amounts = [f"{dice.randint(1, 10**8) / 100:.6f}" for _ in range(POOL)]
        return [b"null", *literals([*amounts, *_NUMBERS])]
    if spec.name == "probability":
        return literals([0, 10, 20, 50, 65, 80, 100])
    return [b"null", *literals([*(dice.randint(0, 5000) for _ in range(POOL)), 2147483647, -2147483648])]


def _texts(fill: Populator, spec: FieldSpec, dice: random.Random) -> Column:
    name, known = spec.name, fill.vocabulary
    if "postalcode" in name:
        made = [f"{dice.randint(0, 99999):05d}" for _ in range(POOL)] + list(_ZIPS)
    elif spec.type == "phone":
        made = [f"+{dice.randint(1, 99)} (0) 555 01{dice.randint(0, 99):02d} {n}" for n in range(POOL)] + [""]
    elif name == "website" or spec.type == "url":
        made = [f"https://{host}.example.com/" for host in latin(dice, POOL)] + ["", "http://"]
    elif spec.type in ("text", "longtext"):
        made = [" ".join(dice.choices(known, k=dice.randint(2, 6))) for _ in range(POOL)] + [""]
    else:
        made = dice.choices(known, k=POOL)
    cut = [text[: spec.length] if spec.length else text for text in made]
    if spec.required or name == "name":
        return literals(cut)
    return [*literals(cut), *[b"null"] * 60, *[b'""'] * 40]


def _moment(dice: random.Random) -> datetime:
    return datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randint(0, 350_000_000))


def _owners(fill: Populator, size: int) -> Column:
    column = fill.dice.choices(literals(fill.users or ["1"]), k=size)
    for at in fill.hits(size, fill.rates.inactive_owner) if fill.inactive else []:
        column[at] = orjson.dumps(fill.dice.choice(fill.inactive))
    for at in fill.hits(size, fill.rates.unknown_owner):
        column[at] = orjson.dumps(guid(fill.dice))
    return column


def _accounts(fill: Populator, module: str, size: int) -> Column:
    known = fill.accounts[:_ACCOUNT_CHOICES]
    column = [b'"%b"' % one.encode() for one in fill.dice.choices(known, k=size)] if known else [b"null"] * size
    for at in fill.hits(size, fill.rates.missing_account):
        column[at] = b"null" if at % 2 else b'""'
    for at in fill.hits(size, fill.rates.unknown_account):
        column[at] = orjson.dumps(guid(fill.dice))
    if module == "Leads":
        column = [one if at % 3 == 0 else b"null" for at, one in enumerate(column)]
    return column


_ACCOUNT_CHOICES = 200_000


def _convert(fill: Populator, columns: dict[str, Column], size: int) -> None:
    columns["converted"] = [b"false"] * size
    columns["status"] = [b'"New"' if one == b'"Converted"' else one for one in columns["status"]]
    for at in fill.hits(size, fill.rates.converted_lead) if fill.contacts else []:
        columns["converted"][at], columns["status"][at] = b"true", b'"Converted"'
        columns["contact_id"][at] = orjson.dumps(fill.dice.choice(fill.contacts))
        if fill.accounts:
            columns["account_id"][at] = orjson.dumps(fill.dice.choice(fill.accounts))


def _sprinkle(fill: Populator, module: Module, columns: dict[str, Column], size: int) -> None:
    """Values that a careful system would not have let in."""
    dice, rates = fill.dice, fill.rates
    texts = [n for n in module.slot if (s := module.fields[n]).type in ("varchar", "text") and not s.indexed]
    texts = [name for name in texts if name != "email1"]
    limited = [name for name in texts if module.fields[name].length]
    broken = {"date": b'"0000-00-00"', "datetimecombo": b'"not a date"', "int": b'"about 12"', "decimal": b'"n/a"'}
    typed = [name for name in module.slot if name.endswith("_c") and module.fields[name].type in broken]
    for at in fill.hits(size, rates.awkward_text) if texts else []:
        columns[dice.choice(texts)][at] = orjson.dumps(dice.choice(AWKWARD))
    for at in fill.hits(size, rates.very_long_text) if "description" in columns else []:
        columns["description"][at] = orjson.dumps(LONG_TEXT)
    for at in fill.hits(size, rates.over_long) if limited else []:
        name = dice.choice(limited)
        columns[name][at] = orjson.dumps("x" * ((module.fields[name].length or 0) + 7))
    for at in fill.hits(size, rates.malformed) if typed else []:
        name = dice.choice(typed)
        columns[name][at] = broken[module.fields[name].type]
