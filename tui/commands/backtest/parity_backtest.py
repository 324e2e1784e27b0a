"""A desk's day run again as a backtest, by the settings that the desk has written down."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, final

from compiled.model.order_terms import ExitEscalation
from compiled.model.values import SECOND, Instrument
from compiled.trading.strategy import Strategy
from engine.backtest.backtest_run import BacktestRun, RunSettings
from engine.backtest.replayed_bars import ReplayBars, replay_bars
from engine.backtest.run_ticks import ReplayTicks, tick_instruments
from engine.backtest.tick_latency import INSTANT, TickLatency
from engine.backtest.traded_market import TradedMarket, instruments_of, market_of
from engine.config.risk_limits import configured_limits
from engine.config.schema import DeskConfig
from engine.history.bar_series import BarSeries
from engine.manual.day_limits import limit_event
from store.journal_day import KeptDay
from strategies import build
from strategies.replaced_models import failing, paper_charges, paper_slippage
from tui.commands.backtest.parity_bars import MINUTE
from tui.commands.backtest.tick_days import RecordedDay, rates_of
from tui.run.session import OWN_EXCHANGE
from tui.run.settings import calendar_of, listed_on, with_derivatives

MILLISECOND: Final = 1_000_000


@final
class DayBacktest:
    """The day of a desk as a backtest: `ran` is what it was opened with."""

    def __init__(
        self, config: DeskConfig, mode: str, day: date, kept: KeptDay, ran: Mapping[str, Any]
    ) -> None:
        self._config = config
        self._mode = mode
        self._day = day
        self._kept = kept
        self._ran = ran
        self._calendar = calendar_of(config)

    def strategies(self) -> dict[str, Strategy]:
        """Build the strategies anew: one remembers the run it was in."""
        return {name: build(name, table) for name, table in self._ran["strategies"].items()}

    def on_bars(self, series: Mapping[str, BarSeries]) -> BacktestRun:
        """Run it on minutes, those before the opening to warm up."""
        listed = listed_on(self._config, "NSE", self._day)
        market = self._market_of(instruments_of(series, listed, self._day))
        # a desk that was opened at noon has asked for nothing before
        return self._run_backtest(
            market, replay_bars(series, market, self._kept.opened), self._subscribed_symbols()
        )

    def on_ticks(self, recorded: RecordedDay, warm: Mapping[str, BarSeries]) -> BacktestRun:
        """Run it on what the desk has recorded; `warm` are the minutes before."""
        instruments = tick_instruments([recorded])
        # in the order of the instruments, as a desk subscribes its strategies
        named = {
            name: [
                symbol
                for symbol, each in instruments.items()
                if (symbol in symbols if symbols else each.kind != "INDEX")
            ]
            for name, symbols in self._subscribed_symbols().items()
        }
        # an exchange of our own is next door, paper's is as far as it is set
        way = 0
        if self._mode not in OWN_EXCHANGE:
            way = self._ran.get("latency_ms", self._config.paper.latency_ms) * MILLISECOND
        ticks = ReplayTicks(
            [recorded],
            {name: bars for name, bars in warm.items() if name in instruments},
            rates=rates_of(self._config),
        )
        return self._run_backtest(self._market_of(instruments), ticks, named, TickLatency(way))

    def _subscribed_symbols(self) -> dict[str, list[str]]:
        return {
            name: [str(each).upper() for each in table.get("symbols", ())]
            for name, table in self._ran["strategies"].items()
        }

    def _market_of(self, instruments: Mapping[str, Instrument]) -> TradedMarket:
        fees = self._ran.get("fees", "") if self._mode in {"paper", "replay"} else ""
        return market_of(
            instruments,
            [self._day],
            calendar=self._calendar,
            table=paper_charges(fees, failing("fees")),
            derivatives=with_derivatives(self._config, self._day),
            early=int(self._ran["square_off_before_s"] * SECOND),
        )

    def _run_backtest(
        self,
        market: TradedMarket,
        bars: ReplayBars | ReplayTicks,
        symbols: Mapping[str, Sequence[str]],
        latency: TickLatency = INSTANT,
    ) -> BacktestRun:
        config, ran = self._config, self._ran
        limits = configured_limits(config.risk, config.feed.stale_after_s)
        # as they were at the opening; a change in the day is a cause of its own
        for name, value in ran["limits"].items():
            change = limit_event(0, name, value)
            limits.set_limit(change.name, change.value)
        settings = RunSettings(
            # a journal of an older version has not written the cash down
            self._kept.cash or config.paper.cash * 100,
            limits,
            slippage=paper_slippage(
                ran.get("slippage", ""), ran["slippage_ticks"], failing("slippage")
            ),
            exits=ExitEscalation(*ran["exits"]),
            modifies=ran["modifies"],
            warm_up=1,
            latency=latency,
        )
        backtest = BacktestRun(
            list(self.strategies().values()),
            symbols,
            bars=bars,
            span=MINUTE,
            market=market,
            calendar=self._calendar,
            settings=settings,
        )
        backtest.keep_decisions()
        backtest.run()
        return backtest
