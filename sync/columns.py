"""Which columns the Market tables have by design, and which type holds the values of another (INIT-2, PULL-4)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, JSON, TEXT, ColumnType, ValueType
from sync.records import CUSTOM_KEY, CUSTOM_PREFIX

_CRM: dict[str, ColumnType] = {"connector": TEXT, "crm_id": TEXT, "crm_created_at": INSTANT, "crm_modified_at": INSTANT}
_STAMPS: dict[str, ColumnType] = {"created_at": INSTANT, "updated_at": INSTANT}
_LIFE: dict[str, ColumnType] = {"left_scope": INSTANT, "deleted_date": INSTANT, "do_not_pull": BOOLEAN}
_OWNER: dict[str, ColumnType] = {"owner_id": INTEGER, "owner_ref": TEXT}
_MERGED: dict[str, ColumnType] = {"merged_into": INTEGER}


def _texts(names: str) -> dict[str, ColumnType]:
    return dict.fromkeys(names.split(), TEXT)


FIXED_COLUMNS: Mapping[str, Mapping[str, ColumnType]] = {
    "users": {
        "user_id": INTEGER,
        **_CRM,
        **_texts("user_name first_name last_name email email_key title phone"),
        "active": BOOLEAN,
        "deleted_date": INSTANT,
        **_STAMPS,
    },
    "accounts": {
        "account_id": INTEGER,
        **_CRM,
        **_texts("account_name account_name_key"),
        **_OWNER,
        **_texts("billing_street billing_city billing_state billing_zip billing_country"),
        **_texts("shipping_street shipping_city shipping_state shipping_zip shipping_country"),
        **_texts("phone fax industry type rating ownership sic ticker url employees description"),
        **_LIFE,
        **_MERGED,
        **_STAMPS,
    },
    "contacts": {
        "contact_id": INTEGER,
        "crm_type": TEXT,
        **_CRM,
        **_texts("first_name last_name email email_key"),
        "email_addresses": JSON,
        "opt_out": BOOLEAN,
        "opt_out_date": INSTANT,
        "del_status": INTEGER,
        **_texts("del_message title phone mobile_phone company lead_source"),
        **_texts("mailing_street mailing_city mailing_state mailing_zip mailing_country"),
        "account_id": INTEGER,
        "account_ref": TEXT,
        **_OWNER,
        "converted": BOOLEAN,
        **_LIFE,
        **_MERGED,
        **_STAMPS,
    },
    "opportunities": {
        "opportunity_id": INTEGER,
        **_CRM,
        "account_id": INTEGER,
        "account_ref": TEXT,
        "contact_id": INTEGER,
        "contact_ref": TEXT,
        **_OWNER,
        **_texts("opportunity_name description stage"),
        "amount": DECIMAL,
        "currency": TEXT,
        "probability": DECIMAL,
        "close_date": DATE,
        **_texts("type lead_source next_step"),
        "is_closed": BOOLEAN,
        "is_won": BOOLEAN,
        **_LIFE,
        **_STAMPS,
    },
}
"""Table → column → type. References (`account_ref`, `contact_ref`, `owner_ref`) hold the CRM's id; `_id` beside them is Market's key."""

CUSTOM_COLUMNS: Mapping[str, ColumnType] = {
    CUSTOM_KEY: INTEGER,
    **_CRM,
    "account_id": INTEGER,
    "account_ref": TEXT,
    "contact_id": INTEGER,
    "contact_ref": TEXT,
    **_OWNER,
    **_LIFE,
    **_STAMPS,
}
"""What every table of a custom object has, beside a column per field (CUST-1)."""

POINTERS: Mapping[str, ColumnType] = {"converted_contact_ref": TEXT}
"""Read from leads and used while planning (MATCH-7); no column of a Market table, and no field may be called so."""

MANAGED: frozenset[str] = frozenset(
    {
        *(
            "user_id",
            "account_id",
            "contact_id",
            "opportunity_id",
            CUSTOM_KEY,
            "owner_id",
            "crm_type",
            "connector",
            "email_key",
            "account_name_key",
        ),
        *("opt_out_date", "del_status", "del_message", *_LIFE, *_MERGED, *_STAMPS),
    }
)
"""Columns that the rules of the sync fill; no mapping may."""

STANDARD: frozenset[str] = frozenset({"crm_id", "crm_created_at", "crm_modified_at", "account_ref", "contact_ref", "owner_ref", *POINTERS})
"""Columns that identity, order and links hang on: only the stock mapping fills them, an operator's own may not."""


