"""Commands on a desk that runs elsewhere, or has run: status, stop, export."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final, cast

from engine.board_rows import GOOD, PulseRow
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, ConnectionFailed, DataError, NothingFound, OperatorError
from engine.exit_codes import DONE
from engine.live_pulses import worst_pulses
from engine.market.corporate_actions.action_list import CorporateActions
from engine.numbers import rupees, time_of_day
from engine.operator_requests import StatusRequest
from engine.ops.control_socket import send_request, socket_path
from engine.system.processes import UserProcess
from engine.texts import plain_text
from tui.commands.desk import desk_places
from tui.formats import aligned_fields
from tui.run.configured import configuration
from tui.run.run_records import bars_folder, latest_database

WHO = "terminal"
STOP_S, PAUSE_S = 60.0, 0.05
"""Seconds that a desk may take to end, and between two looks."""
END_OF_TIME = 2**62
MINUTE_SPAN = 60
PAISE: Final = ("pnl", "charges", "cash")
LISTS: Final = ("pulses", "times_us", "feed")
"""Answers that are tables: `--json` has them whole."""


def desk_folders(config: DeskConfig) -> list[Path]:
    """Return the existing state folders of the configuration, one per mode that has run."""
    return desk_places.mode_folders(desk_paths(config, os.environ).state)


def show_status(file: Path | None, *, as_json: bool) -> int:
    """Print how each running desk of this user stands; raise `ConnectionFailed` where none runs.

    One that holds its folder and says nothing is still opening, or hangs.
    """
    answers: list[dict[str, object]] = []
    for place in desk_places.all_desks(file):
        try:
            # the socket first: only a desk that turns can answer
            answers.append(send_request(socket_path(place.folder), StatusRequest()).data)
        except ConnectionFailed:
            if place.process is not None:
                answers.append(
                    {"mode": place.mode.upper(), "state": "no answer", "process": place.process.pid}
                )
    if not answers:
        raise ConnectionFailed("no desk is running")
    for answer in answers:
        if as_json:
            print_answer(answer, as_json=True)
        else:
            _print_status(answer)
    return DONE


def _print_status(answer: dict[str, object]) -> None:
    """Print how a desk stands, then whatever is not good with its mend."""
    told = {name: value for name, value in answer.items() if name not in LISTS}
    pulses = [PulseRow(**each) for each in cast("list[dict[str, Any]]", answer.get("pulses", []))]
    ill = [pulse for pulse in pulses if pulse.state != GOOD]
    print_answer(told | {"pulses": _pulse_count(pulses)} if pulses else told, as_json=False)
    for pulse in ill:
        sys.stdout.write(plain_text(f"{pulse.state}: {pulse.name}: {pulse.figure}") + "\n")
        sys.stdout.write(plain_text(f"  -> {pulse.mend}") + "\n")


def _pulse_count(pulses: list[PulseRow]) -> str:
    wrong, asking = worst_pulses(pulses)
    good = len(pulses) - wrong - asking
    return f"{wrong} wrong, {asking} in need of attention, {good} good"


def stop_desks(file: Path | None, mode: str, *, as_json: bool) -> int:
    """End the running desks, each by SIGTERM to its folder's holder; return after their end.

    Works while a desk is still opening. Raises `ConnectionFailed` where none runs, `OperatorError`
    where one may not be stopped by this user or does not end.
    """
    running = [
        (place, place.process)
        for place in desk_places.all_desks(file)
        if place.process and mode in {"", place.mode}
    ]
    if not running:
        raise ConnectionFailed(f"no {mode} desk is running" if mode else "no desk is running")
    for place, process in running:
        # asked before its end, after which nobody knows
        left = _open_positions(place.folder)
        try:
            # the holder of the folder's lock, by a handle: its number may be another's by now
            process.send(signal.SIGTERM)
        except OSError as error:
            told = (error.strerror or "").lower()
            raise OperatorError(f"the {place.mode} desk is process {process.pid}: {told}") from None
        # the next start would find the folder held
        _await_end(place.mode, process)
        print_answer({"mode": place.mode.upper(), "state": "stopped"} | left, as_json=as_json)
    return DONE


def _open_positions(folder: Path) -> dict[str, object]:
    """Return the day's P&L and what a desk leaves standing; nothing where it does not answer."""
    try:
        answer = send_request(socket_path(folder), StatusRequest()).data
    except ConnectionFailed:
        return {}
    return {name: answer[name] for name in ("pnl", "positions", "naked") if name in answer}


def _await_end(mode: str, process: UserProcess) -> None:
    ends = time.monotonic() + STOP_S
    while process.is_alive:
        if time.monotonic() > ends:
            raise OperatorError(
                f"the {mode} desk (process {process.pid}) has not ended within {STOP_S:g} s"
            )
        time.sleep(PAUSE_S)


def export_table(
    what: str,
    format: str,
    out: Path | None,
    mode: str,
    database: Path | None,
    symbol: str,
    actions: Path | None,
    file: Path | None,
) -> int:
    """Export a table of the last run of a mode ("": the configured one).

    Raise `NothingFound` where it has no row; the empty table is written then.
    """
    from store.export import BarRange
    from store.export import export_table as write
    from tui.run.bar_stores import desk_store

    if actions and what != "bars":
        raise ConfigError(f"--actions adjusts bars, not {what}")
    config = configuration(file)
    mode = mode or config.desk.mode
    source = database or latest_database(config, mode)
    if what != "bars":
        count = write(source, what, out, format)
    else:
        folder = bars_folder(config, mode, source)
        store = desk_store(config, folder)
        there = store.symbols(MINUTE_SPAN, "live")
        if symbol and there and symbol not in there:
            raise DataError(f"no bars of {symbol} in {folder}; there are {', '.join(there)}")
        symbols, book = (
            (symbol,) if symbol else tuple(there),
            CorporateActions.load(actions) if actions else None,
        )
        source = folder
        count = write(
            source,
            what,
            out,
            format,
            BarRange(store, symbols, MINUTE_SPAN, 0, END_OF_TIME, actions=book),
        )
    # an empty table is written all the same, for programs that expect a file
    if not count:
        dry = (
            "; a dry run sends nothing: orders has what would have been sent"
            if mode == "dry-run"
            else ""
        )
        raise NothingFound(
            f"no {what} in {source}{dry if what in {'trades', 'fills', 'positions'} else ''}"
        )
    sys.stderr.write(
        f"{plain_text(f'{count} {what} of {source}')}{plain_text(f' in {out}') if out else ''}\n"
    )
    return DONE


def print_answer(answer: dict[str, object], *, as_json: bool) -> None:
    """Print what a desk has answered."""
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    shown = {plain_text(name): _value_text(name, value) for name, value in answer.items()}
    sys.stdout.write(aligned_fields(shown))


def _value_text(name: str, value: object) -> object:
    if isinstance(value, int) and name in PAISE:
        return f"₹{rupees(value)}"
    return f"{time_of_day(value)} IST" if isinstance(value, int) and name == "now" else value
