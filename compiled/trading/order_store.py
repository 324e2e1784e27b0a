"""The kernel's requests: orders and GTTs by number and broker's id, commands, and changed rows."""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.events import (
    CancelOrder,
    DeleteGtt,
    KernelAlert,
    KernelCommand,
    ModifyGtt,
    ModifyOrder,
    PlaceGtt,
    PlaceOrder,
)
from compiled.model.exchange_rules import TriggerDistance
from compiled.model.int_map import IntMap
from compiled.model.order_terms import PLAIN, ExitEscalation, OrderChange, OrderTerms, Variety
from compiled.model.values import (
    Gtt,
    GttLeg,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    Validity,
)
from compiled.trading.digest import DecisionDigest
from compiled.trading.order_states import is_settled

PLACED: Final[i64] = 1
CANCELLED: Final[i64] = 2
GTT_PLACED: Final[i64] = 3
GTT_MODIFIED: Final[i64] = 4
GTT_DELETED: Final[i64] = 5
FILLED: Final[i64] = 6
MODIFIED: Final[i64] = 7


@mypyc_attr(acyclic=True)
@final
class BookedFill:
    """One trade as it was booked: `charges` and `realised` in paise."""

    def __init__(
        self,
        ts: i64,
        trade_id: str,
        order: Order,
        quantity: i64,
        price: float,
        charges: i64,
        realised: i64,
    ) -> None:
        assert quantity > 0, "a fill moves shares"
        assert price >= 0.0, "a fill has a price"
        self.ts = ts
        self.trade_id = trade_id
        self.order = order
        self.quantity = quantity
        self.price = price
        self.charges = charges
        self.realised = realised


