"""Looks at the broker's books: changes since the last look, as events in a harmless order."""

from collections import Counter
from collections.abc import Callable, Iterable

from compiled.model.events import (
    BrokerAnswer,
    GttUpdate,
    OrderUpdate,
    RequestOutcome,
    RequestVerb,
    ShareShortfall,
)
from compiled.model.values import GttStatus, Product, Side
from compiled.trading.kernel import Kernel
from engine.books.books_snapshot import LATE, SKEW, foreign_orders
from engine.errors import OperatorError, RetryableError
from engine.market.calendar import ist_day, midnight
from engine.orders.gateway import OrderGateway
from engine.orders.request_lookups import STANDING, asks_for
from engine.ports import Broker

UNDER_WAY = frozenset({GttStatus.INTENT, GttStatus.SENT, GttStatus.UNKNOWN})


class BrokerPoller:
    """Reads orders, trades and, when they may have changed, GTTs; posts only news.

    Shares that others have taken from us go first, so that nothing is done with them, and orders of
    ours that the journal has lost, before anything is done without them; then GTTs, so that an
    order a GTT has sent is known before its row; then orders, then trades. A GTT that was being
    changed while it was read is left for the next look: the answer may be older than the change.
    """

    def __init__(
        self, kernel: Kernel, broker: Broker, gateway: OrderGateway, post: Callable[[object], None]
    ) -> None:
        self.kernel = kernel
        self.broker = broker
        self.gateway = gateway
        self.post = post
        self.polls = 0
        self.failures = 0
        self.error: Exception | None = None
        """Why the last look that failed did."""
        self.is_incomplete = False
        """Whether a look has failed since all books were read last."""
        self.foreign_shares = 0
        """Shares traded today by foreign orders in our positions, or maybe in other listings."""
        self._others: dict[str, int] = {}
        """Trades of foreign orders at the last look, in shares."""
        self._gone: dict[int, int] = {}
        self._left_out = False
        self._orders: dict[str, tuple[object, ...]] = {}
        self._trades: set[tuple[str, str]] = set()
        self._traded: dict[str, int] = {}

    async def poll(self, *, gtts: bool = False) -> bool:
        """Read the books and post the changes.

        Return False where they could not be read (nothing is posted).
        """
        # Requests that begin or end during the reading make parts of it old; `began` tells them
        # apart.
        began = self.gateway.moves
        try:
            orders = await self.broker.orders()
            # The trade book is asked for only when an order says it has traded: most looks find
            # nothing new, and calls are rationed.
            trades = await self.broker.trades() if self._lacks_trades(orders) else []
            wanted = (
                gtts
                or self._left_out
                or self._has_new_foreign(orders)
                or self.gateway.lookups.wants_gtts
            )
            triggers = await self.broker.gtts() if wanted else None
        except (RetryableError, OperatorError) as error:
            # a dead token latches the kill switch by itself; the desk stays, with what it knows
            self.failures += 1
            self.is_incomplete = True
            self.error = error
            self.gateway.lookups.pause_reads(str(error))
            return False
        self.polls += 1
        self.is_incomplete = self.is_incomplete and triggers is None
        # Ids first: until they are proven, rows under them may be another's.
        self.gateway.verify_ids(orders, triggers)
        strange = list(foreign_orders(self.kernel, orders))
        self._post_taken(strange, triggers or [])
        self._post_orders(update for update in orders if self._is_forgotten(update))
        self._post_gtts(triggers, began, {update.order_id for update in orders})
        self._post_orders(orders)
        self.foreign_shares = sum(
            int(update.filled) for update in strange if self._concerns_held(update)
        )
        for trade in trades:
            if (trade.order_id, trade.trade_id) not in self._trades:
                self._trades.add((trade.order_id, trade.trade_id))
                self._traded[trade.order_id] = self._traded.get(trade.order_id, 0) + int(
                    trade.quantity
                )
                self.post(trade)
        # Last: an order that this look has found is no unknown one any more.
        self.gateway.lookups.resolve(orders, triggers, began)
        return True

    def _post_taken(self, strange: list[OrderUpdate], triggers: list[GttUpdate]) -> None:
        """Count shares `strange` orders have taken of ours as gone until a comparison.

        Orders of our GTTs, certain or possible, are not theirs. Before the first look everything
        waits for a comparison.
        """
        now, ours = self.gateway.clock.now(), self.kernel.order_store.by_gtt_id
        fired = [
            each for each in triggers if each.status is GttStatus.TRIGGERED and each.gtt_id in ours
        ]
        sent = {order_id for each in fired for order_id in each.order_ids}
        # A fired GTT whose order id is still missing explains an unknown sale of its share for a
        # while.
        unsaid = {int(each.token) for each in fired if not each.order_ids and now - each.ts < LATE}
        taken: Counter[tuple[int, str, Side]] = Counter()
        for update in strange:
            more = int(update.filled) - self._others.get(update.order_id, 0)
            self._others[update.order_id] = int(update.filled)
            if self.polls > 1 and update.order_id not in sent and int(update.token) not in unsaid:
                taken[int(update.token), update.product, Side(-update.side)] += more
        for (token, product, side), shares in taken.items():
            market = self.kernel.state.markets.get(token)
            if (
                shares > 0
                and market is not None
                and market.ladders
                and product in Product.__members__
            ):
                lacks = int(self.kernel.view.absent_shares(token, Product[product], side)) + shares
                self.post(ShareShortfall(now, token, Product[product], side, lacks))

    def _post_orders(self, updates: Iterable[OrderUpdate]) -> None:
        for update in updates:
            # Polling repeats every row of the day; only a change is an event.
            state = (update.status, update.quantity, update.filled, update.price, update.trigger)
            if self._orders.get(update.order_id) != state:
                self._orders[update.order_id] = state
                self.post(update)

    def _is_forgotten(self, update: OrderUpdate) -> bool:
        """Return whether an order carries our tag, but is not known.

        It left on a full disk, before a crash.
        """
        out = self.kernel.order_store
        ours = update.tag.startswith(out.tag_prefix)
        return ours and update.tag not in out.by_tag and update.order_id not in out.by_order_id

    def _lacks_trades(self, orders: list[OrderUpdate]) -> bool:
        """Return whether an order says it has traded more than the trades seen so far."""
        return any(update.filled > self._traded.get(update.order_id, 0) for update in orders)

    def _is_foreign(self, update: OrderUpdate) -> bool:
        """Return whether an order is not ours by id or tag."""
        out = self.kernel.order_store
        return update.order_id not in out.by_order_id and update.tag not in out.by_tag

    def _has_new_foreign(self, orders: list[OrderUpdate]) -> bool:
        """Return whether there are foreign orders that were not seen before.

        A GTT may have sent them.
        """
        return any(
            self._is_foreign(update) and update.order_id not in self.kernel.order_reports.externals
            for update in orders
        )

    def _concerns_held(self, update: OrderUpdate) -> bool:
        """Return whether an order trades a share we hold, or maybe the same one elsewhere."""
        market = self.kernel.state.markets.get(int(update.token))
        return market is None or bool(market.ladders)

    def _post_gtts(self, updates: list[GttUpdate] | None, began: int, listed: set[str]) -> None:
        if updates is None:
            return
        out, self._left_out = self.kernel.order_store, False
        today = midnight(ist_day(self.gateway.clock.now()))
        for update in updates:
            update.past = update.ts < today and listed.isdisjoint(update.order_ids)
            gtt = out.by_gtt_id.get(update.gtt_id)
            if gtt is None and update.status in STANDING:
                self._claim_gtt(update, began)
            late = gtt is not None and update.status is GttStatus.TRIGGERED and not gtt.order_id
            if gtt is None or not (gtt.live or late):
                continue
            if self.gateway.touched.get(gtt.intent, -1) <= began:
                self.post(update)
            else:
                self._left_out = True
        out.note_foreign_gtts(
            sum(
                each.status is GttStatus.ACTIVE and each.gtt_id not in out.by_gtt_id
                for each in updates
            )
        )
        self._drop_missing_gtts({int(update.gtt_id) for update in updates}, began)

    def _claim_gtt(self, update: GttUpdate, began: int) -> None:
        """Take over a GTT of ours that the kernel does not know.

        It was given up or refused, or the request for it has come twice. It has the very legs of a
        request of ours and was made after it.
        """
        made = [
            gtt
            for gtt in self.kernel.order_store.gtts.values()
            if asks_for(update, gtt) and gtt.created <= update.ts + SKEW
        ]
        # A request under way may be the very one this GTT came from; its answer decides.
        if any(
            gtt.status in UNDER_WAY or self.gateway.touched.get(gtt.intent, -1) > began
            for gtt in made
        ):
            return
        # one that has no GTT yet goes before a twin of one that has
        for gtt in sorted(made, key=lambda gtt: gtt.gtt_id > 0):
            if gtt.gtt_id or gtt.status in {GttStatus.LOST, GttStatus.REJECTED}:
                self.post(
                    BrokerAnswer(
                        update.ts,
                        gtt.intent,
                        RequestVerb.PLACE,
                        RequestOutcome.ACCEPTED,
                        str(update.gtt_id),
                    )
                )
                return

    def _drop_missing_gtts(self, listed: set[int], began: int) -> None:
        """Give up a GTT that two looks in a row did not find.

        The broker lists dead ones for some days only.
        """
        for gtt_id, gtt in self.kernel.order_store.by_gtt_id.items():
            fresh = self.gateway.touched.get(
                gtt.intent, -1
            ) > began or self.gateway.lookups.awaits_proof(gtt.intent)
            if not gtt.live or gtt_id in listed or fresh:
                self._gone.pop(gtt_id, None)
                continue
            self._gone[gtt_id] = self._gone.get(gtt_id, 0) + 1
            if self._gone[gtt_id] >= 2:
                self.post(
                    GttUpdate(
                        self.kernel.order_store.now,
                        gtt_id,
                        token=gtt.token,
                        status=GttStatus.DELETED,
                        legs=gtt.legs,
                        order_ids=[],
                        reason="vanished",
                    )
                )
