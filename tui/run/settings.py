"""The configuration in the units of the engine, light, for commands that start no desk."""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, final

import msgspec

from compiled.indicators.price import Indicator
from compiled.model.order_terms import ExitEscalation
from compiled.trading.strategy import Strategy
from engine.config.disk_places import desk_paths
from engine.config.risk_limits import configured_limits, current_limits
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, DataError, OperatorError
from engine.indian_time import INDIA
from engine.market.calendar import Calendar
from engine.market.corporate_actions.action_list import CorporateActions
from engine.market.instrument_dumps import DumpFolder
from engine.market.instruments import InstrumentList
from engine.promotion.file_changes import day_changes
from engine.promotion.followed_config import FollowedConfig, follow_next_day
from engine.promotion.next_day_file import FILE, NextDayFile
from engine.promotion.promotion_log import PromotionLog
from strategies import build
from strategies.native_strategies import build_remark
from strategies.strategy_sources import own_file
from strategies.table_workshop import TableWorkshop

if TYPE_CHECKING:
    from engine.engine_settings import DayTerms
    from tui.run.session import DeskSession


class StrategyTable(NamedTuple):
    """A strategy by its name, what it trades (none: all), and its parameters."""

    name: str
    symbols: tuple[str, ...]
    parameters: dict[str, Any]


def strategy_tables(config: DeskConfig) -> dict[str, dict[str, Any]]:
    """Return every configured strategy's table in configured order, running or not."""
    tables: dict[str, dict[str, Any]] = msgspec.to_builtins(config.strategy)
    return tables


def strategy_table(name: str, table: dict[str, Any]) -> StrategyTable:
    """Return a strategy as its table has it."""
    return StrategyTable(
        name, tuple(str(symbol).upper() for symbol in table.get("symbols", ())), table
    )


def enabled_strategies(config: DeskConfig) -> list[StrategyTable]:
    """Return every strategy that runs, in configured order."""
    return [
        strategy_table(name, table)
        for name, table in strategy_tables(config).items()
        if table.get("enabled", True)
    ]


def totals_of(config: DeskConfig) -> dict[str, int]:
    """Return what each strategy may spend by its own parameters, in paise, where it has a bound."""
    return {
        name: int(table["total_capital"]) * 100
        for name, _, table in enabled_strategies(config)
        if table.get("total_capital")
    }


def exits_of(config: DeskConfig) -> ExitEscalation:
    """Return how exits that rest are pressed."""
    exits = config.exits
    return ExitEscalation(
        patience=exits.patience_s,
        widen_percent=exits.widen_percent,
        reach_percent=exits.reach_percent,
        doubt=config.gateway.late_s,
    )


def calendar_of(config: DeskConfig) -> Calendar:
    """Return the desk's calendar: new hours count when they are certain, or confirmed."""
    return Calendar.load(confirmed=[date.fromisoformat(day) for day in config.market.confirmed])


def actions_of(config: DeskConfig) -> CorporateActions | None:
    """Return NSE's list of corporate actions, None where none is configured; raise `DataError`."""
    file = config.desk.corporate_actions
    return CorporateActions.load(Path(file).expanduser()) if file else None


def listed_on(config: DeskConfig, exchange: str, day: date) -> InstrumentList | None:
    """Return an exchange's instruments as listed on a day, None without a list up to then."""
    dumps = DumpFolder(desk_paths(config, os.environ).state / "instruments")
    # a list of a later day does not say what was listed then
    if not any(each.day <= day for each in dumps.versions(exchange)):
        return None
    return dumps.latest(day, [exchange])


def with_derivatives(config: DeskConfig, day: date) -> frozenset[str] | None:
    """Return the names with contracts listed on a day, None without a list."""
    contracts = listed_on(config, "NFO", day)
    return None if contracts is None else contracts.names


def modes_of(config: DeskConfig) -> dict[str, str]:
    """Return the instruments that are only watched, by their mode."""
    return dict.fromkeys(config.feed.quote, "quote") | dict.fromkeys(config.feed.ltp, "ltp")


