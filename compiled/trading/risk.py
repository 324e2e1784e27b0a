"""Pre-trade checks with a standard reason code each, and the limits that halt."""

from enum import IntEnum
from typing import final

from mypy_extensions import i64, mypyc_attr

from compiled.model.number_bounds import (
    HELD,
    LEGS,
    MINUTES,
    MONEY,
    ORDER,
    PERCENT,
    PRICE,
    RUNGS,
    SECONDS,
    saturating_add,
)
from compiled.model.order_terms import OrderChange
from compiled.model.values import Instrument, paise
from compiled.trading.ladder import EntryPlan, LadderPlan


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


@final
class RiskLimits:
    """The operator's limits: money in paise, 0 switches a limit off.

    Those named `strategy_…` hold for each strategy alone.
    """

    def __init__(
        self,
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

    def set_limit(self, name: str, value: float) -> None:
        """Set a limit by name, in this class's units; "budget.NAME" is a strategy's budget.

        Raises `AttributeError`.
        """
        if name.startswith("budget."):
            self.budgets[name[7:]] = i64(int(value))
        elif name == "price_range_percent":
            self.price_range_percent = value
        else:
            # A name that is no limit raises here, and sets nothing.
            getattr(self, name)
            setattr(self, name, int(value))


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class LimitUsage:
    """The used part of the limits right now, orders in flight counted at their worst.

    `recent` counts the strategy's entries within a minute.
    """

    def __init__(self) -> None:
        self.exposure: i64 = 0
        self.positions: i64 = 0
        self.symbol_positions: i64 = 0
        self.symbol_exposure: i64 = 0
        self.recent: i64 = 0
        self.strategy_exposure: i64 = 0
        self.trades: i64 = 0
        self.funds: i64 = 0


def plan_out_of_bounds(plan: LadderPlan) -> str:
    """Return the first number of a plan that is out of its bounds, empty where there is none."""
    if len(plan.rungs) == 0 or len(plan.rungs) > RUNGS:
        return _bounds_text("rungs", float(len(plan.rungs)), 1.0, float(RUNGS))
    # Written as `not low <= x <= high`, so that a NaN is out of bounds.
    for rung in plan.rungs:
        if not 0.0 <= rung.trigger_percent <= PERCENT:
            return _bounds_text("trigger_percent", rung.trigger_percent, 0.0, PERCENT)
        if not 0.0 <= rung.stop_percent < 100.0:
            return _bounds_text("stop_percent", rung.stop_percent, 0.0, 100.0)
        if not 0.0 <= rung.target_percent <= PERCENT:
            return _bounds_text("target_percent", rung.target_percent, 0.0, PERCENT)
    if not 0 <= plan.quantity <= HELD:
        return _bounds_text("quantity", float(plan.quantity), 0.0, float(HELD))
    if not 0 <= plan.capital <= MONEY:
        return _bounds_text("capital", float(plan.capital), 0.0, float(MONEY))
    if not 0 <= plan.risk <= MONEY:
        return _bounds_text("risk", float(plan.risk), 0.0, float(MONEY))
    if not 0.0 <= plan.swing <= PRICE:
        return _bounds_text("swing", plan.swing, 0.0, PRICE)
    if not 0.0 <= plan.stop_gap_percent < 100.0:
        return _bounds_text("stop_gap_percent", plan.stop_gap_percent, 0.0, 100.0)
    if not 0.0 <= plan.trail_step_percent <= 100.0:
        return _bounds_text("trail_step_percent", plan.trail_step_percent, 0.0, 100.0)
    if not 0 <= plan.trail_seconds <= SECONDS:
        return _bounds_text("trail_seconds", float(plan.trail_seconds), 0.0, float(SECONDS))
    if not 0 <= plan.entry_seconds <= SECONDS:
        return _bounds_text("entry_seconds", float(plan.entry_seconds), 0.0, float(SECONDS))
    return _entry_out_of_bounds(plan.entry)


def _entry_out_of_bounds(entry: EntryPlan) -> str:
    terms = entry.terms
    if not 0.0 <= entry.price <= PRICE:
        return _bounds_text("price", entry.price, 0.0, PRICE)
    if not 0.0 <= entry.trigger <= PRICE:
        return _bounds_text("trigger", entry.trigger, 0.0, PRICE)
    if not -1.0 <= entry.protection <= 100.0:
        return _bounds_text("protection", entry.protection, -1.0, 100.0)
    if not 0 <= terms.minutes <= MINUTES:
        return _bounds_text("minutes", float(terms.minutes), 0.0, float(MINUTES))
    if not 0 <= terms.legs <= LEGS:
        return _bounds_text("legs", float(terms.legs), 0.0, float(LEGS))
    if not 0 <= terms.disclosed <= HELD:
        return _bounds_text("disclosed", float(terms.disclosed), 0.0, float(HELD))
    return ""


def change_out_of_bounds(change: OrderChange) -> str:
    """Return the first number of a modification out of its bounds, empty without one."""
    if not 0 <= change.quantity <= HELD:
        return _bounds_text("quantity", float(change.quantity), 0.0, float(HELD))
    if not 0.0 <= change.price <= PRICE:
        return _bounds_text("price", change.price, 0.0, PRICE)
    if not 0.0 <= change.trigger <= PRICE:
        return _bounds_text("trigger", change.trigger, 0.0, PRICE)
    return ""


def _bounds_text(name: str, number: float, low: float, high: float) -> str:
    return f"{name} {number:g} is not from {low:g} to {high:g}"


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
    if quantity % instrument.lot != 0:
        return RefusalReason.LOT
    if not 0.0 <= price <= PRICE or not instrument.on_grid(price):
        return RefusalReason.TICK
    if instrument.upper > 0.0 and (price < instrument.lower or price > instrument.upper):
        return RefusalReason.PRICE_BAND
    if quantity > ORDER or (instrument.freeze > 0 and quantity > instrument.freeze and not several):
        return RefusalReason.FREEZE_QUANTITY
    value = paise(price, quantity)
    if value >= MONEY or (limits.max_order_value > 0 and value > limits.max_order_value):
        return RefusalReason.ORDER_VALUE
    away = limits.price_range_percent
    if away > 0.0 and reference > 0.0 and abs(price - reference) > reference * away / 100.0:
        return RefusalReason.PRICE_RANGE
    return RefusalReason.OK


def check_usage(strategy: str, value: i64, usage: LimitUsage, limits: RiskLimits) -> RefusalReason:
    """Check an entry of `value` paise against the desk's limits."""
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
    budget = limits.budgets.get(strategy, 0)
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
        return "daily loss limit"
    if drawdown > 0 and net <= saturating_add(peak, -drawdown):
        return "drawdown limit"
    if in_a_row > 0 and losses >= in_a_row:
        return "consecutive losses"
    return ""
