"""Commands on a desk that runs elsewhere, or has run: status, kill, stop, resume, export."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from engine.config import Config, paths
from engine.errors import ConfigError, ConnectionFailed, DataError, NothingFound, OperatorError
from engine.ops.control import ask, socket_path
from engine.ops.hold import holder
from engine.trading.killswitch import FLATTEN, HALT, KillSwitch
from tui.numbers import aligned, clock, rupees

DONE = 0
WHO = "terminal"
STOP_S, PAUSE_S = 60.0, 0.05
"""How long a desk that was told to end may take, and how often we look."""
END_OF_TIME = 2**62
MINUTE_SPAN = 60
PAISE: Final = ("pnl", "charges", "cash")


def folders(config: Config) -> list[Path]:
    """Return the state folders that exist, one per mode that has ever run."""
    root = paths(config, os.environ).state
    return sorted(path for path in root.glob("*") if path.is_dir())


def status(file: Path | None, *, as_json: bool) -> int:
    """Print how each running desk stands; raise `ConnectionFailed` where none runs.

    One that holds its folder and says nothing is still opening, or hangs.
    """
    from tui.launch import configuration  # noqa: PLC0415
    from tui.station import lock_of  # noqa: PLC0415

    answers: list[dict[str, object]] = []
    for folder in folders(configuration(file)):
        try:
            answers.append(ask(socket_path(folder), {"cmd": "status"}))
        except ConnectionFailed:
            if pid := holder(lock_of(folder)):
                answers.append({"mode": folder.name.upper(), "state": "no answer", "process": pid})
    if not answers:
        raise ConnectionFailed("no desk is running")
    for answer in answers:
        _print(answer, as_json=as_json)
    return DONE


def kill(file: Path | None, reason: str, *, flatten: bool, as_json: bool) -> int:
    """Latch every desk of this user, running or not: through its door, else through its kill file."""
    from tui.launch import configuration  # noqa: PLC0415
    from tui.runs import state_folder  # noqa: PLC0415

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


def stop(file: Path | None, mode: str, *, as_json: bool) -> int:
    """End the running desks, each by SIGTERM to who holds its folder; return when they have ended.

    Works while a desk is still opening. Raises `ConnectionFailed` where none runs, `OperatorError` where one may not be
    stopped by this user or does not end.
    """
    from tui.launch import configuration  # noqa: PLC0415
    from tui.station import lock_of  # noqa: PLC0415

    running = [(path, pid) for path in folders(configuration(file)) if (pid := holder(lock_of(path)))]
    running = [(path, pid) for path, pid in running if mode in {"", path.name}]
    if not running:
        raise ConnectionFailed(f"no {mode} desk is running" if mode else "no desk is running")
    for folder, pid in running:
        left = _standing(folder)
        try:
            os.kill(pid, signal.SIGTERM)
        except OSError as error:
            raise OperatorError(f"the {folder.name} desk is process {pid}: {(error.strerror or '').lower()}") from None
        _ended(folder, pid)
        _print({"mode": folder.name.upper(), "state": "stopped"} | left, as_json=as_json)
    return DONE


def _standing(folder: Path) -> dict[str, object]:
    """Return what a desk leaves standing at the broker; nothing where it does not answer."""
    try:
        answer = ask(socket_path(folder), {"cmd": "status"})
    except ConnectionFailed:
        return {}
    return {name: answer[name] for name in ("positions", "naked") if name in answer}


def _ended(folder: Path, pid: int) -> None:
    from tui.station import lock_of  # noqa: PLC0415

    ends = time.monotonic() + STOP_S
    while holder(lock_of(folder)) == pid:
        if time.monotonic() > ends:
            raise OperatorError(f"the {folder.name} desk (process {pid}) has not ended within {STOP_S:g} s")
        time.sleep(PAUSE_S)


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
    """Write a table of the last run of a mode; raise `NothingFound` where it is empty, which is then what was written."""
    from engine.market.actions import Actions  # noqa: PLC0415
    from store.bars.parquet import ParquetBars  # noqa: PLC0415
    from store.export import BarRange  # noqa: PLC0415
    from store.export import export as write  # noqa: PLC0415
    from tui.launch import configuration  # noqa: PLC0415
    from tui.runs import bars_folder, latest_database  # noqa: PLC0415

    if actions and what != "bars":
        raise ConfigError(f"--actions adjusts bars, not {what}")
    config = configuration(file)
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
        raise NothingFound(f"no {what} in {source}")
    sys.stderr.write(f"{count} {what} of {source}{f' in {out}' if out else ''}\n")
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
