"""`python -m adapters.sandbox.sugarcrm`: a SugarCRM sandbox as a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import fields

from adapters.sandbox.sugarcrm.server import start_sandbox
from adapters.sandbox.sugarcrm.settings import CALM, Nastiness, SugarSandboxSettings

_HELP = {
    "port": "loopback port, 0: any that is free",
    "accounts": "accounts to invent",
    "leads": "leads to invent",
    "contacts": "contacts to invent",
    "opportunities": "opportunities to invent",
    "users": "users to invent",
    "prospect_lists": "target lists to invent",
    "members_per_list": "members of each target list",
    "tasks": "tasks to invent",
    "campaigns": "campaigns to invent",
    "seed": "the same seed invents the same data",
    "user_name": "name of the user who may log in",
    "user_is_admin": "whether that user is an administrator",
    "refuse_unknown_platform": "refuse logins of a platform that is not registered",
    "access_token_life_s": "seconds until an access token expires",
    "refresh_token_life_s": "seconds until a refresh token expires",
    "bad_logins_before_lock": "wrong passwords until the user is locked",
    "time_zone": "time zone of the user",
    "clock_skew_s": "seconds that the CRM's clock is ahead",
    "clock_fixed": "stop the clock at this epoch second",
    "data_from": "oldest date of the invented data",
    "data_until": "newest date of the invented data",
    "release": "newest API version that it speaks",
    "default_page_rows": "rows of a page when the call names no number",
    "max_list_limit": "most rows of a page",
    "max_bulk_requests": "most calls in one bulk call",
    "max_body_bytes": "largest request in bytes",
    "sync_key_admin_only": "only administrators may write sync keys",
    "equals_on_datetime_matches_day": "an instant in a filter matches its whole day",
    "check_enums": "refuse values that a drop-down list lacks",
    "hidden_field_write_refused": "refuse writing to fields that the user may not write",
    "refuse_over_long": "refuse a text that is longer than its field instead of cutting it",
    "daily_calls": "calls per day until the gateway says 429, 0: no limit",
    "calls_at_once": "calls at the same time until the gateway says 503, 0: no limit",
    "gateway_says_html": "the gateway answers with HTML and not with JSON",
    "gzip_level": "how hard answers are packed, 0 to 9",
    "projection_cache_mb": "memory for prepared answers in MiB",
    "keep_calls": "how many calls its log keeps",
}
_PASTE = """\
A SugarCRM sandbox is at work; Ctrl-C ends it. To sync with it, let a connector of marketsync.toml say this (`marketsync init`
writes the file, with one connector, acme):

crm = "sugarcrm"
url = "{url}"
username = "{user}"
password = {{ env = "CRM_PASSWORD" }}

and in the shell:  {hint}"""


def _parser() -> argparse.ArgumentParser:
    """One option per plain setting, named like it."""
    description = "A SugarCRM sandbox with invented data, on loopback, until Ctrl-C. Standard output gets one JSON line: where it is."
    parser = argparse.ArgumentParser(prog="marketsync sandbox sugarcrm", description=description)
    for one in fields(SugarSandboxSettings):
        default = one.default
        option = "--" + one.name.replace("_", "-")
        if isinstance(default, bool):
            action = parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
            action.help = f"{_HELP[one.name]} (default: {'yes' if default else 'no'})"  # set late: some Pythons add a default of their own
        elif isinstance(default, (int, float, str)) and one.name != "password":
            told = f"{_HELP[one.name]} (default: {default})"
            parser.add_argument(option, type=type(default), default=default, metavar=type(default).__name__.upper(), help=told)
    parser.add_argument("--clock-fixed", type=float, default=None, metavar="FLOAT", help=f"{_HELP['clock_fixed']} (default: it goes)")
    parser.add_argument(
        "--password-env", default="", metavar="NAME", help="environment variable that holds the password (default: sandbox-password is it)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="a module, or Module.field, that is not there, such as mkt_Visit; may be repeated (default: all are)",
    )
    parser.add_argument("--calm", action="store_true", help="no awkward data at all (default: some)")
    return parser


def settings_from(arguments: list[str]) -> SugarSandboxSettings:
    """Settings from the command line; raises SystemExit on a wrong one."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    password_env, calm = options.pop("password_env"), options.pop("calm")
    if password_env:
        if password_env not in os.environ:
            parser.error(f"environment variable {password_env} is not set")
        options["password"] = os.environ[password_env]
    options["without"] = tuple(options["without"])
    return SugarSandboxSettings(**options, nastiness=CALM if calm else Nastiness())


def _paste(settings: SugarSandboxSettings, url: str) -> str:
    """The connector for this sandbox. A password that the operator chose is not repeated."""
    stock = settings.password == SugarSandboxSettings.password
    hint = f"export CRM_PASSWORD={settings.password}" if stock else "export CRM_PASSWORD=…, the password that you gave the sandbox"
    return _PASTE.format(url=url, user=settings.user_name, hint=hint)


def main() -> int:
    """Serve until SIGTERM or SIGINT; one JSON line on standard output says where."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = settings_from(sys.argv[1:])
    with start_sandbox(settings) as sandbox:
        print(json.dumps({"url": sandbox.url, "control": f"{sandbox.url}/sandbox"}), flush=True)
        print(_paste(settings, sandbox.url), file=sys.stderr, flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
