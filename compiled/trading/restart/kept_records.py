"""Records of earlier runs as plain data: the kernel is restored from them after a restart."""

from typing import final

from mypy_extensions import i64

from compiled.model.events import CarriedDivision
from compiled.model.values import Gtt, Order, Side
from compiled.trading.ladder import LadderPlan, RungState


@final
class KeptRung:
    """One rung as it was written last; `number` counts from 1 in its ladder."""

    def __init__(
        self,
        rung_id: i64,
        number: i64,
        state: RungState,
        stop: float,
        target: float,
        high: float,
        closed: i64,
        exit_reason: str,
    ) -> None:
        self.rung_id = rung_id
        self.number = number
        self.state = state
        self.stop = stop
        self.target = target
        self.high = high
        self.closed = closed
        self.exit_reason = exit_reason


@final
class KeptLadder:
    """One ladder as it was written last, and those of its rungs that were."""

    def __init__(
        self,
        ladder_id: i64,
        strategy: str,
        token: i64,
        side: Side,
        plan: LadderPlan,
        created: i64,
        closed: i64,
        leaving: bool,
        reason: str,
    ) -> None:
        self.ladder_id = ladder_id
        self.strategy = strategy
        self.token = token
        self.side = side
        self.plan = plan
        self.created = created
        self.closed = closed
        self.leaving = leaving
        self.reason = reason
        self.rungs: list[KeptRung] = []


@final
class KeptFill:
    """One trade as it was booked, `charges` in paise."""

    def __init__(
        self, intent: i64, trade_id: str, ts: i64, quantity: i64, price: float, charges: i64
    ) -> None:
        self.intent = intent
        self.trade_id = trade_id
        self.ts = ts
        self.quantity = quantity
        self.price = price
        self.charges = charges


@final
class KeptDivision:
    """A division of shares that was taken in; `levels` are a rung's (stop, target, high) before."""

    def __init__(
        self, event: CarriedDivision, levels: dict[int, tuple[float, float, float]]
    ) -> None:
        self.event = event
        self.levels = levels


@final
class KeptCost:
    """A strategy's position of the last evening: signed shares, and their signed cost in paise."""

    def __init__(self, strategy: str, token: i64, quantity: i64, cost: i64) -> None:
        self.strategy = strategy
        self.token = token
        self.quantity = quantity
        self.cost = cost


@final
class KernelRecords:
    """Everything a kernel is restored from; the day begins at `day_start` (ns).

    `requests` are the orders and GTTs as written last, by number: the kernel's own from then on.
    `fills` are sorted by time, `divisions` by their day. `round_trips` are the strategy and P&L
    (paise) of the day's closed trades in their order, `peak` and `strategy_peaks` the day's highest
    P&L (paise). `next_decision` is the first free number, 0 where no decision was written.
    """

    def __init__(self, day_start: i64) -> None:
        self.day_start = day_start
        self.ladders: list[KeptLadder] = []
        self.requests: list[Order | Gtt] = []
        self.fills: list[KeptFill] = []
        self.divisions: list[KeptDivision] = []
        self.evening_costs: list[KeptCost] = []
        self.round_trips: list[tuple[str, int]] = []
        self.next_decision: i64 = 0
        self.peak: i64 = 0
        self.strategy_peaks: dict[str, int] = {}
        self.hand_stops: dict[str, str] = {}
        """Why the operator has stopped a strategy today and not started it again."""
