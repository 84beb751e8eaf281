"""Great Expectations at work: questions in, counts out. Nothing of it leaves this module but its own page as text, for whoever wants
it, and nothing is written anywhere.

It takes about three seconds to import, so that happens only when there is something to ask. Each call has a context and a cursor of
its own, so several threads may ask at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import duckdb

from expectations import data_docs
from expectations.rules import Expectation
from expectations.sql import Batch

_RULE = "rule"
_IMPORTING = threading.Lock()
# No values in results (they would be persons' data): the counts are all that is wanted, the quarantine holds the rows.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
_ERROR_NAME = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b")
# Great Expectations imports them for tests of distributions, and to draw these; our rules ask none.
_UNASKED, _UNDRAWN = "scipy.stats", "altair"
_COLUMN_GONE = re.compile(r'The column "(\w+)" in BatchData does not exist')


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Great Expectations found for one expectation. `bad` is None if it could not be evaluated; `note` says why, without data."""

    bad: int | None
    note: str = ""


def evaluate(
    batch: Batch, expectations: Mapping[str, Expectation], name: str, keep_page: Callable[[str], None] | None = None
) -> dict[str, Outcome]:
    """Asks all expectations about the view `staged`; one outcome per name.

    `name` is that of the batch. `keep_page` is given the page of Data Docs; an expectation that could not be built is not on it.
    """
    gx = _great_expectations()
    # Its log lines repeat failed SQL with the values in it.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    built, outcomes = _build(gx, expectations)
    cursor = batch.cursor()
    try:
        asked = _batch(gx, cursor)
        suite = gx.ExpectationSuite(name=name, expectations=list(built.values()))
        report = asked.validate(suite, result_format=_RESULT_FORMAT)
        outcomes.update({result.expectation_config.meta[_RULE]: _outcome(result) for result in report.results})
    except (gx.exceptions.GreatExpectationsError, gx.datasource.fluent.interfaces.TestConnectionError) as error:
        # Not one expectation could be asked. That is an answer too: every check has failed (GATE-4).
        return {rule: Outcome(None, type(error).__name__) for rule in expectations}
    finally:
        cursor.close()
    if keep_page is not None:
        keep_page(data_docs.page(report))
    return outcomes


def load() -> None:
    """Imports the library now, for whoever has time to spare before the first batch."""
    _great_expectations()


def _great_expectations() -> Any:
    """The library. Its own imports use what Python and its dependencies have deprecated; nothing that a reader of our logs can mend."""
    with _IMPORTING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _load_when_used(_UNASKED)
        _stand_in(_UNDRAWN)
        import great_expectations.expectations

        importlib.import_module("expectations.duckdb_dialect")
    return great_expectations


def _load_when_used(name: str) -> None:
    """Whoever imports that module gets it unloaded; it loads at the first look into it. Saves 50 MB and most of a second."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    package, _, own = name.rpartition(".")
    sys.modules[name] = module
    setattr(sys.modules[package], own, module)
    spec.loader.exec_module(module)


class _StandIn(ModuleType):
    """A module that is imported when somebody asks it for something. Python's own lazy loader loads a package at its first `import`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _stand_in(name: str) -> None:
    """Saves another 20 MB."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        sys.modules[name] = _StandIn(name)
        sys.modules[name].__spec__ = spec


def _build(gx: Any, expectations: Mapping[str, Expectation]) -> tuple[dict[str, Any], dict[str, Outcome]]:
    """The expectations as objects; those that Great Expectations does not take are outcomes already (GATE-4)."""
    built: dict[str, Any] = {}
    refused: dict[str, Outcome] = {}
    for rule, expectation in expectations.items():
        try:
            built[rule] = getattr(gx.expectations, expectation.name)(**expectation.arguments, meta={_RULE: rule})
        except (AttributeError, ValueError, TypeError) as error:
            refused[rule] = Outcome(None, f"the expectation is not valid ({type(error).__name__})")
    return built, refused


def _batch(gx: Any, cursor: duckdb.DuckDBPyConnection) -> Any:
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig
    from sqlalchemy.pool import StaticPool

    from expectations.duckdb_dialect import URL, wrap

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    source = context.data_sources.add_sql(
        "parcel",
        connection_string=URL,
        create_temp_table=False,
        kwargs={"creator": lambda: wrap(cursor), "poolclass": StaticPool},
    )
    return source.add_table_asset("staged", table_name="staged").add_batch_definition_whole_table("all").get_batch()


def _outcome(result: Any) -> Outcome:
    """The count of a result. One that contradicts its own verdict is worth as little as none."""
    count = _count(result)
    if count is None or result.success is not (count == 0):
        return Outcome(None, _why(result.exception_info))
    return Outcome(count)


def _count(result: Any) -> int | None:
    found: Mapping[str, Any] = result.result or {}
    if "unexpected_count" in found or "observed_value" in found:
        count = found.get("unexpected_count", found.get("observed_value"))
        return count if isinstance(count, int) else None
    if result.expectation_config.type == "expect_column_to_exist" and not _raised(result.exception_info):
        return 0 if result.success else 1
    return None


def _raised(info: Any) -> bool:
    """One flat mapping, or one mapping per metric that failed."""
    return bool(info) and (info.get("raised_exception", True) is not False)


def _why(info: Any) -> str:
    """The class of the error only: its message may hold values."""
    text = str(info)
    gone = _COLUMN_GONE.search(text)
    if gone:
        return f"the column {gone.group(1)} is not in the batch"
    names = [name for name in _ERROR_NAME.findall(text) if name not in ("MetricResolutionError", "Exception")]
    return names[0] if names else "no count"
