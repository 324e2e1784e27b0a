"""Margins and charges of orders that are not placed: single ones, baskets, contract notes."""

from collections.abc import Iterable, Mapping
from typing import final

from brokers.sandbox.account.account_funds import AccountFunds
from brokers.sandbox.http import Form, choice_field, decimal_field, invalid, whole_field
from brokers.sandbox.market import order_checks
from brokers.sandbox.market.client_order import ClientOrder, ClientTrade, OrderRequest
from brokers.sandbox.market.order_checks import Listings
from compiled.accounting.charges import ChargeBreakdown, ChargeRates, RateTable, estimate_charges
from compiled.accounting.contract_notes import DayNotes
from compiled.model.values import Product, Side, paise
from engine.market.asset_classes import asset_of
from engine.market.charges import security_segment

CHARGED_AS = {"MIS": Product.MIS, "CO": Product.MIS, "MTF": Product.MTF}
CONTRACTS = {"FUT": "FUT", "CE": "OPT", "PE": "OPT"}
PRODUCTS = (*order_checks.PRODUCTS, "CO")
PARTS = ("span", "exposure", "option_premium", "var", "total")
NOTHING: Mapping[str, object] = {
    "span": 0,
    "exposure": 0,
    "option_premium": 0,
    "var": 0,
    "total": 0,
    "additional": 0,
    "bo": 0,
    "cash": 0,
    "pnl": {"realised": 0, "unrealised": 0},
}


