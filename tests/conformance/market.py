"""An adapter under test, on the sandbox: what it is asked through, and what lets time pass."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from compiled.model.values import Instrument, Order, OrderPurpose, OrderType, Product, Tick
from engine.ports import Broker, BrokerRules, Feed

SECOND = 1_000_000_000


class SinkRecord:
    """A sink that keeps what it is handed."""

    def __init__(self) -> None:
        self.messages: list[tuple[list[Tick], int, bytes]] = []
        self.hints: list[str] = []
        self.notices: list[tuple[str, str]] = []
        self.links: list[bool] = []

    def ticks(self, ticks: list[Tick], received: int, unread: bytes = b"") -> None:
        """Keep a message."""
        self.messages.append((ticks, received, unread))

    def hint(self, order_id: str) -> None:
        """Keep a hint."""
        self.hints.append(order_id)

    def notice(self, level: str, text: str) -> None:
        """Keep a notice."""
        self.notices.append((level, text))

    def link(self, up: bool) -> None:
        """Keep a change."""
        self.links.append(up)

    def prices(self, token: int) -> list[float]:
        """Return the last prices of a token, as they came."""
        return [tick.ltp for ticks, *_ in self.messages for tick in ticks if tick.token == token]


class AdapterSubject(NamedTuple):
    """Adapter with its market: `share` is traded, and its last price is known to the sink."""

    broker: Broker
    feed: Feed
    sink: SinkRecord
    share: Instrument
    rules: BrokerRules
    pass_time: Callable[[int], Awaitable[None]]
    """Lets so many seconds of the exchange pass, and everything it sends be heard."""

    @property
    def last(self) -> float:
        """Return the share's last price."""
        return self.sink.prices(int(self.share.token))[-1]

    def order(self, number: int, side: int, kind: OrderType, **fields: float) -> Order:
        """Return an order for ten shares, told by its number."""
        return Order(
            number,
            f"conform{number}",
            "suite",
            self.share.token,
            side,
            10,
            kind,
            Product.CNC,
            OrderPurpose.ENTRY if side > 0 else OrderPurpose.EXIT,
            **fields,
        )


async def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return when it holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for signals nobody
            await asyncio.sleep(0.002)
