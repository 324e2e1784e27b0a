"""The operator's acts on strategies, as the journal has them: each holds for its day."""

import json
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine.ports import Journal

TABLE: Final = "strategy_acts"
STOP: Final = "stop"
START: Final = "start"
CHANGE: Final = "set"


class ParameterChange(NamedTuple):
    """A parameter as the operator has set it, in the type of the configuration."""

    value: object
    who: str
    reason: str


@dataclass(slots=True)
class StrategyDay:
    """A strategy after all acts of a day: its changed parameters by key, and why it is stopped."""

    changes: dict[str, ParameterChange] = field(default_factory=dict)
    stopped: str = ""
    """Empty: the operator has not stopped it, or has started it again."""


class StrategyActRow(NamedTuple):
    """One act of the operator on a strategy; `values` are those of a change."""

    strategy: str
    act: str
    who: str
    reason: str
    values: dict[str, object]

    @property
    def stop_text(self) -> str:
        """Return why a strategy is stopped by it."""
        return f"by {self.who}: {self.reason}"


def write_act(journal: Journal, ts: int, day: str, act: StrategyActRow) -> None:
    """Write an act down for the rest of the day."""
    journal.append(
        TABLE,
        {
            "ts": ts,
            "day": day,
            "strategy": act.strategy,
            "act": act.act,
            "who": act.who,
            "reason": act.reason,
            "detail": json.dumps(act.values, ensure_ascii=False),
        },
    )


def take_act(days: dict[str, StrategyDay], act: StrategyActRow) -> None:
    """Let an act follow on those before it."""
    day = days.setdefault(act.strategy, StrategyDay())
    # A start keeps the parameters of the day: it begins anew with them.
    if act.act == CHANGE:
        for name, value in act.values.items():
            day.changes[name] = ParameterChange(value, act.who, act.reason)
    else:
        day.stopped = act.stop_text if act.act == STOP else ""


def kept_strategy_days(journal: Journal, day: str) -> dict[str, StrategyDay]:
    """Return the strategies that a day's acts were about, by name.

    Rows stand in the order in which they were written, whatever their clock said.
    """
    days: dict[str, StrategyDay] = {}
    for row in journal.load(TABLE, "day = ?", (day,)):
        values = json.loads(str(row["detail"]))
        take_act(
            days,
            StrategyActRow(
                str(row["strategy"]), str(row["act"]), str(row["who"]), str(row["reason"]), values
            ),
        )
    return days
