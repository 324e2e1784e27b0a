"""Two results side by side: of what they were made, what came of it, and which round trips are not in both."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.backtest.metrics import Metric
from engine.backtest.outcome import Outcome, Trade

OF_ITSELF = frozenset({"run", "made", "seconds", "command"})
"""What differs between any two runs."""


class Change(NamedTuple):
    """One thing that differs; `change` is the difference of two numbers, else empty."""

    what: str
    before: str
    after: str
    change: str


def compared(
    before: Outcome, before_metrics: Sequence[Metric], after: Outcome, after_metrics: Sequence[Metric]
) -> list[Change]:
    """Return what differs between two results: first what they were made of, then metrics, then round trips."""
    return [*_manifests(before, after), *_metrics(before_metrics, after_metrics), *_trades(before.trades, after.trades)]


def _manifests(before: Outcome, after: Outcome) -> list[Change]:
    left, right = (_flat(msgspec.to_builtins(each.manifest)) for each in (before, after))
    return [
        Change(name, _text(left.get(name)), _text(right.get(name)), "")
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name) and name not in OF_ITSELF
    ]


def _flat(value: object, name: str = "") -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    found: dict[str, object] = {}
    for key, each in value.items():
        found |= _flat(each, f"{name}.{key}" if name else str(key))
    return found


def _metrics(before: Sequence[Metric], after: Sequence[Metric]) -> list[Change]:
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
            change = f"{second - first:+.4g}"
        found.append(Change(f"{named.label} [{named.unit}]", _text(first), _text(second), change))
    return found


def _trades(before: Sequence[Trade], after: Sequence[Trade]) -> list[Change]:
    left, right = ({_known_by(each): each for each in trades} for trades in (before, after))
    gone, new = [key for key in left if key not in right], [key for key in right if key not in left]
    other = [key for key in left if key in right and _made(left[key]) != _made(right[key])]
    found = []
    for name, count in (
        ("round trips only before", len(gone)),
        ("round trips only after", len(new)),
        ("round trips that ended otherwise", len(other)),
    ):
        if count:
            found.append(Change(name, str(len(left)), str(len(right)), str(count)))
    return found


def _known_by(trade: Trade) -> tuple[str, str, int, int, int]:
    return trade.strategy, trade.symbol, trade.side, trade.entry_ts, trade.rung


def _made(trade: Trade) -> tuple[object, ...]:
    return trade.quantity, trade.entry_price, trade.exit_ts, trade.exit_price, trade.charges


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
