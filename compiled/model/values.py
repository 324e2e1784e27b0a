"""The values the core passes around: instruments, ticks, bars, orders, GTTs and their enums.

Units, everywhere: quantities in shares (i64), money in paise (i64), prices in float rupees on the
instrument's tick grid, times in nanoseconds since the epoch, UTC (i64).
"""

from enum import IntEnum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.number_bounds import MONEY
from compiled.model.order_terms import PLAIN, OrderChange, OrderTerms

# As `paise` reckons: in ten-thousandths of a rupee, a hundred to the paisa.
_MOST: Final = float(MONEY) * 100.0
E4: Final = 10_000.0
"""Prices are exact in ten-thousandths of a rupee, the finest grid any Indian segment uses."""

SECOND: Final = 1_000_000_000
MINUTE: Final = 60_000_000_000
IST: Final[i64] = 19_800_000_000_000
"""How far Indian time is ahead of UTC (ns)."""
NEVER: Final[i64] = 4_611_686_018_427_387_903  # the largest number that mypyc does not box


class Side(IntEnum):
    """Direction of an order; the value is the sign of its quantity."""

    # The numbers of all these enums are hashed into digests: a new member gets a new number.
    BUY = 1
    SELL = -1


class OrderType(IntEnum):
    """The pricing of an order."""

    MARKET = 1
    LIMIT = 2
    # Those with a trigger come last: they are told by `>= SL`.
    SL = 3
    SLM = 4


class Product(IntEnum):
    """Product of a position: delivery, intraday, carried derivatives, financed delivery."""

    CNC = 1
    MIS = 2
    NRML = 3
    MTF = 4


class Validity(IntEnum):
    """The life of an order."""

    DAY = 1
    IOC = 2
    TTL = 3


class OrderPurpose(IntEnum):
    """The purpose of an order; its class at the governor and the kill switch."""

    ENTRY = 1
    EXIT = 2
    PROTECT = 3


class OrderStatus(IntEnum):
    """The stages of an order's life.

    `compiled/trading/order_states.py` holds the legal transitions.
    """

    INTENT = 1
    SENT = 2
    UNKNOWN = 3
    OPEN = 4
    TRIGGER_PENDING = 5
    COMPLETE = 6
    CANCELLED = 7
    REJECTED = 8
    LOST = 9


class GttStatus(IntEnum):
    """The stages of a GTT's life."""

    INTENT = 1
    SENT = 2
    UNKNOWN = 3
    ACTIVE = 4
    # From here on it is over: that is told by `> ACTIVE`.
    TRIGGERED = 5
    DISABLED = 6
    EXPIRED = 7
    CANCELLED = 8
    REJECTED = 9
    DELETED = 10
    LOST = 11


@mypyc_attr(acyclic=True)
@final
class TradingHours:
    """The trading hours of one instrument on one day, in ns UTC.

    It trades continuously in [opens, closes), less [pause, resumes). Its closing auction takes
    market orders in [auction, auction_ends) and is matched by `ends`, when the last order of the
    day is done (without an auction at the close). From `square_off` on (0: never) the desk holds
    nothing intraday, and nothing at all where it `clears`; from `squared` on (0: not known) the
    broker has squared the rest off itself, and takes no intraday order any more. From `last_entry`
    on (0: the close) it enters nothing, and takes back resting entries.

    Where it is not known which of two schedules holds, `closes` is the earlier close, there is no
    auction, and `ends` is when both are over.
    """

    def __init__(
        self,
        opens: i64,
        closes: i64,
        pause: i64 = 0,
        resumes: i64 = 0,
        auction: i64 = 0,
        auction_ends: i64 = 0,
        ends: i64 = 0,
        square_off: i64 = 0,
        last_entry: i64 = 0,
        clears: bool = False,
        squared: i64 = 0,
    ) -> None:
        assert opens <= closes, "trading ends before it begins"
        assert pause <= resumes, "a pause ends before it begins"
        assert auction <= auction_ends, "an auction ends before it begins"
        self.opens = opens
        self.closes = closes
        self.pause = pause
        self.resumes = resumes
        self.auction = auction
        self.auction_ends = auction_ends
        # Without an auction nothing of the day comes after continuous trading.
        self.ends = ends if ends > 0 else closes
        assert self.closes <= self.ends, "orders end before trading does"
        self.square_off = square_off
        self.last_entry = last_entry
        self.clears = clears
        self.squared = squared

    def is_trading(self, ts: i64) -> bool:
        """Return whether continuous trading is on."""
        return self.opens <= ts < self.closes and not self.pause <= ts < self.resumes

    def takes_entries(self, ts: i64) -> bool:
        """Return whether an entry may leave."""
        return self.is_trading(ts) and not 0 < self.last_entry <= ts

    def withdraws_entry(self, ts: i64, made: i64) -> bool:
        """Return whether a resting entry is taken back; one for tomorrow is not."""
        return made < self.last_entry <= ts

    def takes_exits(self, ts: i64) -> bool:
        """Return whether a market order is taken, by continuous trading or the closing auction."""
        return self.is_trading(ts) or self.auction <= ts < self.auction_ends

    def gathers_orders(self, ts: i64) -> bool:
        """Return whether orders wait for the closing auction to be matched."""
        return self.auction > 0 and self.closes <= ts < self.ends

    def is_unconfirmed(self, ts: i64) -> bool:
        """Return whether it is not known that the exchange trades: a refusal is no fault then."""
        return self.auction == 0 and self.closes <= ts < self.ends

    def squares_off(self, ts: i64) -> bool:
        """Return whether intraday positions are over for the day."""
        return 0 < self.square_off <= ts

    def squared_off(self, ts: i64) -> bool:
        """Return whether the broker has squared intraday positions off.

        It refuses every order of theirs from then on.
        """
        return 0 < self.squared <= ts


