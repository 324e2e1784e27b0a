"""The paper account: cash, holdings and positions."""

from typing import Final, NamedTuple, final

from compiled.accounting.charges import ChargeRates
from compiled.accounting.contract_notes import DayNotes
from compiled.accounting.ledger import Position
from compiled.model.events import BrokerTrade
from compiled.model.values import Product, paise
from engine.manual.margin import INTRADAY_PERCENT

DELIVERED: Final = (Product.CNC, Product.MTF)
At = tuple[int, Product]
"""A token and a product."""


class DeliveredLot(NamedTuple):
    """Shares brought over from an earlier day, and what they cost together (paise)."""

    quantity: int
    value: int

    @property
    def average(self) -> float:
        """Return the average price in rupees, 0.0 when flat."""
        return self.value / self.quantity / 100 if self.quantity else 0.0


class DayRates(NamedTuple):
    """Rates of a trade, and of one that closes it on its day (None: the same)."""

    rates: ChargeRates
    intraday: ChargeRates | None


@final
class PaperAccount:
    """One account.

    Today's charges leave its cash overnight, as at Zerodha, and a purchase is delivered overnight.
    """

    def __init__(self, cash: int) -> None:
        self.cash = cash
        self.holdings: dict[At, DeliveredLot] = {}
        self.positions: dict[At, Position] = {}
        self._notes = DayNotes()

    def book_trade(self, trade: BrokerTrade, product: Product, rates: DayRates) -> None:
        """Book a trade: its shares, its cash, and what it adds to the day's contract notes."""
        at, quantity = (int(trade.token), product), int(trade.quantity)
        value = paise(trade.price, quantity)
        self.position(at).trade(trade.side, quantity, value)
        self.cash -= int(trade.side) * value
        self._notes.fill(
            at[0],
            *rates,
            trade.trade_id,
            int(trade.ts),
            int(trade.order_id),
            trade.side,
            quantity,
            int(value),
        )

    @property
    def charges(self) -> int:
        """Return what the day's contract notes say so far, in paise."""
        return int(self._notes.total)

    def position(self, at: At) -> Position:
        """Return today's position of a token and product."""
        found = self.positions.get(at)
        if found is None:
            found = self.positions[at] = Position("", at[0], 0.0)
        return found

    @property
    def funds(self) -> int:
        """Return what can be spent, in paise; an intraday position blocks only its margin."""
        # Cash has paid the whole value of a purchase and got that of a short sale: all but the
        # margin goes back.
        free = 100 - INTRADAY_PERCENT
        return self.cash + sum(
            int(p.value) * (free if p.quantity > 0 else 100 + INTRADAY_PERCENT) // 100
            for (_, product), p in self.positions.items()
            if product is Product.MIS
        )

    def end_day(self) -> None:
        """Pay the charges, deliver what was bought, and carry the rest."""
        self.cash -= self.charges
        self._notes.begin_day()
        # First the charges: they are of the day that ends, and its notes close with it.
        ended, self.positions = self.positions, {}
        for at, position in ended.items():
            quantity, value = int(position.quantity), int(position.value)
            if at[1] in DELIVERED:
                self._deliver_shares(at, quantity, value)
            elif quantity:
                self.position(at).carry(quantity, value)

    def _deliver_shares(self, at: At, quantity: int, value: int) -> None:
        """Add to a holding at cost, or take from it at its average."""
        held = self.holdings.get(at, DeliveredLot(0, 0))
        cost = (
            # A sale leaves at the holding's average, so that what stays keeps its own.
            value if quantity > 0 or not held.quantity else held.value * quantity // held.quantity
        )
        if held.quantity + quantity:
            self.holdings[at] = DeliveredLot(held.quantity + quantity, held.value + cost)
        else:
            self.holdings.pop(at, None)
