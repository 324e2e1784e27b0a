"""Events and commands: the kernel's input and its output."""

from enum import IntEnum
from typing import final

from mypy_extensions import i64, mypyc_attr

from compiled.model.order_terms import OrderChange
from compiled.model.values import (
    Gtt,
    GttLeg,
    GttStatus,
    Instrument,
    Order,
    OrderStatus,
    Product,
    Side,
    Tick,
    TradingHours,
)


class RequestOutcome(IntEnum):
    """The outcome of a request to the broker by its adapter; SENT: it is on its way there.

    BUSY and SESSION_LOST are refusals of the moment: nothing has happened, and the request itself
    has not been judged.
    """

    ACCEPTED = 1
    REFUSED = 2
    UNKNOWN = 3
    LOST = 4
    SENT = 5
    # Apart from REFUSED: what is refused for the moment is asked again, and counts against nothing.
    BUSY = 6
    SESSION_LOST = 7


def is_transient(outcome: RequestOutcome) -> bool:
    """Return whether a refusal is about the moment, not about the request."""
    return outcome is RequestOutcome.BUSY or outcome is RequestOutcome.SESSION_LOST


def is_refusal(outcome: RequestOutcome) -> bool:
    """Return whether a request came to nothing, for whatever reason."""
    return outcome is RequestOutcome.REFUSED or is_transient(outcome)


class RequestVerb(IntEnum):
    """The verb of the request that an answer belongs to."""

    PLACE = 1
    CANCEL = 2
    MODIFY = 3


class OperatorAct(IntEnum):
    """An act of the operator, or of a watchdog in the operator's name."""

    HALT = 1
    FLATTEN = 2
    RESUME = 3
    EXIT = 4
    CANCEL = 5
    # Above are acts of a person or in its name, which end every wait; from here on the engine's.
    READY = 6
    HOLD = 7
    COMPARED = 8
    UNSEEN = 9


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class TickBatch:
    """The ticks of one frame, received at `ts`."""

    def __init__(self, ts: i64, ticks: list[Tick]) -> None:
        self.ts = ts
        self.ticks = ticks


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class TimerEvent:
    """The desk's clock has reached `ts`."""

    def __init__(self, ts: i64) -> None:
        self.ts = ts


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class BrokerAnswer:
    """The broker's answer to a request about an intent.

    `broker_id` is an order id, or a GTT id as text.

    `parts` is how many orders the broker has made of one request, `wait` (ns) how long not to ask
    again after a refusal.
    """

    def __init__(
        self,
        ts: i64,
        intent: i64,
        verb: RequestVerb,
        outcome: RequestOutcome,
        broker_id: str = "",
        reason: str = "",
        parts: i64 = 1,
        wait: i64 = 0,
    ) -> None:
        self.wait = wait
        self.ts = ts
        self.intent = intent
        self.verb = verb
        self.outcome = outcome
        self.broker_id = broker_id
        self.reason = reason
        self.parts = parts


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class OrderUpdate:
    """An order as the broker's book shows it.

    It is ours by `tag`, else by `order_id`, else somebody else's. `parent` is the id of the first
    leg of a cover order whose second it is, `product` that of the shares it moves (empty: not
    given).
    """

    def __init__(
        self,
        ts: i64,
        order_id: str,
        tag: str,
        token: i64,
        side: Side,
        status: OrderStatus,
        quantity: i64,
        filled: i64,
        price: float = 0.0,
        trigger: float = 0.0,
        average: float = 0.0,
        reason: str = "",
        parent: str = "",
        product: str = "",
    ) -> None:
        self.ts = ts
        self.order_id = order_id
        self.tag = tag
        self.token = token
        self.side = side
        self.status = status
        self.quantity = quantity
        self.filled = filled
        self.price = price
        self.trigger = trigger
        self.average = average
        self.reason = reason
        self.parent = parent
        self.product = product


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class BrokerTrade:
    """One trade at the exchange; applied once by its `trade_id`, whenever it comes."""

    def __init__(
        self,
        ts: i64,
        trade_id: str,
        order_id: str,
        token: i64,
        side: Side,
        quantity: i64,
        price: float,
    ) -> None:
        self.ts = ts
        self.trade_id = trade_id
        self.order_id = order_id
        self.token = token
        self.side = side
        self.quantity = quantity
        self.price = price


