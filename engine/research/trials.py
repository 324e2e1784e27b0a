"""Trials of a sweep: one backtest each, named by everything that decides its result."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

import msgspec
import numpy as np

from engine.errors import DataError
from engine.history.bar_series import Floats, Ints
from engine.research.parameter_space import Value

PORTFOLIO: Final = "*"
"""Symbol of a trial that trades all symbols on one account."""
RETURN_BYTES: Final = 4


class TrialWindow(NamedTuple):
    """The days of a trial, ISO dates, both included; empty: as far as there are bars."""

    first: str = ""
    last: str = ""


class SweepTrial(msgspec.Struct, frozen=True, kw_only=True):
    """One backtest of a sweep: a strategy with parameters on a symbol, over a window."""

    strategy: str
    symbol: str
    parameters: dict[str, Value]
    window: TrialWindow = TrialWindow()

    @property
    def configuration(self) -> str:
        """Return strategy and parameters as canonical JSON: the same for every symbol."""
        return json.dumps([self.strategy, self.parameters], sort_keys=True)


class SweepPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point that a sampler took, and the seconds of the strategy's bars there.

    `timeframe` is 0 where the strategy refuses the point, `refusal` then says why. `pruned` is the
    number of symbols after which it was given up, 0 where it was not.
    """

    strategy: str
    parameters: dict[str, Value]
    timeframe: int = 0
    refusal: str = ""
    pruned: int = 0

    def trials(self, symbols: Iterable[str], window: TrialWindow) -> Iterator[SweepTrial]:
        """Yield a trial for each symbol; none of a point that is refused."""
        for symbol in symbols if self.timeframe else ():
            yield SweepTrial(
                strategy=self.strategy, symbol=symbol, parameters=self.parameters, window=window
            )


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a trial: its metrics, and net daily returns as packed little-endian float32.

    `trades` are the P&L of its closed round trips over the cash at the beginning, by their exits
    and packed likewise. `failure` is why there is none; `seconds` is the worker's time.
    """

    trial: str
    metrics: dict[str, float | None] = {}
    returns: str = ""
    trades: str = ""
    failure: str = ""
    digest: str = ""
    seconds: float = 0.0

    @property
    def daily(self) -> Floats:
        """Return the daily returns, shape (days,)."""
        return _unpacked(self.returns)

    @property
    def trade_returns(self) -> Floats:
        """Return the P&L of the round trips, shape (trades,)."""
        return _unpacked(self.trades)


class SweepRow(NamedTuple):
    """A trial beside its result; `timeframe` is of the strategy's bars, seconds.

    `pruned` says after how many symbols its point was given up, empty where it was not.
    """

    name: str
    trial: SweepTrial
    timeframe: int
    result: TrialResult
    pruned: str = ""


class StudyTerms(NamedTuple):
    """The terms on which trials are judged: `windows` are those of a walk-forward, `6m/1m`.

    `as_of` is the day to which the age of trials counts; None: their last, so that none ages.
    `folds` are those of a cross-validation, 0: none, with so many days of `embargo` after each.
    """

    seed: int = 7
    windows: str = ""
    as_of: date | None = None
    folds: int = 0
    embargo: int = 1


class TrialBasis(msgspec.Struct, frozen=True, kw_only=True):
    """The ground of all trials of a sweep: code, strategies, settings and data, as hashes."""

    code: str
    sources: dict[str, str]
    settings: str
    data: dict[str, str]
    """Hash of each symbol's bars."""

    def difference(self, other: "TrialBasis") -> str:
        """Return what differs from another, in words; empty where nothing does."""
        if self.data != other.data:
            changed = sorted(
                symbol
                for symbol in {*self.data, *other.data}
                if self.data.get(symbol) != other.data.get(symbol)
            )
            return f"the bars of {', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}"
        if self.sources != other.sources:
            changed = sorted(
                name for name in self.sources if self.sources[name] != other.sources.get(name)
            )
            return f"the source of strategy {', '.join(changed)}"
        if self.settings != other.settings:
            return "the configuration"
        return "patang's own code" if self.code != other.code else ""


def trial_id(trial: SweepTrial, basis: TrialBasis) -> str:
    """Return the name of a trial: a hash of everything that decides its result."""
    # of a portfolio all bars count, of a symbol its own: a symbol more leaves the others' trials be
    data: Mapping[str, str] = (
        basis.data
        if trial.symbol == PORTFOLIO
        else {trial.symbol: basis.data.get(trial.symbol, "")}
    )
    said = [
        trial.strategy,
        trial.symbol,
        trial.parameters,
        list(trial.window),
        basis.code,
        basis.sources.get(trial.strategy, ""),
        basis.settings,
        data,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:20]


def calendar_returns(equity: Ints, first: int, days: Ints, calendar: Ints) -> Floats:
    """Return daily returns on the calendar of all trials, of shape (calendar,).

    `equity` is of the closes of `days`, which are some of `calendar`, both numbers that ascend;
    `first` is the cash at the beginning. On a day that the trial's symbol has no bars of it earns
    0, as it does after an account has fallen to 0: returns have no meaning then.
    """
    before = np.concatenate(([first], equity[:-1])).astype(np.float64)
    alive = np.logical_and.accumulate(before > 0.0)
    found = np.zeros(len(calendar))
    found[np.searchsorted(calendar, days[alive])] = equity[alive] / before[alive] - 1.0
    return found


def pack_returns(returns: Floats) -> str:
    """Return returns as `TrialResult` keeps them."""
    return base64.b64encode(returns.astype("<f4").tobytes()).decode()


def _unpacked(returns: str) -> Floats:
    return np.frombuffer(base64.b64decode(returns), "<f4").astype(np.float64)


def without_trades(result: TrialResult) -> TrialResult:
    """Return a result that holds no trades."""
    return msgspec.structs.replace(result, trades="") if result.trades else result


def read_result(line: bytes, days: int) -> TrialResult:
    """Return a journal's line as a result; raise `DataError` for anything else.

    A trial that has not failed has a return for each of so many days.
    """
    try:
        found = msgspec.json.decode(line, type=TrialResult)
        held = len(base64.b64decode(found.returns, validate=True))
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"no line of a sweep's journal: {error}") from error
    if not found.failure and held != days * RETURN_BYTES:
        raise DataError(f"no line of a sweep's journal: {held} bytes of returns for {days} days")
    return found
