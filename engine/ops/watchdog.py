"""The watchdog: a thread that notices failures the engine cannot notice itself.

A stalled engine, a clock that jumps, a full disk and a journal that was removed latch the kill
switch; a silent feed and growing memory are logged. Each is logged once, until it is well again. It
reads the board and the machine, and never waits.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from compiled.model.values import SECOND
from compiled.trading.desk_state import StrategyState
from engine.board_rows import Board
from engine.config.schema import WatchdogSettings as Bounds
from engine.market.session_table import CONTINUOUS
from engine.ops.health_sources import HealthSources, MachineReading
from engine.ops.hung_strategies import HungStrategies
from engine.ops.kept_files import KeptFiles
from engine.orders.killswitch import HALT, KillSwitch
from engine.ports import Failure

# Often enough that a bound of a second is kept to a quarter.
EVERY_S: Final = 0.25
JOIN_S: Final = 2.0
MB: Final = 1024 * 1024
# In other states (opening, night) the loop may rest longer than `engine_s`.
AWAKE: Final = frozenset({"running", "read-only", "by hand"})
JOURNAL: Final = "journal"
"""Name of the finding that the journal's files are gone."""


def resident_bytes() -> int:
    """Return the memory this process holds now, in bytes; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * _page_size()


def _page_size() -> int:
    import resource  # noqa: PLC0415  there is none on every system

    return resource.getpagesize()


def open_descriptors() -> tuple[int, int]:
    """Return how many descriptors are open, and how many may be; zeros where that is not told."""
    import resource  # noqa: PLC0415  there is none on every system

    try:
        used = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0, 0
    return used, resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class MachineSources(NamedTuple):
    """The machine as the watchdog sees it: times in ns, memory in bytes."""

    wall: Callable[[], int] = time.time_ns
    monotonic: Callable[[], int] = time.monotonic_ns
    memory: Callable[[], int] = resident_bytes


class WatchdogFinding(NamedTuple):
    """A fault, and whether trading stops for it."""

    name: str
    text: str
    halts: bool


class WatchedEngine(Protocol):
    """The part of a desk the watchdog looks at."""

    @property
    def slots(self) -> Sequence[StrategyState]:
        """The strategies of the day."""
        ...

    @property
    def thread(self) -> int:
        """The thread they are called in, as Python numbers it; 0 before it runs."""
        ...


class Watchdog:
    """Looks four times a second until closed.

    `tell` takes one line for the operator, `failure` is called if it dies. `paced`: the exchange
    waits for the desk, so that neither heartbeat nor silence mean anything. Without an `engine` no
    strategy is looked at. `wind` is called at every turn. `journal` are the files of the journal.
    """

    def __init__(
        self,
        bounds: Bounds,
        board: Board,
        kill: KillSwitch,
        folder: Path,
        tell: Callable[[str], None],
        failure: Failure,
        *,
        paced: bool = False,
        sources: MachineSources | None = None,
        engine: WatchedEngine | None = None,
        wind: Callable[[], None] = lambda: None,
        health: HealthSources | None = None,
        journal: Sequence[Path] = (),
    ) -> None:
        self._health = health
        self._journal = KeptFiles(journal)
        self._turns = 0
        self._bounds = bounds
        self._board = board
        self._kill = kill
        self._folder = folder
        self._tell = tell
        self._failure = failure
        self._paced = paced
        self._sources = sources or MachineSources()
        # The difference of the two clocks changes only when somebody sets the machine's.
        self._offset = self._began = self._first = self._sources.wall() - self._sources.monotonic()
        self._engine = engine
        self._wind = wind
        self._hung = HungStrategies(bounds.engine_s)
        self._told: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run_thread, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join(JOIN_S)

    def _run_thread(self) -> None:
        try:
            while not self._closing.wait(EVERY_S):
                # Wound from here: a process whose watchdog has no turn is held by native code
                # (`freeze_timer`).
                self._wind()
                self.check_once()
        except Exception as error:  # noqa: BLE001  a thread's main: nothing dies quietly
            self._failure("watchdog", error)

    def check_once(self) -> None:
        """Look once; latch and log news."""
        found = {finding.name: finding for finding in self._current_findings()}
        self._note_health(tuple(found))
        for name, finding in found.items():
            # A lasting fault halts and is said once; it is said again after it was well.
            if name in self._told:
                continue
            # The latch first: telling may wait for a disk.
            if finding.halts:
                self._kill.trigger(HALT, finding.text, "watchdog")
            self._tell(finding.text)
        self._told = set(found)

    def _note_health(self, findings: tuple[str, ...]) -> None:
        """Hand what was found to the pulses, and once a second how the machine stands."""
        health = self._health
        if health is None:
            return
        health.beats["watchdog"] = self._sources.monotonic()
        # Not since the last jump: a machine that has jumped is wrong until its clock is set back.
        moved = 0 if self._paced else self._offset - self._first
        machine = health.machine._replace(findings=findings, moved=moved)
        # Once a second: the list of descriptors is a walk over a folder.
        if self._turns % 4 == 0:
            used, most = open_descriptors()
            machine = MachineReading(
                self._free_bytes(),
                self._sources.memory(),
                threads=threading.active_count(),
                descriptors=used,
                most_descriptors=most,
                findings=findings,
                moved=moved,
            )
        self._turns += 1
        health.machine = machine

    def _free_bytes(self) -> int:
        # A folder that is gone is told of by its journal: the watchdog has to outlive it.
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return -1

    def _current_findings(self) -> Iterator[WatchdogFinding]:
        bounds, header = self._bounds, self._board.header
        hung = (
            []
            if self._paced or self._engine is None
            else list(
                self._hung.end_hung(
                    self._engine.slots, self._sources.monotonic(), self._engine.thread
                )
            )
        )
        for name in hung:
            yield WatchdogFinding(
                f"strategy {name}",
                f"the engine has stood still for {bounds.engine_s:g} s in strategy {name}: "
                "it is ended there; if it does not come back, end the desk and start it without "
                "that strategy",
                halts=True,
            )
        if header.state in AWAKE and not self._paced and not self._hung.is_busy:
            silent = (self._sources.monotonic() - self._board.heartbeat) / SECOND
            if bounds.engine_s and self._board.heartbeat and silent > bounds.engine_s:
                yield WatchdogFinding(
                    "engine",
                    f"the engine has stood still for {bounds.engine_s:g} s: protection is at the "
                    "broker; if it does not come back, end the desk and start it again",
                    halts=True,
                )
            elif (
                bounds.feed_s
                and header.phase == CONTINUOUS
                and header.feed_age > bounds.feed_s * SECOND
            ):
                yield WatchdogFinding(
                    "feed",
                    f"no market data for {bounds.feed_s:g} s: entries are held back; look at the "
                    "network and at the broker's status page",
                    halts=False,
                )
        yield from self._clock_findings()
        yield from self._disk_findings()
        yield from self._journal_findings()
        yield from self._memory_findings()

    def _clock_findings(self) -> Iterator[WatchdogFinding]:
        """Compare the time of day with a clock that only ever runs forward; a jump counts once."""
        offset = self._sources.wall() - self._sources.monotonic()
        jumped, self._offset = (offset - self._offset) / SECOND, offset
        # A jump is told as such; counted into the creep as well it would be told twice.
        if abs(jumped) > self._bounds.clock_s:
            self._began = offset
        # NTP slews in steps that are each below the bound.
        crept = (offset - self._began) / SECOND
        if self._bounds.clock_s and abs(crept) > self._bounds.clock_s:
            yield WatchdogFinding(
                "crept",
                f"the machine's clock has moved by more than {self._bounds.clock_s:g} s in small "
                f"steps "
                "since the desk began, which keeps its own time and compares it with the "
                "exchange's: check its "
                "time service (patang doctor)",
                halts=False,
            )
        if self._bounds.clock_s and abs(jumped) > self._bounds.clock_s:
            yield WatchdogFinding(
                "clock",
                f"the machine's clock jumped by {jumped:+.1f} s: check its time service (patang "
                "doctor), start the desk anew, then resume",
                halts=True,
            )

    def _disk_findings(self) -> Iterator[WatchdogFinding]:
        # Before the disk is full: a journal that cannot commit holds every order back.
        free = self._free_bytes() // MB
        if 0 <= free < self._bounds.disk_mb:
            yield WatchdogFinding(
                "disk",
                f"{free} MB are left where {self._folder} is, below {self._bounds.disk_mb}: free "
                f"some "
                "space, then resume",
                halts=True,
            )

    def _journal_findings(self) -> Iterator[WatchdogFinding]:
        if lost := self._journal.lost_names():
            yield WatchdogFinding(
                JOURNAL,
                f"{' and '.join(lost)} in {self._folder} was removed under the running desk: what "
                f"is written goes nowhere. Move it back, or leave what is open, end the desk and "
                f"restore a copy",
                halts=True,
            )

    def _memory_findings(self) -> Iterator[WatchdogFinding]:
        used = self._sources.memory() // MB
        if self._bounds.memory_mb and used > self._bounds.memory_mb:
            yield WatchdogFinding(
                "memory",
                f"the desk uses {used} MB, above {self._bounds.memory_mb}: halt and start it anew "
                "when nothing is under way",
                halts=False,
            )
