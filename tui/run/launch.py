"""Launch of a run: its checks, a desk under a screen or progress line, the report."""

import contextlib
import ctypes
import errno
import gc
import json
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from engine.config.schema import DeskConfig
from engine.errors import ConfigError, DataError, PatangError, in_words
from engine.exit_codes import DONE, FAILED, INTERRUPTED, KILLED
from engine.indian_time import INDIA
from engine.numbers import gain, rupees
from engine.orders.killswitch import FLATTEN, HALT
from engine.promotion.next_day_file import promoted_text
from engine.texts import plain_text
from tui import native_core
from tui.formats import aligned_fields
from tui.run.configured import find_configuration
from tui.run.forced_ending import ForcedEnding
from tui.run.preflight import check_start, check_symbols
from tui.run.session import SENDING, DeskSession, EveningHandover, RunPlan
from tui.run.settings import build_remarks, enabled_strategies, last_days
from tui.standard_streams import begin_line

if TYPE_CHECKING:
    from engine.desk import Desk

SCREEN = "textual-screen"
"""Name of a dead screen among the failures of a run."""

ScreenRunner = Callable[[DeskSession, ForcedEnding], "Desk"]
"""Puts up the screen, opens the desk behind it, and returns the desk when the operator leaves."""


def check_configuration(file: Path | None) -> int:
    """Report on stderr whether the desk could be started, by the start's own checks."""
    configured = find_configuration(file)
    mode, kite = configured.values.desk.mode, configured.values.broker.is_real
    station = DeskSession(configured.values, RunPlan(mode, live=kite and mode in SENDING))
    check_start(station)
    left = check_symbols(station)
    for remark in build_remarks(enabled_strategies(configured.values)):
        sys.stderr.write(f"{plain_text(remark)}\n")
    if promoted := promoted_text(station.next_day):
        sys.stderr.write(f"promoted for {mode}: {promoted}\n")
    sys.stderr.write(f"{configured.file or 'the defaults'}: right{f'; {left}' if left else ''}\n")
    return DONE


def recorded_day(text: str) -> str:
    """Check a date; raise `ConfigError` for one that is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ConfigError(f"date {text}: expected YYYY-MM-DD, a day that exists") from None


def recorded_days(
    folder: Path, names: tuple[str, ...], day: str, first: str, last: str
) -> list[str]:
    """Return the recorded days from the first to the last; raise `ConfigError` or `DataError`."""
    from brokers.sandbox.universe.recorded_tape import tape_days  # noqa: PLC0415  0.3 s, for a replay of several days

    if day or not first or not last:
        raise ConfigError("a replay takes --date DAY, or --from DAY and --to DAY")
    return tape_days(folder, names, recorded_day(first), recorded_day(last))


def simulated_days(config: DeskConfig, count: int) -> list[str]:
    """Return so many days of the simulated market, up to the configured or latest one."""
    return last_days(count, config.sandbox.date)


def has_screen() -> bool:
    """Return whether there is a terminal: Textual reads keys from stdin and draws on stderr."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM", "dumb") != "dumb"


def launch(config: DeskConfig, run: RunPlan, screen: ScreenRunner | None, *, as_json: bool) -> int:
    """Run a desk to its end, under a screen where one is given, and return the exit code."""
    if run.tape is not None and not run.tape.is_dir():
        raise DataError(f"{run.tape}: no such folder")
    warn_of_an_old_core()
    for remark in build_remarks(enabled_strategies(config)):
        sys.stderr.write(f"patang: {plain_text(remark)}\n")
    return run_session(DeskSession(config, run), screen, as_json=as_json)


def launch_days(config: DeskConfig, run: RunPlan, days: Sequence[str], *, as_json: bool) -> int:
    """Run one desk after the other through days, without a screen, in one database.

    The days are recorded or simulated; the account of an evening is that of the next morning.
    Return the exit code of the last day.
    """
    code = DONE
    for day in days:
        code, evening = _run_day(config, replace(run, day=day), as_json=as_json)
        if evening is None:
            break
        run = replace(run, evening=evening)
        _free_memory()
    return code


def _run_day(
    config: DeskConfig, run: RunPlan, *, as_json: bool
) -> tuple[int, EveningHandover | None]:
    """Run a desk through its day; return its exit code and its account, None at the last."""
    station = DeskSession(config, run)
    code = run_session(station, None, as_json=as_json)
    return code, station.evening() if code in {DONE, KILLED} else None


