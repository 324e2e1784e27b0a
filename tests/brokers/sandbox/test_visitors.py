"""Admission: every route against every origin, and against everything that is no request."""

import asyncio
import http.client
import json
import socket
import stat

import aiohttp
import pytest

from brokers.sandbox import server
from brokers.sandbox.api import access_checks, admin_key
from brokers.sandbox.api.admin_routes import is_admin
from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.server import Sandbox

PART = {
    "variety": "regular",
    "order_id": "1",
    "exchange": "NSE",
    "side": "buy",
    "token": "408065",
    "interval": "minute",
    "segment": "equity",
}
"""What stands where a route catches something."""


@pytest.fixture(scope="module")
def place():
    """A sandbox whose failures are kept, with its port and every route it has."""
    made = Sandbox(SandboxConfig(speed=None, limits="off", symbols=("INFY",)))
    made.failures = []
    made.on_failure = lambda *failure: made.failures.append(failure)
    made.start()
    made.port = int(made.endpoint.rest.rsplit(":", 1)[1])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def routes(make_module_client):
    table = make_module_client().api._routes._routes
    found = [
        (
            entry.method,
            "/"
            + "/".join(
                PART.get(part[1:-1], "1") if part[:1] == "{" else part for part in entry.pattern
            ),
        )
        for entries in table.values()
        for entry in entries
    ]
    assert len(found) > 60
    assert ("POST", "/sandbox/hold") in found
    return [*found, ("GET", "/"), ("GET", "/sandbox/pace"), ("GET", "/nowhere")]


def opens(place, path):
    end = place.endpoint
    return {
        "Authorization": f"Bearer {end.admin}"
        if is_admin(path)
        else f"token {end.api_key}:{end.access_token}"
    }


def ours(place):
    """Return what the sandbox's own books and clock say.

    It is there, and nobody's clock is held.
    """
    assert place.failures == []
    return admin_key.call_admin(place.endpoint.rest, "GET", "/sandbox/books"), admin_key.call_admin(
        place.endpoint.rest, "GET", "/sandbox/clock"
    )


FOREIGN = {
    "another site": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:{other}"},
    "another scheme": {"Origin": "https://127.0.0.1:{port}"},
    "another name of this machine": {"Origin": "http://localhost:{port}"},
    "a frame without origin": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "our name in theirs": {"Origin": "http://127.0.0.1:{port}.evil.example"},
    "an extension": {"Origin": "chrome-extension://abcdefghijklmnop"},
    "an image of another site": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "image",
    },
    "a frame of another port": {
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    },
    "a rebound name": {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
    "a rebound name without origin": {"Host": "evil.example:{port}"},
    "our address without its port": {"Host": "127.0.0.1"},
    "another port of ours": {"Host": "127.0.0.1:{other}"},
    "another address of ours": {"Host": "127.0.0.2:{port}"},
    "a name that begins as ours": {"Host": "127.0.0.1.evil.example:{port}"},
    "a name with a user": {"Host": "127.0.0.1:{port}@evil.example"},
    "no host": {"Host": ""},
    "every address": {"Host": "0.0.0.0:{port}"},
}


def test_no_page_of_another_origin_reaches_any_route_even_with_the_secrets(
    place, routes, monkeypatch
):
    reached = []
    respond = SandboxApi.respond
    monkeypatch.setattr(
        SandboxApi,
        "respond",
        lambda api, request: reached.append(request.text) or respond(api, request),
    )
    line = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    tried = 0
    for method, path in routes:
        for name, told in FOREIGN.items():
            headers = {
                header: text.format(port=place.port, other=place.port ^ 1)
                for header, text in told.items()
            }
            for upgrade in (
                ({}, {"Upgrade": "websocket", "Connection": "Upgrade"})
                if method == "GET"
                else ({},)
            ):
                line.request(method, path, headers=headers | upgrade | opens(place, path))
                answer = line.getresponse()
                text = answer.read()
                assert answer.status == 403, (name, method, path, text)
                assert b"access_token" not in text
                assert not {"Access-Control-Allow-Origin", "Location", "Set-Cookie"} & {
                    *answer.headers
                }
                tried += 1
        line.request(
            "OPTIONS",
            path,
            headers={"Origin": "https://evil.example", "Access-Control-Request-Method": method},
        )
        answer = line.getresponse()
        answer.read()
        assert answer.status == 403, "a browser asks first, and is told no"
    assert tried > 1_500
    assert reached == []
    ours(place)


