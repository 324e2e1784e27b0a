"""`patang order`, `modify` and `cancel`: orders by hand, through the door of a running desk."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from engine.errors import ConnectionFailed, OperatorError
from engine.ops.control import ask, socket_path
from tui.remote import DONE, folders

PATIENCE_S = 20.0
PAUSE_S = 0.05


def order(file: Path | None, mode: str, ticket: dict[str, Any], *, yes: bool, as_json: bool) -> int:
    """Show what an order is and costs, have it confirmed, and place it; raise `OperatorError` where it is refused."""
    door = the_desk(file, mode)
    detail = json.dumps(ticket)
    shown = submit(door, "preview", detail)
    if not yes:
        if not sys.stdin.isatty():
            raise OperatorError(f"nothing was sent; say --yes to place it: {shown}")
        sys.stderr.write(f"{door[1]}: {shown}\nPlace it? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise OperatorError("nothing was sent")
    return _told(submit(door, "order", detail), as_json=as_json)


def modify(file: Path | None, mode: str, change: dict[str, Any], *, as_json: bool) -> int:
    """Have a working order changed."""
    return _told(submit(the_desk(file, mode), "modify", json.dumps(change)), as_json=as_json)


def cancel(file: Path | None, mode: str, name: str, *, as_json: bool) -> int:
    """Have a working order cancelled."""
    return _told(submit(the_desk(file, mode), "cancel", name), as_json=as_json)


def the_desk(file: Path | None, mode: str) -> tuple[Path, str]:
    """Return door and mode of the one desk that runs; raise `ConnectionFailed` for none, `OperatorError` for several."""
    from tui.launch import configuration  # noqa: PLC0415  see tui/reconcile.py

    found = []
    for folder in folders(configuration(file)):
        if mode and folder.name != mode:
            continue
        try:
            ask(socket_path(folder), {"cmd": "status"})
        except ConnectionFailed:
            continue
        found.append((socket_path(folder), folder.name.upper()))
    if not found:
        raise ConnectionFailed(f"no {mode} desk is running" if mode else "no desk is running")
    if len(found) > 1:
        raise OperatorError(f"{len(found)} desks run: name one with --mode")
    return found[0]


def submit(desk: tuple[Path, str], act: str, detail: str) -> str:
    """Submit an act and return what became of it; raise `OperatorError` where it is refused or not answered."""
    number = ask(desk[0], {"cmd": "submit", "act": act, "detail": detail})["number"]
    ends = time.monotonic() + PATIENCE_S
    while not (told := str(ask(desk[0], {"cmd": "answer", "number": number})["answer"])):
        if time.monotonic() > ends:
            raise OperatorError(f"the desk has not answered within {PATIENCE_S:g} s; look before you ask again")
        time.sleep(PAUSE_S)
    if not told.startswith("done: "):
        raise OperatorError(told)
    return told.removeprefix("done: ")


def _told(text: str, *, as_json: bool) -> int:
    sys.stdout.write((json.dumps({"answer": text}) if as_json else text) + "\n")
    return DONE
