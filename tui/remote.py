"""Commands on a desk that runs elsewhere, or has run: status, kill, resume, export."""

import json
import os
import sys
from pathlib import Path
from typing import Final

from engine.config import Config, paths
from engine.errors import ConfigError, ConnectionFailed, DataError, OperatorError
from engine.ops.control import ask, socket_path
from engine.trading.killswitch import FLATTEN, HALT, KillSwitch
from tui.numbers import aligned, clock, rupees

DONE = 0
WHO = "terminal"
END_OF_TIME = 2**62
MINUTE_SPAN = 60
PAISE: Final = ("pnl", "charges", "cash")


def folders(config: Config) -> list[Path]:
    """Return the state folders that exist, one per mode that has ever run."""
    root = paths(config, os.environ).state
    return sorted(path for path in root.glob("*") if path.is_dir())


def status(file: Path | None, *, as_json: bool) -> int:
    """Print how each running desk stands; raise `ConnectionFailed` where none runs."""
    from tui.launch import configuration  # noqa: PLC0415

    answers = []
    for folder in folders(configuration(file)):
        try:
            answers.append(ask(socket_path(folder), {"cmd": "status"}))
        except ConnectionFailed:
            continue
    if not answers:
        raise ConnectionFailed("no desk is running")
    for answer in answers:
        _print(answer, as_json=as_json)
    return DONE


def kill(file: Path | None, reason: str, *, flatten: bool, as_json: bool) -> int:
    """Latch every desk of this user, running or not: through its door, else through its kill file."""
    from tui.launch import configuration  # noqa: PLC0415
    from tui.station import state_folder  # noqa: PLC0415

    config = configuration(file)
    for folder in folders(config) or [state_folder(config, config.desk.mode)]:
        request: dict[str, object] = {"cmd": "kill", "flatten": flatten, "reason": reason, "who": WHO}
        try:
            answer = ask(socket_path(folder), request)
        except ConnectionFailed:
            _latch(folder, FLATTEN if flatten else HALT, reason)
            answer = {"mode": folder.name.upper(), "state": "not running", "kill": FLATTEN if flatten else HALT}
        _print(answer, as_json=as_json)
    return DONE


def _latch(folder: Path, level: str, reason: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"cannot write in {folder}: {error.strerror}") from None
    KillSwitch(folder / "KILL").trigger(level, reason, WHO)


def resume(file: Path | None, reason: str, *, as_json: bool) -> int:
    """Unlatch every desk of this user; one that runs writes it to its audit log."""
    from tui.launch import configuration  # noqa: PLC0415

    if not reason.strip():
        raise OperatorError("a reason is needed: patang resume --reason TEXT")
    for folder in folders(configuration(file)):
        switch = KillSwitch(folder / "KILL")
        if not switch.latched:
            continue
        try:
            answer = ask(socket_path(folder), {"cmd": "resume", "reason": reason, "who": WHO})
        except ConnectionFailed:
            old = switch.resume(reason, WHO)
            answer = {"resumed": True, "was": old.reason if old else ""}
        _print({"mode": folder.name.upper()} | answer, as_json=as_json)
    return DONE


def export(
    what: str, format: str, out: Path | None, mode: str, database: Path | None, symbol: str, actions: Path | None,
    file: Path | None,
) -> int:  # fmt: skip
    """Write a table of the last run of a mode."""
    from engine.market.actions import Actions  # noqa: PLC0415
    from store.bars.parquet import ParquetBars  # noqa: PLC0415
    from store.export import BarRange  # noqa: PLC0415
    from store.export import export as write  # noqa: PLC0415
    from tui.launch import configuration  # noqa: PLC0415
    from tui.station import bars_folder, latest_database  # noqa: PLC0415

    if actions and what != "bars":
        raise ConfigError(f"--actions adjusts bars, not {what}")
    config = configuration(file)
    bars = None
    if what == "bars":
        store = ParquetBars(bars_folder(config, mode))
        there = store.symbols(MINUTE_SPAN, "live")
        if symbol and symbol not in there:
            raise DataError(
                f"no bars of {symbol} in {bars_folder(config, mode)}; there are {', '.join(there) or 'none'}"
            )
        symbols, book = (symbol,) if symbol else tuple(there), Actions.load(actions) if actions else None
        bars = BarRange(store, symbols, MINUTE_SPAN, 0, END_OF_TIME, actions=book)
    source = database or (Path() if bars else latest_database(config, mode))
    count = write(source, what, out, format, bars)
    sys.stderr.write(f"{count} {what}{f' in {out}' if out else ''}\n")
    return DONE


def _print(answer: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    shown = {name: _spell(name, value) for name, value in answer.items()}
    sys.stdout.write(aligned(shown))


def _spell(name: str, value: object) -> object:
    if isinstance(value, int) and name in PAISE:
        return f"₹{rupees(value)}"
    return f"{clock(value)} IST" if isinstance(value, int) and name == "now" else value
