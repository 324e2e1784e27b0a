"""The command line: stdout is data, stderr is narration, exit codes are an API.

Exit codes: 0 done · 1 failed · 2 usage, configuration or data · 3 no connection · 4 killed · 130
interrupted.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Parameter,
    UnknownOptionError,
    UnusedCliTokensError,
)

from engine.config.desk_modes import Mode
from engine.errors import ConfigError, PatangError, in_words
from engine.exit_codes import DONE, FAILED, INTERRUPTED, USAGE
from engine.texts import plain_text
from tui.commands import memory_check
from tui.commands.replay.practice_commands import practice_app
from tui.commands.replay.replay_commands import replay
from tui.commands.run_commands import demo, run
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson
from tui.commands.shared.strict_values import convert_any_length, convert_strictly
from tui.standard_streams import leave_stdout, take_streams

MOST_RUNS = 1_000
LONGEST = 1_000
"""Characters of a complaint about a command line."""

Benchmark = Literal[
    "book",
    "frames",
    "bars",
    "charges",
    "backtest",
    "sweep",
    "trials",
    "sandbox",
    "feed",
    "screen",
    "memory",
    "history",
    "instructions",
]


class HelpConsole:
    """The console of help texts, made when there is one to show.

    Without styles, as every other output.
    """

    def __getattr__(self, name: str) -> Any:
        from rich.console import Console

        return getattr(Console(color_system=None), name)


app = App(
    name="patang",
    # Rich is slow to import, and most commands show no help
    console=cast("Any", HelpConsole()),
    help="A terminal trading workstation for the Indian market.",
    version_flags=["--version"],
    version=lambda: version_text(as_json=False),
    result_action="return_value",
    help_format="plaintext",
    # Python reads 1_0 and other alphabets' digits as numbers; a quantity must mean what it looks
    # like
    default_parameter=Parameter(converter=convert_strictly),
)
config_app = App(name="config", help="Check or show the configuration.", help_format="plaintext")
app.command(config_app)
app.default(run)
for begins in (run, demo, replay):
    app.command(begins)
app.command(practice_app)


@app.command
def status(*, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Tell how the running desk stands."""
    from tui.commands.desk.desk_commands import show_status as ask_status

    return ask_status(config, as_json=as_json)


@app.command
def attach(
    *,
    role: Annotated[
        Literal["viewer", "operator"],
        Parameter(
            name="--as",
            help="viewer looks; operator acts, by a passphrase that is chosen the first time.",
        ),
    ] = "viewer",
    mode: Annotated[Mode | None, Parameter(help="Which desk, where several run.")] = None,
    config: ConfigFile = None,
) -> int:
    """Put up the screen of a running desk; leaving it leaves the desk as it is.

    Several at once. A viewer changes nothing but may kill; `patang stop` ends the
    desk. Exits with 3 where none runs, with 2 where it does not let this screen
    in: another version, a wrong passphrase.
    """
    from tui.commands.desk.attach_commands import attach_screen

    return attach_screen(config, role, mode or "")


@app.command
def desks(*, config: ConfigFile = None, as_json: AsJson = False) -> int:
    """List the running desks of this user.

    Mode, state, since when, P&L after charges, open and naked positions, how many
    screens are attached, process and folder. Exits with 3 where none runs.
    """
    from tui.commands.desk.attach_commands import list_desks

    return list_desks(config, as_json=as_json)