def test_a_window_may_be_led_to_the_login_page_and_nothing_else_of_a_page(place):
    led = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    line = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    statuses = []
    for method, path in (
        ("GET", f"/connect/login?v=3&api_key={place.endpoint.api_key}&redirect_params=a%0d%0ab"),
        ("GET", "/connect/finish"),
        ("GET", "/instruments"),
        ("GET", "/sandbox/clock"),
        ("POST", "/connect/login"),
    ):
        line.request(method, path, headers=led)
        answer = line.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses == [302, 200, 403, 403, 403]


@pytest.mark.parametrize(
    ("served", "host", "let_in"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.0.0.1", "LocalHost:8080", True),
        ("::1", "[::1]:8080", True),
        ("127.0.0.1", "192.168.1.5:8080", False),
        ("0.0.0.0", "192.168.1.5:8080", True),
        ("0.0.0.0", "[fe80::1]:8080", True),
        ("0.0.0.0", "evil.example:8080", False),
        ("desk.lan", "desk.lan:8080", True),
        ("0.0.0.0", "1.2.3.4.evil.example:8080", False),
    ],
)
def test_beyond_this_machine_any_address_counts_but_no_name(served, host, let_in):
    class Headers:
        def getall(self, name, default):
            return [host] if name == "Host" else default

    def check():
        access_checks.check_visitor("GET", "/orders", Headers(), 8080, served)

    if let_in:
        check()
    else:
        with pytest.raises(SandboxApiError, match="own address"):
            check()


BODIES = {
    "nothing": (None, b""),
    "a form": ("application/x-www-form-urlencoded", b"a=1&quantity=9&v=2"),
    "no utf-8": ("application/x-www-form-urlencoded", b"a=\xff\xfe"),
    "bogus charset": ("application/x-www-form-urlencoded; charset=bogus", b"a=\xff"),
    "half a pair": ("application/json", b'{"name": "\\ud800", "orders": "\\udfff"}'),
    "nested": ("application/json", b"[" * 100_000),
    "nested objects": ("application/json", b'{"a":' * 50_000),
    "a number without end": ("application/json", b"[" + b"9" * 10_000 + b"]"),
    "no number": ("application/json", b"[NaN, Infinity, -Infinity, 1e999]"),
    "wrong kinds": ("application/json", b'[1, null, {"exchange": [], "quantity": {}}, "x"]'),
    "no boundary": ("multipart/form-data", b"a=1"),
    "broken parts": ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
    "no type": ("\xff\xfe", b"\x00" * 100),
    "too large": ("application/json", b" " * 1_100_000),
}


