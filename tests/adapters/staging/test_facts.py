"""Addresses and names are folded alike, wherever that is done (PULL-6, MATCH-2, ADDR-2)."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.staging.facts import folded
from sync.address import BLANKS, address_key

_AWKWARD = "\t\u00a0\u200b\ufeff \u0130\u03a3\u03c2\u03c3\u00df\u1e9eÄÉŁЖ"


@given(
    st.text(st.sampled_from(BLANKS + _AWKWARD + "aAbB&") | st.characters(max_codepoint=0x4FF, exclude_categories=["Cs", "Cn"]), max_size=12)
)
def test_pull_6_staging_and_the_rules_fold_a_name_alike(name: str) -> None:
    """So an account and a lead find each other, whichever comes first; SQLite folds by the rules' own function."""
    [(found,)] = duckdb.execute(f"SELECT {folded('?')}", [name.replace("\0", "")]).fetchall()
    assert found == address_key(name.replace("\0", ""))


@pytest.mark.parametrize("name", ["\tΜΥΛΟΣ\u00a0", "μυλοσ", " ΜΥΛΟΣ\u200b", "\ufeffμυλοΣ"])
def test_pull_6_blanks_and_a_sigma_at_the_end_make_no_other_company(name: str) -> None:
    [(found,)] = duckdb.execute(f"SELECT {folded('?')}", [name]).fetchall()
    assert found == address_key(name) == "μυλοσ"
