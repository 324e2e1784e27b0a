"""A kernel of two instruments and a strategy that asks for what a test tells it to.

Time moves only when told.
"""

from compiled.accounting.charges import ChargeRates, ChargeRow
from compiled.model.events import (
    BrokerAnswer,
    BrokerTrade,
    GttUpdate,
    KernelAlert,
    OperatorAct,
    OperatorInstruction,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
    TickBatch,
    TimerEvent,
)
from compiled.model.values import (
    MINUTE,
    SECOND,
    Instrument,
    OrderPurpose,
    OrderStatus,
    Product,
    Side,
    Tick,
)
from compiled.trading.desk_state import StrategyState
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from compiled.trading.strategy import Strategy

OPEN = 1_759_808_700 * SECOND  # 2025-10-07 09:15 IST
CLOSE = OPEN + 375 * MINUTE
CANBK, BEL, STRANGER = 257, 513, 1025


def instruments():
    return [Instrument(CANBK, "NSE", "CANBK", 0.05), Instrument(BEL, "NSE", "BEL", 0.05)]


def no_charges():
    row = ChargeRow("tax", "EQ_DELIVERY", "NSE", 0, 99991231, 0, 0)
    return ChargeRates(row, row, row, row, row, row, row)


class Script(Strategy):
    """Does at the next tick whatever was put on `todo`."""

    def __init__(self):
        super().__init__("script", 60, wants_ticks=True)
        self.todo = []

    def on_tick(self, ctx, tick):
        del tick
        todo, self.todo = self.todo, []
        for act in todo:
            act(ctx)


