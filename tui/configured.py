"""What the configuration says, in the units of the engine; light, for the commands that start no desk."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from compiled.model import SECOND
from compiled.risk import Limits
from compiled.strategy import Strategy
from compiled.terms import Exits
from engine.config import Config
from engine.market.calendar import Calendar
from engine.trading.limits import current
from tui.beforehand import enabled


def exits_of(config: Config) -> Exits:
    """Return how exits that rest are pressed."""
    exits = config.exits
    return Exits(exits.patience_s, exits.widen_percent, exits.reach_percent, config.gateway.late_s)


def calendar_of(config: Config) -> Calendar:
    """Return the calendar as the desk keeps it: new hours count when they are certain, or confirmed."""
    return Calendar.load(confirmed=[date.fromisoformat(day) for day in config.market.confirmed])


def modes_of(config: Config) -> dict[str, str]:
    """Return what is only watched, and in which mode."""
    return dict.fromkeys(config.feed.quote, "quote") | dict.fromkeys(config.feed.ltp, "ltp")


def limits_of(config: Config) -> Limits:
    """Return the configured limits in paise and ns."""
    risk = config.risk
    limits = Limits(
        risk.max_order_value * 100, risk.max_exposure * 100, risk.max_positions, risk.max_positions_per_symbol,
        risk.max_trades_per_day, risk.max_daily_loss * 100, risk.max_drawdown * 100, risk.max_consecutive_losses,
        risk.price_range_percent, int(config.feed.stale_after_s * SECOND), risk.max_symbol_exposure * 100,
        risk.max_orders_per_minute, risk.strategy_daily_loss * 100, risk.strategy_drawdown * 100,
        risk.strategy_consecutive_losses,
    )  # fmt: skip
    for name, rupees in risk.budget.items():
        limits.budgets[name] = rupees * 100
    return limits


def settings_of(config: Config, strategies: Sequence[Strategy], watch: Sequence[str]) -> dict[str, Any]:
    """Return what a desk runs with, all that a backtest of its day has to know; `watch` are the symbols it is to see, none: all."""
    from engine.backtest import identity  # noqa: PLC0415  only a desk that begins wants hashes

    built = {each.name: each for each in strategies}
    return {
        "strategies": {name: table for name, _, table in enabled(config) if name in built},
        "sources": {name: identity.source_hash(each) for name, each in built.items()},
        "limits": current(limits_of(config)), "watch": list(watch),
        "slippage_ticks": config.paper.slippage_ticks, "modifies": config.governor.modifies_per_order,
        "exits": [config.exits.patience_s, config.exits.widen_percent, config.exits.reach_percent, config.gateway.late_s],
        "square_off_before_s": config.risk.square_off_before_s, "code": identity.code_hash(),
    }  # fmt: skip
