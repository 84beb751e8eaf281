"""`alerts`: tell whoever is to know of it what is wrong. And the part of `status` that says how each flow is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, shown, table, typed
from flows.cli_look import age, connector_option, plain
from sync.standing import flow_state

if TYPE_CHECKING:
    from sync.alerts import Alert
    from sync.standing import Standing


@click.command(short_help="Tell whoever is to know of it what is wrong.")
@connector_option
@click.option("--json", "as_json", is_flag=True, help="For programs: what is wrong now, as a list. Instants are ISO 8601, UTC.")
@click.option("--test", is_flag=True, help="Send a message that says that it is a test, and nothing else.")
@click.pass_obj
def alerts(terminal: Terminal, connector: str | None, as_json: bool, test: bool) -> None:
    """Look for what is wrong (a failed flow, a dead login, too many held rows, an overdue sync) and tell the webhook of [alerts].

    Each is told once, and once more when it is over. Runs do the same at their end; this also finds syncs that are overdue because nothing
    runs, so let cron type it every few minutes. Asks no CRM. Ends with an error when the webhook can't be reached; it is told next time.
    """
    from sync.errors import Transient
    from tasks.alerts import has_receiver, open_alerts, tell_everything, tell_test
    from tasks.operate import connectors_named, has_market
    from tasks.overview import write_overview

    if test:
        tell_test(terminal.config)
        click.echo("The webhook took the test message.")
        return
    trouble = tell_everything(terminal.config, connectors_named(terminal.config, connector))
    there = has_market(terminal.config)
    found = open_alerts(terminal.config, connector) if there else ()
    if there:
        write_overview(terminal.config)
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], indent=1, default=plain))
    else:
        _show(found)
        if not has_receiver(terminal.config):
            click.echo(click.style("\nNobody is told: no webhook is configured ([alerts], docs/alerts.md).", dim=True))
    if trouble:
        raise Transient(f"not everything could be told: {trouble}", where="alerts.webhook", todo="The next run, or this command, tells it.")


def _as_json(alert: Alert) -> dict[str, object]:
    concern = {**asdict(alert.concern), "topic": alert.concern.topic.value}
    return {**concern, "told_at": alert.told_at, "over_at": alert.over_at, "trouble": alert.trouble}


def _show(found: tuple[Alert, ...]) -> None:
    wrong = [each for each in found if each.over_at is None]
    if not wrong:
        click.echo("Nothing is wrong.")
    for each in wrong:
        _show_alert(each)


def _show_alert(each: Alert) -> None:
    concern = each.concern
    mark = click.style("┃ ", fg="red")
    told = f"told {age(each.told_at)} ago" if each.told_at else (f"not told yet: {each.trouble}" if each.trouble else "")
    click.echo(mark + click.style(f"{concern.connector}: {concern.message.partition(chr(10))[0]}", fg="red", bold=True))
    if concern.todo:
        click.echo(f"{mark}What to do: {concern.todo}")
    click.echo(mark + click.style(f"for {age(concern.since)}{f'; {told}' if told else ''}", dim=True))


def show_standing(terminal: Terminal, connector: str) -> None:
    """The part of `status` that says what needs somebody, how each flow is, and whether the login is good."""
    from tasks.alerts import open_alerts
    from tasks.standing import standing_of

    found = standing_of(terminal.config, connector)
    wrong = [each for each in open_alerts(terminal.config, connector) if each.over_at is None]
    if wrong:
        heading("Needs somebody")
    for each in wrong:
        _show_alert(each)
    heading("Flows")
    table(["", "", "last success", ""], [_flow_row(found, number) for number in range(len(found.flows))], left=frozenset(range(4)))
    click.echo(f"\n{_login(found)} {_quota(found)}".rstrip())
    if found.questions:
        answer = typed(terminal, "deletions list")
        click.echo(f"{found.questions} {'deletion waits' if found.questions == 1 else 'deletions wait'} for your answer: {answer}")


def _flow_row(found: Standing, number: int) -> list[str]:
    flow = found.flows[number]
    last = f"{age(flow.last_success)} ago" if flow.last_success else "never"
    said = flow.runs.error.partition("\n")[0] if flow.failing else flow.said
    return [flow.flow, flow_state(flow, found.at)[1], last, said]


def _login(found: Standing) -> str:
    if found.credential is None:
        return "The login was not tried from here yet."
    if found.credential.accepted:
        return f"The login is good, since {found.credential.since:%Y-%m-%d %H:%M} UTC."
    return click.style(f"The login is refused since {found.credential.since:%Y-%m-%d %H:%M} UTC: {found.credential.said}.", fg="red")


def _quota(found: Standing) -> str:
    if found.quota is None:
        return ""
    return f"{found.quota.quota.left:,} of {found.quota.quota.of:,} calls were left {age(found.quota.at)} ago."


def standing_as_json(terminal: Terminal, connector: str) -> dict[str, object]:
    """The same for programs."""
    from tasks.alerts import open_alerts
    from tasks.standing import standing_of

    found = standing_of(terminal.config, connector)
    flows = {
        flow.flow: {
            "state": flow_state(flow, found.at)[1],
            "last_success": flow.last_success,
            "failures": flow.runs.failures,
            "failing_since": flow.runs.failing_since,
            "error": flow.runs.error,
            "overdue": flow.overdue(found.at),
            "report": shown(flow.runs.report) if flow.runs.report else "",
        }
        for flow in found.flows
    }
    return {
        "at": found.at,
        "in_step_at": found.in_step_at,
        "crm": found.crm,
        "flows": flows,
        "waiting": found.waiting,
        "waiting_since": found.waiting_since,
        "parked": found.parked,
        "records_held": found.records_held,
        "deletions_to_answer": found.questions,
        "credential": None if found.credential is None else asdict(found.credential),
        "quota": None if found.quota is None else {**asdict(found.quota.quota), "at": found.quota.at},
        "alerts": [_as_json(each) for each in open_alerts(terminal.config, connector)],
    }