@mypyc_attr(acyclic=True)
@final
class GttUpdate:
    """A GTT as the broker lists it.

    `order_ids` are the orders it has sent, `symbol` is the broker's name, `product` that of the
    shares its orders sell. `fired` is the price that has triggered it (rupees, 0.0: not given).
    `past`: its orders are of an earlier day, which no book lists any more.
    """

    def __init__(
        self,
        ts: i64,
        gtt_id: i64,
        token: i64,
        status: GttStatus,
        legs: list[GttLeg],
        order_ids: list[str],
        reason: str = "",
        exchange: str = "NSE",
        symbol: str = "",
        product: str = "CNC",
        fired: float = 0.0,
    ) -> None:
        self.ts = ts
        self.gtt_id = gtt_id
        self.token = token
        self.status = status
        self.legs = legs
        self.order_ids = order_ids
        self.reason = reason
        self.exchange = exchange
        self.symbol = symbol
        self.product = product
        self.fired = fired
        self.past = False


@mypyc_attr(acyclic=True)
@final
class FeedStatus:
    """The feed of one token went stale or live again (`token` 0: the whole feed)."""

    def __init__(self, ts: i64, token: i64, live: bool) -> None:
        self.ts = ts
        self.token = token
        self.live = live


@mypyc_attr(acyclic=True)
@final
class BandUpdate:
    """A moved price band of an instrument: [`lower`, `upper`] in rupees (0.0: none)."""

    def __init__(self, ts: i64, token: i64, lower: float, upper: float) -> None:
        self.ts = ts
        self.token = token
        self.lower = lower
        self.upper = upper


@mypyc_attr(acyclic=True)
@final
class AddedInstrument:
    """An instrument that comes under watch in the middle of a day, with its hours of the day."""

    def __init__(self, ts: i64, instrument: Instrument, hours: TradingHours) -> None:
        self.ts = ts
        self.instrument = instrument
        self.hours = hours


@mypyc_attr(acyclic=True)
@final
class OperatorInstruction:
    """An operator's act: on one token, on one order (`intent`), or (both 0) on everything."""

    def __init__(
        self, ts: i64, act: OperatorAct, token: i64 = 0, intent: i64 = 0, reason: str = ""
    ) -> None:
        self.ts = ts
        self.act = act
        self.token = token
        self.intent = intent
        self.reason = reason


@final
class PartExit:
    """So many shares of a rung leave at the market, the rest stays under its stop.

    The kernel leaves in `fault` why not, empty where they do.
    """

    def __init__(self, ts: i64, rung: i64, quantity: i64) -> None:
        self.ts = ts
        self.rung = rung
        self.quantity = quantity
        self.fault = ""


@final
class StopMove:
    """The stop of a rung, and its target, in rupees; `stop` 0.0 and `target` below 0.0 stay.

    A target of 0.0 is taken away. The kernel leaves in `fault` why nothing is moved.
    """

    def __init__(self, ts: i64, rung: i64, stop: float, target: float) -> None:
        self.ts = ts
        self.rung = rung
        self.stop = stop
        self.target = target
        self.fault = ""