def settings_of(
    config: DeskConfig, strategies: Sequence[Strategy], watch: Sequence[str]
) -> dict[str, Any]:
    """Return a desk's settings, all that a backtest of its day needs.

    `watch` are the symbols it is to see, none: all.
    """
    from engine.backtest import run_identity  # noqa: PLC0415  only a desk that begins wants hashes

    built = {each.name: each for each in strategies}
    return {
        "strategies": {
            name: table for name, _, table in enabled_strategies(config) if name in built
        },
        "sources": {name: run_identity.source_hash(each) for name, each in built.items()},
        "limits": current_limits(configured_limits(config.risk, config.feed.stale_after_s)),
        "watch": list(watch),
        "slippage_ticks": config.paper.slippage_ticks,
        "latency_ms": config.paper.latency_ms,
        "slippage": config.paper.slippage,
        "fees": config.paper.fees,
        "modifies": config.governor.modifies_per_order,
        "exits": [
            config.exits.patience_s,
            config.exits.widen_percent,
            config.exits.reach_percent,
            config.gateway.late_s,
        ],
        "square_off_before_s": config.risk.square_off_before_s,
        # parity tells by it whether the core has changed since
        "code": run_identity.code_hash(),
    }


def strategies_of(config: DeskConfig) -> list[Strategy]:
    """Build every strategy that runs.

    Raise `ConfigError` for a parameter it cannot use, or for bars that are not built.
    """
    return check_timeframes(
        [build(name, table) for name, _, table in enabled_strategies(config)], config.feed.spans_s
    )


def build_remarks(tables: Iterable[StrategyTable]) -> list[str]:
    """Return a line for each strategy that was compiled and runs interpreted all the same."""
    files = (own_file(table.name, table.parameters) for table in tables)
    return [remark for file in files if file is not None and (remark := build_remark(file))]


def rebuild_strategies(config: DeskConfig) -> list[Strategy]:
    """Build every strategy that runs for a later day.

    One that fails stops neither others nor day.
    """
    made: list[Strategy] = []
    for name, _, table in enabled_strategies(config):
        try:
            made += check_timeframes([build(name, table)], config.feed.spans_s)
        except BaseException as error:  # noqa: BLE001  a strategy's fault stops that strategy, never the desk
            made.append(UnbuiltStrategy(name, config.feed.spans_s[0], error.__cause__ or error))
    return made


def check_timeframes(strategies: Sequence[Strategy], spans: Iterable[int]) -> list[Strategy]:
    """Return the strategies; raise `ConfigError` for one that would never get a bar."""
    for strategy in strategies:
        if strategy.span not in spans:
            there = ", ".join(map(str, spans))
            raise ConfigError(
                f"strategy.{strategy.name}.timeframe_s: no bar has {strategy.span} seconds; "
                f"feed.spans_s builds {there}"
            )
    return list(strategies)


class UnbuiltStrategy(Strategy):
    """Stand-in for a strategy that could not be made again: it fails as that did.

    What it holds stays protected.
    """

    def __init__(self, name: str, span: int, error: BaseException) -> None:
        super().__init__(name, span)
        self._error, self._trace = error, error.__traceback__

    def follow(self, token: int) -> list[Indicator]:
        """Fail."""
        del token
        # it is raised for every instrument: without this the trace would grow each time
        raise self._error.with_traceback(self._trace)


def check_promoted(next_day: NextDayFile, state: Path) -> None:
    """Raise `ConfigError` for what is promoted and is no more what was tried."""
    for each in next_day.promoted:
        check_source(build(each.name, each.table), next_day, state)