@pytest.mark.parametrize("known", [False, True])
def test_no_body_on_any_route_is_more_than_its_senders_trouble(place, routes, known, caplog):
    before = ours(place)
    line = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    seen = set()
    for method, path in routes:
        for name, (kind, body) in BODIES.items():
            if name == "too large" and path not in {
                "/orders/regular",
                "/sandbox/hold",
                "/connect/login",
            }:
                continue
            headers = (opens(place, path) if known else {}) | (
                {"Content-Type": kind} if kind else {}
            )
            if known and (method, path) in {
                ("DELETE", "/session/token"),
                ("POST", "/sandbox/hold"),
            }:
                continue
            line.request(method, path, body, headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status < 500, (method, path, name)
            seen.add(answer.status)
    assert {400, 403, 404} <= seen
    books, clock = ours(place)
    assert clock["now"] >= before[1]["now"]
    if not known:
        assert (books, clock) == before
    assert caplog.text == ""


HALVES = {
    "nothing": b"",
    "half a line": b"GET /orders HT",
    "no protocol": b"GET /orders\r\n\r\n",
    "no method": b"\r\n\r\n\x00\xff\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "half the headers": b"GET /orders HTTP/1.1\r\nHost: 127.0.0.1",
    "half a body": (
        b"POST /orders/regular HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\na=1"
    ),
    "half a chunk": (
        b"POST /orders/regular HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ff\r\na"
    ),
    "two lengths": (
        b"POST /sandbox/hold HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\nab"
    ),
    "length and chunks": (
        b"POST /sandbox/hold HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "no length": b"POST /sandbox/hold HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    "two hosts": b"POST /sandbox/hold HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
    "no host": b"POST /sandbox/hold HTTP/1.0\r\n\r\n",
    "a whole address": b"GET http://evil.example/sandbox/clock HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a path in disguise": (
        b"POST //sandbox//hold HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
    ),
    "a path in percents": (
        b"POST /%73andbox%2fhold HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
    ),
    "a path with dots": (
        b"POST /orders/../sandbox/hold HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
    ),
    "broken percents": b"GET /orders/%ff%fe%zz?i=%ff&%=%00 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a byte in a header": (
        b"GET /sandbox/clock HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"
    ),
    "a byte in the token": (
        b"GET /orders HTTP/1.1\r\nHost: {host}\r\nAuthorization: token \xff:\xfe\r\n\r\n"
    ),
    "a byte in the host": b"GET /orders HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    "a flood of headers": b"GET /orders HTTP/1.1\r\nHost: {host}\r\n"
    + b"".join(b"X-%d: y\r\n" % n for n in range(5_000))
    + b"\r\n",
    "a header without end": b"GET /orders HTTP/1.1\r\nHost: {host}\r\nX: "
    + b"y" * 300_000
    + b"\r\n\r\n",
    "a line without end": b"GET /" + b"y" * 300_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a socket without key": (
        b"GET /?api_key={key}&access_token={token} HTTP/1.1\r\nHost: {host}\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    ),
    "a body and a socket": (
        b"POST / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    ),
}


def test_nothing_that_is_no_request_is_more_than_its_senders_trouble(place, monkeypatch):
    monkeypatch.setattr(server, "BODY_SECONDS", 0.2)
    before = ours(place)
    end = place.endpoint
    words = {
        b"{host}": f"127.0.0.1:{place.port}".encode(),
        b"{key}": end.api_key.encode(),
        b"{token}": end.access_token.encode(),
    }
    for name, text in HALVES.items():
        sent = text
        for word, meant in words.items():
            sent = sent.replace(word, meant)
        with socket.create_connection(("127.0.0.1", place.port), timeout=60) as line:
            answer = b""
            try:
                line.sendall(sent)
                if name not in {"nothing", "half a line", "half the headers", "another protocol"}:
                    answer = line.recv(65_536)
            except ConnectionError:
                pass  # it was too much, and the line is closed
        status = int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0
        assert status == 0 or 400 <= status < 500, (name, answer)
        assert ours(place) == before, name


def test_frames_that_are_no_messages_end_at_most_their_own_socket(place):
    async def talk(url, headers, send):
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers=headers) as line,
        ):
            await send(line)
            await line.close()

    async def text(line):
        for words in (
            "",
            "\x00",
            "[" * 100_000,
            '{"until": 1e999}',
            '{"a": "\\ud800", "v": 1}',
            "[1]",
            "9" * 5_000,
        ):
            await line.send_str(words)

    async def raw(line):
        await line.send_bytes(b"\xff" * 100_000)
        line._writer.transport.write(b"\x81\x02\xff\xfe")

    end = place.endpoint
    feed = f"{end.ws}/?api_key={end.api_key}&access_token={end.access_token}"
    for url, headers in ((feed, {}), (end.ws + "/sandbox/pace", opens(place, "/sandbox/pace"))):
        for send in (text, raw):
            asyncio.run(talk(url, headers, send))
    ours(place)


@pytest.mark.parametrize(("most", "files"), [(8, 1024), (100, 16)])
def test_silent_visitors_make_room_and_those_who_said_who_they_are_stay(
    most, files, start, monkeypatch
):
    monkeypatch.setattr(server, "MOST_VISITORS", most)
    monkeypatch.setattr(server, "_open_file_limit", lambda: files)
    _, end = start(symbols=("INFY",), limits="off")
    host, port = end.rest.removeprefix("http://").split(":")
    line = http.client.HTTPConnection(host, int(port), timeout=60)
    header = {"Authorization": f"token {end.api_key}:{end.access_token}"}
    crowd = []
    for _ in range(40):
        line.request("GET", "/orders", headers=header)
        assert line.getresponse().read()
        crowd.append(socket.create_connection((host, int(port)), timeout=60))
    assert line.sock is not None, "it is still the first connection"
    assert crowd[0].recv(1) == b"", "the oldest was shown the door"
    for each in crowd:
        each.close()


def test_the_key_lies_where_only_its_user_can_read_it_and_goes_with_the_sandbox(
    start, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    sandbox, end = start(symbols=("INFY",))
    [file] = (tmp_path / "patang-keys").iterdir()
    assert file.read_text() == end.admin == admin_key.read_key(end.rest)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert admin_key.read_key("http://evil.example:1") == ""
    sandbox.stop()
    assert not file.exists()


def test_a_planted_link_is_no_place_for_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "patang-keys").mkdir()
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "patang-keys" / "sandbox-1.key").symlink_to(target)
    file = admin_key.write_key(1, "secret")
    assert target.read_text() == "precious"
    assert not file.is_symlink()
    assert admin_key.read_key("http://127.0.0.1:1") == "secret"


