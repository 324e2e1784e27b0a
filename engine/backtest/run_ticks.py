"""The ticks of a backtest: day after day, in the order in which a desk heard them."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Final, NamedTuple, Protocol, final

import numpy as np

from compiled.backtest.backtest import ReplayResult
from compiled.backtest.paced_requests import RequestRates
from compiled.backtest.recording import TickColumns
from compiled.backtest.tick_loop import TickReplay
from compiled.backtest.tick_packing import TickPacker
from compiled.model.events import BandUpdate
from compiled.model.values import MINUTE, SECOND, Bar, Instrument
from compiled.trading.kernel import Kernel
from compiled.venue.venue import SimulatedVenue
from engine.backtest.quoted_ranges import QuotedRanges
from engine.backtest.traded_market import TradedMarket
from engine.errors import ConfigError
from engine.history.bar_series import BarSeries, from_bars, merge
from engine.market.calendar import midnight
from engine.numbers import counted, time_of_day

SPAN: Final = 60
"""Seconds of the bars by which figures and pictures go."""
CHUNK: Final = 20_000
"""Ticks at a time: with depth they are 3 MB."""
HOLE: Final = 2 * MINUTE
"""Silence of all instruments that is told."""
HOLES_TOLD: Final = 3


class TickDay(Protocol):
    """The ticks of one day, read as they are needed."""

    day: date
    hashes: Mapping[str, str]
    """SHA-256 of what they are read of, by its name."""
    listed: Mapping[str, Instrument]
    """The instruments of that day by symbol, with bands where they are known."""
    ahead: int
    """How far a stamp may lie in the future, ns."""
    late: int
    """From which age on a tick is late, ns; 0: never."""
    timed: bool
    """Whether the timers of the desk that heard them are recorded, too."""
    size: int
    """How many messages there are, about."""
    remarks: list[str]
    """What is not as it should be, complete when all is read."""

    def fill(self, packer: TickPacker) -> Iterator[BandUpdate | None]:
        """Pack the day; stop where the packer has `CHUNK` ticks, and at each change of a band."""
        ...


class ReplayTicks(NamedTuple):
    """Ticks as a run replays them, by day; `warm` are one-minute bars of before the first."""

    days: Sequence[TickDay]
    warm: dict[str, BarSeries]
    feed: int = 0
    """How long a tick is on its way to the desk, ns."""
    rates: RequestRates | None = None
    """What the account may ask; None: everything leaves at once."""

    @property
    def dropped(self) -> int:
        """Return 0: what lies outside its session is heard, as on a desk."""
        return 0

    @property
    def grace(self) -> int:
        """Return how long a bar waits for its last ticks, ns, as on a desk."""
        return SECOND

    def traded(self, instruments: Mapping[str, Instrument]) -> list[Instrument]:
        """Return the instruments: all of them have ticks."""
        return list(instruments.values())

    def spans(self, heard: Collection[int]) -> list[int]:
        """Return the spans of the bars that the kernel builds; raise `ConfigError`."""
        made = sorted({SPAN, *heard})
        if strange := [span for span in made if span % made[0]]:
            raise ConfigError(
                f"bars of {strange[0]} s are not built of ticks beside those of {made[0]} s"
            )
        return made

    def passage(
        self, kernel: Kernel, venue: SimulatedVenue, market: TradedMarket, span: int
    ) -> "TickPassage":
        """Return the loop over these ticks, about to begin."""
        del span
        return TickPassage(self, kernel, venue, market)


@final
class TickPassage:
    """The loop over ticks, a chunk at a time.

    Of about `total` messages so many have `passed`, with ticks that are `done`.
    """

    def __init__(
        self, ticks: ReplayTicks, kernel: Kernel, venue: SimulatedVenue, market: TradedMarket
    ) -> None:
        self._kernel = kernel
        self._instruments = list(market.instruments.values())
        tokens = [int(each.token) for each in self._instruments]
        self._replay = TickReplay(
            kernel, venue, tokens, market.sessions, SPAN, ticks.feed, ticks.rates
        )
        self._sessions = market.sessions
        self._days = [each for each in ticks.days if each.day in market.days]
        self.series: dict[str, BarSeries] = {}
        """The minutes that the ticks have made, by symbol, when all is over."""
        self.met_series: dict[str, BarSeries] = {}
        """The same, with lows and highs as far as orders could have met somebody."""
        first = venue.instrument_venues[int(self._instruments[0].token)]
        self._ranges = QuotedRanges(self._instruments, first.slippage)
        self._made: dict[str, list[BarSeries]] = {each.symbol: [] for each in self._instruments}
        self._bars: list[Bar] = []
        self._heard = 0
        self._dead: dict[str, int] = {}
        self.remarks: list[str] = []
        """What the result has to say of its ticks, complete when all are done."""
        self.total = sum(each.size for each in self._days)
        self.passed = 0
        self.done = 0
        self.is_over = False
        self._chunks = self._play_days()

    @property
    def points(self) -> int:
        """Return how many points the curve has so far."""
        return int(self._replay.points)

    def keep_decisions(self) -> None:
        """Let every decision be kept."""
        self._replay.keeps_decisions = True

    def advance(self, most: int) -> None:
        """Replay one chunk more, however many ticks it has."""
        del most
        self.is_over = next(self._chunks, None) is None

    def finish(self) -> ReplayResult:
        """End the last session; return the result."""
        # A run that was stopped or has failed is in the middle of a day, which ends here.
        self._chunks.close()
        self._replay.collect_open_rungs()
        self.series = {
            symbol: merge(parts or [from_bars([])]) for symbol, parts in self._made.items()
        }
        self.met_series = self._ranges.widen(self.series)
        if self._dead:
            of = ", ".join(f"{why} {number:,}" for why, number in sorted(self._dead.items()))
            self.remarks.append(
                f"{counted(sum(self._dead.values()), 'tick')} that cannot be true left out: {of}"
            )
        if outside := int(self._kernel.market_feed.bars.outside):
            self.remarks.append(
                f"{counted(outside, 'tick')} outside the session of their day make no bar"
            )
        return ReplayResult(self._kernel, self._replay, self.done)

    def _play_days(self) -> Generator[int]:
        for index, day in enumerate(self._days):
            yield from self._play_day(index, day)

    def _play_day(self, index: int, day: TickDay) -> Generator[int]:
        """Play one day through its session, to whose end it comes in any case."""
        begun = False
        holes = _HoleFinder(self._sessions.opens[index], self._sessions.closes[index])
        # The packer is a chunk ahead of the kernel, and judges by the bands of its own time.
        own = {symbol: _copy_of(each) for symbol, each in day.listed.items()}
        packer = TickPacker(
            [int(each.token) for each in self._instruments],
            [own.get(each.symbol) for each in self._instruments],
            ahead=day.ahead,
            today=midnight(day.day),
            timed=day.timed,
        )
        try:
            for event in chain(day.fill(packer), (None,)):
                columns = packer.take_columns()
                if columns.messages:
                    if not begun:
                        self._open_session(index, day, np.frombuffer(columns.times, np.int64)[0])
                        begun = True
                    holes.look(columns)
                    self._ranges.add_ticks(columns)
                    self._replay.play(columns, 0, columns.messages)
                    self._bars += self._replay.take_bars(SPAN)
                self.done += int(columns.count)
                self.passed += int(columns.messages)
                if event is not None:
                    self._change_band(day, event)
                yield self.done
            if not begun:
                self._open_session(index, day, int(self._sessions.opens[index]))
                begun = True
        finally:
            # A run that is stopped ends in the middle of its day, in order.
            if begun:
                self._replay.close_session()
            self._bars += self._replay.take_bars(SPAN)
            self._fold_day()
        for why, number in packer.dead.items():
            self._dead[why] = self._dead.get(why, 0) + int(number)
        self.remarks += [f"{day.day}: {text}" for text in [*day.remarks, *holes.texts()]]

    def _open_session(self, index: int, day: TickDay, since: int) -> None:
        """Begin a day: with its bands, and before its first tick."""
        for each in self._instruments:
            if (listed := day.listed.get(each.symbol)) is not None:
                each.lower, each.upper, each.close = listed.lower, listed.upper, listed.close
        self._replay.open_session(index, int(since), day.late)
        # What is held over night is protected within the bands of the day.
        for each in self._instruments:
            if self._kernel.state.markets[int(each.token)].ladders and each.upper > 0.0:
                now = int(self._kernel.order_store.now)
                self._replay.change_band(BandUpdate(now, each.token, each.lower, each.upper))

    def _change_band(self, day: TickDay, event: BandUpdate) -> None:
        for each in self._instruments:
            listed = day.listed.get(each.symbol)
            if listed is not None and listed.token == event.token:
                band = BandUpdate(event.ts, each.token, event.lower, event.upper)
                self._replay.change_band(band)

    def _fold_day(self) -> None:
        """Turn the day's minutes into arrays, which take less room."""
        by_token: dict[int, list[Bar]] = {}
        for bar in self._bars:
            by_token.setdefault(int(bar.token), []).append(bar)
        self._bars = []
        # Not kept as objects: a month of two hundred shares has more than a million of them.
        for each in self._instruments:
            if bars := by_token.get(int(each.token)):
                self._made[each.symbol].append(from_bars(bars))


