"""Where each connector stands, put together from Market and from what the runs left on the disk. No CRM is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.standing import CORE, FLOWS, INITIAL, FlowStanding, KindSeen, LatestRuns, Standing
from tasks.contact import credential_of, quota_of
from tasks.pulse import Pulse, pulse_of
from tasks.reconciled import staleness_of
from tasks.wiring import Installation, installation, now


def standing_of(config: str, connector: str, *, whole: bool = True) -> Standing:
    """Needs `has_market`. Raises MarketUnavailable. Not `whole`: only what alerts are decided on; then the cost does not even follow what
    waits (FLOW-4)."""
    home = installation(config)
    settings = home.settings.connector(connector)
    kinds, cursors = settings.pull.kinds(), home.market.cursors.of(connector)
    complete = home.market.runs.has_completed(connector, INITIAL) and all(kind in cursors for kind in kinds)  # FLOW-2
    waiting, since, parked = home.market.standings.waiting(connector) if whole else (0, None, 0)
    return Standing(
        connector=connector,
        crm=settings.crm,
        url=settings.url,
        at=now(),
        complete=complete,
        flows=_flows(home, connector, complete=complete),
        kinds=tuple(KindSeen(kind, cursors.get(kind)) for kind in kinds),
        held=home.market.standings.held(connector, home.settings.alerts.held_share),
        waiting=waiting,
        waiting_since=since,
        parked=parked,
        questions=sum(each.connector == connector for each in home.market.brakes.open(connector)) if whole else 0,
        reconciled=staleness_of(config, connector) if whole else None,
        credential=credential_of(home, connector),
        quota=quota_of(home, connector),
    )


def _flows(home: Installation, connector: str, *, complete: bool) -> tuple[FlowStanding, ...]:
    """A flow is watched once it came to its end here; the core sync as soon as the initial sync has."""
    pulses = {flow: pulse_of(home, flow, connector) for flow in FLOWS}
    runs = home.market.standings.latest_runs(connector, {flow: pulse.started_at if pulse else None for flow, pulse in pulses.items()})
    success = {flow: _success(runs[flow], pulse) for flow, pulse in pulses.items()}
    overdue = home.settings.alerts.overdue
    return tuple(
        FlowStanding(
            flow,
            success[flow],
            runs[flow],
            timedelta(minutes=overdue.minutes(flow)) if complete and overdue.minutes(flow) else None,
            success[INITIAL] if flow == CORE else None,
            pulse.headline if pulse else "",
        )
        for flow, pulse in pulses.items()
    )


def _success(runs: LatestRuns, pulse: Pulse | None) -> datetime | None:
    """Market does not know of runs that had nothing to do, and the pulse is not there where another machine ran."""
    return max(filter(None, (runs.last_success, pulse.ended_at if pulse else None)), default=None)
