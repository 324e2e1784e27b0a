"""The operator's decisions about differences, carried out after the books were read once more."""

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from compiled.model.events import (
    CancelOrder,
    CashDeposit,
    DeleteGtt,
    GttUpdate,
    OrderUpdate,
    ShareAdoption,
    WriteOff,
)
from compiled.model.number_bounds import HELD, MONEY, PRICE
from compiled.model.values import (
    SECOND,
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    OrderType,
    Product,
    Side,
    paise,
)
from compiled.trading.kernel import Kernel
from engine.books.book_difference import POSITIONS, BookDifference, DifferenceChoice, DifferenceKind
from engine.books.position_differences import COVER, held_by_side
from engine.books.share_divisions import carried_shares, make_division
from engine.market.calendar import ist_day, midnight
from engine.operator_requests import DecideRequest, OperatorOutcome, done, refused
from engine.orders.gateway import OrderGateway
from engine.reconcile.reconciler import Reconciler, StandingDifference

OWN = "adopted"
"""The strategy that holds what no strategy of the operator's does."""
EVERYTHING = "all"
AGAIN = 10 * SECOND
"""The time (ns) in which a second decision about shares repeats the first.

Later it is about the ignored ones.
"""
LEAST_STOP, MOST_STOP = 0.25, 50.0


class ReconcileDecision(NamedTuple):
    """A decision of the operator.

    `stop` is percent below the last price, 0.0 for the configured one. `ratio` is how many shares
    stand for one where they were divided, 0 where the broker's books decide.
    """

    number: int
    key: str
    choice: DifferenceChoice
    strategy: str
    stop: float
    ratio: Fraction = Fraction(0)
    seen: BookDifference | None = None
    """The difference as it stood when it was asked."""


def read_decision(number: int, request: DecideRequest) -> ReconcileDecision:
    """Return what is to be done; raise `ValueError` where it cannot be meant."""
    choice, stop = DifferenceChoice(request.choice), request.stop
    if (choice is DifferenceChoice.ASSIGN) is not bool(request.strategy):
        raise ValueError("assign needs a strategy, and nothing else takes one")
    if stop and not LEAST_STOP <= stop <= MOST_STOP:
        raise ValueError(
            f"stop {stop:g}: expected percent below the last price, from {LEAST_STOP} to "
            f"{MOST_STOP:g}"
        )
    after, _, before = (request.ratio or "0:1").partition(":")
    if not (after.isdecimal() and before.isdecimal() and len(after + before) < 9 and int(before)):
        raise ValueError(f"ratio {request.ratio}: expected shares after and before, like 5:1")
    ratio = Fraction(int(after), int(before))
    return ReconcileDecision(
        number,
        request.key,
        choice=choice,
        strategy=request.strategy,
        stop=stop,
        ratio=ratio,
    )


