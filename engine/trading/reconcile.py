"""Reconciliation: the broker's books against ours at the start, on reconnect and every while, and what stands of it."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from compiled.kernel import Kernel
from compiled.model import SECOND
from engine.errors import OperatorError, RetryableError
from engine.ports import Broker, Clock
from engine.trading.board import Board, DifferenceRow
from engine.trading.differences import POSITIONS, Difference, Kind, compare, held, read

SOON = 1 * SECOND
"""When to look again at what was seen for the first time: it may have been on its way."""
RETRY = 5 * SECOND
"""When to try books again that could not be read."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How much cash may differ (paise)."""

    funds_bound: int = 500_000


class Standing(NamedTuple):
    """A difference that was seen in two comparisons running, and when first (ns)."""

    difference: Difference
    since: int


class Reconciler:
    """Holds what stands between the broker and us; the desk may enter only while it is `clean`.

    What differs once may be on its way: it counts when the next comparison finds the same figures. What agrees again is
    gone at once. Books that cannot be read twice running count as a difference: they are never taken for flat.
    """

    def __init__(self, kernel: Kernel, broker: Broker, clock: Clock, board: Board, terms: Terms) -> None:
        self.kernel = kernel
        self.broker = broker
        self.clock = clock
        self.board = board
        self.terms = terms
        self.standing: dict[str, Standing] = {}
        self.unreadable = ""
        self._seen: dict[str, tuple[int, int]] = {}
        self._missed = 0

    @property
    def open(self) -> tuple[str, ...]:
        """Return what keeps the desk from entering, a line each; nothing: it is clean."""
        found = [each.difference.text for each in self.standing.values()]
        return (self.unreadable, *found) if self.unreadable else tuple(found)

    async def look(self, *, at_once: bool = False) -> int:
        """Compare once; return in how many ns to look again, 0 for as usual. `at_once` counts what is seen once."""
        before = held(self.kernel)
        try:
            books = await read(self.broker)
        except (RetryableError, OperatorError) as error:
            self._missed += 1
            if at_once or self._missed > 1:
                self.unreadable = f"the broker's books cannot be read: {error}"
            return RETRY if self.unreadable else SOON
        self._missed, self.unreadable = 0, ""
        found = {each.key: each for each in compare(self.kernel, books, before, self.terms.funds_bound)}
        fresh = self._take(found, before, at_once=at_once)
        self._show()
        return SOON if fresh else 0

    def _take(self, found: dict[str, Difference], before: Counter[tuple[int, str]], *, at_once: bool) -> bool:
        """Bring what stands up to date; return whether something was seen for the first time."""
        now, seen = self.clock.now(), self._seen
        self._seen = {key: (each.figure, seen.get(key, (0, now))[1]) for key, each in found.items()}
        known = [key for key, each in found.items() if at_once or seen.get(key, (0, 0))[0] == each.figure]
        stands = {key: Standing(found[key], self._seen[key][1]) for key in known}
        for key, old in self.standing.items():
            if key not in stands and (key in found or self._moving(old.difference, before)):
                stands[key] = old
        unsettled = {
            each.difference.token for each in stands.values() if each.difference.kind in {Kind.TRADE, Kind.ORDER}
        }
        self.standing = {
            key: each
            for key, each in stands.items()
            if each.difference.kind not in POSITIONS or each.difference.token not in unsettled
        }
        return len(known) < len(found)

    def _moving(self, difference: Difference, before: Counter[tuple[int, str]]) -> bool:
        """Tell whether our position moved during the comparison, so that nothing could be said of it."""
        at = difference.token, difference.product
        return difference.kind in POSITIONS and held(self.kernel)[at] != before[at]

    def _show(self) -> None:
        section = self.board.differences
        for key, (each, since) in self.standing.items():
            section.put(key, DifferenceRow(
                key, each.kind.value, each.symbol, each.theirs, each.ours, since, tuple(c.value for c in each.choices),
            ))  # fmt: skip
        section.keep(set(self.standing))
