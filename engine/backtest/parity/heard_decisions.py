"""The decisions that the bars alone make different."""

from typing import final

from engine.backtest.parity.day_records import (
    LEAVE,
    BacktestDay,
    DeskDay,
    ParityTrip,
    StrategySignal,
)
from engine.backtest.parity.decision_matching import PairedDecision, match_days


@final
class HeardDecisions:
    """The decisions that the bars alone make different.

    On the bars that the desk heard the backtest takes what the desk did, and leaves out what only
    the backtest did on its own.
    """

    def __init__(self, desk: DeskDay, backtest: BacktestDay, heard: BacktestDay) -> None:
        # by the same pairing: a decision is the same here where it would be the same there
        own = DeskDay(backtest.signals, backtest.trips, backtest.bars)
        self._taken, self._kept = (_same_decisions(day, heard) for day in (desk, own))

    def has_decided(self, decision: PairedDecision) -> bool:
        """Return whether the backtest on the heard bars decides as the desk did."""
        mine, theirs = (
            _decision_key(decision.kind, signal, trip)
            for signal, trip in (
                (decision.desk, decision.trip),
                (decision.backtest, decision.other),
            )
        )
        return mine in self._taken if mine is not None else theirs not in self._kept


def _same_decisions(day: DeskDay, heard: BacktestDay) -> set[tuple[str, int] | None]:
    return {
        _decision_key(each.kind, each.desk, each.trip)
        for each in match_days(day, heard).decisions
        if each.same
    }


def _decision_key(
    kind: str, signal: StrategySignal | None, trip: ParityTrip | None
) -> tuple[str, int] | None:
    """Return what tells a decision of one side from its others; None where it took none."""
    if kind == LEAVE:
        return (kind, id(trip)) if trip is not None and trip.exit.quantity else None
    of = signal or trip
    return (kind, id(of)) if of is not None else None
