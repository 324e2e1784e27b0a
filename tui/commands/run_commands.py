"""Commands that begin a desk on its market, or on a simulated one."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from tui.commands.shared.options import AsJson, ConfigFile, Speed, speed_of

if TYPE_CHECKING:
    from engine.desk import Desk
    from tui.run.forced_ending import ForcedEnding
    from tui.run.launch import ScreenRunner
    from tui.run.session import DeskSession

NoUi = Annotated[bool, Parameter(name="--no-ui", negative="", help="Run without the screen.")]


def run(
    *,
    mode: Annotated[
        Mode | None, Parameter(help="Instead of desk.mode of the configuration.")
    ] = None,
    live: Annotated[
        bool,
        Parameter(negative="", help="Send real orders: mode live, or shadow where that is set."),
    ] = False,
    confirm: Annotated[
        str, Parameter(help="The account that may be traded; without it, it is asked for.")
    ] = "",
    no_ui: NoUi = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run the desk: with its screen in a terminal, without one headless."""
    from tui.run.configured import configuration
    from tui.run.launch import launch
    from tui.run.session import SENDING, RunPlan

    values = configuration(config)
    # --live alone means live, but a desk that is set to shadow keeps its twins
    wanted = mode or (values.desk.mode if not live or values.desk.mode in SENDING else "live")
    plan = RunPlan(wanted, live=live, confirm=confirm)
    return launch(values, plan, wanted_screen(no_ui=no_ui), as_json=as_json)


def demo(
    *,
    no_ui: NoUi = False,
    seed: Annotated[int, Parameter(help="Number from which the whole market follows.")] = 7,
    speed: Speed = "",
    days: Annotated[
        int,
        Parameter(
            help="How many trading days one account lives through; several without a screen."
        ),
    ] = 1,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Open the workstation on a simulated market.

    Without a terminal, run its whole day headless.
    """
    from tui.run.configured import configuration
    from tui.run.launch import launch, launch_days, simulated_days
    from tui.run.session import RunPlan

    # a screen shows one desk, and each of several days has its own
    screen = wanted_screen(no_ui=no_ui or days > 1)
    # nobody watches a headless day
    pace = speed_of(speed or ("10" if screen else "max"))
    if days > 1:
        settings = configuration(config)
        return launch_days(
            settings,
            RunPlan(seed=seed, speed=pace, fleeting=True),
            simulated_days(settings, days),
            as_json=as_json,
        )
    return launch(
        configuration(config),
        RunPlan(seed=seed, speed=pace, fleeting=True),
        screen,
        as_json=as_json,
    )


def wanted_screen(*, no_ui: bool) -> "ScreenRunner | None":
    """Return what puts a run under a screen, None for a headless one."""
    from tui.run.launch import has_screen

    # a pipe or a cron job gets the headless desk without having to ask for it
    if no_ui or not has_screen():
        # somebody sits there, and would wait for the screen
        if not no_ui and sys.stdin.isatty() and os.environ.get("TERM", "dumb") == "dumb":
            sys.stderr.write("patang: no screen on a dumb terminal (TERM): none is drawn\n")
        return None
    return _run_screen


def _run_screen(station: "DeskSession", ending: "ForcedEnding") -> "Desk":
    """Put a run under the screen, whose library is imported when the run may start."""
    from tui.app.screen_runner import run_screen

    return run_screen(station, ending)
