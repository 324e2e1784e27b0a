"""A broker with a simulated exchange: a real market, orders, books and money of our own.

The source of the prices gets no request but questions about the market.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from typing import Final, NamedTuple, final

from brokers.market_only_broker import MarketOnlyBroker
from brokers.paper import paper_journal as pages
from brokers.paper.paper_account import DayRates, PaperAccount
from brokers.paper.paper_journal import BookedOrder, PaperPages, WatchedGtt
from brokers.paper.simulated_exchange import SimulatedExchange
from compiled.model.events import (
    BrokerAnswer,
    BrokerTrade,
    CancelOrder,
    DeleteGtt,
    GttUpdate,
    KernelCommand,
    ModifyGtt,
    ModifyOrder,
    OrderUpdate,
    PlaceGtt,
    PlaceOrder,
    RequestOutcome,
    RequestVerb,
)
from compiled.model.order_terms import OrderChange, Variety
from compiled.model.values import (
    Gtt,
    GttStatus,
    Instrument,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    Tick,
)
from compiled.venue.resting_orders import requested_legs
from compiled.venue.slippage import Slippage
from engine.errors import DataError, OrderRefused
from engine.market.calendar import Calendar, ist_day
from engine.market.charges import ChargeSource, charge_segment, intraday_segment
from engine.market.order_rules import venue_rules
from engine.market.safeguards import TradingSafeguards
from engine.ports import (
    Broker,
    BrokerHolding,
    BrokerPosition,
    Clock,
    Journal,
    PriceBand,
    SlicedOrder,
)

REFUSED: Final = "PAPER"
NO_SLIPPAGE: Final = Slippage()


class PaperTerms(NamedTuple):
    """The paper account's first cash (paise), latency each way (ns), and slippage.

    Slippage counts where there is no book.
    """

    cash: int
    latency: int = 0
    slippage: Slippage = NO_SLIPPAGE


class PaperWorld(NamedTuple):
    """Clock, calendar, charges and journal of the paper exchange."""

    clock: Clock
    calendar: Calendar
    charges: ChargeSource
    journal: Journal


@final
class PaperBroker(MarketOnlyBroker):
    """Orders, GTTs, books and money on paper, restored from the journal and written there.

    `stamped`: frames happen when they are received; without it (and without latency) at the time
    they carry, for an exchange in lockstep. `hint` is called with every order that has changed.
    """

    def __init__(
        self, source: Broker, world: PaperWorld, terms: PaperTerms, *, stamped: bool
    ) -> None:
        super().__init__(source, "PAPER")
        self.hint: Callable[[str], None] = lambda _: None
        self._world = world
        self._pages = PaperPages(world.journal)
        day = ist_day(world.clock.now())
        self._simulation = SimulatedExchange(
            venue_rules(day, terms.latency),
            terms.slippage,
            world.clock,
            self._handle_report,
            stamped=stamped,
        )
        self._pending_requests: dict[
            tuple[int, RequestVerb], tuple[KernelCommand, asyncio.Future[BrokerAnswer]]
        ] = {}
        self._number = 0
        self._orders: dict[str, BookedOrder] = {}
        self._trades: list[BrokerTrade] = []
        self._gtts: dict[int, WatchedGtt] = {}
        self._standing: list[pages.Fields] = []
        """Orders that worked before a restart, until their instrument is known."""
        self._watching: set[int] = set()
        """GTTs that stand at the exchange."""
        self._names: dict[int, Instrument] = {}
        self._closes = self._squares = 0
        self._listed = False
        self._account, self._day = self._restore_account(terms.cash, day)
        self._roll_day()

    # the desk's side

    def beside(self) -> list[Coroutine[None, None, None]]:
        """Return what has to run while the desk does."""
        return [self._simulation.run(self._roll_day)]

    def take_ticks(self, ticks: Sequence[Tick], received: int) -> None:
        """Let the orders meet prices, before the desk gets them."""
        self._roll_day()
        # a session that is over has ended before: its orders do not meet these prices
        self._simulation.take_ticks(ticks, received)

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return the exchange's instruments of today."""
        found = await super().instruments(exchange)
        self._names.update((int(each.token), each) for each in found)
        return found

    async def bands(self, instruments: Sequence[Instrument]) -> list[PriceBand]:
        """Return bands and previous closes in the desk's own bands.

        Trading begins in the instruments.
        """
        found = await super().bands(instruments)
        self._simulation.list_instruments(instruments)
        self._listed = True
        self._restore_standing({int(each.token): each for each in instruments})
        return found

    async def place(self, order: Order) -> str:
        """Send a new order and return its id.

        An iceberg is one order here, other varieties refused.
        """
        variety = order.terms.variety
        if variety not in {Variety.REGULAR, Variety.ICEBERG}:
            raise OrderRefused(
                REFUSED, f"the simulated exchange takes no {variety.name.lower()} orders"
            )
        return (
            await self._send_request(PlaceOrder(order), int(order.intent), RequestVerb.PLACE)
        ).broker_id

    async def place_sliced(self, order: Order) -> SlicedOrder:
        """Send a new order in slices of at most the freeze quantity, one after the other."""
        instrument = self._simulation.listed_instrument(int(order.token))
        most = (
            int(instrument.freeze)
            if instrument is not None and instrument.freeze
            else int(order.quantity)
        )
        made: list[str] = []
        refused: list[OrderRefused] = []
        for first in range(0, int(order.quantity), most):
            slice_ = self._exchange_order(
                order.token, order.side, min(most, int(order.quantity) - first), order.product
            )
            slice_.tag, slice_.order_type, slice_.price = order.tag, order.order_type, order.price
            slice_.trigger, slice_.validity, slice_.protection = (
                order.trigger,
                order.validity,
                order.protection,
            )
            try:
                made.append(await self.place(slice_))
            except OrderRefused as error:
                refused.append(error)
        if not made:
            raise refused[0]
        return SlicedOrder(tuple(made), tuple(refused))

    async def modify(self, order_id: str, change: OrderChange) -> None:
        """Change a working order's quantity, price or trigger."""
        order = self._known_order(order_id)
        await self._send_request(ModifyOrder(order, change), int(order.intent), RequestVerb.MODIFY)

    async def cancel(self, order_id: str) -> None:
        """Cancel a working order."""
        order = self._known_order(order_id)
        await self._send_request(CancelOrder(order), int(order.intent), RequestVerb.CANCEL)

    def _known_order(self, order_id: str) -> Order:
        """Return what a request about an order of the book needs of it."""
        booked = self._orders.get(order_id)
        if booked is None:
            raise OrderRefused(REFUSED, f"there is no order {order_id}")
        order = self._exchange_order(
            booked.update.token, booked.update.side, booked.update.quantity, booked.product
        )
        order.order_id = order_id
        return order

    async def place_gtt(self, gtt: Gtt) -> int:
        """Send a new GTT and return its id."""
        return int(
            (await self._send_request(PlaceGtt(gtt), int(gtt.intent), RequestVerb.PLACE)).broker_id
        )

    async def modify_gtt(self, gtt: Gtt) -> None:
        """Replace the legs of `gtt.gtt_id` by `gtt.pending`."""
        await self._send_request(ModifyGtt(gtt), int(gtt.intent), RequestVerb.MODIFY)

    async def delete_gtt(self, gtt_id: int) -> None:
        """Delete a GTT."""
        watched = self._gtts.get(int(gtt_id))
        if watched is None:
            raise OrderRefused(REFUSED, f"there is no GTT {gtt_id}")
        self._number -= 1
        gtt = Gtt(
            self._number,
            "",
            token=watched.update.token,
            product=watched.product,
            rung=0,
            last_price=watched.last,
            legs=watched.update.legs,
        )
        gtt.gtt_id = gtt_id
        await self._send_request(DeleteGtt(gtt), self._number, RequestVerb.CANCEL)

    async def orders(self) -> list[OrderUpdate]:
        """Return today's order book, oldest first."""
        self._roll_day()
        for booked in self._orders.values():
            # The exchange does not report it. Without it the books miss the order in the positions.
            booked.update.product = booked.product.name
        return [booked.update for booked in self._orders.values()]

    async def trades(self) -> list[BrokerTrade]:
        """Return today's trades, oldest first."""
        self._roll_day()
        return list(self._trades)

    async def gtts(self) -> list[GttUpdate]:
        """Return all GTTs, lowest id first."""
        self._roll_day()
        return [watched.update for _, watched in sorted(self._gtts.items())]

    async def positions(self) -> list[BrokerPosition]:
        """Return the net positions of today, flat ones included."""
        self._roll_day()
        return [
            BrokerPosition(
                token, self._symbol_of(token), product.name, int(each.quantity), each.average
            )
            for (token, product), each in self._account.positions.items()
        ]

    async def holdings(self) -> list[BrokerHolding]:
        """Return what was delivered on earlier days."""
        self._roll_day()
        return [
            BrokerHolding(token, self._symbol_of(token), lot.quantity, lot.average, product.name)
            for (token, product), lot in self._account.holdings.items()
        ]

    async def funds(self) -> int:
        """Return what can be spent, in paise."""
        self._roll_day()
        return self._account.funds

    # requests and reports

    async def _send_request(
        self, command: KernelCommand, intent: int, verb: RequestVerb
    ) -> BrokerAnswer:
        """Send a request and wait for its answer; raise `OrderRefused`."""
        self._roll_day()
        answered: asyncio.Future[BrokerAnswer] = asyncio.get_running_loop().create_future()
        self._pending_requests[intent, verb] = command, answered
        self._simulation.send_command(command)
        answer = await answered
        if answer.outcome is RequestOutcome.REFUSED:
            raise OrderRefused(REFUSED, answer.reason)
        return answer

    def _handle_report(self, event: object) -> None:
        if isinstance(event, BrokerAnswer):
            command, answered = self._pending_requests.pop((int(event.intent), event.verb))
            if event.outcome is RequestOutcome.ACCEPTED:
                self._apply_acceptance(command, event)
            if not answered.done():
                answered.set_result(event)
        elif isinstance(event, OrderUpdate):
            self._apply_update(event)
        elif isinstance(event, BrokerTrade):
            self._apply_trade(event)
        elif isinstance(event, GttUpdate):
            self._apply_fired_gtt(event)

    def _apply_acceptance(self, command: KernelCommand, answer: BrokerAnswer) -> None:
        if isinstance(command, PlaceOrder):
            order = command.order
            first = OrderUpdate(
                answer.ts,
                answer.broker_id,
                tag=order.tag,
                token=order.token,
                side=order.side,
                status=OrderStatus.OPEN,
                quantity=order.quantity,
                filled=0,
                price=order.price,
                trigger=order.trigger,
            )
            self._book_order(BookedOrder(first, order.product))
        elif isinstance(command, ModifyOrder):
            self._apply_modification(command.order.order_id, int(answer.ts))
        elif isinstance(command, PlaceGtt | ModifyGtt):
            gtt = command.gtt
            update = GttUpdate(
                answer.ts,
                int(answer.broker_id),
                token=gtt.token,
                status=GttStatus.ACTIVE,
                legs=list(requested_legs(gtt)),
                order_ids=[],
            )
            self._watch_gtt(WatchedGtt(update, gtt.product, gtt.last_price))
        elif isinstance(command, DeleteGtt):
            known = self._gtts[int(command.gtt.gtt_id)]
            gone = GttUpdate(
                answer.ts,
                known.update.gtt_id,
                token=known.update.token,
                status=GttStatus.DELETED,
                legs=known.update.legs,
                order_ids=[],
            )
            self._watch_gtt(known._replace(update=gone))

    def _apply_modification(self, order_id: str, ts: int) -> None:
        old, product = self._orders[order_id]
        standing = self._simulation.standing_order(int(old.token), order_id)
        if standing is None:
            return
        price = standing.instrument.price
        update = OrderUpdate(
            ts,
            order_id,
            tag=old.tag,
            token=old.token,
            side=old.side,
            status=old.status,
            quantity=standing.quantity,
            filled=old.filled,
            price=price(standing.limit),
            trigger=price(standing.trigger),
        )
        self._book_order(BookedOrder(update, product))

    def _apply_update(self, update: OrderUpdate) -> None:
        self._book_order(BookedOrder(update, self._orders[update.order_id].product))
        self.hint(update.order_id)

    def _apply_trade(self, trade: BrokerTrade) -> None:
        self._trades.append(trade)
        product = self._orders[trade.order_id].product
        instrument = self._simulation.listed_instrument(int(trade.token))
        if instrument is None:
            raise DataError(f"instrument {trade.token} has traded on paper and is not listed there")
        note = (
            instrument.exchange,
            charge_segment(instrument, product),
            intraday_segment(instrument, product),
        )
        self._account.book_trade(trade, product, self._day_rates(*note))
        self._pages.write(
            pages.TRADE, trade.trade_id, str(self._day), pages.trade_state(trade, product, note)
        )
        self.hint(trade.order_id)

    def _day_rates(self, exchange: str, delivered: str, closed: str) -> DayRates:
        """Return the rates of a trade's segments; without a second one closing costs the same."""
        number, table = int(f"{self._day:%Y%m%d}"), self._world.charges
        return DayRates(
            table.rates(delivered, exchange, number),
            table.rates(closed, exchange, number) if closed else None,
        )

    def _apply_fired_gtt(self, update: GttUpdate) -> None:
        known = self._gtts[int(update.gtt_id)]
        self._watch_gtt(known._replace(update=update))
        for order_id in update.order_ids:
            leg = update.legs[0]
            sent = OrderUpdate(
                update.ts,
                order_id,
                tag="",
                token=update.token,
                side=leg.side,
                status=OrderStatus.OPEN,
                quantity=leg.quantity,
                filled=0,
            )
            self._orders[order_id] = BookedOrder(sent, known.product)
        self.hint(str(update.gtt_id))

    def _book_order(self, booked: BookedOrder) -> None:
        update = booked.update
        self._orders[update.order_id] = booked
        standing = self._simulation.standing_order(int(update.token), update.order_id)
        self._pages.write(
            pages.ORDER, update.order_id, str(self._day), pages.order_state(booked, standing)
        )

    def _watch_gtt(self, watched: WatchedGtt) -> None:
        self._gtts[int(watched.update.gtt_id)] = watched
        self._watching.add(int(watched.update.gtt_id))
        self._pages.write(
            pages.GTT, str(watched.update.gtt_id), str(self._day), pages.gtt_state(watched)
        )

    # days

    def _roll_day(self) -> None:
        """End a session that is over, square off intraday positions in time, begin a new day."""
        now = self._world.clock.now()
        if self._listed and self._squares and now >= self._squares:
            self._squares = 0
            self._square_off()
        if self._closes and now >= self._closes:
            closes, self._closes = self._closes, 0
            self._simulation.end_session(closes)
        day = ist_day(now)
        if day != self._day:
            self._end_day(day)

    def _end_day(self, day: date) -> None:
        # what was due before midnight belongs to the day that ends
        self._simulation.pass_time()
        self._account.end_day()
        self._orders.clear()
        self._trades.clear()
        self._standing.clear()
        self._gtts = {
            key: each for key, each in self._gtts.items() if each.update.status is GttStatus.ACTIVE
        }
        self._day = day
        self._open_day()
        self._save_account()

    def _open_day(self) -> None:
        calendar = self._world.calendar
        if closes := self._simulation.open_day(calendar, self._day):
            self._closes = closes
            auction = TradingSafeguards.load().closes_by_auction(
                self._day, "NSE", "", has_derivatives=True
            )
            self._squares = calendar.square_off(self._day, cas=auction) or 0

    def _square_off(self) -> None:
        """Exit intraday positions at the market, as Zerodha does.

        The desk sees orders that are not its own.
        """
        for (token, product), position in list(self._account.positions.items()):
            quantity = int(position.quantity)
            if (
                product is Product.MIS
                and quantity
                and self._simulation.listed_instrument(token) is not None
            ):
                order = self._exchange_order(
                    token, Side.SELL if quantity > 0 else Side.BUY, abs(quantity), product
                )
                nobody: asyncio.Future[BrokerAnswer] = asyncio.get_running_loop().create_future()
                self._pending_requests[int(order.intent), RequestVerb.PLACE] = (
                    PlaceOrder(order),
                    nobody,
                )
                self._simulation.send_command(PlaceOrder(order))

    def _exchange_order(self, token: int, side: Side, quantity: int, product: Product) -> Order:
        """Return an order of the exchange's own numbering, which no intent of the desk has."""
        self._number -= 1
        return Order(
            self._number,
            "",
            strategy="",
            token=token,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET,
            product=product,
            purpose=OrderPurpose.EXIT,
        )

    # restarts

    def _restore_account(self, cash: int, day: date) -> tuple[PaperAccount, date]:
        """Return the account and its day from the journal, the first one where it is new."""
        state = next(self._pages.read(pages.ACCOUNT), None)
        self._gtts = {
            int(each.update.gtt_id): each for each in map(pages.gtt_of, self._pages.read(pages.GTT))
        }
        if state is None:
            self._account, self._day = PaperAccount(cash), day
            self._open_day()
            self._save_account()
            return self._account, day
        # the account is kept as its day began; the day's trades are booked on top of it
        self._account, self._day = pages.account_of(state), date.fromisoformat(state["day"])
        numbers = [state["next"], *self._gtts]
        for row in self._pages.read(pages.ORDER, state["day"]):
            self._orders[row["id"]] = pages.order_of(row)
            numbers.append(int(row["id"]))
            if "stands" in row and self._orders[row["id"]].update.status < OrderStatus.COMPLETE:
                self._standing.append(row)
        for row in self._pages.read(pages.TRADE, state["day"]):
            trade = pages.trade_of(row)
            self._trades.append(trade)
            self._account.book_trade(
                trade, Product[row["product"]], self._day_rates(*pages.note_of(row))
            )
            numbers.append(int(row["id"].removeprefix("T")))
        # beyond every id in the journal: none comes twice
        self._simulation.count_from(max(numbers) + 1)
        self._open_day()
        return self._account, self._day

    def _restore_standing(self, instruments: dict[int, Instrument]) -> None:
        """Put orders and GTTs of before a restart back, once their instruments trade there."""
        for row in [row for row in self._standing if row["token"] in instruments]:
            self._simulation.restore_order(pages.standing_of(row, instruments[row["token"]]))
            self._standing.remove(row)
        for gtt_id, watched in self._gtts.items():
            token = int(watched.update.token)
            if (
                watched.update.status is GttStatus.ACTIVE
                and token in instruments
                and gtt_id not in self._watching
            ):
                self._watching.add(gtt_id)
                self._simulation.restore_gtt(pages.waiting_of(watched, instruments[token]))

    def _save_account(self) -> None:
        state = pages.account_state(self._account, str(self._day), self._simulation.next_id)
        self._pages.write(pages.ACCOUNT, "", str(self._day), state)

    def _symbol_of(self, token: int) -> str:
        return self._names[token].symbol if token in self._names else str(token)
