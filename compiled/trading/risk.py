"""Pre-trade checks with a standard reason code each, the limits behind them, and those that halt.

`LIMITS` describes every limit once. A new check with a limit is: a reason, an attribute of
`RiskLimits`, the check, its row here; and its setting in `engine/config/schema.py`. What it uses up
is an attribute of `LimitUsage`, counted in `DeskView`; where a working entry counts itself,
`change_verdict` takes it off again. `docs/risk.md` and screens follow from the row.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.exchange_rules import exceeds_freeze, is_in_lots, is_inside_band
from compiled.model.number_bounds import HELD, MONEY, ORDER, PRICE, saturating_add
from compiled.model.values import Instrument, paise
from compiled.trading.ladder import LadderPlan


class RefusalReason(IntEnum):
    """The reason of a refused entry; `docs/risk.md` lists them for the operator."""

    OK = 0
    KILLED = 1
    NOT_READY = 2
    SESSION = 3
    STALE_DATA = 4
    SIZE_ZERO = 5
    LOT = 6
    TICK = 7
    PRICE_BAND = 8
    FREEZE_QUANTITY = 9
    ORDER_VALUE = 10
    PRICE_RANGE = 11
    DUPLICATE = 12
    POSITIONS = 13
    POSITIONS_PER_SYMBOL = 14
    TRADES_PER_DAY = 15
    EXPOSURE = 16
    STRATEGY_BUDGET = 17
    FUNDS = 18
    SHORT_DELIVERY = 19
    STRATEGY_STOPPED = 20
    PRODUCT = 21
    SQUARE_OFF = 22
    TERMS = 23
    NOT_WORKING = 24
    MODIFICATIONS = 25
    THROTTLE = 26
    SYMBOL_EXPOSURE = 27
    VARIETY = 28
    WARMING = 29
    INDEX = 30
    LIMIT_ONLY = 31
    BOUNDS = 32
    STOP_DISTANCE = 33
    GTTS = 34


@final
class RiskLimits:
    """The operator's limits: money in paise, 0 switches a limit off.

    Those named `strategy_…` hold for each strategy alone.
    """

    def __init__(
        self,
        *,
        max_order_value: i64 = 0,
        max_exposure: i64 = 0,
        max_positions: i64 = 0,
        max_positions_per_symbol: i64 = 0,
        max_trades_per_day: i64 = 0,
        max_daily_loss: i64 = 0,
        max_drawdown: i64 = 0,
        max_consecutive_losses: i64 = 0,
        price_range_percent: float = 0.0,
        stale_after: i64 = 0,
        max_symbol_exposure: i64 = 0,
        max_orders_per_minute: i64 = 0,
        strategy_daily_loss: i64 = 0,
        strategy_drawdown: i64 = 0,
        strategy_consecutive_losses: i64 = 0,
    ) -> None:
        self.max_order_value = max_order_value
        self.max_exposure = max_exposure
        self.max_positions = max_positions
        self.max_positions_per_symbol = max_positions_per_symbol
        self.max_trades_per_day = max_trades_per_day
        self.max_daily_loss = max_daily_loss
        self.max_drawdown = max_drawdown
        self.max_consecutive_losses = max_consecutive_losses
        self.price_range_percent = price_range_percent
        self.stale_after = stale_after
        self.max_symbol_exposure = max_symbol_exposure
        self.max_orders_per_minute = max_orders_per_minute
        self.strategy_daily_loss = strategy_daily_loss
        self.strategy_drawdown = strategy_drawdown
        self.strategy_consecutive_losses = strategy_consecutive_losses
        self.budgets: dict[str, i64] = {}

    @property
    def by_strategy(self) -> bool:
        """Return whether a limit on the losses of single strategies is set."""
        return (
            self.strategy_daily_loss > 0
            or self.strategy_drawdown > 0
            or self.strategy_consecutive_losses > 0
        )

    @property
    def halts(self) -> bool:
        """Return whether a limit is set that stops the desk or a strategy on its losses."""
        whole = self.max_daily_loss > 0 or self.max_drawdown > 0 or self.max_consecutive_losses > 0
        return whole or self.by_strategy

    def value_of(self, name: str, strategy: str = "") -> i64:
        """Return a limit by name, in this class's units; "budget." is the budget of `strategy`."""
        if name == BUDGET:
            return self.budgets.get(strategy, 0)
        value: i64 = getattr(self, name)
        return value

    def set_limit(self, name: str, value: float) -> None:
        """Set a limit by name, in this class's units; "budget.NAME" is a strategy's budget.

        Raises `AttributeError`.
        """
        if name.startswith(BUDGET):
            self.budgets[name[len(BUDGET) :]] = i64(int(value))
        # A name that is no limit raises here, and sets nothing.
        elif isinstance(getattr(self, name), float):
            setattr(self, name, value)
        else:
            setattr(self, name, int(value))


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class LimitUsage:
    """The used part of the limits right now, orders in flight counted at their worst.

    The figures of a symbol are of `token`, those of a strategy of `strategy`. `recent` counts the
    strategy's entries within a minute. `lost`, `fallen` (below the best of the day; both in paise)
    and `losses` (trades in a row) are what the limits that halt look at.
    """

    def __init__(self, token: i64 = 0, strategy: str = "") -> None:
        self.token = token
        self.strategy = strategy
        self.exposure: i64 = 0
        self.positions: i64 = 0
        self.symbol_positions: i64 = 0
        self.symbol_exposure: i64 = 0
        self.recent: i64 = 0
        self.strategy_exposure: i64 = 0
        self.trades: i64 = 0
        self.funds: i64 = 0
        self.lost: i64 = 0
        self.fallen: i64 = 0
        self.losses: i64 = 0

    def count_position(self, token: i64, strategy: str, value: i64) -> None:
        """Count a position of `value` paise, held or under way."""
        self.positions += 1
        self.exposure += value
        if token == self.token:
            self.symbol_positions += 1
            self.symbol_exposure += value
        if strategy == self.strategy:
            self.strategy_exposure += value

    def note_result(self, net: i64, peak: i64, losses: i64) -> None:
        """Take note of a P&L of the day and its best (paise), and of the losing trades in a row."""
        self.lost = -net if net < 0 else 0
        self.fallen = peak - net if net < peak else 0
        self.losses = losses