@final
class ShareAdoption:
    """Signed shares that the broker holds at `average` rupees become a ladder of `strategy`.

    Its stop stands `stop_percent` from the last price, or is the GTT `gtt_id` with `legs` that
    protects them already. `leave`: it is sold at once.
    """

    def __init__(
        self,
        ts: i64,
        token: i64,
        product: Product,
        quantity: i64,
        average: float,
        strategy: str,
        stop_percent: float,
        trail: bool,
        leave: bool = False,
        gtt_id: i64 = 0,
        legs: list[GttLeg] | None = None,
    ) -> None:
        self.ts = ts
        self.token = token
        self.product = product
        self.quantity = quantity
        self.average = average
        self.strategy = strategy
        self.stop_percent = stop_percent
        self.trail = trail
        self.leave = leave
        self.gtt_id = gtt_id
        self.legs: list[GttLeg] = legs if legs is not None else []


@final
class WriteOff:
    """Shares of ladders on this side that are not at the broker any more.

    `cover`: those of cover orders.
    """

    def __init__(
        self, ts: i64, token: i64, product: Product, side: Side, quantity: i64, cover: bool = False
    ) -> None:
        self.ts = ts
        self.token = token
        self.product = product
        self.side = side
        self.quantity = quantity
        self.cover = cover


@final
class CarriedDivision:
    """A division of an instrument: `shares` stand where `per` did on days before `before` (ns).

    One for one says that they do not.
    """

    def __init__(self, ts: i64, token: i64, shares: i64, per: i64, before: i64) -> None:
        self.ts = ts
        self.token = token
        self.shares = shares
        self.per = per
        self.before = before


@final
class ShareShortfall:
    """The number of our ladders' shares on this side that are not in the broker's books for us."""

    def __init__(self, ts: i64, token: i64, product: Product, side: Side, quantity: i64) -> None:
        self.ts = ts
        self.token = token
        self.product = product
        self.side = side
        self.quantity = quantity


@final
class CashDeposit:
    """Cash was paid in, or out (negative): paise."""

    def __init__(self, ts: i64, amount: i64) -> None:
        self.ts = ts
        self.amount = amount


@mypyc_attr(acyclic=True)
@final
class LimitUpdate:
    """The operator sets a limit, in the units of `compiled.trading.risk.RiskLimits`."""

    def __init__(self, ts: i64, name: str, value: float) -> None:
        self.ts = ts
        self.name = name
        self.value = value


@mypyc_attr(acyclic=True)
class KernelCommand:
    """One thing the kernel wants done."""


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class PlaceOrder(KernelCommand):
    """Send a new order."""

    def __init__(self, order: Order) -> None:
        self.order = order


@mypyc_attr(acyclic=True)
@final
class ModifyOrder(KernelCommand):
    """Change a working order of ours."""

    def __init__(self, order: Order, change: OrderChange) -> None:
        self.order = order
        self.change = change


@mypyc_attr(acyclic=True)
@final
class CancelOrder(KernelCommand):
    """Cancel a working order of ours."""

    def __init__(self, order: Order) -> None:
        self.order = order


@mypyc_attr(acyclic=True)
@final
class PlaceGtt(KernelCommand):
    """Send a new GTT."""

    def __init__(self, gtt: Gtt) -> None:
        self.gtt = gtt


@mypyc_attr(acyclic=True)
@final
class ModifyGtt(KernelCommand):
    """Replace the legs of a live GTT by `gtt.pending`."""

    def __init__(self, gtt: Gtt) -> None:
        self.gtt = gtt


@mypyc_attr(acyclic=True)
@final
class DeleteGtt(KernelCommand):
    """Delete a live GTT."""

    def __init__(self, gtt: Gtt) -> None:
        self.gtt = gtt


@mypyc_attr(acyclic=True)
@final
class KernelAlert(KernelCommand):
    """An alert to the operator; `level` is "info", "warn" or "alarm"."""

    def __init__(self, ts: i64, level: str, name: str, text: str, token: i64 = 0) -> None:
        self.ts = ts
        self.level = level
        self.name = name
        self.text = text
        self.token = token


@mypyc_attr(acyclic=True)
@final
class LimitHalt(KernelCommand):
    """Latch the kill switch: a limit was reached."""

    def __init__(self, ts: i64, reason: str) -> None:
        self.ts = ts
        self.reason = reason
