"""The HTTP seam against a server that really cuts, resets and mislabels (CONN-2, CONN-4)."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from pathlib import Path

import pytest

from adapters.http import HttpClient, Patience
from adapters.http_lanes import Lanes
from adapters.http_messages import Call, checked_url, error_type, scrub, unpacked
from sync.errors import AccessDenied, ConfigError, ContractBroken, CredentialError, MarketsyncError, Transient
from tests.adapters.scripted_server import Step, page, scripted, self_signed

OK = Step()


class Pauses(list[float]):
    """Takes the place of sleeping: notes each pause and goes on at once."""

    def __call__(self, pause_s: float) -> None:
        self.append(pause_s)


def client(pauses: Pauses | None = None, **settings: object) -> HttpClient:
    return HttpClient("acme", sleep=pauses if pauses is not None else Pauses(), **settings)  # type: ignore[arg-type]


def read(url: str, path: str = "/rest/v11_24/Contacts") -> Call:
    return Call("GET", url + path, harmless=True)


@pytest.mark.parametrize(
    "steps",
    [
        (page(503), OK),
        (page(429), OK),
        (page(502), page(504), OK),
        (Step(500, b'{"error":"fatal_error"}'), OK),
        (Step(spoil="truncate"), OK),
        (Step(spoil="reset"), OK),
        (Step(packed=True, spoil="damage"), OK),
        (Step(packed=True, spoil="shorten"), OK),
        (Step(body=b'{"ok": [1, 2', length=False), OK),
        (Step(body=b'{"ok": [1, 2'), OK),
        (Step(body=b""), OK),
        (OK, page(200), OK),
    ],
    ids=[
        *("503", "429", "502 504", "500", "truncated", "reset", "bad gzip", "short gzip", "cut without length"),
        *("program died", "nothing", "maintenance page"),
    ],
)
def test_a_harmless_request_is_repeated_until_it_is_answered_whole(steps: tuple[Step, ...]) -> None:
    with scripted(*steps) as server:
        http = client()
        while len(server.seen) < len(steps):
            answer = http.send(read(server.url))
        assert (answer.status, answer.body) == (200, OK.body)
        assert http.traffic.counts().calls == len(steps)


@pytest.mark.parametrize("step", [page(503), Step(spoil="truncate"), Step(spoil="reset")], ids=["503", "truncated", "reset"])
def test_a_write_is_sent_once_unless_the_caller_calls_it_idempotent(step: Step) -> None:
    with scripted(step, OK) as server:
        with pytest.raises(Transient):
            client().send(Call("POST", server.url + "/x", body=b"{}"))
        assert len(server.seen) == 1


def test_an_idempotent_write_is_repeated() -> None:
    with scripted(page(503), OK) as server:
        assert client().send(Call("PUT", server.url + "/x", body=b"{}", harmless=True)).status == 200


def test_pauses_grow_with_jitter_and_end() -> None:
    pauses = Pauses()
    http = client(pauses, patience=Patience(attempts=5, first_s=1.0, longest_s=4.0))
    with scripted(page(503)) as server, pytest.raises(Transient, match=r"503 \(5 attempts\)"):
        http.send(read(server.url))
    assert [low <= pause <= high for pause, low, high in zip(pauses, (0.5, 1, 2, 2), (1, 2, 4, 4), strict=True)] == [True] * 4


def test_retry_after_in_seconds_is_honoured() -> None:
    pauses = Pauses()
    with scripted(page(429, Retry_After="7"), OK) as server:
        http = client(pauses)
        http.send(read(server.url))
    assert 7.0 <= pauses[0] <= 8.0
    assert (http.traffic.counts().waits, http.traffic.counts().waited_s) == (1, pauses[0])


def test_retry_after_as_a_date_is_read_against_the_servers_clock() -> None:
    pauses = Pauses()
    step = page(503, Retry_After="Wed, 01 Jan 2020 00:00:30 GMT", Date="Wed, 01 Jan 2020 00:00:10 GMT")
    with scripted(step, OK) as server:
        client(pauses).send(read(server.url))
    assert 20.0 <= pauses[0] <= 21.0


def test_a_wait_longer_than_our_patience_is_left_to_the_caller_with_its_length() -> None:
    with scripted(page(429, Retry_After="3600")) as server:
        with pytest.raises(Transient) as caught:
            client().send(read(server.url))
        assert caught.value.retry_after_s == 3600.0
        assert len(server.seen) == 1


def test_a_page_for_people_at_first_contact_means_a_wrong_url() -> None:
    with scripted(page(200, "<html>Log in</html>")) as server, pytest.raises(ConfigError, match="does not answer like the CRM"):
        client().send(read(server.url))


def test_a_refusal_with_a_page_for_people_names_the_status() -> None:
    with scripted(page(404, "<html>nothing here</html>")) as server, pytest.raises(ConfigError, match="404"):
        client().send(read(server.url))


def test_a_refusal_in_json_is_left_to_the_dialect() -> None:
    with scripted(Step(403, b'{"error":"not_authorized"}')) as server:
        assert client().send(read(server.url)).status == 403


def test_a_certificate_that_does_not_verify_names_the_host_and_the_remedy_and_is_not_repeated(tmp_path: Path) -> None:
    with scripted(OK, certificate=self_signed(tmp_path)) as server:
        http = client()
        with pytest.raises(ConfigError, match=r"certificate of 127\.0\.0\.1:\d+ does not verify: self-signed") as caught:
            http.send(read(server.url))
        assert "ca_file" in caught.value.todo
        assert http.traffic.counts().calls == 1


def test_a_private_authority_is_trusted_through_ca_file(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with scripted(OK, certificate=certificate) as server:
        assert client(ca_file=str(certificate)).send(read(server.url)).status == 200


def test_a_ca_file_that_is_missing_or_holds_no_certificate_is_refused_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for path in (tmp_path / "missing.pem", empty):
        with pytest.raises(ConfigError, match="ca_file"):
            client(ca_file=str(path))


def test_tls_to_a_plain_http_port_is_a_wrong_url() -> None:
    with scripted(OK) as server, pytest.raises(ConfigError, match="does not speak TLS"):
        client().send(read(server.url.replace("http:", "https:")))


def test_a_server_that_hangs_up_on_tls_at_first_contact_is_a_wrong_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_hang_up, args=(server,), daemon=True).start()
        with pytest.raises(ConfigError, match="does not speak TLS") as caught:
            client().send(read(f"https://127.0.0.1:{server.getsockname()[1]}"))
    assert "https" in caught.value.todo


def _hang_up(server: socket.socket) -> None:
    """Reads what comes, as a server for plain http would, and closes in good order."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        connection.shutdown(socket.SHUT_WR)


