"""Dead letters: impossible packets of the feed, kept with their reason and counted."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, final

import msgspec

from compiled.market_data.tick_filter import DeadTick, TickFilter
from compiled.model.int_map import IntMap
from compiled.model.values import Instrument, Tick
from engine.market.calendar import ist_day, midnight
from engine.ports import Journal

FRAME: Final = "frame"
KEPT: Final = 1_000
"""Letters of one reason and day that are kept; more are counted."""
LONGEST: Final = 4_096
"""Bytes of a frame that are kept."""
AHEAD_S: Final = 300
"""Seconds of the machine's time that a stamp may lie in the future.

A clock may be wrong, but not by more unnoticed.
"""
TICK_FIELDS: Final = (
    "token",
    "ts",
    "ltp",
    "volume",
    "last_quantity",
    "average_price",
    "buy_quantity",
    "sell_quantity",
    "open",
    "high",
    "low",
    "close",
    "last_trade_ts",
    "oi",
    "oi_high",
    "oi_low",
    "bid",
    "bid_quantity",
    "ask",
    "ask_quantity",
    "depth",
)
WORDS: Final = {
    FRAME: "a frame that does not decode",
    "token": "a token that nobody asked for",
    "future": "a time in the future",
    "day": "a trade of today with the time of another day",
    "grid": "a traded price off the grid",
    "band": "a traded price off the band that the next trade took back",
    "jump": "a jump that the next trade took back",
}


class DeadLetter(NamedTuple):
    """One row of the table `letters`."""

    reason: str
    slot: int
    number: int
    ts: int
    token: int
    symbol: str
    price: float
    facts: str
    payload: str


@final
class DeadLetters:
    """Keeps the letters of one opened day in the journal.

    `tell` is called for the first of each reason, and for each tenfold.
    """

    def __init__(self, journal: Journal, tell: Callable[[str, str, str], None]) -> None:
        self._journal = journal
        self._tell = tell
        self.counts: Counter[str] = Counter()
        self.last = 0
        """When the last came (ns UTC), 0: none yet."""
        self._numbers = Counter[str]()
        for row in journal.load("letters"):
            reason, number = str(row["reason"]), int(str(row["number"]))
            self._numbers[reason] = max(self._numbers[reason], number)

    @property
    def count(self) -> int:
        """Return how many there have been."""
        return self.counts.total()

    def keep_frame(self, payload: bytes, received: int) -> None:
        """Keep a frame that did not decode whole."""
        self._keep_letter(
            FRAME,
            received,
            token=0,
            symbol="",
            price=0.0,
            facts={"bytes": len(payload)},
            payload=payload[:LONGEST],
        )

    def keep_ticks(self, dead: Iterable[DeadTick]) -> None:
        """Keep ticks that the kernel's screen has kept out."""
        for each in dead:
            tick, instrument = each.tick, each.instrument
            facts = {"last": each.last} | (facts_of(instrument) if instrument is not None else {})
            symbol = instrument.symbol if instrument is not None else ""
            self._keep_letter(
                each.reason,
                int(each.received),
                token=int(tick.token),
                symbol=symbol,
                price=tick.ltp,
                facts=facts,
                payload=packed_tick(tick),
            )

    def _keep_letter(
        self,
        reason: str,
        ts: int,
        token: int,
        symbol: str,
        price: float,
        facts: dict[str, Any],
        payload: bytes,
    ) -> None:
        self.counts[reason] += 1
        self.last = ts
        count = self.counts[reason]
        if count in {1, 10, 100, 1_000, 10_000, 100_000}:
            self._tell(
                "warn",
                "dead_letter",
                f"{WORDS[reason]}{f' ({symbol})' if symbol else ''}: {count} today; patang "
                f"letters list shows them",
            )
        if count > KEPT:
            return
        self._numbers[reason] += 1
        number = self._numbers[reason]
        row = DeadLetter(
            reason,
            number % KEPT,
            number=number,
            ts=ts,
            token=token,
            symbol=symbol,
            price=price,
            facts=json.dumps(facts),
            payload=payload.hex(),
        )
        self._journal.append("letters", row._asdict())


def packed_tick(tick: Tick) -> bytes:
    """Return a tick as JSON, field by field."""
    return msgspec.json.encode({name: getattr(tick, name) for name in TICK_FIELDS})


def unpacked_tick(payload: bytes) -> Tick:
    """Return the tick of a letter; raise `ValueError` where it holds none."""
    try:
        fields = msgspec.json.decode(payload, type=dict[str, Any])
        return Tick(**(fields | {"depth": base64.b64decode(fields["depth"])}))
    except (msgspec.MsgspecError, TypeError, KeyError) as error:
        raise ValueError(
            f"no tick, or one that an earlier version kept ({type(error).__name__})"
        ) from None


def facts_of(instrument: Instrument) -> dict[str, Any]:
    """Return the facts a tick of an instrument was judged by."""
    return {
        "exchange": instrument.exchange,
        "tick": instrument.tick,
        "kind": instrument.kind,
        "lower": instrument.lower,
        "upper": instrument.upper,
    }


def judge_tick(tick: Tick, symbol: str, facts: dict[str, Any], received: int) -> str:
    """Return why today's rules keep a kept tick out, empty where they take it.

    One that waits for the next trade has a reason of its own.
    """
    if "tick" not in facts:
        return "token"
    instrument = Instrument(
        int(tick.token),
        facts["exchange"],
        symbol,
        facts["tick"],
        kind=facts["kind"],
        lower=facts["lower"],
        upper=facts["upper"],
    )
    instruments: IntMap[Instrument] = IntMap()
    instruments[instrument.token] = instrument
    screen = TickFilter(AHEAD_S * 1_000_000_000)
    screen.note_true_price(tick.token, float(facts["last"]), received)
    if screen.sift_ticks([tick], instruments, received, midnight(ist_day(received))):
        return ""
    return screen.dead[0].reason if screen.dead else "waits for the next trade"
