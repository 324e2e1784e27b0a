"""`patang attach` and `patang desks`: the screen of a desk that runs elsewhere, and which run."""

import json
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from engine.errors import ConnectionFailed, OperatorError
from engine.exit_codes import DONE
from engine.indian_time import INDIA
from engine.numbers import rupees
from engine.operator_requests import StatusRequest
from engine.ops.control_socket import send_request, socket_path
from engine.orders.killswitch import FLATTEN, HALT
from engine.texts import plain_text
from tui.attach.desk_link import ScreenPass, terminal_name
from tui.attach.operator_passphrase import choose_passphrase, passphrase_file
from tui.commands.desk import desk_places
from tui.commands.desk.desk_places import DeskPlace
from tui.commands.desk.kill_commands import latch_desk
from tui.run.configured import configuration
from tui.run.credentials import ask_passphrase
from tui.run.launch import has_screen
from tui.run.session import lock_of

HEADS = ("MODE", "STATE", "SINCE", "P&L", "OPEN", "NAKED", "ATTACHED", "PROCESS", "FOLDER")
FIGURES = frozenset({"P&L", "OPEN", "NAKED", "ATTACHED", "PROCESS"})
"""Columns of `patang desks` whose cells stand at the right."""


def attach_screen(file: Path | None, role: Literal["viewer", "operator"], mode: str) -> int:
    """Put up the screen of the running desk, of that mode where several run.

    Raises `ConnectionFailed` where none runs or it does not answer, `OperatorError` where it does
    not let this screen in, or there is no terminal.
    """
    place = _wanted_desk(file, mode)
    if not has_screen():
        raise OperatorError("patang attach needs a terminal; patang status tells without one")
    words = _operator_words(place) if role == "operator" else ""
    from tui.app.attached_runner import run_attached
    from tui.app.remote_desk import RemoteDesk

    where = terminal_name()

    def kill(flatten: bool, reason: str) -> str:
        told = latch_desk(place, FLATTEN if flatten else HALT, reason, f"{role} {where}")
        return str(told.get("error", ""))

    desk = RemoteDesk(place.folder, ScreenPass(role, where, words), kill)
    desk.link.join()
    error = run_attached(desk, configuration(file).ui)
    if error is not None:
        raise OperatorError(f"the screen died: {type(error).__name__}: {error}")
    sys.stderr.write(f"patang: {plain_text(_farewell_text(desk.standing.trouble, place))}\n")
    return DONE


def _farewell_text(trouble: str, place: DeskPlace) -> str:
    if trouble.startswith("DESK ENDED"):
        ended = trouble.removeprefix("DESK ENDED ").removesuffix(" · waiting for it")
        return f"the {place.mode} desk has ended: {ended}"
    return f"detached; the {place.mode} desk goes on: patang attach, patang stop"


def _operator_words(place: DeskPlace) -> str:
    """Return the operators' passphrase; where there is none yet, have one chosen."""
    file = passphrase_file(place.folder)
    fresh = not file.exists()
    if fresh:
        sys.stderr.write("No passphrase for operators has been chosen yet: choose one.\n")
    words = ask_passphrase(fresh, "Passphrase of operators: ")
    if fresh:
        choose_passphrase(file, words)
    return words


def _wanted_desk(file: Path | None, mode: str) -> DeskPlace:
    running = [
        place
        for place in desk_places.all_desks(file)
        if place.process is not None and mode in {"", place.mode}
    ]
    if not running:
        raise ConnectionFailed(f"no {mode} desk is running" if mode else "no desk is running")
    if len(running) > 1:
        here = desk_places.desk_setup(file)
        # Of several with that mode the configuration here says which.
        alike = len({place.mode for place in running}) == 1
        running = [p for p in running if alike and p.folder.parent == here.root] or running
    if len(running) > 1:
        named = ", ".join(f"{place.mode} ({place.folder})" for place in running)
        raise OperatorError(
            f"{len(running)} desks run: {named}; name one with --mode, or --config with its "
            "configuration"
        )
    return running[0]


def list_desks(file: Path | None, *, as_json: bool) -> int:
    """Print a line for each running desk of this user; raise `ConnectionFailed` without one."""
    desks = [_desk_fields(place) for place in desk_places.all_desks(file) if place.process]
    if not desks:
        raise ConnectionFailed("no desk is running")
    if as_json:
        sys.stdout.write("".join(json.dumps(desk) + "\n" for desk in desks))
        return DONE
    table = [HEADS, *map(_desk_cells, desks)]
    widths = [max(len(row[at]) for row in table) for at in range(len(HEADS) - 1)]
    for row in table:
        cells = [
            cell.rjust(width) if head in FIGURES else cell.ljust(width)
            for head, cell, width in zip(HEADS, row, widths, strict=False)
        ]
        sys.stdout.write(plain_text("  ".join([*cells, row[-1]])) + "\n")
    return DONE


def _desk_fields(place: DeskPlace) -> dict[str, object]:
    assert place.process is not None
    fields: dict[str, object] = {"mode": place.mode.upper(), "state": "no answer"}
    with suppress(ConnectionFailed):
        told = send_request(socket_path(place.folder), StatusRequest()).data
        names = ("mode", "state", "pnl", "positions", "naked", "kill", "attached")
        fields |= {name: told[name] for name in names if name in told}
    with suppress(OSError):
        # Written when the desk took hold of its folder.
        fields["since"] = int(lock_of(place.folder).stat().st_mtime)
    return fields | {"process": place.process.pid, "folder": str(place.folder)}


def _desk_cells(desk: dict[str, object]) -> tuple[str, ...]:
    since = desk.get("since")
    begun = (
        datetime.fromtimestamp(since, INDIA).strftime("%d %b %H:%M IST")
        if isinstance(since, int)
        else "-"
    )
    pnl = desk.get("pnl")
    kill = f" {str(desk['kill']).upper()}" if desk.get("kill") else ""
    return (
        str(desk["mode"]),
        f"{desk['state']}{kill}",
        begun,
        rupees(pnl) if isinstance(pnl, int) else "-",
        *(str(desk.get(name, "-")) for name in ("positions", "naked", "attached", "process")),
        str(desk["folder"]),
    )
