"""People come from a file, or a template changes those whom a saved report finds (DEL-5). Nothing of it goes to a CRM (PUSH-1).

from tasks.importing import import_people

told = import_people("marketsync.toml", file="people.csv", who="olga", why="the fair in May")
print(told.made, told.changed, told.deleted, told.refused)
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.market.mass_delete import Warrant
from sync.brake import Answer
from sync.errors import ConfigError
from sync.importing import SOURCE, Imported, read_imports
from sync.recording import BATCH_LINES, Entry, Refused
from sync.saved_reports import BrakeLimits, Of
from tasks.lines import Line, lines_of
from tasks.typed import typed_command
from tasks.wiring import Installation, config_path, installation, now

_ALL = ""  # the brake's question is about all of Market
_Source = Callable[[], AbstractContextManager[Iterator[Line]]]
_Batch = tuple[list[Entry], list[Refused]]


def import_people(
    config: str | None = None,
    *,
    file: str | Path | None = None,
    report: str | None = None,
    template: Mapping[str, Any] | None = None,
    who: str,
    why: str = "",
    do_not_pull: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Everybody whom a file names (CSV or NDJSON; docs/importing.md), or whom a saved report finds. → what became of them, in people.

    `template`: columns that get the same value for everybody. `do_not_pull`: who is deleted by this stays away, whatever the CRM says
    (DEL-7). Written in batches of 1,000 lines, each in one transaction; doing it again is harmless. Raises MarketUnavailable, and
    ConfigError: nothing to read, or so many would be deleted that somebody has to be asked first (DEL-8); then nothing was written.
    """
    place = config_path(config)
    home = installation(place)
    if not dry_run:
        home.market.upgrade()
    source, origin = _source(home, file, report)
    limits = BrakeLimits(home.settings.gate.mass_deletion_share, home.settings.gate.min_rows_for_share)
    warrant = Warrant(f"import-{uuid.uuid4()}", who, why or origin, now(), limits, do_not_pull)
    given = template or {}
    doomed = {person for entries, _ in _batches(source, given, warrant) for person in home.market.imports.doomed(entries)}
    living = home.market.imports.living(limits.rows_worth_counting(len(doomed))) if doomed else 0
    braked = limits.holds(len(doomed), living)
    if braked and not dry_run:
        _ask(home, place, len(doomed), living, warrant)
    told = Imported(braked=braked)
    for entries, refused in _batches(source, given, warrant):
        told += Imported(refused=tuple(refused))
        told += home.market.imports.apply(entries, warrant, dry_run=dry_run) if entries else Imported()
    if braked and not dry_run:
        home.market.imports.close_question(now())
    return told if dry_run else replace(told, braked=False)


def _source(home: Installation, file: str | Path | None, report: str | None) -> tuple[_Source, str]:
    """→ what gives the lines, as often as they are asked for, and where they are from. A report is asked once: it may mean others later."""
    if (file is None) == (report is None):
        raise ConfigError("there is nobody to import", where="import people", todo="Name either --file FILE or --report NAME.")
    if file is not None:
        return lambda: lines_of(file, "Importing"), f"file {Path(file).name}"
    asked = home.settings.saved_report(str(report))
    if asked.of is not Of.PEOPLE:
        raise ConfigError(f"the report is of {asked.of}", where=asked.place, todo="Name a report of people.")
    found = home.market.saved_reports.rows(replace(asked, columns=("contact_id",)), now())
    lines: list[Line] = [(number, {"contact_id": person}) for number, (person,) in enumerate(found, start=1)]
    return lambda: nullcontext(iter(lines)), f"report {asked.name}"


def _batches(source: _Source, template: Mapping[str, Any], warrant: Warrant) -> Iterator[_Batch]:
    with source() as lines:
        while batch := list(itertools.islice(lines, BATCH_LINES)):
            yield read_imports(batch, template, warrant.now)


def _ask(home: Installation, config: str, doomed: int, living: int, warrant: Warrant) -> None:
    """DEL-8. Raises ConfigError until somebody has allowed this deletion, or a larger one."""
    asked = {"rows_affected": doomed, "rows_before": living, "limit_share": warrant.limits.limit_share}
    answer = home.market.brakes.ask(_ALL, SOURCE, **asked, run_id=warrant.run_id, now=warrant.now)  # type: ignore[arg-type]
    if answer is Answer.ALLOW:
        return
    said = "somebody refused this deletion" if answer is Answer.REFUSE else f"{doomed:,} people would be deleted, which nobody has allowed"
    raise ConfigError(
        f"nothing was imported: {said} (DEL-8)",
        where="import people",
        todo=f"`{typed_command(config, 'deletions list')}` says how to answer; then type this command again.",
    )
