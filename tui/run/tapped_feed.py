"""A feed that somebody else listens to as well, and before the desk does."""

from collections.abc import Callable, Iterable
from typing import final

from engine.ports import Feed, FeedSink

Ear = Callable[[bytes, int], None]
"""Takes a frame and when it was received (ns)."""


@final
class _TappedSink:
    """A sink behind an ear."""

    def __init__(self, sink: FeedSink, ear: Ear) -> None:
        self._ear = ear
        self._sink = sink
        self.hint = sink.hint
        self.notice = sink.notice
        self.link = sink.link

    def frame(self, payload: bytes, received: int) -> None:
        """Take one market data frame."""
        self._ear(payload, received)
        self._sink.frame(payload, received)


@final
class TappedFeed:
    """`source`, with an ear on its frames; `hint` passes a hint of one's own to the desk."""

    def __init__(self, source: Feed, ear: Ear) -> None:
        self._source = source
        self._ear = ear
        self._sink: FeedSink | None = None

    @property
    def frames_received(self) -> int:
        """Return how many messages have come."""
        return self._source.frames_received

    async def run(self, sink: FeedSink) -> None:
        """Connect, subscribe, deliver, and reconnect until cancelled."""
        self._sink = sink
        await self._source.run(_TappedSink(sink, self._ear))

    async def subscribe(self, tokens: Iterable[int], mode: str = "full") -> None:
        """Subscribe these tokens in a mode, now and after each reconnect."""
        await self._source.subscribe(tokens, mode)

    def hint(self, order_id: str) -> None:
        """Tell the desk to look at the books; nothing before it listens."""
        if self._sink is not None:
            self._sink.hint(order_id)
