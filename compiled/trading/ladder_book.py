"""The book of ladders: it follows them, books their fills, and has rungs tended after changes."""

from typing import Final, final

from mypy_extensions import i64

from compiled.model.values import SECOND, Order, OrderPurpose
from compiled.trading.desk_state import DeskState
from compiled.trading.exits.part_exits import drop_part
from compiled.trading.ladder import Ladder, Rung, RungState, hang_stop
from compiled.trading.order_store import OrderStore
from compiled.trading.protection import mark_leaving, tend_rung

REFUSALS_BEFORE_LEAVING: Final = 3
"""After so many refusals of its stop a rung leaves at the market."""


@final
class LadderBook:
    """Every ladder of the desk and its rungs, as they change."""

    def __init__(self, state: DeskState, out: OrderStore) -> None:
        self.state = state
        self.order_store = out

    def leave_ladder(self, ladder: Ladder, reason: str) -> None:
        """Leave everything a ladder holds, and enter no more."""
        ladder.leaving = True
        self.state.changed_ladders[ladder.ladder_id] = ladder
        for rung in ladder.rungs:
            if rung.live:
                mark_leaving(rung, reason)
                if self.state.flattening:
                    rung.doubt_until = 0
                self.state.changed_rungs[rung.rung_id] = rung
        self.tend_ladder(ladder)

    def follow_ladder(self, ladder: Ladder) -> None:
        """Follow a ladder from here on: a new one, or one restored from the journal."""
        assert ladder.rungs, "a ladder without rungs"
        token = int(ladder.instrument.token)
        self.state.ladders[ladder.ladder_id] = ladder
        self.state.owners[ladder.ladder_id] = ladder
        self.state.changed_ladders[ladder.ladder_id] = ladder
        market = self.state.markets[token]
        market.wake()
        self.state.clock_idle = False
        if ladder not in market.ladders:
            market.ladders.append(ladder)
        for slot in self.state.slots:
            if slot.name == ladder.strategy:
                slot.context.holdings.add(ladder)
        for rung in ladder.rungs:
            assert rung.ladder_id == ladder.ladder_id, "a rung of another ladder"
            known = self.state.rungs.get(rung.rung_id)
            assert known is None or known is rung, "a rung's number is taken"
            self.state.rungs[rung.rung_id] = rung
            # Numbers of restored rungs are never given out again.
            if rung.rung_id >= self.state.next_number:
                self.state.next_number = rung.rung_id + 1

    def tend_ladder(self, ladder: Ladder) -> None:
        """Ask for whatever the rungs of a ladder lack; one that is over is forgotten."""
        market = self.state.markets[int(ladder.instrument.token)]
        # Whatever comes of it, a replay's notes that nothing can happen here are void.
        market.wake()
        self.state.clock_idle = False
        # Before the first comparison it is not known which shares are there: only a flatten does
        # not wait.
        if self.state.is_blind and not self.state.flattening:
            return
        # The ladder as a whole, not the rung alone: an entry that fills may let the next rung in, a
        # stop that fires may close the last.
        for rung in ladder.rungs:
            if not rung.live:
                continue
            before = rung.state
            moved = rung.moved
            tend_rung(self.order_store, ladder, rung, market.last)
            if rung.state is not before or rung.moved != moved:
                self.state.changed_rungs[rung.rung_id] = rung
            if rung.state is RungState.CLOSED:
                self._count_closed_rung(ladder, rung)
        if not ladder.open:
            ladder.closed = self.order_store.now
            self.state.changed_ladders[ladder.ladder_id] = ladder
            self.forget_ladder(ladder)

    def _count_closed_rung(self, ladder: Ladder, rung: Rung) -> None:
        assert rung.quantity == 0, "a rung has closed with shares"
        if not rung.bought:
            return
        self.count_round_trip(ladder.strategy, rung.pnl(ladder.sign, 0.0))

    def count_round_trip(self, strategy: str, pnl: i64) -> None:
        """Count a trade that is over, with its P&L after charges in paise.

        Losses in a row are a limit.
        """
        self.state.round_trips += 1
        self.state.losses = self.state.losses + 1 if pnl < 0 else 0
        for slot in self.state.slots:
            if slot.name == strategy:
                slot.losses = slot.losses + 1 if pnl < 0 else 0

    def forget_ladder(self, ladder: Ladder) -> None:
        """Stop following a ladder that is over."""
        market = self.state.markets[int(ladder.instrument.token)]
        if ladder.ladder_id in self.state.ladders:
            del self.state.ladders[ladder.ladder_id]
        if ladder in market.ladders:
            market.ladders.remove(ladder)
        for slot in self.state.slots:
            if slot.name == ladder.strategy:
                slot.context.holdings.remove(ladder)

    def reopen_rung(self, rung: Rung, state: RungState) -> None:
        """Follow a rung again whose order, given up as lost, has traded after all."""
        rung.state = state
        ladder = self.state.owners[int(rung.ladder_id)]
        ladder.closed = 0
        self.follow_ladder(ladder)
        if self.state.flattening:
            ladder.leaving = True
            mark_leaving(rung, "flatten")

    def tend_rung_of(self, rung_id: i64) -> None:
        """Tend the ladder of a rung, where it is followed."""
        rung = self.state.rungs.get(int(rung_id))
        if rung is not None:
            ladder = self.state.ladders.get(int(rung.ladder_id))
            if ladder is not None:
                self.tend_ladder(ladder)

    def clear_strays(self) -> None:
        """Repeat cancellations and deletions of strays, and drop the ones that are gone."""
        for order in self.state.strays.values():
            # Asked again every second until the book shows it gone: a lost cancellation costs a
            # second, not a position.
            if order.live:
                self.order_store.cancel_order(order)
            else:
                del self.state.strays[order.intent]
        for gtt in self.state.stray_gtts.values():
            if gtt.live:
                self.order_store.delete_gtt(gtt)
            else:
                del self.state.stray_gtts[gtt.intent]

    def set_bound_shares(self, token: int, shares: i64) -> None:
        """Take in how many shares of earlier days lack their authorisation at the depository.

        Freed ones leave at once.
        """
        market = self.state.markets[token]
        market.instrument.bound = shares
        if shares == 0:
            for ladder in market.ladders:
                for rung in ladder.rungs:
                    # The wait before the next try was for want of the authorisation, which is there
                    # now.
                    rung.retry_at = min(rung.retry_at, self.order_store.now)

    def cancel_entries(self, strategy: str = "") -> None:
        """Cancel the entries of a strategy that have not filled, or of all where none is named."""
        for ladder in self.state.ladders.values():
            if not strategy or ladder.strategy == strategy:
                for rung in ladder.rungs:
                    if rung.entry is not None:
                        self.order_store.cancel_order(rung.entry)

    def assign_order(self, rung: Rung, order: Order) -> None:
        """Make an order the exit or the stop of its rung, unless another one already is."""
        assert order.rung == rung.rung_id, "an order of another rung"
        if order.reduces:
            # One that was given up, and arrives after all: its shares have their stop again.
            if rung.part_exit is not order:
                self.cancel_stray(order)
        elif order.purpose is OrderPurpose.EXIT and rung.exit is not order:
            # A second exit beside the first could sell the shares twice; it is cancelled, and what
            # it has traded is ours.
            if rung.exit is None:
                rung.exit = order
            else:
                self.cancel_stray(order)
        elif (
            order.purpose is OrderPurpose.PROTECT
            and rung.exit is not order
            and rung.stop_order is not order
        ):
            if rung.exit is None and rung.stop_order is None:
                rung.stop_order = order
                if order.trigger > 0.0:
                    # that of a cover order stood before its entry had an average
                    rung.stop = order.trigger
            else:
                self.cancel_stray(order)

    def count_refusal(self, rung: Rung, order: Order) -> i64:
        """Count it, and return how often it was; 0 where the next request is to go at once."""
        if order.purpose is OrderPurpose.PROTECT:
            rung.refusals += 1
            # A position that nothing can protect is left: a stop that is refused for the third time
            # will not stand at the fourth.
            if rung.refusals >= REFUSALS_BEFORE_LEAVING and not rung.leaving:
                mark_leaving(rung, "unprotectable")
                return 0
            return rung.refusals
        rung.rejections += 1
        return rung.rejections

    def take_exit(self, rung: Rung, order: Order, reason: str) -> None:
        """Make an order the exit of a rung; an earlier exit is cancelled, its reason stays."""
        assert order.rung == rung.rung_id, "an order of another rung"
        assert order.purpose is OrderPurpose.EXIT, "no exit is made an exit"
        if rung.exit is not None:
            self.cancel_stray(rung.exit)
        rung.exit = order
        if reason and not rung.leaving:
            rung.exit_reason = reason
        self.state.changed_rungs[rung.rung_id] = rung

    def name_exit(self, rung: Rung, reason: str) -> None:
        """Say why a rung was left."""
        rung.exit_reason = reason

    def recall_order(self, rung: Rung, order: Order) -> None:
        """Give a rung back an order that had left unrecorded: its stop, or its exit."""
        assert order.rung == rung.rung_id, "an order of another rung"
        assert order.purpose is not OrderPurpose.ENTRY, "an entry is no stop and no exit"
        if order.purpose is OrderPurpose.PROTECT:
            rung.stop_order = order
        else:
            rung.exit = order
        self.state.changed_rungs[rung.rung_id] = rung

    def doubt_exit(self, rung: Rung, until: i64) -> None:
        """Expect until then (ns) that an exit which was given up arrives after all."""
        rung.doubt_until = until

    def delay_request(self, rung: Rung, purpose: OrderPurpose, until: i64) -> None:
        """Ask for another stop, or another exit, not before then (ns)."""
        if purpose is OrderPurpose.PROTECT:
            rung.protect_at = until
        else:
            rung.retry_at = until

    def delay_protection(self, rung: Rung, counts: bool, wait: i64) -> None:
        """Ask for a refused stop later; after the third refusal that counts leave at the market."""
        now = self.order_store.now
        rung.refusals += counts
        rung.protect_at = now + max((rung.refusals + 1) * SECOND, wait)
        if rung.refusals >= REFUSALS_BEFORE_LEAVING:
            mark_leaving(rung, "unprotectable")
            # The decision to leave is new, so an earlier wait of the exit does not hold it up.
            rung.retry_at = now

    def clear_refusals(self, rung: Rung) -> None:
        """Forget refusals: the broker has taken a stop."""
        rung.refusals = 0

    def refit_stop(self, rung: Rung, needed: bool = True) -> None:
        """Have the stop of a rung looked at again, or leave it as it stands."""
        rung.needs_refit = needed

    def leave_rung(self, rung: Rung, reason: str) -> None:
        """Have a rung closed at the market; the first reason stands."""
        mark_leaving(rung, reason)

    def keep_stop(self, rung: Rung, stop: float, target: float) -> None:
        """Let stop and target (rupees) be where they stand: what was asked for by hand is off."""
        ladder = self.state.owners[int(rung.ladder_id)]
        rung.hand_stop = 0.0
        rung.target = target
        hang_stop(ladder, rung, stop)
        if rung.part > 0 and rung.part_exit is None:
            drop_part(self.order_store, ladder, rung, "its stop cannot be made smaller")
        self.state.changed_ladders[ladder.ladder_id] = ladder
        self.state.changed_rungs[rung.rung_id] = rung

    def set_target(self, rung: Rung, target: float) -> None:
        """Let a target (rupees, 0.0: none) be where its leg stands at the broker."""
        rung.target = target

    def hold_back(self, rung: Rung, shares: i64) -> None:
        """Count shares of a rung as missing in the broker's books: neither protected nor sold."""
        assert 0 <= shares <= max(rung.quantity, 0), "more shares lack than are held"
        rung.absent = shares

    def restate_shares(self, rung: Rung, sold: i64, quantity: i64) -> None:
        """Let a rung hold so many shares, and have sold so many: each has been divided."""
        assert sold >= 0, "a division sells nothing twice"
        rung.sold = sold
        rung.bought = sold + quantity

    def settle_write_off(self, rung: Rung, absent: i64) -> None:
        """Let a rung go on with the shares left by a write-off, so many of which still lack.

        An exit was refused for more than there is: one for the rest is asked for at once.
        """
        assert rung.quantity >= 0, "more was written off than a rung held"
        assert 0 <= absent <= rung.quantity, "more shares lack than are held"
        rung.absent = absent
        # The reason of the refusals, more than there was, is gone with the write-off.
        rung.rejections = 0
        rung.retry_at = 0

    def cancel_stray(self, order: Order) -> None:
        """Cancel an unwanted order of ours, until it is gone."""
        if order.live:
            self.state.strays[order.intent] = order
            self.order_store.cancel_order(order)

    def book_fill(self, order: Order, ts: i64, quantity: i64, value: i64, charges: i64) -> None:
        """Book a fill on its rung, which it may open again."""
        rung = self.state.rungs.get(int(order.rung))
        if rung is None:
            return
        before = rung.quantity
        self.add_fill(rung, order, ts=ts, quantity=quantity, value=value, charges=charges)
        if rung.state is RungState.CLOSED or (rung.state is RungState.WAITING and rung.bought):
            self.reopen_rung(rung, RungState.OPEN)
        self.state.changed_rungs[rung.rung_id] = rung
        # Once, as it crosses: later fills of the same excess are no news.
        if rung.quantity < 0 <= before:
            text = (
                "more left than rung "
                + str(rung.rung_id)
                + " held; what is too much comes back at the market"
            )
            self.order_store.alert("alarm", "oversold", text, order.token)

    def add_fill(
        self, rung: Rung, order: Order, ts: i64, quantity: i64, value: i64, charges: i64
    ) -> None:
        """Add a fill to the sums of its rung."""
        assert quantity > 0, "a fill moves shares"
        assert order.rung == rung.rung_id, "a fill of another rung"
        rung.charges += charges
        if order.side is self.state.owners[int(rung.ladder_id)].side:
            if not rung.bought:
                rung.opened = ts
            rung.bought += quantity
            rung.bought_value += value
        else:
            rung.sold += quantity
            rung.sold_value += value
            if order.reduces:
                rung.part = max(rung.part - quantity, 0)
            # The exit trades after all: earlier rejections no longer slow it down.
            rung.rejections = 0
            # No more can be missing than is held.
            rung.absent = min(rung.absent, max(rung.quantity, 0))

    def prune(self) -> None:
        """Forget ended orders, for a replay, whose exchange reports every trade only once."""
        self.state.owners.clear()
        self.state.rungs.clear()
        for ladder in self.state.ladders.values():
            self.state.owners[ladder.ladder_id] = ladder
            for rung in ladder.rungs:
                self.state.rungs[rung.rung_id] = rung
