"""A view of the desk: protection of its positions, use of the limits, and work under way."""

from typing import final

from mypy_extensions import i64

from compiled.model.values import (
    MINUTE,
    Instrument,
    Order,
    OrderPurpose,
    OrderStatus,
    Product,
    Side,
    paise,
)
from compiled.trading.desk_state import DeskState
from compiled.trading.ladder import (
    Ladder,
    LadderPlan,
    Rung,
    protected_quantity,
    standing_quantity,
)
from compiled.trading.order_states import is_settled, largest_quantity, outstanding_quantity
from compiled.trading.order_store import OrderStore
from compiled.trading.risk import LimitUsage, UsageCensus


@final
class DeskView:
    """Answers questions on the state of the desk; it changes nothing."""

    def __init__(self, state: DeskState, out: OrderStore) -> None:
        self.state = state
        self.order_store = out

    def instrument(self, token: i64) -> Instrument:
        """Return a watched instrument; raise `KeyError` for another."""
        return self.state.markets[token].instrument

    def instruments(self) -> list[Instrument]:
        """Return the watched instruments."""
        return [market.instrument for market in self.state.markets.values()]

    def limit_usage(self, candidate: Ladder) -> LimitUsage:
        """Return the used part of the limits, for one more entry of a ladder."""
        usage = LimitUsage(candidate.instrument.token, candidate.strategy)
        pending = self._count_positions(usage, None)
        usage.recent = self.recent_entries(candidate.strategy)
        usage.trades = self.state.entry_count
        # What is on its way will be paid for from the same cash.
        usage.funds = self.state.ledger.cash - pending
        return usage

    def limit_census(self) -> UsageCensus:
        """Return what is used of every limit now."""
        state = self.state
        census = UsageCensus()
        desk = census.desk
        self._count_positions(desk, census)
        desk.trades = state.entry_count
        desk.note_result(state.day_pnl, state.peak, state.losses)
        for slot in state.slots:
            usage = census.of_strategy(slot.name)
            usage.recent = self.recent_entries(slot.name)
            net = state.ledger.strategy_net(slot.name) - slot.net_at_open
            usage.note_result(net, slot.peak, slot.losses)
        return census

    def _count_positions(self, usage: LimitUsage, census: UsageCensus | None) -> i64:
        """Count everything held and under way; return the cost of what is under way (paise)."""
        pending: i64 = 0
        for ladder in self.state.ladders.values():
            last = self.state.markets[int(ladder.instrument.token)].last
            for rung in ladder.rungs:
                if not rung.live:
                    continue
                price = last
                if price <= 0.0:  # nothing heard yet since a restart
                    price = rung.average if rung.bought else ladder.instrument.close
                coming: i64 = 0
                entry = rung.entry
                if entry is not None:
                    coming = outstanding_quantity(entry) + largest_quantity(entry) - entry.quantity
                # what has left beyond what was held is exposed, too, until it is back
                held = rung.quantity if rung.quantity >= 0 else -rung.quantity
                value = paise(price, held + coming)
                pending += paise(price, coming)
                usage.count_position(ladder.instrument.token, ladder.strategy, value)
                if census is not None:
                    census.count_position(ladder.instrument.token, ladder.strategy, value)
        for order in self.state.dry_run_entries:
            market = self.state.markets[order.token]
            value = paise(
                market.last if market.last > 0.0 else market.instrument.close, order.quantity
            )
            pending += value
            usage.count_position(order.token, order.strategy, value)
            if census is not None:
                census.count_position(order.token, order.strategy, value)
        return pending

    def recent_entries(self, strategy: str) -> i64:
        """Return a strategy's entries within a minute, 0 where they are not limited."""
        count: i64 = 0
        if self.state.limits.max_orders_per_minute > 0:
            since = self.order_store.now - MINUTE
            for slot in self.state.slots:
                if slot.name == strategy:
                    for ts in slot.entry_times:
                        count += ts > since
        return count

    def has_work(self) -> bool:
        """Return whether an order is at work, or a rung waits for stop or exit in this session."""
        for ladder in self.state.ladders.values():
            for rung in ladder.rungs:
                if rung.live and self._is_rung_working(ladder, rung):
                    return True
        return False

    def _is_rung_working(self, ladder: Ladder, rung: Rung) -> bool:
        entry = rung.entry
        if entry is not None and not is_settled(entry) and not _entry_rests(ladder, rung, entry):
            return True
        hours = ladder.instrument.hours
        shut = self.order_store.now >= hours.ends or self.order_store.now < hours.opens
        if rung.part > 0 or rung.part_exit is not None:
            return True
        if rung.exit is not None or (rung.leaving and rung.present != 0 and not shut):
            return True
        if rung.present <= 0 or rung.plan.stop_percent <= 0.0 or rung.has_live_stop:
            return False
        return not shut or (not ladder.plan.resting and self.order_store.now >= rung.protect_at)

    def naked(self) -> i64:
        """Return how many open rungs lack protection that could fill, or could be oversold.

        One bare by plan needs none, where the broker takes stops at all. Stops, exits and doubles
        at the broker oversell together.
        """
        # A set, as one rung may lack a stop and have a stray beside it, and is one position.
        found = {int(gtt.rung) for gtt in self.state.stray_gtts.values()}
        for order in self.state.strays.values():
            if order.live and order.purpose is not OrderPurpose.ENTRY:
                found.add(int(order.rung))
        for ladder in self.state.ladders.values():
            last = self.state.markets[int(ladder.instrument.token)].last
            for rung in ladder.rungs:
                short = rung.present > 0 and self.lacks_protection(ladder, rung, last)
                if (
                    rung.quantity < 0
                    or short
                    or (rung.quantity > 0 and standing_quantity(rung) > rung.present)
                ):
                    found.add(int(rung.rung_id))
        return len(found)

    def lacks_protection(self, ladder: Ladder, rung: Rung, last: float) -> bool:
        """Return whether a rung that should have a stop has less protection than shares."""
        return (rung.plan.stop_percent > 0.0 or self.order_store.limit_only) and protected_quantity(
            ladder, rung, last
        ) < rung.present

    def gtts_needed(self) -> i64:
        """Return how many GTTs the account holds, and will hold for the entries under way."""
        count = self.order_store.foreign_gtts
        for gtt in self.state.stray_gtts.values():
            count += gtt.live
        for ladder in self.state.ladders.values():
            if needs_gtt(ladder.plan):
                for rung in ladder.rungs:
                    # One that is still entering will need its own.
                    count += rung.live and rung.plan.stop_percent > 0.0
        return count

    def open_positions(self) -> i64:
        """Return how many rungs hold shares."""
        count: i64 = 0
        for ladder in self.state.ladders.values():
            for rung in ladder.rungs:
                if rung.quantity > 0:
                    count += 1
        return count

    def absent_shares(self, token: i64, product: Product, side: Side) -> i64:
        """Return how many shares on this side are noted as not in the broker's books."""
        market = self.state.markets.get(int(token))
        found: i64 = 0
        if market is not None:
            for ladder in market.ladders:
                if ladder.plan.product is product and ladder.side is side:
                    for rung in ladder.rungs:
                        found += rung.absent
        return found

    def feed_lag(self) -> tuple[int, i64]:
        """Return the number of instruments the feed is late with, and the latest one's lag (ns)."""
        count = 0
        worst: i64 = 0
        for market in self.state.markets.values():
            if (
                market.is_late
                and market.lag > self.state.late_after
                # Outside its hours an instrument is silent, not late.
                and market.instrument.hours.is_trading(self.order_store.now)
            ):
                count += 1
                worst = max(worst, market.lag)
        return count, worst


def needs_gtt(plan: LadderPlan) -> bool:
    """Return whether the stops of a plan are GTTs."""
    return not plan.resting and not plan.cover


def _entry_rests(ladder: Ladder, rung: Rung, entry: Order) -> bool:
    """Return whether an entry rests in the book for as long as its order lives.

    It is untouched, without a request under way.
    """
    waits = entry.status is OrderStatus.OPEN or entry.status is OrderStatus.TRIGGER_PENDING
    still = (
        entry.pending is None and not entry.cancelling and entry.traded == 0 and entry.filled == 0
    )
    return waits and still and ladder.plan.entry_seconds == 0 and not rung.leaving
