"""Requests of a running desk through its socket, orders by hand above all."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from msgspec import structs

from engine.errors import ConnectionFailed, OperatorError
from engine.exit_codes import DONE
from engine.operator_requests import (
    EngineRequest,
    OperatorOutcome,
    OutcomeRequest,
    PlaceRequest,
    PreviewRequest,
    StatusRequest,
)
from engine.ops.control_socket import send_request, socket_path
from engine.texts import plain_text
from tui.commands.desk.desk_commands import desk_folders
from tui.commands.shared.yes_or_no import is_confirmed
from tui.run.configured import configuration

PATIENCE_S = 20.0
PAUSE_S = 0.05


def place_order(
    file: Path | None, mode: str, ticket: PlaceRequest, *, yes: bool, as_json: bool
) -> int:
    """Show what an order is and costs, have it confirmed, and place it.

    Raise `OperatorError` where it is refused.
    """
    door = find_desk(file, mode)
    # the desk reckons with the account as it is; nothing is sent by it
    preview = submit_request(door, PreviewRequest(**structs.asdict(ticket))).data
    shown = preview_text(preview)
    if not yes:
        # nobody is there to confirm it: a script has to say --yes
        if not sys.stdin.isatty():
            if as_json:
                sys.stdout.write(json.dumps({"preview": preview}) + "\n")
            raise OperatorError(f"nothing was sent; say --yes to place it: {shown}")
        if not is_confirmed(f"{door[1]}: {plain_text(shown)}\nPlace it?"):
            raise OperatorError("nothing was sent")
    told = submit_request(door, ticket).text
    return print_answer({"answer": told, "preview": preview} if as_json else told)


def preview_text(preview: dict[str, Any]) -> str:
    """Return a preview as `engine.manual.margin.OrderPreview` makes it in one line."""
    theirs, ours = (
        preview["margin_broker"],
        f"{_rupees_text(preview['margin_estimate'])} by our estimate",
    )
    blocks = f"blocks {ours}; the broker could not be asked: {preview['margin_missing']}"
    if theirs is not None:
        blocks = f"blocks {_rupees_text(theirs)} by the broker, {ours}"
    charges = (
        f"{_rupees_text(preview['charges'])}, {_rupees_text(preview['charges_both_ways'])} with "
        "the way back"
    )
    charges += f" ({preview['charges_rest_on']})" if preview["charges_rest_on"] else ""
    if preview["depository"]:
        charges += f", {_rupees_text(preview['depository'])} of the depository"
    return (
        f"{preview['order']}; worth {_rupees_text(preview['value'])}, charges {charges}; {blocks}"
    )


def _rupees_text(amount: float) -> str:
    return f"₹{amount:,.2f}"


def ask_desk(file: Path | None, mode: str, request: EngineRequest, *, as_json: bool) -> int:
    """Have the running desk do something, and print what became of it.

    Raise `OperatorError` where it refuses.
    """
    told = submit_request(find_desk(file, mode), request).text
    return print_answer({"answer": told} if as_json else told)


def find_desk(file: Path | None, mode: str) -> tuple[Path, str]:
    """Return socket and mode of the one desk that runs.

    Raise `ConnectionFailed` for none, `OperatorError` for several.
    """
    found = running_desks(file, mode)
    if len(found) > 1:
        raise OperatorError(f"{len(found)} desks run: name one with --mode")
    return found[0]


def running_desks(file: Path | None, mode: str) -> list[tuple[Path, str]]:
    """Return socket and mode of every desk that answers, or of that of one mode.

    Raise `ConnectionFailed` for none.
    """
    found = []
    for folder in desk_folders(configuration(file)):
        if mode and folder.name != mode:
            continue
        # a socket may outlive its desk: only an answer shows that one runs
        try:
            send_request(socket_path(folder), StatusRequest())
        except ConnectionFailed:
            continue
        found.append((socket_path(folder), folder.name.upper()))
    if not found:
        raise ConnectionFailed(f"no {mode} desk is running" if mode else "no desk is running")
    return found


def submit_request(desk: tuple[Path, str], request: EngineRequest) -> OperatorOutcome:
    """Submit a request and return its outcome.

    Raise `OperatorError` where it is refused or not answered.
    """
    outcome = await_outcome(desk[0], request)
    if not outcome.ok:
        raise OperatorError(str(outcome))
    return outcome


def await_outcome(door: Path, request: EngineRequest) -> OperatorOutcome:
    """Submit a request and wait for the engine's answer; raise `OperatorError` where none comes."""
    outcome = send_request(door, request)
    ends = time.monotonic() + PATIENCE_S
    while outcome.verdict == "pending":
        # the request may still be carried out: the text must not say that it failed
        if time.monotonic() > ends:
            raise OperatorError(
                f"the desk has not answered within {PATIENCE_S:g} s; look before you ask again"
            )
        time.sleep(PAUSE_S)
        outcome = send_request(door, OutcomeRequest(outcome.data["number"]))
    return outcome


def print_answer(answer: str | dict[str, Any]) -> int:
    """Print an answer as a line, or as an object."""
    sys.stdout.write((plain_text(answer) if isinstance(answer, str) else json.dumps(answer)) + "\n")
    return DONE