def check_source(strategy: Strategy, next_day: NextDayFile, state: Path) -> None:
    """Raise `ConfigError` where a promoted strategy is not what was tried, or of a day to come."""
    from engine.backtest import run_identity  # noqa: PLC0415  only where something is promoted

    origin = next_day.origin.get(strategy.name)
    if origin is None or isinstance(strategy, UnbuiltStrategy):
        return
    # Nothing would be held against it until then, and no reminder come that nobody did.
    if origin.since > str(datetime.now(INDIA).date()):
        raise ConfigError(
            f"{state / FILE}: {strategy.name} was promoted on {origin.since}, which is still to "
            "come: promote it again"
        )
    if run_identity.source_hash(strategy) != origin.code:
        raise ConfigError(
            f"{state / FILE}: the source of {strategy.name} changed since it was promoted on "
            f"{origin.since}: sweep and promote again, or patang promote --rollback"
        )


@final
class PromotionFollower:
    """The strategies of a desk, with those that are promoted, from opening to opening.

    `watch` are the symbols that it is to see.
    """

    def __init__(
        self, station: "DeskSession", strategies: Sequence[Strategy], watch: Sequence[str]
    ) -> None:
        self._configured = station.configured
        self._state = station.state
        self._followed = FollowedConfig(station.config, station.next_day)
        self._strategies = list(strategies)
        self._watch = watch
        self._fault = ""
        self._log = PromotionLog(station.state)

    @property
    def workshop(self) -> TableWorkshop:
        """Return where the strategies of the day are made anew, by what holds at that time."""
        return TableWorkshop(
            lambda: strategy_tables(self._followed.values),
            lambda made: check_source(made, self._followed.next_day, self._state),
        )

    @property
    def is_needed(self) -> bool:
        """Return whether anything is promoted, may be, or was at the last opening."""
        settings = self._configured.promotion
        return bool((settings.follow and settings.budget) or self._log.opened().strategy)

    def rebuild(self) -> list[Strategy]:
        """Read the file again and return the strategies of a later day.

        A file that cannot be used leaves those of the day before.
        """
        self._fault = ""
        try:
            self._followed = follow_next_day(self._configured, self._state)
        except OperatorError as error:
            self._fault = f"{error}; the desk goes on with what was promoted before"
        self._strategies = [
            self._tried_strategy(each) for each in rebuild_strategies(self._followed.values)
        ]
        return self._strategies

    def terms(self) -> "DayTerms":
        """Return what else changes with the strategies, and since the last opening."""
        from engine.engine_settings import DayTerms  # noqa: PLC0415  the engine, for a desk alone

        config = self._followed.values
        return DayTerms(
            {name: symbols for name, symbols, _ in enabled_strategies(config)},
            configured_limits(config.risk, config.feed.stale_after_s),
            json.dumps(settings_of(config, self._strategies, self._watch)),
            day_changes(self._log.opened(), self._followed.next_day),
            fault=self._fault,
            overdue=self._log.overdue_text(self._followed.next_day, datetime.now(INDIA).date()),
            opened=self._keep_opened,
        )

    def _keep_opened(self) -> None:
        # It is told again at the next opening then, which is no reason not to trade.
        with suppress(OperatorError):
            self._log.keep_opened(self._followed.next_day)

    def _tried_strategy(self, strategy: Strategy) -> Strategy:
        """Return a strategy, or its stand-in where its code is not what was tried."""
        try:
            check_source(strategy, self._followed.next_day, self._state)
        except ConfigError as error:
            return UnbuiltStrategy(strategy.name, strategy.span, error)
        return strategy


def latest_day() -> str:
    """Return the latest trading day up to today with known hours.

    An exchange of our own needs no list of today.
    """
    calendar, day = Calendar.load(), datetime.now(INDIA).date()
    while True:
        try:
            day = calendar.latest_trading_day(day)
            if calendar.session(day) is not None:
                return str(day)
        # a special session whose clock time nobody knows, or a year without a list
        except DataError:
            day -= timedelta(days=1)


def last_days(count: int, last: str) -> list[str]:
    """Return so many trading days up to one, oldest first.

    Raise `DataError` at the calendar's end.
    """
    calendar, days, day = Calendar.load(), list[str](), date.fromisoformat(last or latest_day())
    while len(days) < count:
        if calendar.session(day) is not None:
            days.append(day.isoformat())
        day -= timedelta(days=1)
    return days[::-1]
