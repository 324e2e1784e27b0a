"""Commands of practice: a past day traded by hand, its score card, the cards of before."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from engine.errors import ConfigError
from tui.commands.replay.replay_commands import At, DayPath, Paused, RecordedDay, Symbols
from tui.commands.run_commands import wanted_screen
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson, Speed, speed_of

practice_app = App(
    name="practice", help="Trade a past day by hand, and see how it went.", help_format="plaintext"
)


@practice_app.default
def practise(
    path: DayPath,
    *,
    date: RecordedDay = "",
    strategies: Annotated[
        bool, Parameter(negative="", help="Let the configured strategies trade beside you.")
    ] = False,
    at: At = "",
    symbols: Symbols = "",
    speed: Speed = "1",
    paused: Paused = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Trade a past day by hand, against the recorded market; its score card follows.

    Orders fill on paper. There is no going back but to the start, which is counted. When it
    is left, or the day is over, the configured strategies play the same day, and the card
    compares.
    """
    from tui.commands.replay.past_day import past_day, watched, without_database
    from tui.commands.replay.practice_run import run_practice
    from tui.commands.replay.strategies_day import TRADES, trade_time
    from tui.run.configured import configuration

    screen = wanted_screen(no_ui=False)
    if screen is None:
        raise ConfigError("practice needs a terminal: it is traded on the screen")
    values = configuration(config)
    found = past_day(values, path, day=date, symbols=symbols, until="")
    if at in TRADES:
        at = trade_time(without_database(values), found, at)
    plan = watched(
        found,
        speed=speed_of(speed),
        at=at,
        paused=paused,
        stays=True,
        practice=True,
    )
    return run_practice(without_database(values), plan, screen, beside=strategies, as_json=as_json)


@practice_app.command(name="list")
def list_practice(*, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List the practised days, the last one first."""
    from engine.exit_codes import DONE, FAILED
    from engine.numbers import time_of_day
    from tui.commands.replay.practice_log import kept_sessions, practice_file
    from tui.commands.shared.text_tables import print_table
    from tui.run.configured import configuration

    rows = [
        {
            "number": each.number,
            "practised": each.practised,
            "day": each.day,
            "to": time_of_day(each.left)[:5],
            "net": each.own.net / 100,
            "strategies": each.strategies.net / 100,
            "holding": each.held.net / 100,
            "drawdown": each.own.drawdown / 100,
            "orders": each.own.orders,
            "restarts": each.restarts,
        }
        for each in reversed(kept_sessions(practice_file(configuration(config))))
    ]
    if not rows and not as_json:
        sys.stderr.write("nothing has been practised yet: patang practice DAY\n")
        return FAILED
    print_table(rows, as_json=as_json)
    return DONE


@practice_app.command(name="show")
def show_practice(
    number: Annotated[int, Parameter(help="Its number in the list; 0: the last one.")] = 0,
    *,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Show the score card of a practised day."""
    from engine.exit_codes import DONE
    from tui.commands.replay.practice_log import find_session, practice_file
    from tui.commands.replay.practice_run import print_card
    from tui.run.configured import configuration

    print_card(find_session(practice_file(configuration(config)), number), as_json=as_json)
    return DONE
