"""The filter of impossible ticks: they are kept out of bars, stops and strategies.

`docs/bars.md` has the rules and their figures.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.model.exchange_rules import is_inside_band
from compiled.model.int_map import IntMap
from compiled.model.values import SECOND, Instrument, Tick

TOKEN: Final = "token"  # noqa: S105  of an instrument
FUTURE: Final = "future"
DAY: Final = "day"
GRID: Final = "grid"
BAND: Final = "band"
JUMP: Final = "jump"

LEAP: Final = 0.10
"""Part of the last price by which a trade is away that has to be borne out by the next."""
NEAR: Final = 0.02
"""Part of a price within which another bears it out."""
FRESH: Final[i64] = 60 * SECOND
"""Age at which the last price says nothing about the next any more."""
STANDS: Final[i64] = 5 * SECOND
"""How long a price has to stand without another trade to be borne out."""
ODD: Final[i64] = 3
"""Trades off the grid in a row after which the grid is wrong, and not they."""


@final
class DeadTick:
    """An impossible tick, with its reason and its time (ns).

    Beside them are the last true price in rupees (0.0: none) and its instrument.
    """

    def __init__(
        self, tick: Tick, reason: str, received: i64, last: float, instrument: Instrument | None
    ) -> None:
        self.tick = tick
        self.reason = reason
        self.received = received
        self.last = last
        self.instrument = instrument


@final
class FilterState:
    """The state of one token's filter.

    It has the last true price and its time, and the tick that waits to be borne out.
    """

    def __init__(self) -> None:
        self.price = 0.0
        self.ts: i64 = 0
        self.off: i64 = 0
        self.held: Tick | None = None
        self.since: i64 = 0
        self.why = ""


@final
class TickFilter:
    """Separates true ticks from others.

    `ahead` (ns) is how far a stamp may lie in the future; `dead` gathers the others.
    """

    def __init__(self, ahead: i64) -> None:
        self.ahead = ahead
        self.dead: list[DeadTick] = []
        self._seen: IntMap[FilterState] = IntMap()

    def sift_ticks(
        self, ticks: list[Tick], instruments: IntMap[Instrument], now: i64, today: i64
    ) -> list[Tick]:
        """Return the ticks to take at `now`, in order, of a day that began at `today` (ns UTC)."""
        taken: list[Tick] = []
        for tick in ticks:
            instrument = instruments.get(tick.token)
            if instrument is None:
                self.dead.append(DeadTick(tick, TOKEN, now, 0.0, None))
            elif not tick.traded_since(today) or not tick.ltp > 0.0:
                taken.append(tick)  # not traded yet: the kernel knows what to make of it
            else:
                self._judge_tick(tick, instrument, now, today, taken)
        return taken

    def note_true_price(self, token: i64, price: float, ts: i64) -> None:
        """Take a price for the last true one of a token."""
        seen = self._token_state(token)
        seen.price = price
        seen.ts = ts

    def _judge_tick(
        self, tick: Tick, instrument: Instrument, now: i64, today: i64, taken: list[Tick]
    ) -> None:
        seen = self._token_state(tick.token)
        why = self._impossible_reason(tick, instrument, seen, now, today)
        if why:
            self.dead.append(DeadTick(tick, why, now, seen.price, instrument))
            return
        # A doubtful price waits for the next trade. Near it, both were real; elsewhere it was an
        # outlier; standing alone for a while, as at a circuit, it is real as well (docs/bars.md).
        held = seen.held
        if held is not None:
            same = (
                held.ltp == tick.ltp
                and held.volume == tick.volume
                and held.last_trade_ts == tick.last_trade_ts
            )
            if same and now - seen.since < STANDS:
                return
            seen.held = None
            if same or abs(tick.ltp - held.ltp) <= NEAR * held.ltp:
                # The one that waited comes first: its high or low belongs in the bar.
                if not same:
                    taken.append(held)
                self.note_true_price(tick.token, tick.ltp, now)
                taken.append(tick)
                return
            self.dead.append(DeadTick(held, seen.why, seen.since, seen.price, instrument))
        why = self._doubtful_reason(tick, instrument, seen, now)
        if why:
            seen.held = tick
            seen.since = now
            seen.why = why
            return
        seen.price = tick.ltp
        seen.ts = now
        taken.append(tick)

    def _impossible_reason(
        self, tick: Tick, instrument: Instrument, seen: FilterState, now: i64, today: i64
    ) -> str:
        if tick.ts > now + self.ahead or tick.last_trade_ts > now + self.ahead:
            return FUTURE
        if tick.ts < today and tick.last_trade_ts > 0:
            return DAY
        # Indices have no grid. A run of odd prices means that the list has the wrong one.
        if instrument.kind != "INDEX" and instrument.tick_e4 > 0 and seen.off <= ODD:
            if instrument.on_grid(tick.ltp):
                seen.off = 0
            else:
                seen.off += 1
                if seen.off <= ODD:
                    return GRID
        return ""

    def _doubtful_reason(
        self, tick: Tick, instrument: Instrument, seen: FilterState, now: i64
    ) -> str:
        away = abs(tick.ltp - seen.price)
        if seen.price > 0.0 and away <= NEAR * seen.price:
            return ""
        if not is_inside_band(instrument, tick.ltp):
            edge = instrument.lower if tick.ltp < instrument.lower else instrument.upper
            at_edge = abs(seen.price - edge) <= NEAR * edge  # where the exchange moves a band
            if not at_edge or away > LEAP * seen.price:
                return BAND
            return ""
        option = instrument.kind == "CE" or instrument.kind == "PE"
        # After a quiet minute a large step is a market, not an outlier; options jump by nature.
        if seen.price > 0.0 and now - seen.ts < FRESH and away > LEAP * seen.price and not option:
            return JUMP
        return ""

    def _token_state(self, token: i64) -> FilterState:
        seen = self._seen.get(token)
        if seen is None:
            seen = FilterState()
            self._seen[token] = seen
        return seen
