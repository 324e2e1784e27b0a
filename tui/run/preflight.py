"""What a start refuses before anything is started; `patang config check` asks the very same."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from compiled.indicators_price import Indicator
from compiled.model import Instrument
from compiled.strategy import Strategy
from engine.config import Config, paths
from engine.errors import ConfigError, DataError, OperatorError, PatangError
from engine.market.calendar import Calendar
from engine.trading.clock import ScaledClock
from strategies import build
from tui.configured import actions_of, enabled
from tui.runs import state_folder
from tui.station import Run, Station


def beforehand(station: Station) -> None:
    """Check all that needs neither an exchange nor a broker; raise `OperatorError` naming the setting and the mend."""
    config = station.config
    check_settings(config)
    _files(config, station.run)
    if station.embedded:
        _day(config, station.run)
    else:
        _broker(config)


def check_settings(config: Config) -> None:
    """Check keys, strategies and the bars they want; raise `ConfigError`."""
    if config.ui.keys:
        from tui.keymap import check  # noqa: PLC0415  brings the screen's library, which a headless desk does without

        check(config.ui.keys)
    strategies_of(config)


def check_symbols(station: Station) -> str:
    """Check every symbol that is named against what is listed; return what was not as it ought to be, and why.

    The embedded exchange is asked as it would be started; a broker is asked for its list, which needs no session, and
    where it does not answer the last one kept is looked into. Raises `OperatorError`.
    """
    config = station.config
    if station.embedded:
        check_listed(config, listed_by(station), station.run.symbols)
        return ""
    try:
        listed, day, left = asyncio.run(_listed_at(config)), "", ""
    except PatangError as error:
        listed, day = _kept(config)
        if not listed:
            return f"symbols were not checked: {error}"
        left = f"symbols were checked by the list of {day}: {error}"
    try:
        check_listed(config, listed, station.run.symbols)
    except DataError as error:
        raise DataError(f"{error} (by the list of {day}; the start asks the broker)" if day else str(error)) from None
    return left


def check_listed(config: Config, listed: Sequence[Instrument], only: Sequence[str] = ()) -> None:
    """Check every symbol that is named against a list, or `only` these and the strategies'.

    Raises `DataError` for one that is not in it, and for more than the feed serves.
    """
    if missing := not_listed(config, listed, only):
        raise DataError(missing)


def not_listed(config: Config, listed: Sequence[Instrument], only: Sequence[str] = ()) -> str:
    """Say which symbols that are named are not in a list, empty where all are; raise `DataError` for more than the feed serves."""
    from brokers.kite.feed import CONNECTIONS, PER_CONNECTION  # noqa: PLC0415
    from engine.trading.opening import choose, no_such  # noqa: PLC0415  the engine, where there is something to check

    further = () if only else (*config.feed.quote, *config.feed.ltp)
    traded = [symbol for _, symbols, _ in enabled(config) for symbol in symbols]
    watch = only or config.feed.watch
    chosen, missing = choose(listed, watch, [*further, *traded])
    if len(chosen) > CONNECTIONS * PER_CONNECTION and watch:
        raise DataError(f"the feed serves {CONNECTIONS * PER_CONNECTION} instruments; name fewer in feed.watch")
    return no_such(missing) if missing else ""


async def _listed_at(config: Config) -> list[Instrument]:
    """Return NSE's instruments as the configured broker lists them."""
    from brokers.kite.rest import KiteBroker  # noqa: PLC0415  only a broker is asked
    from tui.login import place_of  # noqa: PLC0415

    place, settings = place_of(config), config.broker
    broker = KiteBroker(
        place.rest, place.api_key, "none", ScaledClock.real(), 1, settings.timeout_s, limits=False,
        source=settings.bind_ip, environment=settings.environment,
    )  # fmt: skip
    try:
        return await broker.instruments("NSE")
    finally:
        await broker.close()


def listed_by(station: Station) -> list[Instrument]:
    """Return what the embedded exchange of a run would list; raise `ConfigError` or `DataError` where it cannot be made."""
    from brokers.sandbox.listed import listed  # noqa: PLC0415  half a second, and only for those who ask
    from tui.exchange import embedded  # noqa: PLC0415

    config = embedded(station)
    config.check()
    return [one.instrument for one in listed(config).market.listings]


def _kept(config: Config) -> tuple[list[Instrument], str]:
    """Return NSE's instruments by the last list that was kept, and its day; none where none was."""
    from engine.market.dumps import Dumps  # noqa: PLC0415

    dumps = Dumps(paths(config, os.environ).state / "instruments")
    if not dumps.versions("NSE"):
        return [], ""
    kept = dumps.latest(date.max, ["NSE"])
    return [each.instrument() for each in kept], str(kept.day)


# strategies


def strategies_of(config: Config) -> list[Strategy]:
    """Build every strategy that runs; raise `ConfigError` for a parameter it cannot use, or for bars nobody builds."""
    return hearing([build(name, table) for name, _, table in enabled(config)], config.feed.spans_s)


class Unmade(Strategy):
    """Stands for a strategy that could not be made again: it fails as that did; what it holds stays protected."""

    def __init__(self, name: str, span: int, error: BaseException) -> None:
        super().__init__(name, span)
        self._error, self._trace = error, error.__traceback__

    def follow(self, token: int) -> list[Indicator]:
        """Fail."""
        del token
        raise self._error.with_traceback(self._trace)


def strategies_again(config: Config) -> list[Strategy]:
    """Build every strategy that runs for a later day; one that fails keeps no other, and not the day, from coming."""
    made: list[Strategy] = []
    for name, _, table in enabled(config):
        try:
            made += hearing([build(name, table)], config.feed.spans_s)
        except BaseException as error:  # noqa: BLE001  a strategy's fault stops that strategy, never the desk
            made.append(Unmade(name, config.feed.spans_s[0], error.__cause__ or error))
    return made


def hearing(strategies: Sequence[Strategy], spans: Iterable[int]) -> list[Strategy]:
    """Return the strategies; raise `ConfigError` for one that would never hear a bar."""
    for strategy in strategies:
        if strategy.span not in spans:
            there = ", ".join(map(str, spans))
            raise ConfigError(
                f"strategy.{strategy.name}.timeframe_s: no bar has {strategy.span} seconds; feed.spans_s builds {there}"
            )
    return list(strategies)


# the rest


def _files(config: Config, run: Run) -> None:
    where = paths(config, os.environ)
    _writable(state_folder(config, run.mode))
    if config.store.database and not where.database.parent.is_dir():
        raise ConfigError(f"store.database: there is no folder {where.database.parent}")
    actions_of(config)


def _writable(folder: Path) -> None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OperatorError(f"cannot write in {folder}: {there} is no folder that this user may write in")


def _day(config: Config, run: Run) -> None:
    """Refuse a day that the embedded exchange could not open; that of a tape is its own matter."""
    day = run.day or config.sandbox.date
    if day and run.tape is None and Calendar.load().session(date.fromisoformat(day)) is None:
        raise ConfigError(f"sandbox.date: {day} is no trading day: the exchange is closed")


def _broker(config: Config) -> None:
    from tui.login import place_of  # noqa: PLC0415  only a broker needs an address and a key

    place_of(config)
    if config.broker.name != "kite" or config.broker.access_token_env:
        config.broker.credentials(os.environ)
