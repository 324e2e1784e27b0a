"""Remarks on an instrument's charges, logged with its first order."""

from collections.abc import Callable
from typing import final

from compiled.trading.kernel import Kernel
from engine.market.charges import charge_doubt


@final
class ChargeRemarks:
    """Logs once for each instrument the doubts its list leaves open.

    `tell` takes level, name and text.
    """

    def __init__(self, kernel: Kernel, tell: Callable[[str, str, str], None]) -> None:
        self._kernel = kernel
        self._tell = tell
        self._looked: set[int] = set()

    def look(self, token: int) -> None:
        """Take note of an order in an instrument."""
        if token in self._looked:
            return
        self._looked.add(token)
        instrument = self._kernel.view.instrument(token)
        if text := charge_doubt(instrument):
            self._tell("info", "charges", f"{instrument.exchange}:{instrument.symbol} is {text}")
