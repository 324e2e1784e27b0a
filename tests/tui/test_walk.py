"""Every action by its own keys, at 80×24 in a real terminal, without a mouse."""

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest

from tui.key_actions import ACTIONS, SCOPES

ESCAPE, ENTER = "\x1b", "\r"
NAMED = {
    "escape": ESCAPE, "enter": ENTER, "tab": "\t", "shift+tab": "\x1b[Z", "slash": "/",
    "question_mark": "?", "colon": ":", "plus": "+", "minus": "-", "equals_sign": "=",
    "shift+left": "\x1b[1;2D", "shift+right": "\x1b[1;2C",
    "left_square_bracket": "[", "right_square_bracket": "]", "up": "\x1b[A", "down": "\x1b[B",
    "left": "\x1b[D", "right": "\x1b[C", "home": "\x1b[H", "end": "\x1b[F",
    "pagedown": "\x1b[6~", "pageup": "\x1b[5~", "f1": "\x1bOP", "f12": "\x1b[24~",
    "space": " ", "comma": ",", "full_stop": ".", "semicolon": ";",
    "left_curly_bracket": "{", "right_curly_bracket": "}",
    "less_than_sign": "<", "greater_than_sign": ">",
    "left_parenthesis": "(", "right_parenthesis": ")",
    "f3": "\x1bOR", "f5": "\x1b[15~", "f6": "\x1b[17~", "f7": "\x1b[18~", "f8": "\x1b[19~",
    "f9": "\x1b[20~", "f10": "\x1b[21~", "ctrl+up": "\x1b[1;5A", "ctrl+down": "\x1b[1;5B",
    "ctrl+right": "\x1b[1;5C", "ctrl+left": "\x1b[1;5D",
}  # fmt: skip
PLACES = {
    "anywhere": ("1", ""),
    "desk": ("1", ""),
    "layout": ("1", ""),
    "list": ("1", ""),
    "watch": ("1", "watch"),
    "positions": ("1", "positions"),
    "tree": ("1", "tree"),
    "orders": ("4", "blotter"),
    "blotter": ("4", "blotter"),
    "limits": ("6", "limits"),
    "differences": ("6", "differences"),
    "strategies": ("5", "strategies"),
    "parameters": ("5", "parameters"),
    "decisions": ("5", "decisions"),
    "probes": ("8", "jobs"),
    "log": ("8", "log"),
    "depth": ("3", ""),
    "chart": ("2", ""),
    "research": ("7", ""),
    "picture": ("7", "picture"),
    "replay": ("1", ""),
}
"""The screen, and the pane in it, in which a scope's keys are heard; "": the first pane."""
PATIENCE_S = 60.0


def keys_as_bytes(name):
    if name.startswith("ctrl+") and len(name) == 6:
        return chr(ord(name[-1]) & 0x1F)
    return NAMED.get(name, name)


class Walk:
    """A program in a terminal, and the log of what it did."""

    def __init__(self, log, *kind):
        self.log, self.seen = log, 0
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.screen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("walk.py")), str(log), *kind],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        )  # fmt: skip
        os.close(slave)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def _read_output(self):
        while select.select([self.master], [], [], 0.01)[0]:
            try:
                self.screen = (self.screen + os.read(self.master, 65_536))[-200_000:]
            except OSError:
                return

    def ran(self, run=""):
        """Wait until an action has been run since the last look, any without a name; return its
        line.
        """
        ends, lines = time.monotonic() + PATIENCE_S, []
        while time.monotonic() < ends:
            self._read_output()
            lines = self.log.read_text().splitlines() if self.log.exists() else []
            for number, line in enumerate(lines[self.seen :], self.seen + 1):
                if not run or line.split("\t")[0] == run:
                    self.seen = number
                    return line.split("\t")
            assert self.process.poll() is None, self.screen[-2_000:].decode(errors="replace")
        raise AssertionError(f"{run} was not run; last: {lines[-5:]}")

    def go(self, screen, pane):
        """Go to a screen by its number, and to a pane by tab; to the tree from a position."""
        if pane == "tree":
            self.go(screen, "positions")
            self.press("t")
            self.ran("app.tree")
            return
        self.press(screen)
        line = self.ran()
        for _ in range(12):
            if pane in {"", line[3]}:
                return
            self.press("\t")
            line = self.ran("screen.pane(1)")
        raise AssertionError(f"no way to {pane}")

    def leave(self):
        """Go back to the desk, whatever is open."""
        for _ in range(8):
            # What comes behind an escape in the same moment would be another key: each is waited
            # for.
            self.press(ESCAPE)
            if self.ran()[0] == "app.back":
                break
        self.press("1")
        self.ran("app.show('desk')")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def walk(tmp_path, request):
    scope = request.node.callspec.params.get("scope")
    made = Walk(tmp_path / "actions", *(["replay"] if scope == "replay" else []))
    yield made
    made.close()


def test_every_scope_can_be_reached():
    assert set(PLACES) == set(SCOPES)


@pytest.mark.parametrize("scope", SCOPES)
def test_every_action_is_run_by_each_of_its_keys(walk, scope):
    walk.ran("ready")
    last = {"kill", "quit"}
    for action in sorted((a for a in ACTIONS if a.scope == scope), key=lambda a: a.id in last):
        for key in action.keys.split(","):
            walk.go(*PLACES[scope])
            walk.press(keys_as_bytes(key))
            line = walk.ran(action.run)
            assert line[1] == "True", (action.id, key, line)
            walk.leave()


@pytest.mark.parametrize(
    ("keys", "run"),
    [
        ("4x", "app.cancel_order"),
        ("6I", "screen.ignore_all"),
        ("2t", "span(1)"),
        ("3]", "screen.symbol(1)"),
    ],
)
def test_what_is_typed_behind_a_screens_number_is_heard_there(walk, keys, run):
    walk.ran("ready")
    walk.press(keys)
    assert walk.ran(run)[1] == "True"