class ReconcileActions:
    """Carries out the operator's decisions.

    `post` takes events for the kernel, `answer` the outcome by number.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        gateway: OrderGateway,
        post: Callable[[object], None],
        answer: Callable[[int, OperatorOutcome], None],
    ) -> None:
        self.reconciler = reconciler
        self.gateway = gateway
        self.kernel: Kernel = reconciler.kernel
        self.post = post
        self.answer = answer
        self.waiting: deque[ReconcileDecision] = deque()
        self._decided: dict[str, int] = {}

    def queue_decision(self, number: int, request: DecideRequest) -> OperatorOutcome | None:
        """Take a decision in; return the refusal, None if it is going to be carried out."""
        try:
            decision = read_decision(number, request)
        except ValueError as error:
            return refused(str(error))
        # The figure as the operator saw it goes along: what has changed by the time of carrying out
        # is asked again.
        standing = self._find_standing(decision.key)
        self.waiting.append(
            decision._replace(seen=standing.difference if standing is not None else None)
        )
        return None

    def _find_standing(self, key: str) -> StandingDifference | None:
        """Return the standing difference of a key, however it is written."""
        return next(
            (
                each
                for name, each in self.reconciler.standing.items()
                if name.upper() == key.upper()
            ),
            None,
        )

    async def carry_out(self) -> None:
        """Read the books again, then carry out decisions on differences of the same figure."""
        decided, self.waiting = list(self.waiting), deque()
        # A decision about books of a minute ago could sell shares that are gone.
        await self.reconciler.compare_once()
        for decision in decided:
            self.answer(decision.number, self._decide_one(decision))

    def _ignore_all(self, decision: ReconcileDecision) -> OperatorOutcome:
        if decision.choice is not DifferenceChoice.IGNORE:
            return refused("all can only be ignored; everything else is decided one by one")
        standing = [each.difference for each in self.reconciler.standing.values()]
        able = [
            each
            for each in standing
            if DifferenceChoice.IGNORE in each.choices
            and not each.cedes
            and each.kind is not DifferenceKind.DIVISION
        ]
        for difference in able:
            self.reconciler.ignore(difference)
        return done(f"{len(able)} ignored")

    def _decide_one(self, decision: ReconcileDecision) -> OperatorOutcome:
        if self.reconciler.missed_reads:
            return refused("the broker's books cannot be read just now; try again")
        if decision.key == EVERYTHING:
            return self._ignore_all(decision)
        standing = self._find_standing(decision.key)
        if standing is None:
            there = ", ".join(self.reconciler.standing) or "none"
            return refused(f"no difference {decision.key} stands; there is {there}")
        difference = standing.difference
        if decision.choice not in difference.choices:
            return refused(f"{difference.kind} takes {', '.join(difference.choices)}")
        # A second press of the key would hit what the first has left, the owner's own shares.
        if not difference.figure and self.kernel.order_store.now < self._decided.get(
            difference.key, 0
        ):
            return refused(
                f"{difference.key} was decided just now; what is left of it is ignored: "
                f"{difference.text}"
            )
        seen = decision.seen or difference
        if seen.apart != difference.apart or not self.reconciler.is_same_figure(
            difference, seen.figure
        ):
            return refused(f"it is another one since; look again: {difference.text}")
        if not self.reconciler.is_confirmed(difference):
            return refused(f"it is changing just now; try again: {difference.text}")
        if difference.kind is DifferenceKind.DIVISION:
            return self._decide_division(difference, decision)
        if decision.choice is DifferenceChoice.IGNORE:
            self.reconciler.ignore(difference)
            ours = (
                f"; {min(-difference.figure, difference.apart)} of the owner's count as gone, and "
                f"ours as there"
                if difference.cedes
                else ""
            )
            return done(f"ignored until it changes: {difference.text}{ours}")
        outcome = self._act_on(difference, decision)
        if outcome.ok:
            self._decided[difference.key] = self.kernel.order_store.now + AGAIN
            self.reconciler.take_off(difference)
        return outcome

    def _act_on(self, difference: BookDifference, decision: ReconcileDecision) -> OperatorOutcome:
        if difference.kind in POSITIONS:
            return self._decide_position(difference, decision)
        if difference.kind is DifferenceKind.ORDER:
            return self._decide_order(difference, decision)
        if difference.kind is DifferenceKind.GTT:
            return self._decide_gtt(difference, decision)
        if difference.kind is DifferenceKind.TRADE:
            return self._book_trades(difference)
        return self._accept_funds(difference)

    # positions

    def _decide_position(
        self, difference: BookDifference, decision: ReconcileDecision
    ) -> OperatorOutcome:
        kernel, now = self.kernel, self.reconciler.clock.now()
        product = Product.MIS if difference.product == COVER else Product[difference.product]
        market = kernel.state.markets[difference.token]
        # the broker has less than we: nothing to take on
        if DifferenceChoice.FLATTEN not in difference.choices:
            if any(
                each.live and each.exit is not None
                for ladder in market.ladders
                for each in ladder.rungs
            ):
                return refused(
                    f"{difference.symbol} is being left just now; decide when that is done"
                )
            side = Side.BUY if difference.amount < 0 else Side.SELL
            cover = difference.product == COVER
            ours = held_by_side(kernel)[difference.token, difference.product, side]
            gone = min(abs(difference.amount), ours)
            self.post(
                WriteOff(
                    now, difference.token, product=product, side=side, quantity=gone, cover=cover
                )
            )
            what = f" ({difference.cause})" if difference.cause else ""
            return done(f"{gone} {difference.symbol} written off{what}")
        if market.ltp <= 0.0:
            return refused(f"{difference.symbol} has no price yet; try again when it ticks")
        if abs(difference.amount) > HELD or abs(int(paise(market.ltp, difference.amount))) >= MONEY:
            return refused(
                f"{difference.amount} {difference.symbol} are more than the desk can hold; "
                "ignore it"
            )
        average = difference.average if 0.0 < difference.average <= PRICE else market.ltp
        strategy, freeze = decision.strategy or OWN, int(market.instrument.freeze)
        if decision.choice is not DifferenceChoice.FLATTEN and 0 < freeze < abs(difference.amount):
            return refused(
                f"no stop takes more than {freeze}, the exchange's freeze quantity; flatten it, "
                "or ignore it"
            )
        if decision.stop and self.kernel.order_store.limit_only:
            return refused("this broker takes no stop")
        if refusal := self._assignment_refusal(decision, difference.token):
            return refusal
        leave, hours = decision.choice is DifferenceChoice.FLATTEN, market.instrument.hours
        if leave and not hours.opens <= now < hours.closes:
            return refused("the market is closed; flatten it while it trades")
        gtt = (
            None
            if leave or decision.stop or product is not Product.CNC
            else self._protecting_gtt(difference, market.ltp)
        )
        settings = self.reconciler.settings
        self.post(
            ShareAdoption(
                now,
                difference.token,
                product=product,
                quantity=difference.amount,
                average=average,
                strategy=strategy,
                stop_percent=decision.stop or settings.stop_percent,
                trail=settings.trail,
                leave=leave,
                gtt_id=gtt.gtt_id if gtt else 0,
                legs=list(gtt.legs) if gtt else None,
            )
        )
        if leave:
            return done(f"leaving {difference.amount} {difference.symbol} at the market")
        placing = (
            "nothing protects them"
            if self.kernel.order_store.limit_only
            else "a stop is being placed"
        )
        what = f"GTT {gtt.gtt_id} protects them" if gtt else placing
        return done(f"{difference.amount} {difference.symbol} to {strategy}; {what}")

    def _assignment_refusal(
        self, decision: ReconcileDecision, token: int
    ) -> OperatorOutcome | None:
        """Return why a strategy cannot be given the shares, None if it can."""
        if decision.choice is not DifferenceChoice.ASSIGN:
            return None
        slots = {slot.name: slot for slot in self.kernel.state.slots}
        slot = slots.get(decision.strategy)
        if slot is None:
            return refused(
                f"no strategy {decision.strategy} runs; there is {', '.join(slots) or 'none'}"
            )
        if slot.stopped:
            return refused(f"{decision.strategy} has stopped: {slot.stopped}")
        if token not in slot.tokens:
            return refused(f"{decision.strategy} does not follow that instrument")
        return None

    def _protecting_gtt(self, difference: BookDifference, last: float) -> GttUpdate | None:
        """Return the GTT at the broker that protects just these shares, None if there is none."""
        books = self.reconciler.books
        for update in books.gtts if books else ():
            legs: list[GttLeg] = update.legs
            fits = all(leg.side is Side.SELL and leg.quantity == difference.amount for leg in legs)
            distance = self.kernel.order_store.trigger_distance
            near = distance.is_too_near(last - legs[0].trigger, last)
            ours = update.gtt_id in self.kernel.order_store.by_gtt_id
            if (
                update.status is GttStatus.ACTIVE
                and (update.token, update.product) == (difference.token, difference.product)
                and fits
                and not near
                and not ours
            ):
                return update
        return None

    def _decide_division(
        self, difference: BookDifference, decision: ReconcileDecision
    ) -> OperatorOutcome:
        """Carry a position over at the ratio of the broker's shares to ours, or leave it."""
        now, symbol = self.reconciler.clock.now(), difference.symbol
        market = self.kernel.state.markets[difference.token]
        if any(each.exit is not None for ladder in market.ladders for each in ladder.rungs):
            return refused(f"{symbol} is being left just now; decide when that is done")
        since, ratio, ratio_text = now, Fraction(1), "as it was"
        if decision.choice is DifferenceChoice.ADOPT:
            since = midnight(ist_day(now))
            ours = carried_shares(market, since).get(difference.product, 0)
            if not ours:
                return refused(f"nothing of {symbol} is of an earlier day")
            ratio = decision.ratio or Fraction(difference.figure, ours + difference.apart)
            if ratio <= 0:
                return refused(f"the broker has none of {symbol}; name the ratio, like ratio=5:1")
            ratio_text = f"{ratio.numerator} for {ratio.denominator}"
        books = {difference.product: difference.figure}
        apart = {difference.product: difference.apart}
        division = make_division(market, ratio, since=since, now=now, books=books, apart=apart)
        self.post(self.reconciler.record_division(division, symbol))
        self.reconciler.take_off(difference)
        return done(f"{symbol} goes on, {ratio_text}")

    # orders, GTTs, trades, funds

    def _decide_order(
        self, difference: BookDifference, decision: ReconcileDecision
    ) -> OperatorOutcome:
        order_id = difference.key.partition(":")[2]
        if decision.choice is DifferenceChoice.FLATTEN:
            stray = Order(
                0,
                "",
                strategy="",
                token=difference.token,
                side=Side.BUY,
                quantity=difference.figure,
                order_type=OrderType.LIMIT,
                product=Product.CNC,
                purpose=OrderPurpose.EXIT,
            )
            stray.order_id = order_id
            self.gateway.put(CancelOrder(stray))
            return done(f"cancelling {order_id}; what it has traded comes up as a position")
        order = self.kernel.order_store.by_order_id[order_id]
        self.post(
            OrderUpdate(
                self.reconciler.clock.now(),
                order_id,
                tag=order.tag,
                token=order.token,
                side=order.side,
                status=OrderStatus.CANCELLED,
                quantity=order.quantity,
                filled=order.filled,
                reason="not in the broker's book",
            )
        )
        return done(f"{order_id} counts as cancelled")

    def _decide_gtt(
        self, difference: BookDifference, decision: ReconcileDecision
    ) -> OperatorOutcome:
        gtt_id, now = int(difference.key.partition(":")[2]), self.reconciler.clock.now()
        if decision.choice is DifferenceChoice.ADOPT:
            self.post(
                GttUpdate(
                    now,
                    gtt_id,
                    token=difference.token,
                    status=GttStatus.DELETED,
                    legs=[],
                    order_ids=[],
                    reason="not in the broker's list",
                )
            )
            return done(f"GTT {gtt_id} counts as deleted; what it protected gets a new one")
        stray = Gtt(
            0,
            "",
            token=difference.token,
            product=Product.CNC,
            rung=0,
            last_price=0.0,
            legs=[],
            created=now,
        )
        stray.gtt_id = gtt_id
        self.gateway.put(DeleteGtt(stray))
        return done(f"deleting GTT {gtt_id}")

    def _book_trades(self, difference: BookDifference) -> OperatorOutcome:
        order_id, books = difference.key.partition(":")[2], self.reconciler.books
        for trade in books.trades if books else ():
            if trade.order_id == order_id:
                self.post(trade)
        return done(f"the trades of {order_id} are booked")

    def _accept_funds(self, difference: BookDifference) -> OperatorOutcome:
        now = self.reconciler.clock.now()
        start = int(self.kernel.ledger.start_cash) + difference.figure
        self.post(CashDeposit(now, difference.figure))
        self.reconciler.journal.append(
            "meta", {"key": f"start_cash:{ist_day(now)}", "value": str(start)}
        )
        return done(f"the broker's cash counts, {difference.figure / 100:+.2f} rupees")
