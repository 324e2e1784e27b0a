"""The desk's log from the command line: its events, or the lines of its log file."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

from engine.errors import NothingFound, OperatorError, in_words
from engine.exit_codes import DONE
from engine.numbers import log_time, time_of_day
from engine.system.structured_logs import LogLine, read_log
from engine.texts import plain_text
from store.database_integrity import open_for_reading
from tui.run.configured import configuration
from tui.run.run_records import latest_database, state_folder

LogLevel = Literal["all", "warn", "alarm"]
_KEPT: Final = {
    "all": frozenset({"info", "fill", "warn", "alarm"}),
    "warn": frozenset({"warn", "alarm"}),
    "alarm": frozenset({"alarm"}),
}


def show_log(
    words: Sequence[str],
    level: LogLevel,
    most: int,
    mode: str,
    config: Path | None,
    *,
    file: bool,
    as_json: bool,
) -> int:
    """Print the last lines that have every word, oldest first; raise `NothingFound`."""
    values = configuration(config)
    mode = mode or values.desk.mode
    if file:
        source = state_folder(values, mode) / "patang.log"
        lines = _file_lines(source)
    else:
        source = latest_database(values, mode)
        lines = _event_lines(source)
    sys.stderr.write(plain_text(f"by {source}") + "\n")
    kept = [
        line
        for line in lines
        if line.level in _KEPT[level] and all(word.lower() in line.whole.lower() for word in words)
    ][-most:]
    if not kept:
        raise NothingFound("no such lines in the log")
    if as_json:
        rows = [
            {"ts": one.ts, "level": one.level, "text": one.text, "whole": one.whole} for one in kept
        ]
        sys.stdout.write(json.dumps(rows) + "\n")
        return DONE
    for line in kept:
        day, _, _ = log_time(line.ts).rpartition(" ")
        text = f"{day} {time_of_day(line.ts)}  {line.level:<5}  {line.text}"
        sys.stdout.write(plain_text(text) + "\n")
    return DONE


def _file_lines(path: Path) -> list[LogLine]:
    try:
        return read_log(path)
    except FileNotFoundError:
        raise NothingFound(f"no log at {path}: no desk of this mode has run") from None
    except OSError as error:
        raise OperatorError(f"{path}: {in_words(error)}") from None


def _event_lines(database: Path) -> list[LogLine]:
    query = (
        "SELECT seq, ifnull(ts, 0), ifnull(level, ''), ifnull(text, '') FROM events ORDER BY seq"
    )
    with open_for_reading(database) as connection, closing(connection.cursor()) as cursor:
        rows = cursor.execute(query).fetchall()
    return [
        LogLine(int(seq), int(ts), str(level), str(text), str(text))
        for seq, ts, level, text in rows
    ]
