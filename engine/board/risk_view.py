"""The risk screen's own view: every limit and its use, the governor, the kill switch's history."""

from collections.abc import Mapping

from compiled.trading.kernel import Kernel
from compiled.trading.risk import BUDGET, LIMITS, UsageCensus
from engine.board_rows import (
    OTHERS,
    DayTrades,
    GovernorState,
    KillRow,
    LimitRow,
    QueueRow,
    StrategyRow,
    TradeRow,
)
from engine.board_writer import BoardWriter
from engine.config.risk_limits import current_limits, shown_value
from engine.manual.day_limits import DayLimitChange
from engine.market.calendar import ist_day, midnight
from engine.orders.gateway import OrderGateway
from engine.orders.killswitch import KillSwitch
from engine.orders.queued_requests import PURPOSES

# The history lasts for ever; a screen shows its end.
KILLS_SHOWN = 50


class RiskView:
    """Writes its sections of the board."""

    def __init__(
        self, writer: BoardWriter, kernel: Kernel, gateway: OrderGateway, kill: KillSwitch
    ) -> None:
        self.writer = writer
        self.board = writer.board
        self.kernel = kernel
        self.gateway = gateway
        self.kill = kill
        self._recorded = -1
        self._trips = -1

    def publish(
        self,
        now: int,
        configured: Mapping[str, float],
        changes: Mapping[str, DayLimitChange],
        census: UsageCensus,
    ) -> None:
        """Bring everything up to date; `census` is the use of the limits now."""
        self._publish_governor(now)
        self._publish_kills()
        self._publish_trades()
        self._publish_strategies()
        self._publish_limits(configured, changes, limit_usage(census))

    def _publish_strategies(self) -> None:
        """Show each strategy's P&L of the day, and that without a strategy of the day."""
        kernel, section = self.kernel, self.board.strategies
        # What remains of the day after all strategies of the day: by hand, adopted, or left from
        # before.
        left = int(kernel.state.day_pnl)
        for slot in kernel.state.slots:
            net = int(kernel.ledger.strategy_net(slot.name) - slot.net_at_open)
            left -= net
            self.writer.put(section, slot.name, StrategyRow(slot.name, slot.stopped, net))
        if left:
            self.writer.put(section, OTHERS, StrategyRow(OTHERS, "", left))

    def _publish_trades(self) -> None:
        """Find the best and the worst trade of the day anew when another one is over."""
        kernel = self.kernel
        # Best and worst need a look at every rung of the day, which only another closed trade can
        # change.
        if kernel.state.round_trips == self._trips:
            return
        self._trips = int(kernel.state.round_trips)
        began = midnight(ist_day(int(kernel.state.open)))
        found = [
            TradeRow(
                ladder.instrument.symbol,
                ladder.strategy,
                f"P{rung.number}" if len(ladder.rungs) > 1 else "",
                int(rung.pnl(ladder.sign, 0.0)),
            )
            for ladder in kernel.state.owners.values()
            for rung in ladder.rungs
            if rung.bought and rung.closed >= began and not rung.quantity
        ]
        if found:
            by_pnl = sorted(found, key=lambda trade: trade.pnl)
            self.writer.set_trades(DayTrades(len(found), by_pnl[-1], by_pnl[0]))

    def _publish_governor(self, now: int) -> None:
        governor, waiting = self.gateway.governor, self.gateway.queued_requests()
        state = GovernorState(
            governor.orders_last_second(now),
            governor.rates.orders_per_second,
            last_minute=governor.orders_last_minute(now),
            per_minute=governor.rates.orders_per_minute,
            today=governor.orders_today,
            per_day=governor.rates.orders_per_day,
            waiting=tuple(
                (purpose.name, sum(one.purpose == purpose.name for one in waiting))
                for purpose in PURPOSES
            ),
            held=tuple((purpose.name, governor.held_for(purpose, now)) for purpose in PURPOSES),
            unknown=len(self.gateway.unresolved),
            disk=self.gateway.durable_journal.state,
        )
        self.writer.set_governor(state)
        for number, one in enumerate(waiting):
            row = QueueRow(
                number,
                one.purpose.lower(),
                what=one.what,
                symbol=one.symbol,
                since=one.since,
                due=one.due,
            )
            self.writer.put(self.board.queue, number, row)
        self.writer.keep(self.board.queue, set(range(len(waiting))))

    def _publish_kills(self) -> None:
        """Show the kill switch's history when it has grown.

        The latch itself is there a moment before its record.
        """
        if self._recorded == self.kill.recorded:
            return
        # Read before the history: a pull in between is shown with the next frame, not lost.
        self._recorded = self.kill.recorded
        for seq, row in enumerate(self.kill.history()[-KILLS_SHOWN:]):
            self.writer.put(self.board.kills, seq, KillRow(seq, *row))

    def _publish_limits(
        self,
        configured: Mapping[str, float],
        changes: Mapping[str, DayLimitChange],
        used: Mapping[str, float],
    ) -> None:
        for name, limit in current_limits(self.kernel.limits).items():
            change = changes.get(name)
            note = f"{change.who}: {change.reason}" if change is not None else ""
            self.writer.put(
                self.board.limits,
                name,
                LimitRow(name, used.get(name, -1.0), limit, configured.get(name, 0), note),
            )


def limit_usage(census: UsageCensus) -> dict[str, float]:
    """Return what is used of each limit that anything uses up, by name; money in rupees."""
    used = {
        limit.name: shown_value(limit.name, census.used(limit))
        for limit in LIMITS
        if limit.used is not None
    }
    return used | {
        BUDGET + name: shown_value(BUDGET + name, int(usage.strategy_exposure))
        for name, usage in census.strategies.items()
    }


def governor_fields(state: GovernorState) -> dict[str, object]:
    """Return the governor's state for `patang status`; times in milliseconds."""
    held = {name: ns // 1_000_000 for name, ns in state.held if ns}
    disk = {
        "behind_ms": round(state.disk.behind * 1e3),
        "worst_ms": round(state.disk.worst * 1e3),
        "ahead": state.disk.ahead,
    }
    fields = state._asdict() | {"waiting": dict(state.waiting), "held_ms": held, "disk": disk}
    del fields["held"]
    return fields
