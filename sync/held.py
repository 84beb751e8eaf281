"""A held record in words: what is wrong with it, and texts of a CRM as a terminal may show them (GATE-2)."""

from __future__ import annotations

from sync.report import shorten

_WRONG = {
    "id_present": "is missing",
    "stamp_present": "is missing",
    "text_fits": "is too long",
    "email_length": "is too long",
    "value_readable": "can't be read",
    "email_well_formed": "is no e-mail address",
    "reference_well_formed": "is no id",
}


def what_is_wrong(rule: str, reason: str, column: str, value: str) -> str:
    """The column, what is the matter with it, and what stands there; for a rule about no column the reason why the rule is there.

    >>> what_is_wrong("email_well_formed", "A malformed address can't be mailed.", "email", "nobody@")
    'email is no e-mail address: nobody@'
    """
    if not column:
        return reason
    return f"{column} {_WRONG.get(rule, 'is not as it should be')}: {shorten(printable(value)) or '(empty)'}"


def printable(text: str) -> str:
    """On one line and without control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)