@final
class OrderStore:
    """Every order and GTT of the desk, and the changes since the engine last looked.

    `tag_prefix` makes tags that no other desk on the account uses; with the intent's number they
    stay within the broker's limit. Intents, rungs and ladders are numbered from the given firsts
    on. One order is modified `modifies` times at the most; resting exits are escalated by `exits`.
    """

    def __init__(self, tag_prefix: str, first: i64, modifies: i64, exits: ExitEscalation) -> None:
        # 0 stands for no intent, no rung and no ladder.
        assert first > 0, "numbers begin above 0"
        self.tag_prefix = tag_prefix
        self.next_intent = first
        self.modifies = modifies
        self.exits = exits
        self.limit_only = False
        """Whether the broker takes nothing but LIMIT orders.

        No stop and no GTT, so nothing can be protected there.
        """
        self.trigger_distance = TriggerDistance(0.3)
        """The least distance of a GTT's trigger from the last price; nearer is at it."""
        self.yields_to_others = True
        """Whether a stop that somebody else has moved nearer to the price stands.

        Else ours is put back, as where it is farther.
        """
        self.most_gtts: i64 = 0
        """How many GTTs the broker lets an account hold; 0: any number."""
        self.foreign_gtts: i64 = 0
        """How many of those that stand are not ours."""
        self.entry_patience: i64 = 0
        """How long (ns) an entry waits at least, however impatient its plan is.

        Where prices come bar by bar it meets none before the next.
        """
        self.now: i64 = 0
        self.commands: list[KernelCommand] = []
        self.orders: IntMap[Order] = IntMap()
        self.gtts: IntMap[Gtt] = IntMap()
        self.by_tag: dict[str, Order] = {}
        self.by_order_id: dict[str, Order] = {}
        self.by_gtt_id: IntMap[Gtt] = IntMap()
        self.changed_orders: IntMap[Order] = IntMap()
        self.changed_gtts: IntMap[Gtt] = IntMap()
        self.fills: list[BookedFill] = []
        self._digest = DecisionDigest()

    def bound_gtts(self, most: i64) -> None:
        """Let the account hold so many GTTs; 0: any number."""
        self.most_gtts = most

    def note_foreign_gtts(self, count: i64) -> None:
        """Take note of how many GTTs of the account are not ours."""
        # They fill the account as ours do, and only the broker's list shows them.
        self.foreign_gtts = count

    def digest(self) -> str:
        """Return the running hash over every command and every fill so far."""
        return self._digest.hex()

    def _digest_action(self, what: i64, intent: i64) -> None:
        """Take the beginning of a record into the digest."""
        # Seven actions fit into the four bits beside the number.
        self._digest.put(16 * intent + what)
        self._digest.put(self.now)

    def _digest_legs(self, legs: list[GttLeg]) -> None:
        """Take legs into the digest."""
        digest = self._digest
        digest.put(len(legs))
        for leg in legs:
            digest.put(leg.side)
            digest.put(leg.quantity)
            digest.put_price(leg.trigger)
            digest.put_price(leg.price)

    def advance_time(self, ts: i64) -> None:
        """Move the desk's time on, never back."""
        self.now = max(self.now, ts)

    def begin_moment(self, ts: i64) -> None:
        """Move the desk's time on, with nothing asked for yet."""
        self.now = max(self.now, ts)
        if self.commands:
            self.commands = []

    def take_number(self) -> i64:
        """Return the next intent number."""
        number = self.next_intent
        self.next_intent = number + 1
        return number

    def intent_tag(self, intent: i64) -> str:
        """Return the tag under which an intent goes to the broker."""
        return self.tag_prefix + str(intent)

    def claim_tag_number(self, tag: str) -> i64:
        """Return the number in a tag of ours, never to be given out again; 0: not ours."""
        text = tag[len(self.tag_prefix) :]
        if not tag.startswith(self.tag_prefix) or not text.isdecimal():
            return 0
        number = i64(int(text))
        self.next_intent = max(self.next_intent, number + 1)
        return number

    def place_order(
        self,
        strategy: str,
        token: i64,
        side: Side,
        quantity: i64,
        order_type: OrderType,
        product: Product,
        purpose: OrderPurpose,
        rung: i64,
        price: float = 0.0,
        trigger: float = 0.0,
        validity: Validity = Validity.DAY,
        protection: float = -1.0,
        terms: OrderTerms = PLAIN,
    ) -> Order:
        """Ask for a new order."""
        assert quantity > 0, "an order is for shares"
        # Written so that a NaN fails them.
        assert price >= 0.0, "an order for less than nothing"
        assert trigger >= 0.0, "a trigger below nothing"
        intent = self.take_number()
        # A number given out twice is a tag given out twice, and each would answer for the other.
        assert self.orders.get(intent) is None, "an intent's number is taken"
        order = Order(
            intent,
            self.intent_tag(intent),
            strategy=strategy,
            token=token,
            side=side,
            quantity=quantity,
            order_type=order_type,
            product=product,
            purpose=purpose,
            price=price,
            trigger=trigger,
            validity=validity,
            protection=protection,
            rung=rung,
            created=self.now,
            terms=terms,
        )
        self.register(order)
        self.changed_orders[intent] = order
        self.commands.append(PlaceOrder(order))
        self.digest_order(
            intent,
            token,
            side=side,
            order_type=order_type,
            product=product,
            purpose=purpose,
            quantity=quantity,
            strategy=strategy,
            price=price,
            trigger=trigger,
            validity=validity,
            variety=terms.variety,
        )
        return order

    def digest_order(
        self,
        intent: i64,
        token: i64,
        side: Side,
        order_type: OrderType,
        product: Product,
        purpose: OrderPurpose,
        quantity: i64,
        strategy: str,
        price: float = 0.0,
        trigger: float = 0.0,
        validity: Validity = Validity.DAY,
        variety: Variety = Variety.REGULAR,
    ) -> None:
        """Take an order into the digest."""
        digest = self._digest
        self._digest_action(PLACED, intent)
        digest.put(token)
        digest.put_four(side, order_type, product, purpose)
        digest.put(quantity)
        digest.put_price(price)
        digest.put_price(trigger)
        digest.put(validity)
        digest.put(variety)
        digest.put_text(strategy)

    def keep_fill(self, fill: BookedFill) -> None:
        """Keep a fill as it was booked."""
        order = fill.order
        assert fill.quantity <= order.traded <= order.filled, "a fill its order does not count"
        self.fills.append(fill)
        self.digest_fill(
            fill.order.intent,
            fill.ts,
            quantity=fill.quantity,
            price=fill.price,
            charges=fill.charges,
            realised=fill.realised,
        )

    def digest_fill(
        self, intent: i64, ts: i64, quantity: i64, price: float, charges: i64, realised: i64
    ) -> None:
        """Take a fill into the digest."""
        digest = self._digest
        self._digest_action(FILLED, intent)
        digest.put(ts)
        digest.put(quantity)
        digest.put_price(price)
        digest.put(charges)
        digest.put(realised)

    def register(self, order: Order) -> None:
        """Make an order findable by number, tag and the broker's id."""
        self.orders[order.intent] = order
        # An order that the broker makes (a slice, a GTT's) has no tag of ours.
        if order.tag:
            self.by_tag[order.tag] = order
        if order.order_id:
            order.listed = order.order_id
            self.by_order_id[order.order_id] = order

    def prune(self) -> None:
        """Forget ended orders and GTTs, at a broker that never takes back its word."""
        orders = [order for order in self.orders.values() if not is_settled(order)]
        gtts = [
            gtt
            for gtt in self.gtts.values()
            if gtt.live or gtt.asked or not (gtt.order_id or gtt.gtt_id)
        ]
        self.orders.clear()
        self.by_tag.clear()
        self.by_order_id.clear()
        self.gtts.clear()
        self.by_gtt_id.clear()
        for order in orders:
            self.register(order)
        for gtt in gtts:
            self.register_gtt(gtt)

    def mark_changed(self, order: Order) -> None:
        """Have an order's row written, and its broker id known."""
        if order.order_id != order.listed:
            order.listed = order.order_id
            self.by_order_id[order.order_id] = order
        self.changed_orders[order.intent] = order

    def disown_order(self, order: Order) -> None:
        """Forget the broker's id of an order: it belongs to another one."""
        # Another order may be listed under that id by now.
        if self.by_order_id.get(order.order_id) is order:
            del self.by_order_id[order.order_id]
        order.order_id = order.listed = ""
        order.proven = False
        order.cancelling = False
        order.pending = None

    def modify_order(self, order: Order, change: OrderChange) -> bool:
        """Ask for a change of a working order.

        Return False where its budget of modifications is used up. While the last request about it
        has no answer yet, the change waits for that.
        """
        assert order.live, "a change of an order that is over"
        if order.modifies >= self.modifies:
            return False
        if order.pending is not None or not order.order_id:
            order.wanted = change
            return True
        order.wanted = None
        order.pending = change
        # Counted when it is asked for: an answer that is lost may have been a change all the same.
        order.modifies += 1
        order.moved = self.now
        self.changed_orders[order.intent] = order
        self.commands.append(ModifyOrder(order, change))
        self._digest_action(MODIFIED, order.intent)
        self._digest.put(change.quantity)
        self._digest.put_price(change.price)
        self._digest.put_price(change.trigger)
        return True

    def cancel_order(self, first: Order) -> None:
        """Ask for the cancellation of a chain's working orders, each once.

        One without an id does not leave, or goes later.
        """
        order: Order | None = first
        while order is not None:
            self._cancel_one_order(order)
            order = order.sibling

    def _cancel_one_order(self, order: Order) -> None:
        if order.cancelling or not order.live or self.now < order.retry_at:
            return
        # The broker cancels by its own id: without one it is remembered until there is.
        if not order.order_id:
            order.unwanted = True
            return
        order.cancelling = True
        self.changed_orders[order.intent] = order
        self.commands.append(CancelOrder(order))
        self._digest_action(CANCELLED, order.intent)

    def place_gtt(
        self,
        strategy: str,
        token: i64,
        product: Product,
        rung: i64,
        last_price: float,
        legs: list[GttLeg],
    ) -> Gtt:
        """Ask for a new GTT."""
        # The broker has none for intraday positions: their stops are orders.
        assert product is not Product.MIS, "a GTT for an intraday position"
        gtt = Gtt(
            self.take_number(),
            strategy,
            token=token,
            product=product,
            rung=rung,
            last_price=last_price,
            legs=legs,
            created=self.now,
        )
        self.register_gtt(gtt)
        self.changed_gtts[gtt.intent] = gtt
        self.commands.append(PlaceGtt(gtt))
        self._digest_action(GTT_PLACED, gtt.intent)
        self._digest.put(token)
        self._digest_legs(legs)
        return gtt

    def register_gtt(self, gtt: Gtt) -> None:
        """Make a GTT findable by number and the broker's id."""
        self.gtts[gtt.intent] = gtt
        if gtt.gtt_id:
            self.by_gtt_id[gtt.gtt_id] = gtt

    def mark_gtt_changed(self, gtt: Gtt) -> None:
        """Have a GTT's row written, and its broker id known."""
        if gtt.gtt_id:
            self.by_gtt_id[gtt.gtt_id] = gtt
        self.changed_gtts[gtt.intent] = gtt

    def disown_gtt(self, gtt: Gtt) -> None:
        """Forget the broker's id of a GTT: it belongs to another one."""
        if gtt.gtt_id and self.by_gtt_id.get(gtt.gtt_id) is gtt:
            del self.by_gtt_id[gtt.gtt_id]
        gtt.gtt_id = 0
        gtt.proven = False
        gtt.asked = gtt.deleting = False
        gtt.pending = []

    def modify_gtt(self, gtt: Gtt, last_price: float, legs: list[GttLeg]) -> None:
        """Ask for other legs on a live GTT."""
        assert gtt.gtt_id > 0, "a change of a GTT the broker has not named"
        gtt.last_price = last_price
        gtt.pending = legs
        gtt.asked = True
        gtt.modifies += 1
        self.changed_gtts[gtt.intent] = gtt
        self.commands.append(ModifyGtt(gtt))
        self._digest_action(GTT_MODIFIED, gtt.intent)
        self._digest_legs(legs)

    def delete_gtt(self, gtt: Gtt) -> None:
        """Ask for the deletion of a live GTT, once."""
        if gtt.asked or gtt.deleting or not gtt.gtt_id or self.now < gtt.retry_at:
            return
        # Both: `asked` until there is an answer, `deleting` until a list shows what became of it.
        gtt.deleting = True
        gtt.asked = True
        self.changed_gtts[gtt.intent] = gtt
        self.commands.append(DeleteGtt(gtt))
        self._digest_action(GTT_DELETED, gtt.intent)

    def clear_retry_times(self) -> None:
        """Have refused requests repeated at once: the operator wants it."""
        for order in self.orders.values():
            order.retry_at = 0
        for gtt in self.gtts.values():
            gtt.retry_at = 0

    def alert(self, level: str, name: str, text: str, token: i64 = 0) -> None:
        """Alert the operator."""
        self.commands.append(KernelAlert(self.now, level, name, text, token))
