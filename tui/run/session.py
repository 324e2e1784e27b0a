"""One run of the desk with everything around it, light to make before the engine."""

import contextlib
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.board_rows import Board
from engine.config import addresses
from engine.config.disk_places import desk_paths, own_state_folder
from engine.config.schema import DeskConfig
from engine.day.replay_control import ReplayControl
from engine.errors import ConfigError, OperatorError, in_words
from engine.numbers import instant
from engine.ops import desk_register
from engine.orders.killswitch import HALT, KillLatch, KillLogEntry, KillSwitch
from engine.promotion.followed_config import follow_next_day
from engine.system import private_files
from engine.system.file_hold import FileHold
from tui.run.run_records import kept_latches, remove_run, state_folder

if TYPE_CHECKING:
    from brokers.sandbox.account.carried_account import CarriedAccount
    from brokers.sandbox.server import Sandbox
    from compiled.trading.strategy import Strategy
    from engine.desk import Desk
    from tui.run.credentials import Credentials
    from tui.run.recording_replay import RecordingReplay
    from tui.run.recordings import RecordedRun
    from tui.run.replay.replay_deck import ReplayDeck

OWN_EXCHANGE = ("sandbox", "replay")
"""Modes with orders to an exchange of our own; the others take the configured broker's market."""
SENDING = ("shadow", "live")
"""Modes in which orders leave for the configured broker."""
JOIN_S = 30.0
STOP_IT = "patang attach puts its screen up here, patang stop ends it"


class EveningHandover(NamedTuple):
    """Account, user and database that a day on an own exchange leaves for the next."""

    carried: "CarriedAccount"
    user: str
    database: Path


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Additions of one run to the configuration.

    A tape to replay, a day, its symbols, a pace (0: lockstep), a seed.
    """

    mode: str = "sandbox"
    tape: Path | None = None
    day: str = ""
    symbols: tuple[str, ...] = ()
    speed: float | None = None
    seed: int | None = None
    start: str = ""
    live: bool = False
    """Whether real orders were asked for in so many words."""
    fleeting: bool = False
    """Whether it ends with its terminal, whatever the policy: no real money is at stake."""
    evening: EveningHandover | None = None
    """The day before, where this is not the first."""
    recording: "RecordedRun | None" = None
    """A desk's recording of a day, for another desk.

    It is played until `until` (ns UTC).
    """
    until: int = 2**62
    control: ReplayControl | None = None
    """Pace and pauses of a past day, which is played in lockstep whatever its pace."""
    practice: bool = False
    """Whether the operator trades a past day himself."""
    by_hand: bool = False
    """Whether the strategies of the configuration are left out."""
    confirm: str = ""
    """The account that may be traded, said beforehand; empty: it is asked for."""


class DeskSession:
    """A desk to be: board and kill switch at once, the rest by `open_desk`; `close` ends it."""

    def __init__(self, config: DeskConfig, run: RunPlan) -> None:
        check_mode(config, run)
        self.state = state_folder(config, run.mode)
        self.configured = config
        """As the operator wrote it."""
        self.config, self.next_day = follow_next_day(config, self.state)
        """With what is promoted to this mode's desk."""
        self.run = run
        # before all else: it works from the first moment, whatever fails after it
        self.kill = KillSwitch(self.state / "KILL", kept=self._kept_latches())
        self._inherited = self.kill.latch
        place = config.broker.rest.partition("://")[2]
        if not place and not config.broker.is_real:
            place = "a sandbox"
        self.board = Board(run.mode.upper(), "" if run.mode in OWN_EXCHANGE else place)
        self.spans = tuple(config.feed.spans_s)
        self.failures: list[tuple[str, BaseException]] = []
        self.closers: list[Callable[[], None]] = []
        """What to undo at the end, last first."""
        self.access: Credentials | None = None
        """The account at the broker, where it was found out beforehand."""
        self.deck: ReplayDeck | None = None
        """What the watcher of a past day can do with it, where there is one."""
        self.score: Callable[[], Sequence[tuple[str, str]]] = tuple
        """What a practised day comes to so far: names and texts."""
        self.rerun: RecordingReplay | None = None
        """The recording that is played, where it is one."""
        self.strategies: list[Strategy] = []
        """Strategies to run instead of the configured ones."""
        self.desk: Desk
        self.sandbox: Sandbox
        """The exchange of our own, where it is one."""
        self.endpoint: Any
        self.database: Path
        self._began = time.monotonic()
        self._closed = False
        self._claimed = False

    @property
    def is_embedded(self) -> bool:
        """Return whether the exchange is one of our own, in this process."""
        broker, run = self.config.broker, self.run
        # a tape, a seed or a recording is played here, even where the configuration names a broker
        own = run.mode in OWN_EXCHANGE and (
            broker.is_real
            or run.tape is not None
            or run.seed is not None
            or run.recording is not None
        )
        return own or (not broker.is_real and not broker.rest)

    @property
    def broker_name(self) -> str:
        """Return whose protocol the exchange speaks: an embedded one is no configured broker."""
        return "sandbox" if self.is_embedded else self.config.broker.name

    @property
    def sends_real_orders(self) -> bool:
        """Return whether orders leave for a real account, or for one treated as real."""
        return sends_real(self.config, self.run.mode)

    def claim(self) -> None:
        """Hold the state folder until `close`.

        Raise `BusyError` where another desk holds it, `OperatorError` where it cannot be held.
        """
        if self._claimed:
            return
        self._settle_folders()
        hold = FileHold(lock_of(self.state), f"the {self.run.mode} desk of {self.state}", STOP_IT)
        # released last: all else is undone while the folder is still ours
        self.closers.insert(0, hold.release)
        self._claimed = True
        desk_register.register_desk(self.state, os.environ)

    def _settle_folders(self) -> None:
        """Make the desk's folders private; raise `OperatorError` where others can write in them."""
        # a folder that the user has named himself may hold other things that others read
        if self.state.parent == own_state_folder(os.environ):
            private_files.make_private(self.state.parent)
        private_files.make_private(self.state)
        if not self.config.store.database:
            return
        database = desk_paths(self.config, os.environ).database
        try:
            for folder in (database.parent, *database.resolve().parents):
                private_files.check_writers(folder)
            # what stands beside it tells as much as the database
            for ending in ("", "-wal", "-shm", ".lock", ".mark"):
                private_files.tighten_mode(database.with_name(database.name + ending))
        except OSError as error:
            raise OperatorError(f"cannot write in {database.parent}: {in_words(error)}") from None

    def _kept_latches(self) -> list[KillLogEntry]:
        """Return the database's records of the kill switch.

        That of an exchange of our own has gone with it.
        """
        if self.is_embedded:
            return []
        return kept_latches(
            desk_paths(self.config, os.environ).database
            if self.config.store.database
            else self.state / "desk.db"
        )

    def close(self) -> None:
        """Stop the desk, wait for it, and let go of everything; without `open_desk` do nothing."""
        if self._closed:
            return
        self._closed = True
        if hasattr(self, "desk"):
            self.desk.stop()
            self.desk.join(JOIN_S)
        self.undo_all()

    def begin_again(self) -> None:
        """End the desk of a played day, so that `open_desk` plays the day from its start.

        What this playing has written goes with it, and so does its kill switch: it is as if they
        had not been yet.
        """
        self.desk.stop()
        self.desk.join(JOIN_S)
        self.undo_all()
        if self.database.name.startswith("run-"):
            remove_run(self.database)
        if self.kill.latch is not None:
            self.kill.resume("the day is played from its start", "replay")
        # each desk listens to the switch, and would be kept by it
        self.kill.listeners.clear()
        self.board = Board(self.run.mode.upper())
        self._claimed = False

    def undo_all(self) -> None:
        """Undo everything, last first, whatever goes wrong with one of them."""
        with contextlib.ExitStack() as undone:
            for closer in self.closers:
                undone.callback(closer)
            self.closers.clear()

    def fail(self, name: str, error: BaseException) -> None:
        """Log what killed a thread and latch the kill switch.

        The engine latches it itself, once it has opened; before that an exchange of our own fails
        by its input, and alone. The screen's own threads die with the terminal, and that is what
        `desk.on_terminal_loss` is for.
        """
        from engine.system import structured_logs  # noqa: PLC0415  only what fails needs it

        structured_logs.log_failure(name, error)
        self.failures.append((name, error))
        # the start itself reports what its exchange could not read
        early = name == "sandbox" and not (hasattr(self, "desk") and self.desk.opened)
        if name != "engine" and not early and not name.startswith("textual"):
            self.kill.trigger(HALT, f"{name} died: {error}", name)

    def evening(self) -> EveningHandover:
        """Return what a finished day on an exchange of our own leaves."""
        return EveningHandover(self.sandbox.evening_account(), self.endpoint.user_id, self.database)

    @property
    def outlived_latch(self) -> KillLatch | None:
        """Return the latch of an earlier run whose exchange is gone with it."""
        ours = self.is_embedded and self.run.mode == "sandbox" and self.run.evening is None
        return self._inherited if ours and self.kill.latch is self._inherited else None

    def release_outlived_latch(self) -> None:
        """Let a latch go that has outlived its exchange."""
        latch = self.outlived_latch
        if latch is not None:
            self.desk.resume(f"of an exchange that is gone: {latch.reason}", "start")

    def summary(self) -> dict[str, object]:
        """Return the day in figures, money in rupees."""
        facts = self.desk.facts()
        for key in ("gross", "charges", "net", "start_cash", "end_cash"):
            facts[key] = int(str(facts[key])) / 100
        if self.rerun is not None:
            facts |= self.rerun.summary()
        if self.run.control is not None and not self.run.control.over:
            facts |= moment_facts(self.board)
        return facts | {
            "wall_s": round(time.monotonic() - self._began, 3),
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }


