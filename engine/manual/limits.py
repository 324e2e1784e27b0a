"""Limits changed while the desk runs: checked like settings, written down, kept for the day."""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, get_args

import msgspec
from msgspec.structs import fields

from compiled.model.events import LimitUpdate
from compiled.model.values import SECOND
from compiled.trading.risk import BUDGET, LIMITS, LimitUnit, RiskLimits
from engine.config.schema import RiskSettings
from engine.config.toml_reader import describe_type
from engine.errors import ConfigError
from engine.operator_requests import LimitRequest
from engine.ports import Journal

NAMES: Final = tuple(limit.name for limit in LIMITS)
IN_RUPEES: Final = frozenset(limit.name for limit in LIMITS if limit.unit is LimitUnit.MONEY)


class DayLimitChange(NamedTuple):
    """A limit as the operator sets it: rupees, a count or a percentage."""

    name: str
    value: float
    reason: str
    who: str


def configured_limits(risk: RiskSettings, stale_after_s: float) -> RiskLimits:
    """Return the configured limits in paise and ns."""
    limits = RiskLimits(stale_after=int(stale_after_s * SECOND))
    for name in NAMES:
        _put_limit(limits, name, getattr(risk, name))
    for name, rupees in risk.budget.items():
        _put_limit(limits, BUDGET + name, rupees)
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


def loosens_limit(limits: RiskLimits, name: str, value: float) -> bool:
    """Return whether a change allows more than now: a higher value, or none where there was one."""
    now = current_limits(limits).get(name, 0)
    # 0 switches a limit off, so that the smallest figure is the loosest.
    return now > 0 and (value == 0 or value > now)


def limit_event(ts: int, name: str, value: float) -> LimitUpdate:
    """Return the change as the kernel hears it."""
    return LimitUpdate(ts, name, float(value * 100 if _is_money(name) else value))


def keep_change(journal: Journal, ts: int, day: str, change: DayLimitChange) -> None:
    """Write a change down for the rest of the day."""
    journal.append(
        "limits",
        {
            "day": day,
            "name": change.name,
            "value": change.value,
            "reason": change.reason,
            "who": change.who,
            "ts": ts,
        },
    )


def checked_change(limits: RiskLimits, request: LimitRequest) -> DayLimitChange:
    """Return the change that is asked for.

    Raise `ConfigError` for a wrong one, or a looser one unconfirmed.
    """
    value = checked_value(request.name, request.value)
    if not request.reason.strip():
        raise ConfigError("a reason is needed: --reason TEXT")
    if loosens_limit(limits, request.name, value) and not request.confirmed:
        before = current_limits(limits).get(request.name, 0)
        raise ConfigError(
            f"{request.name} from {before:g} to {value:g} allows more than now; confirm with --yes"
        )
    return DayLimitChange(request.name, value, request.reason, request.who)


def restore_limits(
    limits: RiskLimits,
    configured: Mapping[str, float],
    journal: Journal,
    day: str,
    tell: Callable[[str, str, str], None],
) -> dict[str, DayLimitChange]:
    """Go back to the configured limits except this day's changes; return those by name.

    An impossible change is logged, and the configured limit holds.
    """
    # The kernel's limits outlive the day: a budget given by hand yesterday is not in the
    # configuration, and goes.
    for name, value in (dict.fromkeys(current_limits(limits), 0) | dict(configured)).items():
        _put_limit(limits, name, value)
    changes = {}
    for row in journal.load("limits", "day = ?", (day,)):
        change = DayLimitChange(
            str(row["name"]), float(str(row["value"])), str(row["reason"]), str(row["who"])
        )
        try:
            change = change._replace(value=checked_value(change.name, change.value))
        except ConfigError as error:
            tell(
                "alarm",
                "limit",
                f"a change in the database cannot have been made, the configured limit holds: "
                f"{error}",
            )
            continue
        _put_limit(limits, change.name, change.value)
        changes[change.name] = change
    return changes


def listed_limits(
    limits: RiskLimits, configured: Mapping[str, float], changes: Mapping[str, DayLimitChange]
) -> list[dict[str, object]]:
    """Return every limit with its configured value and today's change, with author and reason."""
    return [
        {"name": name, "value": value, "configured": configured.get(name, 0)}
        | ({"who": changes[name].who, "reason": changes[name].reason} if name in changes else {})
        for name, value in current_limits(limits).items()
    ]


def shown_value(name: str, value: float) -> float:
    """Return what is counted in paise in rupees."""
    return value / 100 if _is_money(name) else value


def _is_money(name: str) -> bool:
    return name in IN_RUPEES or name.startswith(BUDGET)


def _put_limit(limits: RiskLimits, name: str, value: float) -> None:
    made = limit_event(0, name, value)
    limits.set_limit(made.name, made.value)
