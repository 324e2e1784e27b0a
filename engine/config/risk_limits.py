"""Limits of risk by name: as configured, and between the operator's rupees and the core's paise."""

import math
from typing import Final, get_args

import msgspec
from msgspec.structs import fields

from compiled.model.values import SECOND
from compiled.trading.risk import BUDGET, LIMITS, LimitUnit, RiskLimits
from engine.config.schema import RiskSettings
from engine.config.toml_reader import describe_type
from engine.errors import ConfigError

NAMES: Final = tuple(limit.name for limit in LIMITS)
IN_RUPEES: Final = frozenset(limit.name for limit in LIMITS if limit.unit is LimitUnit.MONEY)


def configured_limits(risk: RiskSettings, stale_after_s: float) -> RiskLimits:
    """Return the configured limits in paise and ns."""
    limits = RiskLimits(stale_after=int(stale_after_s * SECOND))
    for name in NAMES:
        put_limit(limits, name, getattr(risk, name))
    for name, rupees in risk.budget.items():
        put_limit(limits, BUDGET + name, rupees)
    return limits


def checked_value(name: str, value: float) -> float:
    """Return a value the configuration would take for a limit.

    Raise `ConfigError` naming the bounds, or the names.
    """
    if name not in NAMES and not (name.startswith(BUDGET) and len(name) > len(BUDGET)):
        raise ConfigError(f"no limit {name}; there are {', '.join(NAMES)}, budget.STRATEGY")
    kinds = {field.name: field.type for field in fields(RiskSettings)}
    kind = get_args(kinds["budget"])[0] if name.startswith(BUDGET) else kinds[name]
    if name.startswith(BUDGET):
        # A budget is declared as a table of strategies: the bounds are those of its values.
        kind = get_args(kind)[1]
    # Command line and JSON bring 5 as 5.0, which a whole number's bounds refuse.
    number = int(value) if math.isfinite(value) and value == int(value) else value
    try:
        msgspec.convert(number if math.isfinite(value) else None, kind)
    except msgspec.ValidationError:
        raise ConfigError(f"{name}: expected {describe_type(kind)}, got {number:.12g}") from None
    return number


def current_limits(limits: RiskLimits) -> dict[str, float]:
    """Return every limit by name, money in rupees; 0: not limited."""
    found = {name: shown_value(name, getattr(limits, name)) for name in NAMES}
    return found | {
        BUDGET + name: shown_value(BUDGET + name, int(paise))
        for name, paise in limits.budgets.items()
    }


def shown_value(name: str, value: float) -> float:
    """Return what is counted in paise in rupees."""
    return value / 100 if _is_money(name) else value


def core_value(name: str, value: float) -> float:
    """Return what is set in rupees in paise."""
    return float(value * 100 if _is_money(name) else value)


def put_limit(limits: RiskLimits, name: str, value: float) -> None:
    """Set a limit that stands in the operator's units."""
    limits.set_limit(name, core_value(name, value))


def _is_money(name: str) -> bool:
    return name in IN_RUPEES or name.startswith(BUDGET)
