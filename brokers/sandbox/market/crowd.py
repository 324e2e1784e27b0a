"""The seeded crowd: makers that quote around a moving fair value, takers that trade with them.

Fair values share an index factor, breathe with the time of day, trend for five to twenty minutes at
a time and jump now and then. Takers arrive in self-exciting bursts (each trade makes the next
likelier for a few seconds, as in a Hawkes process). Everything a client sees (depth, last price,
volume, average, range) comes out of trades in the book; an instrument nobody has traded has no book
yet, and prints its fair value instead.
"""

import math
from collections.abc import Sequence
from random import Random
from typing import Protocol, final

from brokers.sandbox.market.exchange_listing import CONTINUOUS, ExchangeListing
from brokers.sandbox.market.fair_value import INDEX_SIGMA, DriftingValue, Fair
from brokers.sandbox.market.maker_quotes import LEVELS, best_quotes, lots_at_level
from brokers.sandbox.market.session_phases import CALLING, POST_CLOSE
from compiled.book.order_book import IOC
from compiled.model.values import SECOND

# rupees of an average taker's order
TAKER_VALUE = 120_000.0
CALL_SIGMA = 0.004
"""How far from the fair value auction orders are priced."""
SKIP_SECONDS = 20
"""Time that one step covers while no client looks: before the clock starts, or a waking."""
DIM_CHANCE = 0.95
"""Of a print, each second, in an instrument without a book; the first is certain."""


class PriceSource(Protocol):
    """Source of prices: it trades in the listings' books at instants it names itself."""

    listings: list[ExchangeListing]
    opens: int
    """First instant of continuous trading, ns UTC."""
    closes: int
    """End of continuous trading, ns UTC."""
    skips_to: int
    """End of the time without a client, in which it may move in long steps; ns UTC."""
    shift: float
    """How far a fault moves every price that follows no other, as a part of it."""

    def next(self, after: int) -> int:
        """Return the first instant later than `after` at which it moves."""
        ...

    def step(self, now: int) -> list[ExchangeListing]:
        """Move at an instant that `next` has named.

        Return the touched listings, in a fixed order.
        """
        ...

    def leave(self, listing: ExchangeListing) -> None:
        """Withdraw its orders from a listing's book: a call phase begins, or has ended."""
        ...

    def match(self, listing: ExchangeListing, now: int) -> None:
        """Print the auction of a listing that has no book."""
        ...


