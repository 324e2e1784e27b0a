"""A venue with one instrument, played bar by bar and tick by tick, for the tests of its rules."""

from compiled.market_data.depth_block import pack_depth
from compiled.model.events import BrokerAnswer, BrokerTrade, OrderUpdate, PlaceGtt, PlaceOrder
from compiled.model.values import (
    MINUTE,
    NEVER,
    Gtt,
    GttLeg,
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    Tick,
    Validity,
)
from compiled.venue import intrabar
from compiled.venue.instrument_venue import PercentSlabs, VenueRules
from compiled.venue.slippage import Slippage
from compiled.venue.venue import SimulatedVenue
from tests.reference.replay import path_of

TOKEN = 257
OPEN = 1_759_808_700_000_000_000
CLOSE = OPEN + 375 * MINUTE
SHARES = PercentSlabs([100.0, 500.0], [2.0, 1.0, 0.5])
OPTIONS = PercentSlabs([10.0, 100.0, 500.0], [5.0, 3.0, 2.0, 1.0])


class Exchange:
    """A venue with one instrument whose bars can be played from the point where a test stands."""

    def __init__(self, slippage=None, instrument=None, **rules):
        self.instrument = instrument or Instrument(TOKEN, "NSE", "KITE", 0.05)
        self.venue = SimulatedVenue(
            [self.instrument], VenueRules(SHARES, OPTIONS, **rules), slippage or Slippage()
        )
        self.venue.begin_session(OPEN, CLOSE)
        self.intents = 0
        self.minute = 0
        self.now = OPEN
        self.volume = 1_000
        self.heard = []

    def order(
        self,
        side,
        quantity,
        kind=OrderType.MARKET,
        price=0.0,
        trigger=0.0,
        validity=Validity.DAY,
        protection=-1.0,
    ):
        self.intents += 1
        order = Order(
            self.intents,
            f"P{self.intents}",
            "test",
            self.instrument.token,
            side,
            quantity,
            kind,
            Product.CNC,
            OrderPurpose.ENTRY,
            price,
            trigger,
            validity,
            protection,
        )
        self.venue.take_commands([PlaceOrder(order)], self.now)
        order.order_id = next(
            (e.broker_id for e in self.events(keep=True) if isinstance(e, BrokerAnswer)), ""
        )
        return order

    def gtt(self, last, *legs, side=Side.SELL, quantity=100):
        self.intents += 1
        made = [GttLeg(trigger, price, side, quantity) for trigger, price in legs]
        gtt = Gtt(self.intents, "test", self.instrument.token, Product.CNC, 1, last, made)
        self.venue.take_commands([PlaceGtt(gtt)], self.now)
        gtt.gtt_id = next(
            (int(e.broker_id) for e in self.events(keep=True) if isinstance(e, BrokerAnswer)), 0
        )
        return gtt

    def events(self, keep=False):
        """Return what has been reported since the last look."""
        while self.venue.due != NEVER:
            self.heard.append(self.venue.next_event())
        heard = self.heard
        if not keep:
            self.heard = []
        return list(heard)

    def trades(self):
        return [(e.quantity, e.price) for e in self.events() if isinstance(e, BrokerTrade)]

    def statuses(self):
        return [e.status for e in self.events() if isinstance(e, OrderUpdate)]

    def bar(self, open, high, low, close, volume=10_000, stop=4):
        """Play a bar up to (not including) point `stop` of its path, and return the trades."""
        start = OPEN + self.minute * MINUTE
        self.minute += 1
        self.play = (start, open, high, low, close)
        self.now = start
        self.venue.open_bar(self.instrument.token, start, open, high, low, volume)
        return self.on(1, stop)

    def on(self, first, stop=4):
        """Go on with the bar from point `first`."""
        start, *prices = self.play
        for k in range(first, stop):
            self.now = intrabar.path_time(k, start, start + MINUTE)
            self.venue.move_price(self.instrument.token, self.now, path_of(*prices)[k])
        if stop == 4:
            self.now = start + MINUTE
        return self.trades()

    def tick(self, ltp, traded=0, bids=(), asks=(), ts=None):
        """Play a tick: last price, shares traded since the last one, (price, quantity) levels.

        Return the trades.
        """
        self.now = self.now + 1_000_000 if ts is None else ts
        self.volume += traded
        levels = [[(price, quantity, 1) for price, quantity in side] for side in (bids, asks)]
        depth = pack_depth(self.instrument.token, *levels) if bids or asks else b""
        self.venue.meet_tick(Tick(self.instrument.token, self.now, ltp, self.volume, depth=depth))
        return self.trades()