class Scene:
    """A desk's kernel one minute after the open, ready, with CANBK at ₹100.00.

    `act` asks through the strategy.
    """

    def __init__(
        self,
        now=OPEN + MINUTE,
        close=CLOSE,
        limits=None,
        first=1,
        hours=None,
        products=(Product.CNC, Product.MIS),
        *,
        quoted=True,
        rates=None,
    ):
        self.script = Script()
        self.now = now
        listed = instruments()
        free = dict.fromkeys(products, no_charges()) if rates is None else rates
        charged = {
            8 * int(each.token) + int(product): each_rates
            for each in listed
            for product, each_rates in free.items()
        }
        setup = KernelSetup(
            OPEN, close, 10**10, limits or RiskLimits(), [60], "T", first, hours=hours
        )
        self.kernel = Kernel(setup, listed, [StrategyState(self.script, [CANBK, BEL])], charged)
        self.asked = []
        self.after = lambda: None
        """Called after each event, as the loop calls the recorder."""
        self.tell(OperatorInstruction(now, OperatorAct.READY))
        if quoted:
            self.tick(100.0)

    # what happens

    def tell(self, event):
        found = self.kernel.handle(event)
        self.asked += found
        self.after()
        return found

    def tick(self, price, token=CANBK, after=0.0):
        self.now += int(after * SECOND)
        return self.tell(TickBatch(self.now, [Tick(token, self.now, price)]))

    def timer(self, after=1.0):
        self.now += int(after * SECOND)
        return self.tell(TimerEvent(self.now))

    def seconds(self, count):
        return [command for _ in range(count) for command in self.timer()]

    def act(self, what):
        self.script.todo.append(what)
        return self.tick(self.kernel.state.markets[CANBK].ltp)

    def operate(self, act, **what):
        return self.tell(OperatorInstruction(self.now, act, **what))

    def answer(self, intent, outcome, broker_id="", verb=RequestVerb.PLACE, reason="", wait=0):
        return self.tell(
            BrokerAnswer(self.now, intent, verb, outcome, broker_id, reason, wait=wait)
        )

    def answered(self, order, outcome, broker_id="", verb=RequestVerb.PLACE, reason="", parts=1):
        return BrokerAnswer(self.now, order.intent, verb, outcome, broker_id, reason, parts)

    def accept(self, order, order_id):
        return self.answer(order.intent, RequestOutcome.ACCEPTED, order_id)

    def book(
        self, order_id, status, filled=0, tag=None, quantity=0, price=0.0, side=Side.BUY, **more
    ):
        """Show a row of the order book.

        Without a `tag`, with that of the order known under its id.
        """
        if tag is None:
            known = self.kernel.order_store.by_order_id.get(order_id)
            tag = known.tag if known else ""
        return self.tell(
            OrderUpdate(
                self.now, order_id, tag, CANBK, side, status, quantity, filled, price, **more
            )
        )

    def trade(self, trade_id, order_id, quantity, price, side=Side.BUY):
        """Show a trade; the book has listed its order before, as the books are read."""
        known = self.kernel.order_store.by_order_id.get(order_id)
        if known is not None and not known.proven:
            self.book(order_id, known.status, 0, known.tag, known.quantity, side=known.side)
        return self.tell(BrokerTrade(self.now, trade_id, order_id, CANBK, side, quantity, price))

    def gtt(self, gtt, status, order_ids=(), reason=""):
        legs = list(gtt.legs)
        return self.tell(
            GttUpdate(self.now, gtt.gtt_id, CANBK, status, legs, list(order_ids), reason)
        )

    # whole stretches of a day

    def enter(self, quantity=100, target=0.0, stop=2.0, **more):
        """Ask for a position and return its order, not answered yet."""
        side = more.pop("side", Side.BUY)
        found = self.act(
            lambda ctx: ctx.enter(CANBK, side, 0, stop, target, quantity=quantity, **more)
        )
        return only(found, PlaceOrder).order

    def fill(self, order, order_id="B1", price=100.0):
        """Have an order accepted and filled; return what that calls for."""
        quantity = int(order.quantity)
        self.accept(order, order_id)
        self.book(order_id, OrderStatus.COMPLETE, quantity, order.tag, quantity, side=order.side)
        return self.trade("t" + order_id, order_id, quantity, price, order.side)

    def hold(self, quantity=100, target=0.0, stop=2.0):
        """Return the GTT, active as number 7, of a position bought at ₹100.00."""
        gtt = only(self.fill(self.enter(quantity, target, stop)), PlaceGtt).gtt
        self.answer(gtt.intent, RequestOutcome.ACCEPTED, "7")
        return gtt

    def hold_intraday(self, quantity=100, target=0.0, side=Side.BUY):
        """Return the stop order, waiting as "G1", of an intraday position entered at ₹100.00."""
        found = self.fill(self.enter(quantity, target, product=Product.MIS, side=side))
        stop = only(found, PlaceOrder).order
        self.accept(stop, "G1")
        return stop

    def leave(self):
        """Have the operator leave the position and its GTT deleted; return the exit."""
        gtt = self.rung.gtt
        self.operate(OperatorAct.EXIT, token=CANBK)
        found = self.answer(gtt.intent, RequestOutcome.ACCEPTED, "7", RequestVerb.CANCEL)
        return only(found, PlaceOrder).order

    # how it stands

    @property
    def rung(self):
        return self.kernel.state.rungs[min(self.kernel.state.rungs)]

    @property
    def account(self):
        position = self.kernel.ledger.account(CANBK)
        return 0 if position is None else int(position.quantity)

    def exits(self):
        return [
            c.order
            for c in self.asked
            if isinstance(c, PlaceOrder) and c.order.purpose is OrderPurpose.EXIT
        ]

    def alarms(self):
        return [c.name for c in self.asked if isinstance(c, KernelAlert) and c.level == "alarm"]


def only(commands, kind):
    """Return the one command of a kind."""
    found = [command for command in commands if isinstance(command, kind)]
    assert len(found) == 1, f"{len(found)} {kind.__name__} in {commands}"
    return found[0]


def some(commands, kind):
    """Return the commands of a kind."""
    return [command for command in commands if isinstance(command, kind)]
