"""The page about the checks before sending names every one of them."""

from __future__ import annotations

import re
from pathlib import Path

from expectations.outgoing_rules import outgoing_rules
from sync.gate import Severity
from sync.records import PUSHED

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_of_checks_names_every_rule_and_no_other_gate_5() -> None:
    rows, batch = PAGE.read_text(encoding="utf-8").split("These stop the batch")
    rules = [rule for kind in PUSHED for rule in outgoing_rules(kind)]
    for text, severity in ((rows, Severity.ROW), (batch, Severity.BATCH)):
        named = set(re.findall(r"^\| ([A-Z][^|]+?) \|", text, re.MULTILINE)) - {"Not too many rows are held back"}
        assert named == {rule.title for rule in rules if rule.severity is severity}
