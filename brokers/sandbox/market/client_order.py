"""One order at the exchange: what was asked, how it stands, and the rows Kite shows of it."""

import json
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, final

from brokers.sandbox import kite_times

if TYPE_CHECKING:
    from brokers.sandbox.market.exchange_listing import ExchangeListing

AMO = "AMO REQ RECEIVED"
LIVE = ("OPEN", "TRIGGER PENDING", AMO)
OVER = ("COMPLETE", "CANCELLED", "CANCELLED AMO", "REJECTED")


class IcebergLeg(NamedTuple):
    """Leg of an iceberg, by number."""

    leg: int
    legs: int
    leg_quantity: int
    total: int

    @property
    def remaining(self) -> int:
        """Return the quantity of the legs that come after this one."""
        return max(0, self.total - self.leg * self.leg_quantity)

    def row(self) -> dict[str, object]:
        """Return it as Kite shows it in `meta`."""
        return {
            "leg": self.leg,
            "legs": self.legs,
            "leg_quantity": self.leg_quantity,
            "total_quantity": self.total,
            "remaining_quantity": self.remaining,
        }


class OrderRequest(NamedTuple):
    """An order as it was requested, checked for form; prices in rupees, 0.0 where there is none."""

    listing: "ExchangeListing"
    side: int
    quantity: int
    order_type: str
    product: str
    price: float = 0.0
    trigger: float = 0.0
    validity: str = "DAY"
    disclosed: int = 0
    protection: float = 0.0
    """Percent, -1.0: the exchange's own slab; only where `order_type` is MARKET or SL-M."""
    tag: str | None = None
    variety: str = "regular"
    ttl: int = 0
    """Minutes; only where `validity` is TTL."""
    iceberg: IcebergLeg | None = None
    stop: float = 0.0
    """CO: the trigger of its second leg."""
    auction: str = ""
    """Number of the auction it is offered in."""
    parent: str | None = None
    labels: tuple[str, ...] = ()
    """Tags the system puts beside the user's."""
    by: str = ""
    """Placer of the order, if not the user."""

    @property
    def buys(self) -> bool:
        """Return whether it buys."""
        return self.side > 0


class ClientTrade(NamedTuple):
    """One fill of one of our orders."""

    trade_id: str
    order: "ClientOrder"
    ticks: int
    quantity: int
    ts: int


