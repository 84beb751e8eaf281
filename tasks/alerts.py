"""Whoever is to know of a failure is told: at the end of every run, and by `marketsync alerts`. What is told when is `sync.alerts`.

Telling never fails a sync. What could not be told stays noted in Market, is a finding of the run, and is told by the next one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from adapters.market.engine import hold_lock
from sync.alerts import Alert, Concern, Decision, Topic, concerns, decide, payload, trial_alert
from sync.disk import disk_errors
from sync.errors import AlreadyRunning, ConfigError, MarketsyncError, MarketUnavailable
from sync.records import Finding, RunRef
from sync.secrets import SecretRef
from tasks.operate import has_market
from tasks.standing import standing_of
from tasks.wiring import Installation, installation, now, read_settings, resolve_secret

UNTOLD = "alert not told"
_WHERE = "alerts.webhook"
_PATIENCE_S, _LOOK_S = 15.0, 0.2


def tell_after(run: RunRef, error: BaseException | None = None) -> tuple[Finding, ...]:
    """At the end of a run: what changed for its connector is told. → what went wrong with telling, for the run's report."""
    home = installation(run.config)
    try:
        if isinstance(error, MarketUnavailable):
            trouble = _tell_market_away(home, error)
        else:
            trouble = tell_of(run.config, run.connector)
    except MarketUnavailable as away:
        trouble = _tell_market_away(home, away)
    except MarketsyncError as failure:
        trouble = failure.what
    return (Finding(None, UNTOLD, f"An alert could not be told: {trouble}. The next run tells it."),) if trouble else ()


def tell_of(config: str, connector: str) -> str:
    """Decides and tells for one connector. → what went wrong with telling, empty: nothing. Raises MarketUnavailable."""
    home = installation(config)
    trouble = _tell_market_back(home)
    if not _decision(home, config, connector):
        return trouble
    with _alone(home, f"alerts of {connector}") as alone:
        if not alone:
            return trouble  # whoever is at it tells it, or the next run does
        decision = _decision(home, config, connector)
        home.market.alerts.note(decision.keep, decision.drop)
        return _tell(home, decision.tell) or trouble


def tell_everything(config: str, connectors: Sequence[str]) -> str:
    """The same for these connectors; of those that are configured no more nothing is said again. Needs no run and no CRM.

    → what went wrong with telling. Raises MarketUnavailable, when that is told.
    """
    home = installation(config)
    try:
        if not has_market(config):
            return ""
        home.market.upgrade()
        gone = [alert for alert in home.market.alerts.list() if alert.concern.connector not in home.settings.connectors]
        if gone:
            home.market.alerts.note((), gone)
        return next(filter(None, [tell_of(config, name) for name in connectors]), "")
    except MarketUnavailable as away:
        _tell_market_away(home, away)
        raise


def open_alerts(config: str, connector: str | None = None) -> tuple[Alert, ...]:
    """What is wrong now, and what is over and was not told yet. Needs `has_market`."""
    return installation(config).market.alerts.list(connector)


def has_receiver(config: str) -> bool:
    """Whether a webhook is configured."""
    return read_settings(config).alerts.webhook is not None


def tell_test(config: str) -> None:
    """Sends a message that says that it is a test. Raises what keeps it from arriving."""
    home = installation(config)
    _post(home, _webhook(home), (trial_alert(now()),))


def _decision(home: Installation, config: str, connector: str) -> Decision:
    limits = home.settings.alerts
    before = home.market.alerts.list(connector)
    return decide(concerns(standing_of(config, connector, whole=False), limits), before, now(), listened=limits.webhook is not None)


def _tell(home: Installation, alerts: Sequence[Alert]) -> str:
    """One message for all of them. → what went wrong."""
    if not alerts:
        return ""
    try:
        _post(home, _webhook(home), alerts)
    except MarketsyncError as failure:
        home.market.alerts.note([replace(alert, trouble=failure.what) for alert in alerts])
        return failure.what
    at = now()
    told = [replace(alert, told_at=alert.told_at or at, trouble="") for alert in alerts if alert.over_at is None]
    home.market.alerts.note(told, [alert for alert in alerts if alert.over_at is not None])
    return ""


def _webhook(home: Installation) -> SecretRef:
    webhook = home.settings.alerts.webhook
    if webhook is None:
        raise ConfigError("no webhook is configured", where=_WHERE, todo='Say where its address is: webhook = { env = "ALERT_WEBHOOK" }.')
    return webhook


def _post(home: Installation, webhook: SecretRef, alerts: Sequence[Alert]) -> None:
    from adapters.webhook import post  # most runs have nothing to tell

    limits = home.settings.alerts
    url = resolve_secret(webhook, _WHERE)
    post(url, payload(alerts, now()), timeout_s=limits.timeout_s, allow_plain_http=limits.allow_plain_http)


@contextmanager
def _alone(home: Installation, name: str) -> Iterator[bool]:
    """Two runs of a connector may end at once: what one tells the other must not. False: somebody else was at it for too long."""
    with ExitStack() as held:
        yield _taken(held, home, name)


def _taken(held: ExitStack, home: Installation, name: str) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            held.enter_context(hold_lock(home.market, name, home.lock_dir))
            return True
        except AlreadyRunning:
            if time.monotonic() > until:
                return False
        time.sleep(_LOOK_S)


# -- Market itself is away: what was told of that is kept in a file ------------------------------------------------------------------------


def _tell_market_away(home: Installation, error: MarketUnavailable) -> str:
    """Once, until it is back."""
    path = _away_file(home)
    if home.settings.alerts.webhook is None or path.exists():
        return ""
    alert = Alert(_market_away(error.what, error.todo))
    trouble = _send(home, alert)
    if not trouble:
        with disk_errors("alerts"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"since": alert.concern.since.isoformat(), "message": error.what}), encoding="utf-8")
    return trouble


def _tell_market_back(home: Installation) -> str:
    path = _away_file(home)
    if not path.exists() or home.settings.alerts.webhook is None:
        return ""
    home.market.alerts.list("")  # raises if it is still away
    told = json.loads(path.read_text(encoding="utf-8"))
    since = datetime.fromisoformat(told["since"])
    trouble = _send(home, Alert(replace(_market_away(told["message"], ""), since=since), told_at=since, over_at=now()))
    if not trouble:
        path.unlink(missing_ok=True)
    return trouble


def _market_away(message: str, todo: str) -> Concern:
    return Concern("", Topic.MARKET, "", now(), f"Market can't be used: {message}", todo)


def _send(home: Installation, alert: Alert) -> str:
    try:
        _post(home, _webhook(home), (alert,))
    except MarketsyncError as failure:
        return failure.what
    return ""


def _away_file(home: Installation) -> Path:
    return home.data_dir / "pulse" / "market-is-away.json"