def fixed_columns(table: str) -> Mapping[str, ColumnType]:
    """The columns that a table has by design; every custom object's table has the same (CUST-1)."""
    return CUSTOM_COLUMNS if table.startswith(CUSTOM_PREFIX) else FIXED_COLUMNS[table]


def reserved_columns(table: str) -> frozenset[str]:
    """Names that no replicated field of this table may get."""
    return frozenset(fixed_columns(table)) | frozenset(POINTERS)


class Change(StrEnum):
    """What it takes to keep values of a field's type in a column."""

    SAME = "same"  # the column holds them as it is
    WIDER = "wider"  # the column gets a wider type first
    INCOMPATIBLE = "incompatible"  # no type holds both


_INTEGER_DIGITS = 19  # of a signed integer of 64 bits
_MOST_DIGITS = 38  # of a DECIMAL, in DuckDB


def wider(one: ColumnType, other: ColumnType) -> ColumnType | None:
    """The narrowest type that holds every value of both, written the same; None where there is none. The order does not matter.

    | one            | other          | result                                            |
    |----------------|----------------|---------------------------------------------------|
    | any            | the same       | the same                                          |
    | text(50)       | text(255)      | text(255)                                         |
    | text(50)       | text           | text                                              |
    | integer        | decimal(10,2)  | decimal(21,2): 19 digits before the point         |
    | decimal(26,6)  | decimal(10,8)  | decimal(28,8)                                     |
    | integer        | decimal(38,30) | none: more than 38 digits                         |
    | list           | json           | json                                              |
    | date           | instant        | none: a day is no point in time                   |
    | boolean        | integer        | none: is 1 true or a count?                       |
    | anything else  | text           | none: numbers as text sort and compare as text, and what reads the column would notice |
    """
    if one == other:
        return one
    values = {one.value, other.value}
    if values == {ValueType.TEXT}:
        return TEXT if one.length is None or other.length is None else max(one, other, key=lambda type_: type_.length or 0)
    if values <= {ValueType.INTEGER, ValueType.DECIMAL}:
        return _wider_number(one, other)
    return JSON if values == {ValueType.LIST, ValueType.JSON} else None


def _wider_number(one: ColumnType, other: ColumnType) -> ColumnType | None:
    before = max(_digits(one)[0], _digits(other)[0])
    scale = max(_digits(one)[1], _digits(other)[1])
    return ColumnType(ValueType.DECIMAL, precision=before + scale, scale=scale) if before + scale <= _MOST_DIGITS else None


def _digits(type_: ColumnType) -> tuple[int, int]:
    """Digits before and after the point. A decimal that does not say is one of 38 digits without a fraction, as in staging."""
    if type_.value is ValueType.INTEGER:
        return _INTEGER_DIGITS, 0
    scale = type_.scale or 0
    return (type_.precision or _MOST_DIGITS) - scale, scale


def widens(old: ColumnType, new: ColumnType) -> Change:
    """What a field that was `old` and is now `new` asks of its column (PULL-4).

    | old           | new           | change                                        |
    |---------------|---------------|-----------------------------------------------|
    | text(255)     | text(50)      | same: the column holds shorter values already |
    | text(50)      | text(255)     | wider                                         |
    | integer       | decimal(10,2) | wider, to `wider(old, new)`                   |
    | decimal(26,6) | integer       | same                                          |
    | date          | instant       | incompatible                                  |
    """
    both = wider(old, new)
    if both is None:
        return Change.INCOMPATIBLE
    same_digits = both.value is old.value is ValueType.DECIMAL and _digits(both) == _digits(old)
    return Change.SAME if both == old or same_digits else Change.WIDER
