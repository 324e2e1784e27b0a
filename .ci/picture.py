"""Run the demo behind the screen for a while and export what its screens show to a folder."""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from engine.config.config_files import parse_config
from strategies.strategy_sources import shipped_kinds
from tui.app.app import PatangApp
from tui.run.opening import OpeningDesk
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
    "risk": ("6",),
    "ticket": ("1", "B", "2", "5", *["tab"] * 6, "2"),
    "command": ("escape", "colon", *"why INFY", "enter"),
}
"""Each with the keys that lead to it from the one before."""
REST = 3.0


async def pictures(folder: str, seconds: float) -> dict[str, str]:
    """Let a seeded market run at ten times its pace, then return a picture of each screen."""
    config = parse_config(
        f'[desk]\nstate_dir = "{folder}"\n', Path("picture"), shipped_kinds()
    ).values
    station = DeskSession(config, RunPlan(seed=7, speed=10.0))
    opening = OpeningDesk(station, lambda: None)
    app = PatangApp(opening, tune_gc=False, on_picture=opening.begin)
    taken = {}
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(seconds)
        for name, keys in SCREENS.items():
            await pilot.press(*keys)
            await asyncio.sleep(REST)
            await pilot.pause()
            taken[name] = FONTS.sub("", app.export_screenshot(title="patang"))
    await asyncio.to_thread(opening.wait)
    await asyncio.to_thread(station.close)
    return taken


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, svg in asyncio.run(pictures(folder, SECONDS)).items():
            Path(sys.argv[1], f"{name}.svg").write_text(svg)
