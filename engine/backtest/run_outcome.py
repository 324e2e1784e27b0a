"""The results of a backtest: its trades, its days, and the manifest of its ingredients.

Amounts are paise, prices rupees, times ns UTC, days numbers counted from 1970-01-01
(`engine.history.bar_series.ist_days`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from engine.history.bar_series import Floats, Ints

NO_SHARES: Floats = np.zeros(0)
SCHEMA = 1
"""Of a result as JSON: raised with every change that a reader has to know of."""


class RoundTrip(NamedTuple):
    """One round trip: a rung that was entered and left.

    An open one has `exit_ts` 0 and stands at the last price. `side` is 1 for a long one, -1 for a
    short one; prices are averages of its fills. `slippage` is the loss of its fills against the
    price they met, `mae` and `mfe` the worst (at most 0) and best (at least 0) it has stood at,
    before charges.
    """

    number: int
    strategy: str
    symbol: str
    side: int
    ladder: int
    rung: int
    quantity: int
    entry_ts: int
    entry_price: float
    exit_ts: int
    exit_price: float
    gross: int
    charges: int
    slippage: int
    mae: int
    mfe: int
    entry_reason: str
    exit_reason: str

    @property
    def net(self) -> int:
        """Return its P&L after charges."""
        return self.gross - self.charges

    @property
    def is_open(self) -> bool:
        """Return whether it was still held at the end."""
        return self.exit_ts == 0


class DailyColumns(NamedTuple):
    """One row for each session, at its close: one array per field, all of one length.

    `equity` is the account after charges, `gross` without any; `charges`, `turnover` (value bought
    and sold) and `closed` (round trips) are the day's own. `exposure` is the value of all
    positions, long and short added. `benchmark` is the worth of the starting cash in equal parts of
    the same symbols, bought at their first close and held, before charges; `market` the close of
    the index in the history, NaN where it has none.
    """

    day: Ints
    equity: Ints
    gross: Ints
    charges: Ints
    exposure: Ints
    turnover: Ints
    closed: Ints
    benchmark: Floats
    market: Floats


class DataManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The bars of a symbol that a run has read: version, number, first and last start, and hash."""

    version: str
    bars: int
    first: int
    last: int
    sha256: str
    adjusted: bool = False


class RunManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The ingredients of a result: the same manifest gives the same digest."""

    run: str
    made: str
    """When, UTC."""
    name: str
    strategies: dict[str, dict[str, object]]
    """Parameters by strategy."""
    sources: dict[str, str]
    """Hash of each strategy's source."""
    symbols: list[str]
    first: str
    last: str
    """First and last session."""
    span: int
    """Seconds of a bar."""
    data: dict[str, DataManifest]
    golden: bool
    """Whether every bar was a golden one."""
    slippage: str
    config: str
    """Hash of the settings that a result depends on."""
    code: str
    """Hash of the core, and of what runs it."""
    versions: dict[str, str]
    native: bool
    """Whether the core was compiled."""
    start_cash: int
    limits: dict[str, int]
    digest: str
    """Hash over every command and fill."""
    seconds: float
    """What the run took, without reading and reporting."""
    feeds: dict[str, str] = {}
    """Hash of each recording and file of ticks by its name; none: it ran on bars."""
    latency: str = ""
    """Of orders, reports and ticks; empty on bars, which have none."""
    partial: bool = False
    """Whether it was stopped before its last session."""
    compiled: list[str] = []
    """The user's own strategies that ran compiled; `sources` has the hashes of what they were."""
    universe: dict[str, str] = {}
    """The file that the symbols are of, and its hash."""
    parts: dict[str, dict[str, str]] = {}
    """What an author has replaced (slippage, fees, feed, STRATEGY.sizer): class and hash."""
    warnings: list[str] = []
    command: str = ""


class RunOutcome(NamedTuple):
    """All results of a run.

    `times` and `curve` are the account after charges at every moment with a bar. `costs` are the
    parts of the charges by name, in the order of a contract note; `refused` counts refusals by
    reason code. `bars` counts the replayed ones, or ticks, `orders` the sent ones. `volume_shares`
    are what was traded in each bar with a fill, as a part of its volume; a kept result has none.
    """

    manifest: RunManifest
    daily: DailyColumns
    times: Ints
    curve: Ints
    trades: list[RoundTrip]
    costs: Mapping[str, int]
    refused: Mapping[str, int]
    bars: int
    orders: int
    volume_shares: Floats = NO_SHARES

    @property
    def net(self) -> int:
        """Return the run's result after charges."""
        return (
            int(self.daily.equity[-1]) - self.manifest.start_cash if len(self.daily.equity) else 0
        )
