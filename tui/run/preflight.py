"""Refusals of a start before anything is started; `patang config check` makes the same."""

import asyncio
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from brokers.connection import ConnectionTerms
from brokers.registry import connect, rules_of
from compiled.model.values import Instrument
from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.day.desk_clocks import ScaledClock
from engine.errors import ConfigError, DataError, OperatorError, PatangError
from engine.market.calendar import Calendar
from engine.market.instrument_dumps import DumpFolder
from strategies.replaced_models import failing, paper_charges, paper_slippage
from tui.keymap import check_keymap
from tui.run.run_records import state_folder
from tui.run.session import DeskSession, RunPlan
from tui.run.settings import actions_of, check_promoted, enabled_strategies, strategies_of


def check_start(station: DeskSession) -> None:
    """Check all that needs neither an exchange nor a broker.

    Raise `OperatorError` with the mend.
    """
    config = station.config
    check_settings(config)
    check_promoted(station.next_day, station.state)
    _check_files(config, station.run)
    if station.is_embedded:
        _check_day(config, station.run)
    else:
        _check_broker(config)


def check_settings(config: DeskConfig) -> None:
    """Check keys, strategies and the bars they want; raise `ConfigError`."""
    if config.ui.keys:
        check_keymap(config.ui.keys)
    strategies_of(config)
    paper_slippage(config.paper.slippage, 0, failing("slippage"))
    paper_charges(config.paper.fees, failing("fees"))


def check_symbols(station: DeskSession) -> str:
    """Check every named symbol against the list; return the remarks.

    The embedded exchange is asked as it would be started; a broker is asked for its list, which
    needs no session, and where it does not answer the last one kept is looked into. Raises
    `OperatorError`.
    """
    config = station.config
    if station.is_embedded:
        check_listed(config, embedded_listings(station), station.run.symbols)
        return ""
    try:
        listed, day, left = asyncio.run(_broker_listings(config)), "", ""
    except PatangError as error:
        listed, day = _kept_listings(config)
        if not listed:
            return f"symbols were not checked: {error}"
        left = f"symbols were checked by the list of {day}: {error}"
    try:
        check_listed(config, listed, station.run.symbols)
    except DataError as error:
        raise DataError(
            f"{error} (by the list of {day}; the start asks the broker)" if day else str(error)
        ) from None
    return left


def check_listed(
    config: DeskConfig, listed: Sequence[Instrument], only: Sequence[str] = ()
) -> None:
    """Check every symbol that is named against a list, or `only` these and the strategies'.

    Raises `DataError` for one that is not in it, and for more than the feed serves.
    """
    if missing := unlisted_text(config, listed, only):
        raise DataError(missing)


def unlisted_text(
    config: DeskConfig, listed: Sequence[Instrument], only: Sequence[str] = ()
) -> str:
    """Return which named symbols are not in a list, empty where all are.

    Raise `DataError` for more than the feed serves.
    """
    from engine.day.opening import choose_instruments, no_such_symbols  # noqa: PLC0415  where there is something to check

    # symbols of the command line replace the watchlist; what strategies trade is needed all the
    # same
    further = () if only else (*config.feed.quote, *config.feed.ltp)
    traded = [symbol for _, symbols, _ in enabled_strategies(config) for symbol in symbols]
    watch = only or config.feed.watch
    chosen, missing = choose_instruments(listed, watch, [*further, *traded])
    most = rules_of(config.broker.name, config.broker.rest).instruments
    if len(chosen) > most and watch:
        raise DataError(f"the feed serves {most} instruments; name fewer in feed.watch")
    return no_such_symbols(missing) if missing else ""


async def _broker_listings(config: DeskConfig) -> list[Instrument]:
    """Return NSE's instruments as the configured broker lists them."""
    from tui.run.credentials import endpoint_of  # noqa: PLC0415  0.1 s, for a broker alone

    settings = config.broker
    terms = ConnectionTerms(settings=settings, clock=ScaledClock.real(), workers=1, limited=False)
    broker = connect(settings.name, endpoint_of(config), terms).broker
    try:
        return await broker.instruments("NSE")
    finally:
        await broker.close()


def embedded_listings(station: DeskSession) -> list[Instrument]:
    """Return the listings of a run's embedded exchange.

    Raise `ConfigError` or `DataError` where it cannot be made.
    """
    from brokers.sandbox.universe.day_universe import build_universe  # noqa: PLC0415  half a second, and only for those who ask
    from tui.run.broker import sandbox_config  # noqa: PLC0415  a second

    config = sandbox_config(station)
    config.check()
    return [one.instrument for one in build_universe(config).market.listings]


def _kept_listings(config: DeskConfig) -> tuple[list[Instrument], str]:
    """Return NSE's instruments by the last list that was kept, and its day; none where none was."""
    dumps = DumpFolder(desk_paths(config, os.environ).state / "instruments")
    if not dumps.versions("NSE"):
        return [], ""
    kept = dumps.latest(date.max, ["NSE"])
    return [each.instrument() for each in kept], str(kept.day)


def _check_files(config: DeskConfig, run: RunPlan) -> None:
    where = desk_paths(config, os.environ)
    _check_writable(state_folder(config, run.mode))
    if config.store.database and not where.database.parent.is_dir():
        raise ConfigError(f"store.database: there is no folder {where.database.parent}")
    actions_of(config)


def _check_writable(folder: Path) -> None:
    # it is made at the start: the nearest folder that exists decides whether it can be
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OperatorError(
            f"cannot write in {folder}: {there} is no folder that this user may write in"
        )


def _check_day(config: DeskConfig, run: RunPlan) -> None:
    """Refuse a day that the embedded exchange could not open; that of a tape is its own matter."""
    day = run.day or config.sandbox.date
    if day and run.tape is None and Calendar.load().session(date.fromisoformat(day)) is None:
        raise ConfigError(f"sandbox.date: {day} is no trading day: the exchange is closed")


def _check_broker(config: DeskConfig) -> None:
    from tui.run.credentials import endpoint_of  # noqa: PLC0415  0.1 s, for a broker alone

    endpoint_of(config)
    # a token in a variable can be looked at; one in the vault would ask for its passphrase
    if not config.broker.is_real or config.broker.access_token_env:
        config.broker.credentials(os.environ)