@final
class UsageCensus:
    """The use of every limit: by the desk, by each instrument and by each strategy."""

    def __init__(self) -> None:
        self.desk = LimitUsage()
        self.symbols: dict[int, LimitUsage] = {}
        self.strategies: dict[str, LimitUsage] = {}

    def of_strategy(self, name: str) -> LimitUsage:
        """Return what a strategy uses."""
        if name not in self.strategies:
            self.strategies[name] = LimitUsage(0, name)
        return self.strategies[name]

    def count_position(self, token: i64, strategy: str, value: i64) -> None:
        """Count a position with its instrument and its strategy; the desk's are counted already."""
        if token not in self.symbols:
            self.symbols[token] = LimitUsage(token)
        self.symbols[token].count_position(token, "", value)
        self.of_strategy(strategy).count_position(0, strategy, value)

    def used(self, limit: "RiskLimit") -> int:
        """Return the used part of a limit, the largest of several; -1 without a use."""
        if limit.used is None:
            return -1
        if limit.scope is LimitScope.DESK:
            return limit.used(self.desk)
        # The fullest one is what the next entry may meet.
        each = self.symbols if limit.scope is LimitScope.SYMBOL else self.strategies
        return max([limit.used(usage) for usage in each.values()], default=0)


class LimitUnit(IntEnum):
    """The unit that a limit counts in: paise, things, or percent."""

    MONEY = 0
    COUNT = 1
    PERCENT = 2


class LimitScope(IntEnum):
    """For what a limit holds: an order, the desk, or each instrument or strategy alone."""

    ORDER = 0
    DESK = 1
    SYMBOL = 2
    STRATEGY = 3


class RiskLimit(NamedTuple):
    """One limit: its setting, its unit, and what it does.

    Where it refuses an entry it has a `reason`, else (OK) it halts. `words` say why, `used` is what
    an entry adds to (None: it looks at each order by itself); `within` is the time it counts in.
    With a `title` it stands in the risk pane.
    """

    name: str
    unit: LimitUnit
    scope: LimitScope
    reason: RefusalReason = RefusalReason.OK
    words: str = ""
    used: Callable[[LimitUsage], int] | None = None
    within: str = ""
    title: str = ""

    def figures(self, value: i64, usage: LimitUsage, limit: i64) -> str:
        """Return what was too much for an entry of `value` paise."""
        if self.used is None:
            return f"{rupees(value)} is above {rupees(limit)}"
        used = self.used(usage)
        if self.unit is LimitUnit.COUNT:
            return f"{used} of {limit}{self.within}"
        return f"{rupees(used)} + {rupees(value)} is above {rupees(limit)}"


DAILY_LOSS: Final = "daily loss limit"
DRAWDOWN: Final = "drawdown limit"
LOSSES: Final = "consecutive losses"
BUDGET: Final = "budget."
"""How the name of a strategy's budget begins."""

