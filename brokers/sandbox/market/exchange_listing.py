"""One instrument as it trades today: its book, what has printed, and the tick that shows both."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple, Protocol, final

from brokers.sandbox.market.client_order import ClientOrder
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.maker_quotes import LEVEL_VALUE, drawn_levels
from compiled.book.order_book import OrderBook
from compiled.market_data.depth_block import pack_depth
from compiled.model.values import MINUTE, SECOND, Instrument, Tick

LEVELS = 5
DEEP = 10
CLOSED = "closed"
CONTINUOUS = "continuous"


class SpotSource(Protocol):
    """Something with a price: a share, or an index."""

    instrument: Instrument

    @property
    def ltp(self) -> float:
        """Return the last price in rupees."""
        ...

    def candles(self) -> Iterable[tuple[int, float, float, float, float, int]]:
        """Return today's minutes: start (ns UTC), open, high, low, close in rupees, volume."""
        ...


class DerivativeContract(NamedTuple):
    """Terms of a derivative; `strike` 0.0: a future, `underlying` None: one that is not listed."""

    name: str
    expiry: date
    strike: float = 0.0
    underlying: SpotSource | None = None
    years: float = 0.0
    """To its expiry."""
    sigma: float = 0.0
    """Yearly volatility of an option."""


class BookFill(NamedTuple):
    """A fill of one of our orders."""

    order: ClientOrder
    ticks: int
    quantity: int