def test_a_refused_connection_is_repeated_even_for_a_write_and_then_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    pauses = Pauses()
    with pytest.raises(Transient, match=r"does not take connections \(3 attempts\)"):
        client(pauses, patience=Patience(attempts=3)).send(Call("POST", url + "/x", body=b"{}"))
    assert len(pauses) == 2


def test_an_unknown_host_name_is_told() -> None:
    with pytest.raises(Transient, match="not known by name"):
        client(patience=Patience(attempts=1)).send(read("http://crm.invalid"))


def test_a_silent_server_is_given_up_after_the_read_limit() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(Transient, match=r"did not answer within 0\.05 s"):
            client(read_s=0.05, patience=Patience(attempts=1)).send(read(url))


def _moved(status: int, target: str) -> Step:
    return Step(status, b"", (("Location", target),))


def test_a_read_follows_a_redirect_on_its_own_server() -> None:
    with scripted(_moved(302, "/other"), OK) as server:
        assert client().send(read(server.url)).status == 200
        assert [path for _, path in server.seen] == ["/rest/v11_24/Contacts", "/other"]


@pytest.mark.parametrize("target", ["https://127.0.0.1/x", "http://elsewhere.invalid/x"])
def test_a_redirect_to_another_host_or_scheme_is_told_and_not_followed(target: str) -> None:
    """CONN-2: the token must not travel to a server that nobody configured."""
    with scripted(_moved(301, target)) as server, pytest.raises(ConfigError, match="sends us on to"):
        client().send(read(server.url))


def test_a_write_never_follows_a_redirect() -> None:
    with scripted(_moved(301, "/other"), OK) as server:
        with pytest.raises(ConfigError):
            client().send(Call("POST", server.url + "/x", body=b"{}"))
        assert len(server.seen) == 1


def test_redirects_in_a_circle_end() -> None:
    with scripted(_moved(302, "/a"), _moved(302, "/b"), _moved(302, "/a"), _moved(302, "/b")) as server, pytest.raises(ConfigError):
        client().send(read(server.url))