def moment_facts(board: Board) -> dict[str, object]:
    """Return a moment of a day: the time, what is held, and the orders at work."""
    return {
        "at": instant(board.header.now),
        "positions": [row._asdict() for row in board.positions.rows[:]],
        "working_orders": [
            row._asdict() for row in board.orders.rows[:] if row.filled < row.quantity
        ],
    }


def check_mode(config: DeskConfig, run: RunPlan) -> None:
    """Raise `ConfigError` for a mode without its needs, or real orders not asked for by name."""
    if run.mode == "live" and not config.broker.is_real:
        raise ConfigError(
            f'mode live needs broker.name of a real broker, got "{config.broker.name}"'
        )
    real = sends_real(config, run.mode)
    if real and not run.live:
        raise ConfigError(f"mode {run.mode} sends real orders: say --live")
    if run.live and not real:
        raise ConfigError(f"--live is for real orders; mode {run.mode} sends none")


def sends_real(config: DeskConfig, mode: str) -> bool:
    """Return whether orders of a mode leave for a real account.

    Whatever its name, a sandbox is on this machine.
    """
    broker = config.broker
    if broker.is_real:
        return mode in SENDING
    return (
        mode in {*SENDING, *OWN_EXCHANGE}
        and bool(broker.rest)
        and not addresses.are_local(broker.rest, broker.ws)
    )


def lock_of(state: Path) -> Path:
    """Return the file that the desk of a state folder holds while it runs."""
    return state / "desk.lock"
