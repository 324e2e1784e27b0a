"""Days of ticks for a backtest: which recordings and imported files there are, and one read."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, final

from brokers.recorded.feed_playback import FeedPlayback, PlayedFrame
from compiled.backtest.paced_requests import RequestRates
from compiled.backtest.tick_packing import TickPacker
from compiled.model.events import BandUpdate, TimerEvent
from compiled.model.values import NEVER, SECOND, Instrument
from engine.backtest.imported_day import file_hash, imported_days
from engine.backtest.run_ticks import CHUNK, TickDay
from engine.backtest.traded_market import CONTRACT, INDEX_NAMES
from engine.config.desk_modes import MODES
from engine.config.schema import DeskConfig
from engine.day.dead_letters import AHEAD_S
from engine.day.opening import fill_in_freezes
from engine.errors import NothingFound
from engine.history.feed_recording import instruments_of
from engine.history.kept_ticks import KeptTicks, kept_ticks
from engine.market.order_rules import OrderRules
from engine.numbers import counted
from engine.orders.governor import DAY_RESERVE
from store.recordings.recording_blocks import BlockHeader, BlockScan
from tui.run.recording_replay import recording_of
from tui.run.recordings import RecordedRun, RecordedRunReader, all_runs
from tui.run.settings import listed_on

IMPORTED: Final = "imported"
REAL: Final = ("live", "shadow", "paper", "dry-run")
"""Modes whose recordings are of the market."""


@final
class RecordedDay:
    """A day that desks have recorded: `runs` of it, in their order.

    `symbols` are those to be traded; none: every share. `late_s` is the age from which on a desk
    takes no tick for a price any more (`feed.late_after_s`).
    """

    def __init__(
        self, runs: Sequence[RecordedRun], symbols: Collection[str], late_s: float
    ) -> None:
        self._runs = runs
        self._readings = [RecordedRunReader(run) for run in runs]
        self.day = date.fromisoformat(runs[0].day)
        found = {
            each.symbol: each
            for reading in self._readings
            for each in instruments_of(reading.meta)
            if each.symbol in symbols or (not symbols and each.kind == "EQ")
        }
        fill_in_freezes(found.values(), OrderRules.load(), self.day)
        self.listed: Mapping[str, Instrument] = found
        self.hashes: Mapping[str, str] = {
            run.name: file_hash([run.path(part) for part in run.parts]) for run in runs
        }
        self.size = sum(head.records for run in runs for head in _block_headers(run))
        self.ahead = max(int(reading.meta["ahead"]) for reading in self._readings)
        # At N times the pace so many seconds of the market go by in one of the desk's.
        self.late = int(late_s * max(1.0, self.ahead / (AHEAD_S * SECOND)) * SECOND)
        self.timed = True
        self.remarks: list[str] = []

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """Return from when to when (ns UTC) each of the runs has something."""
        heads = [list(_block_headers(run)) for run in self._runs]
        return [
            (min(head.first for head in each), max(head.last for head in each)) for each in heads
        ]

    def fill(self, packer: TickPacker) -> Iterator[BandUpdate | None]:
        """Pack the day in the order in which the desk took it."""
        # Read once more, as for a run with other latencies, it says the same again.
        self.remarks.clear()
        for run, reading in zip(self._runs, self._readings, strict=True):
            playback = FeedPlayback(reading.frames)
            for each in playback.frames_and_events(reading.records()):
                if isinstance(each, PlayedFrame):
                    packer.add_message(each.received, each.ticks)
                elif isinstance(each, TimerEvent):
                    packer.add_timer(each.ts)
                # What came under watch later is no instrument of the run, which began without it.
                elif isinstance(each, BandUpdate):
                    packer.change_band(each)
                    yield each
                if packer.rows >= CHUNK:
                    yield None
            self._note_damage(run, reading, playback)

    def _note_damage(
        self, run: RecordedRun, reading: RecordedRunReader, playback: FeedPlayback
    ) -> None:
        for number, what in (
            (playback.lost, "record it could not keep"),
            (playback.astray, "disagreement with itself"),
            (reading.damaged, "damaged byte"),
        ):
            if number:
                self.remarks.append(f"{run.name} has {counted(number, what)}")
        if reading.cut or run.lacks_parts:
            self.remarks.append(f"{run.name} is {'cut' if reading.cut else 'beheaded'}")


def rates_of(config: DeskConfig) -> RequestRates:
    """Return what the account may ask, and how long an entry waits for its turn."""
    rates = config.governor
    return RequestRates(
        rates.orders_per_second,
        rates.orders_per_minute,
        rates.orders_per_day,
        rates.reserve_per_second,
        DAY_RESERVE,
        entry_wait=int(config.gateway.entry_wait_s * SECOND),
    )


def recorded_day(config: DeskConfig, mode: str, day: date, name: str = "") -> RecordedDay:
    """Return a day as the desks of a mode have recorded it, or a recording by its name.

    Raises `NothingFound`. With it `ReplayTicks` and `BacktestRun` run that day on its ticks.
    """
    runs = all_runs(config, None if name else mode)
    runs = [run for run in runs if run.day == str(day) and run.name == (name or run.name)]
    if not runs:
        of = name or mode
        raise NothingFound(f"no recording of {of} on {day}: see patang ticks list")
    return RecordedDay(_following_runs(runs), (), config.feed.late_after_s)


def tick_days(
    config: DeskConfig,
    history: Path,
    source: str,
    symbols: Collection[str],
    since: date | None,
    until: date | None,
) -> list[TickDay]:
    """Return the days of ticks from `since` to `until`, oldest first.

    `source` is a mode, a recording, or `imported`; without it each day is of the configured mode's
    recordings, else of those of a real market, else of imported ticks. Raises `NothingFound` where
    there is none.
    """

    def wanted(day: date) -> bool:
        return (since is None or day >= since) and (until is None or day <= until)

    runs = _chosen_recordings(config, source, wanted)
    files: list[KeptTicks] = []
    if source in {"", IMPORTED}:
        files = [
            each
            for each in kept_ticks(history)
            if (each.symbol in symbols if symbols else _is_share(each.symbol))
            and str(each.day) not in runs
            and wanted(each.day)
        ]
    found: list[TickDay] = [
        RecordedDay(each, symbols, config.feed.late_after_s) for each in runs.values()
    ]
    if files:
        last = max(each.day for each in files)
        late = config.feed.late_after_s
        found += imported_days(files, listed_on(config, "NSE", last), last, late)
    found = [each for each in found if each.listed]
    if not found:
        of = f" of {source}" if source else ""
        raise NothingFound(
            f"no ticks{of} in these days: see patang ticks list, and patang ticks import"
        )
    return sorted(found, key=lambda each: each.day)


def made_up_days(days: Sequence[TickDay]) -> list[str]:
    """Return the days of a market of the desk's own, where others are of the real one."""
    found = [
        str(day.day)
        for day in days
        # an imported file is called by its symbol and day, which has no third part
        if any(name.count("/") > 1 and not name.startswith(REAL) for name in day.hashes)
    ]
    return found if len(found) < len(days) else []


