"""The kill switch from every side.

After the latch no entry leaves, working entries are cancelled, protection stays.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import termios
import threading
import time

import pytest

from strategies import load_config
from tests.desk.support import PATIENCE_S, rows, status, wait_for
from tui.run.session import DeskSession, RunPlan
from tui.run.wiring import open_desk

# wants to enter all the time, so that an entry that could leave would
EAGER = """
[strategy.momentum_ladder]
momentum_percent = 0.01
cooldown_s = 0
scan_s = 5
[feed]
stale_after_s = 600
[risk]
max_positions_per_symbol = 100
max_exposure = 10000000
{risk}
"""
WIDTH, HEIGHT = 120, 40


def eager(patang, risk="", more=""):
    (patang.home / "config.toml").write_text(EAGER.format(risk=risk) + more)


def database(patang, mode="sandbox"):
    return max(patang.state(mode).glob("run-*.db"), key=lambda path: path.stat().st_mtime)


def bought(patang):
    return status(patang).get("positions", 0) >= 2


def goes_on(patang):
    """See that the desk answers without a screen, is not stopped, and that its clock moves."""
    before = wait_for(lambda: status(patang), "the desk answers without a screen")
    assert (before["state"], before["kill_reason"]) == ("running", "")
    wait_for(lambda: status(patang).get("now", 0) > before["now"], "its clock goes on")


def held_back(file):
    """Return entries asked for after the latch, working entries, and the count of KILLED."""
    query = "SELECT ts FROM events WHERE name = 'killed' ORDER BY seq LIMIT 1"
    [killed] = wait_for(
        lambda: [row["ts"] for row in rows(file, query)], "the kill is in the journal"
    )
    late = rows(
        file,
        "SELECT * FROM intents WHERE purpose = 'ENTRY' AND kind = 'order' AND created > ?",
        killed,
    )
    working = rows(
        file,
        "SELECT * FROM intents WHERE purpose = 'ENTRY' AND status IN ('INTENT', 'SENT', 'OPEN', "
        "'UNKNOWN')",
    )
    refused = rows(
        file,
        "SELECT * FROM decisions WHERE verdict = 'KILLED' AND ts > ?",
        killed,
    )
    return late, working, len(refused)


def check_held_back(patang):
    wait_for(
        lambda: held_back(database(patang))[2], "a strategy asks after the latch and is refused"
    )
    wait_for(lambda: held_back(database(patang))[1] == [], "working entries are cancelled")
    assert held_back(database(patang))[0] == []


class Screen:
    """The program under a pseudo-terminal; its output is read away unless stalled."""

    def __init__(self, patang, *arguments) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(patang.home)
            os.environ.update(patang.environment, TERM="xterm-256color")
            command = patang.command(*arguments)
            os.execv(command[0], command)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.reading = threading.Event()
        self.reading.set()
        self.hung_up = threading.Event()
        self.seen = bytearray()
        self.code = None
        """What the program has left with."""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.hung_up.is_set():
            if not self.reading.wait(0.1) or not select.select([self.terminal], [], [], 0.1)[0]:
                continue
            try:
                self.seen += os.read(self.terminal, 65_536)
            except OSError:  # the program has left
                break
            del self.seen[:-200_000]
        os.close(self.terminal)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def hang_up(self):
        self.hung_up.set()
        self.thread.join()

    def left(self):
        """Tell whether the program has ended, and all that it wrote has been read."""
        if self.code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if ended else None
        return self.code is not None and not self.thread.is_alive()

    def close(self):
        self.reading.set()
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"the program did not leave within {PATIENCE_S} s of SIGTERM")


@pytest.fixture
def screen(patang):
    eager(patang, more="[sandbox]\nspeed = 20\n")
    opened = Screen(patang, "run")
    yield opened
    opened.close()


def test_the_key_kills_while_a_text_field_has_the_focus(patang, screen):
    wait_for(lambda: bought(patang), "the desk trades")
    screen.type("/")
    time.sleep(0.5)
    screen.type("IN")
    time.sleep(0.5)
    screen.type("\x0b")
    wait_for(lambda: status(patang).get("kill") == "halt", "ctrl+k halts")
    check_held_back(patang)


def test_the_key_kills_over_an_open_dialog(patang, screen):
    wait_for(lambda: bought(patang), "the desk trades")
    screen.type("\x11")
    wait_for(lambda: b"Quit with open positions" in screen.seen, "the quit guard asks")
    screen.type("\x1b[24~")
    wait_for(lambda: status(patang).get("kill") == "halt", "f12 halts")
    check_held_back(patang)


def test_another_terminal_kills_while_the_screen_is_stalled(patang, screen):
    wait_for(lambda: bought(patang), "the desk trades")
    screen.reading.clear()
    time.sleep(4.0)
    done = patang.run("kill", "--reason", "stalled", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["kill"]) == ("running", "halt"), (
        "the door answers, the file was not needed"
    )
    asked = patang.run("status", "--json")
    assert json.loads(asked.stdout)["kill_reason"] == "stalled", asked.stderr
    check_held_back(patang)


def test_a_lost_terminal_leaves_the_engine_at_work(patang, screen):
    wait_for(lambda: bought(patang), "the desk trades")
    screen.hang_up()
    time.sleep(3.0)
    goes_on(patang)


def test_a_terminal_that_stalls_before_it_is_lost_leaves_a_desk_that_can_be_stopped(patang, screen):
    wait_for(lambda: bought(patang), "the desk trades")
    screen.reading.clear()
    time.sleep(4.0)
    screen.hang_up()
    goes_on(patang)


def test_a_headless_desk_outlives_its_terminal(patang):
    eager(patang, more="[sandbox]\nspeed = 20\n")
    opened = Screen(patang, "run", "--no-ui")
    try:
        wait_for(lambda: bought(patang), "the desk trades")
        opened.hang_up()
        goes_on(patang)
    finally:
        opened.close()


def test_a_screen_that_was_stopped_and_continued_is_drawn_again(patang, screen):
    wait_for(lambda: bought(patang), "the desk trades")
    os.kill(screen.pid, signal.SIGSTOP)
    time.sleep(1.0)
    screen.seen.clear()
    os.kill(screen.pid, signal.SIGCONT)
    wait_for(
        lambda: b"POSITIONS" in screen.seen.partition(b"\x1b[?1049h")[2],
        "the whole screen comes again",
    )
    screen.type("\x0b")
    wait_for(lambda: status(patang).get("kill") == "halt", "ctrl+k halts")


@pytest.mark.parametrize(("policy", "level"), [("kill", "halt"), ("flatten", "flatten")])
def test_a_lost_terminal_stops_the_desk_where_that_is_the_policy(patang, policy, level):
    eager(patang, more=f'[desk]\non_terminal_loss = "{policy}"\n[sandbox]\nspeed = 20\n')
    opened = Screen(patang, "run")
    try:
        wait_for(lambda: bought(patang), "the desk trades")
        opened.hang_up()
        wait_for(lambda: status(patang).get("kill") == level, policy)
        assert status(patang)["kill_reason"] == "terminal lost"
        if policy == "flatten":
            wait_for(lambda: status(patang).get("positions") == 0, "flat")
        else:
            check_held_back(patang)
            assert status(patang)["positions"] > 0
            wait_for(lambda: status(patang).get("naked") == 0, "nothing is naked")
    finally:
        opened.close()


def test_sigusr1_and_the_flag_file_halt_a_headless_desk(patang):
    eager(patang, more="[sandbox]\nspeed = 20\n")
    for act in (
        lambda desk: desk.send_signal(signal.SIGUSR1),
        lambda desk: (patang.state() / "KILL").touch(),
    ):
        desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
        wait_for(lambda: bought(patang), "the desk trades")
        act(desk)
        wait_for(lambda: status(patang).get("kill") == "halt", "halted")
        check_held_back(patang)
        desk.send_signal(signal.SIGTERM)
        assert desk.wait(PATIENCE_S) == 4
        assert (patang.state() / "KILL").exists()  # and the next market begins without it


def test_flatten_squares_off_and_takes_the_protection_away(patang):
    eager(patang, more="[sandbox]\nspeed = 20\n")
    desk = patang.start("run", "--no-ui", stdout=-3, stderr=-3)
    wait_for(lambda: status(patang).get("positions", 0) >= 2, "the desk holds something")
    assert patang.run("kill", "--flatten", "--reason", "out").returncode == 0
    wait_for(lambda: status(patang).get("positions") == 0, "flat")
    desk.send_signal(signal.SIGTERM)
    assert desk.wait(PATIENCE_S) == 4
    file = database(patang)
    assert (
        rows(file, "SELECT * FROM gtts WHERE status IN ('ACTIVE', 'SENT', 'INTENT', 'UNKNOWN')")
        == []
    )
    net = (
        "SELECT SUM(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END) AS net FROM fills "
        "GROUP BY symbol"
    )
    assert {row["net"] for row in rows(file, net)} == {0}


def test_the_daily_loss_limit_halts_and_the_halt_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(EAGER.format(risk="max_daily_loss = 20\n"))
    made = DeskSession(load_config(tmp_path / "config.toml").values, RunPlan(seed=3, speed=0.0))
    desk = open_desk(made)
    try:
        wait_for(lambda: made.kill.latched, "twenty rupees are lost")
        limit = made.kill.latch
        time.sleep(1.0)
    finally:
        made.close()
    assert (limit.reason, limit.who) == ("daily loss limit", "limit")
    assert json.loads((made.state / "KILL").read_text())["reason"] == "daily loss limit"
    late, working, _ = held_back(made.database)
    assert (late, working) == ([], [])
    assert desk.kernel.view.naked() == 0
