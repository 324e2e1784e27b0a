"""The linter's measures of fills and bars: times, prices and volumes of fills."""

from typing import Final

import numpy as np

from compiled.model.values import MINUTE, SECOND
from engine.backtest.linter.linter_case import LinterCase, MeasuredValue
from engine.backtest.statistics.equity_curve import last_places
from engine.history.bar_series import ist_days
from engine.numbers import count, counted

OVERSOLD: Final = "oversold"
"""What the kernel calls it, as the reason of an exit."""
BARS: Final = "the bars of every symbol traded were not given"
JUMP: Final = 0.2
"""Between two sessions, of a close: no more than a day's widest band lets through."""
STALE: Final = 60 * MINUTE
FILLABLE: Final = 0.1
"""Of a bar's volume: what one may hope to trade without being the market."""


def oversold_trades(case: LinterCase) -> MeasuredValue:
    """Measure how many rungs gave away more than they held.

    In them two exits traded, where one should have ended the other.
    """
    found = sum(trade.exit_reason == OVERSOLD for trade in case.outcome.trades)
    return MeasuredValue(found, f"{counted(found, 'trade')} left by more than held")


def outside_hours(case: LinterCase) -> MeasuredValue:
    """Measure how many fills lie before the first bar or after the last one of their day."""
    times, span = case.outcome.times, case.outcome.manifest.span * SECOND
    if not len(times) or not case.fills:
        return MeasuredValue(None, "nothing was filled")
    ts = np.concatenate([fills.ts for fills in case.fills.values()])
    days = ist_days(times)
    ends = last_places(days)
    at = np.minimum(np.searchsorted(days[ends], ist_days(ts)), len(ends) - 1)
    begins = np.concatenate(([0], ends[:-1] + 1))
    # A bar stands for its whole length: fills lie anywhere within it.
    inside = (ts >= times[begins[at]] - span) & (ts <= times[ends[at]] + span)
    outside = int((~inside).sum())
    return MeasuredValue(
        outside, f"{count(outside)} of {counted(len(ts), 'fill')} outside the bars of their day"
    )


def outside_bar(case: LinterCase) -> MeasuredValue:
    """Measure fills at prices that their bar does not have, percent."""
    found = case.fills_in_bars
    if found is None:
        return MeasuredValue(None, BARS)
    value = 100.0 * float((~found.inside).mean())
    return MeasuredValue(
        value,
        f"{int((~found.inside).sum()):,} of {len(found.inside):,} fills at prices their bar did "
        f"not have",
    )


def stale_fills(case: LinterCase) -> MeasuredValue:
    """Measure how many fills have no bar within the hour before."""
    found = case.fills_in_bars
    if found is None:
        return MeasuredValue(None, BARS)
    old = int((found.age >= STALE).sum())
    return MeasuredValue(old, f"{counted(old, 'fill')} at a price an hour old or older")


def volume_share(case: LinterCase) -> MeasuredValue:
    """Measure the 95th percentile of fills in percent of their bar's volume."""
    found = case.fills_in_bars
    if found is None:
        return MeasuredValue(None, BARS)
    known = found.volume > 0
    if not known.any():
        return MeasuredValue(None, "the bars have no volume")
    value = 100.0 * float(np.percentile(found.quantity[known] / found.volume[known], 95))
    # How many times as much money would still be a tenth of the volume.
    room = 100.0 * FILLABLE / value
    return MeasuredValue(
        value,
        f"one fill in twenty takes {value:.2f} % of its bar's volume or more; "
        f"{100 * FILLABLE:.0f} % at {room:.3g} × the money",
    )


def price_jumps(case: LinterCase) -> MeasuredValue:
    """Measure how often a price jumps between two sessions further than a band lets it."""
    if case.bars is None:
        return MeasuredValue(None, BARS)
    found: list[str] = []
    for symbol, bars in case.bars.items():
        data = case.outcome.manifest.data.get(symbol)
        # Adjusted bars have no such jump left to find.
        if len(bars.start) and not (data and data.adjusted):
            ends = last_places(ist_days(bars.start))[:-1]
            moved = np.abs(bars.open[ends + 1] / bars.close[ends] - 1.0) > JUMP
            found += [symbol] * int(moved.sum())
    if not found:
        return MeasuredValue(0, "no price jumps between two sessions")
    return MeasuredValue(
        len(found),
        f"{counted(len(found), 'jump')} of more than {100 * JUMP:.0f} % between two sessions, "
        f"first in {found[0]}",
    )
