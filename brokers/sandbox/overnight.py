"""The account over a night: what of an exchange is carried, and its requests put back."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from brokers.sandbox.account.carried_account import (
    CarriedAccount,
    CarriedGtt,
    CarriedHolding,
    CarriedPosition,
)
from brokers.sandbox.account.portfolio import AccountPortfolio, isin
from brokers.sandbox.account.product_position import ProductPosition
from brokers.sandbox.http import SandboxApiError
from brokers.sandbox.market import order_checks, session_phases
from brokers.sandbox.market.client_order import OrderRequest
from brokers.sandbox.market.final_settlement import final_price

if TYPE_CHECKING:
    from brokers.sandbox.exchange import SandboxExchange


def restore_requests(carried: CarriedAccount, exchange: "SandboxExchange") -> None:
    """Put GTTs, alerts and evening orders back; those the new day refuses are dropped."""

    def put(what: str, back: Callable[[], object]) -> None:
        try:
            back()
        except SandboxApiError as error:
            exchange.dropped.append(f"{what}: {error.message}")

    for trigger in carried.gtts:
        put(f"GTT {trigger.trigger_id}", partial(exchange.gtts.restore_gtt, trigger))
    exchange.gtts.next_id = max(exchange.gtts.next_id, carried.next_gtt)
    for alert in carried.alerts:
        put(f"alert {alert['name']}", partial(exchange.alerts.create, alert, exchange.now))
    for form in carried.after_market:
        what = (
            f"after-market order {form['transaction_type']} {form['quantity']} "
            f"{form['tradingsymbol']}"
        )
        put(what, partial(_queue_evening_order, exchange, form))


def _queue_evening_order(exchange: "SandboxExchange", form: dict[str, str]) -> None:
    exchange.varieties.carry_in(
        [order_checks.read_order(exchange.listings, form, "amo")], exchange.now
    )


def collect_account(exchange: "SandboxExchange") -> CarriedAccount:
    """Return the account after a day: T+1 shares, settled profits, the day's charges taken off."""
    positions = [
        one for one in exchange.portfolio.positions.values() if one.quantity or one.was_traded
    ]
    bought = [one for one in positions if one.product == "CNC" and one.quantity > 0]
    cash = exchange.funds.cash - exchange.estimates.day_charges(exchange.orders.trades)
    kept = []
    for one in positions:
        value, stays = _settle_overnight(one, exchange)
        cash += value // 100
        if stays:
            kept.append(CarriedPosition(one.listing.key, one.product, one.quantity, one.cost))
    return CarriedAccount(
        cash,
        _evening_holdings(
            exchange.portfolio,
            bought,
            settled=session_phases.is_settlement_day(exchange.config.date),
        ),
        positions=kept,
        gtts=[
            CarriedGtt(
                t.trigger_id,
                t.form,
                created=t.created,
                status=t.status,
                updated=t.updated,
                results=t.results,
            )
            for t in exchange.gtts.listed_gtts(exchange.now)
        ],
        after_market=[request_form(order.ask) for order in exchange.varieties.waiting_orders()],
        alerts=exchange.alerts.forms(),
        next_gtt=exchange.gtts.next_id,
        day=exchange.config.date,
        closes=last_prices(exchange),
    )


def last_prices(exchange: "SandboxExchange") -> dict[str, float]:
    """Return the last prices of all shares, in rupees by key."""
    return {one.key: one.ltp for one in exchange.market.listings if one.contract is None}


def _settle_overnight(one: ProductPosition, exchange: "SandboxExchange") -> tuple[int, bool]:
    """Return what a position adds to cash (e4) and whether it is carried.

    Intraday leftovers settle at the last price, expired contracts at their final settlement price.
    """
    # Delivery is paid in full; its shares go on as holdings.
    if one.product == "CNC":
        return one.sell_value - one.buy_value, False
    contract = one.listing.contract
    # Before the products: an intraday position in an expired contract settles at the final price,
    # too.
    if contract is not None and contract.expiry.isoformat() <= exchange.config.date:
        day, new = session_phases.ist_date(exchange.config.date), exchange.config.choices.new_hours
        price = final_price(one.listing, day, exchange.listings, new=new)
        return one.realised + one.worth(price) - one.cost, False
    if one.product in {"MIS", "CO"}:
        return one.realised + one.unrealised, False
    # What is carried takes its cost along; only what was realised today becomes cash.
    return one.realised, bool(one.quantity)


def _evening_holdings(
    portfolio: AccountPortfolio, bought: list[ProductPosition], *, settled: bool
) -> list[CarriedHolding]:
    """Return one holding for each share, today's purchases unsettled, at whichever exchange.

    Earlier ones are `settled` by the day, unless that was a settlement holiday.
    """
    held: dict[str, CarriedHolding] = {}
    for holding in portfolio.holdings.values():
        left = holding.total - portfolio.sold_quantity(holding)
        # On a settlement holiday shares trade, but none of an earlier day arrive.
        waits = 0 if settled else min(holding.unsettled, left)
        held[isin(holding.listing)] = CarriedHolding(
            holding.listing.key, left - waits, holding.average, waits
        )
    for position in bought:
        old = held.get(isin(position.listing), CarriedHolding(position.listing.key, 0, 0.0))
        there, added = old.quantity + old.unsettled, position.quantity
        average = (there * old.average + position.cost / 1e4) / (there + added)
        held[isin(position.listing)] = CarriedHolding(
            old.key, old.quantity, average, old.unsettled + added
        )
    return [one for one in held.values() if one.quantity + one.unsettled]


def request_form(ask: OrderRequest) -> dict[str, str]:
    """Return the request that makes an order."""
    instrument = ask.listing.instrument
    fields: dict[str, object] = {
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "transaction_type": "BUY" if ask.buys else "SELL",
        "quantity": ask.quantity,
        "order_type": ask.order_type,
        "product": ask.product,
        "price": ask.price,
        "trigger_price": ask.trigger,
        "validity": ask.validity,
        "validity_ttl": ask.ttl,
        "disclosed_quantity": ask.disclosed,
        "market_protection": ask.protection,
        "tag": ask.tag or "",
    }
    return {key: str(value) for key, value in fields.items() if value}
