"""Run the demo behind the screen for a while and export what it shows as docs/desk.svg."""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from engine.config import load
from tui.app import PatangApp
from tui.opening import Opening
from tui.station import Run, Station

SECONDS = 75.0
SIZE = (150, 46)
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""The picture names its font and falls back to monospace; it fetches none from elsewhere."""


async def picture(target: Path, seconds: float) -> None:
    """Let a seeded market run at ten times its pace, then take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.toml").write_text(f'[desk]\nstate_dir = "{folder}/state"\n')
        station = Station(load(Path(folder) / "config.toml").values, Run(seed=7, speed=10.0))
        opening = Opening(station, lambda: None)
        app = PatangApp(opening, tune_gc=False, on_picture=opening.begin)
        async with app.run_test(size=SIZE) as pilot:
            await asyncio.sleep(seconds)
            await pilot.pause()
            target.write_text(FONTS.sub("", app.export_screenshot(title="patang")))
        await asyncio.to_thread(opening.wait)
        await asyncio.to_thread(station.close)


if __name__ == "__main__":
    asyncio.run(picture(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS))