def _free_memory() -> None:
    """Let go of a day that is over.

    Its parts refer to each other, and glibc keeps what was freed in threads that have ended.
    """
    gc.collect()
    # another C library
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def run_session(station: DeskSession, screen: ScreenRunner | None, *, as_json: bool) -> int:
    """Run the desk of a station to its end and return the exit code."""
    interrupted, ending = False, ForcedEnding(station)
    # before the desk is on record: whoever finds it there may send the signal, which would end it
    with latching_on_signal(station):
        try:
            check_start(station)
            # before anybody is asked for anything: a second desk is refused at once
            station.claim()
            warn_of_a_latch(station)
            authorise_session(station)
            if screen is not None:
                desk = screen(station, ending)
            else:
                desk = _open_headless(station)
                interrupted = wait_headless(station, desk, ending)
        finally:
            # a start that was refused has nothing that could hang
            if hasattr(station, "desk"):
                ending.start_timer()
            try:
                station.close()
            finally:
                ending.cancel_timer()
    return report_day(
        station, desk, interrupted=interrupted, as_json=as_json, screen=screen is not None
    )


def _open_headless(station: DeskSession) -> "Desk":
    from tui.run.wiring import open_desk  # noqa: PLC0415  the engine, a second that a refused start need not pay

    return open_desk(station)


def authorise_session(station: DeskSession) -> None:
    """Find the account, and let the operator confirm real orders, on the plain terminal."""
    if station.is_embedded:
        return
    from tui.run.credentials import find_credentials  # noqa: PLC0415  0.1 s, for a broker alone

    station.access = find_credentials(station.config)
    if station.sends_real_orders:
        from tui.run.confirmation import confirm_orders  # noqa: PLC0415  0.2 s, for real orders alone

        confirm_orders(station, station.access)


def warn_of_an_old_core() -> None:
    """Say so when the native core that runs is older than the sources beside it."""
    if native_core.is_old():
        sys.stderr.write(f"patang: the native core is older than compiled/: {native_core.MEND}\n")


def warn_of_a_latch(station: DeskSession) -> None:
    """Warn that nothing will be bought: the switch is latched; or that this start releases it."""
    latch = station.kill.latch
    if latch is not None:
        why = plain_text(f"{latch.level}: {latch.reason}, {latch.who}")
        if station.outlived_latch:
            told = f"was latched ({why}): released, for the exchange it was of is gone"
        else:
            told = f"is latched ({why}): no entries until patang resume --reason TEXT"
        sys.stderr.write(f"patang: the kill switch {told}\n")


def run_after_screen(
    station: DeskSession, desk: "Desk", ending: ForcedEnding, error: Exception
) -> None:
    """Go on headless where the screen has died and the terminal is still there.

    It is reported there, in the log and as an alarm.
    """
    station.fail(SCREEN, error)
    text = f"the screen died: {type(error).__name__}: {error}"
    desk.alarm(f"{text}; the desk goes on without it")
    sys.stderr.write(f"patang: {plain_text(text)}; see {station.state / 'patang.log'}\n")
    sys.stderr.write(
        "patang: the desk goes on without a screen; ctrl+c stops it, patang kill halts it\n"
    )
    wait_headless(station, desk, ending)


def run_detached(desk: "Desk") -> None:
    """Go on without a screen when the terminal is gone, until a signal or the day's end."""
    while not desk.done.wait(1.0):
        if desk.board.header.day_over:
            desk.stop()


def detach_streams() -> None:
    """Turn the streams of a terminal that is gone to nowhere; files and pipes stay."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:
            # EIO is a terminal that is gone; a file or a pipe is no terminal (ENOTTY), and stays
            if error.args[0] == errno.EIO:
                os.dup2(nowhere, stream)
    os.close(nowhere)


def wait_headless(station: DeskSession, desk: "Desk", ending: ForcedEnding) -> bool:
    """Wait headless for the end of the day, with progress on stderr; return an interruption."""
    with handling_signals(station, ending, desk.stop, detach_streams) as caught:
        # in a file each line stays
        every = 1.0 if sys.stderr.isatty() else 5.0
        while not desk.done.wait(every):
            # a terminal may be gone a moment before the signal that tells of it
            with contextlib.suppress(OSError):
                write_progress(desk)
            if desk.board.header.day_over and station.run.speed != 0:
                desk.stop()
    if sys.stderr.isatty():
        begin_line()
    return signal.SIGINT in caught


def write_progress(desk: "Desk") -> None:
    """Write one line on how far the day is."""
    header = desk.board.header
    if not header.now:
        text = header.state
    else:
        clock = datetime.fromtimestamp(header.now // 1_000_000_000, INDIA).strftime("%H:%M:%S")
        text = (
            f"{clock} IST  orders {len(desk.board.orders.rows)}  open rungs "
            f"{len(desk.board.positions.rows)}  "
            f"P&L {header.pnl / 100:+,.2f} after charges  naked {header.naked}"
        )
    if sys.stderr.isatty():
        begin_line()
    sys.stderr.write(text if sys.stderr.isatty() else text + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def latching_on_signal(station: DeskSession) -> Iterator[None]:
    """Let SIGUSR1 latch the kill switch, from before the desk's record until after its end."""

    def kill(number: int, frame: FrameType | None) -> None:
        del number, frame
        station.kill.trigger(HALT, "SIGUSR1", "signal")

    before = signal.signal(signal.SIGUSR1, kill)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextlib.contextmanager
