"""The bars that a backtest has read, with what is known of them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from engine.backtest.clocked_bars import ClockedBars
from engine.backtest.run_outcome import DataManifest
from engine.history.bar_series import BarSeries
from engine.history.golden_bars import PREFIX

AND: Final = " + "
"""Between the versions of bars that are read of two.

Of the first, and beyond its ends of the other.
"""


class LoadedBars(NamedTuple):
    """Bars by symbol, warm-up included, in the symbols' order, with their versions and remarks.

    `grids` and `clock` are known of bars that are kept packed: the grid of a symbol's prices as
    `price_grid` gives it, and all bars on one clock.
    """

    series: dict[str, BarSeries]
    manifests: dict[str, DataManifest]
    warnings: list[str]
    grids: Mapping[str, int] = {}
    clock: ClockedBars | None = None

    @property
    def is_golden(self) -> bool:
        """Return whether all of them are of golden versions, and of nothing else."""
        return all(
            each.version.startswith(PREFIX) and AND not in each.version
            for each in self.manifests.values()
        )
