"""A merge field: the rows of a saved report for one person, as text or HTML, to be put into a mail (CUST-3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sync.merge_html import parse_html
from sync.merge_templates import Slot, Template, as_html, clean, fields_of, fill_html, fill_text, form_mistake, joined, parse
from sync.saved_report_fields import Known, find, name_mistake
from sync.saved_report_relations import parents
from sync.saved_reports import Of, SavedReport
from sync.setting import doc

MOST_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeField:
    """The rows of a saved report for one person, as text or HTML, for a mail (CUST-3)."""

    name: str
    report: str = field(metadata=doc("The saved report whose rows are shown.", example='"stale_leads"'))
    columns: tuple[str, ...] = field(
        default=(),
        metadata=doc("What is shown of a row where there is no template; by default the report's.", example='["first_name", "last_name"]'),
    )
    row: str | None = field(
        default=None,
        metadata=doc(
            "A row as text: {COLUMN}, {DAY:%d.%m.%Y}, {NUMBER:.2}; by default the columns, with commas between.",
            example='"Dear {first_name} {last_name}, with us since {created_at:%d.%m.%Y}"',
        ),
    )
    heading: str | None = field(default=None, metadata=doc("A line above the rows.", example='"Good morning!"'))
    footer: str | None = field(default=None, metadata=doc("A line below the rows.", example='"Your team"'))
    default: str | None = field(
        default=None, metadata=doc("What is shown instead when there is no row; by default nothing.", example='"Dear friend"')
    )
    html_row: str | None = field(
        default=None,
        metadata=doc("A row as HTML; by default the text, escaped.", example='"<li>Dear <b>{first_name} {last_name}</b></li>"'),
    )
    html_heading: str | None = field(default=None, metadata=doc("HTML above the rows; by default the heading.", example='"<ul>"'))
    html_footer: str | None = field(default=None, metadata=doc("HTML below the rows; by default the footer.", example='"</ul>"'))
    html_default: str | None = field(
        default=None, metadata=doc("HTML when there is no row; by default the default.", example='"<p>Dear friend</p>"')
    )
    order_by: tuple[str, ...] = field(
        default=(), metadata=doc('The order of the rows, "-" for the largest first; by default the report\'s.', example='["-created_at"]')
    )
    limit: int = field(default=10, metadata=doc("How many rows are shown at most.", minimum=1, maximum=MOST_ROWS))

    @property
    def place(self) -> str:
        """Where it stands in the configuration."""
        return f"merge_fields.{self.name}"

    def text_row(self, report_columns: tuple[str, ...]) -> Template:
        """The template of one row as text."""
        if self.row is not None:
            return parse(self.row)
        slots = [Slot(name) for name in self.columns or report_columns]
        return tuple(part for slot in slots for part in (", ", slot))[1:]

    def markup_row(self, report_columns: tuple[str, ...]) -> Template:
        """The template of one row as HTML."""
        return as_html(self.text_row(report_columns)) if self.html_row is None else parse_html(self.html_row)

    def templates(self, report_columns: tuple[str, ...]) -> tuple[Template, Template]:
        return self.text_row(report_columns), self.markup_row(report_columns)


def belongs_to_a_person(of: Of) -> bool:
    """Whether rows of such a report can be those of one person: their own, their account's, or what hangs on them."""
    return of in (Of.PEOPLE, Of.ACCOUNTS) or "person" in parents(of)


def wanted_columns(merge: MergeField, report_columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that have to be read."""
    return tuple(dict.fromkeys(name for template in merge.templates(report_columns) for name in fields_of(template)))


def merge_mistakes(merge: MergeField, report: SavedReport, report_columns: tuple[str, ...], known: Known) -> Iterator[tuple[str, str]]:
    """(place, what) of everything that these tables can't answer."""
    if not belongs_to_a_person(report.of):
        yield f"{merge.place}.report", f"rows of {report.of} belong to no person"
        return
    for name in (*wanted_columns(merge, report_columns), *(each.removeprefix("-") for each in merge.order_by)):
        if why := name_mistake(report.of, name, known):
            yield merge.place, why
    for slot in {part for template in merge.templates(report_columns) for part in template if isinstance(part, Slot)}:
        source = find(report.of, slot.field, known)
        if source is not None and source.type is not None and (why := form_mistake(slot, source.type)):
            yield merge.place, why


def as_text(merge: MergeField, report_columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> str:
    """A line per row; the default when there is none."""
    template = merge.text_row(report_columns)
    lines = [fill_text(template, row) for row in rows]
    return joined([merge.heading or "", *lines, merge.footer or ""], "\n") if lines else merge.default or ""


def as_markup(merge: MergeField, report_columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> str:
    """The same as HTML."""
    template = merge.markup_row(report_columns)
    lines = [fill_html(template, row) for row in rows]
    if not lines:
        return _markup(merge.html_default, merge.default)
    between = "<br>\n" if merge.html_row is None else "\n"
    body = between.join(lines)
    outer = "<br>\n" if merge.html_row is None and merge.html_heading is None else "\n"
    return joined([_markup(merge.html_heading, merge.heading), body, _markup(merge.html_footer, merge.footer)], outer)


def _markup(html: str | None, text: str | None) -> str:
    """HTML of the operator's own, or a text of theirs, escaped."""
    if html is not None:
        return html
    return "".join(str(part) for part in as_html((clean(text),))) if text else ""