@final
class ExchangeListing:
    """A tradable instrument; prices inside are grid indices.

    `prints`: fills in the book are the day's trades (a crowd); otherwise the day is recorded and
    only `print_trade` counts. The book is made when it is first asked for: until then `has_book` is
    False, and the depth shows what it will hold.
    """

    def __init__(
        self,
        instrument: Instrument,
        rules: DayRules,
        *,
        prints: bool,
        contract: DerivativeContract | None = None,
        multiplier: int = 1,
    ) -> None:
        self.instrument = instrument
        self.multiplier = multiplier
        """Units of the price in one of the quantity: a lot of MCX counts as one."""
        self.rules = rules
        self.prints = prints
        self.contract = contract
        self.phase = CLOSED
        """Which phase of the session it is in."""
        self.in_call_phase = False
        """In the call phase of an auction: orders only rest."""
        self.reference = 0
        """Grid index of the closing auction's reference price; 0 outside it."""
        self.oi = 0
        low, high = instrument.ticks(instrument.lower), instrument.ticks(instrument.upper)
        self.low_band, self.high_band = int(low), int(high)
        self._reach = max(1, self.low_band), max(1, self.high_band)
        """Where orders of the day may stand: what was in the band at any time."""
        self._book: OrderBook | None = None
        self._shown: tuple[int, int, int] | None = None
        self.bids: dict[int, int] = {}
        """The crowd's buying quotes: grid index → number in the book."""
        self.asks: dict[int, int] = {}
        self.level_lots = max(1.0, LEVEL_VALUE / instrument.close / int(instrument.lot))
        """Lots a market maker shows per level, on average."""
        self.own_orders: dict[int, ClientOrder] = {}
        self.last = instrument.ticks(instrument.close)
        self.open = self.high = self.low = 0
        self.volume = 0
        self.turnover = 0
        self.last_quantity = 0
        self.last_trade = 0
        self.reached_range: tuple[int, int] | None = None
        self.minutes: list[list[int]] = []
        self.has_changed = False
        self._number = 0

    @property
    def key(self) -> str:
        """Return "EXCHANGE:SYMBOL" as quotes are asked for."""
        return f"{self.instrument.exchange}:{self.instrument.symbol}"

    @property
    def ltp(self) -> float:
        """Return the last traded price in rupees; the previous close before the first trade."""
        return self.instrument.price(self.last)

    @property
    def has_book(self) -> bool:
        """Return whether there is a book."""
        return self._book is not None

    @property
    def book(self) -> OrderBook:
        """Return the book; a new one holds the depth that has been shown."""
        if self._book is None:
            shown = ((1, self.bids, self._drawn_levels(1)), (-1, self.asks, self._drawn_levels(-1)))
            self._book = OrderBook(*self._reach)
            if self.in_call_phase:
                self._book.collect()
            for side, quotes, levels in shown:
                for ticks, quantity in levels:
                    quotes[ticks] = self.next_number()
                    self._book.limit(quotes[ticks], side, ticks, quantity)
        return self._book

    def show_quotes(self, bid: int, ask: int, quantity: int) -> None:
        """Quote five levels a side from these grid indices on, without a book before an order."""
        self._shown = (bid, ask, quantity)
        if self._book is not None:
            self._book = None
            self.bids.clear()
            self.asks.clear()

    def _drawn_levels(self, side: int) -> list[tuple[int, int]]:
        """Return (grid index, quantity) of quotes: those shown, or a crowd's while it may quote."""
        if self._shown is not None:
            best, quantity = self._shown[0 if side > 0 else 1], self._shown[2]
            behind = range(best, best - side * LEVELS, -side)
            return [
                (ticks, quantity) for ticks in behind if self.low_band <= ticks <= self.high_band
            ]
        if not self.prints or not (self.in_call_phase or self.phase == CONTINUOUS):
            return []
        made, low, high = self.instrument, self.low_band, self.high_band
        levels = drawn_levels(int(made.token), self.last, side, self.level_lots)
        return [(ticks, lots * int(made.lot)) for ticks, lots in levels if low <= ticks <= high]

    def depth(self, side: int) -> list[tuple[int, int, int]]:
        """Return the best levels of a side as (tick, quantity, orders)."""
        if self._book is not None:
            return self._book.depth(side, DEEP)
        return [(ticks, quantity, 1) for ticks, quantity in self._drawn_levels(side)]

    def slide_band(self, part: float) -> None:
        """Move the price band by a part of the previous close, up or down."""
        made = self.instrument
        by = part * made.close
        self.move_band(made.lower + by, made.upper + by)

    def confine_band(self, percent: float) -> None:
        """Hold the price band to a percentage about the reference price, as the closing auction."""
        price = self.instrument.price(self.reference)
        self.move_band(price * (1.0 - percent / 100.0), price * (1.0 + percent / 100.0))

    def move_band(self, lower: float, upper: float) -> None:
        """Move the edges of the price band to these prices, snapped inwards."""
        made = self.instrument
        made.lower, made.upper = max(made.tick, made.snap(lower, 1)), made.snap(upper, -1)
        self.low_band, self.high_band = int(made.ticks(made.lower)), int(made.ticks(made.upper))
        self._reach = (
            min(self._reach[0], max(1, self.low_band)),
            max(self._reach[1], self.high_band),
        )
        if self._book is not None:
            self._book.widen(*self._reach)

    def candles(self) -> Iterator[tuple[int, float, float, float, float, int]]:
        """Return today's minutes: start (ns UTC), open, high, low, close in rupees, volume."""
        price = self.instrument.price
        return (
            (m[0], price(m[1]), price(m[2]), price(m[3]), price(m[4]), m[5]) for m in self.minutes
        )

    def vwap(self, since: int) -> float:
        """Return the volume-weighted average of the minutes from `since` on in rupees, or 0.0."""
        minutes = [minute for minute in self.minutes if minute[0] >= since]
        volume = sum(minute[5] for minute in minutes)
        return (
            self.instrument.price(1) * sum(minute[6] for minute in minutes) / volume
            if volume
            else 0.0
        )

    def next_number(self) -> int:
        """Return a fresh order number for the book."""
        self._number += 1
        return self._number

    def print_trade(self, ticks: int, quantity: int, now: int) -> None:
        """Print a trade on the tape."""
        self.last = ticks
        if not self.open:
            self.open = self.high = self.low = ticks
        elif ticks > self.high:
            self.high = ticks
        elif ticks < self.low:
            self.low = ticks
        self.volume += quantity
        self.turnover += ticks * quantity
        self.last_quantity = quantity
        self.last_trade = now
        self.has_changed = True
        # the range since triggers were last looked at: between two looks a price may have come and
        # gone
        low, high = self.reached_range or (ticks, ticks)
        self.reached_range = (min(low, ticks), max(high, ticks))
        self._update_candle(ticks, quantity, now)

    def _update_candle(self, ticks: int, quantity: int, now: int) -> None:
        start = now - now % MINUTE
        if not self.minutes or self.minutes[-1][0] != start:
            self.minutes.append([start, ticks, ticks, ticks, ticks, quantity, ticks * quantity])
            return
        bar = self.minutes[-1]
        bar[2] = max(bar[2], ticks)
        bar[3] = min(bar[3], ticks)
        bar[4] = ticks
        bar[5] += quantity
        bar[6] += ticks * quantity

    def take_fills(self, now: int) -> list[BookFill]:
        """Take the fills off the book and print them.

        Return those of our orders, in their order.
        """
        if self._book is None:
            return []
        book, own = self._book, self.own_orders
        hits: list[BookFill] = []
        for index in range(book.fills()):
            maker, taker, ticks, quantity = book.fill(index)
            if self.prints:
                self.print_trade(ticks, quantity, now)
            if own:
                hits.extend(
                    BookFill(own[side], ticks, quantity) for side in (maker, taker) if side in own
                )
        book.clear()
        return hits

    def snapshot(self, now: int) -> Tick:
        """Return the tick of this moment with depth; its totals count ten levels of a side."""
        price = self.instrument.price
        buying, selling = self.depth(1), self.depth(-1)
        bids = [(price(ticks), quantity, orders) for ticks, quantity, orders in buying[:LEVELS]]
        asks = [(price(ticks), quantity, orders) for ticks, quantity, orders in selling[:LEVELS]]
        bid, ask = bids[0] if bids else (0.0, 0, 0), asks[0] if asks else (0.0, 0, 0)
        return Tick(
            token=self.instrument.token,
            # Kite's packets are stamped in whole seconds
            ts=now - now % SECOND,
            ltp=price(self.last),
            volume=self.volume,
            last_quantity=self.last_quantity,
            average_price=self.average,
            buy_quantity=sum([level[1] for level in buying]),
            sell_quantity=sum([level[1] for level in selling]),
            open=price(self.open),
            high=price(self.high),
            low=price(self.low),
            close=self.instrument.close,
            last_trade_ts=self.last_trade - self.last_trade % SECOND,
            oi=self.oi,
            oi_high=self.oi,
            oi_low=self.oi,
            bid=bid[0],
            bid_quantity=bid[1],
            ask=ask[0],
            ask_quantity=ask[1],
            depth=pack_depth(self.instrument.token, bids, asks),
        )

    @property
    def average(self) -> float:
        """Return the day's average traded price in rupees, to the paisa."""
        if not self.volume:
            return 0.0
        return round(self.instrument.price(1) * self.turnover / self.volume, 2)


