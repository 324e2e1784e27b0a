"""Day that the configured strategies make of a past one, played through once."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from engine.config.schema import DeskConfig
from engine.day.replay_control import ReplayControl, ReplayGoal
from engine.numbers import time_of_day
from store.desk_marks import chosen_trade, ended_trades
from tui.commands.replay.past_day import day_of
from tui.run.replay.replaying_desk import journal_of
from tui.run.run_records import remove_run
from tui.run.session import DeskSession, RunPlan
from tui.run.wiring import open_desk

TRADES: Final = frozenset({"worst", "best"})
"""Trades whose entry may stand for a time."""
TO_THE_END: Final = 2**62


@contextlib.contextmanager
def played_day(
    config: DeskConfig, plan: RunPlan, until: int
) -> Iterator[tuple[DeskSession, ReplayControl]]:
    """Yield the closed station of a day that was played up to a moment (ns UTC), and its control.

    Its records are gone afterwards.
    """
    control = ReplayControl(paused=True, goal=ReplayGoal(ts=until))
    station = DeskSession(config, replace(plan, control=control, practice=False, by_hand=False))
    try:
        desk = open_desk(station)
        desk.done.wait()
        # a day that broke off is none to compare with
        if desk.error is not None:
            raise desk.error
    finally:
        station.close()
    yield station, control
    # it was for one answer alone: commands that show the last run are to find another
    remove_run(station.database)


def trade_time(config: DeskConfig, plan: RunPlan, which: str) -> str:
    """Return when the "worst" or the "best" trade of a day was entered, HH:MM:SS.

    It is one of the recorded desk's where its journal is here, else of the configured strategies',
    whose day is played for it. Raise `NothingFound` where no trade is over.
    """
    journal = journal_of(config, plan.recording) if plan.recording is not None else None
    if journal is not None:
        trades = ended_trades(journal, day_of(plan))
    else:
        sys.stderr.write(f"patang: the day is played, to find its {which} trade ...\n")
        with played_day(config, plan, TO_THE_END) as (station, _):
            trades = ended_trades(station.database, day_of(plan))
    return time_of_day(chosen_trade(trades, which).entered)
