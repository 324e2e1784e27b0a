"""The live path without a screen.

Socket, decoder, bars, kernel, a Python strategy of 25 µs, and the command it asks for.

As a script it is the server: `live_path.py SECONDS PACKETS` prints its port, and sends a subscriber
9,000 instruments, each once a second, in frames of so many. A command's time is the CPU's, from the
arrival of its frame until the kernel has gone through all of it; waiting for a processor that
others use does not count. Orders are refused at once: no position stays.
"""

import asyncio
import random
import sys
import time

from feed_peers import SUBSCRIBED, now, since

INSTRUMENTS, ASKING = 9_000, 300
STRATEGY_US = 25.0


def opened() -> int:
    """Return when the session of the bench began, ns UTC: a minute before it started."""
    return (time.time_ns() // 1_000_000_000 - 60) * 1_000_000_000


async def serve(seconds: int, packets: int) -> None:
    """Listen until killed; send each client every instrument once a second, at prices that move."""
    from aiohttp import web
    from bench_frames import ticks

    from compiled.adapters.kite_frames import FULL, encode_frame

    made, rng = ticks(INSTRUMENTS), random.Random(7)

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        await socket.receive()
        clock = asyncio.get_running_loop().time
        begin, frames = clock(), INSTRUMENTS // packets
        for number in range(seconds * frames):
            await asyncio.sleep(begin + number / frames - clock())
            part = made[number % frames * packets :][:packets]
            for tick in part:
                tick.ts = tick.last_trade_ts = time.time_ns()
                tick.ltp = max(1.0, tick.ltp + rng.choice((-0.05, 0.0, 0.05)))
                tick.volume += 10
            await socket.send_bytes(encode_frame(part, [FULL] * packets))
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


class WallClock:
    """The time of day."""

    def now(self) -> int:
        return time.time_ns()


def desk() -> tuple[object, list[int]]:
    """Return a kernel of 9,000 instruments with a strategy that enters at every third.

    The strategy thinks for 25 µs on each tick of 300 of them.
    """
    from compiled.accounting.charges import ChargeRates, ChargeRow
    from compiled.model.events import OperatorAct, OperatorInstruction
    from compiled.model.values import MINUTE, Instrument, Product, Side
    from compiled.trading.desk_state import StrategyState
    from compiled.trading.kernel import Kernel, KernelSetup
    from compiled.trading.risk import RiskLimits
    from compiled.trading.strategy import Strategy

    class Thinks(Strategy):
        def __init__(self) -> None:
            super().__init__("thinks", 60, wants_ticks=True)
            self.seen: dict[int, int] = {}

        def on_tick(self, ctx: object, tick: object) -> None:
            until = time.perf_counter_ns() + STRATEGY_US * 1_000
            while time.perf_counter_ns() < until:
                pass
            seen = self.seen[tick.token] = self.seen.get(tick.token, 0) + 1
            if seen % 3 == 0:
                ctx.enter(tick.token, Side.BUY, 0, 2.0, quantity=1)

    tokens = [(1_000 + number) << 8 | 1 for number in range(INSTRUMENTS)]
    listed = [Instrument(token, "NSE", f"S{token >> 8}", 0.05) for token in tokens]
    row = ChargeRow("tax", "EQ_DELIVERY", "NSE", 0, 99991231, 0, 0)
    rates = {
        8 * token + int(Product.CNC): ChargeRates(row, row, row, row, row, row, row)
        for token in tokens
    }
    began = opened()
    setup = KernelSetup(began, began + 300 * MINUTE, 10**12, RiskLimits(), [60], "B")
    kernel = Kernel(
        setup, listed, [StrategyState(Thinks(), tokens[:: INSTRUMENTS // ASKING])], rates
    )
    kernel.handle(OperatorInstruction(time.time_ns(), OperatorAct.READY))
    return kernel, tokens


def patang(port: int, seconds: int, packets: int) -> dict[str, object]:
    from brokers.kite.kite_feed import KiteFeed
    from compiled.model.events import (
        BrokerAnswer,
        PlaceOrder,
        RequestOutcome,
        RequestVerb,
        TickBatch,
        TimerEvent,
    )
    from compiled.model.values import Tick, stamp_ticks

    kernel, _ = desk()
    took = []
    left, began, done, beat = seconds * (INSTRUMENTS // packets), [], asyncio.Event(), 0

    class Sink:
        def ticks(self, ticks: list[Tick], received: int, unread: bytes = b"") -> None:
            nonlocal left, beat
            if not began:
                began.append(now())
            start = time.thread_time_ns()
            stamp_ticks(ticks, received)
            commands = kernel.handle(TickBatch(received, ticks))
            if any(isinstance(command, PlaceOrder) for command in commands):
                took.append((time.thread_time_ns() - start) / 1e6)
            for command in commands:
                if isinstance(command, PlaceOrder):
                    refused = BrokerAnswer(
                        received,
                        command.order.intent,
                        RequestVerb.PLACE,
                        RequestOutcome.REFUSED,
                        "",
                        "nobody is there",
                    )
                    kernel.handle(refused)
            if received > beat + 1_000_000_000:
                beat = received
                kernel.handle(TimerEvent(received))
            left -= 1
            if not left:
                done.set()

        def hint(self, order_id: str) -> None: ...
        def notice(self, level: str, text: str) -> None: ...
        def link(self, up: bool) -> None: ...

    async def take() -> dict[str, float]:
        feed = KiteFeed(f"ws://127.0.0.1:{port}", "key", "token", WallClock(), rng=random.Random(1))
        await feed.subscribe(range(SUBSCRIBED))
        running = asyncio.create_task(feed.run(Sink()))
        await done.wait()
        told = since(began[0])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return told

    told = asyncio.run(take())
    took.sort()
    at = {
        name: took[min(len(took) - 1, int(len(took) * part))]
        for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    return told | at | {"commands": len(took), "ticks": int(kernel.state.tick_count)}


CONTENDERS = {"patang": patang}

if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