@final
class ListedIndex:
    """An index: `gain` times the average move of its members, on its previous close."""

    def __init__(
        self, instrument: Instrument, members: list[ExchangeListing], gain: float = 1.0
    ) -> None:
        self.instrument = instrument
        self.members = members
        self.minutes: list[list[float]] = []
        """[open, high, low, close] of today's minutes so far, by their start in `starts`."""
        self.starts: list[int] = []
        self._gain = gain
        self.last = instrument.close
        self.open = self.high = self.low = 0.0
        self.has_changed = False

    @property
    def key(self) -> str:
        """Return "EXCHANGE:SYMBOL" as quotes are asked for."""
        return f"{self.instrument.exchange}:{self.instrument.symbol}"

    @property
    def ltp(self) -> float:
        """Return the index value."""
        return self.last

    def candles(self) -> Iterator[tuple[int, float, float, float, float, int]]:
        """Return today's minutes so far, without a volume."""
        return (
            (start, m[0], m[1], m[2], m[3], 0)
            for start, m in zip(self.starts, self.minutes, strict=True)
        )

    def value(self, moves: list[float]) -> float:
        """Return the index on its grid, for its members at so many times their previous closes."""
        moved = sum(moves) / len(moves)
        value = self.instrument.close * (
            moved if self._gain == 1.0 else 1.0 + self._gain * (moved - 1.0)
        )
        return self.instrument.snap(max(0.05, value))

    def update_value(self, now: int) -> None:
        """Compute the index from its members' last prices."""
        self._set_value([member.last for member in self.members], now)

    def recall_day(self) -> None:
        """Make up for its day so far from its members' minutes."""
        bars = [{bar[0]: bar for bar in member.minutes} for member in self.members]
        last = [int(member.instrument.ticks(member.instrument.close)) for member in self.members]
        for start in sorted(set().union(*bars)):
            for column in (1, 3, 2, 4):
                last = [
                    each[start][column] if start in each else old
                    for each, old in zip(bars, last, strict=True)
                ]
                self._set_value(last, start)

    def _set_value(self, prices: list[int], now: int) -> None:
        """Print the value at its members' prices, grid indices."""
        pairs = zip(self.members, prices, strict=True)
        value = self.value(
            [of.instrument.price(ticks) / of.instrument.close for of, ticks in pairs]
        )
        start = now - now % MINUTE
        if not self.starts or self.starts[-1] != start:
            self.starts.append(start)
            self.minutes.append([value, value, value, value])
        if not self.open:
            self.open = self.high = self.low = value
        elif value == self.last:
            return
        self.last = value
        bar = self.minutes[-1]
        bar[1], bar[2], bar[3] = max(bar[1], value), min(bar[2], value), value
        self.high, self.low = max(self.high, value), min(self.low, value)
        self.has_changed = True

    def snapshot(self, now: int) -> Tick:
        """Return the tick of this moment."""
        return Tick(
            token=self.instrument.token,
            ts=now - now % SECOND,
            ltp=self.last,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.instrument.close,
        )
