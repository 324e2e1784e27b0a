"""Tokens of a connection without a tick since it was made."""

from collections.abc import Iterable
from typing import final

from brokers.backfill.feed_gaps import FeedGap
from compiled.adapters.kite_frames import FrameDecoder


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
            # Lost twice before its first tick it has one gap, from the first loss on.
            self._missed.setdefault(token, since)

    def forget(self, tokens: Iterable[int]) -> None:
        """Wait for these no longer."""
        for token in tokens:
            self._missed.pop(token, None)

    def gaps_ended_by(self, frame: bytes, now: int) -> list[FeedGap]:
        """Take a frame; return the gaps that it ends."""
        # The usual case, met by every frame: nothing is taken apart twice.
        if not self._missed:
            return []
        gaps = []
        for at in self._decoder.split(frame):
            token = int.from_bytes(frame[at : at + 4], "big")
            since = self._missed.pop(token, -1)
            if since > 0:
                gaps.append(FeedGap(token, since, now))
        return gaps