def handling_signals(
    station: DeskSession,
    ending: ForcedEnding,
    halt: Callable[[], object],
    leave: Callable[[], object],
) -> Iterator[list[int]]:
    """Handle signals: INT and TERM stop in order, HUP follows the policy for a lost terminal.

    Yields the list of those that have come. A hang-up that is ignored (nohup) stays ignored. After
    it INT and TERM go on to `ending`: a second one does not break off an orderly end.
    """
    caught: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        ending.count_signal(number, frame)
        halt()
        leave()

    def hang_up(number: int, frame: FrameType | None) -> None:
        del frame
        # the kernel, the shell and the screen may all tell
        if number in caught:
            return
        caught.append(number)
        policy = station.config.desk.on_terminal_loss
        # no money is at stake: it ends with its terminal, whatever the policy says
        if station.run.fleeting:
            halt()
        elif policy != "continue":
            station.kill.trigger(
                FLATTEN if policy == "flatten" else HALT, "terminal lost", "signal"
            )
        leave()

    wanted = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: hang_up}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del wanted[signal.SIGHUP]
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(
                number,
                ending.count_signal if number in {signal.SIGINT, signal.SIGTERM} else handler,
            )


def day_line(summary: Mapping[str, object]) -> str:
    """Return what the day was, for whoever has left its screen; money in rupees."""
    net, charges = (round(float(str(summary[name])) * 100) for name in ("net", "charges"))
    held, naked = summary["open_positions"], summary["naked_positions"]
    return (
        f"the day: P&L {gain(net).strip()} after charges of {rupees(charges)}, "
        f"{summary['fills']} fills, {summary['round_trips']} round trips; "
        f"{held or 'no'} positions stay open{f', {naked} of them naked' if naked else ''}"
    )


def _unrepeated_acts(station: DeskSession) -> list[str]:
    """Return the acts on strategies of the recorded desk; none where its journal is not here."""
    from store.desk_marks import strategy_acts  # noqa: PLC0415
    from tui.run.replay.replaying_desk import journal_of  # noqa: PLC0415

    run = station.run
    if run.recording is None:
        return []
    try:
        journal = journal_of(station.configured, run.recording)
        day = date.fromisoformat(run.recording.day)
        return strategy_acts(journal, day) if journal is not None else []
    # the day has been played: a journal that cannot be read takes nothing of that away
    except PatangError:
        return []


def report_day(
    station: DeskSession, desk: "Desk", *, interrupted: bool, as_json: bool, screen: bool
) -> int:
    """Print the day's summary on stdout; return the exit code, or raise the engine's refusal."""
    if desk.error is not None:
        if isinstance(desk.error, PatangError):
            raise desk.error
        why = in_words(desk.error) if isinstance(desk.error, OSError) else str(desk.error)
        sys.stderr.write(
            f"patang: the engine died: {plain_text(why)}; see {station.state / 'patang.log'}\n"
        )
        return FAILED
    summary = station.summary()
    if station.rerun is not None:
        acts = summary["unrepeated_acts"] = _unrepeated_acts(station)
        # whatever differs from the recorded day would be looked for in the strategies
        if acts:
            told = f"the recorded desk's strategies were acted on by hand, here not: {acts[0]}"
            told += f" (and {len(acts) - 1} more)" if len(acts) > 1 else ""
            sys.stderr.write(f"patang: {plain_text(told)}\n")
    if screen:
        sys.stderr.write(f"{day_line(summary)}\n")
    sys.stderr.write(f"records: {station.database}, {station.state / 'patang.log'}\n")
    # at a real pace it depends on the machine what one turn of the desk finds
    if station.run.fleeting and station.run.speed and station.rerun is None:
        told = (
            f"played at {station.run.speed:g} times real time: only --speed max gives the same "
            "decisions and fills again"
        )
        sys.stderr.write(f"patang: {told}\n")
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    elif not screen:
        # rows are for a program: a person gets their number
        sys.stdout.write(
            aligned_fields(
                {
                    name: len(value) if isinstance(value, list) else value
                    for name, value in summary.items()
                }
            )
        )
    if interrupted:
        return INTERRUPTED
    # the day may have gone well without it, but whoever started a screen has lost it
    if any(name == SCREEN for name, _ in station.failures):
        return FAILED
    if summary.get("same_bars_as_the_desk") == "no" or summary.get("whole") is False:
        return FAILED
    return KILLED if summary["halted"] else DONE
