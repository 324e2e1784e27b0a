"""Corrections of our books: shares taken on, shares written off, cash paid in or out.

A correction is an order of ours that never left, complete, with one fill. For delivery it moves
shares and no cash: the broker's cash has moved already, on whatever day that was, and is compared
by itself. Intraday shares are of today.
"""

from typing import Final, final

from mypy_extensions import i64

from compiled.model.events import ShareAdoption, ShareShortfall, WriteOff
from compiled.model.values import (
    E4,
    Gtt,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    nearest,
    paise,
)
from compiled.trading.desk_state import DeskState, InstrumentState
from compiled.trading.ladder import Ladder, LadderPlan, Rung, RungPlan, RungState, stop_at
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_states import CORRECTION
from compiled.trading.order_store import BookedFill, OrderStore
from compiled.trading.reports.order_reports import OrderReports

TRADE: Final = "correction"


@final
class BookCorrections:
    """Makes ladders of adopted shares, and takes written-off ones out of them."""

    def __init__(
        self, state: DeskState, out: OrderStore, ladder_book: LadderBook, orders: OrderReports
    ) -> None:
        self.state = state
        self.order_store = out
        self.ladder_book = ladder_book
        self.order_reports = orders

    def adopt_shares(self, event: ShareAdoption) -> None:
        """Make a ladder of one rung of shares the broker holds.

        It is protected like any other, or left at once.
        """
        market = self.state.markets.get(int(event.token))
        if market is None or market.ltp <= 0.0 or event.quantity == 0:
            return  # without a price there is no stop: the difference goes on standing
        side = Side.BUY if event.quantity > 0 else Side.SELL
        quantity = event.quantity if event.quantity > 0 else -event.quantity
        away = 0.0 if self.order_store.limit_only else event.stop_percent
        plan = LadderPlan(
            [RungPlan(0.0, away)], 0, event.product, trail=event.trail, quantity=quantity
        )
        if event.legs:
            leg = event.legs[0]
            plan.rungs[0].stop_percent = (1.0 - leg.trigger / market.ltp) * 100.0
            if leg.price <= leg.trigger:
                plan.stop_gap_percent = (leg.trigger - leg.price) / leg.trigger * 100.0
        number = self.state.next_number
        ladder = Ladder(number, event.strategy, market.instrument, side, plan)
        ladder.created = self.order_store.now
        ladder.reason = "adopted"
        rung = Rung(number + 1, number, 1, plan.rungs[0])
        rung.state = RungState.ENTERING
        ladder.rungs.append(rung)
        self.ladder_book.follow_ladder(ladder)
        rung.entry = self._book_correction(
            ladder,
            rung,
            side=side,
            quantity=quantity,
            purpose=OrderPurpose.ENTRY,
            price=event.average,
        )
        rung.high = market.ltp
        rung.stop = 0.0 if self.order_store.limit_only else stop_at(ladder, rung, market.ltp)
        if event.legs:
            self._adopt_gtt(ladder, rung, event)
        if event.leave or self.state.flattening:
            self.ladder_book.leave_ladder(ladder, "flatten")
        else:
            self.ladder_book.tend_ladder(ladder)

    def _adopt_gtt(self, ladder: Ladder, rung: Rung, event: ShareAdoption) -> None:
        """Take over the GTT that protects the shares already."""
        gtt = Gtt(
            self.order_store.take_number(),
            ladder.strategy,
            token=event.token,
            product=event.product,
            rung=rung.rung_id,
            last_price=rung.high,
            legs=event.legs,
            created=self.order_store.now,
        )
        gtt.gtt_id = event.gtt_id
        gtt.status = GttStatus.ACTIVE
        gtt.proven = True
        gtt.updated = self.order_store.now
        self.order_store.register_gtt(gtt)
        self.order_store.mark_gtt_changed(gtt)
        rung.gtt = gtt
        rung.stop = event.legs[0].trigger
        if len(event.legs) == 2:
            rung.target = event.legs[1].trigger

    def write_off_shares(self, event: WriteOff) -> None:
        """Take shares out of the rungs that lack them, at their fired stop's price or the last.

        Shares that an exit is selling stay: both together would be more than there is.
        """
        left = event.quantity
        market = self.state.markets.get(int(event.token))
        if market is None:
            return
        for rung in self._rungs_short_first(market, event.product, event.side, event.cover):
            part = min(left, rung.quantity)
            if part <= 0 or rung.exit is not None or rung.part_exit is not None:
                continue
            left -= part
            ladder = self.state.owners[int(rung.ladder_id)]
            price = market.ltp if market.ltp > 0.0 else rung.average
            gtt = rung.gtt
            if gtt is not None and rung.fired_earlier and gtt.fired > 0.0:
                price = gtt.fired
            if part == rung.quantity:
                self.ladder_book.name_exit(rung, "written off")
            absent = max(rung.absent - part, 0)  # what is written off lacks no more
            self._book_correction(
                ladder,
                rung,
                side=ladder.exit_side,
                quantity=part,
                purpose=OrderPurpose.EXIT,
                price=price,
            )
            self.ladder_book.settle_write_off(rung, absent)
        for ladder in list(market.ladders):
            self.ladder_book.tend_ladder(ladder)

    def note_shortfall(self, event: ShareShortfall) -> None:
        """Take note of shares that are not in the broker's books.

        Their stops and exits are taken back.
        """
        market = self.state.markets.get(int(event.token))
        if market is None:
            return
        left = event.quantity
        for rung in self._rungs_short_first(market, event.product, event.side, False):
            self.ladder_book.hold_back(rung, min(left, rung.quantity))
            left -= rung.absent
        for ladder in list(market.ladders):
            self.ladder_book.tend_ladder(ladder)

    def _rungs_short_first(
        self, market: InstrumentState, product: Product, side: Side, cover: bool
    ) -> list[Rung]:
        """Return the rungs that hold shares, in the order in which they are thought to lack them.

        Rungs whose stop has fired unobserved come first, then the newest; those with an exit at
        work are last.
        """
        fired: list[Rung] = []
        others: list[Rung] = []
        leaving: list[Rung] = []
        for ladder in reversed(market.ladders):
            if (
                ladder.plan.product is not product
                or ladder.side is not side
                or ladder.plan.cover is not cover
            ):
                continue
            for rung in reversed(ladder.rungs):
                if rung.quantity <= 0:
                    continue
                if rung.exit is not None or rung.part_exit is not None:
                    leaving.append(rung)
                elif rung.fired_earlier:
                    fired.append(rung)
                else:
                    others.append(rung)
        return fired + others + leaving

    def _book_correction(
        self,
        ladder: Ladder,
        rung: Rung,
        side: Side,
        quantity: i64,
        purpose: OrderPurpose,
        price: float,
    ) -> Order:
        """Book shares that moved without an order of ours.

        The price they count from is the order's own.
        """
        token = ladder.instrument.token
        market = self.state.markets[int(token)]
        last = market.ltp if market.ltp > 0.0 else price
        price = float(nearest(price * E4)) / E4
        order = Order(
            self.order_store.take_number(),
            "",
            strategy=ladder.strategy,
            token=token,
            side=side,
            quantity=quantity,
            order_type=OrderType.LIMIT,
            product=ladder.plan.product,
            purpose=purpose,
            price=last,
            rung=rung.rung_id,
            created=self.order_store.now,
        )
        order.order_id = CORRECTION + str(order.intent)
        order.reason = "adopted" if purpose is OrderPurpose.ENTRY else "written off"
        order.status = OrderStatus.COMPLETE
        order.filled = order.traded = quantity
        order.value = paise(price, quantity)
        self.order_store.register(order)
        self.order_store.mark_changed(order)
        self.order_reports.applied.add(order.order_id + " " + TRADE)
        realised = self.state.ledger.realised
        self.state.ledger.mark(token, last)
        self.order_reports.book_shares(order, quantity, price)
        self.state.ledger.mark(token, last)
        realised = self.state.ledger.realised - realised
        self.order_store.keep_fill(
            BookedFill(
                self.order_store.now,
                TRADE,
                order=order,
                quantity=quantity,
                price=price,
                charges=0,
                realised=realised,
            )
        )
        self.ladder_book.add_fill(
            rung, order, ts=self.order_store.now, quantity=quantity, value=order.value, charges=0
        )
        self.state.changed_rungs[rung.rung_id] = rung
        return order