class _HoleFinder:
    """Finds the times within a session [opens, closes] at which nothing at all came."""

    def __init__(self, opens: int, closes: int) -> None:
        self._last, self._closes = opens, closes
        self._found: list[tuple[int, int]] = []

    def look(self, columns: TickColumns) -> None:
        """Look at messages that follow those before."""
        times = np.frombuffer(columns.times, np.int64)
        if columns.timed:
            ends = np.frombuffer(columns.ends, np.int64)
            times = times[np.diff(ends, prepend=0) > 0]
        times = np.clip(np.concatenate(([self._last], times)), self._last, self._closes)
        for at in np.flatnonzero(np.diff(times) > HOLE).tolist():
            self._found.append((int(times[at]), int(times[at + 1])))
        self._last = int(times[-1])

    def texts(self) -> list[str]:
        """Return a line for each of the first holes, and one for the others."""
        if self._closes - self._last > HOLE:
            self._found.append((self._last, self._closes))
        lines = [
            f"no ticks from {time_of_day(start)} to {time_of_day(end)}"
            for start, end in self._found[:HOLES_TOLD]
        ]
        if len(self._found) > HOLES_TOLD:
            lines.append(f"and {counted(len(self._found) - HOLES_TOLD, 'more hole')}")
        return lines


def tick_instruments(days: Sequence[TickDay]) -> dict[str, Instrument]:
    """Return the instruments of a run: as the newest day has each, on the finest grid of all."""
    found: dict[str, Instrument] = {}
    for day in days:
        for symbol, listed in day.listed.items():
            before = found.get(symbol)
            # A coarser grid would round the prices of the days that had a finer one.
            tick = listed.tick if before is None else min(before.tick, listed.tick)
            found[symbol] = _copy_of(listed, tick)
    return found


def _copy_of(listed: Instrument, tick: float = 0.0) -> Instrument:
    return Instrument(
        listed.token,
        listed.exchange,
        symbol=listed.symbol,
        tick=tick or listed.tick,
        lot=listed.lot,
        kind=listed.kind,
        name=listed.name,
        lower=listed.lower,
        upper=listed.upper,
        close=listed.close,
        freeze=listed.freeze,
        multiplier=listed.multiplier,
        expiry=listed.expiry,
    )
