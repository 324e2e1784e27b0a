"""The way back of kept records into a kernel: its state alone is written here, nothing is sent."""

from typing import final

from mypy_extensions import i64

from compiled.model.order_terms import Variety
from compiled.model.values import (
    NEVER,
    SECOND,
    Gtt,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    Product,
)
from compiled.trading.decision_log import DecisionLog
from compiled.trading.desk_state import DRY_RUN, DeskState
from compiled.trading.ladder import Ladder, Rung
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_states import (
    is_correction,
    is_settled,
    join_chain,
    outstanding_quantity,
)
from compiled.trading.order_store import OrderStore
from compiled.trading.reports.order_reports import OrderReports
from compiled.trading.reports.share_division import PositionDivisions, divided_price
from compiled.trading.restart.kept_records import KeptFill, KeptLadder, KernelRecords


@final
class KernelRestore:
    """One restart: brings the records of earlier runs into a kernel that has seen nothing yet."""

    def __init__(
        self,
        state: DeskState,
        out: OrderStore,
        decisions: DecisionLog,
        ladder_book: LadderBook,
        order_reports: OrderReports,
        divisions: PositionDivisions,
        records: KernelRecords,
    ) -> None:
        self.state = state
        self.ledger = state.ledger
        self.order_store = out
        self.decisions = decisions
        self.ladder_book = ladder_book
        self.order_reports = order_reports
        self.divisions = divisions
        self.records = records

    def restore_records(self) -> list[int]:
        """Bring everything back; return the intents of unknown outcome."""
        records = self.records
        for kept in records.ladders:
            self._restore_ladder(kept)
        self._lower_rungs()
        unknown = self._restore_requests()
        self._rebook_earlier_fills()
        self._carry_positions()
        if records.next_decision > 0:
            self.decisions.next_number = records.next_decision
        # After the carried positions: the day's P&L counts from their previous close.
        for fill in records.fills:
            if fill.ts >= records.day_start:
                self._rebook_fill(fill, today=True)
        for ladder in list(self.state.ladders.values()):
            self._settle_ladder(ladder)
        self._count_day()
        # What was read from the journal is not written there again.
        self.state.changed_rungs.clear()
        self.state.changed_ladders.clear()
        self.order_store.changed_orders.clear()
        self.order_store.changed_gtts.clear()
        return unknown

    # ladders

    def _restore_ladder(self, kept: KeptLadder) -> None:
        instrument = self.state.markets[kept.token].instrument
        ladder = Ladder(kept.ladder_id, kept.strategy, instrument, kept.side, kept.plan)
        ladder.created = kept.created
        ladder.closed = kept.closed
        ladder.leaving = kept.leaving
        ladder.reason = kept.reason
        # A rung that was added by hand has a number of its own.
        known: dict[int, int] = {}
        for each in kept.rungs:
            known[int(each.number)] = int(each.rung_id)
        number: i64 = 0
        for plan in kept.plan.rungs:
            number += 1
            rung_id = i64(known.get(int(number), int(kept.ladder_id + number)))
            ladder.rungs.append(Rung(rung_id, kept.ladder_id, number, plan))
        self.ladder_book.follow_ladder(ladder)
        for each in kept.rungs:
            rung = ladder.rungs[each.number - 1]
            rung.state = each.state
            rung.stop = each.stop
            rung.target = each.target
            rung.high = each.high
            rung.closed = each.closed
            rung.exit_reason = each.exit_reason

    def _lower_rungs(self) -> None:
        """Bring prices of rungs written before a division to their level after it."""
        for division in self.records.divisions:
            for rung_id, levels in division.levels.items():
                rung = self.state.rungs.get(rung_id)
                if rung is None:
                    continue
                stop, target, high = levels
                if rung.stop == stop and rung.target == target and rung.high == high:
                    ladder = self.state.owners[rung.ladder_id]
                    self.divisions.restate_prices(division.event, ladder, rung)

    def _settle_ladder(self, ladder: Ladder) -> None:
        """Give up the old run's memory: settled exits and stops, and ladders that are over.

        A rung with a reason to leave is leaving, unless its exit is an order that a GTT has sent.
        """
        for rung in ladder.rungs:
            if rung.exit is not None and is_settled(rung.exit):
                rung.exit = None
            if rung.stop_order is not None and is_settled(rung.stop_order):
                rung.stop_order = None
            if rung.part_exit is not None:
                rung.part = outstanding_quantity(rung.part_exit)
                if rung.part == 0:
                    rung.part_exit = None
            if rung.fired_earlier or (
                rung.gtt is not None and rung.gtt.status is GttStatus.DISABLED
            ):
                # sold, or divided, until it is known
                self.ladder_book.hold_back(rung, max(rung.quantity, 0))
            ours = rung.exit is None or bool(rung.exit.tag)
            rung.leaving = rung.live and (ladder.leaving or (bool(rung.exit_reason) and ours))
        if ladder.closed:
            self.ladder_book.forget_ladder(ladder)

    # orders and GTTs

    def _restore_requests(self) -> list[int]:
        """Restore orders and GTTs; return the numbers of those whose outcome is unknown."""
        divided: dict[int, int] = {}
        for division in self.records.divisions:
            divided[int(division.event.token)] = int(division.event.ts)
        unknown: list[int] = []
        for request in self.records.requests:
            # A number once given out is a tag at the broker, and never given out again.
            self.order_store.next_intent = max(self.order_store.next_intent, request.intent + 1)
            if isinstance(request, Gtt):
                unanswered = self._restore_gtt(request, divided.get(int(request.token), 0))
            else:
                unanswered = self._restore_order(request)
            if unanswered:
                unknown.append(int(request.intent))
        return unknown

    def _restore_order(self, order: Order) -> bool:
        """Restore one order; return whether its outcome is unknown."""
        today = order.created >= self.records.day_start
        unanswered = (
            order.status is OrderStatus.INTENT
            or order.status is OrderStatus.SENT
            or order.status is OrderStatus.UNKNOWN
        )
        if unanswered:
            order.status = OrderStatus.UNKNOWN
        elif order.live and not today and order.terms.variety is not Variety.AMO:
            order.status = OrderStatus.CANCELLED  # a day's order ends with the day
        self.order_store.register(order)
        decided = order.reason.startswith(DRY_RUN) and order.purpose is OrderPurpose.ENTRY
        if decided and today and order.token in self.state.markets:
            self.state.dry_run_entries.append(order)
        if order.parent:
            first = self.order_store.orders[order.parent]
            join_chain(first, order)
            order.unwanted = not first.terms.makes_several_orders and order.purpose is first.purpose
            if order.unwanted:
                self._mark_stray(order)
        else:
            self._attach_order(order)
        return unanswered

    def _attach_order(self, order: Order) -> None:
        """Give an order its place in its rung again."""
        rung = self.state.rungs.get(order.rung)
        if rung is None:
            return
        if order.purpose is OrderPurpose.ENTRY:
            rung.entry = order
            if order.created >= self.records.day_start and not is_correction(order):
                self.state.entry_count += 1
        elif order.reduces:
            if order.live or order.order_id:
                rung.part_exit = order
        elif order.live or order.order_id:
            if order.purpose is OrderPurpose.PROTECT:
                self._mark_stray(rung.stop_order)
                rung.stop_order = order
            else:
                self._mark_stray(rung.exit)
                rung.exit = order
        elif order.status is OrderStatus.LOST and order.purpose is OrderPurpose.EXIT:
            rung.doubt_until = order.created + self.order_store.exits.doubt * SECOND

    def _mark_stray(self, order: Order | None) -> None:
        """Have an order cancelled that another one has taken the place of."""
        if order is not None and order.live and order.order_id:
            self.state.strays[order.intent] = order

    def _restore_gtt(self, gtt: Gtt, divided: i64) -> bool:
        """Restore one GTT, whose shares were `divided` then (ns).

        Return whether its outcome is unknown.
        """
        unanswered = (
            gtt.status is GttStatus.INTENT
            or gtt.status is GttStatus.SENT
            or gtt.status is GttStatus.UNKNOWN
        )
        if unanswered:
            gtt.status = GttStatus.UNKNOWN
        self.order_store.register_gtt(gtt)
        rung = self.state.rungs.get(gtt.rung)
        old = gtt.created < divided
        if old and gtt.live:
            self.state.stray_gtts[gtt.intent] = gtt  # of the prices before its share was divided
        elif rung is not None and (gtt.live or gtt.status is GttStatus.TRIGGERED):
            rung.gtt = self._kept_gtt(rung, rung.gtt, gtt)
        elif rung is not None and gtt.status is GttStatus.DISABLED and not old:
            rung.gtt = gtt
        return unanswered

    def _kept_gtt(self, rung: Rung, one: Gtt | None, other: Gtt) -> Gtt:
        """Return the stop of a rung.

        Of two that live it is the one at the rung's stop; the other is deleted.
        """
        if one is None or not one.live or not one.gtt_id or not other.live:
            return other
        stands = not other.gtt_id
        for leg in one.legs:
            if leg.trigger == rung.stop:
                stands = True
        kept = one if stands else other
        gone = other if stands else one
        if gone.gtt_id:
            self.state.stray_gtts[gone.intent] = gone
        return kept

    # fills, positions and the day

    def _rebook_earlier_fills(self) -> None:
        """Book the fills of earlier days, and divide shares between them, each on its day."""
        divisions = self.records.divisions
        done = 0
        for fill in self.records.fills:
            if fill.ts >= self.records.day_start:
                continue
            while done < len(divisions) and divisions[done].event.before <= fill.ts:
                self.divisions.divide_shares(divisions[done].event)
                done += 1
            self._rebook_fill(fill, today=False)
        for division in divisions[done:]:
            self.divisions.divide_shares(division.event)

    def _carry_positions(self) -> None:
        """Give the ledger the open positions of earlier days.

        The day's P&L counts from the previous close. A position goes on with the average it had,
        over all rungs of a strategy. Intraday shares of an earlier day are gone: the broker has
        closed or converted them. No stop and no exit is sent for them, which would open a position;
        they stand as a difference until the operator has written them off.
        """
        costs: dict[tuple[str, int], tuple[int, int]] = {}
        for each in self.records.evening_costs:
            costs[each.strategy, int(each.token)] = int(each.quantity), int(each.cost)
        held: dict[tuple[str, int], tuple[int, float]] = {}
        for ladder in self.state.ladders.values():
            for rung in ladder.rungs:
                if rung.quantity:
                    if ladder.plan.product is Product.MIS:
                        rung.protect_at = NEVER
                        rung.retry_at = NEVER
                    at = ladder.strategy, int(ladder.instrument.token)
                    shares = int(ladder.sign * rung.quantity)
                    quantity, paid = held.get(at, (0, 0.0))
                    held[at] = quantity + shares, paid + float(shares) * rung.average * 100.0
        for (strategy, token), (quantity, paid) in held.items():
            if quantity:
                known, cost = costs.get((strategy, token), (0, 0))
                whole = float(cost) if known == quantity else paid
                self.ledger.carry(strategy, token, quantity, whole / float(quantity) / 100.0)
                close = self._previous_close(token)
                self.ledger.mark(token, close or paid / float(quantity) / 100.0)
        self.state.net_at_open = self.ledger.net
        for slot in self.state.slots:
            slot.net_at_open = self.ledger.strategy_net(slot.name)

    def _previous_close(self, token: i64) -> float:
        """Return an instrument's previous close, divided as its shares are today (0.0: unknown)."""
        market = self.state.markets[token]
        high = 0.0
        for ladder in market.ladders:
            for rung in ladder.rungs:
                high = max(high, rung.high)
        close = market.instrument.close
        for division in self.records.divisions:
            event = division.event
            if event.token == token and event.before == self.records.day_start:
                close = divided_price(close, event, high)
        return close

    def _rebook_fill(self, fill: KeptFill, today: bool) -> None:
        """Book a fill again: the same sums, without new charges, rows or digest."""
        order = self.order_store.orders[fill.intent]
        self.order_reports.applied.add(order.order_id + " " + fill.trade_id)
        if today and is_correction(order):
            self._rebook_correction(order, fill.ts, fill.price)
        else:
            self.order_reports.rebook(
                order,
                fill.trade_id,
                ts=fill.ts,
                quantity=fill.quantity,
                price=fill.price,
                charges=fill.charges,
                today=today,
            )

    def _rebook_correction(self, order: Order, ts: i64, price: float) -> None:
        """Book a correction of today again.

        The day's P&L counts from the last price of its moment, the order's own.
        """
        self.ledger.mark(order.token, order.price)
        before = self.ledger.net
        self.order_reports.rebook(
            order, "", ts=ts, quantity=order.quantity, price=price, charges=0, today=True
        )
        self.ledger.mark(order.token, order.price)
        self.state.net_at_open += self.ledger.net - before

    def _count_day(self) -> None:
        """Count today's trades again, and give the limits the day's highest P&L.

        A restart then loosens none of them.
        """
        records = self.records
        for strategy, pnl in records.round_trips:
            self.ladder_book.count_round_trip(strategy, pnl)
        self.state.peak = records.peak
        for slot in self.state.slots:
            slot.peak = records.strategy_peaks.get(slot.name, 0)
            reason = records.hand_stops.get(slot.name, "")
            # A fault of the new process is the more urgent news, and stays.
            slot.hand_stopped = reason != ""
            if slot.hand_stopped and not slot.stopped:
                slot.stopped = reason
