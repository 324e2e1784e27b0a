"""Command that plays a recorded day: behind the screen to go about in it, or headless."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.errors import ConfigError
from tui.commands.run_commands import NoUi, wanted_screen
from tui.commands.shared.options import AsJson, ConfigFile, Speed, speed_of

DayPath = Annotated[
    Path,
    Parameter(
        help=(
            "Folder of SYMBOL.parquet files with 1-minute bars; or a recording of the feed: "
            "MODE/DAY/RUN as `ticks list` has it, a day, a day's folder, a file."
        )
    ),
]
At = Annotated[
    str,
    Parameter(
        help=(
            "The time, HH:MM or HH:MM:SS, to which it is played at once; headless it ends there. "
            "worst, best: the entry of that trade."
        )
    ),
]
Paused = Annotated[bool, Parameter(negative="", help="Hold it still where it begins.")]
Symbols = Annotated[str, Parameter(help="Only these, with commas between.")]
RecordedDay = Annotated[str, Parameter(help="The recorded day, YYYY-MM-DD.")]


def replay(
    path: DayPath,
    *,
    date: RecordedDay = "",
    since: Annotated[
        str,
        Parameter(
            name="--from",
            help=(
                "The first of several days, which one account lives on through; without a "
                "screen. Of a recording, or of one day: as --at, but headless it goes on."
            ),
        ),
    ] = "",
    until: Annotated[
        str,
        Parameter(
            name=["--to", "--until"],
            help="The last of them; of a recording: the time it is played to.",
        ),
    ] = "",
    at: At = "",
    symbols: Symbols = "",
    speed: Speed = "1",
    paused: Paused = False,
    no_ui: NoUi = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Play a recorded day through the whole desk: watch it, stop it, step, go to any moment of it.

    Without a screen it runs to its end, or to the moment that --at or --to names, and the
    state then is printed. Several days run one after the other.
    """
    from tui.commands.replay.past_day import past_day, watched, without_database
    from tui.commands.replay.strategies_day import TRADES, trade_time
    from tui.run.configured import configuration
    from tui.run.launch import launch, launch_days, recorded_days
    from tui.run.recording_replay import recording_of
    from tui.run.session import RunPlan

    values = configuration(config)
    pace = speed_of(speed)
    if recording_of(values, path) is None and not date and (since or until):
        names = tuple(name.strip().upper() for name in symbols.split(",") if name.strip())
        # one bound alone is an error that `recorded_days` explains
        days = recorded_days(path, names, date, since, until)
        plan = RunPlan("replay", path, "", names, pace, fleeting=True)
        return launch_days(values, plan, days, as_json=as_json)
    if at and since:
        raise ConfigError("--at and --from both say where it begins: leave one out")
    screen = wanted_screen(no_ui=no_ui)
    if paused and screen is None:
        raise ConfigError("--paused needs the screen, where p lets it go on")
    found = past_day(values, path, day=date, symbols=symbols, until="" if date else until)
    if at in TRADES:
        at = trade_time(without_database(values), found, at)
    # a day of bars ends where its exchange does: --to is where it is left
    leaves = at or (until if date else "")
    plan = watched(
        found,
        speed=pace,
        at=leaves or since,
        paused=paused or (screen is None and bool(leaves)),
        stays=screen is not None,
    )
    return launch(without_database(values), plan, screen, as_json=as_json)
