"""Measure the feed at Kite's ceiling, 9,000 instruments at one full tick a second each, beside the official ticker.

A server in a process of its own sends real frames (200 packets of 184 bytes) over three connections; each peer runs in
a process of its own and decodes what it gets. `run()` returns, for each, the packets it received and the part of one
core it used for the pace of the market; "flood" is the same server without a pace: how much a peer can take;
"pressed" a desk too slow for the market, which must be given the newest packets in a memory that stays.
"""

import asyncio
import json
import random
import resource
import subprocess
import sys
import time

import compiled
from compiled.model import SECOND

CONNECTIONS, TOKENS, PACKETS = 3, 3_000, 200
STAMP = 1_795_146_300
WARM = 1.0
BURDEN = 200e-6
"""Seconds a packet: 1.8 times what the market leaves."""


def frames_of(tokens: list[int]) -> list[bytes]:
    """Return the frames with one full tick of each token."""
    from compiled.frames import FULL, encode, pack_depth
    from compiled.model import Tick

    rng = random.Random(7)
    ticks = []
    for token in tokens:
        price = rng.randrange(2_000, 80_000) * 0.05
        bids = [(price - 0.05 * level, rng.randrange(1, 5_000), 3) for level in range(1, 6)]
        asks = [(price + 0.05 * level, rng.randrange(1, 5_000), 3) for level in range(1, 6)]
        ticks.append(Tick(token, STAMP * SECOND, price, 1_000, 5, price, 10, 10, price, price, price, price))
        ticks[-1].depth, ticks[-1].last_trade_ts = pack_depth(token, bids, asks), STAMP * SECOND
    return [encode(ticks[at : at + PACKETS], [FULL] * PACKETS) for at in range(0, len(ticks), PACKETS)]


async def serve(*, flood: bool) -> None:
    """Serve until killed; a connection gets its ticks once it has asked for all of its tokens."""
    from aiohttp import web

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        tokens: dict[int, None] = {}
        while len(tokens) < TOKENS:
            ask = json.loads((await socket.receive()).data)
            if ask["a"] == "mode":
                tokens.update(dict.fromkeys(ask["v"][1]))
        frames, begun = frames_of(list(tokens)), time.monotonic()
        for number in range(10**9):
            due = begun + number / len(frames)
            if not flood and due > time.monotonic():
                await asyncio.sleep(due - time.monotonic())
            try:
                await socket.send_bytes(frames[number % len(frames)])
            except ConnectionError:
                break
        return socket

    app = web.Application()
    app.router.add_get("/", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


class Meter:
    """Counts packets, and the processor time they cost, from a moment on."""

    def __init__(self) -> None:
        self.packets, self._from = 0, 0

    def begin(self) -> None:
        """Start the measurement."""
        self._from, self._cpu, self._wall = self.packets, time.process_time(), time.monotonic()

    def read(self) -> dict[str, object]:
        """Return the figures since `begin`."""
        wall, packets = time.monotonic() - self._wall, self.packets - self._from
        cpu = time.process_time() - self._cpu
        return {
            "packets_per_s": round(packets / wall),
            "core_percent": round(100 * cpu / wall, 1),
            "us_per_packet": round(1e6 * cpu / max(1, packets), 2),
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def tokens_of(connection: int) -> list[int]:
    """Return one connection's share of the tokens, all of NSE."""
    return [(number << 8) | 1 for number in range(1 + connection * TOKENS, 1 + (connection + 1) * TOKENS)]


async def ours(url: str, seconds: float, burden: float = 0.0) -> dict[str, object]:
    """Measure our feed and decoder, below a desk that spends `burden` seconds on each packet."""
    from brokers.kite.feed import KiteFeed
    from compiled.frames import Decoder
    from engine.trading.clock import ScaledClock

    meter, decoder = Meter(), Decoder()

    class Sink:
        """Decodes, as the desk does."""

        def frame(self, payload: bytes, received: int) -> None:
            count = len(decoder.decode(payload, received))
            meter.packets += count
            if burden:
                time.sleep(burden * count)

        def hint(self, order_id: str) -> None: ...

        def notice(self, level: str, text: str) -> None:
            sys.stderr.write(f"{level}: {text}\n")

        def link(self, up: bool) -> None: ...

    feed = KiteFeed(url, "key", "token", ScaledClock.real(), rng=random.Random(1))
    await feed.subscribe(token for connection in range(CONNECTIONS) for token in tokens_of(connection))
    task = asyncio.ensure_future(feed.run(Sink()))
    await asyncio.sleep(WARM)
    meter.begin()
    await asyncio.sleep(seconds)
    result = meter.read() | {"conflated": feed.conflation.conflated, "native": compiled.NATIVE}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return result


def official(url: str, seconds: float) -> dict[str, object]:
    """Measure the official ticker, three of them on its one reactor."""
    from kiteconnect import KiteTicker

    meter = Meter()

    def ticker(tokens: list[int]) -> KiteTicker:
        made = KiteTicker("key", "token", root=url)

        def connected(ws: KiteTicker, _response: object) -> None:
            ws.subscribe(tokens)
            ws.set_mode(ws.MODE_FULL, tokens)

        def took(_ws: object, ticks: list[object]) -> None:
            meter.packets += len(ticks)

        made.on_connect, made.on_ticks = connected, took
        return made

    for connection in range(CONNECTIONS):
        ticker(tokens_of(connection)).connect(threaded=True)
    time.sleep(WARM + 3.0)
    meter.begin()
    time.sleep(seconds)
    return meter.read()


def measure(peer: str, seconds: float, *, flood: bool) -> dict[str, object]:
    """Run one peer against a fresh server, each in its own process."""
    me = [sys.executable, __file__]
    with subprocess.Popen([*me, "serve", "flood" if flood else "pace"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"ws://127.0.0.1:{server.stdout.readline().strip()}"
            done = subprocess.run(
                [*me, peer, url, str(seconds)], capture_output=True, text=True, timeout=60 + seconds, check=False
            )
        finally:
            server.kill()
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout))


def run(seconds: float = 10.0) -> dict[str, object]:
    """Return the figures of both peers, at the market's pace and flooded."""
    result: dict[str, object] = {}
    for name, flood in (("pace", False), ("flood", True)):
        for peer in ("ours", "official"):
            result[f"{name} {peer}"] = measure(peer, seconds, flood=flood)
    result["pressed ours"] = measure("pressed", seconds, flood=False)
    return result


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", how]:
            asyncio.run(serve(flood=how == "flood"))
        case ["ours", url, seconds]:
            print(json.dumps(asyncio.run(ours(url, float(seconds)))))
        case ["pressed", url, seconds]:
            print(json.dumps(asyncio.run(ours(url, float(seconds), BURDEN))))
        case ["official", url, seconds]:
            print(json.dumps(official(url, float(seconds))), flush=True)
            sys.stdout.flush()
            import os

            os._exit(0)  # the reactor's threads never end
        case _:
            print(json.dumps(run(), indent=2))
