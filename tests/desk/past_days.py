"""A recording made up in memory: twelve minutes of two shares, from 09:15 on."""

import json
import random

from compiled.adapters.kite_frames import FULL, encode_frame
from compiled.model.values import SECOND, Tick
from engine.history.feed_recording import COUNT, FORMAT, RecordedEvent, RecordKind
from store.recordings.recording_blocks import FILE, pack_block

DAY = "2026-06-01"
OPEN = 1_780_285_500 * SECOND
"""09:15 IST of that day."""
CLOSE = OPEN + 375 * 60 * SECOND
SHARES = {"INFY": 408065, "SBIN": 779521}
MINUTES = 12
EAGER = """
[feed]
watch = ["INFY", "SBIN"]
stale_after_s = 600
[strategy.momentum_ladder]
momentum_bars = 1
momentum_percent = 0.01
ema_fast = 1
ema_slow = 2
"""
"""Strategies that find something to do in every minute."""


def header():
    hours = [OPEN, CLOSE, 0, 0]
    return json.dumps(
        {
            "format": FORMAT,
            "mode": "sandbox",
            "broker": "sandbox",
            "open": OPEN,
            "close": CLOSE,
            "grace": 2 * SECOND,
            "ahead": 0,
            "spans": [60, 300],
            "instruments": [
                {
                    "token": token,
                    "exchange": "NSE",
                    "symbol": symbol,
                    "tick": 0.05,
                    "lot": 1,
                    "kind": "EQ",
                    "lower": 1.0,
                    "upper": 100_000.0,
                    "close": 1_000.0,
                    "hours": hours,
                }
                for symbol, token in SHARES.items()
            ],
        }
    ).encode()


def records():
    """Return its records: a frame every other second, a timer every second."""
    numbers = random.Random(7)
    prices = dict.fromkeys(SHARES.values(), 1_000.0)
    found, taken = [RecordedEvent(RecordKind.META, 0, OPEN, header())], 0
    for second in range(MINUTES * 60):
        at = OPEN + second * SECOND
        if second % 2 == 0:
            ticks = []
            for token in prices:
                move = numbers.choice((-0.4, -0.2, 0.0, 0.2, 0.45))
                prices[token] = round((prices[token] + move) * 20) / 20
                ticks.append(
                    Tick(
                        token,
                        at,
                        prices[token],
                        volume=100 * (second + 1),
                        bid=prices[token] - 0.05,
                        ask=prices[token] + 0.05,
                        bid_quantity=500,
                        ask_quantity=500,
                        last_trade_ts=at,
                    )
                )
            found.append(RecordedEvent(RecordKind.FRAME, 1, at, encode_frame(ticks, [FULL] * 2)))
            taken += 1
        found.append(RecordedEvent(RecordKind.TIMER, 0, at + SECOND // 2, COUNT.pack(taken)))
    return found


def write_recording(folder):
    """Write it below a mode's folder of recordings, and return its file."""
    file = folder / DAY / "0001-0001.feed"
    file.parent.mkdir(parents=True)
    file.write_bytes(FILE + pack_block(records()))
    return file
