"""Overdue intraday positions while the broker is out of reach, logged with cause and deadline."""

from typing import final

from compiled.model.values import Product
from engine.day.day_loop import DayLoop
from engine.numbers import log_time


@final
class OverduePositions:
    """Follows which positions have to be left and cannot be."""

    def __init__(self, loop: DayLoop) -> None:
        self._loop = loop

    def watch(self, now: int) -> None:
        """Look at the positions, and log changes."""
        loop = self._loop
        found = self._overdue_symbols(now) if loop.unreachable else {}
        if found.keys() - loop.overdue:
            closes = min(found.values())
            himself = (
                f"; on {log_time(closes)} the broker does it himself, for a fee" if closes else ""
            )
            what = (
                f"{', '.join(found)}: intraday, and cannot be squared off now: "
                f"{loop.unreachable}{himself}"
            )
            loop.log.add_event("alarm", "overdue", what)
        loop.overdue = tuple(found)

    def _overdue_symbols(self, now: int) -> dict[str, int]:
        """Return the symbols to be left, and when the broker does it (ns UTC, 0: not known)."""
        return {
            ladder.instrument.symbol: int(ladder.instrument.hours.squared)
            for ladder in self._loop.kernel.state.ladders.values()
            if ladder.plan.product is Product.MIS
            and any(rung.quantity for rung in ladder.rungs)
            and ladder.instrument.hours.squares_off(now)
            and not ladder.instrument.hours.squared_off(now)
        }
