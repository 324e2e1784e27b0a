"""Request for a backtest: strategies and parameters, symbols, days, the cost of fills."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from compiled.venue.latency import MODULUS
from compiled.venue.slippage import FixedTicks, Slippage, SpreadFraction, VolumeShare
from engine.backtest.dated_symbols import DatedSymbols, read_dated_symbols
from engine.backtest.tick_latency import TickLatency
from engine.config.schema import DeskConfig
from engine.config.toml_reader import typed_value
from engine.errors import ConfigError
from strategies.replaced_models import is_part, named_part
from tui.commands.shared.typed_values import WHOLE, number_of, symbol_list, symbols_file
from tui.run.settings import StrategyTable, strategy_table, strategy_tables

MILLISECOND = 1_000_000
MOST_CASH = 10**10
"""Rupees."""
LONGEST_WARM_UP = 400
MOST_SPAN = 86_400
TICKS = "ticks"
"""What `--span` is on ticks instead of bars."""
LONGEST_WAY_MS = 60_000


class BacktestRequest(NamedTuple):
    """Request for a backtest: `strategy` is a name, empty texts are as configured.

    `cash` in rupees, `span` and `warm_up` in seconds and sessions, `bars` a version; `settings` are
    KEY=VALUE texts, `universe` the file that the symbols are of. On `ticks` `bars` names what they
    are read of, and latencies count.
    """

    strategy: str = ""
    symbols: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    span: int = 0
    bars: str = ""
    settings: tuple[str, ...] = ()
    cash: int = 0
    slippage: str = ""
    fees: str = ""
    feed: str = ""
    warm_up: int = 5
    universe: DatedSymbols | None = None
    folder: Path | None = None
    ticks: bool = False
    latency: str = ""
    feed_latency: float = 0.0

    def want_bars(self, command: str) -> None:
        """Raise `ConfigError` for ticks, which a command cannot do with."""
        if self.ticks:
            raise ConfigError(f"--span ticks: {command} wants bars; patang backtest takes ticks")


def read_request(
    strategy: str,
    symbols: str,
    since: str,
    until: str,
    span: str,
    settings: list[str] | None,
    bars: str,
    cash: int,
    warm_up: int,
    folder: Path | None,
    slippage: str = "",
    fees: str = "",
    feed: str = "",
    latency: str = "",
    feed_latency: float = 0.0,
) -> tuple[BacktestRequest, Path | None]:
    """Return a command line's request, and the configuration file it may name.

    Raise `ConfigError`.
    """
    if not 0 <= cash <= MOST_CASH:
        raise ConfigError(f"--cash {cash}: expected rupees up to 1,000 crore")
    if not 0 <= warm_up <= LONGEST_WARM_UP:
        raise ConfigError(f"--warm-up {warm_up}: expected 0 to {LONGEST_WARM_UP} sessions")
    ticks = span == TICKS
    if not ticks and not (span.isascii() and span.isdecimal() and int(span) <= MOST_SPAN):
        raise ConfigError(f"--span {span}: expected seconds, or ticks")
    if ticks and feed:
        raise ConfigError(f"--feed {feed}: a feed of one's own brings bars, not ticks")
    if not ticks and (latency or feed_latency):
        option = "--latency" if latency else "--feed-latency"
        raise ConfigError(
            f"{option}: bars have no finer clock than their own; it wants --span ticks"
        )
    file = Path(strategy) if strategy.endswith(".toml") else None
    request = BacktestRequest(
        "" if file else strategy,
        tuple(symbol_list(symbols)),
        first=since,
        last=until,
        span=0 if ticks else int(span),
        bars=bars,
        settings=tuple(settings or ()),
        cash=cash,
        slippage=slippage,
        fees=fees,
        feed=feed,
        warm_up=warm_up,
        universe=read_dated_symbols(listed) if (listed := symbols_file(symbols)) else None,
        folder=folder,
        ticks=ticks,
        latency=latency,
        feed_latency=feed_latency,
    )
    return request, file


def chosen_strategies(config: DeskConfig, request: BacktestRequest) -> list[StrategyTable]:
    """Return the strategies that are asked for; raise `ConfigError`."""
    every = strategy_tables(config)
    if request.strategy:
        # a strategy that is named runs, enabled or not, and may have no table at all
        chosen = {request.strategy: dict(every.get(request.strategy, {}))}
    else:
        chosen = {name: dict(table) for name, table in every.items() if table.get("enabled", True)}
    if not chosen:
        raise ConfigError("no strategy is enabled: name one, or enable one in the configuration")
    for text in request.settings:
        _apply_setting(chosen, text)
    return [strategy_table(name, table) for name, table in chosen.items()]


def _apply_setting(tables: dict[str, dict[str, Any]], text: str) -> None:
    key, sign, value = text.partition("=")
    name, dot, parameter = key.strip().rpartition(".")
    if not sign or not parameter:
        raise ConfigError(f"--set {text}: expected PARAMETER=VALUE, or STRATEGY.PARAMETER=VALUE")
    if not dot:
        # the same parameter may stand in several of them
        if len(tables) > 1:
            raise ConfigError(
                f"--set {text}: of which strategy? "
                f"{', '.join(f'{each}.{parameter}' for each in tables)}"
            )
        name = next(iter(tables))
    if name not in tables:
        raise ConfigError(f"--set {text}: {name} does not run; {', '.join(tables)} do")
    tables[name][parameter] = typed_value(value)


def slippage_of(text: str, ticks: int) -> tuple[Slippage, str]:
    """Return a slippage model and its name.

    `ticks:N`, `spread:FRACTION:PERCENT`, `volume:SHARE:IMPACT`, `none` or FILE.py:CLASS; without a
    text it is so many ticks. Raises `ConfigError`.
    """
    called = text or f"ticks:{ticks}"
    if is_part(called):
        return named_part("slippage", called, Slippage), called
    try:
        match called.split(":"):
            case ["none"]:
                return Slippage(), called
            case ["ticks", count]:
                return FixedTicks(int(_bounded_number(int(count)))), called
            case ["spread", fraction, percent]:
                return SpreadFraction(
                    _bounded_number(float(fraction)), _bounded_number(float(percent))
                ), called
            case ["volume", share, impact]:
                # nobody takes more than there was
                return VolumeShare(
                    _bounded_number(float(share), 1.0), _bounded_number(float(impact))
                ), called
    except ValueError:
        pass
    raise ConfigError(
        f"--slippage {text}: expected none, ticks:N, spread:FRACTION:PERCENT (of the price, where "
        "no spread is quoted) or "
        "volume:SHARE:IMPACT, as ticks:1 or volume:0.025:0.1, or FILE.py:CLASS"
    )


def latency_of(request: BacktestRequest, way_ms: int) -> tuple[TickLatency, str]:
    """Return the latencies of a request and what they are called; `way_ms` where it names none.

    Raises `ConfigError`.
    """
    called, feed = request.latency or str(way_ms), request.feed_latency
    if not 0.0 <= feed <= LONGEST_WAY_MS:
        raise ConfigError(f"--feed-latency {feed:g}: expected 0 to {LONGEST_WAY_MS} ms")
    found = None
    # a number that is none, or too large, ends like a word that is not known
    with suppress(ValueError):
        match called.split(":"):
            case [least]:
                found = TickLatency(_way_of(least))
            case ["uniform", least, most, seed] if _way_of(most) >= _way_of(least):
                spread = _way_of(most) - _way_of(least)
                found = TickLatency(_way_of(least), most=spread, seed=_seed_of(seed))
            case ["tail", least, mean, seed]:
                found = TickLatency(_way_of(least), mean=_way_of(mean), seed=_seed_of(seed))
    if found is None:
        raise ConfigError(
            f"--latency {called}: expected milliseconds up to {LONGEST_WAY_MS}, "
            "uniform:LEAST:MOST:SEED or tail:LEAST:MEAN:SEED, as 40 or tail:10:30:7"
        )
    text = f"{called} ms" + (f", feed {feed:g} ms" if feed else "")
    return found._replace(feed=round(feed * MILLISECOND)), text


def _way_of(text: str) -> int:
    """Return milliseconds in ns; raise `ValueError`."""
    value = number_of(text)
    if not 0.0 <= value <= LONGEST_WAY_MS:
        raise ValueError
    return round(value * MILLISECOND)


def _seed_of(text: str) -> int:
    """Return a seed from 1 to 2147483646; raise `ValueError`."""
    if not WHOLE.fullmatch(text) or not 0 < int(text) < MODULUS:
        raise ValueError
    return int(text)


def _bounded_number(value: float, most: float = 1_000.0) -> float:
    """Return a number from 0 to `most`; raise `ValueError` for any other."""
    if not 0.0 <= value <= most:
        raise ValueError
    return value
