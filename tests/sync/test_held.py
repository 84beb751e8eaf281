"""What is wrong with a held record, in words (GATE-2)."""

from __future__ import annotations

import pytest

from sync.held import printable, what_is_wrong


@pytest.mark.parametrize(
    ("rule", "column", "value", "said"),
    [
        ("email_well_formed", "email", "nobody@", "email is no e-mail address: nobody@"),
        ("text_fits", "title (100 characters at most)", "x" * 200, "title (100 characters at most) is too long: " + "x" * 79 + "…"),
        ("id_present", "crm_id", "", "crm_id is missing: (empty)"),
        ("probability_is_percent", "probability", "101", "probability is not as it should be: 101"),
        ("record_readable", "", "", "why"),
    ],
)
def test_what_is_wrong_is_said_with_the_column_and_its_value_gate_2(rule: str, column: str, value: str, said: str) -> None:
    assert what_is_wrong(rule, "why", column, value) == said


def test_texts_of_a_crm_hold_nothing_that_a_terminal_obeys() -> None:
    assert printable("a\x1b[31m\tb\r\nc\u202e\u00a0ß") == "a [31m b  c  ß"