@final
class SeededCrowd:
    """Every name and its traders, moved once a second within `windows`: [start, end) in ns UTC."""

    def __init__(
        self,
        listings: list[ExchangeListing],
        traders: list["InstrumentTraders"],
        seed: int,
        windows: list[tuple[int, int]],
        hours: tuple[int, int],
    ) -> None:
        self.listings = listings
        self.opens, self.closes = hours
        self.shift = self._shifted = 0.0
        self._windows = windows
        self.skips_to = 0
        """End of the time without a client, in which it moves in long steps; ns UTC."""
        self._lived: list[tuple[int, float, float]] = []
        """(instant, index factor, heat) of the long steps so far, for instruments that wake later.
        """
        self._factor = 0.0
        self._random = Random(f"{seed}:index")  # noqa: S311 a simulation, not a secret
        self._traders = traders
        self._by_token = {int(trader.listing.instrument.token): trader for trader in traders}

    def next(self, after: int) -> int:
        """Return the next whole second in which something trades, or the one after the last."""
        long = SKIP_SECONDS * SECOND
        second = (
            min(after - after % long + long, self.skips_to)
            if after < self.skips_to
            else after - after % SECOND + SECOND
        )
        for start, end in self._windows:
            if second < end:
                return max(start, second)
        return second

    def step(self, now: int) -> list[ExchangeListing]:
        """Let every trader trade for one second, or skip some."""
        seconds = SKIP_SECONDS if now <= self.skips_to else 1
        heat = intensity((now - self.opens) // SECOND, max(0, self.closes - now) // SECOND)
        market = self._random.gauss(0.0, INDEX_SIGMA * heat * math.sqrt(seconds))
        self._factor += market
        # in long steps at every pace: an instrument that wakes later lives through these
        if not now % (SKIP_SECONDS * SECOND):
            self._lived.append((now, self._factor, heat))
            self._factor = 0.0
        if self.shift != self._shifted:
            self._shifted = self.shift
            for traders in self._traders:
                traders.shift = self.shift
        return [
            traders.listing for traders in self._traders if traders.act(market, heat, now, seconds)
        ]

    def recall(self, traders: "InstrumentTraders", hours: Sequence[tuple[int, int]]) -> None:
        """Make up for the day so far of an instrument that has just joined, in its hours."""
        traders.recall(
            [one for one in self._lived if any(start <= one[0] < end for start, end in hours)]
        )

    def join(self, traders: "InstrumentTraders") -> None:
        """Let an instrument move from now on."""
        traders.shift = self.shift
        self.listings.append(traders.listing)
        self._traders.append(traders)
        self._by_token[int(traders.listing.instrument.token)] = traders

    def leave(self, listing: ExchangeListing) -> None:
        """Withdraw the crowd's orders."""
        self._by_token[int(listing.instrument.token)].leave()

    def match(self, listing: ExchangeListing, now: int) -> None:
        """Print what an auction of the crowd alone would have found."""
        self._by_token[int(listing.instrument.token)].match(now)


def intensity(since_open: int, to_close: int) -> float:
    """Return the U-shape of the day: about 2 at the open, 0.8 at noon, 1.4 at the close."""
    return 0.8 + 1.2 * math.exp(-max(0, since_open) / 1_500) + 0.6 * math.exp(-to_close / 1_800)


@final
class InstrumentTraders:
    """The agents of one instrument."""

    def __init__(self, listing: ExchangeListing, fair: Fair, random: Random) -> None:
        self.listing = listing
        self.shift = 0.0
        self._fair = fair
        # a generator of its own: orders in one name do not change what happens in another
        self._random = random
        self._excited = 0.0
        self._bids, self._asks = listing.bids, listing.asks
        self._calls: list[int] = []
        self._top = (0, 0)
        close, lot = listing.instrument.close, int(listing.instrument.lot)
        self._lot = lot
        self._clip = max(1.0, TAKER_VALUE / close / lot)
        self._size = listing.level_lots

    def act(self, market: float, heat: float, now: int, seconds: int = 1) -> bool:
        """Do what the phase of the session allows; return whether anything may have changed."""
        phase = self.listing.phase
        if phase == CONTINUOUS:
            price = self._fair_price(market, heat, seconds)
            if self.listing.has_book:
                self._quote_levels(price)
                self._take_liquidity(heat)
            else:
                self._print_value(price, now, seconds)
            return True
        if phase in CALLING and self.listing.has_book:
            self._enter_auction_orders()
            return True
        if phase == POST_CLOSE and self.listing.own_orders:
            self._serve_post_close()
            return True
        return False

    def recall(self, lived: list[tuple[int, float, float]]) -> None:
        """Make up for the unseen part of a day.

        A value that follows another price takes that one's minutes, the rest comes from `lived`.
        """
        fair, listing = self._fair, self.listing
        if isinstance(fair, DriftingValue):
            for now, market, heat in lived:
                self._print_value(self._fair_price(market, heat, SKIP_SECONDS), now, SKIP_SECONDS)
        elif lived:
            for minute in fair.spot.candles():
                # at the seconds at which a tape prints its bars
                for second, price in zip((0, 20, 40, 59), minute[1:5], strict=True):
                    now = int(minute[0]) + second * SECOND
                    if lived[0][0] <= now <= lived[-1][0]:
                        self._print_trade(
                            int(listing.instrument.ticks(fair.at(price))),
                            self._clip * SKIP_SECONDS,
                            now,
                        )
        # no trigger of ours was there to see these prices
        listing.reached_range = None

    def _fair_price(self, market: float, heat: float, seconds: int = 1) -> float:
        price = self._fair.step(market, heat, seconds)
        return (
            price * (1.0 + self.shift)
            if self.shift and isinstance(self._fair, DriftingValue)
            else price
        )

    def _print_value(self, price: float, now: int, seconds: int = 1) -> None:
        random, listing = self._random, self.listing
        if random.random() < DIM_CHANCE or not listing.open:
            ticks = int(listing.instrument.ticks(price)) + random.randrange(3) - 1
            self._print_trade(ticks, self._clip * seconds, now)

    def _print_trade(self, ticks: int, average: float, now: int) -> None:
        listing = self.listing
        quantity = (int(self._random.expovariate(1.0 / average)) + 1) * self._lot
        listing.print_trade(min(listing.high_band, max(listing.low_band, ticks)), quantity, now)

    def match(self, now: int) -> None:
        """Print one price for all: where it opens, or closes near the reference price."""
        listing = self.listing
        if not listing.volume and isinstance(self._fair, DriftingValue):
            self._fair.gap()
        ticks = int(listing.instrument.ticks(self._fair_price(0.0, 0.1)))
        if listing.reference:
            reach = int(listing.reference * listing.rules.auction_percent / 100.0)
            ticks = min(listing.reference + reach, max(listing.reference - reach, ticks))
        self._print_trade(ticks, self._size, now)

    def _quote_levels(self, price: float) -> None:
        bid, ask = best = best_quotes(price / self.listing.instrument.price(1))
        if best == self._top and len(self._bids) == len(self._asks) == LEVELS:
            return
        self._top = best
        self._withdraw_quotes(self._bids, bid - LEVELS + 1, bid)
        self._withdraw_quotes(self._asks, ask, ask + LEVELS - 1)
        self._offer_levels(self._bids, 1, bid)
        self._offer_levels(self._asks, -1, ask)

    def _withdraw_quotes(self, held: dict[int, int], lowest: int, highest: int) -> None:
        cancel = self.listing.book.cancel
        for ticks in [ticks for ticks in held if not lowest <= ticks <= highest]:
            cancel(held.pop(ticks))

    def _offer_levels(self, held: dict[int, int], side: int, best: int) -> None:
        listing, random, size = self.listing, self._random, self._size
        for distance in range(LEVELS):
            ticks = best - side * distance
            if ticks in held or not listing.low_band <= ticks <= listing.high_band:
                continue
            number = listing.next_number()
            listing.book.limit(
                number, side, ticks, lots_at_level(size, random.random(), distance) * self._lot
            )
            held[ticks] = number

    def _take_liquidity(self, heat: float) -> None:
        random, listing = self._random, self.listing
        chance = 0.35 * heat + self._excited
        self._excited = self._excited * 0.8
        while random.random() < min(chance, 0.9):
            chance -= 0.6
            side = 1 if random.random() < 0.5 + self._fair.lean else -1
            quantity = (int(random.expovariate(1.0 / self._clip)) + 1) * self._lot
            listing.book.market(listing.next_number(), side, quantity)
            self._excited = min(0.5, self._excited + 0.12)
        if not listing.open and not listing.book.fills():
            listing.book.market(listing.next_number(), 1, (int(self._clip) + 1) * self._lot)
        if listing.book.fills():
            self._forget_filled(self._bids)
            self._forget_filled(self._asks)

    def _forget_filled(self, held: dict[int, int]) -> None:
        remaining = self.listing.book.remaining
        for ticks in [ticks for ticks, number in held.items() if not remaining(number)]:
            del held[ticks]

    def _enter_auction_orders(self) -> None:
        """Enter auction orders on both sides of the value the crowd sees."""
        random, listing = self._random, self.listing
        if not self._calls and not listing.volume and isinstance(self._fair, DriftingValue):
            self._fair.gap()
        around = self._fair_price(0.0, 0.1) / listing.instrument.price(1)
        for side in (1, -1):
            if random.random() < 0.5:
                ticks = round(around * (1.0 + side * 0.001 + random.gauss(0.0, CALL_SIGMA)))
                quantity = (int(random.expovariate(0.5 / self._size)) + 1) * self._lot
                number = listing.next_number()
                listing.book.limit(
                    number, side, min(listing.high_band, max(listing.low_band, ticks)), quantity
                )
                self._calls.append(number)
        listing.has_changed = True

    def _serve_post_close(self) -> None:
        """Trade after the close with any order there is, at the closing price."""
        listing, book = self.listing, self.listing.book
        for order in list(listing.own_orders.values()):
            if order.is_live and book.remaining(order.number):
                ticks = int(listing.instrument.ticks(order.ask.price))
                book.limit(
                    listing.next_number(),
                    -order.ask.side,
                    price=ticks,
                    quantity=order.pending,
                    owner=0,
                    tif=IOC,
                )

    def leave(self) -> None:
        """Withdraw every order."""
        if not self.listing.has_book:
            return
        cancel = self.listing.book.cancel
        for number in (*self._bids.values(), *self._asks.values(), *self._calls):
            cancel(number)
        self._bids.clear()
        self._asks.clear()
        self._calls.clear()
        self._top = (0, 0)
