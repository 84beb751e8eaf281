"""What goes wrong outside gives one clear error: what, where, what to do. Nothing is half-written; once it is mended, the run goes on."""

from __future__ import annotations

import os
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from adapters.market.engine import open_market
from adapters.sandbox.sugarcrm import FaultRule, RunningSandbox
from sync.records import Kind
from tasks.wiring import open_crm
from tests.adapters.scripted_server import page, scripted, self_signed
from tests.flows.place import PASSWORD_VARIABLE, USER, Driver, Place, lite_place, sandbox

FEW = "page_rows = 10\n[connectors.acme.pull]\nleads = false\ncontacts = false\nopportunities = false"
OTHER = "another-horse-8R"
AT_THE_PLAN = {"kind": "user", "verb": "plan", "ended": False, "nth": 1, "after_s": 0}


def scalar(place: Place, sql: str) -> Any:
    engine = sa.create_engine(place.market_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(sql)).scalar()
    finally:
        engine.dispose()


def accounts(place: Place) -> int:
    """Without the built-in one."""
    return int(scalar(place, "SELECT count(*) FROM accounts WHERE crm_id IS NOT NULL"))


def fails(driver: Driver, place: Place, error: str, exit_code: int, *words: str, **order: Any) -> str:
    """The run ends with this error, and its text says what, where and what to do."""
    answer = driver.run(place, **order)
    assert answer.get("error") == error, answer
    assert answer["exit_code"] == exit_code
    text = str(answer["text"])
    assert "What to do: " in text, text
    for word in words:
        assert word in text, text
    return text


def completes(driver: Driver, place: Place, count: int = 12, **order: Any) -> None:
    assert driver.run_on(place, **order) == {}
    assert accounts(place) == count
    assert scalar(place, "SELECT count(*) FROM quarantine") == 0


def logins(crm: RunningSandbox) -> int:
    return len(crm.control.calls(path_part="oauth2/token"))


def break_login(crm: RunningSandbox, how: str) -> None:
    if how == "wrong":
        crm.control.set_password(USER, OTHER)
    elif how == "expired":
        crm.control.expire_password(USER)
    else:
        crm.control.lock_user(USER)


@pytest.mark.parametrize(("how", "said"), [("wrong", "password is wrong"), ("expired", "has expired"), ("locked", "is locked")])
def test_a_dead_credential_is_told_once_and_not_tried_again(how: str, said: str, driver: Driver, tmp_path: Path) -> None:
    """CONN-4: one clear error; a second start asks nothing of the CRM; a new password needs no redeploy."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        break_login(crm, how)
        fails(driver, place, "CredentialError", 3, said, "connector acme", USER)
        tried = logins(crm)
        fails(driver, place, "CredentialError", 3, said, "not tried again")
        assert logins(crm) == tried == 1
        assert accounts(place) == 0
        crm.control.lock_user(USER, False)
        crm.control.set_password(USER, OTHER)
        new = {PASSWORD_VARIABLE: OTHER}
        assert driver.run(place, secrets=new, kills=[AT_THE_PLAN]) == {"hit": 0, "signal": 9}
        if how == "wrong":
            completes(driver, place, secrets=new)


def test_an_unlocked_account_is_taken_up_again_by_a_check(driver: Driver, tmp_path: Path, crm_password: str) -> None:
    """CONN-3, CONN-4: the password is the same, so only a person can say that it is worth another try."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        crm.control.lock_user(USER)
        fails(driver, place, "CredentialError", 3, "marketsync check")
        crm.control.lock_user(USER, False)
        assert open_crm(str(place.config), "acme").probe([Kind.ACCOUNT], []).ok
        completes(driver, place)


