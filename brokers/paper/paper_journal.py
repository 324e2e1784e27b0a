"""The part of the paper exchange that outlives the process.

Rows of the journal's `paper` table, and how they are read again.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from brokers.paper.paper_account import DeliveredLot, PaperAccount
from compiled.model.events import BrokerTrade, GttUpdate, OrderUpdate
from compiled.model.values import GttLeg, GttStatus, Instrument, OrderStatus, Product, Side
from compiled.venue.resting_orders import RestingGtt, RestingOrder
from engine.ports import Journal

ACCOUNT: Final = "account"
ORDER: Final = "order"
TRADE: Final = "trade"
GTT: Final = "gtt"

Fields = dict[str, Any]


class BookedOrder(NamedTuple):
    """One order in the paper book: how it stands, and for which product."""

    update: OrderUpdate
    product: Product


class WatchedGtt(NamedTuple):
    """One GTT: how it stands, for which product, and the last price it was given (rupees)."""

    update: GttUpdate
    product: Product
    last: float


class PaperPages:
    """The journal's `paper` table: a row per thing, its state as JSON, the day it belongs to."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def write(self, kind: str, name: str, day: str, state: Mapping[str, object]) -> None:
        """Write a row; the same kind and name again replaces it."""
        self._journal.append(
            "paper", {"kind": kind, "name": name, "day": day, "state": json.dumps(state)}
        )

    def read(self, kind: str, day: str = "") -> Iterator[Fields]:
        """Yield the states of a kind, of one day or of all, in the order of their numbers."""
        where, values = ("kind = ? AND day = ?", (kind, day)) if day else ("kind = ?", (kind,))
        rows = self._journal.load("paper", where, values)
        # Names are numbers of growing length: shorter ones are older, so 9 comes before 10.
        for row in sorted(rows, key=lambda row: (len(str(row["name"])), str(row["name"]))):
            yield json.loads(str(row["state"]))


def account_state(account: PaperAccount, day: str, next_id: int) -> Fields:
    """Return an account at the beginning of a day."""
    return {
        "day": day,
        "next": next_id,
        "cash": account.cash,
        "holdings": [
            [token, *lot, product.name] for (token, product), lot in account.holdings.items()
        ],
        "carried": [
            [token, product.name, int(position.quantity), int(position.value)]
            for (token, product), position in account.positions.items()
        ],
    }


def account_of(state: Fields) -> PaperAccount:
    """Return the account at the beginning of its day."""
    account = PaperAccount(state["cash"])
    # the first versions wrote no product: all was CNC
    for token, quantity, value, *product in state["holdings"]:
        account.holdings[token, Product[product[0]] if product else Product.CNC] = DeliveredLot(
            quantity, value
        )
    for token, product, quantity, value in state["carried"]:
        account.position((token, Product[product])).carry(quantity, value)
    return account


def order_state(booked: BookedOrder, standing: RestingOrder | None) -> Fields:
    """Return an order as its update reports it, and as it stands at the exchange if it works."""
    update = booked.update
    state: Fields = {
        "id": update.order_id,
        "ts": int(update.ts),
        "tag": update.tag,
        "token": int(update.token),
        "side": update.side.name,
        "status": update.status.name,
        "quantity": int(update.quantity),
        "filled": int(update.filled),
        "price": update.price,
        "trigger": update.trigger,
        "reason": update.reason,
        "product": booked.product.name,
    }
    if standing is not None:
        state["stands"] = {
            "left": int(standing.left),
            "limit": int(standing.limit),
            "trigger": int(standing.trigger),
            "market": standing.market,
            "protection": standing.protection,
            "ioc": standing.ioc,
        }
    return state


def order_of(state: Fields) -> BookedOrder:
    """Return an order as it was written down."""
    update = OrderUpdate(
        state["ts"],
        state["id"],
        tag=state["tag"],
        token=state["token"],
        side=Side[state["side"]],
        status=OrderStatus[state["status"]],
        quantity=state["quantity"],
        filled=state["filled"],
        price=state["price"],
        trigger=state["trigger"],
        reason=state["reason"],
    )
    return BookedOrder(update, Product[state["product"]])


def standing_of(state: Fields, instrument: Instrument) -> RestingOrder:
    """Return an order as it stood.

    It has lost its place in the queue, and a price that has passed it fills it.
    """
    stands = state["stands"]
    order = RestingOrder(
        state["id"], state["tag"], instrument, Side[state["side"]], state["quantity"]
    )
    order.left, order.limit, order.trigger = stands["left"], stands["limit"], stands["trigger"]
    order.market, order.protection, order.ioc = (
        stands["market"],
        stands["protection"],
        stands["ioc"],
    )
    # At the market, or sent by its trigger: it takes from the book, where a limit waits in it.
    order.taking = order.limit == 0 or order.trigger != 0
    return order


def trade_state(trade: BrokerTrade, product: Product, note: tuple[str, str, str]) -> Fields:
    """Return a trade, and where it is charged.

    That is its exchange, its segment, and the segment where it is closed on its day.
    """
    return {
        "id": trade.trade_id,
        "order": trade.order_id,
        "ts": int(trade.ts),
        "token": int(trade.token),
        "side": trade.side.name,
        "quantity": int(trade.quantity),
        "price": trade.price,
        "product": product.name,
        "note": note,
    }


def trade_of(state: Fields) -> BrokerTrade:
    """Return a trade as it was written down."""
    return BrokerTrade(
        state["ts"],
        state["id"],
        order_id=state["order"],
        token=state["token"],
        side=Side[state["side"]],
        quantity=state["quantity"],
        price=state["price"],
    )


def note_of(state: Fields) -> tuple[str, str, str]:
    """Return where a trade is charged; shares, where a page was written before this was noted."""
    if state["product"] == "CNC":
        return tuple(state.get("note", ("NSE", "EQ_DELIVERY", "EQ_INTRADAY")))
    return tuple(state.get("note", ("NSE", "EQ_INTRADAY", "")))


def gtt_state(watched: WatchedGtt) -> Fields:
    """Return a GTT."""
    update = watched.update
    return {
        "id": int(update.gtt_id),
        "ts": int(update.ts),
        "token": int(update.token),
        "status": update.status.name,
        "legs": [[leg.trigger, leg.price, leg.side.name, int(leg.quantity)] for leg in update.legs],
        "orders": update.order_ids,
        "reason": update.reason,
        "product": watched.product.name,
        "last": watched.last,
    }


def gtt_of(state: Fields) -> WatchedGtt:
    """Return a GTT as it was written down."""
    legs = [
        GttLeg(trigger, price, Side[side], quantity)
        for trigger, price, side, quantity in state["legs"]
    ]
    update = GttUpdate(
        state["ts"],
        state["id"],
        token=state["token"],
        status=GttStatus[state["status"]],
        legs=legs,
        order_ids=state["orders"],
        reason=state["reason"],
    )
    return WatchedGtt(update, Product[state["product"]], state["last"])


def waiting_of(watched: WatchedGtt, instrument: Instrument) -> RestingGtt:
    """Return a GTT as it watched the price."""
    waiting = RestingGtt(watched.update.gtt_id, instrument)
    waiting.arm(watched.update.legs, watched.last)
    return waiting