@final
class Instrument:
    """One tradable instrument, with the grid its prices stand on.

    `tick` in rupees, `lot` and `freeze` in shares (freeze 0: not known), `lower` and `upper` the
    day's price band in rupees (0.0: none known), `bound` the shares of earlier days that the
    depository would not let go, `close` the previous close, `kind` one of EQ, FUT, CE, PE, INDEX,
    `expiry` a contract's last day as YYYYMMDD (0: none). `hours` are the day's; the kernel sets
    them when a session begins.

    Where the exchange counts lots (MCX), a share here is one unit of the price's commodity, and
    `multiplier` says how many of them the exchange counts as one: 100 for GOLD, whose lot of 1 kg
    is priced per 10 g. Orders, fills and positions are in units, so that price times quantity is
    the value everywhere; market data has the exchange's own counts.
    """

    def __init__(
        self,
        token: i64,
        exchange: str,
        symbol: str,
        tick: float,
        lot: i64 = 1,
        kind: str = "EQ",
        name: str = "",
        lower: float = 0.0,
        upper: float = 0.0,
        close: float = 0.0,
        freeze: i64 = 0,
        multiplier: i64 = 1,
        expiry: i64 = 0,
    ) -> None:
        self.token = token
        self.exchange = exchange
        self.symbol = symbol
        self.tick = tick
        self.lot = lot
        self.kind = kind
        self.name = name
        self.lower = lower
        self.upper = upper
        self.close = close
        self.freeze = freeze
        self.multiplier = multiplier
        self.expiry = expiry
        self.bound: i64 = 0
        self.hours = TradingHours(0, NEVER)
        # Rounded, as not every tick times 10,000 is a whole float.
        self.tick_e4: i64 = i64(tick * E4 + 0.5)

    def ticks(self, price: float) -> i64:
        """Return the grid index nearest to `price`."""
        return nearest(price * E4 / float(self.tick_e4))

    def price(self, ticks: i64) -> float:
        """Return the price at a grid index: the one float that stands for it."""
        return float(ticks * self.tick_e4) / E4

    def snap(self, price: float, toward: i64 = 0) -> float:
        """Return the nearest `price` on the grid.

        With `toward` 1 it is never below the price, with -1 never above.
        """
        exact = price * E4 / float(self.tick_e4)
        index = nearest(exact)
        # A price on the grid comes with a float's rounding, which must not move it to the next one.
        if toward > 0 and float(index) < exact - 1e-6:
            index += 1
        elif toward < 0 and float(index) > exact + 1e-6:
            index -= 1
        return self.price(index)

    def on_grid(self, price: float) -> bool:
        """Return whether `price` stands on the grid, to a thousandth of a tick."""
        exact = price * E4 / float(self.tick_e4)
        # Wide enough for what arithmetic adds to a price, and far too narrow for another one.
        return abs(exact - float(nearest(exact))) < 1e-3


def day_start(ts: i64) -> i64:
    """Return the start of the IST day that a time lies in, both ns UTC."""
    return ts - (ts + IST) % (86_400 * SECOND)


