"""The screens as pictures: SVG under `snapshots/`, rewritten with PATANG_UPDATE=1."""

import os
import re
from pathlib import Path

import pytest

from engine.board_rows import Board
from tests.tui.fake import FakeDesk
from tui.app.app import PatangApp

FOLDER = Path(__file__).parent / "snapshots"
SECOND = 1_000_000_000


def killed(face):
    face.kill(False, "daily loss 25,000")


def flattened(face):
    face.kill(True, "operator")


def stale(face):
    for row in face.board.watch.rows[:]:
        face.board.watch.put(row.token, row._replace(stale=True, ts=row.ts - 40 * SECOND))
    face.board.header = face.board.header._replace(feed_age=40 * SECOND, state="read-only")


def ended(face):
    face.close()


def alarmed(face):
    for text in (
        "INFY: protection refused: busy",
        "INFY: protection refused: busy",
        "SBIN: a GTT is gone at the broker",
    ):
        face.event("alarm", text)
    row = face.board.risk.rows[-1]
    face.board.risk.put(row.name, row._replace(text="1", bad=True))


def optioned(face):
    for rows in (face.board.watch, face.board.positions):
        for row, name in zip(
            rows.rows[:3],
            ("NIFTY26NOV24500CE", "NIFTY26NOV24500PE", "BANKNIFTY26NOV52000CE"),
            strict=True,
        ):
            rows.put(row[0], row._replace(symbol=name))


def traded(face):
    face.trade()


def starting(face):
    face.board = Board("DRY-RUN")


def pulsing(face):
    face.pulse()


def differing(face):
    face.differ()
    face.bound()


SHOTS = {
    "desk-80x24": ((80, 24), "SANDBOX", None, ()),
    "desk-120x40": ((120, 40), "SANDBOX", None, ()),
    "desk-200x60": ((200, 60), "SANDBOX", None, ()),
    "live": ((120, 40), "LIVE", None, ()),
    "killed": ((120, 40), "LIVE", killed, ()),
    "killed-80x24": ((80, 24), "LIVE", killed, ()),
    "flattened": ((120, 40), "PAPER", flattened, ()),
    "stale": ((120, 40), "SHADOW", stale, ()),
    "starting": ((120, 40), "DRY-RUN", starting, ()),
    "chart": ((120, 40), "REPLAY", None, ("2",)),
    "chart-80x24": ((80, 24), "LIVE", None, ("2", "b", "h", "h", "h", "k")),
    "chart-near-200x60": ((200, 60), "PAPER", None, ("2", "plus", "i", "i", "i", "i", "w")),
    "orders": ((120, 40), "PAPER", None, ("4", "wait", "wait", "wait", "wait")),
    "strategies": ((120, 40), "PAPER", traded, ("5", "wait", "wait", "tab", "tab")),
    "strategies-80x24": ((80, 24), "LIVE", traded, ("5", "wait", "wait")),
    "strategies-200x60": ((200, 60), "SHADOW", traded, ("5", "wait", "wait", "j")),
    "stop-strategy": ((80, 24), "LIVE", traded, ("5", "x")),
    "depth": ((120, 40), "LIVE", None, ("j", "j", "j", "3", "wait", "step", "step", "step")),
    "depth-80x24": ((80, 24), "LIVE", None, ("j", "j", "j", "3", "wait", "step", "step", "j", "j")),
    "exit-question": ((120, 40), "LIVE", None, ("x",)),
    "quit-guard-killed": ((80, 24), "SANDBOX", killed, ("ctrl+q",)),
    "help": ((120, 40), "SANDBOX", None, ("f1",)),
    "help-80x24": ((80, 24), "SANDBOX", None, ("question_mark",)),
    "day": ((120, 40), "SANDBOX", ended, ()),
    "day-80x24": ((80, 24), "SANDBOX", ended, ()),
    "palette": ((120, 40), "SANDBOX", None, ("ctrl+p", "wait", "r", "i")),
    "alarms-80x24": ((80, 24), "LIVE", alarmed, ()),
    "ticket-80x24": ((80, 24), "LIVE", None, ("j", "j", "j", "B", "5", "0")),
    "options-80x24": ((80, 24), "LIVE", optioned, ()),
    "risk-200x60": ((200, 60), "LIVE", differing, ("6",)),
    "risk": ((120, 40), "LIVE", differing, ("6",)),
    "risk-80x24": ((80, 24), "LIVE", differing, ("6",)),
    "risk-clean": ((120, 40), "SANDBOX", None, ("6",)),
    "ops-200x60": ((200, 60), "PAPER", pulsing, ("8", "wait")),
    "ops": ((120, 40), "PAPER", pulsing, ("8", "wait")),
    "ops-80x24": ((80, 24), "PAPER", pulsing, ("8", "wait")),
    "ops-times": ((80, 24), "PAPER", pulsing, ("8", "wait", "tab", "tab", "tab")),
    "limit-entry": ((120, 40), "LIVE", differing, ("6", "wait", "tab", "j", "m")),
    "flatten-question": ((120, 40), "LIVE", differing, ("6", "wait", "j", "f")),
    "adopt-entry": ((120, 40), "LIVE", differing, ("6", "wait", "j", "a")),
    "frozen-filter": ((120, 40), "SANDBOX", None, ("slash", "i", "n", "f", "enter", "space")),
}


def normalised(svg):
    """Take out what differs between runs without being seen."""
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


@pytest.mark.parametrize("name", list(SHOTS))
async def test_the_screen_looks_as_it_did(name):
    size, mode, change, pressed = SHOTS[name]
    face = FakeDesk(mode)
    app = PatangApp(face, clock=lambda: face.board.heartbeat, fps=0, tune_gc=False)
    async with app.run_test(size=size) as pilot:
        app.frame()
        await pilot.pause()
        for _ in range(3):
            face.step()
            app.frame()
        if change:
            change(face)
        for key in pressed:
            if key == "step":
                face.step()
                app.frame()
                await pilot.pause()
            elif key == "wait":
                await pilot.pause()
                app.frame()
                await pilot.pause()
            else:
                await pilot.press(key)
        await pilot.pause()
        app.frame()
        await pilot.pause()
        svg = normalised(app.export_screenshot(title=f"patang {name}"))
    file = FOLDER / f"{name}.svg"
    if os.environ.get("PATANG_UPDATE"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(svg, encoding="utf-8")
    assert svg == file.read_text(encoding="utf-8"), (
        f"{file.name} differs; look at it, then PATANG_UPDATE=1 keeps it"
    )
