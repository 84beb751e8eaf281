"""`python -m adapters.sandbox.sugarcrm`: a SugarCRM sandbox as a process of its own, until SIGTERM."""

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


def _parser() -> argparse.ArgumentParser:
    """One option per plain setting, named like it."""
    parser = argparse.ArgumentParser(prog="python -m adapters.sandbox.sugarcrm", description=__doc__)
    for one in fields(SugarSandboxSettings):
        default = one.default
        option = "--" + one.name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        elif isinstance(default, (int, float, str)) and one.name != "password":
            parser.add_argument(option, type=type(default), default=default)
    parser.add_argument("--clock-fixed", type=float, default=None, help="stop the clock at this epoch second")
    parser.add_argument("--password-env", default="", help="environment variable that holds the user's password")
    parser.add_argument("--calm", action="store_true", help="no awkward data at all")
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
    return SugarSandboxSettings(**options, nastiness=CALM if calm else Nastiness())


def main() -> int:
    """Serve until SIGTERM or SIGINT; one JSON line on standard output says where."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with start_sandbox(settings_from(sys.argv[1:])) as sandbox:
        print(json.dumps({"url": sandbox.url, "control": f"{sandbox.url}/sandbox"}), flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
