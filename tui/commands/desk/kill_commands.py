"""`patang kill` and `patang resume`: every desk of this user latched, or one released."""

import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from engine.errors import ConnectionFailed, NothingFound, OperatorError
from engine.exit_codes import DONE, FAILED
from engine.operator_requests import KillRequest, ResumeRequest, StatusRequest
from engine.ops.control_socket import send_request, socket_path
from engine.orders.killswitch import FLATTEN, HALT, LONGEST_TEXT, KillSwitch
from engine.texts import plain_text
from tui.commands.desk import desk_places
from tui.commands.desk.desk_commands import WHO, print_answer
from tui.commands.desk.desk_places import DeskPlace
from tui.run.run_records import kept_latches

ANSWER_S, ALL_S = 2.0, 20.0
"""How long a desk may take to answer before the other ways are taken, and all of them together."""


def kill_desks(file: Path | None, reason: str, *, flatten: bool, as_json: bool) -> int:
    """Latch every desk of this user, running or not, then say which was reached by which way.

    Those on record come first, and without a configuration. Nothing is printed before all are
    latched. Returns 1 where one was not reached, or its latch is not on disk.
    """
    level, reason = FLATTEN if flatten else HALT, reason[:LONGEST_TEXT]
    known = desk_places.known_desks()
    # before the configuration is read: a broken one costs these no moment
    told = _latch_all(known, level, reason)
    told += _latch_all(
        desk_places.further_desks(desk_places.desk_setup(file), known), level, reason
    )
    for answer in told:
        if "error" in answer:
            sys.stderr.write(
                plain_text(
                    f"patang: the {str(answer['mode']).lower()} desk of {answer['folder']}: "
                    f"{answer['error']}"
                )
                + "\n"
            )
    for answer in told:
        print_answer(answer, as_json=as_json)
    return FAILED if any("error" in answer for answer in told) else DONE


def _latch_all(found: list[DeskPlace], level: str, reason: str) -> list[dict[str, object]]:
    """Latch desks side by side: one that hangs, or whose disk does, keeps no other waiting."""
    told: dict[Path, dict[str, object]] = {}

    def latch(place: DeskPlace) -> None:
        told[place.folder] = latch_desk(place, level, reason)

    # daemons: one that hangs must not keep the command from ending
    threads = [threading.Thread(target=latch, args=(place,), daemon=True) for place in found]
    for thread in threads:
        thread.start()
    end = time.monotonic() + ALL_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = {"state": "not reached", "by": [], "error": f"nothing has answered within {ALL_S:g} s"}
    return [told.get(place.folder) or _place_fields(place) | late for place in found]


def _place_fields(place: DeskPlace) -> dict[str, object]:
    return {"mode": place.mode.upper(), "folder": str(place.folder)}


def latch_desk(place: DeskPlace, level: str, reason: str, who: str = WHO) -> dict[str, object]:
    """Latch one desk through its socket; without an answer, by its file and by a signal.

    Return which ways have worked; `error` says what has not.
    """
    request = KillRequest(level == FLATTEN, reason, who)
    try:
        outcome = send_request(socket_path(place.folder), request, ANSWER_S)
    except ConnectionFailed:
        return _latch_from_outside(place, level, reason, who)
    # it has not understood
    if not outcome.ok:
        return _latch_from_outside(place, level, reason, who)
    # it is told as an error: nobody reads a field
    unkept = outcome.data.pop("unkept", "")
    answer: dict[str, object] = _place_fields(place) | outcome.data | {"by": ["socket"]}
    if unkept:
        answer["error"] = _not_on_disk(unkept)
    return answer