LIMITS: Final[tuple[RiskLimit, ...]] = (
    RiskLimit(
        "max_daily_loss",
        LimitUnit.MONEY,
        LimitScope.DESK,
        words=DAILY_LOSS,
        used=lambda usage: usage.lost,
        title="Daily loss",
    ),
    RiskLimit(
        "max_drawdown",
        LimitUnit.MONEY,
        LimitScope.DESK,
        words=DRAWDOWN,
        used=lambda usage: usage.fallen,
        title="Drawdown",
    ),
    RiskLimit(
        "max_consecutive_losses",
        LimitUnit.COUNT,
        LimitScope.DESK,
        words=LOSSES,
        used=lambda usage: usage.losses,
    ),
    RiskLimit(
        "strategy_daily_loss",
        LimitUnit.MONEY,
        LimitScope.STRATEGY,
        words=DAILY_LOSS,
        used=lambda usage: usage.lost,
    ),
    RiskLimit(
        "strategy_drawdown",
        LimitUnit.MONEY,
        LimitScope.STRATEGY,
        words=DRAWDOWN,
        used=lambda usage: usage.fallen,
    ),
    RiskLimit(
        "strategy_consecutive_losses",
        LimitUnit.COUNT,
        LimitScope.STRATEGY,
        words=LOSSES,
        used=lambda usage: usage.losses,
    ),
    RiskLimit(
        "max_order_value",
        LimitUnit.MONEY,
        LimitScope.ORDER,
        RefusalReason.ORDER_VALUE,
        "the order is too large",
    ),
    RiskLimit(
        "price_range_percent",
        LimitUnit.PERCENT,
        LimitScope.ORDER,
        RefusalReason.PRICE_RANGE,
        "the price is too far from the last one",
    ),
    RiskLimit(
        "max_orders_per_minute",
        LimitUnit.COUNT,
        LimitScope.STRATEGY,
        RefusalReason.THROTTLE,
        "the strategy has entered too often within a minute",
        lambda usage: usage.recent,
        within=" within a minute",
    ),
    RiskLimit(
        "max_positions",
        LimitUnit.COUNT,
        LimitScope.DESK,
        RefusalReason.POSITIONS,
        "too many rungs are open",
        lambda usage: usage.positions,
        title="Positions",
    ),
    RiskLimit(
        "max_positions_per_symbol",
        LimitUnit.COUNT,
        LimitScope.SYMBOL,
        RefusalReason.POSITIONS_PER_SYMBOL,
        "too many in this instrument",
        lambda usage: usage.symbol_positions,
    ),
    RiskLimit(
        "max_trades_per_day",
        LimitUnit.COUNT,
        LimitScope.DESK,
        RefusalReason.TRADES_PER_DAY,
        "too many entries today",
        lambda usage: usage.trades,
        title="Entries today",
    ),
    RiskLimit(
        "max_exposure",
        LimitUnit.MONEY,
        LimitScope.DESK,
        RefusalReason.EXPOSURE,
        "all positions together would be too large",
        lambda usage: usage.exposure,
        title="Exposure",
    ),
    RiskLimit(
        "max_symbol_exposure",
        LimitUnit.MONEY,
        LimitScope.SYMBOL,
        RefusalReason.SYMBOL_EXPOSURE,
        "the positions in this instrument would be too large",
        lambda usage: usage.symbol_exposure,
    ),
)
"""Every limit with a name of its own: those that halt, then the checks in their order."""
STRATEGY_BUDGET: Final = RiskLimit(
    BUDGET,
    LimitUnit.MONEY,
    LimitScope.STRATEGY,
    RefusalReason.STRATEGY_BUDGET,
    "the strategy's own budget is used up",
    lambda usage: usage.strategy_exposure,
)
"""The limit of which each strategy has one of its own."""
REFUSING: Final[dict[RefusalReason, RiskLimit]] = {
    limit.reason: limit
    for limit in (*LIMITS, STRATEGY_BUDGET)
    if limit.reason is not RefusalReason.OK
}
"""The limits by the reason with which they refuse, in the order of the checks."""


def rupees(amount: i64) -> str:
    """Return paise as rupees with two decimals."""
    return f"₹{float(amount) / 100.0:.2f}"


def whole_lots(instrument: Instrument, capital: i64, price: float) -> i64:
    """Return the whole lots that `capital` paise buy at `price`, in shares."""
    if price <= 0.0:
        return 0
    lot = instrument.lot
    one = paise(price, lot)
    if one <= 0:
        return 0
    lots = capital // one
    # The product could leave 63 bits for a price of paise and a large capital.
    return HELD if lots > HELD // lot else lots * lot


