"""What a run came to: its fills as columns, its round trips with all they cost, and the account day by day."""

from typing import NamedTuple

from engine.backtest.account import Account, account_of, with_debits
from engine.backtest.outcome import Manifest, Outcome, Trade
from engine.backtest.run import Backtest
from engine.backtest.trades import FillColumns, fill_columns, kept_over_night, trades_of
from engine.history.series import BarSeries


class Reckoning(NamedTuple):
    """Fills, round trips and account of a run; `over_night` names intraday positions that no bar was there to leave with."""

    fills: FillColumns
    trades: list[Trade]
    account: Account
    over_night: list[str]


def reckon(backtest: Backtest, index: BarSeries | None = None) -> Reckoning:
    """Return what a run came to that has been played; `index` has the bars it is compared with."""
    names, series = list(backtest.series), list(backtest.series.values())
    numbers = {int(each.token): names.index(symbol) for symbol, each in backtest.market.instruments.items()}
    fills, days = backtest.fills, backtest.market.days
    columns = fill_columns(fills, numbers, series)
    trades = trades_of(fills, columns, backtest.rungs, names, series)
    account = account_of(
        backtest.settings.cash, days, backtest.closes, backtest.curve, backtest.notes, columns, trades, series, index
    )
    return Reckoning(
        columns, with_debits(trades, days, account.debits, columns), account, kept_over_night(fills, numbers, names)
    )


def outcome_of(backtest: Backtest, came_to: Reckoning, manifest: Manifest) -> Outcome:
    """Return all that a run made."""
    account = came_to.account
    return Outcome(
        manifest, account.daily, backtest.curve[0], account.curve, came_to.trades, account.costs,
        dict(backtest.kernel.decisions.refusals), backtest.done, len({int(fill.order.intent) for fill in backtest.fills}),
    )  # fmt: skip
