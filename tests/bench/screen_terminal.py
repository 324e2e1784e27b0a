"""A program at a pseudo-terminal, with its bytes, its processor time and its memory counted."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

QUESTION = re.compile(rb"\x1b\[(\d+);(\d+)H\x1b\[6n")
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
PATIENCE_S = 120.0


class TerminalProgram:
    """A program that runs until `close`; its terminal answers where its cursor is, as real ones."""

    def __init__(self, command, env, width=120, height=40):
        self.terminal, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # The terminal has to be its own before it begins; no other thread is at work here.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)
        self.sent = 0
        self._seen = bytearray()
        self._news = threading.Condition()
        self._wanted = (b"", 0.0)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                select.select([self.terminal], [], [])
                data = os.read(self.terminal, 65_536)
            except OSError:
                return
            # Before anything else: what follows is our time, not the program's.
            at = time.perf_counter()
            for row, column in QUESTION.findall(data):
                os.write(self.terminal, b"\x1b[%s;%sR" % (row, column))
            with self._news:
                self.sent += len(data)
                self._seen += data
                # A text may come in two reads, so some of what came before is kept.
                del self._seen[:-400_000]
                text, found = self._wanted
                if text and not found and text in self._seen:
                    self._wanted = text, at
                self._news.notify_all()

    def watch_for(self, text):
        """Forget what was shown, and note when a text is shown from now on."""
        with self._news:
            # It may stand there already, from before the key.
            self._seen.clear()
            self._wanted = text, 0.0

    def shown_at(self):
        """Return when the text was shown, by the performance counter."""
        with self._news:
            there = self._news.wait_for(lambda: self._wanted[1], PATIENCE_S)
            assert there, f"{self._wanted[0]!r} was not shown: {bytes(self._seen[-300:])!r}"
            return self._wanted[1]

    def type(self, text):
        """Type a text; return when."""
        # The clock first: the answer may be there before the write returns.
        at = time.perf_counter()
        os.write(self.terminal, text.encode())
        return at

    def time_to(self, text, shown):
        """Return the seconds from a key to what it shows."""
        self.watch_for(shown.encode())
        began = self.type(text)
        return self.shown_at() - began

    @property
    def cpu(self):
        """Return its processor time so far, s."""
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    @property
    def rss_mb(self):
        """Return its memory."""
        return int(self._stat()[21]) * PAGE_MB

    def _stat(self):
        text = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        return text.rpartition(")")[2].split()

    def close(self, number=signal.SIGTERM):
        """End it, and return its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        os.close(self.terminal)
        return code
