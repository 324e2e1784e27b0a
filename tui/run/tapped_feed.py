"""A feed with a second listener, which gets everything before the desk."""

from collections.abc import Callable, Iterable, Sequence
from typing import final

from compiled.model.values import Tick
from engine.ports import Feed, FeedSink

Ear = Callable[[Sequence[Tick], int], None]
"""Takes ticks and when they were received (ns), and leaves them as they are."""


@final
class _TappedSink:
    """A sink behind an ear."""

    def __init__(self, sink: FeedSink, ear: Ear) -> None:
        self._ear = ear
        self._sink = sink
        self.hint = sink.hint
        self.notice = sink.notice
        self.link = sink.link

    def ticks(self, ticks: list[Tick], received: int, unread: bytes = b"") -> None:
        """Take the ticks of one message."""
        # first: an order that the desk makes of these ticks must meet them at the simulated
        # exchange
        self._ear(ticks, received)
        self._sink.ticks(ticks, received, unread)


@final
class TappedFeed:
    """`source`, with an ear on its ticks; `hint` passes a hint of one's own to the desk."""

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

    async def unsubscribe(self, tokens: Iterable[int]) -> None:
        """Bring these tokens no longer."""
        await self._source.unsubscribe(tokens)

    def hint(self, order_id: str) -> None:
        """Pass on that the books may have changed; nothing before the desk needs it."""
        if self._sink is not None:
            self._sink.hint(order_id)