def _latch_from_outside(place: DeskPlace, level: str, reason: str, who: str) -> dict[str, object]:
    by, errors = [], []
    # the file holds whoever starts there next, and a desk that looks at it
    switch = KillSwitch(place.folder / "KILL")
    switch.trigger(level, reason, who)
    if switch.unkept:
        errors.append(_not_on_disk(switch.unkept))
    else:
        by.append("file")
    if place.process is not None:
        # a desk whose socket hangs may still take a signal
        if _signal_kill(place):
            by.append("signal")
        else:
            errors.append(f"process {place.process.pid} does not answer, and takes no signal")
    state = "not running" if place.process is None else "no answer"
    answer: dict[str, object] = _place_fields(place) | {"state": state, "kill": level, "by": by}
    return answer | ({"error": "; ".join(errors)} if errors else {})


def _not_on_disk(why: object) -> str:
    return f"the latch is not on disk: {why}; a desk that is started afterwards would trade"


def _signal_kill(place: DeskPlace) -> bool:
    """Send SIGUSR1 to a desk, and to nothing that would die of it."""
    try:
        return (
            place.process is not None
            # without a handler SIGUSR1 ends a process, and with it the protection it tends
            and place.process.heeds_kill
            and place.process.send(signal.SIGUSR1)
        )
    except OSError:
        return False


class LatchedDesk(NamedTuple):
    """A desk that is latched: the switch of one that does not run, None for one that answers."""

    place: DeskPlace
    level: str
    reason: str
    switch: KillSwitch | None


def resume_desk(file: Path | None, reason: str, mode: str, *, as_json: bool) -> int:
    """Release one desk: the only one that is latched, or that of the mode.

    A running one writes it to its audit log. Raises `NothingFound` where none is latched,
    `OperatorError` where several are, or the disk does not take the release.
    """
    if not reason.strip():
        raise OperatorError("a reason is needed: patang resume --reason TEXT")
    here = desk_places.desk_setup(file)
    known = desk_places.known_desks()
    own = desk_places.further_desks(here, known)
    everyone = [
        _latched_desk(place, desk_places.database_of(place, here.config)) for place in known + own
    ]
    held = [one for one in everyone if one is not None and mode in {"", one.place.mode}]
    # of several folders with that mode the configuration here says which
    if len({one.place.mode for one in held}) == 1 < len(held):
        held = [one for one in held if one.place.folder.parent == here.root] or held
    if not held:
        raise NothingFound(f"no {mode} desk is latched" if mode else "no desk is latched")
    if len(held) > 1:
        named = ", ".join(
            f"{one.place.mode} ({one.place.folder}: {one.level}, {one.reason})" for one in held
        )
        alike = len({one.place.mode for one in held}) == 1
        mend = "say --config with the configuration of one" if alike else "name one with --mode"
        raise OperatorError(f"{len(held)} desks are latched, nothing was released: {named}; {mend}")
    print_answer(_release_desk(held[0], reason), as_json=as_json)
    return DONE


def _latched_desk(place: DeskPlace, database: Path) -> LatchedDesk | None:
    """Return how a desk is latched, None where it is not."""
    try:
        answer = send_request(socket_path(place.folder), StatusRequest()).data
        level = str(answer.get("kill", ""))
        return (
            LatchedDesk(place, level, str(answer.get("kill_reason", "")), None) if level else None
        )
    except ConnectionFailed:
        switch = KillSwitch(place.folder / "KILL", kept=kept_latches(database))
        latch = switch.latch
        return LatchedDesk(place, latch.level, latch.reason, switch) if latch else None


def _release_desk(held: LatchedDesk, reason: str) -> dict[str, object]:
    place = held.place
    named = _place_fields(place)
    if held.switch is None:
        outcome = send_request(socket_path(place.folder), ResumeRequest(reason, WHO))
        if not outcome.ok:
            raise OperatorError(outcome.text)
        return named | outcome.data
    if place.process is not None:
        raise OperatorError(
            f"the {place.mode} desk (process {place.process.pid}) does not answer, nothing was "
            "released: "
            f"patang stop --mode {place.mode} ends it"
        )
    # somebody may have removed it by hand
    there = held.switch.path.exists()
    held.switch.resume(reason, WHO)
    return named | {"resumed": True, "was": held.reason, "file": "removed" if there else "was gone"}
