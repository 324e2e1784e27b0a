"""A page of another origin in a real browser, at every route of the exchange in every way."""

import json
import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from brokers.sandbox.api import access_checks, admin_key
from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.server import Sandbox
from tests.brokers.sandbox.test_visitors import PART

pytestmark = pytest.mark.peers

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 280
PAGE = (Path(__file__).parent / "attack.html").read_text()
NAME = "evil.example"
"""Whose owner says what it stands for.

The browser is told 127.0.0.2, as it would be by a name server.
"""


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium here: make peers installs one"
    return found


@pytest.fixture
def place(monkeypatch):
    """A sandbox in this process that notes what gets through to it, and what is turned away."""
    made = Sandbox(SandboxConfig(symbols=("INFY",), limits="off", start="11:00"))
    made.failures, made.reached, made.refused = [], [], []
    made.on_failure = lambda *failure: made.failures.append(failure)
    respond, check = SandboxApi.respond, access_checks.check_visitor

    def answered(api, request):
        made.reached.append(request.text)
        return respond(api, request)

    def checked(method, path, *rest):
        try:
            check(method, path, *rest)
        except SandboxApiError:
            made.refused.append((method, path))
            raise

    monkeypatch.setattr(SandboxApi, "respond", answered)
    monkeypatch.setattr(access_checks, "check_visitor", checked)
    made.start()
    made.port = int(made.endpoint.rest.rsplit(":", 1)[1])
    yield made
    made.stop()


def routes():
    """Return every route with something in each of its gaps."""
    from brokers.sandbox.exchange import SandboxExchange

    table = SandboxApi(
        SandboxExchange(SandboxConfig(speed=None, symbols=("INFY",)))
    )._routes._routes
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
    return [*found, ("GET", "/"), ("GET", "/sandbox/pace")]


