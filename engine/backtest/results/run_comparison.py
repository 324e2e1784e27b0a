"""Two results side by side: their ingredients, their metrics, and the round trips of only one."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.backtest.run_outcome import RoundTrip, RunOutcome
from engine.backtest.statistics.run_metrics import RunMetric

OF_ITSELF = frozenset({"run", "made", "seconds", "command"})
"""What differs between any two runs."""


class OutcomeChange(NamedTuple):
    """One thing that differs; `change` is the difference of two numbers, else empty."""

    what: str
    before: str
    after: str
    change: str


def compare_outcomes(
    before: RunOutcome,
    before_metrics: Sequence[RunMetric],
    after: RunOutcome,
    after_metrics: Sequence[RunMetric],
) -> list[OutcomeChange]:
    """Return the differences of two results: ingredients, then metrics, then round trips."""
    return [
        *_manifest_changes(before, after),
        *_metric_changes(before_metrics, after_metrics),
        *_trade_changes(before.trades, after.trades),
    ]


def _manifest_changes(before: RunOutcome, after: RunOutcome) -> list[OutcomeChange]:
    left, right = (_flat_fields(msgspec.to_builtins(each.manifest)) for each in (before, after))
    return [
        OutcomeChange(name, _value_text(left.get(name)), _value_text(right.get(name)), "")
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name) and name not in OF_ITSELF
    ]


def _flat_fields(value: object, name: str = "") -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    found: dict[str, object] = {}
    for key, each in value.items():
        found |= _flat_fields(each, f"{name}.{key}" if name else str(key))
    return found


def _metric_changes(before: Sequence[RunMetric], after: Sequence[RunMetric]) -> list[OutcomeChange]:
    left, right = ({each.key: each for each in metrics} for metrics in (before, after))
    found = []
    for key in dict.fromkeys([*left, *right]):
        one, two = left.get(key), right.get(key)
        first, second = (None if each is None else each.value for each in (one, two))
        named = one or two
        if first == second or named is None:
            continue
        change = ""
        if isinstance(first, int | float) and isinstance(second, int | float):
            change = f"{second - first:{'+.2f' if named.unit == '₹' else '+.4g'}}"
        found.append(
            OutcomeChange(
                f"{named.label} [{named.unit}]",
                _value_text(first, named.unit),
                _value_text(second, named.unit),
                change,
            )
        )
    return found


def _trade_changes(before: Sequence[RoundTrip], after: Sequence[RoundTrip]) -> list[OutcomeChange]:
    left, right = ({_trade_key(each): each for each in trades} for trades in (before, after))
    gone, new = [key for key in left if key not in right], [key for key in right if key not in left]
    other = [
        key
        for key in left
        if key in right and _trade_result(left[key]) != _trade_result(right[key])
    ]
    found = []
    for name, count in (
        ("round trips only before", len(gone)),
        ("round trips only after", len(new)),
        ("round trips that ended otherwise", len(other)),
    ):
        if count:
            found.append(OutcomeChange(name, str(len(left)), str(len(right)), str(count)))
    return found


def _trade_key(trade: RoundTrip) -> tuple[str, str, int, int, int]:
    # Not the number: one trade more would shift the numbers of all that follow.
    return trade.strategy, trade.symbol, trade.side, trade.entry_ts, trade.rung


def _trade_result(trade: RoundTrip) -> tuple[object, ...]:
    return trade.quantity, trade.entry_price, trade.exit_ts, trade.exit_price, trade.charges


def _value_text(value: object, unit: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:{'.2f' if unit == '₹' else '.6g'}}" if isinstance(value, float) else str(value)
