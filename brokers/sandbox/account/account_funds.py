"""Money that can be spent.

Delivery buys take their full value, delivery sales give it back at once; intraday takes a fifth of
the value of what is open; MTF half; bought options their premium; futures and sold options the
margin that `span_margin.py` finds for everything on their underlying together. Realised intraday
P&L moves the balance, unrealised does not. Charges are booked overnight (they come with the
contract note).
"""

from collections.abc import Iterable
from typing import final

from brokers.sandbox.account.portfolio import MARGIN_FINANCED, AccountPortfolio, isin
from brokers.sandbox.account.product_position import ProductPosition
from brokers.sandbox.account.span_margin import SpanMargins
from brokers.sandbox.market.client_order import ClientOrder, OrderRequest
from brokers.sandbox.market.exchange_listing import ExchangeListing

DELIVERY = ("CNC", "MTF")
# Intraday takes a fifth: the exchanges' least margin allows five times the money and no more.
SHARE_OF_VALUE = {"CNC": 1.0, "MTF": MARGIN_FINANCED, "MIS": 0.2, "CO": 0.2, "NRML": 1.0}


@final
class AccountFunds:
    """The account's money, paise."""

    def __init__(self, cash: int, portfolio: AccountPortfolio) -> None:
        self.cash = cash
        self.spans = SpanMargins()
        self._portfolio = portfolio

    def unit_margin(self, listing: ExchangeListing, product: str, side: int, price: float) -> float:
        """Return what one share or unit opened at `price` blocks by itself, rupees."""
        if listing.contract is None:
            return price * SHARE_OF_VALUE[product]
        if side > 0 and listing.instrument.kind != "FUT":
            return price * listing.multiplier
        return self.spans.unit_margin(listing, side)

    def required(self, ask: OrderRequest, price: float, live: Iterable[ClientOrder]) -> int:
        """Return what an order at `price` would block, paise.

        Only the part that opens or adds counts.
        """
        if ask.listing.contract is None:
            return round(
                self.opening_quantity(ask, live)
                * self.unit_margin(ask.listing, ask.product, ask.side, price)
                * 100
            )
        # Orders that wait in the same contract count as filled, or two of them could each close the
        # one position for nothing.
        same = [
            (order.ask.listing, order.ask.side * order.pending)
            for order in live
            if order.ask.listing is ask.listing
        ]
        return round(
            self._contract_margin(
                ask, price, [*self.open_contracts(), *same], self.opening_quantity(ask, live)
            )
            * 100
        )

    def open_contracts(self) -> list[tuple[ExchangeListing, int]]:
        """Return the contracts that are open, whatever their product."""
        open_ones = (
            one for one in self._portfolio.positions.values() if one.listing.contract is not None
        )
        return [(one.listing, one.quantity) for one in open_ones if one.quantity]

    def _contract_margin(
        self, ask: OrderRequest, price: float, legs: list[tuple[ExchangeListing, int]], opening: int
    ) -> float:
        """Return what an order adds to a margin of legs in rupees, and a bought option's cost."""
        paid = (
            opening * price * ask.listing.multiplier
            if ask.buys and ask.listing.instrument.kind != "FUT"
            else 0.0
        )
        name = ask.listing.contract.name if ask.listing.contract else ""
        near = [leg for leg in legs if leg[0].contract and leg[0].contract.name == name]
        after = self.spans.portfolio_margin([*near, (ask.listing, ask.side * ask.quantity)]).total
        # a hedge needs nothing more, and frees margin only once it is in the positions
        return paid + max(0.0, after - self.spans.portfolio_margin(near).total)

    def opening_quantity(self, ask: OrderRequest, live: Iterable[ClientOrder]) -> int:
        """Return the shares of an order beyond positions, holdings and older closing orders."""
        key = _cover_key(ask)
        # An older order of the same kind has the covering shares already.
        closing = sum(order.pending for order in live if _cover_key(order.ask) == key)
        return ask.quantity - min(ask.quantity, max(0, self._shares_against(ask) - closing))

    def _shares_against(self, ask: OrderRequest) -> int:
        """Return the opposite position's shares, or the holding's it sells, against an order."""
        if ask.product in DELIVERY and ask.buys:
            return 0
        token = int(ask.listing.instrument.token)
        held = self._portfolio.sellable_quantity(ask.listing) if ask.product == "CNC" else 0
        return held - ask.side * self._portfolio.net_quantity(token, ask.product)

    def blocked(self, live: Iterable[ClientOrder]) -> int:
        """Return what open orders block, paise."""
        total = 0
        against: dict[tuple[object, str, int], int] = {}
        legs = self.open_contracts()
        # In their turn: the oldest order has the covering shares, what comes after it opens.
        for order in live:
            ask, pending = order.ask, order.pending
            key = _cover_key(ask)
            covered = against[key] if key in against else self._shares_against(ask)
            against[key] = covered - pending
            opening, price = pending - min(pending, max(0, covered)), reserve_price(ask)
            if ask.listing.contract is None:
                total += round(opening * price * SHARE_OF_VALUE[ask.product] * 100)
            else:
                total += round(
                    self._contract_margin(ask._replace(quantity=pending), price, legs, opening)
                    * 100
                )
                # The next one is margined on top of this one, as if it had been filled.
                legs.append((ask.listing, ask.side * pending))
        return total

    def used(self, live: Iterable[ClientOrder]) -> int:
        """Return what positions and open orders use, paise; negative after profitable sales."""
        total = self.blocked(live) * 100
        for position in self._portfolio.positions.values():
            # Delivery is plain payment: a sale gives its money back at once, the gain in it
            # included.
            if position.product == "CNC":
                total += position.buy_value - position.sell_value
            elif position.listing.contract is None:
                total += (
                    round(abs(position.cost) * SHARE_OF_VALUE[position.product]) - position.realised
                )
            else:
                total += _premium_paid(position) - position.realised
        # up to a whole paisa: never less than is used
        return -(
            -(total + round(self.spans.portfolio_margin(self.open_contracts()).total * 1e4)) // 100
        )

    def available(self, live: Iterable[ClientOrder]) -> int:
        """Return what can be spent, paise."""
        return self.cash - self.used(live)

    def segment_row(self, live: list[ClientOrder], *, enabled: bool) -> dict[str, object]:
        """Return one segment of `GET /user/margins`.

        Equity pays for everything, commodity is empty.
        """
        cash = self.cash if enabled else 0
        debits = self.used(live) if enabled else 0
        positions = self._portfolio.positions.values() if enabled else []
        delivery = [one for one in positions if one.product in DELIVERY]
        others = [one for one in positions if one.product not in DELIVERY]
        margin = self.spans.portfolio_margin(self.open_contracts() if enabled else [])
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
                "exposure": margin.exposure,
                "m2m_realised": sum(p.realised for p in others) / 1e4,
                "m2m_unrealised": sum(p.unrealised for p in others) / 1e4,
                "option_premium": sum(map(_premium_paid, positions)) / 1e4,
                "payout": 0,
                "span": margin.span,
                "holding_sales": 0,
                "turnover": 0,
                "liquid_collateral": 0,
                "stock_collateral": 0,
                "delivery": sum(max(0, p.buy_value - p.sell_value) for p in delivery) / 1e4,
            },
        }


def _premium_paid(position: ProductPosition) -> int:
    """Return what bought options cost, in ten-thousandths of a rupee."""
    return max(0, position.cost) if position.listing.instrument.kind in {"CE", "PE"} else 0


def _cover_key(ask: OrderRequest) -> tuple[object, str, int]:
    """Return what orders draw on together: a share's sales at both exchanges on one holding."""
    sale = ask.product == "CNC" and not ask.buys
    return isin(ask.listing) if sale else id(ask.listing), ask.product, ask.side


def reserve_price(ask: OrderRequest) -> float:
    """Return the price at which an order reserves funds: its limit, trigger, or the last price."""
    return ask.price or ask.trigger or ask.listing.ltp
