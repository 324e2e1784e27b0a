"""What can be spent.

Delivery buys take their full value, delivery sales give it back at once; intraday takes a fifth of the value of what is
open; MTF half; futures and sold options 15 % of what they stand for; bought options their premium. Realised intraday
P&L moves the balance, unrealised does not. Charges are booked overnight (they come with the contract note).
"""

from collections import Counter
from collections.abc import Iterable
from typing import final

from brokers.sandbox.listing import Listing
from brokers.sandbox.orders import Ask, ClientOrder
from brokers.sandbox.portfolio import Portfolio

DELIVERY = ("CNC", "MTF")
SHARE_OF_VALUE = {"CNC": 1.0, "MTF": 0.5, "MIS": 0.2, "CO": 0.2, "NRML": 1.0}
CONTRACT_SHARE = 0.15


def unit_margin(listing: Listing, product: str, side: int, price: float) -> float:
    """Return what one share opened at `price` blocks, rupees."""
    kind = listing.instrument.kind
    if kind == "FUT":
        return price * CONTRACT_SHARE
    if kind in {"CE", "PE"}:
        return price if side > 0 else listing.spot * CONTRACT_SHARE
    return price * SHARE_OF_VALUE[product]


@final
class Funds:
    """The account's money, paise."""

    def __init__(self, cash: int, portfolio: Portfolio) -> None:
        self.cash = cash
        self._portfolio = portfolio

    def required(self, ask: Ask, price: float, live: Iterable[ClientOrder]) -> int:
        """Return what an order at `price` would block, paise: only the part that opens or adds counts."""
        return round(self.opening(ask, live) * unit_margin(ask.listing, ask.product, ask.side, price) * 100)

    def opening(self, ask: Ask, live: Iterable[ClientOrder]) -> int:
        """Return the shares of an order that no position, holding or older closing order stands against."""
        key = _key(ask)
        return self._opening(ask, sum(order.pending for order in live if _key(order.ask) == key))

    def _opening(self, ask: Ask, closing: int) -> int:
        token = int(ask.listing.instrument.token)
        against = -ask.side * self._portfolio.quantity(token, ask.product)
        if ask.product == "CNC" and not ask.buys:
            against += self._portfolio.held(token)
        if ask.product in DELIVERY and ask.buys:
            against = 0
        return ask.quantity - min(ask.quantity, max(0, against - closing))

    def blocked(self, live: Iterable[ClientOrder]) -> int:
        """Return what open orders block, paise."""
        total = 0
        closing: Counter[tuple[int, str, int]] = Counter()
        for order in live:
            ask, key = order.ask._replace(quantity=order.pending), _key(order.ask)
            unit = unit_margin(ask.listing, ask.product, ask.side, reserve_price(ask))
            total += round(self._opening(ask, closing[key]) * unit * 100)
            closing[key] += order.pending
        return total

    def used(self, live: Iterable[ClientOrder]) -> int:
        """Return what positions and open orders use, paise; negative after profitable sales."""
        total = self.blocked(live) * 100
        for position in self._portfolio.positions.values():
            if position.product == "CNC":
                total += position.buy_value - position.sell_value
            elif position.listing.instrument.kind == "EQ":
                total += round(abs(position.cost) * SHARE_OF_VALUE[position.product]) - position.realised
            elif position.quantity:
                side = 1 if position.quantity > 0 else -1
                price = abs(position.cost / position.quantity) / 1e4
                unit = unit_margin(position.listing, position.product, side, price)
                total += round(unit * abs(position.quantity) * 1e4) - position.realised
            else:
                total -= position.realised
        return -(-total // 100)

    def available(self, live: Iterable[ClientOrder]) -> int:
        """Return what can be spent, paise."""
        return self.cash - self.used(live)

    def segment(self, live: list[ClientOrder], *, enabled: bool) -> dict[str, object]:
        """Return one segment of `GET /user/margins`; commodity stands there empty, equity pays for everything."""
        cash = self.cash if enabled else 0
        debits = self.used(live) if enabled else 0
        positions = self._portfolio.positions.values() if enabled else []
        delivery = [one for one in positions if one.product in DELIVERY]
        others = [one for one in positions if one.product not in DELIVERY]
        contracts = [one for one in others if one.listing.instrument.kind == "FUT"]
        return {
            "enabled": enabled,
            "net": (cash - debits) / 100,
            "available": {
                "adhoc_margin": 0,
                "cash": cash / 100,
                "opening_balance": cash / 100,
                "live_balance": (cash - debits) / 100,
                "collateral": 0,
                "intraday_payin": 0,
            },
            "utilised": {
                "debits": debits / 100,
                "exposure": 0,
                "m2m_realised": sum(p.realised for p in others) / 1e4,
                "m2m_unrealised": sum(p.unrealised for p in others) / 1e4,
                "option_premium": sum(p.cost for p in others if p.listing.instrument.kind in {"CE", "PE"}) / 1e4,
                "payout": 0,
                "span": sum(abs(p.cost) * CONTRACT_SHARE for p in contracts) / 1e4,
                "holding_sales": 0,
                "turnover": 0,
                "liquid_collateral": 0,
                "stock_collateral": 0,
                "delivery": sum(max(0, p.buy_value - p.sell_value) for p in delivery) / 1e4,
            },
        }


def _key(ask: Ask) -> tuple[int, str, int]:
    return id(ask.listing), ask.product, ask.side


def reserve_price(ask: Ask) -> float:
    """Return the price at which an order reserves funds: its limit, else its trigger, else the last price."""
    return ask.price or ask.trigger or ask.listing.ltp
