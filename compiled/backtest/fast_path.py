"""Bare positions of a replay, in columns.

A position without a stop needs no ladder, no order and no message until it is looked at.

A market order that enters or leaves such a position waits alone for the open of the next bar and
trades there, whole. It is numbered, checked, charged, booked and hashed as any other; only the
objects are left out. As soon as one is asked for, or anything else is about to stand at the
exchange, `make_ladders` makes of the columns what the long way would have made.
"""

from typing import Final, final

from librt.vecs import extend, vec
from mypy_extensions import i64

from compiled.accounting.charges import ChargeRates, intraday_rates, rates_key
from compiled.accounting.ledger import Position
from compiled.model.events import PlaceOrder
from compiled.model.exchange_rules import exceeds_freeze
from compiled.model.int_map import IntMap
from compiled.model.values import (
    SECOND,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    paise,
)
from compiled.trading.decision_log import DecisionCause
from compiled.trading.desk_state import InstrumentState, StrategyState
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import AT_MARKET, Ladder, LadderPlan, Rung, RungState
from compiled.trading.order_entry import OrderEntry
from compiled.trading.order_store import BookedFill
from compiled.trading.protection import RETRY_SECONDS
from compiled.trading.risk import (
    LIMITS,
    LimitUsage,
    RefusalReason,
    RiskLimit,
    RiskLimits,
    check_order,
    check_usage,
    rung_size,
)
from compiled.trading.risk_gate import check_entry_gate
from compiled.trading.strategy import StrategyHoldings, StrategyRequest
from compiled.venue.instrument_venue import InstrumentVenue
from compiled.venue.resting_orders import resting_order
from compiled.venue.venue import SimulatedVenue

# A fill as a row of numbers, 14 to a fill:
#     0 intent       1 order number  2 instrument  3 signed shares  4 enters (0, 1)  5 product
#     6 rung         7 asked at (ns) 8 filled at   9 price (ticks)  10 value         11 charges
#     12 realised    13 trade number
ROW: Final[i64] = 14
PRODUCTS: Final = list(Product)
# Every other limit on what entries add up to, a new one too, has bare positions go the long way.
COUNTED_LIMITS: Final = frozenset(
    {
        "max_orders_per_minute",
        "max_positions",
        "max_positions_per_symbol",
        "max_trades_per_day",
        "max_exposure",
        "max_symbol_exposure",
    }
)
"""The limits that the columns count for; each strategy's budget is one more."""


def counts_limits(limits: RiskLimits, table: tuple[RiskLimit, ...] = LIMITS) -> bool:
    """Return whether every limit that is set can be checked from the columns.

    Those that halt, and those on one order, are checked elsewhere.
    """
    for limit in table:
        if (
            limit.reason is not RefusalReason.OK
            and limit.used is not None
            and limit.name not in COUNTED_LIMITS
            and limits.value_of(limit.name) > 0
        ):
            return False
    return True


@final
class BarePosition:
    """One instrument that one strategy listens to.

    It has the signed shares held, and the signed shares that wait for the next open. `bought` is
    the value of the entry and `charges` its charges, in paise; times are ns, `row` is the row of
    its fill.
    """

    def __init__(self, index: i64, market: InstrumentState, floor: InstrumentVenue) -> None:
        self.index = index
        self.market = market
        self.instrument_venue = floor
        self.slot: StrategyState | None = (
            market.listeners[0] if len(market.listeners) == 1 else None
        )
        self.plan: LadderPlan | None = None
        self.rates: ChargeRates | None = None
        self.intraday: ChargeRates | None = None
        self.position: Position | None = None
        self.account: Position | None = None
        self.side = Side.BUY
        self.reason = ""
        self.held: i64 = 0
        self.sent: i64 = 0
        self.ladder: i64 = 0
        self.intent: i64 = 0
        self.order_number: i64 = 0
        self.asked_at: i64 = 0
        self.created: i64 = 0
        self.opened: i64 = 0
        self.bought: i64 = 0
        self.charges: i64 = 0
        self.high = 0.0
        self.row: i64 = 0
        self.exit_reason = ""

    def note_high(self, high: float) -> None:
        """Take note of a bar's high (rupees) while shares are held."""
        if self.held > 0 and high > self.high:
            self.high = high


