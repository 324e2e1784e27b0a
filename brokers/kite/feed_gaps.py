"""Gaps of the feed: from when to when, token by token, and the minutes that fill them."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple, final

from compiled.adapters.kite_frames import FrameDecoder
from compiled.model.values import MINUTE, Bar
from engine.errors import RetryableError

_BAR: Final = 60


class FeedGap(NamedTuple):
    """Silence of `token`, from its connection's last message to its first tick since (ns UTC)."""

    token: int
    start: int
    end: int


@final
class SilentTokens:
    """Tokens of one connection without a tick since it was made, and since when they are missed."""

    def __init__(self) -> None:
        self._missed: dict[int, int] = {}
        self._decoder = FrameDecoder()

    def __len__(self) -> int:
        """Return how many tokens are waited for."""
        return len(self._missed)

    @property
    def tokens(self) -> list[int]:
        """Return the tokens that are waited for."""
        return list(self._missed)

    def expect(self, tokens: Iterable[int], since: int) -> None:
        """Wait for the first tick of these; a token that is missed already is missed since then.

        Since 0: it never had a tick, so there is no gap.
        """
        for token in tokens:
            self._missed.setdefault(token, since)

    def gaps_ended_by(self, frame: bytes, now: int) -> list[FeedGap]:
        """Take a frame; return the gaps that it ends."""
        if not self._missed:
            return []
        gaps = []
        for at in self._decoder.split(frame):
            token = int.from_bytes(frame[at : at + 4], "big")
            since = self._missed.pop(token, -1)
            if since > 0:
                gaps.append(FeedGap(token, since, now))
        return gaps


def merged_gaps(gaps: Iterable[FeedGap]) -> list[FeedGap]:
    """Return one gap per stretch and token, oldest first, in whole minutes; touching ones join."""
    found: list[FeedGap] = []
    for gap in sorted(gaps):
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
