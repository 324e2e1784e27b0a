"""A past day to be played, by its name or its files, as the plan of a run."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec.structs

from engine.config.schema import DeskConfig
from engine.day.replay_control import ReplayControl, ReplayGoal
from engine.errors import ConfigError
from tui.run.launch import recorded_day
from tui.run.recording_replay import recorded_range, recording_of
from tui.run.session import RunPlan

FIRST, LATEST = "", "24:00"


def past_day(
    config: DeskConfig,
    path: Path,
    *,
    day: str,
    symbols: str,
    until: str,
) -> RunPlan:
    """Return the plan of a run on a recording, or on a day of a folder of bars.

    Raise `ConfigError` where what is said does not go together, `DataError` where there is none.
    """
    names = tuple(name.strip().upper() for name in symbols.split(",") if name.strip())
    recording = recording_of(config, path)
    if recording is None:
        return RunPlan("replay", path, recorded_day(day), names, 0.0, fleeting=True)
    if day or names:
        raise ConfigError("a recording has its own day and symbols: leave --date and --symbols out")
    _, ends = recorded_range(recording.day, FIRST, until)
    return RunPlan(
        "replay", None, recording.day, (), 0.0, fleeting=True, recording=recording, until=ends
    )


def watched(
    plan: RunPlan, *, speed: float, at: str, paused: bool, stays: bool, practice: bool = False
) -> RunPlan:
    """Return a plan whose day has a pace, and is played at once to a time.

    `stays`: somebody watches, and may want to go on from wherever it holds.
    """
    goal = None
    # a time of that day: an offset into it means nothing before it is open
    if at:
        begins, _ = recorded_range(plan.day, at, LATEST)
        goal = ReplayGoal(ts=begins)
    control = ReplayControl(speed, paused=paused, goal=goal, stays=stays)
    return replace(plan, control=control, practice=practice)


def without_database(config: DeskConfig) -> DeskConfig:
    """Return a configuration whose day is written in a database of its own.

    A day that is played again would find what it came to before in the configured one.
    """
    return msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, database=""))


def day_of(plan: RunPlan) -> date:
    """Return the day of a plan."""
    return date.fromisoformat(plan.day)
