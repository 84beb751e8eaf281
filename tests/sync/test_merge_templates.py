"""CUST-3: templates of merge fields: what they may say, and that no value ever becomes markup, a line, a script or a link that acts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.fields import ValueType
from sync.merge_fields import MergeField, as_markup, as_text
from sync.merge_html import parse_html
from sync.merge_templates import Slot, Where, clean, fill_html, fill_text, form_mistake, parse, written

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</li></ul><h1>Pay here</h1>",
    "{name} {0.__class__} %s $(id) `id`",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#60;b&#62;",
    "a\r\nBcc: everybody@x.example\n\nb",
    "a\x00b\x1b[31mc\x7f\x85d\u2028e",
    "\u202egnp.exe\u202c \u2066x\u2069",
    "\ud800 lone",
)
MARKUP = parse_html('<li class="row"><a href="{url}" title="{name}">{name}</a> <a href="https://x.example/?q={name}">more</a></li>')


def test_cust_3_a_template_is_columns_forms_and_braces_and_nothing_else() -> None:
    template = parse("{{{name}}} until {ends:%d.%m.%y}: {price:.2} {account.industry}")
    values = {"name": "Gold", "ends": date(2026, 3, 5), "price": Decimal("12.345"), "account.industry": None}
    assert fill_text(template, values) == "{Gold} until 05.03.26: 12.35 "


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{}",
        "{name",
        "{0}",
        "{name!r}",
        "{name.__class__.x}",
        "{name[0]}",
        "{NAME}",
        "{name:x}",
        "{ends:%A}",
        "{price:.2f}",
        "{a b}",
    ],
)
def test_cust_3_what_is_no_column_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [
        (None, "", ""),
        (True, "", "yes"),
        (Decimal("1.500"), "", "1.5"),
        (Decimal("100"), "", "100"),
        (Decimal("123456789012345.6789012345678901234567890123456789"), ".2", "123456789012345.68"),
        (2.5, ".0", "3"),
        (date(2026, 1, 2), "", "2026-01-02"),
        (datetime(2026, 1, 2, 1, 30, tzinfo=timezone(timedelta(hours=2))), "", "2026-01-01 23:30"),
        (datetime(2026, 1, 2, 1, 30, tzinfo=UTC), "%H:%M, 100%%", "01:30, 100%"),
        ("  two\nlines\t ", "", "two lines"),
    ],
)
def test_cust_3_a_value_is_written_as_a_reader_expects_it(value: Any, form: str, said: str) -> None:
    assert written(value, form) == said


def test_cust_3_a_form_has_to_fit_the_column() -> None:
    assert form_mistake(Slot("ends", "%d"), ValueType.DATE) == ""
    assert "no day" in form_mistake(Slot("name", "%d"), ValueType.TEXT)
    assert "no digits" in form_mistake(Slot("ends", ".2"), ValueType.DATE)


@pytest.mark.parametrize(
    "text",
    [
        "<{name}>",
        "<a {name}>x</a>",
        "<a href={name}>x</a>",
        '<a onclick="{name}">x</a>',
        '<a style="{name}">x</a>',
        '<img src="{name}">',
        '<a href="javascript:{name}">x</a>',
        '<a href="//{name}">x</a>',
        "<script>{name}</script>",
        "<style>{name}</style>",
        "<!-- {name} -->",
        '<a href="{name}',
        "</{name}>",
        "<textarea>{name}</textarea>",
    ],
)
def test_cust_3_a_column_stands_only_where_its_value_can_be_escaped(text: str) -> None:
    with pytest.raises(ValueError, match="may be filled in"):
        parse_html(text)


class _Seen(HTMLParser):
    """What a browser would make of it: tags with their attributes, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _is_harmless(name: str, url: str) -> None:
    made = fill_html(MARKUP, {"name": name, "url": url})
    seen = _Seen()
    seen.feed(made)
    seen.close()
    assert [tag for tag, _ in seen.tags] == ["li", "a", "a"]
    (_, row), (_, first), (_, second) = seen.tags
    assert set(row) == {"class"} and set(first) == {"href", "title"} and set(second) == {"href"}
    assert re.match(r"(https?://|mailto:|$)", first["href"] or "", re.IGNORECASE)
    assert re.fullmatch(r"https://x\.example/\?q=[\w.~%-]*", second["href"] or "", re.ASCII)
    assert first["title"] == clean(name) and seen.text.startswith(clean(name))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", made)
    made.encode("utf-8")


@pytest.mark.parametrize("value", HOSTILE)
def test_cust_3_hostile_values_stay_values(value: str) -> None:
    _is_harmless(value, value)
    text = fill_text(parse("{name}|"), {"name": value})
    assert text == f"{clean(value)}|" and len(text.splitlines()) == 1


@given(name=st.text(), url=st.one_of(st.text(), st.text().map("https://x.example/{}".format)))
def test_cust_3_no_text_becomes_markup(name: str, url: str) -> None:
    _is_harmless(name, url)


def test_cust_3_links_lead_where_a_reader_may_go() -> None:
    link = parse_html("<a href='{url}'>x</a>")
    assert [part.where for part in link if isinstance(part, Slot)] == [Where.LINK]
    assert fill_html(link, {"url": "https://x.example/?a=1&b='2'"}) == "<a href='https://x.example/?a=1&amp;b=&#x27;2&#x27;'>x</a>"
    assert fill_html(link, {"url": "JavaScript:alert(1)"}) == "<a href=''>x</a>"


def test_cust_3_rows_have_a_heading_a_footer_and_a_default() -> None:
    merge = MergeField(name="one", report="r", row="{name} & co", heading="Yours <all>:", footer="Bye", default="None & nothing")
    rows = [{"name": "A<b>"}, {"name": "C"}]
    assert as_text(merge, (), rows) == "Yours <all>:\nA<b> & co\nC & co\nBye"
    assert as_markup(merge, (), rows) == "Yours &lt;all&gt;:<br>\nA&lt;b&gt; &amp; co<br>\nC &amp; co<br>\nBye"
    assert (as_text(merge, (), []), as_markup(merge, (), [])) == ("None & nothing", "None &amp; nothing")


def test_cust_3_markup_of_the_operator_stays_markup() -> None:
    merge = MergeField(name="one", report="r", html_row="<li>{name}</li>", html_heading="<ul>", html_footer="</ul>", html_default="<hr>")
    assert as_markup(merge, ("name",), [{"name": "A<b>"}]) == "<ul>\n<li>A&lt;b&gt;</li>\n</ul>"
    assert as_markup(merge, ("name",), []) == "<hr>" and as_text(merge, ("name",), []) == ""
    assert as_text(merge, ("name", "city"), [{"name": "A", "city": "B"}]) == "A, B"
    assert unescape(as_markup(MergeField(name="two", report="r"), ("name",), [{"name": "<&'\">"}])) == "<&'\">"
