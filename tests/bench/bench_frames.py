"""Measure the frame decoder against the official client's parser, on the same frames in the same run.

`run()` returns packets per second and ratios; run it as a script for JSON. Rounds of the contenders alternate and the
best of each counts, so that a busy machine slows all alike.
"""

import json
import random
import time
from collections.abc import Callable

from kiteconnect import KiteTicker

import compiled
from compiled.frames import FULL, LTP, QUOTE, Columns, Decoder, encode, pack_depth
from compiled.model import SECOND, Tick

STAMP = 1_759_808_700 * SECOND
PACKETS = 200


def ticks(count: int, seed: int = 42) -> list[Tick]:
    """Return `count` ticks of different tokens, everything filled in, five levels a side."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        token, price = (1_000 + number) << 8 | 1, rng.randrange(2_000, 80_000) * 0.05
        bids = [(price - 0.05 * level, rng.randrange(1, 5_000), rng.randrange(1, 40)) for level in range(1, 6)]
        asks = [(price + 0.05 * level, rng.randrange(1, 5_000), rng.randrange(1, 40)) for level in range(1, 6)]
        made.append(
            Tick(token, STAMP, price, rng.randrange(10**7), rng.randrange(500), price - 1.0, rng.randrange(10**6))
        )
        made[-1].open, made[-1].high, made[-1].low, made[-1].close = price - 2.0, price + 3.0, price - 4.0, price - 2.5
        made[-1].last_trade_ts, made[-1].depth = STAMP, pack_depth(token, bids, asks)
    return made


def frames() -> dict[str, bytes]:
    """Return the frames under test by name."""
    made = ticks(PACKETS)
    mixed = [(FULL, QUOTE, LTP)[number % 3] for number in range(PACKETS)]
    return {
        "full": encode(made, [FULL] * PACKETS),
        "quote": encode(made, [QUOTE] * PACKETS),
        "ltp": encode(made, [LTP] * PACKETS),
        "mixed": encode(made, mixed),
        "full of 8": encode(made[:8], [FULL] * 8),
    }


def best(call: Callable[[], object], repeats: int) -> float:
    """Return the shortest of `repeats` calls, in seconds."""
    shortest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def run(rounds: int = 12) -> dict[str, object]:
    """Return, for every frame, microseconds a frame of each contender and how often ours beats the official one."""
    official, decoder, columns = KiteTicker("key", "token")._parse_binary, Decoder(), Columns()
    result: dict[str, object] = {"native": compiled.NATIVE}
    for name, frame in frames().items():
        contenders: dict[str, tuple[Callable[[], object], int]] = {
            "official": (lambda frame=frame: official(frame), 3),
            "ticks": (lambda frame=frame: decoder.decode(frame, STAMP), 100),
            "columns": (lambda frame=frame: columns.update(frame, STAMP), 100),
        }
        times = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for key, (call, repeats) in contenders.items():
                times[key] = min(times[key], best(call, repeats))
        result[name] = {key: round(seconds * 1e6, 2) for key, seconds in times.items()} | {
            "ticks ratio": round(times["official"] / times["ticks"], 1),
            "columns ratio": round(times["official"] / times["columns"], 1),
        }
    return result


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
