"""What the kernel has asked for: orders and GTTs by number and by the broker's ids, commands to send, rows to keep."""

import hashlib
from typing import final

from mypy_extensions import i64

from compiled.events import Alert, CancelOrder, Command, DeleteGtt, ModifyGtt, PlaceGtt, PlaceOrder
from compiled.model import Gtt, GttLeg, Order, OrderType, Product, Purpose, Side


@final
class Fill:
    """One trade as it was booked: `charges` and `realised` in paise."""

    def __init__(
        self, ts: i64, trade_id: str, order: Order, quantity: i64, price: float, charges: i64, realised: i64
    ) -> None:
        self.ts = ts
        self.trade_id = trade_id
        self.order = order
        self.quantity = quantity
        self.price = price
        self.charges = charges
        self.realised = realised


@final
class Outbox:
    """Every order and GTT of the desk, and what has changed since the engine last looked.

    `tag_prefix` makes tags that no other desk on the account uses; with the intent's number they stay within Kite's 20
    characters. Intents, rungs and ladders are numbered from the given firsts on.
    """

    def __init__(self, tag_prefix: str, first: i64) -> None:
        self.tag_prefix = tag_prefix
        self.next_intent = first
        self.now: i64 = 0
        self.close: i64 = 0
        self.commands: list[Command] = []
        self.orders: dict[int, Order] = {}
        self.gtts: dict[int, Gtt] = {}
        self.by_tag: dict[str, Order] = {}
        self.by_order_id: dict[str, Order] = {}
        self.by_gtt_id: dict[int, Gtt] = {}
        self.changed_orders: dict[int, Order] = {}
        self.changed_gtts: dict[int, Gtt] = {}
        self.fills: list[Fill] = []
        self._hash = hashlib.sha256()

    def digest(self) -> str:
        """Return the running hash over every command and every fill so far."""
        return self._hash.hexdigest()

    def note(self, line: str) -> None:
        """Take a line into the digest."""
        self._hash.update(line.encode())
        self._hash.update(b"\n")

    def number(self) -> i64:
        """Return the next intent number."""
        number = self.next_intent
        self.next_intent = number + 1
        return number

    def place(
        self,
        strategy: str,
        token: i64,
        side: Side,
        quantity: i64,
        order_type: OrderType,
        product: Product,
        purpose: Purpose,
        rung: i64,
        price: float = 0.0,
    ) -> Order:
        """Ask for a new order."""
        intent = self.number()
        tag = self.tag_prefix + str(intent)
        order = Order(
            intent, tag, strategy, token, side, quantity, order_type, product, purpose, price, rung=rung,
            created=self.now,
        )  # fmt: skip
        self.register(order)
        self.changed_orders[intent] = order
        self.commands.append(PlaceOrder(order))
        self.note(
            f"place {self.now} {intent} {strategy} {token} {side} {quantity} {order_type} {product} {purpose} {price:.4f}"
        )
        return order

    def register(self, order: Order) -> None:
        """Make an order findable by number, tag and the broker's id."""
        self.orders[order.intent] = order
        if order.tag:
            self.by_tag[order.tag] = order
        if order.order_id:
            self.by_order_id[order.order_id] = order

    def changed(self, order: Order) -> None:
        """Have an order's row written, and its broker id known."""
        if order.order_id:
            self.by_order_id[order.order_id] = order
        self.changed_orders[order.intent] = order

    def cancel(self, order: Order) -> None:
        """Ask for the cancellation of a working order, once."""
        if order.cancelling or not order.live or not order.order_id:
            return
        order.cancelling = True
        self.changed_orders[order.intent] = order
        self.commands.append(CancelOrder(order))
        self.note(f"cancel {self.now} {order.intent}")

    def place_gtt(
        self, strategy: str, token: i64, product: Product, rung: i64, last_price: float, legs: list[GttLeg]
    ) -> Gtt:
        """Ask for a new GTT."""
        gtt = Gtt(self.number(), strategy, token, product, rung, last_price, legs, self.now)
        self.register_gtt(gtt)
        self.changed_gtts[gtt.intent] = gtt
        self.commands.append(PlaceGtt(gtt))
        self.note(f"gtt {self.now} {gtt.intent} {token} {spell(legs)}")
        return gtt

    def register_gtt(self, gtt: Gtt) -> None:
        """Make a GTT findable by number and the broker's id."""
        self.gtts[gtt.intent] = gtt
        if gtt.gtt_id:
            self.by_gtt_id[gtt.gtt_id] = gtt

    def changed_gtt(self, gtt: Gtt) -> None:
        """Have a GTT's row written, and its broker id known."""
        if gtt.gtt_id:
            self.by_gtt_id[gtt.gtt_id] = gtt
        self.changed_gtts[gtt.intent] = gtt

    def modify_gtt(self, gtt: Gtt, last_price: float, legs: list[GttLeg]) -> None:
        """Ask for other legs on a live GTT."""
        gtt.last_price = last_price
        gtt.pending = legs
        gtt.asked = True
        gtt.modifies += 1
        self.changed_gtts[gtt.intent] = gtt
        self.commands.append(ModifyGtt(gtt))
        self.note(f"modify {self.now} {gtt.intent} {spell(legs)}")

    def delete_gtt(self, gtt: Gtt) -> None:
        """Ask for the deletion of a live GTT, once."""
        if gtt.asked or gtt.deleting or not gtt.gtt_id:
            return
        gtt.deleting = True
        gtt.asked = True
        self.changed_gtts[gtt.intent] = gtt
        self.commands.append(DeleteGtt(gtt))
        self.note(f"delete {self.now} {gtt.intent}")

    def alert(self, level: str, name: str, text: str, token: i64 = 0) -> None:
        """Tell the operator."""
        self.commands.append(Alert(self.now, level, name, text, token))


def spell(legs: list[GttLeg]) -> str:
    """Return the legs as one line for the digest."""
    return " ".join([f"{leg.side}:{leg.quantity}:{leg.trigger:.4f}:{leg.price:.4f}" for leg in legs])
