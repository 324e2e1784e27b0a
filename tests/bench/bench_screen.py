"""Measure the screen: the real program at a pseudo-terminal.

Processor time and bytes are counted; times on the clock are those of the machine as it is.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench_feed import server
from contender import HERE, OWN, surroundings
from report import goal, section, table
from screen_terminal import TerminalProgram

PATANG = (sys.executable, "-P", "-m", "tui")
MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("WATCHLIST")
Minimal().run()
"""
LETTERS = "жщюйфъыэяцчшбдлпг"
"""Letters that nothing else on the screen has."""
FIRST_PICTURE = b"WATCHLIST"


@contextmanager
def _home() -> Iterator[dict[str, str]]:
    """Yield the environment of a desk of its own."""
    with tempfile.TemporaryDirectory() as home:
        folders = {f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("STATE", "CONFIG")}
        runtime = Path(home, "run")
        runtime.mkdir(mode=0o700)
        yield surroundings(OWN) | folders | {"HOME": home, "XDG_RUNTIME_DIR": str(runtime)}


@contextmanager
def _attached(
    symbols: int, share: float, width: int, height: int, told: dict[str, float]
) -> Iterator[TerminalProgram]:
    """Yield `patang attach` at a desk whose rows move; `told` gets what its screens cost it."""
    with _home() as env:
        desk = subprocess.Popen(
            [sys.executable, HERE / "screen_desk.py", str(symbols), str(share)],
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        assert desk.stdout.readline() == "there\n", "the desk did not start"
        screen = TerminalProgram([*PATANG, "attach"], env, width, height)
        screen.watch_for(FIRST_PICTURE)
        screen.shown_at()
        # Until flashes come and go as they do for hours.
        time.sleep(3.0)
        try:
            yield screen
        finally:
            # The screen first: it would wait for a desk that is gone.
            screen.close()
            desk.terminate()
            out, _ = desk.communicate(timeout=60)
            told |= json.loads(out.splitlines()[-1])


def _cost(symbols: int, share: float, width: int, height: int, seconds: float) -> dict[str, object]:
    """Return what a screen costs, its own process and the desk's, and what it sends."""
    told: dict[str, float] = {}
    with _attached(symbols, share, width, height, told) as screen:
        cpu, sent, began = screen.cpu, screen.sent, time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        cpu, sent = screen.cpu - cpu, screen.sent - sent
    return {
        "terminal": f"{width}×{height}",
        "rows": symbols,
        "of them change ten times a second, %": 100 * share,
        "core, %": 100 * cpu / took,
        "KB/s to the terminal": sent / took / 1e3,
        "of the desk's core, %": told["core"],
    }


def _keys(count: int) -> list[dict[str, object]]:
    """Return the times of keys while 9,000 instruments tick."""
    told: dict[str, float] = {}
    rows = []
    with _attached(9_000, 0.1, 120, 40, told) as screen:
        screen.time_to(":", "command: limits")
        typed = []
        for number in range(count):
            letter = LETTERS[number % len(LETTERS)]
            typed.append(screen.time_to(letter, letter))
            if number % len(LETTERS) == len(LETTERS) - 1:
                screen.type("\x15")
                time.sleep(0.3)
            # Out of step with the frames, so that a key meets them at every moment of a turn.
            time.sleep(0.07)
        screen.type("\x1b")
        time.sleep(0.5)
        switched = []
        for _ in range(max(count // 4, 4)):
            for key, shown in (("6", "GOVERNOR"), ("1", "WATCHLIST")):
                switched.append(screen.time_to(key, shown))
                time.sleep(0.13)
        # The first opening makes the screen; what follows is what one lives with.
        for what, times in (("a letter typed", typed), ("another screen", switched[2:])):
            times.sort()
            rows.append(
                {
                    "key": what,
                    "times": len(times),
                    "p50 ms": 1e3 * median(times),
                    "p99 ms": 1e3 * times[min(len(times) - 1, int(len(times) * 0.99))],
                }
            )
    return rows


def _first_paint(passes: int) -> list[dict[str, object]]:
    """Return how long the first picture takes, of the demo and of the least Textual app."""
    took: dict[str, list[tuple[float, float]]] = {"patang demo": [], "minimal Textual app": []}
    with _home() as env:
        # As it is installed: a program that compiles its own sources each time is nobody's.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env["PYTHONPYCACHEPREFIX"] = f"{env['HOME']}/bytecode"
        for _ in range(passes + 1):
            for name, command in (
                ("minimal Textual app", [sys.executable, "-c", MINIMAL]),
                ("patang demo", [*PATANG, "demo"]),
            ):
                program = TerminalProgram(command, env)
                program._wanted = FIRST_PICTURE, 0.0
                took[name].append((program.shown_at() - program.began, program.cpu))
                program.close()
    for pairs in took.values():
        # The first has written the bytecode.
        del pairs[0]
    # In turns, so that a busy machine slows both alike.
    least = median(wall for wall, _ in took["minimal Textual app"])
    return [
        {
            "program": name,
            "first picture, s": median(wall for wall, _ in pairs),
            "processor time until then, s": median(cpu for _, cpu in pairs),
            "times the minimal": median(wall for wall, _ in pairs) / least,
        }
        for name, pairs in took.items()
    ]


def _day(speed: int, seconds: float) -> dict[str, object]:
    """Return what a day in the demo adds to its memory, all screens visited again and again."""
    with _home() as env:
        program = TerminalProgram([*PATANG, "demo", "--speed", str(speed)], env)
        program.watch_for(FIRST_PICTURE)
        program.shown_at()
        sizes, began = [], time.monotonic()
        while time.monotonic() - began < seconds and program.process.poll() is None:
            for key in (
                "2",
                "3",
                "4",
                "5",
                "6",
                "7",
                "8",
                "?",
                "\x1b",
                ":",
                "\x1b",
                "\x10",
                "\x1b",
                "1",
            ):
                program.type(key)
                time.sleep(0.25)
            sizes.append(program.rss_mb)
        program.close()
    # The first quarter is left out: screens are made when they are first visited.
    quarter = max(len(sizes) // 4, 1)
    early, late = median(sizes[quarter : 2 * quarter]), median(sizes[-quarter:])
    return {
        "speed": f"{speed} ×",
        "hours of the market": speed * seconds / 3600,
        "visits of every screen": len(sizes),
        "MB in the second quarter": early,
        "MB in the last": late,
        "added, %": 100 * (late / early - 1),
    }


def _live_path(seconds: int, packets: int) -> dict[str, object]:
    """Return the time from a frame to its command with a screen in the same process."""
    with _home() as env, server(HERE / "live_path.py", str(seconds), str(packets)) as (_, port):
        out = Path(env["HOME"], "told.json")
        words = [sys.executable, HERE / "screen_desk.py", "beside", port.strip()]
        program = TerminalProgram(
            [*words, str(seconds), str(packets)], env | {"PATANG_BENCH_OUT": str(out)}
        )
        # It leaves by itself when the last frame has come.
        program.process.wait(seconds + 120)
        told = json.loads(out.read_text(encoding="utf-8"))
        os.close(program.terminal)
    return {
        "packets a frame": packets,
        "commands": told["commands"],
        "p50 ms": told["p50"],
        "p99 ms": told["p99"],
    }


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    seconds = 4.0 if quick else 15.0
    costs = [
        _cost(500, 1.0, 120, 40, seconds),
        _cost(500, 1.0, 200, 60, seconds),
        _cost(20, 0.1, 120, 40, seconds),
        _cost(20, 1.0, 120, 40, seconds),
        _cost(9_000, 0.1, 120, 40, seconds),
    ]
    keys, paint = _keys(20 if quick else 100), _first_paint(2 if quick else 5)
    day = _day(60, 20.0 if quick else 330.0)
    live = _live_path(9 if quick else 20, 200)
    rows500, slow, fast = costs[0]["core, %"], costs[2], costs[3]
    times = paint[0]["times the minimal"]
    return section(
        "Screen",
        "`patang attach` at a pseudo-terminal that answers, beside a desk that moves its whole "
        "board ten times a second: the share of a core of the screen's process, what it sends, and "
        "what the thread that serves it costs the desk. Keys on the clock, from the byte typed to "
        "the byte shown. First pictures are of programs whose bytecode is there, as after an "
        "installation. The day is `patang demo`; the live path is that of the feed, on the clock, "
        "in the process of a screen.",
        [
            table("Rows that change", costs),
            table("From a key to its picture, 9,000 instruments", keys),
            table("First picture", paint),
            table("Memory over a day", [day]),
            table("From a frame to a command beside a screen in the same process", [live]),
        ],
        [
            goal("500 live rows at 10 Hz, % of a core", "≤ 10", rows500, rows500 <= 10),
            goal(
                "bytes to a terminal of 120×40 at 1 ×, KB/s",
                "≤ 20",
                slow["KB/s to the terminal"],
                slow["KB/s to the terminal"] <= 20,
            ),
            goal(
                "the same, everything moves, KB/s",
                "≤ 60",
                fast["KB/s to the terminal"],
                fast["KB/s to the terminal"] <= 60,
            ),
            goal(
                "a letter typed while 9,000 instruments tick, p99 ms",
                "≤ 50",
                keys[0]["p99 ms"],
                keys[0]["p99 ms"] <= 50,
            ),
            goal(
                "another screen while 9,000 instruments tick, p99 ms",
                "≤ 50",
                keys[1]["p99 ms"],
                keys[1]["p99 ms"] <= 50,
            ),
            goal("first picture, times a minimal Textual app", "≤ 1.3", times, times <= 1.3),
            goal(
                "what a day with all screens visited adds to memory, %",
                "≤ 5",
                day["added, %"],
                day["added, %"] <= 5,
            ),
            goal(
                "an attached screen of 500 rows, % of the desk's core",
                "≤ 1",
                costs[0]["of the desk's core, %"],
                costs[0]["of the desk's core, %"] <= 1,
            ),
            goal(
                "a frame of 200 to its command under a screen, p99 ms",
                "≤ 5",
                live["p99 ms"],
                live["p99 ms"] <= 5,
            ),
        ],
    )
