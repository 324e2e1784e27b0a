"""A server that sends Kite frames as fast as they are taken, and the clients that take them.

Our feed, the official one.

Each client reports wall and CPU seconds from the first frame to the last, and what it counted.

As a script it is the server: `feed_peers.py FRAMES RATE` prints its port, and sends every
subscriber so many full frames, RATE a second, or (0) as the socket takes them, so that a client's
own pace is what is measured.
"""

import asyncio
import random
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiled.model.values import Tick

SUBSCRIBED = 100
STAMP = 1_759_808_700_000_000_000


def now() -> tuple[float, float]:
    """Return wall and CPU time, seconds."""
    return time.perf_counter(), time.process_time()


def since(began: tuple[float, float]) -> dict[str, float]:
    """Return the wall and CPU seconds that have passed."""
    return {
        name: then - before
        for name, then, before in zip(("seconds", "cpu"), now(), began, strict=True)
    }


class Clock:
    """Stamps what is received."""

    def now(self) -> int:
        return STAMP


async def serve(count: int, rate: float) -> None:
    """Listen until killed; answer the first message of each client with all frames."""
    from aiohttp import web
    from bench_frames import frames

    frame = frames()["full"]

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        await socket.receive()
        clock = asyncio.get_running_loop().time
        begin = clock()
        for number in range(count):
            if rate:
                await asyncio.sleep(begin + number / rate - clock())
            await socket.send_bytes(frame)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


class Sink:
    """Takes the ticks of every frame, as the desk does, and says when the last has come."""

    def __init__(self, count: int) -> None:
        self.left, self.packets, self.total = count, 0, 0.0
        self.began, self.done = (0.0, 0.0), asyncio.Event()

    def ticks(self, ticks: "list[Tick]", received: int, unread: bytes = b"") -> None:
        if not self.packets:
            self.began = now()
        self.packets += len(ticks)
        self.total += ticks[0].ltp
        self.left -= 1
        if not self.left:
            self.done.set()

    def hint(self, order_id: str) -> None: ...

    def notice(self, level: str, text: str) -> None:
        if level != "info":
            raise RuntimeError(text)

    def link(self, up: bool) -> None: ...


def patang(port: int, count: int) -> dict[str, object]:
    from brokers.kite.kite_feed import KiteFeed

    async def take() -> Sink:
        sink = Sink(count)
        # every frame counts here, so none is conflated
        feed = KiteFeed(
            f"ws://127.0.0.1:{port}",
            "key",
            "token",
            Clock(),
            rng=random.Random(1),
            late_after=float("inf"),
        )
        await feed.subscribe(range(SUBSCRIBED))
        running = asyncio.create_task(feed.run(sink))
        await sink.done.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return sink

    sink = asyncio.run(take())
    return since(sink.began) | {"packets": sink.packets, "total": round(sink.total, 2)}


def official(port: int, count: int) -> dict[str, object]:
    from kiteconnect import KiteTicker

    ticker = KiteTicker("key", "token", root=f"ws://127.0.0.1:{port}", reconnect=False)
    done, told = threading.Event(), {"left": count, "packets": 0, "total": 0.0}
    began: list[tuple[float, float]] = []

    def on_ticks(_socket: object, ticks: list[dict[str, float]]) -> None:
        if not began:
            began.append(now())
        told["packets"] += len(ticks)
        told["total"] += ticks[0]["last_price"]
        told["left"] -= 1
        if not told["left"]:
            done.set()

    ticker.on_connect = lambda socket, _response: socket.subscribe(list(range(SUBSCRIBED)))
    ticker.on_ticks = on_ticks
    ticker.connect(threaded=True)
    if not done.wait(60):
        raise RuntimeError("the official ticker did not get every frame")
    report = since(began[0]) | {"packets": told["packets"], "total": round(told["total"], 2)}
    ticker.stop()
    return report


CONTENDERS = {"patang": patang, "official": official}

if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