def rung_size(instrument: Instrument, plan: LadderPlan, stop_percent: float, price: float) -> i64:
    """Return the shares of a rung by its plan, at most those its capital buys.

    They are a fixed number, or those its risk allows. With a risk, that is the loss at the stop;
    with a swing as well, the position's move with the price.
    """
    if plan.quantity > 0:
        return plan.quantity
    bought = whole_lots(instrument, plan.capital, price)
    if plan.risk <= 0:
        return bought
    # Without a swing the loss at the stop is the measure of risk.
    away = plan.swing if plan.swing > 0.0 else price * stop_percent / 100.0
    risked = whole_lots(instrument, plan.risk, away)
    return min(risked, bought) if plan.capital > 0 else risked


def check_order(
    instrument: Instrument,
    quantity: i64,
    price: float,
    reference: float,
    limits: RiskLimits,
    several: bool = False,
) -> RefusalReason:
    """Check an order by itself: quantity, grid, band, freeze quantity, value, price range.

    `several`: the broker makes several orders of it, none of them above the freeze quantity. None
    is above `ORDER`, whether there is a freeze quantity or not.
    """
    # In the order in which the operator can mend it: size, then grid and band, then the limits.
    if quantity <= 0:
        return RefusalReason.SIZE_ZERO
    if not is_in_lots(instrument, quantity):
        return RefusalReason.LOT
    if not 0.0 <= price <= PRICE or not instrument.on_grid(price):
        return RefusalReason.TICK
    if not is_inside_band(instrument, price):
        return RefusalReason.PRICE_BAND
    if quantity > ORDER or (exceeds_freeze(instrument, quantity) and not several):
        return RefusalReason.FREEZE_QUANTITY
    value = paise(price, quantity)
    if value >= MONEY or (limits.max_order_value > 0 and value > limits.max_order_value):
        return RefusalReason.ORDER_VALUE
    away = limits.price_range_percent
    if away > 0.0 and reference > 0.0 and abs(price - reference) > reference * away / 100.0:
        return RefusalReason.PRICE_RANGE
    return RefusalReason.OK


def check_usage(value: i64, usage: LimitUsage, limits: RiskLimits) -> RefusalReason:
    """Check what an entry of `value` paise would make of the desk's limits."""
    # In the order of `LIMITS`, which `docs/risk.md` shows: the first that refuses is named.
    if limits.max_orders_per_minute > 0 and usage.recent >= limits.max_orders_per_minute:
        return RefusalReason.THROTTLE
    if limits.max_positions > 0 and usage.positions >= limits.max_positions:
        return RefusalReason.POSITIONS
    if (
        limits.max_positions_per_symbol > 0
        and usage.symbol_positions >= limits.max_positions_per_symbol
    ):
        return RefusalReason.POSITIONS_PER_SYMBOL
    if limits.max_trades_per_day > 0 and usage.trades >= limits.max_trades_per_day:
        return RefusalReason.TRADES_PER_DAY
    # Saturating: a sum beyond the bounds must count as too much, not wrap around to a small one.
    if limits.max_exposure > 0 and saturating_add(usage.exposure, value) > limits.max_exposure:
        return RefusalReason.EXPOSURE
    if (
        limits.max_symbol_exposure > 0
        and saturating_add(usage.symbol_exposure, value) > limits.max_symbol_exposure
    ):
        return RefusalReason.SYMBOL_EXPOSURE
    budget = limits.budgets.get(usage.strategy, 0)
    if budget > 0 and saturating_add(usage.strategy_exposure, value) > budget:
        return RefusalReason.STRATEGY_BUDGET
    if value > usage.funds:
        return RefusalReason.FUNDS
    return RefusalReason.OK


def halt_reason(net: i64, peak: i64, losses: i64, limits: RiskLimits) -> str:
    """Return why trading must stop at this day's P&L after charges and its peak, else "".

    Both are paise.
    """
    return _reached_limit(
        net,
        peak,
        losses=losses,
        daily_loss=limits.max_daily_loss,
        drawdown=limits.max_drawdown,
        in_a_row=limits.max_consecutive_losses,
    )


def stop_reason(net: i64, peak: i64, losses: i64, limits: RiskLimits) -> str:
    """Return why a strategy must stop at its own P&L of the day and its peak, else "".

    Both are paise.
    """
    return _reached_limit(
        net,
        peak,
        losses=losses,
        daily_loss=limits.strategy_daily_loss,
        drawdown=limits.strategy_drawdown,
        in_a_row=limits.strategy_consecutive_losses,
    )


def _reached_limit(
    net: i64, peak: i64, losses: i64, daily_loss: i64, drawdown: i64, in_a_row: i64
) -> str:
    if daily_loss > 0 and net <= -daily_loss:
        return DAILY_LOSS
    if drawdown > 0 and net <= saturating_add(peak, -drawdown):
        return DRAWDOWN
    if in_a_row > 0 and losses >= in_a_row:
        return LOSSES
    return ""