def nearest(x: float) -> i64:
    """Round half away from zero, to an integer; the core's one rounding of prices."""
    # Not `round`, which goes to the even one at a half.
    if x >= 0.0:
        return i64(x + 0.5)
    return -i64(0.5 - x)


def paise(price: float, quantity: i64) -> i64:
    """Return the value of `quantity` at `price` in paise, rounded half away from zero.

    It is held at `MONEY` either way; NaN counts as the most.
    """
    exact = price * E4
    about = exact * float(quantity)
    if not -_MOST < about < _MOST or quantity == 0:
        if quantity == 0:
            return 0
        return -MONEY if about < 0.0 else MONEY
    # The price first: it is exact in ten-thousandths, and so is every product with it then.
    e4 = nearest(exact) * quantity
    # Division rounds down below zero, too, so the sign is taken apart.
    if e4 >= 0:
        return (e4 + 50) // 100
    return -((50 - e4) // 100)


# Acyclic, as on all values: the collector has nothing to follow here. A list of one free object
# spares the allocation where one goes before the next comes.
@mypyc_attr(acyclic=True, free_list_len=1)
@final
class Tick:
    """One market data packet.

    `ts` is the exchange's time where the packet carries one, else the time of receipt (0 on its way
    from the feed: `stamp_ticks`). `volume` is the day's cumulative quantity, -1 where the packet
    has none. `bid` and `ask` are the best level, 0.0 where there is none. `depth` is the raw
    120-byte block of ten levels (`compiled/market_data/depth_block.py` reads it), empty outside
    full mode.
    """

    def __init__(
        self,
        token: i64,
        ts: i64,
        ltp: float,
        volume: i64 = -1,
        last_quantity: i64 = 0,
        average_price: float = 0.0,
        buy_quantity: i64 = 0,
        sell_quantity: i64 = 0,
        open: float = 0.0,
        high: float = 0.0,
        low: float = 0.0,
        close: float = 0.0,
        last_trade_ts: i64 = 0,
        oi: i64 = 0,
        oi_high: i64 = 0,
        oi_low: i64 = 0,
        bid: float = 0.0,
        bid_quantity: i64 = 0,
        ask: float = 0.0,
        ask_quantity: i64 = 0,
        depth: bytes = b"",
    ) -> None:
        self.token = token
        self.ts = ts
        self.ltp = ltp
        self.volume = volume
        self.last_quantity = last_quantity
        self.average_price = average_price
        self.buy_quantity = buy_quantity
        self.sell_quantity = sell_quantity
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.last_trade_ts = last_trade_ts
        self.oi = oi
        self.oi_high = oi_high
        self.oi_low = oi_low
        self.bid = bid
        self.bid_quantity = bid_quantity
        self.ask = ask
        self.ask_quantity = ask_quantity
        self.depth = depth

    def traded_since(self, since: i64) -> bool:
        """Return whether the last price was made at `since` (ns) or later.

        A packet without volume or trade time is believed.
        """
        if self.last_trade_ts > 0:
            return self.last_trade_ts >= since
        # A volume of 0 is a day without a trade: its last price is an earlier day's.
        return self.volume != 0


def stamp_ticks(ticks: list[Tick], ts: i64) -> None:
    """Give ticks without a time of their own the time of receipt."""
    for tick in ticks:
        if tick.ts == 0:
            tick.ts = ts


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class Bar:
    """One bar: `start` (ns) and `span` (seconds) say when, `ticks` how many prices made it."""

    def __init__(
        self,
        token: i64,
        start: i64,
        span: i64,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: i64,
        ticks: i64 = 1,
    ) -> None:
        self.token = token
        self.start = start
        self.span = span
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume
        self.ticks = ticks

    @property
    def end(self) -> i64:
        """Return the first nanosecond after the bar."""
        return self.start + self.span * SECOND


@mypyc_attr(acyclic=True)
@final
class Order:
    """One order of ours, from intent to its end.

    `intent` numbers it within the desk, `tag` is the text the broker echoes (at most 20
    characters), `order_id` is the broker's, empty until known, and `listed` the one it was last
    listed under. `rung` names the rung it serves (0: none). `cancelling` while a cancellation has
    no answer, `unwanted` when it was to be cancelled before its id was known. `pending` is the
    modification that has no answer yet, `wanted` the one to be asked for then; `moved` (ns) is when
    the last one was asked for. Before `retry_at` (ns) the desk asks for no change or cancellation
    of it. The book has shown it as it was at `stamp` (the broker's clock), `seen` (the desk's).

    `proven` is an id under which the broker's book has listed the tag: an answer alone may name
    somebody else's order. `reduces`: it is an exit of a part, beside the stop of the rest.

    Several orders that the broker makes of one (slices, the legs of an iceberg, a request that came
    twice) are a chain of orders by `sibling`; the others name the first in `parent`. `parts` is how
    many there are for certain, `whole` the quantity of all together.
    """

    def __init__(
        self,
        intent: i64,
        tag: str,
        strategy: str,
        token: i64,
        side: Side,
        quantity: i64,
        order_type: OrderType,
        product: Product,
        purpose: OrderPurpose,
        price: float = 0.0,
        trigger: float = 0.0,
        validity: Validity = Validity.DAY,
        protection: float = -1.0,
        rung: i64 = 0,
        created: i64 = 0,
        terms: OrderTerms = PLAIN,
    ) -> None:
        self.intent = intent
        self.tag = tag
        self.strategy = strategy
        self.token = token
        self.side = side
        self.quantity = quantity
        self.order_type = order_type
        self.product = product
        self.purpose = purpose
        self.price = price
        self.trigger = trigger
        self.validity = validity
        self.protection = protection
        self.rung = rung
        self.created = created
        self.order_id = ""
        self.listed = ""
        self.proven = False
        self.status = OrderStatus.INTENT
        self.filled: i64 = 0
        self.traded: i64 = 0
        self.value: i64 = 0
        self.charged: i64 = 0
        self.reason = ""
        self.cancelling = False
        self.unwanted = False
        self.reduces = False
        self.terms = terms
        self.parent: i64 = 0
        self.sibling: Order | None = None
        self.parts: i64 = 1
        self.whole = quantity
        self.pending: OrderChange | None = None
        self.wanted: OrderChange | None = None
        self.modifies: i64 = 0
        self.moved: i64 = created
        self.retry_at: i64 = 0
        self.stamp: i64 = 0
        self.seen: i64 = 0

    @property
    def average(self) -> float:
        """Return the average price of its trades in rupees, 0.0 before the first."""
        return float(self.value) / float(self.traded) / 100.0 if self.traded else 0.0

    @property
    def live(self) -> bool:
        """Return whether it may still trade."""
        status = self.status  # compared one by one: an order of enums is reckoned in Python
        return (
            status is not OrderStatus.COMPLETE
            and status is not OrderStatus.CANCELLED
            and status is not OrderStatus.REJECTED
            and status is not OrderStatus.LOST
        )


@mypyc_attr(acyclic=True)
@final
class GttLeg:
    """One leg of a GTT: reaching `trigger` sends a LIMIT order at `price`."""

    def __init__(self, trigger: float, price: float, side: Side, quantity: i64) -> None:
        self.trigger = trigger
        self.price = price
        self.side = side
        self.quantity = quantity


@mypyc_attr(acyclic=True)
@final
class Gtt:
    """One GTT of ours: a stop (one leg), or a stop and a target (two legs, lower trigger first).

    `made` are the legs it was asked for with, `pending` those a modification asks for; `asked`
    while a modification or deletion has no answer yet. Before `retry_at` (ns) the desk asks for
    neither. `proven` is an id under which the broker has listed these legs: those of `stamp` (the
    broker's clock), `seen` (the desk's). `fired` is the price that has triggered it (rupees, 0.0:
    not given); `past`: on a day that no book lists any more.
    """

    def __init__(
        self,
        intent: i64,
        strategy: str,
        token: i64,
        product: Product,
        rung: i64,
        last_price: float,
        legs: list[GttLeg],
        created: i64 = 0,
    ) -> None:
        self.intent = intent
        self.strategy = strategy
        self.token = token
        self.product = product
        self.rung = rung
        self.last_price = last_price
        self.legs = legs
        # Kept beside `legs`, which change: a GTT whose answer was lost is found again by them.
        self.made = legs
        self.created = created
        self.gtt_id: i64 = 0
        self.proven = False
        self.status = GttStatus.INTENT
        self.order_id = ""
        self.modifies: i64 = 0
        self.updated: i64 = created
        self.pending: list[GttLeg] = []
        self.deleting = False
        self.asked = False
        self.retry_at: i64 = 0
        self.reason = ""
        self.fired = 0.0
        self.past = False
        self.stamp: i64 = 0
        self.seen: i64 = 0

    @property
    def live(self) -> bool:
        """Return whether it may still trigger."""
        status = self.status
        return (
            status is GttStatus.ACTIVE
            or status is GttStatus.SENT
            or status is GttStatus.INTENT
            or status is GttStatus.UNKNOWN
        )
