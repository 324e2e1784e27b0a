"""What the configuration says, in the units of the engine; light, for the commands that start no desk."""

from datetime import date

from compiled.model import SECOND
from compiled.risk import Limits
from compiled.terms import Exits
from engine.config import Config
from engine.market.calendar import Calendar


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
