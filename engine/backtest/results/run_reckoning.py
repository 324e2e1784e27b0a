"""A run's reckoning: fills as columns, round trips with all costs, and the account day by day."""

from typing import NamedTuple

import numpy as np

from engine.backtest.backtest_run import BacktestRun
from engine.backtest.results.round_trips import (
    FillColumns,
    fill_columns,
    kept_overnight,
    trades_of,
    volume_shares,
)
from engine.backtest.results.run_account import RunAccount, account_of, with_debits
from engine.backtest.run_outcome import RoundTrip, RunManifest, RunOutcome
from engine.history.bar_series import BarSeries


class RunReckoning(NamedTuple):
    """Fills, round trips and account of a run.

    `over_night` names intraday positions without a bar to be left with.
    """

    fills: FillColumns
    trades: list[RoundTrip]
    account: RunAccount
    over_night: list[str]


def reckon_run(backtest: BacktestRun, index: BarSeries | None = None) -> RunReckoning:
    """Return the reckoning of a finished run; `index` has the bars it is compared with."""
    names, times = list(backtest.series), backtest.curve[0]
    # what a run that was stopped still holds stands at the price of then
    until = int(times[-1]) if len(times) else 0
    series = [
        bars.pick(slice(0, int(np.searchsorted(bars.start, until))))
        for bars in backtest.series.values()
    ]
    numbers = {
        int(each.token): names.index(symbol) for symbol, each in backtest.market.instruments.items()
    }
    fills, days = backtest.fills, backtest.market.days
    columns = fill_columns(fills, numbers, series)
    heard = backtest.kernel.state.markets
    last = [float(heard[int(backtest.market.instruments[name].token)].ltp) for name in names]
    trades = trades_of(fills, columns, backtest.rungs, names, series, last)
    account = account_of(
        backtest.settings.cash,
        days,
        closes=backtest.closes,
        curve=backtest.curve,
        notes=backtest.notes,
        fills=columns,
        trades=trades,
        series=series,
        index=index,
    )
    return RunReckoning(
        columns,
        with_debits(trades, days, account.debits, columns),
        account,
        kept_overnight(columns, names),
    )


def outcome_of(backtest: BacktestRun, came_to: RunReckoning, manifest: RunManifest) -> RunOutcome:
    """Return all that a run made."""
    account = came_to.account
    return RunOutcome(
        manifest,
        account.daily,
        times=backtest.curve[0],
        curve=account.curve,
        trades=came_to.trades,
        costs=account.costs,
        refused=dict(backtest.kernel.decisions.refusals),
        bars=backtest.bars_done,
        orders=len({int(fill.order.intent) for fill in backtest.fills}),
        volume_shares=volume_shares(came_to.fills, list(backtest.series.values())),
    )
