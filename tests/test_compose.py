"""compose.yaml and the image, as far as a machine without containers can tell: what they name exists, and nothing listens outside."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.reference import commands
from sync.deployments import ENVIRONMENT, POOL
from tasks.up import server_environment

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_the_image_has(name: str) -> None:
    words = SERVICES[name]["command"]
    scripts = {script.name for script in entry_points(group="console_scripts")}
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert words[0] in scripts | set(own)
    if words[0] == "marketsync":
        assert " ".join(words) in {path for path, _ in commands()}
    if "--pool" in words:
        assert words[words.index("--pool") + 1] == POOL


def test_services_start_after_what_they_need_and_say_whether_they_are_well() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert "healthcheck" in service or service["restart"] == "no", name
        needed = [SERVICES[other] for other, how in service.get("depends_on", {}).items() if how["condition"] == "service_healthy"]
        assert all("healthcheck" in other for other in needed)


def test_nothing_listens_beyond_this_machine_and_no_secret_is_written_down() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    for line in TEXT.splitlines():
        name, _, value = line.strip().partition(": ")
        if re.search(r"PASSWORD|AUTH|SECRET", name):
            assert value.startswith("${"), line
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    told = set(re.findall(r"^(\w+)=", (ROOT / "compose" / "secrets.env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert asked == told
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_server_is_set_up_as_up_sets_it_up_and_the_runs_say_that_they_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in server_environment(tmp_path, 4200):
        monkeypatch.delenv(name, raising=False)
    image = dict(re.findall(r"(\w+)=(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8")))
    here = {**image, **SERVICES["server"]["environment"]}
    ours = {"PREFECT_HOME", "PREFECT_PROFILES_PATH", "PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_URL"}  # places of their own
    wanted = {name: value for name, value in server_environment(tmp_path, 4200).items() if name not in ours}
    assert {name: str(here.get(name)) for name in wanted} == wanted
    assert ENVIRONMENT.items() <= SERVICES["worker"]["environment"].items()


def test_the_image_is_made_of_what_is_here() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]["find"]["include"]
    assert all((ROOT / name).exists() for name in copied) and {name for name in packages if "." not in name} <= copied
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    assert kept == copied
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"] if volume.startswith("./")]
    assert mounted and all((ROOT / path).exists() for path in mounted)
