"""Strategies that do not come back: found by their call counts, ended by an exception.

The exception is raised in the engine's thread.
"""

import ctypes
from collections.abc import Iterator, Sequence

from compiled.model.values import SECOND
from compiled.trading.desk_state import StrategyState


class StrategyHung(BaseException):
    """The end of a strategy that does not come back.

    It is raised wherever the strategy is, as soon as that is Python.
    """

    def __str__(self) -> str:
        """Return its cause."""
        return "it did not come back, and was ended by the watchdog"


class HungStrategies:
    """Looks at the day's strategies from another thread.

    `seconds` is how long one may be at work (0: for ever).
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.is_busy = False
        """Whether one was still at the call of the look before."""
        self._since: dict[str, tuple[int, int]] = {}
        """At which call each was found at work, and when that was first seen (ns)."""

    def end_hung(self, slots: Sequence[StrategyState], now: int, thread: int) -> Iterator[str]:
        """Yield the name of every strategy that does not come back, after an attempt to end it."""
        self.is_busy = False
        for slot in slots:
            call = int(slot.call_count)
            seen, since = self._since.get(slot.name, (0, 0))
            # The core counts a call up when it begins and when it returns: an odd count is a
            # strategy at work.
            if call % 2 == 0 or call != seen:
                self._since[slot.name] = call, now
                continue
            self.is_busy = self._seconds > 0
            if self.is_busy and now - since > self._seconds * SECOND:
                end_strategy(slot, call, thread)
                yield slot.name


def end_strategy(slot: StrategyState, call: int, thread: int) -> None:
    """Raise `StrategyHung` in the thread held by a strategy, unless it has come back.

    Code that is not Python (a sleep, a lock, a native loop) gets it when it returns.
    """
    # The only way to raise in another thread; it takes effect at that thread's next bytecode.
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    raise_in(ctypes.c_ulong(thread), ctypes.py_object(StrategyHung))
    # It came back between look and exception, which would now hit the engine itself: take it back.
    if int(slot.call_count) != call:
        raise_in(ctypes.c_ulong(thread), None)
