"""Log of practised days: one line of JSON each, in the order in which they were practised."""

import os
from pathlib import Path

import msgspec

from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import DataError, NothingFound, OperatorError, in_words
from tui.commands.replay.score_card import PracticeSession


def practice_file(config: DeskConfig) -> Path:
    """Return where practised days are kept."""
    return desk_paths(config, os.environ).state / "practice.jsonl"


def kept_sessions(file: Path) -> list[PracticeSession]:
    """Return the practised days, oldest first.

    Raise `DataError` for a line that is none, `OperatorError` where it cannot be read.
    """
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {in_words(error)}") from None
    found: list[PracticeSession] = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(msgspec.json.decode(line, type=PracticeSession))
        except (msgspec.DecodeError, ValueError) as error:
            raise DataError(f"{file}, line {number}: no practised day: {error}") from None
    return found


def keep_session(file: Path, session: PracticeSession) -> None:
    """Add a practised day; raise `OperatorError` where it cannot be written."""
    try:
        # a line in one write: a second practice that ends meanwhile does not come between
        with file.open("ab") as lines:
            lines.write(msgspec.json.encode(session) + b"\n")
    except OSError as error:
        raise OperatorError(f"cannot write {file}: {in_words(error)}") from None


def find_session(file: Path, number: int) -> PracticeSession:
    """Return a practised day by its number, 0: the last; raise `NothingFound`."""
    found = [each for each in kept_sessions(file) if number in {0, each.number}]
    if not found:
        raise NothingFound(
            f"no practised day {number}: patang practice list shows them"
            if number
            else "nothing has been practised yet: patang practice DAY"
        )
    return found[-1]
