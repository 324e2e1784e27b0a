"""Bring our books in line with the broker's: shares taken on, shares written off, cash paid in or out.

A correction is an order of ours that never left, complete, with one fill. For delivery it moves shares and no cash: the
broker's cash has moved already, on whatever day that was, and is compared by itself. Intraday shares are of today.
"""

from typing import Final

from mypy_extensions import i64

from compiled.events import Adopt, WriteOff
from compiled.ladder import Ladder, LadderPlan, Rung, RungPlan, RungState, stop_at
from compiled.model import E4, Gtt, GttStatus, Order, OrderStatus, OrderType, Purpose, Side, nearest, paise
from compiled.orders import CORRECTION
from compiled.outbox import Fill
from compiled.triggers import Triggers

TRADE: Final = "correction"


class Adoptions(Triggers):
    """Makes ladders of what was not ours, and takes out of them what is gone."""

    def _take_on(self, event: Adopt) -> None:
        """Make a ladder of one rung of shares the broker holds; protected like any other, or left at once."""
        market = self.markets.get(int(event.token))
        if market is None or market.ltp <= 0.0 or event.quantity == 0:
            return  # without a price there is no stop: the difference goes on standing
        side = Side.BUY if event.quantity > 0 else Side.SELL
        quantity = event.quantity if event.quantity > 0 else -event.quantity
        away = 0.0 if self.out.limit_only else event.stop_percent
        plan = LadderPlan([RungPlan(0.0, away)], 0, event.product, trail=event.trail, quantity=quantity)
        if event.legs:
            leg = event.legs[0]
            plan.rungs[0].stop_percent = (1.0 - leg.trigger / market.ltp) * 100.0
            if leg.price <= leg.trigger:
                plan.stop_gap_percent = (leg.trigger - leg.price) / leg.trigger * 100.0
        number = self.next_number
        ladder = Ladder(number, event.strategy, market.instrument, side, plan)
        ladder.created = self.out.now
        ladder.reason = "adopted"
        rung = Rung(number + 1, number, 1, plan.rungs[0])
        rung.state = RungState.ENTERING
        ladder.rungs.append(rung)
        self.adopt(ladder)
        rung.entry = self._correct(ladder, rung, side, quantity, Purpose.ENTRY, event.average)
        rung.high = market.ltp
        rung.stop = 0.0 if self.out.limit_only else stop_at(ladder, rung, market.ltp)
        if event.legs:
            self._take_gtt(ladder, rung, event)
        if event.leave or self.flattening:
            self._leave(ladder, "flatten")
        else:
            self._tend(ladder)

    def _take_gtt(self, ladder: Ladder, rung: Rung, event: Adopt) -> None:
        """Take over the GTT that protects the shares already."""
        gtt = Gtt(
            self.out.number(), ladder.strategy, event.token, event.product, rung.rung_id, rung.high, event.legs,
            self.out.now,
        )  # fmt: skip
        gtt.gtt_id = event.gtt_id
        gtt.status = GttStatus.ACTIVE
        gtt.proven = True
        gtt.updated = self.out.now
        self.out.register_gtt(gtt)
        self.out.changed_gtt(gtt)
        rung.gtt = gtt
        rung.stop = event.legs[0].trigger
        if len(event.legs) == 2:
            rung.target = event.legs[1].trigger

    def _write_off(self, event: WriteOff) -> None:
        """Take shares out of the ladders that hold them, the newest first, at the last price.

        What an exit is selling already stays: both together would be more than there is.
        """
        left = event.quantity
        market = self.markets.get(int(event.token))
        if market is None:
            return
        for ladder in list(reversed(market.ladders)):
            if ladder.plan.product is not event.product or ladder.side is not event.side:
                continue
            for rung in reversed(ladder.rungs):
                part = min(left, rung.quantity)
                if part > 0 and rung.exit is None:
                    left -= part
                    price = market.ltp if market.ltp > 0.0 else rung.average
                    side = Side.SELL if ladder.side is Side.BUY else Side.BUY
                    if part == rung.quantity:
                        rung.exit_reason = "written off"
                    self._correct(ladder, rung, side, part, Purpose.EXIT, price)
                    rung.rejections = 0  # what was refused was more than there is; what is left is asked for at once
                    rung.retry_at = 0
            self._tend(ladder)

    def _correct(self, ladder: Ladder, rung: Rung, side: Side, quantity: i64, purpose: Purpose, price: float) -> Order:
        """Book shares that moved without an order of ours; the price they count from stands as the order's own."""
        token = ladder.instrument.token
        market = self.markets[int(token)]
        last = market.ltp if market.ltp > 0.0 else price
        price = float(nearest(price * E4)) / E4
        order = Order(
            self.out.number(), "", ladder.strategy, token, side, quantity, OrderType.LIMIT, ladder.plan.product, purpose,
            last, rung=rung.rung_id, created=self.out.now,
        )  # fmt: skip
        order.order_id = CORRECTION + str(order.intent)
        order.reason = "adopted" if purpose is Purpose.ENTRY else "written off"
        order.status = OrderStatus.COMPLETE
        order.filled = order.traded = quantity
        order.value = paise(price, quantity)
        self.out.register(order)
        self.out.changed(order)
        self.applied.add(order.order_id + " " + TRADE)
        realised = self.ledger.realised
        self.ledger.mark(token, last)
        self._move(order, quantity, price)
        self.ledger.mark(token, last)
        realised = self.ledger.realised - realised
        self.out.filled(Fill(self.out.now, TRADE, order, quantity, price, 0, realised))
        self._add_to(rung, order, self.out.now, quantity, order.value, 0)
        self.changed_rungs[rung.rung_id] = rung
        return order
