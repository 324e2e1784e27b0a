"""Commands on a desk that runs elsewhere, or has run: status, stop, export."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from engine.config import Config, paths
from engine.errors import ConfigError, ConnectionFailed, DataError, NothingFound, OperatorError
from engine.numbers import clock, rupees
from engine.ops.control import ask, socket_path
from engine.ops.process import Process
from engine.texts import plain
from tui import places
from tui.numbers import aligned
from tui.places import Place

DONE = 0
WHO = "terminal"
STOP_S, PAUSE_S = 60.0, 0.05
"""How long a desk that was told to end may take, and how often we look."""
END_OF_TIME = 2**62
MINUTE_SPAN = 60
PAISE: Final = ("pnl", "charges", "cash")


def folders(config: Config) -> list[Path]:
    """Return the state folders that the configuration has and that exist, one per mode that has ever run."""
    return places.folders(paths(config, os.environ).state)


def status(file: Path | None, *, as_json: bool) -> int:
    """Print how each running desk of this user stands; raise `ConnectionFailed` where none runs.

    One that holds its folder and says nothing is still opening, or hangs.
    """
    answers: list[dict[str, object]] = []
    for place in _everyone(file):
        try:
            answers.append(ask(socket_path(place.folder), {"cmd": "status"}))
        except ConnectionFailed:
            if place.process is not None:
                answers.append({"mode": place.mode.upper(), "state": "no answer", "process": place.process.pid})
    if not answers:
        raise ConnectionFailed("no desk is running")
    for answer in answers:
        show(answer, as_json=as_json)
    return DONE


def _everyone(file: Path | None) -> list[Place]:
    """Return every desk of this user, those of the configuration that applies here included."""
    known = places.known()
    return known + places.further(places.scene(file), known)


def stop(file: Path | None, mode: str, *, as_json: bool) -> int:
    """End the running desks, each by SIGTERM to who holds its folder; return when they have ended.

    Works while a desk is still opening. Raises `ConnectionFailed` where none runs, `OperatorError` where one may not be
    stopped by this user or does not end.
    """
    running = [(place, place.process) for place in _everyone(file) if place.process and mode in {"", place.mode}]
    if not running:
        raise ConnectionFailed(f"no {mode} desk is running" if mode else "no desk is running")
    for place, process in running:
        left = _standing(place.folder)
        try:
            process.send(signal.SIGTERM)
        except OSError as error:
            told = (error.strerror or "").lower()
            raise OperatorError(f"the {place.mode} desk is process {process.pid}: {told}") from None
        _ended(place.mode, process)
        show({"mode": place.mode.upper(), "state": "stopped"} | left, as_json=as_json)
    return DONE


def _standing(folder: Path) -> dict[str, object]:
    """Return what a desk leaves standing at the broker; nothing where it does not answer."""
    try:
        answer = ask(socket_path(folder), {"cmd": "status"})
    except ConnectionFailed:
        return {}
    return {name: answer[name] for name in ("positions", "naked") if name in answer}


def _ended(mode: str, process: Process) -> None:
    ends = time.monotonic() + STOP_S
    while process.alive:
        if time.monotonic() > ends:
            raise OperatorError(f"the {mode} desk (process {process.pid}) has not ended within {STOP_S:g} s")
        time.sleep(PAUSE_S)


def export(
    what: str, format: str, out: Path | None, mode: str, database: Path | None, symbol: str, actions: Path | None,
    file: Path | None,
) -> int:  # fmt: skip
    """Write a table of the last run of a mode ("": the configured one); raise `NothingFound` where it has no row, and was written so."""
    from engine.market.actions import Actions  # noqa: PLC0415
    from store.bars.parquet import ParquetBars  # noqa: PLC0415
    from store.export import BarRange  # noqa: PLC0415
    from store.export import export as write  # noqa: PLC0415
    from tui.launch import configuration  # noqa: PLC0415
    from tui.runs import bars_folder, latest_database  # noqa: PLC0415

    if actions and what != "bars":
        raise ConfigError(f"--actions adjusts bars, not {what}")
    config = configuration(file)
    mode = mode or config.desk.mode
    source = database or latest_database(config, mode)
    if what != "bars":
        count = write(source, what, out, format)
    else:
        folder = bars_folder(config, mode, source)
        store = ParquetBars(folder)
        there = store.symbols(MINUTE_SPAN, "live")
        if symbol and there and symbol not in there:
            raise DataError(f"no bars of {symbol} in {folder}; there are {', '.join(there)}")
        symbols, book = (symbol,) if symbol else tuple(there), Actions.load(actions) if actions else None
        source = folder
        count = write(source, what, out, format, BarRange(store, symbols, MINUTE_SPAN, 0, END_OF_TIME, actions=book))
    if not count:
        dry = "; a dry run sends nothing: orders has what would have been sent" if mode == "dry-run" else ""
        raise NothingFound(f"no {what} in {source}{dry if what in {'trades', 'fills', 'positions'} else ''}")
    sys.stderr.write(f"{plain(f'{count} {what} of {source}')}{plain(f' in {out}') if out else ''}\n")
    return DONE


def show(answer: dict[str, object], *, as_json: bool) -> None:
    """Print what a desk has answered."""
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    shown = {plain(name): _spell(name, value) for name, value in answer.items()}
    sys.stdout.write(aligned(shown))


def _spell(name: str, value: object) -> object:
    if isinstance(value, int) and name in PAISE:
        return f"₹{rupees(value)}"
    return f"{clock(value)} IST" if isinstance(value, int) and name == "now" else value
