"""Divisions of carried shares: after a split, bonus or consolidation, at the price that follows."""

from typing import final

from mypy_extensions import i64

from compiled.model.events import CarriedDivision
from compiled.model.values import Product
from compiled.trading.desk_state import DeskState
from compiled.trading.ladder import Ladder, Rung
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_store import OrderStore


def divided_price(price: float, event: CarriedDivision, high: float) -> float:
    """Return a price of before or after a division as one of after.

    It is the one nearer to a rung's highest, in rupees.
    """
    after = price * float(event.per) / float(event.shares)
    return after if high > 0.0 and abs(after - high) < abs(price - high) else price


def concerns_rung(ladder: Ladder, rung: Rung, before: i64) -> bool:
    """Return whether a division concerns a rung.

    It does where the rung holds delivered shares of earlier days than `before` (ns).
    """
    delivered = ladder.plan.product is Product.CNC or ladder.plan.product is Product.MTF
    return delivered and rung.quantity > 0 and rung.opened < before


@final
class PositionDivisions:
    """Carries rungs and their positions over a division of shares."""

    def __init__(self, state: DeskState, out: OrderStore, ladder_book: LadderBook) -> None:
        self.state = state
        self.order_store = out
        self.ladder_book = ladder_book

    def apply_division(self, event: CarriedDivision) -> None:
        """Divide shares of days before the event's.

        The day's P&L counts from the previous close, as before.
        """
        market = self.state.markets.get(int(event.token))
        if market is None:
            return
        # Found before: of a few shares a consolidation may leave none, and those rungs are
        # concerned all the same.
        concerned = [
            (ladder, rung)
            for ladder in market.ladders
            for rung in ladder.rungs
            if concerns_rung(ladder, rung, event.before)
        ]
        self.divide_shares(event)
        high = 0.0
        for ladder, rung in concerned:
            self._restate_rung(event, ladder, rung)
            high = rung.high
        for position in list(self.state.ledger.held(event.token) or []):
            before = position.realised + position.unrealised
            quantity: i64 = 0
            for ladder in market.ladders:
                if position.strategy == "" or ladder.strategy == position.strategy:
                    for rung in ladder.rungs:
                        quantity += ladder.sign * rung.quantity
            self.state.ledger.restate(position, quantity, divided_price(position.last, event, high))
            for slot in self.state.slots:
                if slot.name == position.strategy:
                    slot.net_at_open += position.realised + position.unrealised - before
        for ladder in list(market.ladders):
            self.ladder_book.tend_ladder(ladder)

    def divide_shares(self, event: CarriedDivision) -> None:
        """Divide the shares of the rungs.

        Whole shares made of fractions belong to the later rungs.
        """
        market = self.state.markets[int(event.token)]
        for product in (Product.CNC, Product.MTF):
            held: i64 = 0
            for ladder in market.ladders:
                if ladder.plan.product is not product:
                    continue
                for rung in ladder.rungs:
                    if concerns_rung(ladder, rung, event.before):
                        before = held * event.shares // event.per
                        held += rung.quantity
                        quantity = held * event.shares // event.per - before
                        sold = rung.sold * event.shares // event.per
                        self.ladder_book.restate_shares(rung, sold=sold, quantity=quantity)

    def restate_prices(self, event: CarriedDivision, ladder: Ladder, rung: Rung) -> None:
        """Bring the prices of a rung to the divided share."""
        price = float(event.per) / float(event.shares)
        sign = ladder.sign
        if event.shares != event.per:
            rung.stop = ladder.instrument.snap(rung.stop * price, -sign)
            rung.target = ladder.instrument.snap(rung.target * price, sign)
            rung.high = rung.high * price

    def _restate_rung(self, event: CarriedDivision, ladder: Ladder, rung: Rung) -> None:
        """Let a rung go on at its new prices, without its old GTT, once the books show it."""
        self.restate_prices(event, ladder, rung)
        gtt = rung.gtt
        if gtt is not None and not rung.fired_earlier:
            if gtt.live:
                self.state.stray_gtts[gtt.intent] = gtt
                self.order_store.delete_gtt(gtt)
            rung.gtt = None
        self.ladder_book.hold_back(rung, max(rung.quantity, 0))
        rung.protect_at = rung.retry_at = 0
        rung.refusals = rung.rejections = 0
        self.state.changed_rungs[rung.rung_id] = rung
