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
    "target_well_formed": "is no id",
    "push_key_present": "is no key",
    "remote_id_once": "stands in several rows of the batch",
    "value_fits": "is too long",
    "number_readable": "is no number",
    "instant_readable": "is no time",
    "word_known": "is no word that we know",
    "choice_known": "is none of the CRM's choices",
    "address_once": "stands in several new leads of the batch",
}
_ABSENT = frozenset({"address_present", "value_present", "required_present"})


def what_is_wrong(rule: str, reason: str, column: str, value: str) -> str:
    """The column, what is the matter with it, and what stands there; for a rule about no column the reason why the rule is there.

    >>> what_is_wrong("email_well_formed", "A malformed address can't be mailed.", "email", "nobody@")
    'email is no e-mail address: nobody@'
    """
    wrong = wrong_with(rule, reason, column)
    return wrong if not column or rule in _ABSENT else f"{wrong}: {shorten(printable(value)) or '(empty)'}"


def wrong_with(rule: str, reason: str, column: str) -> str:
    """The same without what stands there, so that equal troubles have equal words."""
    if not column:
        return reason
    return f"{column} is missing" if rule in _ABSENT else f"{column} {_WRONG.get(rule, 'is not as it should be')}"


def printable(text: str) -> str:
    """On one line and without control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)