@final
class MarginEstimates:
    """Estimates of orders' costs on the sandbox's day, unrounded, as Kite answers."""

    def __init__(
        self, listings: Listings, rates: RateTable, date: str, funds: AccountFunds
    ) -> None:
        self._listings = listings
        self._rates = rates
        self._day = int(date.replace("-", ""))
        self._funds = funds

    def margins(self, body: object, *, compact: bool = False) -> list[dict[str, object]]:
        """Answer `POST /margins/orders`; `compact`: the totals alone."""
        rows = [self._margin_row(form) for form in _body_forms(body)]
        return [_compact_row(row) for row in rows] if compact else rows

    def basket(
        self, body: object, live: list[ClientOrder], *, consider: bool, compact: bool = False
    ) -> dict[str, object]:
        """Answer `POST /margins/basket`.

        `consider`: what positions and holdings cover already is free.
        """
        forms = _body_forms(body)
        orders = [self._margin_row(form) for form in forms]
        asks = [self._read_request(form, "price") for form in forms]
        final = self._basket_margin(asks, live, consider=consider)
        rows = {"initial": _sum_margins(orders), "final": _sum_margins([final])}
        if compact:
            return {name: _compact_row(row) for name, row in rows.items()} | {
                "orders": [_compact_row(row) for row in orders]
            }
        each = [self._estimate_charges(ask) for ask in asks]
        counted = {
            "sebi_turnover_charge": sum(one.sebi for one in each),
            "brokerage": sum(one.brokerage for one in each),
        }
        return rows | {"orders": orders, "charges": _no_charges() | counted}

    def _basket_margin(
        self, asks: list[OrderRequest], live: list[ClientOrder], *, consider: bool
    ) -> dict[str, object]:
        """Return what a basket needs as one: contracts on one underlying offset each other."""
        legs = self._funds.open_contracts() if consider else []
        contracts = [
            (ask.listing, ask.side * ask.quantity)
            for ask in asks
            if ask.listing.contract is not None
        ]
        before, after = (
            self._funds.spans.portfolio_margin(legs),
            self._funds.spans.portfolio_margin([*legs, *contracts]),
        )
        shares = [ask for ask in asks if ask.listing.contract is None]
        parts = {
            "span": max(0.0, after.span - before.span),
            "exposure": max(0.0, after.exposure - before.exposure),
            "option_premium": sum(
                self._option_premium(ask) for ask in asks if ask.listing.contract is not None
            ),
            "var": sum(
                self._funds.required(ask, ask.price, live) / 100
                if consider
                else self._blocked_value(ask)
                for ask in shares
            ),
        }
        return {**parts, "total": sum(parts.values())}

    def _blocked_value(self, ask: OrderRequest) -> float:
        return self._funds.unit_margin(ask.listing, ask.product, ask.side, ask.price) * ask.quantity

    def _option_premium(self, ask: OrderRequest) -> float:
        return (
            self._blocked_value(ask)
            if ask.buys and ask.listing.instrument.kind in {"CE", "PE"}
            else 0.0
        )

    def _margin_parts(self, ask: OrderRequest) -> dict[str, float]:
        """Return the margin of one order by itself, under the names it goes by."""
        if ask.listing.contract is None:
            parts = {"var": self._blocked_value(ask)}
        else:
            margin = self._funds.spans.portfolio_margin([(ask.listing, ask.side * ask.quantity)])
            parts = {
                "span": margin.span,
                "exposure": margin.exposure,
                "option_premium": self._option_premium(ask),
            }
        return parts | {"total": sum(parts.values())}

    def contract_note(self, body: object) -> list[dict[str, object]]:
        """Answer `POST /charges/orders`."""
        notes = []
        for form in _body_forms(body):
            ask = self._read_request(form, "average_price")
            if not ask.price:
                raise invalid("Invalid `average_price`.")
            notes.append(self._note_row(ask))
        return notes

    def _note_row(self, ask: OrderRequest) -> dict[str, object]:
        return {
            "transaction_type": "BUY" if ask.buys else "SELL",
            "tradingsymbol": ask.listing.instrument.symbol,
            "exchange": ask.listing.instrument.exchange,
            "variety": ask.variety,
            "product": ask.product,
            "order_type": ask.order_type,
            "quantity": ask.quantity,
            "price": ask.price,
            "charges": self._charge_row(ask),
        }

    def _margin_row(self, form: Form) -> dict[str, object]:
        ask = self._read_request(form, "price")
        instrument = ask.listing.instrument
        parts = self._margin_parts(ask)
        value = ask.price * ask.quantity * ask.listing.multiplier
        return {
            **NOTHING,
            **parts,
            "type": "commodity" if instrument.exchange == "MCX" else "equity",
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "leverage": max(1, round(value / parts["total"])),
            "charges": self._charge_row(ask),
        }

    def _read_request(self, form: Form, price: str) -> OrderRequest:
        listing = order_checks.find_listing(self._listings, form)
        quantity = whole_field(form, "quantity")
        if quantity < 1:
            raise invalid("Invalid `quantity`.")
        return OrderRequest(
            listing=listing,
            side=order_checks.SIDES[
                choice_field(form, "transaction_type", tuple(order_checks.SIDES))
            ],
            quantity=quantity,
            order_type=choice_field(form, "order_type", order_checks.TYPES),
            product=choice_field(form, "product", PRODUCTS),
            # A market order names no price: it is margined at the last one.
            price=decimal_field(form, price) or (listing.ltp if price == "price" else 0.0),
            variety=form.get("variety") or "regular",
        )

    def _charge_row(self, ask: OrderRequest) -> dict[str, object]:
        charges = self._estimate_charges(ask)
        return {
            "transaction_tax": charges.tax,
            "transaction_tax_type": "ctt" if ask.listing.instrument.exchange == "MCX" else "stt",
            # The exchange's charge is billed with the investor protection fund's share folded in.
            "exchange_turnover_charge": charges.txn + charges.ipft,
            "sebi_turnover_charge": charges.sebi,
            "brokerage": charges.brokerage,
            "stamp_duty": charges.stamp,
            # Kite names all of it IGST here; only the contract note splits it.
            "gst": {"igst": charges.gst, "cgst": 0, "sgst": 0, "total": charges.gst},
            "total": charges.total,
        }

    def _estimate_charges(self, ask: OrderRequest) -> ChargeBreakdown:
        quantity = ask.quantity * ask.listing.multiplier
        return estimate_charges(
            self._rates_of(ask, ask.product), Side(ask.side), quantity, ask.price
        )

    def _rates_of(self, ask: OrderRequest, product: str) -> ChargeRates:
        instrument = ask.listing.instrument
        asset = asset_of(instrument.symbol, instrument.name)
        segment = CONTRACTS.get(instrument.kind) or security_segment(
            asset, CHARGED_AS.get(product, Product.CNC)
        )
        if instrument.exchange == "MCX":
            segment = f"COM_{segment}"
        return self._rates.rates(segment, instrument.exchange, self._day)

    def day_charges(self, trades: Iterable[ClientTrade]) -> int:
        """Return what the contract notes of a day's trades say, in paise."""
        notes = DayNotes()
        for trade in trades:
            ask, instrument = trade.order.ask, trade.order.ask.listing.instrument
            value = paise(instrument.price(trade.ticks), trade.quantity * ask.listing.multiplier)
            rates = self._rates_of(ask, ask.product)
            # Delivery that is closed on its day is charged as intraday, which the note finds out.
            intraday = self._rates_of(ask, "MIS") if ask.product == "CNC" else None
            notes.fill(
                int(instrument.token),
                rates,
                intraday=intraday,
                trade=trade.trade_id,
                ts=trade.ts,
                order=int(trade.order.order_id),
                side=Side(ask.side),
                quantity=trade.quantity,
                value=int(value),
            )
        return int(notes.total)


def _body_forms(body: object) -> list[Form]:
    if (
        not isinstance(body, list)
        or not body
        or not all(isinstance(item, Mapping) for item in body)
    ):
        raise invalid("Invalid JSON body: expected a list of orders.")
    # JSON has numbers and null where a form has texts; from here on both are read alike.
    return [{str(k): "" if v is None else str(v) for k, v in item.items()} for item in body]


def _compact_row(row: Mapping[str, object]) -> dict[str, object]:
    return {key: row[key] for key in ("type", "tradingsymbol", "exchange", "total")}


def _sum_margins(orders: list[dict[str, object]]) -> dict[str, object]:
    totals = {key: sum(float(str(order.get(key, 0))) for order in orders) for key in PARTS}
    empty = {"type": "", "tradingsymbol": "", "exchange": "", "leverage": 0}
    return {**NOTHING, **empty, "charges": _no_charges(), **totals}


def _no_charges() -> dict[str, object]:
    return {
        "transaction_tax": 0,
        "transaction_tax_type": "",
        "exchange_turnover_charge": 0,
        "sebi_turnover_charge": 0,
        "brokerage": 0,
        "stamp_duty": 0,
        "gst": {"igst": 0, "cgst": 0, "sgst": 0, "total": 0},
        "total": 0,
    }
