"""Promoted strategies before a start: whether they are still what was tried, and a line on them."""

from pathlib import Path

from compiled.trading.strategy import Strategy
from engine.errors import ConfigError
from engine.promotion.next_day_file import FILE, NextDayFile
from strategies import build
from tui.run.settings import UnbuiltStrategy


def check_promoted(next_day: NextDayFile, state: Path) -> None:
    """Raise `ConfigError` for what is promoted and is no more what was tried."""
    for each in next_day.promoted:
        check_source(build(each.name, each.table), next_day, state)


def check_source(strategy: Strategy, next_day: NextDayFile, state: Path) -> None:
    """Raise `ConfigError` where a promoted strategy has other code than its trial had."""
    from engine.backtest import run_identity  # noqa: PLC0415  only where something is promoted

    origin = next_day.origin.get(strategy.name)
    if origin is None or isinstance(strategy, UnbuiltStrategy):
        return
    if run_identity.source_hash(strategy) != origin.code:
        raise ConfigError(
            f"{state / FILE}: the source of {strategy.name} changed since it was promoted on "
            f"{origin.since}: sweep and promote again, or patang promote --rollback"
        )


def promoted_text(next_day: NextDayFile) -> str:
    """Return what is promoted in a line, empty where nothing is."""
    return ", ".join(f"{each.name} (₹{each.budget:,})" for each in next_day.promoted)
