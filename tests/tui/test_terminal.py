"""The driver at a terminal that is slow, stalls and sends rubbish.

Nobody waits for it, nothing it sends ends anything.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from tui.app.terminal import PASTE_S, KeyReader, LineWriter, TerminalOutput

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
QUESTION = re.compile(rb"\x1b\[(\d+);(\d+)H\x1b\[6n")
BROKEN = [
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xfe\xff",
    b"\x1b[",
    b"\x1b[\xff",
    b"\x1b]",
    b"\x1bP",
    b"\x1b[<0;99999;99999M",
    b"\x1b[<0;-5;-5m",
    b"\x1b[M\xff\xff\xff",
    b"\x1b[<65;1;1M",
    b"\x1b[48;99999;99999;1;1t",
    b"\x1b[48;0;0;0;0t",
    b"\x1b[9999999999;9999999999R",
    b"\x1b[1114112;1u",
    b"\x1b[55296;1u",
    b"\x1b[99999999999999999999;2u",
    b"\x1b[?2026;9$y",
    b"\x1b[?2048;9$y",
    b"\x1b[" + b"1;" * 200 + b"m",
    b"\x1b" * 50,
    b"\x1b[O",
    b"\x1b[I",
    b"\x1b[27;5;9999999~",
    b"\x00" * 10,
]
"""Halves of characters, sequences that are cut, absurd, or claim what is not so."""


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def keys_of(messages):
    return [message.key for message in messages if hasattr(message, "key")]


def test_every_byte_and_every_pair_of_bytes_leaves_the_keys_at_work():
    clock = Clock()
    reader = KeyReader(clock)
    for first in range(256):
        for second in (0x1B, 0x5B, 0x80, 0xC3, 0xFF, 0x41):
            reader.feed(bytes((first, second)))
    clock.now += PASTE_S + 1
    reader.tick()
    reader.feed(b"\x1b[201~\x1b")  # whatever was open, is closed
    assert keys_of(reader.feed(b"\x0b"))[-1] == "ctrl+k"


@pytest.mark.parametrize("rubbish", BROKEN)
def test_after_a_broken_sequence_the_kill_key_is_the_kill_key(rubbish):
    reader = KeyReader(Clock())
    reader.feed(rubbish)
    assert keys_of(reader.feed(b"q\x0b"))[-1] == "ctrl+k"


def test_an_invalid_byte_is_dropped_and_its_neighbours_are_not():
    assert keys_of(KeyReader().feed(b"a\xffb")) == ["a", "b"]


def test_a_character_that_comes_in_two_halves_is_one_key():
    reader = KeyReader()
    assert keys_of(reader.feed(b"\xc3")) == []
    [message] = reader.feed(b"\xa9")
    assert message.character == "é"


def test_a_size_among_the_keys_is_not_believed():
    assert KeyReader().feed(b"\x1b[48;9999;9999;1;1t") == []


@pytest.mark.parametrize("key", [b"\x0b", b"\x1b[24~"])
def test_the_kill_key_is_heard_in_a_paste_that_was_left_open(key):
    reader = KeyReader(Clock())
    reader.feed(b"\x1b[200~12")
    assert keys_of(reader.feed(key))[-1] in {"ctrl+k", "f12"}


def test_a_paste_that_was_left_open_is_over_after_a_silence_and_a_whole_one_is_text():
    clock = Clock()
    reader = KeyReader(clock)
    [paste] = reader.feed(b"\x1b[200~12 \x0b 3\x1b[201~") + reader.feed(b"")
    assert "12" in paste.text
    reader.feed(b"\x1b[200~12")
    assert keys_of(reader.feed(b"x")) == []
    clock.now += PASTE_S + 0.1
    reader.tick()
    assert keys_of(reader.feed(b"x")) == ["x"]


def test_a_writer_at_a_pipe_that_is_full_holds_nobody_up_and_writes_all_of_it_later():
    there, here = os.pipe()
    emptied = threading.Event()
    with os.fdopen(here, "w") as file:
        line = LineWriter(TerminalOutput(file), emptied.set)
        line.start()
        for _ in range(100):
            line.write("x" * 10_000)
        assert not line.is_idle
        size = 0
        while size < 1_000_000:
            size += len(os.read(there, 65_536))
        assert emptied.wait(PATIENCE_S)
        assert line.is_idle
        line.stop()
        assert not line.is_alive()
    os.close(there)


class Terminal:
    """The witness under a pseudo-terminal that is read when the test says so."""

    def __init__(self):
        told, tells = os.pipe()
        os.set_inheritable(tells, True)
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ.update(
                TERM="xterm-256color",
                COLORTERM="truecolor",
                WITNESS=str(tells),
                PYTHONPATH=str(ROOT),
            )
            os.execv(sys.executable, [sys.executable, "-P", str(ROOT / "tests/tui/witness.py")])
        os.close(tells)
        self.told = os.fdopen(told)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def type(self, data):
        os.write(self.file, data)

    def until(self, word):
        """Wait, without reading the terminal, until the witness says a word."""
        while True:
            assert select.select([self.told], [], [], PATIENCE_S)[0], f"{word} never came"
            line = self.told.readline()
            assert line, f"it ended before {word}"
            if line.strip() == word:
                return

    def read_until(self, text, bound):
        """Read the terminal until it has shown a text.

        Return how many bytes that took, at most `bound`.
        """
        seen = b""
        while text not in seen:
            assert len(seen) <= bound, f"{text!r} did not come within {bound} bytes"
            assert select.select([self.file], [], [], PATIENCE_S)[0], f"{text!r} never came"
            seen += os.read(self.file, 1_024)
        return len(seen)

    def relay(self):
        """Take everything at once, as a bare sshd does; return what has not been shown yet."""
        behind = bytearray()

        def pump():
            with contextlib.suppress(OSError):
                while data := os.read(self.file, 65_536):
                    behind.extend(data)

        threading.Thread(target=pump, daemon=True).start()
        return behind

    def show(self, behind, bound=1_000_000):
        """Show what is behind until nothing is for a moment, or the kill; answer what is asked.

        Return how many bytes that took.
        """
        shown = bytearray()
        while b"KILL SWITCH" not in shown:
            assert len(shown) <= bound, f"it did not come within {bound} bytes"
            size = min(len(behind), 512)
            shown += behind[:size]
            del behind[:size]
            for at in QUESTION.finditer(shown, max(0, len(shown) - size - 20)):
                if at.end() > len(shown) - size:
                    self.type(b"\x1b[%s;%sR" % (at[1], at[2]))
            if not size:
                if bound == 1_000_000:
                    break
                time.sleep(0.01)
        return len(shown)

    def read_away(self):
        def drain():
            try:
                while os.read(self.file, 65_536):
                    pass
            except OSError:
                pass

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        return thread


def test_what_others_hold_back_for_a_slow_terminal_is_bounded_and_the_kill_is_near():
    terminal = Terminal()
    behind = terminal.relay()
    terminal.until("frames")
    for _ in range(20):
        terminal.show(behind)
        time.sleep(0.01)
    for _ in range(4):
        # thirty frames that nobody sees: some 100,000 bytes, if they were sent
        terminal.until("frames")
    assert len(behind) < 24_000
    terminal.type(b"\x0b")
    terminal.until("killed")
    assert terminal.show(behind, 40_000) > 0
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)
    os.close(terminal.file)
    terminal.told.close()


def test_a_stalled_terminal_is_killed_from_shows_it_first_when_it_goes_on_and_no_byte_ends_it():
    terminal = Terminal()
    terminal.until("stalled")
    terminal.type(b"\x0b")
    terminal.until("killed")
    # what the kernel holds for a terminal that is not read, the piece that was under way, and the
    # kill's own piece
    terminal.read_until(b"KILL SWITCH", 32_000)
    thread = terminal.read_away()
    for data in BROKEN + [bytes((byte,)) for byte in range(256) if byte not in {0x0B, 0x11}]:
        # all but the keys that halt and that quit: what comes after that one may confirm it
        terminal.type(data)
    terminal.until("frames")
    terminal.until("frames")
    terminal.type(b"\x1b[201~\x0b")
    terminal.until("killed")
    terminal.type(b"\x11")
    terminal.until("frames")
    terminal.type(b"\x1b[C\r")
    assert os.waitpid(terminal.pid, 0)[1] == 0
    thread.join(PATIENCE_S)
    os.close(terminal.file)
    terminal.told.close()
