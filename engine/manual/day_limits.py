"""Limits changed while the desk runs: checked like settings, written down, kept for the day."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from compiled.model.events import LimitUpdate
from compiled.trading.risk import RiskLimits
from engine.config.risk_limits import checked_value, core_value, current_limits, put_limit
from engine.errors import ConfigError
from engine.operator_requests import LimitRequest
from engine.ports import Journal


class DayLimitChange(NamedTuple):
    """A limit as the operator sets it: rupees, a count or a percentage."""

    name: str
    value: float
    reason: str
    who: str


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


def loosens_limit(limits: RiskLimits, name: str, value: float) -> bool:
    """Return whether a change allows more than now: a higher value, or none where there was one."""
    now = current_limits(limits).get(name, 0)
    # 0 switches a limit off, so that the smallest figure is the loosest.
    return now > 0 and (value == 0 or value > now)


def limit_event(ts: int, name: str, value: float) -> LimitUpdate:
    """Return the change as the kernel hears it."""
    return LimitUpdate(ts, name, core_value(name, value))


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
        put_limit(limits, name, value)
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
        put_limit(limits, change.name, change.value)
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
