"""Run the demo behind the screen for a while and export what its screens show to a folder."""

import asyncio
import contextlib
import re
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from compiled.model.values import SECOND
from engine.config.config_files import parse_config
from engine.config.schema import DeskConfig
from engine.day.replay_control import ReplayControl, ReplayGoal
from engine.market.calendar import midnight
from strategies.strategy_sources import shipped_kinds
from tests.engine.backtest.histories import history, walk
from tests.engine.backtest.made_up import weekdays
from tui.app.app import PatangApp
from tui.run.opening import OpeningDesk
from tui.run.replay.replaying_desk import ReplayingDesk
from tui.run.session import DeskSession, RunPlan

SECONDS = 75.0
SIZE = (150, 46)
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""The picture names its font and falls back to monospace; it fetches none from elsewhere."""
SCREENS = {
    "desk": (),
    "chart": ("j", "2", "b", "h", "h", "h"),
    "depth": ("3",),
    "orders": ("4",),
    "strategies": ("5",),
    "risk": ("6",),
    "research": ("7", "wait", "wait", "j", "wait", "tab", "l", "l", "j", "j", "j"),
    "ops": ("8", "tab", "tab", "tab"),
    "ticket": ("1", "B", "2", "5", *["tab"] * 6, "2"),
    "command": ("escape", "colon", *"limits", "enter"),
    "watch": ("escape", "1", "shift+tab", "shift+tab", "z", "v", "b"),
}
"""Each with the keys that lead to it from the one before."""
REST = 3.0
DAY = date(2026, 11, 27)
MOMENT = 11 * 3_600 + 42 * 60
"""The moment of that day, in seconds after midnight."""


def configured(folder: str) -> DeskConfig:
    """Return the configuration of a desk in a folder, and leave it there.

    The commands of the screen are programs of their own, and find the desk by that file.
    """
    text, file = f'[desk]\nstate_dir = "{folder}"\n', Path(folder, "config.toml")
    file.write_text(text)
    return parse_config(text, file, shipped_kinds()).values


def keep_results(folder: str) -> None:
    """Keep two backtests and a sweep on made-up bars: without any the research screen is bare."""
    days = weekdays(120)
    series = {name: walk(days, seed) for seed, name in enumerate(("INFY", "SBIN"), start=1)}
    history(Path(folder, "history"), series)
    cross = ["moving_average_cross", "--config", str(Path(folder, "config.toml"))]
    for words in (
        ["backtest", *cross],
        ["backtest", *cross, "--set", "slow=50", "--symbols", "INFY"],
        ["sweep", *cross, "--param", "fast=5:25:2", "--param", "slow=20:120:10"],
    ):
        command = [sys.executable, "-m", "tui", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


async def replay_picture(config: DeskConfig) -> str:
    """Go to 11:42 of a simulated day and two fills back; return a picture of that moment."""
    control = ReplayControl(4.0, goal=ReplayGoal(ts=midnight(DAY) + MOMENT * SECOND), stays=True)
    plan = RunPlan("replay", day=str(DAY), speed=0.0, seed=7, fleeting=True, control=control)
    station = DeskSession(config, plan)
    opening = ReplayingDesk(station, lambda: None)
    app = PatangApp(opening, tune_gc=False, on_picture=opening.begin)
    async with app.run_test(size=SIZE) as pilot:
        for key in ("p", "f5", "f5"):
            # it begins to go there with the next turn of its engine, and the picture follows
            await asyncio.sleep(REST)
            while control.goal is not None or opening.replay.moving is not None:  # noqa: ASYNC110  the other end has no event
                await asyncio.sleep(REST)
            await pilot.press(key)
        await asyncio.sleep(REST)
        while opening.replay.moving is not None:  # noqa: ASYNC110  the other end has no event
            await asyncio.sleep(REST)
        await pilot.pause(REST)
        taken = FONTS.sub("", app.export_screenshot(title="patang"))
    opening.stop()
    await asyncio.to_thread(opening.wait)
    await asyncio.to_thread(station.close)
    return taken


async def pictures(config: DeskConfig, seconds: float) -> dict[str, str]:
    """Let a seeded market run at ten times its pace, then return a picture of each screen."""
    station = DeskSession(config, RunPlan(seed=7, speed=10.0))
    opening = OpeningDesk(station, lambda: None)
    app = PatangApp(opening, tune_gc=False, on_picture=opening.begin)
    taken = {}
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(seconds)
        for name, keys in SCREENS.items():
            for key in keys:
                if key == "wait":
                    await asyncio.sleep(REST)
                else:
                    await pilot.press(key)
            await asyncio.sleep(REST)
            await pilot.pause()
            taken[name] = FONTS.sub("", app.export_screenshot(title="patang"))
    await asyncio.to_thread(opening.wait)
    await asyncio.to_thread(station.close)
    return taken


if __name__ == "__main__":
    out = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        config = configured(folder)
        taken = {}
        # one picture alone by its name
        if sys.argv[2:] != ["replay"]:
            keep_results(folder)
            taken = asyncio.run(pictures(config, SECONDS))
        taken["replay"] = asyncio.run(replay_picture(config))
        for name, svg in taken.items():
            (out / f"{name}.svg").write_text(svg)
