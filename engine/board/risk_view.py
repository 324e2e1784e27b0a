"""The risk screen's own view: every limit and its use, the governor, the kill switch's history."""

from collections.abc import Mapping

from compiled.trading.kernel import Kernel
from compiled.trading.risk import BUDGET, LIMITS, UsageCensus
from engine.board_rows import (
    GovernorState,
    KillRow,
    LimitRow,
    QueueRow,
)
from engine.board_writer import BoardWriter
from engine.config.risk_limits import current_limits, shown_value
from engine.manual.day_limits import DayLimitChange
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
        self._publish_limits(configured, changes, limit_usage(census))

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
