"""Dead letters from the command line: what the feed sent that cannot be true."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from brokers.connection import FrameFormat
from brokers.registry import frames_of
from engine.config.desk_modes import Mode
from engine.day.dead_letters import FRAME, WORDS, DeadLetter, judge_tick, unpacked_tick
from engine.errors import NothingFound
from engine.exit_codes import DONE
from engine.texts import plain_text
from store.database_integrity import open_for_reading
from store.export import ist_text
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.formats import aligned_fields
from tui.run.configured import configuration
from tui.run.run_records import latest_database

letters = App(
    name="letters",
    help="What the feed sent that cannot be true: see it, and judge it again.",
    help_format="plaintext",
)

OfMode = Annotated[Mode | None, Parameter(help="Whose last run; empty: as configured.")]
Database = Annotated[Path | None, Parameter(help="Database to read instead.")]


@letters.command(name="list")
def list_(
    *,
    reason: Annotated[str, Parameter(help="Only those of this reason.")] = "",
    mode: OfMode = None,
    database: Database = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Show the letters that are kept, the newest first."""
    found = [each for each in _read_letters(config, mode, database) if reason in {"", each.reason}]
    if not found:
        raise NothingFound("no dead letters" + (f" of reason {reason}" if reason else ""))
    counts = {each: sum(letter.reason == each for letter in found) for each in WORDS}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    print_table(
        [_letter_row(each) for each in found],
        as_json=as_json,
        summary=f"{len(found)} letters: {told}",
    )
    return DONE


@letters.command
def show(
    name: Annotated[str, Parameter(help="As `letters list` has it.")],
    *,
    mode: OfMode = None,
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Show one letter whole: what came, and what it was judged by."""
    letter = next(
        (
            each
            for each in _read_letters(config, mode, database)
            # names are typed off a table
            if _letter_name(each) == name.lower()
        ),
        None,
    )
    if letter is None:
        raise NothingFound(f"no letter {name}: `patang letters list` shows those that are kept")
    told = {
        **_letter_row(letter),
        "why": WORDS[letter.reason],
        **json.loads(letter.facts),
        "payload": letter.payload,
    }
    sys.stdout.write(json.dumps(told) + "\n" if as_json else aligned_fields(told))
    return DONE


@letters.command
def replay(
    *,
    mode: OfMode = None,
    database: Database = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Judge every letter by the rules of this version.

    Which of them would be taken now? Changes nothing.
    """
    found = _read_letters(config, mode, database)
    frames = frames_of(configuration(config).broker.name)
    rows: list[dict[str, object]] = [
        {**_letter_row(each), "now": _judge_again(each, frames)} for each in found
    ]
    taken = sum(row["now"] == "taken" for row in rows)
    print_table(rows, as_json=as_json, summary=f"{taken} of {len(rows)} letters would be taken now")
    return DONE


def _judge_again(letter: DeadLetter, frames: FrameFormat) -> str:
    try:
        payload, facts = bytes.fromhex(letter.payload), json.loads(letter.facts)
        if letter.reason == FRAME:
            decoder = frames.reader()
            ticks = decoder.decode(payload, letter.ts)
            # a frame is taken whole: its packets may be shifted behind the one that is damaged
            return "taken" if ticks and decoder.whole else FRAME
        return judge_tick(unpacked_tick(payload), letter.symbol, facts, letter.ts) or "taken"
    # kept by a version that packed ticks in another way
    except ValueError:
        return "unreadable"


def _read_letters(config: Path | None, mode: str | None, database: Path | None) -> list[DeadLetter]:
    """Return the letters of a run, newest first; raise `NothingFound`."""
    if database is None:
        values = configuration(config)
        database = latest_database(values, mode or values.desk.mode)
    sys.stderr.write(plain_text(f"by {database}") + "\n")
    with open_for_reading(database) as connection, closing(connection.cursor()) as cursor:
        try:
            rows = cursor.execute(
                "SELECT * FROM letters ORDER BY ts DESC, reason, number DESC"
            ).fetchall()
        # the table came with a later version
        except sqlite3.OperationalError:
            # written by a version that kept none
            return []
    return [DeadLetter(*row) for row in rows]


def _letter_name(letter: DeadLetter) -> str:
    return f"{letter.reason}-{letter.number}"


def _letter_row(letter: DeadLetter) -> dict[str, object]:
    return {
        "letter": _letter_name(letter),
        "at": ist_text(letter.ts)[:23],
        "symbol": letter.symbol,
        "token": letter.token,
        "price": f"{letter.price:g}" if letter.price else "",
    }