@app.command
def kill(
    *,
    flatten: Annotated[
        bool, Parameter(negative="", help="Also exit every position at the market.")
    ] = False,
    reason: Annotated[
        str,
        Parameter(
            help="Why; what is longer than 500 characters is cut.", converter=convert_any_length
        ),
    ] = "patang kill",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Stop new entries at once, on every desk of this user, running or not.

    Working entries are cancelled, protection stays at the broker. Works while a
    desk hangs, and before one starts. Prints each desk with the ways by which it
    was reached. Exits with 1 where one was not reached, or its latch is not on
    disk.
    """
    from tui.commands.desk.kill_commands import kill_desks as latch

    return latch(config, reason, flatten=flatten, as_json=as_json)


@app.command
def stop(
    *,
    mode: Annotated[Mode | None, Parameter(help="Only the desk of this mode.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """End every running desk of this user in order, and wait for its end.

    Also one that is still opening. Nothing is sold, protection stays at the
    broker. Prints each desk with the positions it leaves. Exits with 3 where
    none runs, with 2 where one does not end within a minute.
    """
    from tui.commands.desk.desk_commands import stop_desks as end

    return end(config, mode or "", as_json=as_json)


@app.command
def resume(
    *,
    reason: Annotated[str, Parameter(help="Why trading may go on; kept in the audit log.")],
    mode: Annotated[Mode | None, Parameter(help="Which desk, where several are latched.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Release the kill switch of one desk."""
    from tui.commands.desk.kill_commands import resume_desk as release

    return release(config, reason, mode or "", as_json=as_json)


@app.command
def drill(
    *,
    runs: Annotated[int, Parameter(help="How often each exercise is done, 1 to 1000.")] = 1,
    as_json: AsJson = False,
) -> int:
    """Rehearse the kill switch on exchanges of its own, at real pace.

    Every way to stop, a slow and a busy broker; nothing real is touched. Prints
    the worst times, in ms, until no entry works any more (promised within 5 s)
    and until nothing is held (30 s), and counts entries that left after the
    latch, open and naked positions. Exits with 1 where a promise was broken.
    """
    from tui.commands.desk.kill_drill import run_drill as rehearse

    if not 1 <= runs <= MOST_RUNS:
        raise ConfigError(f"runs {runs}: expected 1 to {MOST_RUNS}")
    return rehearse(runs, as_json=as_json)


@app.command
def reconcile(
    key: Annotated[
        str, Parameter(help="The difference, as the list names it; all: every one (ignore only).")
    ] = "",
    choice: Annotated[
        Literal["adopt", "assign", "ignore", "flatten", ""], Parameter(help="What to do about it.")
    ] = "",
    strategy: Annotated[str, Parameter(help="assign: the strategy that gets the shares.")] = "",
    *,
    stop: Annotated[
        float,
        Parameter(help="adopt, assign: percent below the last price, as 2; 0: as configured."),
    ] = 0.0,
    ratio: Annotated[
        str, Parameter(help="adopt, of a division: shares after and before, like 5:1.")
    ] = "",
    mode: Annotated[Mode | None, Parameter(help="Which desk, where several run.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """List differences between the broker's books and the running desk's, or decide one."""
    from engine.operator_requests import DecideRequest
    from tui.commands.desk.order_requests import ask_desk
    from tui.commands.desk.reconcile_commands import list_differences

    if not key:
        return list_differences(config, mode or "", as_json=as_json)
    # a list of differences acts on none of them
    if not choice:
        raise ConfigError(f"{key}: say what to do: adopt, assign STRATEGY, ignore or flatten")
    request = DecideRequest(key, choice, strategy, stop, ratio)
    return ask_desk(config, mode or "", request, as_json=as_json)


@app.command
def shadow(
    *,
    day: Annotated[
        str, Parameter(name="--date", help="Only this day, YYYY-MM-DD; empty: the last one.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Compare what real orders cost with what their simulated twins would have."""
    from tui.commands.desk.shadow_commands import compare_shadow as compare

    return compare(config, day, as_json=as_json)


@app.command
def login(
    *,
    port: Annotated[
        int | None,
        Parameter(help="Port the browser comes back to, instead of broker.redirect_port."),
    ] = None,
    wait: Annotated[float, Parameter(help="Seconds to wait for the browser.")] = 300.0,
    keep_secret: Annotated[
        bool, Parameter(negative="", help="Also keep the API secret for the next login.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Log in to the broker in the browser; keep the day's token in keyring or encrypted file."""
    from tui.commands.desk.login_commands import log_in

    return log_in(config, port, wait, keep_secret=keep_secret, as_json=as_json)


@app.command
def logout(
    *,
    keep_secret: Annotated[
        bool, Parameter(negative="", help="Keep the API secret for the next login.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """End today's session with the broker and forget its token."""
    from tui.commands.desk.login_commands import log_out

    return log_out(config, keep_secret=keep_secret, as_json=as_json)


@app.command
def doctor(
    *,
    static_ip: Annotated[
        str, Parameter(help="Address registered with the broker, instead of broker.static_ip.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Look at token, clock, address, disk, database, instruments and feed.

    Exit with 1 if one of them fails.
    """
    from tui.commands.desk.desk_doctor import run_doctor as examine

    return examine(config, static_ip, as_json=as_json)


@app.command
def logs(
    *words: Annotated[str, Parameter(help="Words that a line has to have, whatever their case.")],
    level: Annotated[
        Literal["all", "warn", "alarm"], Parameter(help="Lines of this level and above.")
    ] = "all",
    last: Annotated[int, Parameter(help="How many, from the end.")] = 100,
    file: Annotated[
        bool,
        Parameter(negative="", help="The log file, with tracebacks, instead of the day's events."),
    ] = False,
    mode: Annotated[Mode | None, Parameter(help="Whose; empty: as configured.")] = None,
    config: ConfigFile = None,
    as_json: RowsAsJson = False,
) -> int:
    """Show what the desk did and what happened to it, the newest last."""
    from tui.commands.desk.log_command import show_log

    return show_log(words, level, last, mode or "", config, file=file, as_json=as_json)


@app.command
def export(
    what: Annotated[
        Literal["trades", "orders", "fills", "positions", "bars"], Parameter(help="Which table.")
    ],
    *,
    format: Annotated[
        Literal["csv", "json", "parquet"], Parameter(help="How to write it.")
    ] = "csv",
    out: Annotated[Path | None, Parameter(help="File to write; without one, stdout.")] = None,
    mode: Annotated[
        Mode | None, Parameter(help="Whose run, instead of desk.mode: the last one of this mode.")
    ] = None,
    database: Annotated[Path | None, Parameter(help="Database to read instead.")] = None,
    symbol: Annotated[str, Parameter(help="Bars: only this symbol.")] = "",
    actions: Annotated[
        Path | None,
        Parameter(
            help="Bars: adjusted by these corporate actions (Parquet) to the last bar's day."
        ),
    ] = None,
    config: ConfigFile = None,
) -> int:
    """Write a table of the last run to stdout or a file."""
    from tui.commands.desk.desk_commands import export_table as write

    return write(
        what,
        format,
        out=out,
        mode=mode or "",
        database=database,
        symbol=symbol.upper(),
        actions=actions,
        file=config,
    )


app.command(
    # commands by name are imported when they are called: each brings what it needs, up to a second
    # of it
    "tui.commands.sandbox_command:sandbox",
    name="sandbox",
    help="Serve the local exchange alone, until interrupted.",
)
app.command(
    "tui.commands.desk.trace_commands:trace",
    name="trace",
    help="Follow one id from tick to fill, or tell why not.",
)
app.command(
    "tui.commands.desk.limit_commands:limits_app",
    name="limits",
    help="Show a running desk's limits, or change one.",
)
app.command(
    "tui.commands.desk.strategy_commands:strategies_app",
    name="strategies",
    help="Show a running desk's strategies; stop, start or change one.",
)
app.command(
    "tui.commands.desk.watch.watch_commands:watch_app",
    name="watch",
    help="Put instruments under watch, take them off, and keep watch lists.",
)
app.command(
    "tui.commands.desk.watch.alert_commands:alerts_app",
    name="alerts",
    help="Set price alerts on a running desk, list and remove them.",
)
app.command(
    "tui.commands.market.calendar_commands:calendar",
    name="calendar",
    help="Tell when the market trades on a day."
    "\n\n"
    "Its phases (IST), square-off, settlement and neighbours, and what is not sure of it; of today "
    "also the phase of now and until when. The hours are the desk's. With --check exits with 0 "
    "where all agrees, 1 where something differs or no token is kept, 2 where the token is "
    "refused, 3 where Upstox cannot be reached.",
)
app.command(
    "tui.commands.market.charge_commands:charges",
    name="charges",
    help="Work out what trades cost."
    "\n\n"
    "In rupees: each order by itself (estimate), the day's contract note, which is what is billed "
    "(note), and the ticks to break even. Several legs: repeat the options (one that is given once "
    "holds for all), or name a file.",
)
app.command(
    "tui.commands.market.tax_commands:tax",
    name="tax",
    help="State gains, turnover and the account of a financial year."
    "\n\n"
    "In rupees, first in first out, by the desk's fills or the tradebooks that are named (by both "
    "where --database is given with them). Stderr says what the statement rests on. No tax return.",
)
app.command(
    "tui.commands.desk.order_commands:order",
    name="order",
    help="Enter a position by hand, shown before it is sent.",
)
app.command(
    "tui.commands.desk.order_commands:modify",
    name="modify",
    help="Change a working order of the running desk.",
)
app.command(
    "tui.commands.desk.order_commands:cancel",
    name="cancel",
    help="Cancel a working order of the running desk.",
)
app.command(
    "tui.commands.desk.position_commands:exit_position",
    name="exit",
    help="Leave a position of the running desk, or a part of it.",
)
app.command(
    "tui.commands.desk.position_commands:protect",
    name="protect",
    help="Move the stop of a position, its target, or both.",
)
app.command(
    "tui.commands.desk.position_commands:add",
    name="add",
    help="Add a rung to an open ladder, at the market.",
)
app.command(
    "tui.commands.desk.position_commands:reverse",
    name="reverse",
    help="Leave a position, and enter the other side once it is flat.",
)
app.command(
    "tui.commands.bars.bars_commands:bars",
    name="bars",
    help="Bring bars in, and see what there is, what is missing and what is wrong.",
)
app.command(
    "tui.commands.backtest.backtest_commands:backtest",
    name="backtest",
    help="Run strategies on the history.",
)
app.command(
    "tui.commands.research.sweep_commands:sweep",
    name="sweep",
    help="Run a strategy with many parameters, and say how much of the best is luck.",
)
app.command(
    "tui.commands.research.kept_sweeps:sweeps_app",
    name="sweeps",
    help="Look at the sweeps that are kept.",
)
app.command(
    "tui.commands.research.promote_commands:promote",
    name="promote",
    help="Promote a sweep's best to what the desk trades from its next opening on, or take it back."
    "\n\n"
    "The exit code is 1 where nothing passes, 2 where nothing was written for want of a yes.",
)
app.command(
    "tui.commands.research.evaluate_commands:evaluate",
    name="evaluate",
    help="Hold what is promoted against what its sweep promised, and demote by rule."
    "\n\n"
    "The exit code is 1 where something breaks a rule and stays, 2 where it was not demoted for "
    "want of a yes.",
)
app.command(
    "tui.commands.backtest.check_commands:check",
    name="check",
    help="Look for the future in what strategies decide.",
)
app.command(
    "tui.commands.backtest.backtest_commands:results_app",
    name="results",
    help="Look at the results of backtests.",
)
app.command(
    "tui.commands.backtest.parity_commands:parity",
    name="parity",
    help="Compare a desk's day with a backtest of it."
    "\n\n"
    "Prints how many decisions are the same, the difference of the P&L after charges and its "
    "causes, in rupees, and the decisions that do not match, the first 40 of each kind. Exits with "
    "1 where the desk was not open that day, or nothing has been compared yet.",
)
app.command(
    "tui.commands.compile_commands:compile_strategy",
    name="compile",
    help="Compile a strategy of your own to native code: the same results, faster."
    "\n\n"
    "What runs it then runs that, until the file or patang is another. Its functions must be "
    "typed; faults are told by file and line. Needs mypy, setuptools and a C compiler.",
)
app.command(
    "tui.commands.setup.setup_commands:setup",
    name="setup",
    help="Write a configuration, question by question, and have the doctor pass it."
    "\n\n"
    "From a market on this machine to paper, and from paper to real orders. Changes one file and "
    "leaves its comments; a file that the doctor does not pass is not put in place, and the "
    "answers wait beside it. Exits with 1 where it does not pass, with 2 where nothing was "
    "written for want of an answer.",
)
app.command("tui.commands.new_commands:new_app", name="new", help="Begin something of your own.")
app.command(
    "tui.commands.bars.ticks_commands:ticks",
    name="ticks",
    help="Recordings of the feed: see, check, replay, export them.",
)
app.command(
    "tui.commands.desk.letters_commands:letters",
    name="letters",
    help="What the feed sent that cannot be true.",
)
app.command(
    "tui.commands.desk.jobs_commands:jobs",
    name="jobs",
    help="What is done in the evening: see how it ended, run one now.",
)
app.command(
    "tui.commands.market.instrument_commands:instruments",
    name="instruments",
    help="Keep and look into instrument dumps.",
)


@app.command
def bench(
    *names: Annotated[Benchmark, Parameter(help="What to measure.")],
    quick: Annotated[
        bool, Parameter(negative="", help="Small sizes, under a minute in all.")
    ] = False,
    write: Annotated[
        bool, Parameter(negative="", help="Write docs/benchmarks.md; runs everything.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Measure the core against its peers, in a checkout; without a name, everything."""
    from tui.commands.benchmark_command import run_benchmarks as measure

    return measure(names, quick=quick, write=write, as_json=as_json)


@config_app.command(name="check")
def config_check(*, config: ConfigFile = None) -> int:
    """Read the configuration and say whether it is right."""
    from tui.run.launch import check_configuration

    return check_configuration(config)


@config_app.command(name="show")
def config_show(*, config: ConfigFile = None) -> int:
    """Print the effective configuration with the origin of each value."""
    from engine.config.config_files import render_config
    from tui.run.configured import find_configuration

    sys.stdout.write(render_config(find_configuration(config)))
    return DONE


@app.command
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Whose.")]) -> int:
    """Print what completes the commands in a shell: source it, or put it where the shell looks."""
    sys.stdout.write(app.generate_completion(prog_name="patang", shell=shell))
    return DONE


@app.command
def version(*, as_json: AsJson = False) -> int:
    """Print the version, and whether the core is native."""
    sys.stdout.write(version_text(as_json=as_json) + "\n")
    return DONE


def version_text(*, as_json: bool) -> str:
    """Return the version in one line."""
    from importlib.metadata import version as of

    import compiled

    facts = {"patang": of("patang"), "python": sys.version.split()[0], "native": compiled.NATIVE}
    core = "native" if compiled.NATIVE else "interpreted"
    return (
        json.dumps(facts)
        if as_json
        else f"patang {facts['patang']} (Python {facts['python']}, {core} core)"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    Nothing it writes is for anybody else on the machine.
    """
    # files hold orders, tokens and balances
    os.umask(0o077)
    take_streams()
    sys.exit(run_command(arguments))


def _misread_text(error: CycloptsError) -> str:
    """Return the fault of a command line, with the nearest option or command there is."""
    from difflib import get_close_matches

    text = " ".join(str(error).split())
    if isinstance(error, UnknownOptionError):
        given = error.token.keyword or error.token.value
        there = [name for argument in error.argument_collection for name in argument.names]
        # the library looks among its own options only: ours are asked for the nearest one
        text, known = text.partition(" Did you mean")[0], [*there, "--version", "--help"]
    elif (
        isinstance(error, UnusedCliTokensError) and error.unused_tokens and not error.command_chain
    ):
        given, known = error.unused_tokens[0], [name for name in app if not name.startswith("-")]
        text = f"There is no command {given}."
    elif isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return (
            f"{' '.join(error.command_chain or ())} takes no further argument: "
            f"{error.unused_tokens[0]}."
        )
    elif (
        isinstance(error, CoercionError)
        and error.argument is not None
        and error.argument.parameter.help
    ):
        return f"{text} {error.argument.name}: {error.argument.parameter.help}"
    else:
        return text
    near = get_close_matches(given, known, 1)
    return f"{text} Did you mean {near[0]}?" if near else text


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one line on stderr."""
    try:
        # before the libraries are loaded, some of which die without a word
        memory_check.check_memory(sys.argv[1:] if arguments is None else arguments)
        result = app(arguments, exit_on_error=False, print_error=False)
        # here, where a full disk or a closed pipe can still be told in a line
        sys.stdout.flush()
    except CycloptsError as error:
        # a whole file may have been pasted as an option
        return _print_complaint(f"{_misread_text(error)[:LONGEST]} See patang --help.", USAGE)
    except PatangError as error:
        return _print_complaint(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _print_complaint("interrupted", INTERRUPTED)
    # `patang … | head` has read enough: that is no failure
    except BrokenPipeError:
        leave_stdout()
        return DONE
    except OSError as error:
        leave_stdout()
        what = f"{error.filename}: " if error.filename else "the output: "
        return _print_complaint(f"{what}{in_words(error)}", FAILED)
    except Exception as error:  # noqa: BLE001  raised again where it is not to be mended by its user
        return (
            _print_complaint(memory_check.WANTED, FAILED)
            if memory_check.is_memory_error(error)
            else _explain_unforeseen(error)
        )
    return int(result) if isinstance(result, int) else DONE


def _explain_unforeseen(error: Exception) -> int:
    """Say in a line what comes of a native core that does not fit; raise what does not."""
    from tui.native_core import core_fault

    if told := core_fault(error):
        return _print_complaint(told, USAGE)
    raise error


def _print_complaint(text: str, code: int) -> int:
    sys.stderr.write(f"patang: {plain_text(text)}\n")
    return code


if __name__ == "__main__":
    main()