class Evil:
    """Serves the page and takes its report, at an address of its own.

    With `relay` everything else goes on to the exchange.
    """

    def __init__(self, address, sandbox=False, relay=None):
        self.report, self.done = None, threading.Event()
        self.page = ""
        evil = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self):
                super().setup()
                if relay is not None and self.request.recv(20, socket.MSG_PEEK).split(b" ")[1:2][
                    0:1
                ] not in (
                    [b"/attack"],
                    [b"/report"],
                ):
                    splice(self.request, relay)
                    self.rfile.close()
                    self.rfile = self.connection.makefile("rb")

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if sandbox:
                    self.send_header("Content-Security-Policy", "sandbox allow-scripts allow-forms")
                self.end_headers()
                self.wfile.write(evil.page.encode())

            def do_POST(self):
                evil.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                evil.done.set()

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(address, Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def splice(line, to):
    """Pass on what comes, both ways, until either side is done.

    The name now stands for the exchange.
    """
    with socket.create_connection(to) as other:

        def pump(source, sink):
            try:
                while data := source.recv(65_536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        back = threading.Thread(target=pump, args=(other, line), daemon=True)
        back.start()
        pump(line, other)
        back.join(PATIENCE_S)


def plan(place, evil, **more):
    end = place.endpoint
    base = more.pop("base", f"127.0.0.1:{place.port}")
    token = f"token {end.api_key}:{end.access_token}"
    told = {
        "rest": f"http://{base}",
        "ws": f"ws://{base}",
        "routes": routes(),
        "report": f"http://127.0.0.1:{evil.port}/report",
        "secrets": [end.api_key, end.access_token, end.api_secret, end.admin],
        "headers": [{}, {"Authorization": token}, {"Authorization": f"Bearer {end.admin}"}],
        "sockets": [
            "/",
            "/sandbox/pace",
            f"/?api_key={end.api_key}&access_token={end.access_token}",
        ],
        "lead": "",
        **more,
    }
    evil.page = PAGE.replace("__PLAN__", json.dumps(told))


@pytest.fixture
def visit(browser, tmp_path):
    """Open an address in a browser of its own, until the test is over."""
    with ExitStack() as stack:

        def go(url):
            command = [
                browser,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--no-proxy-server",
                "--disable-background-networking",
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--host-resolver-rules=MAP {NAME} 127.0.0.2",
                url,
            ]
            log = stack.enter_context((tmp_path / "browser.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )
            stack.callback(process.kill)

        yield go


def told(evil, tmp_path):
    assert evil.done.wait(PATIENCE_S), (
        f"no report: {(tmp_path / 'browser.log').read_text(errors='replace')[-2_000:]}"
    )
    return evil.report


@pytest.fixture
def evil_at():
    with ExitStack() as stack:

        def make(*arguments, **options):
            made = Evil(*arguments, **options)
            stack.callback(made.close)
            return made

        yield make


ORIGINS = ("another port", "another name", "another site", "nobody's", "a file", "a rebound name")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_another_origin_gets_nothing_and_changes_nothing(
    place, visit, evil_at, tmp_path, origin
):
    before = books(place)
    place.reached.clear()
    host = "127.0.0.2" if origin == "another site" else "127.0.0.1"
    evil = evil_at((host, 0), sandbox=origin == "nobody's")
    report = f"http://{host}:{evil.port}/report"
    urls = {
        "another name": f"http://localhost:{evil.port}/attack",
        "another site": f"http://{NAME}:{evil.port}/attack",
    }
    url = urls.get(origin, f"http://127.0.0.1:{evil.port}/attack")
    plan(place, evil, report=report)
    if origin == "a file":
        file = tmp_path / "attack.html"
        file.write_text(evil.page)
        url = file.as_uri()
    if origin == "a rebound name":
        rebound = evil_at(("127.0.0.2", place.port), relay=("127.0.0.1", place.port))
        plan(place, rebound, base=f"{NAME}:{place.port}", report=report)
        url = f"http://{NAME}:{place.port}/attack"
    visit(url)
    seen = told(evil, tmp_path)
    print(
        f"{origin}: {seen['tried']} tried, {len(place.refused)} refused, {len(place.reached)} "
        "reached"
    )
    assert seen["tried"] > 500
    assert (seen["read"], seen["opened"]) == ([], [])
    assert place.reached == []
    assert {path for _, path in place.refused} >= {path for _, path in routes()}, (
        "every route was tried"
    )
    assert place.failures == []
    after = books(place)
    assert (after["orders"], after["cash"], after["gtts"]) == (
        before["orders"],
        before["cash"],
        before["gtts"],
    )
    assert not admin_key.call_admin(place.endpoint.rest, "GET", "/sandbox/clock")["held"]


def books(place):
    return admin_key.call_admin(place.endpoint.rest, "GET", "/sandbox/books")


def test_the_page_would_get_in_where_nobody_looked(place, visit, evil_at, tmp_path, monkeypatch):
    monkeypatch.setattr(access_checks, "check_visitor", lambda *_: None)
    evil = evil_at(("127.0.0.1", 0))
    plan(place, evil)
    visit(f"http://localhost:{evil.port}/attack")
    seen = told(evil, tmp_path)
    assert {text.split()[0] for text in place.reached} >= {"GET", "POST"}
    assert len(seen["opened"]) > 0, "it reads prices and orders"


def test_a_programs_page_leads_the_window_to_the_login_and_back(place, visit, evil_at, tmp_path):
    evil = evil_at(("127.0.0.1", 0))
    end = place.endpoint
    plan(place, evil, lead=f"{end.rest}/connect/login?v=3&api_key={end.api_key}")
    visit(f"http://localhost:{evil.port}/attack")
    waited = threading.Event()
    for _ in range(PATIENCE_S * 5):
        if "GET /connect/finish" in place.reached or waited.wait(0.2):
            break
    # the browser asks for that one by itself, sooner or later
    asked = [each for each in place.reached if each != "GET /favicon.ico"]
    assert asked == ["GET /connect/login", "GET /connect/finish"]
