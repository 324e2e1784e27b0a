"""Gaps of the feed: from when to when, token by token, and the minutes that fill them."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple

from compiled.model.values import MINUTE, Bar
from engine.errors import RetryableError

_BAR: Final = 60


class FeedGap(NamedTuple):
    """Silence of `token`, from its connection's last message to its first tick since (ns UTC)."""

    token: int
    start: int
    end: int


def merged_gaps(gaps: Iterable[FeedGap]) -> list[FeedGap]:
    """Return one gap per stretch and token, oldest first, in whole minutes; touching ones join."""
    found: list[FeedGap] = []
    for gap in sorted(gaps):
        # A minute that was heard in part has a wrong bar, so it is read whole.
        start, end = gap.start // MINUTE * MINUTE, -(-gap.end // MINUTE) * MINUTE
        last = found[-1] if found else None
        if last is not None and last.token == gap.token and start <= last.end:
            found[-1] = last._replace(end=max(last.end, end))
        else:
            found.append(FeedGap(gap.token, start, end))
    return sorted(found, key=lambda gap: (gap.start, gap.token))


async def read_gap_bars(
    history: Callable[[int, int, int, int], Awaitable[list[Bar]]],
    gaps: Iterable[FeedGap],
    take: Callable[[FeedGap, list[Bar]], None],
    first: Iterable[int] = (),
) -> list[FeedGap]:
    """Read one-minute bars for each gap and hand them to `take`; return the unread gaps.

    The tokens in `first` (open positions) go before all others: Kite gives three answers a second.
    `history` is `Broker.history`. The minute in which a gap ends may be unfinished, and Kite's
    newest minute may still change.
    """
    urgent = set(first)
    unread = []
    for gap in sorted(merged_gaps(gaps), key=lambda gap: gap.token not in urgent):
        try:
            take(gap, await history(gap.token, gap.start, gap.end, _BAR))
        except RetryableError:
            unread.append(gap)
    return unread
