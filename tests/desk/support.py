"""Whole runs of the desk: by the command line in a process of its own, and their traces."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from brokers.sandbox.api import admin_key
from engine.errors import ConnectionFailed
from engine.operator_requests import StatusRequest
from engine.ops.control_socket import send_request, socket_path
from tui.commands.cli import run_command

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120
"""How long anything is waited for: a bound for failure, whatever else the machine does."""
REPLAY_DAY = "2024-06-04"
REPLAY_SYMBOLS = ("CANBK", "BEL")


def search_path():
    """Return the module search path of this run, absolute, the checkout last.

    It decides which build is tested.
    """
    parts = [
        str(Path(part).resolve())
        for part in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if part
    ]
    return os.pathsep.join(dict.fromkeys([*parts, str(ROOT)]))


class Patang:
    """The command line, with a state folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.started = []
        (home / "run").mkdir(mode=0o700)
        keys = admin_key.key_folder(os.environ)
        keys.mkdir(mode=0o700, exist_ok=True)
        # desks and exchanges of this process and of others find each other
        (home / "run" / "patang-keys").symlink_to(keys)
        self.environment = {
            **os.environ,
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "HOME": str(home),
            "PYTHONPATH": search_path(),
        }

    def command(self, *arguments):
        return [
            sys.executable,
            "-c",
            "from tui.commands.cli import main; main()",
            *map(str, arguments),
        ]

    def run(self, *arguments, timeout=250, environment=None):
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.home,
            check=False,
            env=self.environment | (environment or {}),
            stdin=subprocess.DEVNULL,
        )

    def call(self, *arguments, environment=None):
        """Run a command in this process, as its own process would."""
        told, narrated = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.home)
            for name, value in (self.environment | (environment or {})).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(sys, "stdout", told)
            patch.setattr(sys, "stderr", narrated)
            code = run_command([*map(str, arguments)])
        return subprocess.CompletedProcess(
            arguments, code, told.buffer.getvalue().decode(), narrated.getvalue()
        )

    def start(self, *arguments, **options):
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            text=True,
            **options,
        )
        self.started.append(process)
        return process

    @contextmanager
    def serving(self, speed, config="", options=(), **fields):
        """Serve an exchange in a process of its own.

        Yield its endpoint, with which a `config` is filled in.
        """
        process = self.start(
            "sandbox", "--seed", 11, "--speed", speed, "--json", *options, stdout=-1
        )
        endpoint = json.loads(process.stdout.readline())
        if config:
            (self.home / "config.toml").write_text(config.format(**fields, **endpoint))
        yield endpoint
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)

    @contextmanager
    def running(self, *states):
        """Run a desk without a screen.

        Yield its process once it runs, or is in one of some states, and stop it in the end.
        """
        process = self.start("run", "--no-ui", stdout=-3, stderr=-3)
        wait_for(
            lambda: (told := status(self)) and told["state"] in {"running", *states},
            "the desk runs",
        )
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)

    def end(self):
        """Leave nothing behind, whatever the test did not come to."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait(PATIENCE_S)

    def replay(self, folder, *arguments, **options):
        done = self.run(
            "replay",
            folder,
            "--date",
            REPLAY_DAY,
            "--symbols",
            ",".join(REPLAY_SYMBOLS),
            "--no-ui",
            "--speed",
            "max",
            "--json",
            *arguments,
            **options,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def state(self, mode="sandbox"):
        return self.home / "state" / "patang" / mode


def wait_for(condition, what):
    """Return what the condition becomes.

    Fail with `what` was waited for, a text or a function, where it stays false.
    """
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what() if callable(what) else what}")
        time.sleep(0.05)
    return found


def status(patang, mode="sandbox"):
    """Return how the desk stands, nothing while it does not answer."""
    try:
        return send_request(socket_path(patang.state(mode)), StatusRequest()).data
    except ConnectionFailed:
        return {}


def rows(database, query, *parameters):
    """Return the rows of a query on a desk's database as dictionaries."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, parameters)]


def get(url):
    """Return what one of a sandbox's own routes answers."""
    rest, own, path = url.partition("/sandbox/")
    return admin_key.call_admin(rest, "GET", own + path)
