"""Actions to come, in virtual time."""

import heapq
from collections.abc import Callable
from typing import final

Action = Callable[[], None]


@final
class ActionScheduler:
    """Actions by the instant they are due (ns UTC), then by the order they were put in."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._made = 0

    def add(self, due: int, action: Action) -> None:
        """Have something done at an instant."""
        # Ties go by the count, so that a heap does not have to compare functions, and a day is the
        # same again.
        self._made += 1
        heapq.heappush(self._heap, (due, self._made, action))

    @property
    def next_due(self) -> int | None:
        """Return the first instant at which something is due."""
        return self._heap[0][0] if self._heap else None

    def run_due(self, now: int) -> bool:
        """Do every action due at or before `now`; return whether there was any."""
        ran = False
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
            ran = True
        return ran
