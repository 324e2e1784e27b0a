"""Ticks packed into columns for a replay, without those that the desk's filter keeps out."""

from typing import final

from librt.strings import BytesWriter, read_f64_le, read_i64_le, write_f64_le, write_i64_le
from librt.vecs import append, vec
from mypy_extensions import i64

from compiled.backtest.recording import DEPTH, STALE, WORD, TickColumns
from compiled.market_data.tick_filter import TickFilter
from compiled.market_data.token_index import TokenIndex
from compiled.model.events import BandUpdate
from compiled.model.int_map import IntMap
from compiled.model.values import Instrument, Tick

NO_DEPTH = bytes(int(DEPTH))


@final
class TickPacker:
    """Packs a day's messages of ticks, in the order in which a desk takes them.

    `listed` are the instruments by slot as that day had them, None for one that it had not;
    `tokens` are what the replay calls them. `ahead` (ns) is how far a stamp may lie in the future,
    `today` when the day began (ns UTC). With `timed` the timers are packed as well. What is not
    listed is left out, what cannot be true is counted in `dead` by reason.
    """

    def __init__(
        self,
        tokens: list[int],
        listed: list[Instrument | None],
        ahead: i64,
        today: i64,
        timed: bool,
    ) -> None:
        self.dead: dict[str, int] = {}
        self.rows: i64 = 0
        self.now: i64 = 0
        self._tokens = tokens
        self._today = today
        self._timed = timed
        self._filter = TickFilter(ahead)
        self._index = TokenIndex()
        self._slots_by_place = vec[i64]()
        self._instruments: IntMap[Instrument] = IntMap()
        for slot in range(len(listed)):
            instrument = listed[slot]
            if instrument is not None:
                self._index.add(instrument.token)
                self._slots_by_place = append(self._slots_by_place, slot)
                self._instruments[instrument.token] = instrument
        self._begin_columns()

    def _begin_columns(self) -> None:
        self.rows = 0
        self._deep = False
        self._slots = BytesWriter()
        self._times = BytesWriter()
        self._prices = BytesWriter()
        self._volumes = BytesWriter()
        self._depth = BytesWriter()
        self._stamps = BytesWriter()
        self._ends = BytesWriter()

    def change_band(self, event: BandUpdate) -> None:
        """Judge by another band from here on."""
        self.now = max(self.now, event.ts)
        instrument = self._instruments.get(event.token)
        if instrument is not None:
            instrument.lower = event.lower
            instrument.upper = event.upper

    def add_message(self, received: i64, ticks: list[Tick]) -> None:
        """Pack the ticks of one message; it comes no earlier than what came before."""
        self.now = max(self.now, received)
        # What is not traded here is no strange tick: a recording has all that its desk watched.
        known: list[Tick] = []
        for tick in ticks:
            if self._index.find(tick.token) >= 0:
                if tick.ts == 0:
                    tick.ts = self.now
                known.append(tick)
        taken = self._filter.sift_ticks(known, self._instruments, self.now, self._today)
        for dead in self._filter.dead:
            self.dead[dead.reason] = self.dead.get(dead.reason, 0) + 1
        self._filter.dead.clear()
        for tick in taken:
            self._put_tick(tick)
        # An empty message would be a timer.
        if self._timed and taken:
            self._put_end()

    def add_timer(self, ts: i64) -> None:
        """Pack a timer of the desk."""
        self.now = max(self.now, ts)
        self._put_end()

    def add_columns(self, tokens: bytes, times: bytes, prices: bytes, volumes: bytes) -> None:
        """Pack ticks from columns of 8-byte values, each a message of its own, oldest first."""
        at: i64 = 0
        while at < len(tokens):
            ts = read_i64_le(times, at)
            tick = Tick(
                read_i64_le(tokens, at),
                ts,
                read_f64_le(prices, at),
                volume=read_i64_le(volumes, at),
            )
            self.add_message(ts, [tick])
            at += WORD

    def take_columns(self) -> TickColumns:
        """Return what has been packed since the last time."""
        made = TickColumns(
            self._tokens,
            self._slots.getvalue(),
            self._times.getvalue(),
            self._prices.getvalue(),
            self._volumes.getvalue(),
            self._depth.getvalue() if self._deep else b"",
            stamps=self._stamps.getvalue(),
            ends=self._ends.getvalue(),
        )
        self._begin_columns()
        return made

    def _put_end(self) -> None:
        write_i64_le(self._times, self.now)
        write_i64_le(self._ends, self.rows)

    def _put_tick(self, tick: Tick) -> None:
        self.rows += 1
        write_i64_le(self._slots, self._slots_by_place[self._index.find(tick.token)])
        write_i64_le(self._stamps, tick.ts)
        write_f64_le(self._prices, tick.ltp)
        # What `Tick.traded_since` says, in the one number that the columns have for it.
        volume = tick.volume
        if not tick.traded_since(self._today):
            volume = volume if volume == 0 else STALE
        elif volume == 0:
            volume = -1
        write_i64_le(self._volumes, volume)
        if not self._timed:
            write_i64_le(self._times, self.now)
        if len(tick.depth) == DEPTH:
            self._deep = True
            self._depth.write(tick.depth)
        else:
            self._depth.write(NO_DEPTH)