@final
class ClientOrder:
    """An order of the account; `number` is its name in the book, 0 while it is not there."""

    def __init__(self, order_id: str, user_id: str, ask: OrderRequest, now: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.exchange_order_id: str | None = None
        self.ask = ask
        self.number = 0
        self.status = "PUT ORDER REQ RECEIVED"
        self.message: str | None = None
        self.filled = 0
        self.turnover = 0
        self.cancelled = 0
        self.placed_at = now
        self.exchanged_at: int | None = None
        self.protection_tags: list[str] = []
        self.keeps_pending = False
        """Its row shows what was cancelled as pending, too."""
        self.modifications = 0
        self.trades: list[ClientTrade] = []
        self.history: list[dict[str, object]] = []
        self.veiled_rows: tuple[dict[str, object], list[dict[str, object]]] | None = None
        """State that book and history still show, while a fault lets a trade run ahead of them."""
        self._written: tuple[tuple[object, ...], str] | None = None

    @property
    def is_live(self) -> bool:
        """Return whether it may still trade."""
        return self.status in LIVE

    @property
    def pending(self) -> int:
        """Return the open quantity."""
        return self.ask.quantity - self.filled if self.is_live else 0

    @property
    def average(self) -> float:
        """Return the average price of its fills in rupees, 0 before the first."""
        return (
            round(self.ask.listing.instrument.price(1) * self.turnover / self.filled, 4)
            if self.filled
            else 0.0
        )

    def enter_status(self, status: str) -> None:
        """Enter a status and write it into the order's history."""
        self.status = status
        self.history.append(self._history_row())

    def note_status(self, status: str) -> None:
        """Write a passing state into the history; the order's own state stays."""
        kept, self.status = self.status, status
        self.history.append(self._history_row())
        self.status = kept

    def veil_row(self) -> None:
        """Show the order as it stands now until `veiled_rows` is None again."""
        self.veiled_rows = self.veiled_rows or (self.row(), list(self.history))

    def shown_row(self) -> dict[str, object]:
        """Return the row a client gets to see."""
        return self.veiled_rows[0] if self.veiled_rows else self.row()

    def row_json(self) -> str:
        """Return `shown_row` as JSON, written anew only when something of it has changed."""
        # Whatever the row shows is in here: what is forgotten would be shown as it once was.
        stands = (
            self.status,
            self.filled,
            self.turnover,
            self.cancelled,
            self.placed_at,
            self.exchanged_at,
            self.modifications,
            self.message,
            self.exchange_order_id,
            len(self.protection_tags),
            self.veiled_rows is None,
            self.ask,
        )
        if self._written is None or self._written[0] != stands:
            self._written = (stands, json.dumps(self.shown_row()))
        return self._written[1]

    def shown_history(self) -> list[dict[str, object]]:
        """Return the history a client gets to see."""
        return self.veiled_rows[1] if self.veiled_rows else self.history

    def row(self) -> dict[str, object]:
        """Return the order as the order book shows it."""
        extra = {"auction_number": self.ask.auction} if self.ask.auction else {}
        tags = ([self.ask.tag] if self.ask.tag else []) + [*self.ask.labels, *self.protection_tags]
        modified = {"modified": self.modifications > 0}
        return (
            self._core_fields()
            | extra
            | self._detail_fields()
            | modified
            | {"tags": tags, "guid": self._order_guid()}
        )

    def _detail_fields(self) -> dict[str, object]:
        """Return the fields that Kite has added to orders by 2026."""
        return {
            "account_id": self.user_id,
            "status_message_raw": self.message,
            "exchange_update_timestamp": None
            if self.exchanged_at is None
            else kite_times.text(self.exchanged_at),
            "validity_ttl": self.ask.ttl,
            "market_protection": 0,
            "meta": {"iceberg": self.ask.iceberg.row()} if self.ask.iceberg else {},
        }

    def postback_row(self, status: str, app_id: int, api_secret: str) -> dict[str, object]:
        """Return the order as a postback shows it, under the status of the event."""
        row = self.row() | {"status": status}
        # A postback lacks these fields of the order book.
        for key in ("tags", "modified", "validity_ttl", "account_id"):
            del row[key]
        stamp = kite_times.text(self.placed_at)
        # Kite's own recipe: whoever knows the secret can tell that a postback is genuine.
        checksum = sha256(f"{self.order_id}{stamp}{api_secret}".encode()).hexdigest()
        unfilled = self.ask.quantity - self.filled
        return row | {
            "user_id": self.user_id,
            "unfilled_quantity": unfilled,
            "app_id": app_id,
            "checksum": checksum,
        }

    def _shown_pending(self) -> int:
        """Return what is open at this step: all that has not filled, until the order is over."""
        if self.status == "CANCELLED" and self.keeps_pending:
            return self.cancelled
        return 0 if self.status in OVER else self.ask.quantity - self.filled

    def _order_guid(self) -> str:
        return f"sandbox{self.order_id[-9:]}"

    def _history_row(self) -> dict[str, object]:
        return self._core_fields() | self._detail_fields() | {"modified": False}

    def _core_fields(self) -> dict[str, object]:
        ask, instrument = self.ask, self.ask.listing.instrument
        return {
            "placed_by": ask.by or self.user_id,
            "order_id": self.order_id,
            "exchange_order_id": self.exchange_order_id,
            "parent_order_id": ask.parent,
            "status": self.status,
            "status_message": self.message,
            "order_timestamp": kite_times.text(self.placed_at),
            "exchange_timestamp": None
            if self.exchanged_at is None
            else kite_times.text(self.exchanged_at),
            "variety": ask.variety,
            "exchange": instrument.exchange,
            "tradingsymbol": instrument.symbol,
            "instrument_token": instrument.token,
            "order_type": ask.order_type,
            "transaction_type": "BUY" if ask.buys else "SELL",
            "validity": ask.validity,
            "product": ask.product,
            "quantity": ask.quantity,
            "disclosed_quantity": ask.disclosed,
            "price": 0.0 if ask.order_type == "MARKET" else ask.price,
            "trigger_price": ask.trigger or ask.stop,
            "average_price": self.average,
            "filled_quantity": self.filled,
            "pending_quantity": self._shown_pending(),
            "cancelled_quantity": self.cancelled,
            "tag": ask.tag,
        }


def trade_row(trade: ClientTrade) -> dict[str, object]:
    """Return a trade as Kite lists it."""
    ask, instrument = trade.order.ask, trade.order.ask.listing.instrument
    stamp = kite_times.text(trade.ts)
    return {
        "trade_id": trade.trade_id,
        "order_id": trade.order.order_id,
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "instrument_token": instrument.token,
        "product": ask.product,
        "average_price": instrument.price(trade.ticks),
        "quantity": trade.quantity,
        "exchange_order_id": trade.order.exchange_order_id,
        "transaction_type": "BUY" if ask.buys else "SELL",
        "fill_timestamp": stamp,
        # Kite's trades have the time of day alone here, and whole stamps in the other two.
        "order_timestamp": stamp[11:],
        "exchange_timestamp": stamp,
    }