def test_no_error_and_no_log_line_holds_a_token_a_query_value_or_a_body(caplog: pytest.LogCaptureFixture) -> None:
    """CONN-4: nothing secret in an exception, its causes, or the log at its most talkative."""
    caplog.set_level("DEBUG")
    found: list[BaseException | None] = []
    for step in (page(503), Step(spoil="reset"), page(404), _moved(301, "https://elsewhere.invalid/?q=s3cret")):
        with scripted(step) as server:
            call = Call("GET", server.url + "/x?w=s3cret", {"OAuth-Token": "s3cret"}, {"q": "s3cret"}, b"s3cret", harmless=True)
            with pytest.raises(MarketsyncError) as caught:
                client(patience=Patience(attempts=2)).send(call)
            found += [caught.value, caught.value.__cause__, caught.value.__context__]
            assert "s3cret" not in repr(call)
    assert "s3cret" not in " ".join(f"{one!s} {one!r}" for one in found) + caplog.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no such user jane.doe@example.org here", "no such user (address) here"),
        ("access_token=abc-123&x=1", "access_token=(hidden)&x=1"),
        ('{"password": "hunter2"}', '{"password": "(hidden)"}'),
        ("two\nlines", "two lines"),
    ],
)
def test_foreign_text_is_scrubbed_before_it_is_shown(text: str, kept: str) -> None:
    """CONN-4."""
    assert scrub(text) == kept


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CredentialError),
        (403, AccessDenied),
        (429, Transient),
        (503, Transient),
        (520, Transient),
        (400, ContractBroken),
        (501, ContractBroken),
    ],
)
def test_one_table_says_what_a_status_means(status: int, error: type[MarketsyncError]) -> None:
    assert error_type(status) is error


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.org",
        "crm.example.org",
        "ftp://crm.example.org",
        "https://me:pw@crm.example.org",
        "https://crm.example.org:port",
        "https://h.example.org/?t=1",
    ],
)
def test_plain_http_and_urls_with_credentials_are_refused(url: str) -> None:
    """CONN-2, CONN-4."""
    with pytest.raises(ConfigError) as caught:
        checked_url(url)
    assert "pw" not in str(caught.value)


def test_plain_http_is_allowed_to_loopback_or_by_name() -> None:
    """CONN-2."""
    assert checked_url("http://127.0.0.1:8080/") == "http://127.0.0.1:8080"
    assert checked_url("http://crm.example.org", allow_plain_http=True) == "http://crm.example.org"
    assert checked_url("https://crm.example.org/") == "https://crm.example.org"


def test_connections_are_kept_and_gzip_is_asked_for() -> None:
    with scripted(Step(packed=True, body=b'{"a": "' + b"x" * 5000 + b'"}')) as server:
        http = client()
        answers = [http.send(read(server.url)) for _ in range(5)]
        assert server.connections == 1
        assert server.heads[0]["Accept-Encoding"] == "gzip"
        assert all(answer.received_bytes < len(answer.body) for answer in answers)
        assert http.traffic.counts().received_bytes == sum(answer.received_bytes for answer in answers)


def test_gzip_without_its_end_is_damaged_and_several_members_are_one_body() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert unpacked(packed + packed, "gzip") == b"x" * 2000
    with pytest.raises(zlib.error):
        unpacked(packed[:-4], "gzip")


def test_cookies_are_not_sent_back() -> None:
    with scripted(Step(headers=(("Content-Type", "application/json"), ("Set-Cookie", "server=7")))) as server:
        http = client()
        http.send(read(server.url))
        http.send(read(server.url))
        assert "Cookie" not in server.heads[1]


def test_lanes_halve_once_per_push_back_and_open_again_slowly() -> None:
    lanes = Lanes(8)
    rounds = []
    for _ in range(3):
        with lanes.lane() as entered:
            rounds.append(entered)
    for entered in rounds:
        lanes.pushed_back(entered)
    assert lanes.limit == 4
    for _ in range(10):
        lanes.went_well()
    assert lanes.limit == 4
    for _ in range(200):
        lanes.went_well()
    assert lanes.limit == 8


def test_no_more_requests_are_in_flight_than_lanes_are_open() -> None:
    lanes, lock, peak, now = Lanes(2), threading.Lock(), [0], [0]

    def work() -> None:
        with lanes.lane():
            with lock:
                now[0] += 1
                peak[0] = max(peak[0], now[0])
            time.sleep(0.005)
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak[0] == 2


def test_a_busy_server_closes_lanes() -> None:
    with scripted(page(429), OK) as server:
        http = client(connections=4)
        http.send(read(server.url))
        assert http.lanes.limit == 2
