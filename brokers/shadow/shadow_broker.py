"""A broker that trades for real and lets a simulated exchange do the same.

The twins decide nothing, they are watched.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Final, final

from brokers.paper.simulated_exchange import SimulatedExchange
from brokers.shadow.order_pairs import OrderPair, pair_of
from compiled.model.events import (
    BrokerAnswer,
    BrokerTrade,
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    ModifyGtt,
    ModifyOrder,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
)
from compiled.model.order_terms import OrderChange
from compiled.model.values import SECOND, Bar, Gtt, GttLeg, Instrument, Order, Side, Tick
from compiled.venue.resting_orders import requested_legs
from engine.errors import OrderRefused, PatangError
from engine.market.calendar import Calendar, ist_day, midnight
from engine.ports import (
    Broker,
    BrokerHolding,
    BrokerPosition,
    Clock,
    Journal,
    PriceBand,
    SlicedOrder,
)

NO_TWIN: Final = "none"
"""Of a twin that a restart has ended: its order cannot be compared."""


@final
class ShadowBroker:
    """`real`, and beside it a twin of each order and GTT at a `SimulatedExchange`.

    Every pair is a row in `shadow`. A request goes to the twin at the moment it goes to the broker.
    An order that the broker refuses or cancels ends its twin, too. Sliced orders have one twin.
    `show` is called with all pairs once a second while they change.
    """

    def __init__(
        self,
        real: Broker,
        clock: Clock,
        calendar: Calendar,
        journal: Journal,
        simulate: Callable[[Callable[[object], None]], SimulatedExchange],
        show: Callable[[Sequence[OrderPair]], None],
    ) -> None:
        self._real = real
        self._clock = clock
        self._calendar = calendar
        self._journal = journal
        self._show = show
        self._simulation = simulate(self._handle_report)
        self._names: dict[int, str] = {}
        self._pairs: dict[int, OrderPair] = {}
        self._real_ids: dict[str, OrderPair] = {}
        self._sought: dict[str, OrderPair] = {}
        """By tag: orders that the broker may have, or not."""
        self._twin_ids: dict[str, OrderPair] = {}
        self._twin_orders: dict[int, Order] = {}
        self._twin_gtts: dict[int, Gtt] = {}
        """The twin's own, by intent: the real one may change before the twin's request arrives."""
        self._gtt_ids: dict[int, OrderPair] = {}
        self._trades: set[tuple[str, str]] = set()
        self._order_book: list[OrderUpdate] = []
        self._trade_book: list[BrokerTrade] = []
        self._changed = False
        self._shown = self._closes = 0
        self._day = ist_day(clock.now())
        self._restore_pairs()
        self._begin_session()

    def beside(self) -> list[Coroutine[None, None, None]]:
        """Return what has to run while the desk does."""
        return [self._simulation.run(self._roll_day)]

    def take_ticks(self, ticks: Sequence[Tick], received: int) -> None:
        """Let the twins meet prices."""
        self._roll_day()
        self._simulation.take_ticks(ticks, received)

    # orders

    async def place(self, order: Order) -> str:
        """Send a new order and return the broker's id; its twin is sent beside it."""
        pair = self._send_twin(order)
        try:
            order_id = await self._real.place(order)
        except PatangError as error:
            self._record_failure(pair, error)
            raise
        self._record_answer(pair, order_id)
        return order_id

    async def place_sliced(self, order: Order) -> SlicedOrder:
        """Send a new order in slices; one twin stands for them all."""
        pair = self._send_twin(order)
        try:
            made = await self._real.place_sliced(order)
        except PatangError as error:
            self._record_failure(pair, error)
            raise
        for order_id in made.order_ids:
            self._record_answer(pair, order_id)
        return made

    async def modify(self, order_id: str, change: OrderChange) -> None:
        """Change a working order, and its twin."""
        twin = self._twin_of(order_id)
        if twin is not None:
            self._simulation.send_command(ModifyOrder(twin, change))
        await self._real.modify(order_id, change)

    async def cancel(self, order_id: str) -> None:
        """Cancel a working order, and its twin."""
        pair = self._real_ids.get(order_id)
        if pair is not None:
            self._cancel_twin(pair)
        await self._real.cancel(order_id)

    async def place_gtt(self, gtt: Gtt) -> int:
        """Send a new GTT and return its id; its twin is sent beside it."""
        leg = gtt.legs[0]
        pair = self._new_pair(
            int(gtt.intent),
            "gtt",
            strategy=gtt.strategy,
            token=int(gtt.token),
            side=leg.side,
            quantity=int(leg.quantity),
        )
        twin = self._twin_gtts[pair.intent] = _copy_gtt(gtt)
        self._simulation.send_command(PlaceGtt(twin))
        try:
            gtt_id = await self._real.place_gtt(gtt)
        # of unknown outcome it may stand at the broker, and its twin stays as well
        except OrderRefused:
            self._drop_gtt(pair)
            raise
        self._gtt_ids[gtt_id] = pair
        pair.answered = self._clock.now()
        return gtt_id

    async def modify_gtt(self, gtt: Gtt) -> None:
        """Replace the legs of a GTT, and of its twin."""
        twin = self._twin_gtts.get(int(gtt.intent))
        if twin is not None and twin.gtt_id:
            twin.pending, twin.last_price = list(gtt.pending), gtt.last_price
            self._simulation.send_command(ModifyGtt(twin))
        await self._real.modify_gtt(gtt)

    async def delete_gtt(self, gtt_id: int) -> None:
        """Delete a GTT, and its twin."""
        pair = self._gtt_ids.get(int(gtt_id))
        if pair is not None:
            self._drop_gtt(pair)
        await self._real.delete_gtt(gtt_id)

    # what the broker says

    async def orders(self) -> list[OrderUpdate]:
        """Return the broker's order book."""
        self._order_book = await self._real.orders()
        self._compare_books()
        return self._order_book

    async def trades(self) -> list[BrokerTrade]:
        """Return the broker's trades."""
        self._trade_book = await self._real.trades()
        self._compare_books()
        return self._trade_book

    def _compare_books(self) -> None:
        """Take over the state of orders with a twin from the broker's books, as last read."""
        for update in self._order_book:
            if update.tag in self._sought:
                self._record_answer(self._sought.pop(update.tag), update.order_id)
            pair = self._real_ids.get(update.order_id)
            if pair is not None and pair.real.status != update.status.name:
                pair.real.status = update.status.name
                self._write_pair(pair)
        for trade in self._trade_book:
            pair = self._real_ids.get(trade.order_id)
            if pair is not None and (trade.order_id, trade.trade_id) not in self._trades:
                self._trades.add((trade.order_id, trade.trade_id))
                pair.real.add_fill(max(int(trade.ts), pair.sent), int(trade.quantity), trade.price)
                self._write_pair(pair)

    async def gtts(self) -> list[GttUpdate]:
        """Return the broker's GTTs."""
        found = await self._real.gtts()
        for update in found:
            pair = self._gtt_ids.get(int(update.gtt_id))
            if pair is not None and update.order_ids and not pair.order_id:
                self._record_fired_gtt(pair, int(update.ts), update.order_ids[0], update.legs)
        return found

    async def positions(self) -> list[BrokerPosition]:
        """Return the broker's net positions."""
        return await self._real.positions()

    async def holdings(self) -> list[BrokerHolding]:
        """Return the broker's holdings."""
        return await self._real.holdings()

    async def funds(self) -> int:
        """Return what can be spent on equity, in paise."""
        return await self._real.funds()

    async def account(self) -> str:
        """Return the account's user id."""
        return await self._real.account()

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return the exchange's instruments of today."""
        found = await self._real.instruments(exchange)
        self._names.update((int(each.token), each.symbol) for each in found)
        return found

    async def bands(self, instruments: Sequence[Instrument]) -> list[PriceBand]:
        """Return bands and previous closes, and let the twins trade these instruments."""
        found = await self._real.bands(instruments)
        self._simulation.list_instruments(instruments)
        return found

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return stored bars of `span` seconds that start in [start, end)."""
        return await self._real.history(token, start, end, span)

    async def close(self) -> None:
        """Let go of the connection."""
        self._show([*self._pairs.values()])
        await self._real.close()

    # pairs

    def _send_twin(self, order: Order) -> OrderPair:
        pair = self._new_pair(
            int(order.intent),
            "order",
            strategy=order.strategy,
            token=int(order.token),
            side=order.side,
            quantity=int(order.quantity),
        )
        twin = Order(
            order.intent,
            order.tag,
            strategy=order.strategy,
            token=order.token,
            side=order.side,
            quantity=order.quantity,
            order_type=order.order_type,
            product=order.product,
            purpose=order.purpose,
            price=order.price,
            trigger=order.trigger,
            validity=order.validity,
            protection=order.protection,
        )
        self._twin_orders[pair.intent] = twin
        self._simulation.send_command(PlaceOrder(twin))
        return pair

    def _new_pair(
        self, intent: int, kind: str, strategy: str, token: int, side: Side, quantity: int
    ) -> OrderPair:
        self._roll_day()
        name = self._names.get(token, str(token))
        pair = self._pairs[intent] = OrderPair(
            intent,
            kind,
            strategy=strategy,
            token=token,
            symbol=name,
            side=side,
            quantity=quantity,
            sent=self._clock.now(),
        )
        return pair

    def _record_answer(self, pair: OrderPair, order_id: str) -> None:
        pair.answered = pair.answered or self._clock.now()
        pair.order_id = pair.order_id or order_id
        self._real_ids[order_id] = pair
        self._write_pair(pair)

    def _record_failure(self, pair: OrderPair, error: PatangError) -> None:
        """End the twin of a refused order; one of unknown outcome is found by its tag."""
        refused = isinstance(error, OrderRefused)
        pair.real.status = "REFUSED" if refused else "UNKNOWN"
        if refused:
            self._cancel_twin(pair)
        else:
            self._sought[self._twin_orders[pair.intent].tag] = pair
        self._write_pair(pair)

    def _twin_of(self, order_id: str) -> Order | None:
        """Return the twin of a real order, if the simulated exchange has it."""
        pair = self._real_ids.get(order_id)
        twin = self._twin_orders.get(pair.intent) if pair is not None else None
        return twin if twin is not None and twin.order_id else None

    def _cancel_twin(self, pair: OrderPair) -> None:
        """Cancel a twin; one that is still on its way is cancelled when it has arrived."""
        twin = self._twin_orders.get(pair.intent)
        if twin is None:
            return
        twin.unwanted = True
        if twin.order_id:
            self._simulation.send_command(CancelOrder(twin))

    def _drop_gtt(self, pair: OrderPair) -> None:
        """Delete a GTT's twin; one that is still on its way is deleted when it has arrived."""
        twin = self._twin_gtts.get(pair.intent)
        if twin is None:
            return
        twin.deleting = True
        if twin.gtt_id:
            self._simulation.send_command(DeleteGtt(twin))

    def _record_fired_gtt(
        self, pair: OrderPair, ts: int, order_id: str, legs: Sequence[GttLeg]
    ) -> None:
        """Note the order a real GTT has sent; both halves are timed from the first one to fire."""
        pair.order_id, pair.side = order_id, legs[0].side
        pair.sent = min(pair.sent, ts) if pair.twin.status else ts
        self._real_ids[order_id] = pair
        self._compare_books()
        self._write_pair(pair)

    def _write_pair(self, pair: OrderPair) -> None:
        if pair.kind == "order" or pair.order_id or pair.twin.status:
            self._journal.append("shadow", pair.row())
            self._changed = True

    # what the simulated exchange says

    def _handle_report(self, event: object) -> None:
        if isinstance(event, BrokerAnswer):
            self._handle_answer(event)
        elif isinstance(event, OrderUpdate) and event.order_id in self._twin_ids:
            pair = self._twin_ids[event.order_id]
            pair.twin.status = event.status.name
            self._write_pair(pair)
        elif isinstance(event, BrokerTrade) and event.order_id in self._twin_ids:
            pair = self._twin_ids[event.order_id]
            pair.twin.add_fill(int(event.ts), int(event.quantity), event.price)
            self._write_pair(pair)
        elif isinstance(event, GttUpdate):
            self._record_fired_twin(event)

    def _handle_answer(self, answer: BrokerAnswer) -> None:
        pair = self._pairs.get(int(answer.intent))
        if pair is None:
            return
        accepted = answer.outcome is RequestOutcome.ACCEPTED
        order, gtt = self._twin_orders.get(pair.intent), self._twin_gtts.get(pair.intent)
        if order is not None and not order.order_id:
            pair.twin.status = "OPEN" if accepted else "REFUSED"
            if accepted:
                order.order_id = answer.broker_id
                self._twin_ids[answer.broker_id] = pair
                if order.unwanted:
                    self._simulation.send_command(CancelOrder(order))
            self._write_pair(pair)
        elif gtt is not None and not gtt.gtt_id and accepted:
            gtt.gtt_id = int(answer.broker_id)
            if gtt.deleting:
                self._simulation.send_command(DeleteGtt(gtt))
        elif gtt is not None and gtt.pending and accepted:
            gtt.legs, gtt.pending = gtt.pending, []

    def _record_fired_twin(self, update: GttUpdate) -> None:
        intent = next(
            (each for each, gtt in self._twin_gtts.items() if gtt.gtt_id == update.gtt_id), 0
        )
        pair = self._pairs.get(intent)
        if pair is None:
            return
        pair.sent = min(pair.sent, int(update.ts)) if pair.order_id else int(update.ts)
        del self._twin_gtts[intent]
        pair.twin.status = "OPEN" if update.order_ids else "REFUSED"
        self._twin_ids.update(dict.fromkeys(update.order_ids, pair))
        self._write_pair(pair)

    # days

    def _roll_day(self) -> None:
        """End the twins' session, begin a new day, show what has changed."""
        now = self._clock.now()
        if self._closes and now >= self._closes:
            closes, self._closes = self._closes, 0
            self._simulation.end_session(closes)
        day = ist_day(now)
        if day != self._day:
            self._day = day
            self._trades.clear()
            self._twin_orders.clear()
            self._twin_gtts = {
                intent: gtt for intent, gtt in self._twin_gtts.items() if not gtt.deleting
            }
            self._pairs = {
                intent: pair for intent, pair in self._pairs.items() if intent in self._twin_gtts
            }
            self._begin_session()
        if self._changed and now >= self._shown + SECOND:
            self._changed, self._shown = False, now
            self._show([*self._pairs.values()])

    def _begin_session(self) -> None:
        if closes := self._simulation.open_day(self._calendar, self._day):
            self._closes = closes

    def _restore_pairs(self) -> None:
        """Find today's real orders again; their twins ended with the process."""
        start = midnight(self._day)
        for row in self._journal.load("shadow", "sent >= ?", (start,)):
            pair = self._pairs[int(str(row["intent"]))] = pair_of(row)
            if pair.order_id and pair.is_live:
                self._real_ids[pair.order_id] = pair
                pair.twin.status = (
                    NO_TWIN
                    if pair.twin.status in {"", "OPEN", "TRIGGER_PENDING"}
                    else pair.twin.status
                )
                # the broker's trades of the day are read again from the first
                pair.real.filled = pair.real.value = pair.real.first = pair.real.last = 0


def _copy_gtt(gtt: Gtt) -> Gtt:
    return Gtt(
        gtt.intent,
        gtt.strategy,
        token=gtt.token,
        product=gtt.product,
        rung=gtt.rung,
        last_price=gtt.last_price,
        legs=list(requested_legs(gtt)),
        created=gtt.created,
    )
