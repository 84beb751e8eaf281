"""Paths and commands as a person would type them here: the same on the terminal and in a report."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"  # a worker tells it to the process of a run


def shown(path: str | Path) -> str:
    """A path as a person would type it: relative where that is shorter. A run on a schedule works in a folder that nobody is in."""
    if _RUN_VARIABLE in os.environ:
        return str(path)
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return relative if len(relative) < len(str(path)) else str(path)


def typed_command(config: str, command: str) -> str:
    """With the program's path and the configuration (absolute) where they are needed."""
    program = sys.argv[0]
    if Path(program).name != "marketsync" or shutil.which("marketsync") == str(Path(program).resolve()) or not Path(program).exists():
        program = "marketsync"
    else:
        program = shown(program)
    default = config == str(Path("marketsync.toml").resolve())
    return f"{program} {command}" if default else f"{program} --config {shown(config)} {command}"
