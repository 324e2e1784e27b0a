"""Run the demo behind the screen for a while and export what it shows to the file that is named."""

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


async def picture(folder: str, seconds: float) -> str:
    """Let a seeded market run at ten times its pace, then return the picture as SVG."""
    config = parse_config(
        f'[desk]\nstate_dir = "{folder}"\n', Path("picture"), shipped_kinds()
    ).values
    station = DeskSession(config, RunPlan(seed=7, speed=10.0))
    opening = OpeningDesk(station, lambda: None)
    app = PatangApp(opening, tune_gc=False, on_picture=opening.begin)
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(seconds)
        await pilot.pause()
        svg = FONTS.sub("", app.export_screenshot(title="patang"))
    await asyncio.to_thread(opening.wait)
    await asyncio.to_thread(station.close)
    return svg


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        svg = asyncio.run(picture(folder, SECONDS))
    Path(sys.argv[1]).write_text(svg)