def _is_share(symbol: str) -> bool:
    """Return whether a file is of what a strategy trades that names nothing."""
    return symbol not in INDEX_NAMES and not CONTRACT.search(symbol)


def _chosen_recordings(
    config: DeskConfig, source: str, wanted: Callable[[date], bool]
) -> dict[str, list[RecordedRun]]:
    """Return the recordings to read, by day."""
    if source == IMPORTED:
        return {}
    if source and source not in MODES:
        run = recording_of(config, Path(source))
        if run is None:
            raise NothingFound(f"--bars {source}: no mode, no recording, and not imported")
        return {run.day: [run]} if wanted(date.fromisoformat(run.day)) else {}
    modes = [source] if source else list(dict.fromkeys([config.desk.mode, *REAL]))
    found: dict[str, list[RecordedRun]] = {}
    # The first mode that has a day has all of it.
    for mode in modes:
        by_day: dict[str, list[RecordedRun]] = {}
        for run in all_runs(config, mode):
            # what is not wanted is not fetched from an archive either
            if run.day in found or not wanted(date.fromisoformat(run.day)):
                continue
            by_day.setdefault(run.day, []).append(run)
        found |= {day: _following_runs(runs) for day, runs in by_day.items()}
    return found


def _following_runs(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """Return the runs of a day that follow each other: of two of the same time the later one."""
    kept: list[RecordedRun] = []
    begins = NEVER
    # A day of a simulated market may have been recorded again and again.
    for run in reversed(runs):
        heads = list(_block_headers(run))
        if heads and max(head.last for head in heads) <= begins:
            kept.append(run)
            begins = min(head.first for head in heads)
    return kept[::-1]


def _block_headers(run: RecordedRun) -> Iterator[BlockHeader]:
    for part in run.parts:
        yield from BlockScan(run.path(part)).headers()
