"""A recorded day in place of a broker's market.

It has the day's instruments, its bands, and its feed, frame by frame as the desk took them.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast, final

from brokers.connection import BrokerSession, Connection, FrameFormat, RenewableFeed
from brokers.recorded.feed_playback import FeedPlayback, PlayedFrame
from compiled.model.values import Bar, Instrument
from engine.history.feed_recording import NotedEvent, RecordedEvent, RecordKind, instruments_of
from engine.ports import Broker, BrokerRules, FeedSink, PriceBand

Past = Callable[[str, int, int, int], list[Bar]]
"""Stored bars of a symbol that start in [start, end) ns UTC, of a span (seconds)."""


@final
class RecordedMarket:
    """A recorded day: the reading half of a broker, a feed, the clock's hand, the day's record.

    Nothing from `until` (ns UTC) on is played.
    """

    margins = None

    def __init__(
        self,
        meta: dict[str, Any],
        frames: FrameFormat,
        rules: BrokerRules,
        records: Callable[[], Iterable[RecordedEvent]],
        begins: int,
        past: Past,
        until: int,
    ) -> None:
        self.begins, self.ended = begins, dict[str, Any]()
        """When the recorded desk began its day (ns UTC), and what this one's came to."""
        self.playback = FeedPlayback(frames)
        self.rules = rules._replace(margins=False)
        self.left_early = False
        """Whether it was left before the end of the recording."""
        self._listed = instruments_of(meta)
        self._records, self._past, self._until = records, past, until
        self._sink: FeedSink | None = None
        self._heard = asyncio.Event()

    def connection(self) -> Connection:
        """Return it in every part of a connection; nothing is ever sent through it."""
        broker, feed = cast("Broker", self), cast("RenewableFeed", self)
        return Connection(
            broker, feed, cast("BrokerSession", self), self.rules, self.margins, self.history
        )

    # what a broker tells

    async def account(self) -> str:
        """Return the user id of the account."""
        return "RECORDING"

    async def instruments(self, exchange: str) -> list[Instrument]:
        """Return what was recorded: a desk's instruments, of whatever exchange."""
        del exchange
        return self._listed

    async def bands(self, instruments: Sequence[Instrument]) -> list[PriceBand]:
        """Return the bands as the recorded desk began with them."""
        known = {int(each.token): each for each in self._listed}
        asked = [known[int(each.token)] for each in instruments if int(each.token) in known]
        return [PriceBand(int(each.token), each.lower, each.upper, each.close) for each in asked]

    async def history(self, token: int, start: int, end: int, span: int) -> list[Bar]:
        """Return bars of before the recording that are stored here."""
        symbol = next((each.symbol for each in self._listed if int(each.token) == token), "")
        found = self._past(symbol, start, min(end, self.begins), span)
        for bar in found:
            bar.token = token
        return found

    def consents(self) -> bool | None:
        """Return None: it is not known."""
        return None

    async def close(self) -> None:
        """Let go of nothing."""

    # the feed

    @property
    def frames_received(self) -> int:
        """Return what has been delivered."""
        return self.playback.frames

    async def run(self, sink: FeedSink) -> None:
        """Be connected until cancelled."""
        self._sink = sink
        self._heard.set()
        sink.link(True)
        await asyncio.Event().wait()

    async def subscribe(self, tokens: Iterable[int], mode: str = "full") -> None:
        """Have everything that was recorded."""

    async def unsubscribe(self, tokens: Iterable[int]) -> None:
        """Have everything that was recorded."""

    # the hand on the clock: where there is a script the desk follows it, and never asks the last
    # two of these (`engine.day.pacing.LockstepDay`)

    async def start(self) -> int:
        """Return when the recorded desk began its day."""
        return self.begins

    async def sent(self) -> int:
        """Return that nothing is under way."""
        return 0

    async def advance(self, until: int) -> tuple[int, int, bool]:
        """Fail: the script says when what happens."""
        raise AssertionError(f"a recording's clock is not moved to {until}")

    async def listening(self) -> int:
        """Fail: the script waits for a listener."""
        raise AssertionError("a recording sends to whoever listens")

    # the script

    def script(self) -> Iterator[tuple[int, PlayedFrame | NotedEvent]]:
        """Go through what the desk took and when, in its order, up to `until`."""
        # whoever leaves off listening leaves early as well
        self.left_early = True
        for each in self.playback.frames_and_events(self._records()):
            ts = each.received if isinstance(each, PlayedFrame) else int(each.ts)
            if ts >= self._until:
                return
            yield ts, each
        self.left_early = False

    def deliver(self, event: PlayedFrame | NotedEvent) -> NotedEvent | None:
        """Send a frame as a feed does; return any other record, for the kernel."""
        if not isinstance(event, PlayedFrame):
            return event
        assert self._sink is not None
        self._sink.ticks(event.ticks, event.received, event.unread)
        return None

    async def listened(self) -> None:
        """Wait for a listener."""
        await self._heard.wait()

    # the record

    def put(self, kind: int, connection: int, ts: int, payload: bytes) -> None:
        """Keep what the day came to."""
        del connection, ts
        if kind == RecordKind.END:
            self.ended = json.loads(payload)
