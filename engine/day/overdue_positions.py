"""Intraday positions whose time is over while nothing reaches the broker: told with the cause, and until when it can be helped."""

from typing import final

from compiled.model import Product
from engine.trading.gaps import clock
from engine.trading.loop import Loop


@final
class Overdue:
    """Follows which positions have to be left and cannot be."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def watch(self, now: int) -> None:
        """Look how it stands, and tell what has come to it."""
        loop = self._loop
        found = self._left(now) if loop.unreachable else {}
        if found.keys() - loop.overdue:
            closes = min(found.values())
            himself = f"; on {clock(closes)} the broker does it himself, for a fee" if closes else ""
            what = f"{', '.join(found)}: intraday, and cannot be squared off now: {loop.unreachable}{himself}"
            loop.log.tell("alarm", "overdue", what)
        loop.overdue = tuple(found)

    def _left(self, now: int) -> dict[str, int]:
        """Return the symbols of what has to be left, and when the broker does it himself (ns UTC, 0: not known)."""
        return {
            ladder.instrument.symbol: int(ladder.instrument.hours.squared)
            for ladder in self._loop.kernel.ladders.values()
            if ladder.plan.product is Product.MIS
            and any(rung.quantity for rung in ladder.rungs)
            and ladder.instrument.hours.squares_off(now)
            and not ladder.instrument.hours.squared_off(now)
        }
