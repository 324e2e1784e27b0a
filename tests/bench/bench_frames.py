"""Benchmark of the frame decoder against the official client's parser, on the same frames.

Rounds of the contenders alternate and the best of each counts, so that a busy machine slows all
alike.
"""

import random
import time
from collections.abc import Callable
from importlib.metadata import version

from kiteconnect import KiteTicker
from report import goal, section, table

from compiled.adapters.kite_frames import FULL, LTP, QUOTE, FrameDecoder, LatestTicks, encode_frame
from compiled.market_data.depth_block import pack_depth
from compiled.model.values import SECOND, Tick

STAMP = 1_759_808_700 * SECOND
PACKETS = 200


def ticks(count: int, seed: int = 42) -> list[Tick]:
    """Return `count` ticks of different tokens, everything filled in, five levels a side."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        token, price = (1_000 + number) << 8 | 1, rng.randrange(2_000, 80_000) * 0.05
        bids = [
            (price - 0.05 * level, rng.randrange(1, 5_000), rng.randrange(1, 40))
            for level in range(1, 6)
        ]
        asks = [
            (price + 0.05 * level, rng.randrange(1, 5_000), rng.randrange(1, 40))
            for level in range(1, 6)
        ]
        made.append(
            Tick(
                token,
                STAMP,
                price,
                rng.randrange(10**7),
                rng.randrange(500),
                price - 1.0,
                rng.randrange(10**6),
            )
        )
        made[-1].open, made[-1].high, made[-1].low, made[-1].close = (
            price - 2.0,
            price + 3.0,
            price - 4.0,
            price - 2.5,
        )
        made[-1].last_trade_ts, made[-1].depth = STAMP, pack_depth(token, bids, asks)
    return made


def frames() -> dict[str, bytes]:
    """Return the frames under test by name."""
    made = ticks(PACKETS)
    mixed = [(FULL, QUOTE, LTP)[number % 3] for number in range(PACKETS)]
    return {
        "full": encode_frame(made, [FULL] * PACKETS),
        "quote": encode_frame(made, [QUOTE] * PACKETS),
        "ltp": encode_frame(made, [LTP] * PACKETS),
        "mixed": encode_frame(made, mixed),
        "full of 8": encode_frame(made[:8], [FULL] * 8),
    }


def best(call: Callable[[], object], repeats: int) -> float:
    """Return the shortest of `repeats` calls, in seconds."""
    shortest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def same(frame: bytes, official: list[dict[str, object]]) -> bool:
    """Return whether decoder and columns give the official parser's prices, volumes, depth."""
    theirs = [
        (
            t["instrument_token"],
            t["last_price"],
            t.get("volume_traded", -1),
            t.get("total_buy_quantity", 0),
            best_bid(t),
        )
        for t in official
    ]
    decoder, columns = FrameDecoder(), LatestTicks()
    ours = [(t.token, t.ltp, t.volume, t.buy_quantity, t.bid) for t in decoder.decode(frame, STAMP)]
    columns.update(frame, STAMP)
    states = [columns.tick(token) for token, *_ in theirs]
    packed = [(t.token, t.ltp, t.volume, t.buy_quantity, t.bid) for t in states if t is not None]
    return ours == theirs == packed


def best_bid(tick: dict[str, object]) -> float:
    """Return the price of the first buyer of an official tick, 0.0 without depth."""
    return tick["depth"]["buy"][0]["price"] if "depth" in tick else 0.0


def measure(frame: bytes, rounds: int) -> dict[str, float]:
    """Return the microseconds each contender takes for one frame.

    Assert that all read the same from it.
    """
    official, decoder, columns = (
        KiteTicker("key", "token")._parse_binary,
        FrameDecoder(),
        LatestTicks(),
    )
    assert same(frame, official(frame)), "the official parser read other values"
    contenders: dict[str, tuple[Callable[[], object], int]] = {
        "official": (lambda: official(frame), 3),
        "ticks": (lambda: decoder.decode(frame, STAMP), 100),
        "columns": (lambda: columns.update(frame, STAMP), 100),
    }
    times = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for key, (call, repeats) in contenders.items():
            times[key] = min(times[key], best(call, repeats))
    return {key: seconds * 1e6 for key, seconds in times.items()}


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    figures = {name: measure(frame, 3 if quick else 12) for name, frame in frames().items()}
    rows = [
        {
            "frame": name,
            "official µs": times["official"],
            "into ticks µs": times["ticks"],
            "into columns µs": times["columns"],
            "ticks, times official": times["official"] / times["ticks"],
            "columns, times official": times["official"] / times["columns"],
        }
        for name, times in figures.items()
    ]
    full = figures["full"]
    beyond = full["official"] / full["columns"]
    return section(
        "Frame decoder",
        f"Frames of {PACKETS} packets (the last of 8); the peer is `KiteTicker._parse_binary` of "
        "kiteconnect"
        f" {version('kiteconnect')}. Ticks are native objects with their depth, columns the last "
        "state of each token.",
        [table("One frame", rows)],
        [
            goal(
                "decoder on full frames, times the official parser", "≥ 150", beyond, beyond >= 150
            ),
            goal("one full frame, µs", "≤ 20", full["columns"], full["columns"] <= 20),
        ],
    )
