"""`marketsync merge-field`, and the same from Python, as an application calls it (CUST-3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.market.engine import Market, open_market
from sync.errors import ConfigError
from tasks.merge_fields import MergeFields
from tests.adapters.market.building import person, put
from tests.flows.command import configured, typed

FIELDS = """
[saved_reports.deals]
of = "opportunities"
all_of = [{ field = "is_won", op = "not_equals", value = true }]
order_by = ["opportunity_id"]
[merge_fields.deals]
report = "deals"
row = "{opportunity_name} ({amount:.2})"
heading = "Open:"
default = "Nothing is open."
html_row = "<li>{opportunity_name}</li>"
html_heading = "<ul>"
html_footer = "</ul>"
"""


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    configured(tmp_path, more=FIELDS)
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    put(market, "contacts", person(1, email="ann@x.example"), person(2))
    names = ("Big & <bold>\nBcc: all@x.example", "Small", "Won")
    put(
        market,
        "opportunities",
        *(
            {"opportunity_id": key, "contact_id": 1, "opportunity_name": name, "amount": "7", "is_won": key == 3}
            for key, name in enumerate(names, 1)
        ),
    )
    yield market
    market.close()


def test_cust_3_preview_prints_what_a_mail_would_show(tmp_path: Path, market: Market) -> None:
    shown = typed(tmp_path, "merge-field", "preview", "deals", "--person", "Ann@x.example")
    assert (shown.exit_code, shown.output) == (0, "Open:\nBig & <bold> Bcc: all@x.example (7.00)\nSmall (7.00)\n")
    as_html = typed(tmp_path, "merge-field", "preview", "deals", "--person", "1", "--html")
    assert as_html.output == "<ul>\n<li>Big &amp; &lt;bold&gt; Bcc: all@x.example</li>\n<li>Small</li>\n</ul>\n"
    assert typed(tmp_path, "merge-field", "preview", "deals", "--person", "2").output == "Nothing is open.\n"
    assert "deals" in typed(tmp_path, "merge-field", "list").output
    nobody = typed(tmp_path, "merge-field", "preview", "deals", "--person", "who@x.example")
    assert nobody.exit_code == ConfigError.exit_code and "obody in Market who" in nobody.output
    assert 'did you mean "deals"' in typed(tmp_path, "merge-field", "preview", "deal", "--person", "1").output


def test_cust_3_an_application_calls_it_from_python(tmp_path: Path, market: Market) -> None:
    fields = MergeFields(str(tmp_path / "marketsync.toml"))
    assert fields.names == ("deals",)
    assert fields.text("deals", fields.person("ann@x.example")).splitlines()[0] == "Open:"
    assert fields.html("deals", 2) == "Nothing is open."


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('report = "deal"', 'merge_fields.bad.report: there is no saved report of that name; did you mean "deals"'),
        ('report = "deals"\nrow = "{amout}"', 'opportunities have no field "amout"; did you mean "amount"'),
        ('report = "deals"\nrow = "{amount"', "merge_fields.bad.row: a brace stands alone"),
        (
            'report = "deals"\nhtml_row = "<a href={stage}>x</a>"',
            "merge_fields.bad.html_row: {stage} stands where nothing may be filled in",
        ),
        ('report = "deals"\nlimit = 101', "merge_fields.bad.limit: has to be between 1 and 100"),
    ],
)
def test_cust_3_a_mistake_is_told_with_its_place_when_the_file_is_read(tmp_path: Path, lines: str, said: str) -> None:
    configured(tmp_path, more=f"{FIELDS}\n[merge_fields.bad]\n{lines}\n")
    shown = typed(tmp_path, "merge-field", "list")
    assert shown.exit_code == ConfigError.exit_code and said in " ".join(shown.output.split())