def test_no_two_runs_have_a_secret_in_common_and_a_salt_gives_the_same_again(make_client):
    def secrets(**config):
        session = make_client(**config).exchange.session
        return (
            session.api_key,
            session.api_secret,
            session.access_token,
            session.request_token(session.api_key),
        )

    first, second = secrets(salt=""), secrets(salt="")
    assert not {*first} & {*second}
    assert len({*first}) == 4
    assert secrets(salt="x") == secrets(salt="x") != secrets(salt="y")
    day, next_day = secrets(salt="x"), secrets(salt="x", date="2026-11-23")
    assert day[:2] == next_day[:2], "key and secret are the account's"
    assert not {*day[2:]} & {*next_day[2:]}, "tokens are the day's"


def test_a_state_keeps_key_and_secret_over_the_days_and_restarts_and_from_everybody_else(
    start, tmp_path
):
    file = tmp_path / "state.db"
    ends = []
    for date in ("2026-11-20", "2026-11-20", "2026-11-23"):
        sandbox, end = start(symbols=("INFY",), state=file, date=date)
        sandbox.stop()
        ends.append(end)
    assert len({(end.api_key, end.api_secret, end.user_id) for end in ends}) == 1
    assert ends[0].access_token == ends[1].access_token != ends[2].access_token
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in tmp_path.iterdir())
    _, other = start(symbols=("INFY",), state=tmp_path / "other.db")
    assert other.api_key != ends[0].api_key


def test_an_endpoint_does_not_show_its_secrets(place):
    shown = repr(place.endpoint)
    assert place.endpoint.rest in shown
    assert not any(
        secret in shown for secret in (place.endpoint.admin, place.endpoint.access_token)
    )
    assert json.dumps(place.endpoint.api_key) not in shown