@final
class FastPath(OrderEntry):
    """The bare positions of one replay.

    While a ladder is followed there are none: either all are here, or none is.
    """

    def __init__(
        self,
        kernel: Kernel,
        venue: SimulatedVenue,
        markets: list[InstrumentState],
        floors: list[InstrumentVenue],
    ) -> None:
        super().__init__(
            kernel.state, kernel.order_store, kernel.view, kernel.ladder_book, kernel.decisions
        )
        self.ledger = kernel.ledger
        self.venue = venue
        self.enabled = False
        self.positions: list[BarePosition] = []
        self.by_token: IntMap[BarePosition] = IntMap()
        self.sent: i64 = 0
        self._standing: i64 = 0
        """How many instruments have a position in columns."""
        # Fills without objects (see `_book_trade`), `_filled` numbers of them.
        self._rows = vec[i64]()
        self._filled: i64 = 0
        # Of those rows: the entries that a ladder has as objects.
        self._shown: dict[int, Order] = {}
        for index in range(i64(len(markets))):
            line = BarePosition(index, markets[index], floors[index])
            self.positions.append(line)
            self.by_token[markets[index].token] = line

    def take_over(self, kernel: Kernel, table: tuple[RiskLimit, ...] = LIMITS) -> None:
        """Take the requests of the strategies from now on, where the limits allow it."""
        if not counts_limits(kernel.limits, table):
            return
        self.enabled = True
        kernel.route_entries(self)
        for slot in kernel.state.slots:
            slot.context.holdings = ColumnHoldings(self, slot.context.holdings)

    def reprice(self) -> None:
        """Take in that charges have changed."""
        for line in self.positions:
            plan = line.plan
            if plan is not None:
                self._take_rates(line, plan.product)

    def _take_rates(self, line: BarePosition, product: Product) -> None:
        line.rates = self.state.rates[rates_key(line.market.token, product)]
        line.intraday = intraday_rates(self.state.rates, line.market.token, product)

    # requests

    def execute_request(
        self, strategy: str, request: StrategyRequest, cause: DecisionCause
    ) -> RefusalReason:
        """Carry out a strategy's request, in columns where that can be done."""
        if self.enabled and not self.state.ladders:
            if self._try_request(strategy, request, cause):
                return RefusalReason.OK
            self.make_ladders()
        return super().execute_request(strategy, request, cause)

    def cancel_entries(self, strategy: str = "") -> None:
        """Cancel entries as orders: those in columns become some first."""
        self.make_ladders()
        super().cancel_entries(strategy)

    def _try_request(self, strategy: str, request: StrategyRequest, cause: DecisionCause) -> bool:
        """Carry out a strategy's request in columns; return whether it could be done there."""
        line = self.by_token.get(request.token)  # None: of an instrument without bars
        if line is None or line.instrument_venue.orders or line.instrument_venue.gtts:
            return False
        slot = line.slot
        plan = request.plan
        if slot is None or slot.name != strategy:
            return False
        if plan is not None:
            return self._send_entry(line, request, plan, cause)
        return request.order is None and (
            (line.held == 0 and line.sent == 0) or self._send_exit(line, request)
        )

    def _send_entry(
        self, line: BarePosition, request: StrategyRequest, plan: LadderPlan, cause: DecisionCause
    ) -> bool:
        """Send the entry of a bare position if sizing and risk allow it.

        An entry they refuse goes the long way, which refuses and reports it.
        """
        state = self.state
        market = line.market
        slot = line.slot
        rung = plan.rungs[0]
        if (
            slot is None
            or len(plan.rungs) != 1
            or rung.stop_percent > 0.0
            or plan.entry is not AT_MARKET
        ):
            return False
        # Intraday positions are squared off by the clock, which columns do not have.
        if plan.product is Product.MIS:
            return False
        # The one refusal that is frequent (a signal repeated while in position) is worth giving
        # here.
        if line.held != 0 or line.sent != 0:
            self.decline_request(slot.name, request, plan, cause, RefusalReason.DUPLICATE)
            return True
        instrument = market.instrument
        out = self.order_store
        now = out.now
        side = request.side
        limits = state.limits
        quantity = rung_size(instrument, plan, rung.stop_percent, market.ltp)
        price = instrument.snap(market.last)
        if now < self.venue.open or now >= self.venue.close:
            return False
        if (
            check_entry_gate(
                self.view, market, strategy=slot.name, side=side, plan=plan, entry=AT_MARKET
            )
            is not RefusalReason.OK
        ):
            return False
        if check_order(instrument, quantity, price, market.last, limits) is not RefusalReason.OK:
            return False
        if (
            check_usage(paise(price, quantity), self._limit_usage(line, slot), limits)
            is not RefusalReason.OK
        ):
            return False
        self.decisions.next_number += 1
        state.entry_count += 1
        self.note_entry(slot.name)
        line.plan = plan
        line.side = side
        line.reason = request.reason
        self._take_rates(line, plan.product)
        line.ladder = state.next_number
        state.next_number += 2
        line.created = now
        self._send_order(
            line,
            quantity if side is Side.BUY else -quantity,
            side=side,
            purpose=OrderPurpose.ENTRY,
            product=plan.product,
            strategy=slot.name,
        )
        return True

    def _send_exit(self, line: BarePosition, request: StrategyRequest) -> bool:
        """Send the exit of a bare position."""
        slot = line.slot
        plan = line.plan
        instrument = line.market.instrument
        now = self.order_store.now
        if line.held == 0 or line.sent != 0 or slot is None or plan is None:
            return False
        if (
            now < self.venue.open
            or now >= self.venue.close
            or not instrument.hours.takes_exits(now)
        ):
            return False
        quantity = line.held if line.held > 0 else -line.held
        if exceeds_freeze(instrument, quantity):
            return False
        self.decisions.next_number += 1
        line.exit_reason = "exit: " + request.reason if request.reason else "exit"
        side = Side.SELL if line.side is Side.BUY else Side.BUY
        self._send_order(
            line,
            -line.held,
            side=side,
            purpose=OrderPurpose.EXIT,
            product=plan.product,
            strategy=slot.name,
        )
        return True

    def _send_order(
        self,
        line: BarePosition,
        shares: i64,
        side: Side,
        purpose: OrderPurpose,
        product: Product,
        strategy: str,
    ) -> None:
        assert line.sent == 0, "an order beside one that waits"
        assert shares != 0, "an order is for shares"
        assert line.held == 0 or shares == -line.held, "an exit closes the whole position"
        out = self.order_store
        quantity = shares if shares > 0 else -shares
        line.intent = out.take_number()
        line.asked_at = out.now
        # Hashed with the same fields in the same order as an order that is sent.
        out.digest_order(
            line.intent,
            line.market.token,
            side=side,
            order_type=OrderType.MARKET,
            product=product,
            purpose=purpose,
            quantity=quantity,
            strategy=strategy,
        )
        line.order_number = self.venue.reports.take_number()
        line.sent = shares
        self.sent += 1

    def _limit_usage(self, candidate: BarePosition, slot: StrategyState) -> LimitUsage:
        """Return the used part of the limits, as `DeskView.limit_usage` does from ladders."""
        usage = LimitUsage(candidate.market.token, slot.name)
        pending: i64 = 0
        for line in self.positions:
            if line.held == 0 and line.sent == 0:
                continue
            shares = line.held if line.held != 0 else line.sent
            value = paise(line.market.last, shares if shares > 0 else -shares)
            if line.held == 0:
                pending += value
            owner = line.slot
            usage.count_position(line.market.token, owner.name if owner is not None else "", value)
        usage.recent = self.view.recent_entries(slot.name)
        usage.trades = self.state.entry_count
        usage.funds = self.ledger.cash - pending
        return usage

    def value_position(self, line: BarePosition, close: float) -> None:
        """Value a position at the close of a bar, in rupees."""
        position = line.position
        account = line.account
        if position is not None and account is not None:
            account.last = close
            self.ledger.unrealised += position.mark(close)

    # fills

    def trades_whole(self, line: BarePosition, open: float, volume: i64) -> bool:
        """Return whether the waiting order trades whole at the open (rupees) of a bar."""
        floor = line.instrument_venue
        sign: i64 = 1 if line.sent > 0 else -1
        # The state of the venue is set as `begin_bar` would: what follows reads it, here or on the
        # long way.
        floor.price_index = floor.instrument.ticks(open)
        floor.close = 0.0
        floor.traded = volume * floor.instrument.multiplier
        room = floor.slippage.share(floor.traded)
        if 0 <= room < sign * line.sent:
            return False
        if floor.instrument.upper <= 0.0:
            return True
        return sign * (
            floor.protection_limit(sign, -1.0) - floor.price_index
        ) >= 0 and not floor.is_locked(sign, floor.price_index)

    def trade_at_open(self, line: BarePosition, ts: i64, open: float, volume: i64) -> bool:
        """Trade the order that waits at the open of a bar.

        Where it can't trade whole, return False with everything followed.
        """
        if not self.trades_whole(line, open, volume):
            self.settle_waiting()
            return False
        floor = line.instrument_venue
        sign: i64 = 1 if line.sent > 0 else -1
        quantity = sign * line.sent
        price = floor.slipped_price(sign, quantity)
        if price != floor.price_index:
            limit = floor.protection_limit(sign, -1.0)
            price = limit if sign * (price - limit) > 0 else price
        self._book_trade(line, ts, Side.BUY if sign > 0 else Side.SELL, quantity, price)
        return True

    def _book_trade(
        self, line: BarePosition, ts: i64, side: Side, quantity: i64, ticks: i64
    ) -> None:
        """Book a trade as `_book_trade` of the order reports does, with its position."""
        slot = line.slot
        rates = line.rates
        plan = line.plan
        if slot is None or rates is None or plan is None:
            return
        market = line.market
        out = self.order_store
        out.now = max(out.now, ts)
        price = market.instrument.price(ticks)
        value = paise(price, quantity)
        # The order of ledger, notes, digest and numbers is that of `_book_trade` in the order
        # reports.
        ledger = self.ledger
        position = line.position
        account = line.account
        if position is None or account is None:
            position = line.position = ledger.open_position(slot.name, market.token, price)
            market.held = ledger.held(market.token)
            account = line.account = ledger.account(market.token)
            if account is None:
                return
        realised = ledger.book(account, position, side, quantity, value)
        number = self.venue.reports.take_number()
        charges = self._charge_trade(
            line, rates, number=number, ts=ts, side=side, quantity=quantity, value=value
        )
        ledger.take_charges(account, position, charges)
        out.digest_fill(
            line.intent, ts, quantity=quantity, price=price, charges=charges, realised=realised
        )
        enters = line.held == 0
        at = self._filled
        self._filled = at + ROW
        if at == len(self._rows):
            self._rows = extend(self._rows, vec[i64]([0] * (len(self._rows) + 256 * int(ROW))))
        rows = self._rows
        rows[at] = line.intent
        rows[at + 1] = line.order_number
        rows[at + 2] = line.index
        rows[at + 3] = line.sent
        rows[at + 4] = 1 if enters else 0
        rows[at + 5] = plan.product
        rows[at + 6] = line.ladder + 1
        rows[at + 7] = line.asked_at
        rows[at + 8] = ts
        rows[at + 9] = ticks
        rows[at + 10] = value
        rows[at + 11] = charges
        rows[at + 12] = realised
        rows[at + 13] = number
        if enters:
            self._standing += 1
            line.held = line.sent
            line.bought = value
            line.charges = charges
            line.opened = ts
            line.high = 0.0
            line.row = at
        else:
            sign: i64 = 1 if line.held > 0 else -1
            self._standing -= 1
            line.held = 0
            self.ladder_book.count_round_trip(
                slot.name, sign * (value - line.bought) - line.charges - charges
            )
        line.sent = 0
        self.sent -= 1
        assert self.sent >= 0, "more orders have traded than were sent"

    def _charge_trade(
        self,
        line: BarePosition,
        rates: ChargeRates,
        number: i64,
        ts: i64,
        side: Side,
        quantity: i64,
        value: i64,
    ) -> i64:
        """Return a trade's addition to the day's contract notes."""
        notes = self.state.notes
        intraday = line.intraday
        if intraday is None:
            return notes.fill_whole(notes.note(rates), side, value)
        trade = "T" + str(number)
        return notes.fill(
            line.market.token,
            rates,
            intraday=intraday,
            trade=trade,
            ts=ts,
            order=line.intent,
            side=side,
            quantity=quantity,
            value=value,
        )

    # objects

    def make_ladders(self) -> None:
        """Make ladders of the positions, and fills of the rows, within a moment.

        Commands sent in it are still to go.
        """
        # A strategy may look at its ladders for every instrument at every bar.
        if self._standing == 0 and self.sent == 0 and self._filled == 0:
            return
        self._follow_positions(passed=False)
        self.make_fills()

    def settle_waiting(self) -> None:
        """Make ladders between moments, if an order waits.

        Time passes without the bar that it waits for.
        """
        if self.sent > 0:
            self._follow_positions(passed=True)
            self.make_fills()

    def finish(self) -> None:
        """Make ladders of the positions at the end; fills are made when they are asked for."""
        self._follow_positions(passed=True)

    def _follow_positions(self, passed: bool) -> None:
        to_go: list[Order] = []
        for line in sorted(
            [line for line in self.positions if line.held != 0 or line.sent != 0],
            # In the order they were made, which is the order the long way would have listed them
            # in.
            key=_ladder_number,
        ):
            order = self._follow_position(line, passed)
            if order is not None:
                to_go.append(order)
        for order in sorted(to_go, key=_intent_number):
            self.venue.reports.next_id -= 1  # the exchange gives it a number when it gets it
            self.order_store.commands.append(PlaceOrder(order))

    def _follow_position(self, line: BarePosition, passed: bool) -> Order | None:
        """Make the ladder of a position, and its sent order one at the exchange.

        Return one that is to go there.
        """
        slot = line.slot
        plan = line.plan
        if slot is None or plan is None:
            return None
        ladder = Ladder(line.ladder, slot.name, line.market.instrument, line.side, plan)
        ladder.created = line.created
        ladder.reason = line.reason
        rung = Rung(line.ladder + 1, line.ladder, 1, plan.rungs[0])
        ladder.rungs.append(rung)
        rung.state = RungState.ENTERING
        if line.held != 0:
            entry = self._row_order(line.row)
            self._shown[int(line.row)] = entry
            rung.entry = entry
            rung.state = RungState.OPEN
            rung.bought = entry.quantity
            rung.bought_value = line.bought
            rung.charges = line.charges
            rung.opened = line.opened
            rung.high = line.high
        order: Order | None = None
        if line.sent != 0:
            order = self._waiting_order(line, slot.name, plan.product, rung.rung_id, passed)
            if line.held != 0:
                ladder.leaving = True
                rung.leaving = True
                rung.exit_reason = line.exit_reason
                rung.exit = order
                rung.state = RungState.EXITING
                rung.retry_at = line.asked_at + RETRY_SECONDS * SECOND
            else:
                rung.entry = order
        if line.held != 0:
            self._standing -= 1
        line.held = 0
        line.sent = 0
        self.ladder_book.follow_ladder(ladder)
        return None if passed else order

    def _waiting_order(
        self, line: BarePosition, strategy: str, product: Product, rung: i64, passed: bool
    ) -> Order:
        """Return the waiting order, at the exchange or about to go there."""
        out = self.order_store
        order = Order(
            line.intent,
            out.intent_tag(line.intent),
            strategy=strategy,
            token=line.market.token,
            side=Side.BUY if line.sent > 0 else Side.SELL,
            quantity=line.sent if line.sent > 0 else -line.sent,
            order_type=OrderType.MARKET,
            product=product,
            purpose=OrderPurpose.EXIT if line.held != 0 else OrderPurpose.ENTRY,
            rung=rung,
            created=line.asked_at,
        )
        self.sent -= 1
        if passed:
            order.order_id = str(line.order_number)
            order.status = OrderStatus.OPEN
            made = resting_order(order, order.order_id, line.market.instrument)
            # It waits for the next open, as on the long way.
            made.fresh = True
            line.instrument_venue.orders.append(made)
        out.register(order)
        return order

    def make_fills(self) -> None:
        """Make fills of the rows, in their order."""
        rows = self._rows
        out = self.order_store
        at: i64 = 0
        while at < self._filled:
            order = self._shown.get(int(at))
            if order is None:
                order = self._row_order(at)
            price = self.positions[rows[at + 2]].market.instrument.price(rows[at + 9])
            trade_id = "T" + str(rows[at + 13])
            out.fills.append(
                BookedFill(
                    rows[at + 8],
                    trade_id,
                    order=order,
                    quantity=order.quantity,
                    price=price,
                    charges=rows[at + 11],
                    realised=rows[at + 12],
                )
            )
            at += ROW
        self._filled = 0
        self._shown = {}

    def _row_order(self, at: i64) -> Order:
        """Return the order behind a row, complete."""
        rows = self._rows
        line = self.positions[rows[at + 2]]
        slot = line.slot
        shares = rows[at + 3]
        order = Order(
            rows[at],
            self.order_store.intent_tag(rows[at]),
            strategy="" if slot is None else slot.name,
            token=line.market.token,
            side=Side.BUY if shares > 0 else Side.SELL,
            quantity=shares if shares > 0 else -shares,
            order_type=OrderType.MARKET,
            product=PRODUCTS[rows[at + 5] - 1],
            purpose=OrderPurpose.ENTRY if rows[at + 4] else OrderPurpose.EXIT,
            rung=rows[at + 6],
            created=rows[at + 7],
        )
        order.order_id = order.listed = str(rows[at + 1])
        order.status = OrderStatus.COMPLETE
        order.filled = order.traded = order.quantity
        order.value = rows[at + 10]
        order.charged = rows[at + 11]
        return order


@final
class ColumnHoldings(StrategyHoldings):
    """One strategy's holdings in a replay: its ladders, and the bare positions in columns."""

    def __init__(self, path: FastPath, before: StrategyHoldings) -> None:
        super().__init__()
        self.by_token = before.by_token
        self.path = path

    def ladders(self, token: i64) -> list[Ladder]:
        """Return the ladders of a token, once all positions have theirs."""
        self.path.make_ladders()
        return super().ladders(token)

    def all_ladders(self) -> list[Ladder]:
        """Return all ladders, once all positions have theirs."""
        self.path.make_ladders()
        return super().all_ladders()

    def shares(self, token: i64) -> i64:
        """Return the shares held, those in columns included; 0 of a token that is another's."""
        if self.by_token.get(token) is None:
            return 0
        line = self.path.by_token.get(token)
        shares: i64 = 0 if line is None else line.held
        return shares + super().shares(token)


def _ladder_number(line: BarePosition) -> i64:
    return line.ladder


def _intent_number(order: Order) -> i64:
    return order.intent