def test_a_module_that_may_not_be_read_names_the_right_that_is_missing(driver: Driver, tmp_path: Path) -> None:
    """CONN-3: whether the CRM hides the module or shows it and refuses its records."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        for action in ("*", "list"):
            crm.control.deny(USER, "Accounts", action)
            fails(driver, place, "AccessDenied", 4, "Accounts", USER, "administrator")
            assert accounts(place) == 0
            crm.control.deny(USER, "Accounts", action, denied=False)
        completes(driver, place)


@contextmanager
def tls_in_front_of(crm: RunningSandbox, certificate: Path) -> Iterator[str]:
    """→ an https address behind which the sandbox answers."""
    target = ("127.0.0.1", int(crm.url.rpartition(":")[2]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(target) as inner:
                back = threading.Thread(target=self._pump, args=(inner, self.request), daemon=True)
                back.start()
                self._pump(self.request, inner)
                back.join()

        @staticmethod
        def _pump(source: socket.socket, sink: socket.socket) -> None:
            try:
                while chunk := source.recv(65536):
                    sink.sendall(chunk)
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side hung up

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A handshake that the client gave up is no news."""

    with Server(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_a_certificate_that_does_not_verify_stops_before_any_password_is_sent(driver: Driver, tmp_path: Path) -> None:
    """CONN-2, CONN-4: and naming its authority is the cure."""
    certificate = self_signed(tmp_path)
    with sandbox() as crm, tls_in_front_of(crm, certificate) as url:
        place = lite_place(tmp_path).write(url, connector=FEW)
        fails(driver, place, "ConfigError", 2, "certificate", "does not verify", "ca_file")
        assert crm.control.call_count() == 0
        completes(driver, place.write(url, connector=f'ca_file = "{certificate}"\n{FEW}'))


def test_a_page_for_people_in_place_of_the_crm_is_a_wrong_address(driver: Driver, tmp_path: Path) -> None:
    with scripted(page(200)) as web:
        place = lite_place(tmp_path).write(web.url, connector=FEW)
        fails(driver, place, "ConfigError", 2, web.url, "page instead of data", "check the URL")
        assert len(web.seen) == 1
    with sandbox() as crm:
        completes(driver, place.write(crm.url, connector=FEW))


MISTAKES: dict[str, tuple[Callable[[str], str], str]] = {
    "no TOML": (lambda text: text + "\n[market\n", "line"),
    "a word that is none": (lambda text: text.replace("username", "user_name"), "username"),
    "a secret that is missing": (lambda text: text.replace(PASSWORD_VARIABLE, "NOBODY_HAS_SET_THIS"), "NOBODY_HAS_SET_THIS"),
    "a database that is none of ours": (lambda text: text.replace("sqlite:///", "mysql://"), "market.url"),
    "a password in clear": (lambda text: text.replace(f'{{ env = "{PASSWORD_VARIABLE}" }}', '"hunter2-in-clear"'), "password"),
    "plain http to another machine": (lambda text: text.replace("http://127.0.0.1", "http://crm.example.com"), "https"),
    "nothing to bring": (lambda text: text.replace("accounts", "accounts = false\nusers = false\n#"), "pull"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_configuration_is_named(mistake: str, driver: Driver, tmp_path: Path) -> None:
    spoil, word = MISTAKES[mistake]
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=f"{FEW}\naccounts = true")
        right = place.config.read_text(encoding="utf-8")
        place.config.write_text(spoil(right), encoding="utf-8")
        text = fails(driver, place, "ConfigError", 2, word)
        assert "hunter2" not in text
        assert crm.control.call_count() == 0


def test_a_connector_that_is_not_configured_is_named_with_what_may_be_meant(driver: Driver, tmp_path: Path) -> None:
    place = lite_place(tmp_path).write("http://127.0.0.1:9", connector=FEW)
    fails(driver, place, "ConfigError", 2, "acne", "acme", connector="acne")


# -- the disk -------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of so many MiB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with open_trial() as trial:
        return subprocess.run(["mount", "-t", "tmpfs", "tmpfs", trial], check=False, capture_output=True).returncode == 0


@contextmanager
def open_trial() -> Iterator[str]:
    """A folder to try a mount on."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield folder
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


WIDE = {"accounts": 1500, "leads": 0, "contacts": 0}


FULL = {"when a parcel is made": 500_000, "while pages are collected": 1_200_000, "while they are loaded": 1_200_000}


@pytest.mark.parametrize("moment", FULL)
def test_a_disk_that_is_full_while_staging_stops_the_run_and_room_lets_it_go_on(moment: str, driver: Driver, tmp_path: Path) -> None:
    """INIT-7: the limit is one on the size of files, which every machine can set."""
    with sandbox(**WIDE) as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        flush_bytes = 100_000 if moment.endswith("loaded") else 24 << 20
        full = {"bytes": FULL[moment]}
        market = open_market(place.market_url)  # made before, so that the limit meets the parcel and not the Market's own tables
        market.upgrade()
        market.close()
        fails(driver, place, "StagingFailed", 8, "acme", "Make room", full=full, flush_bytes=flush_bytes)
        assert accounts(place) == 0
        completes(driver, place, 1500)


def test_a_disk_that_is_full_while_committing_leaves_the_market_as_it_was(driver: Driver, tmp_path: Path) -> None:
    """PULL-2."""
    with sandbox(**WIDE) as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        full = {"bytes": 300_000, "kind": "account", "verb": "commit"}
        fails(driver, place, "MarketUnavailable", 7, "Market", "disk", full=full)
        assert accounts(place) == 0
        assert scalar(place, "SELECT count(*) FROM cursors WHERE kind = 'account'") == 0
        assert scalar(place, "SELECT count(*) FROM crm_links WHERE kind = 'account'") == 0
        completes(driver, place, 1500)


@pytest.mark.parametrize("what", ["data", "market"] if may_mount() else [])
def test_a_small_file_system_gives_the_same_errors(what: str, driver: Driver, tmp_path: Path) -> None:
    """Where this account may mount one: the disk's own word for being full."""
    with sandbox(**WIDE) as crm, small_disk(tmp_path / "disk", 2) as disk:
        place = Place(tmp_path, f"sqlite:///{(disk if what == 'market' else tmp_path) / 'market.db'}").write(crm.url, connector=FEW)
        if what == "data":
            place.data.symlink_to(disk)
            fails(driver, place, "StagingFailed", 8, "Make room")
        else:
            fails(driver, place, "MarketUnavailable", 7, "disk", "make room")
        assert accounts(place) == 0
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        completes(driver, place, 1500)


# -- the database ---------------------------------------------------------------------------------------------------


def test_a_market_that_is_down_is_named_and_nothing_is_asked_of_the_crm(driver: Driver, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with sandbox() as crm:
        place = Place(tmp_path, f"postgresql://market@127.0.0.1:{port}/market").write(crm.url, connector=FEW)
        fails(driver, place, "MarketUnavailable", 7, f"127.0.0.1:{port}", "start the PostgreSQL server")
        assert crm.control.call_count() == 0


def end_sessions_in_a_commit(url: str, seen: list[int], stop: threading.Event) -> None:
    """What an administrator does with a session: pg_terminate_backend, as soon as one loads rows."""
    ask = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'marketsync' AND query ~* %s AND state <> 'idle'"
    with psycopg.connect(url, autocommit=True) as connection:
        while not stop.is_set() and not seen:
            seen += [1 for _ in connection.execute(ask, [r"^\s*COPY"]).fetchall()]


def test_a_database_that_ends_the_session_in_a_commit_keeps_nothing_of_it(driver: Driver, tmp_path: Path, postgres_url: str) -> None:
    """PULL-2."""
    with sandbox(**WIDE) as crm:
        place = Place(tmp_path, postgres_url).write(crm.url, connector=FEW)
        stop, seen = threading.Event(), list[int]()
        watcher = threading.Thread(target=end_sessions_in_a_commit, args=(postgres_url, seen, stop))
        watcher.start()
        try:
            answer = driver.run(place)
        finally:
            stop.set()
            watcher.join()
        assert seen, "the session was not caught in a commit"
        assert answer.get("error") == "MarketUnavailable", answer
        assert "What to do: " in answer["text"]
        assert scalar(place, "SELECT count(*) FROM parcels") == scalar(place, "SELECT count(*) FROM cursors")
        completes(driver, place, 1500)


# -- the parcel -----------------------------------------------------------------------------------------------------


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(200_000))


def beginning(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 8192)


@pytest.mark.parametrize("damage", [overwrite, beginning], ids=lambda damage: damage.__name__)
def test_a_damaged_parcel_is_named_and_deleting_it_is_the_cure(damage: Callable[[Path], None], driver: Driver, tmp_path: Path) -> None:
    with sandbox(**WIDE) as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        killed = driver.run(place, kills=[{"kind": "account", "verb": "check", "ended": True, "nth": 1, "after_s": 0}])
        assert killed == {"hit": 0, "signal": 9}
        parcel = next(path for path in place.parcels() if path.name.startswith("account"))
        damage(parcel)
        Path(f"{parcel}.wal").unlink(missing_ok=True)
        fails(driver, place, "StagingFailed", 8, str(parcel), "delete")
        assert accounts(place) == 0
        parcel.unlink()
        completes(driver, place, 1500)


# -- two at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", ["sqlite", "postgresql"])
def test_a_second_run_of_the_same_flow_is_skipped_not_queued(
    market: str, driver: Driver, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """FLOW-1: two processes; on PostgreSQL also with another data directory, as on another machine."""
    with sandbox() as crm:
        url = str(request.getfixturevalue("postgres_url")) if market == "postgresql" else f"sqlite:///{tmp_path / 'market.db'}"
        place = Place(tmp_path / "here", url).write(crm.url, connector=FEW)
        other = place if market == "sqlite" else Place(tmp_path / "there", url).write(crm.url, connector=FEW)
        with hold_back(crm, driver, place):
            fails(driver, other, "AlreadyRunning", 5, "initial-sync", "acme")
        assert accounts(place) == 12
        assert driver.run(other) == {}


@contextmanager
def hold_back(crm: RunningSandbox, driver: Driver, place: Place) -> Iterator[None]:
    """A run in another process is at work while the block runs, and completes afterwards."""
    crm.control.set_faults(FaultRule("slow", "POST", r"/Accounts/filter$", nth=1, seconds=1.5, count=1))
    first = driver.run(place, leave=True)["left"]
    wait_until(lambda: len(crm.control.calls(path_part="metadata")) > 0)
    yield
    assert driver.ask({"wait": first}) == {}


def wait_until(true: Callable[[], bool], most_s: float = 120) -> None:
    until = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
